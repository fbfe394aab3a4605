"""What text.repair restores, and, more important, what it leaves alone."""

import csv
from pathlib import Path

import polars as pl
import pytest

from datasach.vn.legacy import TCVN3, VNI
from datasach.vn.syllables import LETTERS
from datasach.vn.text import fold, repair, repair_column

VECTORS = Path(__file__).parents[2] / "data" / "text_vectors.csv"
LEGACY = {
    "tcvn3": "tcvn3",
    "vni": "vni",
    "utf8_read_as_cp1252": "double_utf8",
    "utf8_read_as_latin1": "double_utf8",
    "nfd": "nfc",
    "eth_instead_of_d_stroke": "d_lookalike",
}


def vectors() -> list[dict[str, str]]:
    with VECTORS.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "row",
    [
        row
        for row in vectors()
        if row["variant_kind"] in LEGACY and row["round_trip_ok"] in ("Y", "")
    ],
    ids=lambda row: f"{row['variant_kind']}-{fold(row['canonical'])}",
)
def test_every_reversible_vector_comes_back(row):
    restored, reasons = repair(row["variant"])
    assert restored == row["canonical"]
    changed = row["variant"] != row["canonical"]
    assert reasons == ((LEGACY[row["variant_kind"]],) if changed else ())


@pytest.mark.parametrize("row", [row for row in vectors() if row["variant_kind"] == "upper_nfc"])
def test_correct_capitals_stay(row):
    assert repair(row["variant"]) == (row["variant"], ())


def test_a_lost_letter_is_reported_and_not_guessed():
    for row in vectors():
        if row["variant_kind"] == "question_marks" and "?" in row["variant"]:
            assert repair(row["variant"]) == (row["variant"], ("question_marks",))


def test_a_question_is_no_lost_letter():
    assert repair("Đau bụng? Ho?")[1] == ()


def test_a_lost_utf8_byte_is_filled_where_only_one_letter_fits():
    assert repair("Ä\ufffdá»— Thá»‹ Tuyáº¿t") == ("Đỗ Thị Tuyết", ("double_utf8",))
    # Á, Í, Ï and Ý would all be possible here, so the word stays and says so.
    assert repair("LÃ² Thá»‹ Ã\ufffdn")[1] == ("double_utf8", "question_marks")


def test_utf8_misread_twice_comes_back():
    once = "Nguyễn Văn Hòa".encode().decode("latin-1")
    assert repair(once.encode().decode("latin-1")) == ("Nguyễn Văn Hòa", ("double_utf8",))


def test_a_trimmed_no_break_space_inside_utf8_comes_back():
    assert repair("HoÃ ng")[0] == "Hoàng"


FOREIGN = """François|Françoise Dupont|Müller|Jürgen Müller|Ñ|Núñez|José|Noël|Zoë|Anaïs|Loïc|Peña
Björn|Søren|João|São|Hélène|Gaël Martin|Phan Loïc|Lê Noël|Võ Loïc|Bùi Loïc|Guðrún|Sigurðsson
Davíð|Élodie|Renée|Chloé|Inès|Óðinn|Straße|Weiß|Groß Öhm|Pérez Muñoz|Iñaki|Ça va|Où|Maël|Thaïs
Raphaël Müller|Mônica|Andrés|Brontë|Citroën|naïve|Dvořák|Łódź|Ångström|Çağla|Æsa|Nguyễn Müller
5 µg|10µg/ml|25°C|½ viên|«x»|3×5|A · B|Panadol®|Kovács|Beyoncé|Strüng|Königsberg|Göteborg"""
VIETNAMESE = """Thanh Hoà|Mai Hoá|Lã Thanh|LÃ THANH|Y Blô Niê|H'Yă Mlô|ĐẮK LẮK|Đắk Nông|Cư M'gar
Kon Plông|Ia Đrăng|Kbang|Õn|Gì|giếng|Quốc|khuỷu|Thuở|Quà|Lý A Páo|Ý|Hà|À|Trò chơi|Toàn|Toán|Hoán
Soá|Loà|Khoá XII|bà|Bà Rịa - Vũng Tàu|PHẠM NGỌC ÁNH|Lò Thị Ín|Tôi là ai?|Ông Ích Khiêm|Thò|Vóc"""


@pytest.mark.parametrize("text", [*FOREIGN.replace("\n", "|").split("|")])
def test_a_foreign_name_or_sign_is_never_damaged(text):
    assert repair(text) == (text, ())


@pytest.mark.parametrize("text", [*VIETNAMESE.replace("\n", "|").split("|")])
def test_correct_vietnamese_is_never_damaged(text):
    assert repair(text) == (text, ())


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("NGUYÔN V¡N HßA", "NGUYỄN VĂN HÒA"),
        ("TRÇN THÞ B×NH", "TRẦN THỊ BÌNH"),
        ("§iÒu trÞ ë bÖnh viÖn", "Điều trị ở bệnh viện"),
        ("NGUYEÃN VAÊN HOØA", "NGUYỄN VĂN HÒA"),
        ("Thaønh phoá Hoà Chí Minh", "Thành phố Hồ Chí Minh"),
        ("Soá 12 KCN ABC Traàn Phuù", "Số 12 KCN ABC Trần Phú"),
        ("Lý H¹ Tþ", "Lý Hạ Tỵ"),
        ("NÐang Ngäc M\xadêi", "Néang Ngọc Mười"),
        ("Kim TrÇn B¶o Ý", "Kim Trần Bảo Ý"),
        ("Haø Noäi", "Hà Nội"),
        ("Nöõ", "Nữ"),
    ],
)
def test_legacy_text_in_capitals_and_sentences_is_restored(sent, meant):
    assert repair(sent)[0] == meant


def test_one_ambiguous_letter_is_not_enough_to_convert():
    # TCVN3 for Bùi Anh, but as well a Loïc-like spelling: the text is kept for a person to decide.
    assert repair("Bïi Anh") == ("Bïi Anh", ())


def test_a_soft_hyphen_survives_in_garbled_text_that_is_left_alone():
    # It is the ư of TCVN3: the word is no syllable, but removing a letter would destroy it.
    assert repair("P¬loong Ph\xadíc Th¹ch") == ("P¬loong Ph\xadíc Th¹ch", ())
    assert repair("Nguy\xadễn")[1] == ("control",)


def test_the_tables_hold_all_letters_of_their_standard():
    # TCVN3 has no accented capitals but the seven letters; VNI has all 134.
    small = [letter for letter in LETTERS if letter.islower()]
    assert sorted(TCVN3.values()) == sorted([*small, *"ĂÂĐÊÔƠƯ"])
    assert set(VNI.values()) == set(LETTERS)


@pytest.mark.parametrize(
    ("sent", "clean", "reason"),
    [
        ("Nguyễn\u200b A", "Nguyễn A", "control"),
        ("\ufeffNguyễn", "Nguyễn", "control"),
        ("A\x00B", "AB", "control"),
        ("  An ", "An", "blanks"),
        ("An\u00a0Bình", "An Bình", "blanks"),
        ("An\r\nBình", "An Bình", "blanks"),
        ("'0123", "0123", "excel_prefix"),
        ('="0123"', "0123", "excel_prefix"),
        ("Ðỗ ÐÌNH", "Đỗ ĐÌNH", "d_lookalike"),
        ("Ɖinh", "Đinh", "d_lookalike"),
        ("Nguye\u0302\u0303n", "Nguyễn", "nfc"),
    ],
)
def test_each_repair_names_its_reason(sent, clean, reason):
    assert repair(sent) == (clean, (reason,))


def test_a_column_keeps_order_length_and_nulls():
    got = repair_column(pl.Series(["An", None, "  An", "Nguyeãn Vaên Hoøa", ""]))
    assert got.columns == ["value", "reasons"]
    assert got["value"].to_list() == ["An", None, "An", "Nguyễn Văn Hòa", ""]
    assert got["reasons"].to_list() == [[], [], ["blanks"], ["vni"], []]


def test_folding_is_for_keys_only():
    assert fold("Đặng  THÚY-Hằng") == "dang thuy hang"
    assert fold("H'Nga") == fold("H’Nga") == "hnga"
    assert fold("Straße") == "strasse"
    assert fold("?") == ""


@pytest.mark.parametrize("lost", ["", " ", "?"])
@pytest.mark.parametrize("text", ["Đau bụng", "Nguyễn Văn Đức", "Trần Thị Hường", "Bế Đình Ái"])
def test_utf8_in_another_code_page_with_bytes_lost_is_told(text: str, lost: str) -> None:
    """Five bytes have no letter in CP1252; what a system puts there instead decides what can be saved."""
    shown = "".join(
        bytes([byte]).decode("cp1252") if byte not in b"\x81\x8d\x8f\x90\x9d" else lost
        for byte in text.encode()
    )
    repaired, reasons = repair(shown)
    assert repaired == shown
    assert "garbled" in reasons


@pytest.mark.parametrize(
    "text", ["Jürgen Müller", "«cá»", "Äpfel", "Guðrún Ægisdóttir", "Lã Văn Ý", "Ã", "São Tomé"]
)
def test_foreign_letters_are_not_garbled(text: str) -> None:
    assert "garbled" not in repair(text)[1]
