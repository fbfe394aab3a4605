"""What the codes and names of provinces and communes mean in the lists before and after the merger.

The tables behind `addresses.Places`: keys by which a text is looked up, and for every commune code
(or name inside a province) its meaning in either list. Source and traps: see addresses.py.
"""

import re
import unicodedata
from typing import Final, NamedTuple

import polars as pl

from datasach.vn.text import APOSTROPHES, old_style_tones

_UNIT_TYPE: Final = re.compile(
    r"(?:tỉnh|thành phố|tp\.?|t\.|xã|phường|thị trấn|thị xã|đặc khu|x\.|p\.|tt\.|đk\.)\s*(?=\S)"
)
# Names that neither list has but everybody writes.
OTHER_PROVINCE_NAMES: Final = {
    "thừa thiên huế": "46", "thừa thiên - huế": "46", "hcm": "79", "sài gòn": "79",
    "vũng tàu": "77", "bà rịa vũng tàu": "77", "bà rịa-vũng tàu": "77",
}  # fmt: skip


class Reading(NamedTuple):
    """What one commune code (or name in a province) means in either list."""

    as_old: str | None
    """its successor; the default one if the commune was split"""
    is_split: bool
    as_new: str | None
    old_province: str | None
    new_province: str | None


def name_key(name: str) -> str:
    """Short name for comparison: small letters, no unit type, one tone placement; marks stay.

    >>> name_key("TP. Hồ Chí Minh")
    'hồ chí minh'
    """
    lower = unicodedata.normalize("NFC", name).lower()
    lower = " ".join(re.sub(f"[{APOSTROPHES}]", "'", lower).split())
    return old_style_tones(_UNIT_TYPE.sub("", lower, count=1) if _UNIT_TYPE.match(lower) else lower)


def province_key(text: str) -> str:
    """A province code as two digits ("079" and "1" are read too), else the name's key."""
    text = text.strip()
    if re.fullmatch("0?[0-9]{2}|[0-9]", text):
        return text[-2:].zfill(2)
    return name_key(text)


def commune_key(text: str, province_code: str | None) -> str:
    """A commune code as five digits; a name as `province:name`, for it means nothing alone."""
    text = text.strip()
    if re.fullmatch("[0-9]{1,5}", text):
        return text.zfill(5)
    return f"{province_code or '?'}:{name_key(text)}"


def readings(wards: pl.DataFrame) -> dict[str, Reading]:
    """commune_key → Reading, from wards.csv.gz (one row per old commune and each of its targets)."""
    old: dict[str, tuple[str, bool, str]] = {}
    new: dict[str, str] = {}
    old_names: dict[str, set[tuple[str, bool, str]]] = {}
    new_names: dict[str, set[str]] = {}
    for row in wards.iter_rows(named=True):
        province, target = row["new_province_code"], row["new_ward_code"]
        new[target] = province
        new_names.setdefault(commune_key(row["new_ward"], province), set()).add(target)
        if row["is_default"] == "Y" and row["old_ward_code"]:
            meaning = (target, row["split_kind"] != "whole", row["old_province_code"])
            old[row["old_ward_code"]] = meaning
            old_names.setdefault(commune_key(row["old_ward"], province), set()).add(meaning)
    found = {
        code: _reading(old.get(code), code if code in new else None, new.get(code))
        for code in old.keys() | new.keys()
    }
    # A name that several communes of one province share is no name to resolve by.
    for key in old_names.keys() | new_names.keys():
        olds, news = old_names.get(key, set()), new_names.get(key, set())
        if len(olds) > 1 or len(news) > 1:
            olds, news = set(), news if len(news) == 1 else set()
        if olds or news:
            found[key] = _reading(next(iter(olds), None), next(iter(news), None), key[:2])
    return found


def _reading(
    old: tuple[str, bool, str] | None, as_new: str | None, new_province: str | None
) -> Reading:
    as_old, is_split, old_province = old or (None, False, None)
    return Reading(as_old, is_split, as_new, old_province, new_province if as_new else None)
