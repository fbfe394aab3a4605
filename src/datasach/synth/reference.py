"""The reference tables the generator draws from: provinces, communes, names, fields.

One `Reference` per run; every table stays in memory (10,602 commune rows, 479 fields).
File names follow `datasets/_reference`; the names of the raw tables they come from are accepted
too, so that the generator also runs against a folder with the unprocessed domain tables.

Sources: provinces and communes from vietnamadminunits 1.0.4 (MIT, notice beside the files); name
shares from hoten.org samples and own estimates (column `basis` of each file).
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CANDIDATES = {
    "provinces": ("provinces", "provinces_63_to_34"),
    "wards": ("wards", "wards_old_to_new"),
    "fields": ("xml_fields",),
    "surnames": ("names/surnames", "surnames"),
    "given_male": ("names/given_male", "given_male"),
    "given_female": ("names/given_female", "given_female"),
    "middle_male": ("names/middle_male", "middle_male"),
    "middle_female": ("names/middle_female", "middle_female"),
}


def rows(folder: Path, table: str) -> Iterator[dict[str, str]]:
    """The rows of one reference table, whatever of its known names it carries, gzipped or not."""
    for stem in CANDIDATES[table]:
        plain, packed = folder / f"{stem}.csv", folder / f"{stem}.csv.gz"
        if plain.exists():
            with plain.open(encoding="utf-8-sig", newline="") as handle:
                yield from csv.DictReader(handle)
            return
        if packed.exists():
            with gzip.open(packed, "rt", encoding="utf-8-sig", newline="") as handle:
                yield from csv.DictReader(handle)
            return
    raise FileNotFoundError(f"{folder}: none of {', '.join(CANDIDATES[table])} (.csv or .csv.gz)")


@dataclass(frozen=True)
class Pool:
    """Values with cumulative weights; `draw` turns uniforms in [0, 1) into positions."""

    values: tuple[str, ...]
    cumulative: Floats

    @classmethod
    def of(cls, weighted: dict[str, float]) -> Pool:
        kept = {value: weight for value, weight in weighted.items() if weight > 0}
        total = np.cumsum(np.array(list(kept.values()), dtype=np.float64))
        return cls(tuple(kept), total / total[-1])

    def draw(self, uniform: Floats) -> Ints:
        found = np.searchsorted(self.cumulative, uniform, side="right")
        return np.minimum(found, len(self.values) - 1).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Ward:
    """One commune of before 07/2025 with the commune of the 2025 list it went to."""

    old_code: str
    old_name: str
    district_code: str
    district_name: str
    old_province: str
    new_code: str
    new_name: str
    new_province: str


@dataclass(frozen=True, slots=True)
class Province:
    """One province of the 34-list."""

    code: str
    name: str
    short_name: str
    old_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class XmlField:
    tag: str
    in_130: bool


@dataclass(frozen=True, slots=True)
class XmlTable:
    """Elements of one table of the standard; `rows_under` is empty where the root is the record."""

    root: str
    rows_under: str
    record: str
    fields: tuple[XmlField, ...]


# From Đà Nẵng southward people are named Huỳnh and Võ, north of it Hoàng and Vũ.
FIRST_SOUTHERN_PROVINCE = 48
REGION_FACTORS = {
    "north": {"Huỳnh": 0.03, "Võ": 0.08, "Hồ": 0.3},
    "south": {"Hoàng": 0.2, "Vũ": 0.12, "Đỗ": 0.6, "Hồ": 1.2},
}
# Surname groups of surnames.csv by ethnic code; women of some groups carry another first syllable.
ETHNIC_GROUPS: dict[str, tuple[str, ...]] = {
    "01": ("kinh", "kinh_north", "kinh_south"), "02": ("tay",), "03": ("thai",), "04": ("hoa",),
    "05": ("khmer",), "06": ("muong",), "07": ("nung",), "08": ("hmong",), "09": ("dao",),
    "10": ("jrai",), "17": ("cham",), "18": ("san_diu",), "19": ("hre",), "23": ("bru",),
    "26": ("cotu",),    "29": ("khomu",), "30": ("co",),
}  # fmt: skip
# First syllable of men and women where there is no family name: Ê Đê, Ba Na, Xơ Đăng, Cơ Ho.
SEX_PREFIXES = {"12": ("Y", "H'"), "13": ("A", "Y"), "14": ("A", "Y"), "16": ("K'", "Ka")}
ETHNIC_SHARES: dict[str, dict[str, float]] = {
    "91": {"05": 0.09, "04": 0.012, "17": 0.006}, "24": {"02": 0.015, "07": 0.045, "18": 0.01},
    "19": {"02": 0.2, "07": 0.07, "09": 0.035, "18": 0.025, "08": 0.015},
    "79": {"04": 0.035, "05": 0.006, "17": 0.001}, "11": {"08": 0.38, "03": 0.37, "29": 0.03},
    "12": {"08": 0.3, "03": 0.32, "09": 0.1}, "14": {"03": 0.53, "08": 0.16, "06": 0.08},
    "04": {"02": 0.41, "07": 0.3, "08": 0.11, "09": 0.1}, "20": {"07": 0.43, "02": 0.36},
    "08": {"08": 0.24, "02": 0.26, "09": 0.14, "07": 0.06},
    "15": {"08": 0.2, "02": 0.18, "09": 0.14}, "25": {"06": 0.22, "09": 0.01},
    "38": {"06": 0.11, "03": 0.06}, "40": {"03": 0.1, "08": 0.01, "29": 0.01},
    "51": {"14": 0.12, "19": 0.09, "13": 0.04, "30": 0.02}, "52": {"10": 0.2, "13": 0.11},
    "66": {"12": 0.12, "08": 0.02, "02": 0.02}, "68": {"16": 0.08, "17": 0.01}, "56": {"17": 0.05},
    "44": {"23": 0.06}, "48": {"26": 0.03}, "86": {"05": 0.18}, "92": {"05": 0.12, "04": 0.02},
    "96": {"05": 0.06}, "80": {"05": 0.01},
}  # fmt: skip


def region(province: str) -> str:
    """`north` or `south` by the code of the 34-list, which runs from north to south."""
    return "south" if int(province) >= FIRST_SOUTHERN_PROVINCE else "north"


class Reference:
    """All tables of one folder, read once."""

    def __init__(self, folder: Path) -> None:
        self.provinces = _provinces(folder)
        self.cccd_code = {
            row["old_gso_code"]: row["cccd_code3"] for row in rows(folder, "provinces")
        }
        self.old_codes = tuple(sorted(self.cccd_code))
        self.wards: dict[str, list[Ward]] = {code: [] for code in self.provinces}
        _wards(folder, self.wards)
        self.surnames = [
            (row["name"], float(row["share"]), frozenset(row["group"].split("/")))
            for row in rows(folder, "surnames")
        ]
        self.given = {
            "1": _cohorts(folder, "given_male", "pct_born_{}"),
            "2": _cohorts(folder, "given_female", "pct_born_{}"),
        }
        self.middle = {
            "1": _cohorts(folder, "middle_male", "weight_born_{}"),
            "2": _cohorts(folder, "middle_female", "weight_born_{}"),
        }
        self.tables = _tables(folder)

    def surname_pool(self, ethnic: str, sex: str, where: str) -> Pool:
        """Surnames (or first syllables) of one ethnic group and sex in `north` or `south`."""
        if ethnic in SEX_PREFIXES:
            return Pool.of({SEX_PREFIXES[ethnic][int(sex) - 1]: 1.0})
        wanted = ETHNIC_GROUPS.get(ethnic, ETHNIC_GROUPS["01"])
        found: dict[str, float] = {}
        for name, share, groups in self.surnames:
            mine = {"1": "_male", "2": "_female"}[sex]
            if not any(stem in groups or stem + mine in groups for stem in wanted):
                continue
            if ethnic == "01":
                if where == "north" and "kinh_south" in groups:
                    share *= REGION_FACTORS["north"].get(name, 0.05)
                else:
                    share *= REGION_FACTORS[where].get(name, 1.0)
            found[name] = share
        return Pool.of(found) if found else self.surname_pool("01", sex, where)

    def clans(self) -> Pool:
        """Ê Đê clan names, which stand last (Y Thanh Niê)."""
        return Pool.of(
            {name: share for name, share, groups in self.surnames if "ede_clan" in groups}
        )


@lru_cache(maxsize=4)
def load(folder: Path) -> Reference:
    return Reference(folder)


def _wards(folder: Path, wanted: dict[str, list[Ward]]) -> None:
    table = rows(folder, "wards")
    for row in table:
        if row["is_default"] == "Y" and row["new_province_code"] in wanted:
            wanted[row["new_province_code"]].append(
                Ward(
                    row["old_ward_code"], row["old_ward"], row["old_district_code"],
                    row["old_district"], row["old_province_code"], row["new_ward_code"],
                    row["new_ward"], row["new_province_code"],
                )
            )  # fmt: skip


def _provinces(folder: Path) -> dict[str, Province]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows(folder, "provinces"):
        found.setdefault(row["new_code"], []).append(row)
    return {
        code: Province(
            code, group[0]["new_name"], group[0]["new_short_name"],
            tuple(row["old_gso_code"] for row in group),
        )
        for code, group in sorted(found.items())
    }  # fmt: skip


def _cohorts(folder: Path, table: str, column: str) -> tuple[Pool, Pool, Pool]:
    """Pools of the three birth cohorts: before 1975, 1975 to 2002, from 2003."""
    cohorts: list[dict[str, float]] = [{}, {}, {}]
    for row in rows(folder, table):
        headings = [name for name in row if name.startswith(column.format(""))]
        for cohort, heading in zip(cohorts, headings, strict=True):
            value = "" if row["name"] == "<none>" else row["name"]
            cohort[value] = float(row[heading] or 0)
    return Pool.of(cohorts[0]), Pool.of(cohorts[1]), Pool.of(cohorts[2])


def _tables(folder: Path) -> dict[str, XmlTable]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows(folder, "fields"):
        found.setdefault(row["table"], []).append(row)
    tables = {}
    for name, group in found.items():
        first = group[0]
        named = all(c.isupper() or c.isdigit() or c == "_" for c in first["root_element"])
        tables[name] = XmlTable(
            # The elements of XML12 are not established; its name follows the pattern of the others.
            root=first["root_element"] if named else "CHI_TIEU_DU_LIEU_GIAM_DINH_Y_KHOA",
            rows_under=first["list_element"].strip("-"),
            record=first["record_element"].strip("-"),
            fields=tuple(XmlField(row["tag"], row["max_len_qd130"] != "-") for row in group),
        )
    return tables
