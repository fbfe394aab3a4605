"""Names of invented persons: canonical form, notes, placeholders."""

import polars as pl
import pytest

from datasach.vn.names import Name, parse, parse_column


@pytest.mark.parametrize(
    ("sent", "full_name"),
    [
        ("NGUYỄN VĂN HOÀ", "Nguyễn Văn Hòa"),
        ("trần thị thuý", "Trần Thị Thúy"),
        ("LÊ KHOẺ", "Lê Khỏe"),
        ("NGUYỄN THỊ QUÝ", "Nguyễn Thị Quý"),
        ("HOÀNG TOÀN", "Hoàng Toàn"),
        ("LÝ MỸ VY", "Lý Mỹ Vy"),
        ("H’NGA NIÊ", "H'Nga Niê"),
        ("H' NGA NIÊ", "H'Nga Niê"),
        ("Y BLÔ NIÊ", "Y Blô Niê"),
        ("O'BRIEN", "O'Brien"),
        ("JEAN-PIERRE MÜLLER", "Jean-Pierre Müller"),
        ("  NGUYEÃN VAÊN   HOØA ", "Nguyễn Văn Hòa"),
        ("Nguy?n Văn A", "Nguy?n Văn A"),
        ("ĐẶNG.VĂN.B", "Đặng Văn B"),
    ],
)
def test_the_canonical_form(sent, full_name):
    assert parse(sent).full_name == full_name


@pytest.mark.parametrize(
    ("sent", "full_name", "note"),
    [
        ("BN NGUYỄN VĂN A", "Nguyễn Văn A", "BN"),
        ("BN. NGUYỄN VĂN A (TS)", "Nguyễn Văn A", "TS; BN"),
        ("CB TRẦN THỊ B", "Trần Thị B", "CB"),
        ("TRẦN THỊ B (CON BÀ NGUYỄN THỊ C)", "Trần Thị B", "CON BÀ NGUYỄN THỊ C"),
        ("TE TRẦN VĂN A", "Trần Văn A", "TE"),
        ("NGUYỄN VĂN A-TS", "Nguyễn Văn A", "TS"),
        ("NGUYỄN VĂN A 1", "Nguyễn Văn A", "1"),
        ("NGUYỄN VĂN A2", "Nguyễn Văn A", "2"),
        ("ÔNG NGUYỄN VĂN A", "Nguyễn Văn A", "ÔNG"),
        ("BÀ: NGUYỄN THỊ B", "Nguyễn Thị B", "BÀ"),
        ("ÔNG/BÀ NGUYỄN VĂN A", "Nguyễn Văn A", "ÔNG/BÀ"),
        ("ÔNG ÍCH KHIÊM", "Ông Ích Khiêm", None),
        ("BÀ", "Bà", None),
        ("CHU MAI LAN", "Chu Mai Lan", None),
        ("BA NGUYEN AN", "Ba Nguyen An", None),
    ],
)
def test_what_stands_beside_a_name_becomes_a_note(sent, full_name, note):
    got = parse(sent)
    assert (got.full_name, got.note, got.is_placeholder) == (full_name, note, False)
    assert ("note_split" in got.reasons) == (note is not None)


@pytest.mark.parametrize(
    "sent",
    """KHÔNG RÕ|KHONG RO TEN|VÔ DANH|VO DANH|VÔ DANH NAM|BN NAM|BN NU 2|BỆNH NHÂN NỮ|TRẺ SƠ SINH
TRE SO SINH 1|TEST|NGUYEN VAN TEST|BÉ TRAI|BE GAI|CON BÀ TRẦN THỊ B|CON BA TRAN THI B|Bé gái con bà B
CHƯA CÓ TÊN|(CON BÀ B)|123|BN|NẠN NHÂN|unknown|N/A""".replace("\n", "|").split("|"),
)
def test_a_name_that_names_nobody_is_a_placeholder(sent):
    assert parse(sent).is_placeholder


@pytest.mark.parametrize(
    "sent",
    ["VÕ DANH", "VÕ DANH KHOA", "CHAU NAM ANH", "CHÂU GÁI", "NGUYỄN NAM", "BẾ VĂN ĐÀN", "NA"],
)
def test_a_name_that_only_resembles_a_placeholder_is_a_name(sent):
    assert not parse(sent).is_placeholder


def test_upper_case_alone_is_no_change_worth_a_record():
    assert parse("NGUYỄN VĂN AN").reasons == ()
    assert parse("NGUYỄN VĂN HOÀ").reasons == ("tone_placement",)


def test_the_given_name_is_the_last_word():
    assert parse("NGUYỄN THỊ HOÀ").given == "Hòa"
    assert parse("").given is None


def test_a_blank_name_is_unknown_not_a_placeholder():
    assert parse("") == Name(None, None, None, False, ())


def test_a_column_keeps_order_and_nulls():
    got = parse_column(pl.Series(["TEST", None, "LÊ AN", "LÊ AN", "BN LÊ AN"]))
    assert got["full_name"].to_list() == ["Test", None, "Lê An", "Lê An", "Lê An"]
    assert got["is_placeholder_name"].to_list() == [True, None, False, False, False]
    assert got["name_note"].to_list() == [None, None, None, None, "BN"]
