"""A small invented clinic: diseases with what is usually done, drugs, services and supplies.

ICD-10 codes, ingredient names and the shape of service codes are real; product names, registration
numbers, makers and prices are invented. Main diagnoses avoid every code that icd10_tt06_flags.csv
marks as not for main use or as too coarse, and keep to sex and age (DOMAIN.md, DIA-001 … DIA-013).
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Ingredient:
    key: str
    code: str
    name: str
    strength: str
    form: str
    unit: str
    route: str
    price: int
    per_day: int
    ratio: int = 100
    prescribed: bool = True


@dataclass(frozen=True, slots=True)
class Drug:
    """One invented product; `registration` is its key in the drug register."""

    ingredient: Ingredient
    registration: str
    former_registration: str
    name: str
    maker: str
    country: str
    price: int


@dataclass(frozen=True, slots=True)
class Index:
    code: str
    name: str
    unit: str
    low: float
    high: float
    decimals: int


@dataclass(frozen=True, slots=True)
class Service:
    key: str
    code: str
    name: str
    group: int
    unit: str
    price: int
    device: str = ""
    indices: tuple[Index, ...] = ()
    finding: str = ""


@dataclass(frozen=True, slots=True)
class Disease:
    icd: str
    text: str
    sex: str
    youngest: int
    oldest: int
    outpatient: float
    inpatient: float
    drugs: tuple[str, ...]
    services: tuple[str, ...]
    chronic: bool = False
    notifiable: str = ""
    accident: str = ""
    also: str = ""


def _ingredients() -> dict[str, Ingredient]:
    found = {}
    for n, line in enumerate(filter(None, INGREDIENTS.strip().splitlines())):
        key, name, strength, form, unit, route, price, per_day, *more = line.split("|")
        ratio = int(more[0]) if more and more[0] else 100
        found[key] = Ingredient(
            key, f"40.{30 + n * 7}", name, strength, form, unit, route, int(price), int(per_day),
            ratio, prescribed="otc" not in more,
        )  # fmt: skip
    return found


# key | name | strength | form | unit | route code | price in đồng | units a day | ratio | otc
INGREDIENTS = """
para|Paracetamol|500mg|Viên nén|Viên|1.01|480|3||otc
ibu|Ibuprofen|400mg|Viên nén bao phim|Viên|1.01|720|3
diclo|Diclofenac|75mg|Viên bao tan ở ruột|Viên|1.01|540|2
amox|Amoxicilin|500mg|Viên nang|Viên|1.01|1180|3
amoclav|Amoxicilin + acid clavulanic|875mg + 125mg|Viên nén bao phim|Viên|1.01|8900|2
cefu|Cefuroxim|500mg|Viên nén bao phim|Viên|1.01|6400|2
ceftri|Ceftriaxon|1g|Bột pha tiêm|Lọ|2.10|11200|2
azi|Azithromycin|250mg|Viên nang|Viên|1.01|3100|2
cipro|Ciprofloxacin|500mg|Viên nén bao phim|Viên|1.01|1450|2
metro|Metronidazol|250mg|Viên nén|Viên|1.01|390|4
doxy|Doxycyclin|100mg|Viên nang|Viên|1.01|610|2
acetyl|N-acetylcystein|200mg|Thuốc cốm|Gói|1.01|1020|3||otc
salbu|Salbutamol|2mg|Viên nén|Viên|1.01|160|3
bude|Budesonid|500mcg/2ml|Hỗn dịch khí dung|Ống|5.05|24500|2|70
loratadin|Loratadin|10mg|Viên nén|Viên|1.01|310|1||otc
chlor|Chlorpheniramin|4mg|Viên nén|Viên|1.01|60|2||otc
predni|Prednisolon|5mg|Viên nén|Viên|1.01|190|4
methyl|Methylprednisolon|16mg|Viên nén|Viên|1.01|1290|1
amlo|Amlodipin|5mg|Viên nén|Viên|1.01|360|1
losar|Losartan|50mg|Viên nén bao phim|Viên|1.01|980|1
enala|Enalapril|10mg|Viên nén|Viên|1.01|520|1
biso|Bisoprolol|5mg|Viên nén bao phim|Viên|1.01|1150|1
indap|Indapamid|1,5mg|Viên phóng thích kéo dài|Viên|1.01|2450|1
furo|Furosemid|40mg|Viên nén|Viên|1.01|140|1
spiro|Spironolacton|25mg|Viên nén|Viên|1.01|1020|1
ator|Atorvastatin|20mg|Viên nén bao phim|Viên|1.01|790|1
aspirin|Acid acetylsalicylic|81mg|Viên bao tan ở ruột|Viên|1.01|270|1
clopi|Clopidogrel|75mg|Viên nén bao phim|Viên|1.01|1640|1
metf|Metformin|850mg|Viên nén bao phim|Viên|1.01|610|2
glic|Gliclazid|30mg|Viên phóng thích kéo dài|Viên|1.01|1290|1
insu|Insulin người trộn|100IU/ml|Hỗn dịch tiêm|Lọ|2.15|58000|1
omep|Omeprazol|20mg|Viên nang|Viên|1.01|690|2
esome|Esomeprazol|40mg|Viên nén bao phim|Viên|1.01|2700|1|80
anta|Nhôm hydroxyd + magnesi hydroxyd|400mg + 300mg|Viên nhai|Viên|1.01|820|3||otc
domp|Domperidon|10mg|Viên nén|Viên|1.01|310|3
ors|Natri clorid + kali clorid + glucose|27,9g|Thuốc bột|Gói|1.01|2050|3||otc
kem|Kẽm gluconat|70mg|Viên nén|Viên|1.01|630|1||otc
nacl|Natri clorid 0,9%|500ml|Dung dịch tiêm truyền|Chai|2.15|9200|2
glu|Glucose 5%|500ml|Dung dịch tiêm truyền|Chai|2.15|9700|1
ringer|Ringer lactat|500ml|Dung dịch tiêm truyền|Chai|2.15|9900|2
vitb|Vitamin B1 + B6 + B12|125mg + 125mg + 125mcg|Viên nén|Viên|1.01|1090|2||otc
calci|Calci carbonat + vitamin D3|600mg + 400IU|Viên nén|Viên|1.01|1250|1||otc
sat|Sắt fumarat + acid folic|200mg + 0,75mg|Viên nang|Viên|1.01|720|1||otc
eperi|Eperison|50mg|Viên nén bao phim|Viên|1.01|540|3
gluco|Glucosamin|500mg|Viên nang|Viên|1.01|1350|2|50
oxy|Oxytocin|5IU/ml|Dung dịch tiêm|Ống|2.10|6300|2
cloram|Cloramphenicol nhỏ mắt|0,4%|Dung dịch nhỏ mắt|Lọ|6.01|3400|1
clotri|Clotrimazol|100mg|Viên đặt|Viên|4.01|1250|1
rhze|Rifampicin + isoniazid + pyrazinamid + ethambutol|150/75/400/275mg|Viên nén bao phim|Viên|1.01|3650|3
tld|Tenofovir + lamivudin + dolutegravir|300/300/50mg|Viên nén bao phim|Viên|1.01|4250|1
"""
# Ours: invented makers and brand endings; four products of each ingredient.
MAKERS = (("Công ty CP Dược Hư Cấu Một", "Việt Nam"),
          ("Công ty CP Dược phẩm Tưởng Tượng", "Việt Nam"), ("Fictiva Pharma", "Ấn Độ"), ("Imagina Labs", "Đức"))  # fmt: skip
ENDINGS = ("hucau", "synthia", "vigia", "ficta")

BLOOD_COUNT = (
    Index("CBC01", "Số lượng hồng cầu", "T/L", 3.8, 5.9, 2),
    Index("CBC02", "Huyết sắc tố", "g/L", 105, 168, 0),
    Index("CBC03", "Số lượng bạch cầu", "G/L", 4.0, 14.5, 2),
    Index("CBC04", "Số lượng tiểu cầu", "G/L", 120, 400, 0),
)


def _one(code: str, name: str, unit: str, low: float, high: float, decimals: int) -> tuple[Index]:
    return (Index(code, name, unit, low, high, decimals),)


SERVICES = {
    service.key: service
    for service in (
        Service("kham", "02.1896.1896", "Khám Nội", 13, "Lần", 45000),
        Service("khamnhi", "03.1896.1896", "Khám Nhi", 13, "Lần", 45000),
        Service("khamsan", "13.1896.1896", "Khám Phụ sản", 13, "Lần", 45000),
        Service("khamngoai", "10.1896.1896", "Khám Ngoại", 13, "Lần", 45000),
        Service("khammat", "14.1896.1896", "Khám Mắt", 13, "Lần", 45000),
        Service("khamrhm", "16.1896.1896", "Khám Răng hàm mặt", 13, "Lần", 45000),
        Service("giuong", "03.1917.1917", "Ngày giường Nội khoa loại 1", 15, "Ngày", 212600),
        Service("giuongngoai", "10.1917.1930", "Ngày giường Ngoại khoa loại 3", 15, "Ngày", 230700),
        Service("ctm", "22.0120.1370", "Tổng phân tích tế bào máu ngoại vi", 1, "Lần", 43500, "HH",
                BLOOD_COUNT),
        Service("glucose", "23.0075.1494", "Định lượng Glucose", 1, "Lần", 22400, "SH",
                _one("SH01", "Glucose", "mmol/L", 3.9, 12.8, 1)),
        Service("urea", "23.0166.1494", "Định lượng Urê", 1, "Lần", 22400, "SH",
                _one("SH02", "Urê", "mmol/L", 2.5, 9.5, 1)),
        Service("creatinin", "23.0051.1494", "Định lượng Creatinin", 1, "Lần", 22400, "SH",
                _one("SH03", "Creatinin", "µmol/L", 45, 140, 0)),
        Service("ast", "23.0020.1493", "Đo hoạt độ AST (GOT)", 1, "Lần", 22400, "SH",
                _one("SH04", "AST (GOT)", "U/L", 12, 75, 0)),
        Service("alt", "23.0019.1493", "Đo hoạt độ ALT (GPT)", 1, "Lần", 22400, "SH",
                _one("SH05", "ALT (GPT)", "U/L", 10, 80, 0)),
        Service("cholesterol", "23.0041.1506", "Định lượng Cholesterol toàn phần", 1, "Lần", 28000,
                "SH", _one("SH06", "Cholesterol", "mmol/L", 3.4, 7.4, 2)),
        Service("hba1c", "23.0083.1523", "Định lượng HbA1c", 1, "Lần", 105300, "SH",
                _one("SH07", "HbA1c", "%", 5.2, 10.8, 1)),
        Service("crp", "23.0228.1483", "Định lượng CRP", 1, "Lần", 56100, "SH",
                _one("SH08", "CRP", "mg/L", 0.5, 90, 1)),
        Service("nuoctieu", "22.0149.1594", "Tổng phân tích nước tiểu", 1, "Lần", 28600, "NT",
                _one("NT01", "Tỷ trọng nước tiểu", "", 1.005, 1.03, 3)),
        Service("ns1", "24.0187.1637", "Dengue virus NS1Ag test nhanh", 1, "Lần", 142500, "MD",
                _one("MD01", "NS1Ag", "S/CO", 0.1, 3.5, 2)),
        Service("afb", "24.0017.1714", "AFB trực tiếp nhuộm Ziehl-Neelsen", 1, "Lần", 74200, "MD",
                _one("MD02", "AFB", "vi trường", 0, 9, 0)),
        Service("tailuong", "24.0179.1719", "HIV đo tải lượng hệ thống tự động", 1, "Lần", 829000,
                "MD", _one("MD03", "HIV RNA", "copies/mL", 20, 900, 0)),
        Service("xquang", "18.0119.0028", "Chụp X-quang ngực thẳng", 2, "Lần", 68300, "XQ",
                finding="Hai phế trường sáng đều, bóng tim không to"),
        Service("xqxuong", "18.0103.0028", "Chụp X-quang xương chi", 2, "Lần", 68300, "XQ",
                finding="Thấy hình ảnh mất liên tục vỏ xương, di lệch ít"),
        Service("sieuam", "18.0015.0001", "Siêu âm ổ bụng", 2, "Lần", 58600, "SA",
                finding="Gan không to, nhu mô đều; chưa thấy bất thường khác"),
        Service("sieuamthai", "18.0018.0001", "Siêu âm thai", 2, "Lần", 58600, "SA",
                finding="Một thai trong tử cung, tim thai đều"),
        Service("ct", "18.0149.0040", "Chụp CT sọ não không tiêm thuốc cản quang", 2, "Lần", 550100,
                "CT", finding="Không thấy xuất huyết; nhồi máu nhỏ bao trong"),
        Service("dientim", "21.0014.1778", "Điện tim thường", 3, "Lần", 39900, "DT",
                finding="Nhịp xoang đều, trục trung gian"),
        Service("mo", "10.0506.0459", "Phẫu thuật cắt ruột thừa nội soi", 8, "Lần", 2818700),
        Service("motuimat", "10.0672.0473", "Phẫu thuật nội soi cắt túi mật", 8, "Lần", 3431900),
        Service("ketxuong", "10.0791.0548", "Phẫu thuật kết hợp xương", 8, "Lần", 4102500),
        Service("de", "13.0033.0614", "Đỡ đẻ thường ngôi chỏm", 18, "Lần", 736200),
        Service("molaythai", "13.0007.0671", "Phẫu thuật lấy thai lần đầu", 8, "Lần", 2604900),
        Service("thaybang", "15.0303.0200", "Thay băng vết thương", 18, "Lần", 64300),
        Service("khidung", "02.0032.0898", "Khí dung thuốc giãn phế quản", 18, "Lần", 27500),
        Service("nhorang", "16.0203.1026", "Nhổ răng vĩnh viễn", 18, "Lần", 112500),
        Service("vltl", "17.0004.0232", "Điều trị bằng từ trường", 18, "Lần", 41900),
        Service("cangmat", "14.0212.0849", "Soi đáy mắt trực tiếp", 18, "Lần", 60000),
    )
}  # fmt: skip
# Supplies: code, name, unit, price, package.
SUPPLIES = (("N03.01.020", "Bơm tiêm 5ml", "Cái", 700, ""),
            ("N03.05.010", "Dây truyền dịch", "Bộ", 3900, ""),
            ("N05.02.030", "Chỉ khâu tự tiêu", "Tép", 38500, "G1"),
            ("N06.04.020", "Nẹp vít khóa", "Bộ", 5200000, "G1"),
            ("N02.03.040", "Gạc phẫu thuật", "Miếng", 4200, ""))  # fmt: skip


def _diseases() -> tuple[Disease, ...]:
    found = []
    for line in filter(None, DISEASES.strip().splitlines()):
        icd, text, sex, ages, weights, drugs, services, *more = line.split("|")
        low, high = ages.split("-")
        out, ward = weights.split("/")
        marks = dict(item.partition("=")[::2] for item in more)
        found.append(
            Disease(
                icd, text, sex, int(low), int(high), float(out), float(ward),
                tuple(drugs.split()), tuple(services.split()), chronic="chronic" in marks,
                notifiable=marks.get("report", ""), accident=marks.get("accident", ""),
                also=marks.get("also", ""),
            )
        )  # fmt: skip
    return tuple(found)


# icd | text | sex | ages | weight outpatient/inpatient | drugs | services | marks
DISEASES = """
J00|Viêm mũi họng cấp||0-99|9/0|para chlor acetyl|kham ctm
J02.9|Viêm họng cấp||1-99|7/0|amox para predni|kham
J03.9|Viêm amiđan cấp||2-60|4/0.4|cefu para|kham ctm
J06.9|Nhiễm trùng đường hô hấp trên cấp||0-99|6/0|para loratadin|kham
J20.9|Viêm phế quản cấp||0-99|6/3|azi acetyl salbu|kham ctm xquang
J18.9|Viêm phổi||0-99|1/9|ceftri para nacl acetyl|ctm crp xquang glucose
J45.9|Hen phế quản||3-80|2/1.5|salbu bude methyl|kham khidung xquang|chronic
J44.9|Bệnh phổi tắc nghẽn mạn tính||40-99|2/3|salbu bude methyl|kham ctm xquang|chronic
I10|Bệnh lý tăng huyết áp||30-99|14/2|amlo losar|kham creatinin dientim|chronic|also=E78.5
I25.1|Bệnh tim thiếu máu cục bộ mạn||45-99|4/1|aspirin ator biso|kham dientim cholesterol|chronic|also=I10
I50.0|Suy tim sung huyết||50-99|1.5/3|furo spiro enala|kham dientim xquang creatinin|chronic|also=I10
I63.9|Nhồi máu não||50-99|0/3.5|aspirin ator nacl|ct ctm glucose dientim|also=I10
I21.9|Nhồi máu cơ tim cấp||45-99|0/1.2|clopi aspirin ator|ctm dientim xquang glucose|also=I10
E11.9|Bệnh đái tháo đường không phụ thuộc insulin||35-99|11/2|metf glic|kham glucose hba1c creatinin|chronic|also=I10
E78.5|Rối loạn chuyển hóa lipid máu||35-90|4/0|ator|kham cholesterol ast alt|chronic
K21.9|Trào ngược dạ dày thực quản||16-90|4/0|esome domp|kham
K29.7|Viêm dạ dày||10-90|6/1|omep anta|kham sieuam ctm
K52.9|Viêm dạ dày ruột không nhiễm trùng||0-90|2/2|ors kem domp|kham ctm nuoctieu
A09.0|Viêm dạ dày ruột do nhiễm trùng||0-90|2/3|ors cipro ringer|ctm crp nuoctieu|report=B:Tiêu chảy
K35.8|Viêm ruột thừa cấp||5-80|0/3.5|ceftri metro para nacl|mo ctm sieuam crp
K80.2|Sỏi túi mật không viêm||25-90|0.5/1.4|ceftri para nacl|motuimat sieuam ctm alt
N39.0|Nhiễm trùng hệ tiết niệu||1-99|3/1.5|cipro para|kham nuoctieu ctm
N20.1|Sỏi niệu quản||20-85|1/1.3|diclo nacl|kham sieuam nuoctieu
N18.9|Bệnh thận mạn||30-99|1.5/1|furo calci|kham urea creatinin ctm|chronic|also=I10
M54.56|Đau cột sống thắt lưng||18-95|7/1.4|diclo eperi vitb|kham vltl
M17.9|Thoái hóa khớp gối||45-99|5/0.6|gluco para|kham xqxuong vltl|chronic
L20.9|Viêm da cơ địa||0-70|3/0|loratadin predni|kham
L50.9|Mày đay||1-80|3/0|loratadin chlor|kham
H10.9|Viêm kết mạc||0-90|3/0|cloram|khammat cangmat
H66.9|Viêm tai giữa||0-60|2/0.3|amoclav para|kham
K02.1|Sâu ngà răng||4-80|4/0|para|khamrhm
K04.0|Viêm tủy răng||8-80|3/0|amox ibu|khamrhm nhorang
G43.9|Đau nửa đầu||14-70|2/0|para|kham
G47.0|Rối loạn vào giấc và duy trì giấc ngủ||25-95|3/0|vitb|kham
F41.1|Rối loạn lo âu lan tỏa||18-80|1/0|vitb|kham
E03.9|Suy giáp||18-90|1/0|calci|kham ctm|chronic
D50.9|Thiếu máu thiếu sắt||1-80|1.5/0.5|sat|kham ctm
B34.9|Nhiễm virus||0-80|3/1|para ors|kham ctm
A97.0|Sốt xuất huyết Dengue không có dấu hiệu cảnh báo||1-75|2/3.5|para ors ringer|ctm ns1|report=B:Sốt xuất huyết Dengue
A97.1|Sốt xuất huyết Dengue có dấu hiệu cảnh báo||1-75|0/2|para ringer|ctm ns1 ast alt|report=B:Sốt xuất huyết Dengue
B08.4|Viêm miệng mụn nước có phát ban do enterovirus||0-6|2.5/4|para kem|khamnhi ctm|report=B:Tay chân miệng
B05.9|Sởi không biến chứng||0-40|0.4/0.8|para kem|khamnhi ctm crp|report=B:Sởi
B01.9|Thủy đậu không biến chứng||1-45|0.8/0.3|para loratadin|kham|report=B:Thủy đậu
J10.1|Cúm có biểu hiện hô hấp khác||0-90|1.5/0.6|para acetyl|kham ctm|report=B:Cúm
A37.9|Ho gà||0-5|0.1/0.2|azi|khamnhi ctm|report=B:Ho gà
A15.3|Lao phổi xác nhận bằng phương pháp không xác định||18-90|0.5/0.4|rhze|kham afb xquang|report=B:Lao phổi
N76.0|Viêm âm đạo cấp|2|16-70|4/0|clotri metro|khamsan
N92.0|Kinh nguyệt nhiều và hay xảy ra với chu kỳ đều|2|14-52|1.5/0.4|sat|khamsan sieuam
Z34.9|Giám sát thai bình thường|2|18-44|4/0|sat calci|khamsan sieuamthai nuoctieu
O20.0|Dọa sẩy thai|2|18-44|0.7/1|sat|khamsan sieuamthai
N40|Tăng sản tuyến tiền liệt|1|50-99|2.5/0.8|para|kham sieuam nuoctieu|chronic
S01.0|Vết thương hở của da đầu||3-90|1.2/0.4|amox para|khamngoai thaybang|accident=1
S52.50|Gãy kín đầu dưới xương quay||5-95|0.8/1.6|para calci|ketxuong xqxuong ctm|accident=1
S93.4|Bong gân và giãn dây chằng cổ chân||10-80|1.5/0|diclo eperi|khamngoai xqxuong|accident=8
A41.9|Nhiễm trùng huyết||0-99|0/1.2|ceftri nacl glu|ctm crp urea creatinin
K92.2|Xuất huyết tiêu hóa||25-95|0/1.2|omep nacl|ctm urea sieuam
C34.9|U ác phế quản hoặc phổi||45-90|0.3/1|para|ctm xquang sieuam
"""
DELIVERY = Disease("O80.0", "Đẻ thường ngôi chỏm", "2", 16, 49, 0, 0, ("oxy", "sat"),
                   ("de", "ctm", "nuoctieu"))  # fmt: skip
CAESAREAN = Disease("O82.0", "Đẻ mổ chủ động", "2", 16, 49, 0, 0, ("oxy", "ceftri", "nacl"),
                    ("molaythai", "ctm", "nuoctieu"))  # fmt: skip
HIV = Disease("B20.0", "Bệnh HIV gây nhiễm lao", "", 16, 80, 0, 0, ("tld",), ("kham", "tailuong"),
              chronic=True)  # fmt: skip
TUBERCULOSIS = "A15.3"
NEWBORN = Disease("P59.9", "Vàng da sơ sinh", "", 0, 1, 0, 0, (), ("khamnhi", "ctm"))
INGREDIENT = _ingredients()
DISEASE = _diseases()
BY_ICD = {d.icd: d for d in (*DISEASE, DELIVERY, CAESAREAN, HIV, NEWBORN)}
VACCINES = (("BCG", "Lao (BCG)", 0), ("VGB_SS", "Viêm gan B sơ sinh", 0),
            ("DPT_VGB_HIB", "5 trong 1", 2), ("BOPV", "Bại liệt uống", 2), ("MR", "Sởi - Rubella", 18), ("SOI", "Sởi đơn", 9),
            ("VNNB", "Viêm não Nhật Bản", 12), ("TD", "Uốn ván - Bạch hầu", 84))  # fmt: skip


@lru_cache(maxsize=1)
def drugs() -> dict[str, tuple[Drug, ...]]:
    """Four invented products of every ingredient, by the ingredient's key."""
    found: dict[str, tuple[Drug, ...]] = {}
    for n, item in enumerate(INGREDIENT.values()):
        products = []
        for k, ((maker, country), ending) in enumerate(zip(MAKERS, ENDINGS, strict=True)):
            serial = 11_000 + n * 97 + k * 13
            old = f"{'VD' if country == 'Việt Nam' else 'VN'}-{serial}-{12 + k * 2}"
            # The fifth digit tells prescription drugs (1) from free ones (0): TT 32/2026.
            new = f"8931{int(item.prescribed)}{serial:05d}{20 + k:02d}"
            registration, former = (new, old) if (n + k) % 3 == 0 else (old, "")
            stem = item.name.split(" ")[0][:5].lower().strip(",")
            products.append(
                Drug(item, registration, former, f"{stem.capitalize()}{ending} {item.strength}",
                     maker, country, round(item.price * (1 + 0.18 * k)))
            )  # fmt: skip
        found[item.key] = tuple(products)
    return found


@lru_cache(maxsize=512)
def _choices(sex: str, age: int, ward: bool) -> tuple[tuple[Disease, ...], tuple[float, ...]]:
    fitting = [
        (d, d.inpatient if ward else d.outpatient)
        for d in DISEASE
        if d.sex in ("", sex) and d.youngest <= age <= d.oldest
    ]
    fitting = [(d, weight) for d, weight in fitting if weight > 0]
    return tuple(d for d, _ in fitting), tuple(accumulate(weight for _, weight in fitting))


def disease(sex: str, age: int, ward: bool, draw: float) -> Disease:
    """The disease of one visit: by sex, age and whether the patient lies in a ward."""
    found, cumulative = _choices(sex, min(age, 98), ward)
    return found[min(bisect_right(cumulative, draw * cumulative[-1]), len(found) - 1)]
