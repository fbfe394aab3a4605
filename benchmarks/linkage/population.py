"""An invented Vietnamese patient population with duplicates, and the truth kept aside. Nobody in it exists.

    python benchmarks/linkage/population.py --kind hostile --records 1000000 --seed 1 --out DIR

Writes `records.parquet` (what a linker sees), `truth.parquet` (record_key, person) and `strata.parquet` (record_key and
flags for reporting). A data set is a function of (kind, records, seed). Persons are drawn in blocks of households, each
block from its own stream, so memory does not grow with the number of records; keys are a bijection of a counter and
the files are ordered by key, so that neither order nor key says which records belong together.

How it works: a name is five codes into a vocabulary of syllables, and the vocabulary holds for every syllable its damaged
forms (no marks, tone moved, i/y, telex residue, misheard, typing errors). An error replaces codes; text is made once,
at the end. Numbers are damaged as numbers.

The model behind it: households of up to seven (father, mother, three children of whom two may be twins, two grandparents);
a record carries what one visit wrote down: the person's attributes at that time, then the desk's habits (a facility that
types without marks, in capitals, or its own phone number), then errors. Desk habits are shared by all records of a
facility, so errors are correlated, as they are in life.

Shares of names: `datasets/_reference/names` (sources there). Rates of errors: the table below. They are our own assumptions,
kept near DOMAIN.md 6.4-6.5 for `typical`; no real data were seen.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import shutil
import tempfile
import time
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from rapidfuzz.distance import DamerauLevenshtein
from rapidfuzz.process import cdist

from datasach.vn.text import fold

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "datasets/_reference"
KINDS = ("clean", "typical", "dirty", "hostile", "no_id", "twins")
TODAY = 2026

# ---------------------------------------------------------------------------------------------------------------------
# Rates. Per record unless said otherwise; "of persons", "of households" as written.
# ---------------------------------------------------------------------------------------------------------------------
RATES: dict[str, tuple[float, ...]] = {
    #                          clean  typical   dirty hostile   no_id   twins
    # -- who there is
    "twins_per_first_child":  (0.012, 0.012,  0.012,  0.020,  0.012,  0.450),
    "ethnic_household":       (0.100, 0.130,  0.130,  0.130,  0.130,  0.100),
    "stranger_of_persons":    (0.000, 0.002,  0.002,  0.080,  0.010,  0.004),  # given the birth date of a namesake
    "nameless_of_records":    (0.000, 0.002,  0.004,  0.008,  0.004,  0.001),  # Vô Danh: a person never seen again
    "year_only_old":          (0.080, 0.100,  0.150,  0.250,  0.100,  0.060),  # of persons born before 1975
    "year_only_young":        (0.005, 0.020,  0.030,  0.040,  0.020,  0.010),
    "mover_of_persons":       (0.050, 0.080,  0.120,  0.080,  0.080,  0.060),
    "new_phone_of_persons":   (0.100, 0.150,  0.250,  0.150,  0.150,  0.120),
    "renamed_of_persons":     (0.000, 0.001,  0.003,  0.002,  0.001,  0.001),  # married name, corrected given name
    # -- what is not written
    "citizen_id_missing":     (0.050, 0.150,  0.300,  0.250,  1.000,  0.250),
    "child_id_missing":       (0.200, 0.600,  0.750,  0.650,  1.000,  0.600),  # under six years
    "insurance_missing":      (0.100, 0.200,  0.350,  0.250,  0.850,  0.250),
    "phone_missing":          (0.100, 0.200,  0.300,  0.200,  0.200,  0.200),
    "commune_missing":        (0.010, 0.030,  0.080,  0.040,  0.040,  0.030),
    "birth_missing":          (0.000, 0.001,  0.004,  0.001,  0.001,  0.001),
    "year_for_date":          (0.002, 0.010,  0.030,  0.020,  0.010,  0.010),  # the full date known, only the year written
    "sex_missing":            (0.000, 0.002,  0.010,  0.005,  0.002,  0.002),
    "mother_missing":         (0.150, 0.350,  0.500,  0.400,  0.300,  0.250),  # of children's records
    "mother_id_missing":      (0.300, 0.500,  0.700,  0.600,  0.800,  0.500),
    # -- names
    "plain_facility":         (0.000, 0.100,  0.200,  0.120,  0.120,  0.100),  # of facilities: type without marks
    "capitals_facility":      (0.300, 0.300,  0.300,  0.300,  0.300,  0.300),
    "marks_lost":             (0.000, 0.030,  0.060,  0.040,  0.040,  0.030),
    "tone_moved":             (0.200, 0.200,  0.200,  0.200,  0.200,  0.200),  # of syllables where it can be
    "i_for_y":                (0.000, 0.080,  0.100,  0.080,  0.080,  0.080),  # of syllables where it can be
    "middle_missing":         (0.000, 0.020,  0.060,  0.030,  0.030,  0.020),
    "order_swapped":          (0.000, 0.003,  0.010,  0.004,  0.004,  0.003),
    "truncated":              (0.000, 0.003,  0.010,  0.004,  0.004,  0.003),
    "telex":                  (0.000, 0.004,  0.015,  0.006,  0.006,  0.004),
    "misheard":               (0.000, 0.006,  0.025,  0.008,  0.008,  0.006),
    "name_typo":              (0.000, 0.012,  0.050,  0.018,  0.018,  0.012),
    "con_ba":                 (0.000, 0.200,  0.300,  0.450,  0.200,  0.250),  # of records of children under one year
    # -- births
    "day_month_swapped":      (0.000, 0.005,  0.015,  0.006,  0.006,  0.005),
    "date_typo":              (0.001, 0.008,  0.030,  0.010,  0.010,  0.008),
    "year_off":               (0.000, 0.003,  0.010,  0.006,  0.004,  0.003),
    "sex_wrong":              (0.000, 0.003,  0.008,  0.004,  0.003,  0.003),
    # -- numbers
    "id_digit":               (0.001, 0.006,  0.018,  0.008,  0.000,  0.006),
    "id_transposed":          (0.000, 0.003,  0.008,  0.004,  0.000,  0.003),
    "id_short":               (0.000, 0.002,  0.008,  0.003,  0.000,  0.002),  # one digit lost
    "old_id":                 (0.000, 0.010,  0.030,  0.010,  0.000,  0.005),  # the nine-digit CMND of before
    "id_of_stranger":         (0.000, 0.002,  0.004,  0.004,  0.000,  0.002),
    "id_of_family":           (0.000, 0.002,  0.004,  0.006,  0.000,  0.002),
    "id_of_parent":           (0.000, 0.030,  0.060,  0.300,  0.000,  0.060),  # of records of children under six
    "insurance_digit":        (0.000, 0.006,  0.018,  0.008,  0.006,  0.006),
    "insurance_of_family":    (0.000, 0.002,  0.004,  0.010,  0.003,  0.002),  # a card lent
    "id_placeholder":         (0.000, 0.002,  0.005,  0.020,  0.000,  0.002),
    # -- phones and places
    "phone_of_household":     (0.150, 0.250,  0.300,  0.450,  0.300,  0.350),  # adults; children always
    "phone_of_other":         (0.000, 0.004,  0.010,  0.010,  0.005,  0.004),  # recycled number, neighbour's
    "clinic_phone_facility":  (0.000, 0.010,  0.020,  0.080,  0.020,  0.010),  # of facilities: half their records
    "staff_phone":            (0.000, 0.003,  0.008,  0.030,  0.005,  0.003),
    "phone_placeholder":      (0.000, 0.005,  0.015,  0.040,  0.010,  0.005),
    "old_commune_code":       (0.100, 0.250,  0.350,  0.300,  0.250,  0.250),  # code of before July 2025
}  # fmt: skip
RECORDS_PER_PERSON = {1: 0.66, 2: 0.20, 3: 0.08, 4: 0.03, 5: 0.015, 7: 0.01, 12: 0.005}
HOUSEHOLDS_PER_BLOCK = 150_000
PLACEHOLDER_IDS = ("123456789012", "000000000000", "111111111111", "999999999999", "012345678912")
PLACEHOLDER_PHONES = ("0900000000", "0000000000", "0123456789", "0999999999", "0912345678")
PLACEHOLDER_NAMES = ("Vô Danh", "Không Rõ", "Bệnh Nhân Nam", "Bệnh Nhân Nữ", "Chưa Xác Định")
CHANNELS = ("coordination", "social_insurance", "exchange")

# ---------------------------------------------------------------------------------------------------------------------
# Names
# ---------------------------------------------------------------------------------------------------------------------
KINH, HMONG, RHADE, JRAI, KHMER, THAI, XODANG, TAY, DAO = range(9)
ETHNIC_MIX = {
    THAI: 0.22,
    TAY: 0.28,
    HMONG: 0.17,
    KHMER: 0.14,
    DAO: 0.07,
    JRAI: 0.05,
    RHADE: 0.05,
    XODANG: 0.02,
}
# Given names of ethnic groups: own short lists, invented mixtures of common ones (confidence low).
OTHER_GIVEN = {
    (HMONG, 0): "Páo Sử Chu Dơ Phử Tủa Sính Lử Chinh Sáu Dế Pó Phua Tráng Dình Khua Lồng Nhè Chứ Thào Tu Sềnh",
    (HMONG, 1): "Mỷ Dợ Máy Chía Sua Pàng Mo Xây Dua Chư Súa Mai Ca Dí Sông Cở Dở Váng Chá Mị",
    (RHADE, 0): "Bhiăng Krông Wơn Djuang Thok Ngơn Blô Khăm Yơn Bin Tuân Dũng Lem Suin Thu Nguyên Kô Djă",
    (RHADE, 1): "Nga Hương Lan Duyên Ly Linh Nhung Đoan Ruê Suôt Bliă Yar Nguôm Bluên Thanh Mrao Loan",
    (JRAI, 0): "Blang Phước Hlyt Thuân Kim Chương Hyêng Bơn Phiên Thanh Đức Nguih Hmơk Khir Dôn Lơ",
    (JRAI, 1): "H'Yen H'Bia H'Lan H'Nhan H'Phương H'Thảo H'Uyên H'Ngọc H'Chi H'Djuên H'Trâm H'Vân",
    (XODANG, 0): "Thút Plem Nhường Hiếu Brui Blô Lê Khim Tuân Nghĩa Dưng Phiên Biu Thái",
    (XODANG, 1): "Hnem Blưh Thu Nghen Hạnh Ngọc Bum Sương Loan Huệ Chen Lin Phương",
}  # fmt: skip
SURNAMES_OF = {
    "hmong": HMONG,
    "thai": THAI,
    "tay": TAY,
    "nung": TAY,
    "dao": DAO,
    "khmer": KHMER,
    "jrai": JRAI,
}
ALIKE_SOUNDS = (("tr", "ch"), ("ch", "tr"), ("s", "x"), ("x", "s"), ("gi", "d"), ("d", "gi"), ("l", "n"), ("n", "l"),
                ("r", "d"), ("v", "d"))  # fmt: skip
TELEX_TONES = {"\u0300": "f", "\u0301": "s", "\u0309": "r", "\u0303": "x", "\u0323": "j"}
TELEX_LETTERS = {"ă": "aw", "â": "aa", "ê": "ee", "ô": "oo", "ơ": "ow", "ư": "uw", "đ": "dd"}
PLAIN, TONE, IY, TELEX, HEARD, TYPO = 1, 2, 3, 4, 5, 6
TYPOS = 24


@dataclass(frozen=True)
class Pool:
    """Codes with cumulated shares."""

    codes: np.ndarray
    upto: np.ndarray

    @staticmethod
    def of(codes: list[int], weights: list[float]) -> Pool:
        w = np.asarray(weights, dtype=float)
        return Pool(np.asarray(codes, dtype=np.int32), np.cumsum(w / w.sum()))

    def draw(self, uniform: np.ndarray) -> np.ndarray:
        return self.codes[
            np.minimum(np.searchsorted(self.upto, uniform, side="right"), len(self.codes) - 1)
        ]


class Names:
    """The vocabulary, its damaged forms, and pools to draw from. The same for every seed."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.code: dict[str, int] = {}
        surnames = _csv("names/surnames.csv")
        self.surnames: dict[tuple[int, int, int], Pool] = {}
        for south in (0, 1):
            kinh = {}
            for row in surnames:
                if "kinh" not in row["group"]:
                    continue
                tilt = 1.0
                if row["name"] in ("Huỳnh", "Võ"):
                    tilt = 2.0 if south else 0.05
                elif row["name"] in ("Hoàng", "Vũ"):
                    tilt = 0.25 if south else 1.6
                kinh[row["name"]] = float(row["share"]) * tilt
            for sex in (0, 1):
                self.surnames[KINH, sex, south] = self._pool(kinh)
        for group in ETHNIC_MIX:
            for sex in (0, 1):
                own = {
                    row["name"]: float(row["share"])
                    for row in surnames
                    if any(SURNAMES_OF.get(g) == group for g in row["group"].split("/"))
                    or (row["group"] == "khmer_female" and group == KHMER and sex == 1)
                    or (row["group"] == "khmer_male" and group == KHMER and sex == 0)
                }
                if group == RHADE:
                    own = {"H'": 1.0} if sex else {"Y": 1.0}
                if group == XODANG:
                    own = {"Y": 1.0} if sex else {"A": 1.0}
                for south in (0, 1):
                    self.surnames[group, sex, south] = self._pool(own)
        self.clans = self._pool(
            {"Niê": 5, "Mlô": 3, "Byă": 3, "Kbuôr": 2, "Êban": 2, "Ayŭn": 2, "Ktla": 1, "Hđơk": 1}
        )
        eras = ("before_1975_est", "1975_2002_est", "2003_plus_est")
        of_given = ("pct_born_before_1975_est", "pct_born_1991_2002", "pct_born_2007_2011")
        tail = self._tail()
        self.given: dict[tuple[int, int, int], Pool] = {}
        self.middle: dict[tuple[int, int], tuple[Pool, list[tuple[int, int]]]] = {}
        for sex, word in ((0, "male"), (1, "female")):
            rows = _csv(f"names/given_{word}.csv")
            for era, column in enumerate(of_given):
                shares = {r["name"]: float(r[column] or 0) for r in rows}
                # A name without a figure for the era is rare in it, not absent.
                low = min(v for v in shares.values() if v) / 3
                shares = {
                    n: v or low * (0.3 + 0.7 * float(r["share"]))
                    for (n, v), r in zip(shares.items(), rows, strict=True)
                }
                total = sum(shares.values())
                # Names outside the lists: real syllables of the country, 8 % in all, falling as 1/rank.
                spare = [t for t in tail if t not in shares]
                shares |= {
                    t: total * 0.08 / (rank + 5) / np.log(len(spare) / 5 + 1)
                    for rank, t in enumerate(spare)
                }
                self.given[KINH, sex, era] = self._pool(shares)
            rows = _csv(f"names/middle_{word}.csv")
            for era, name in enumerate(eras):
                pairs, weights = [], []
                for r in rows:
                    words = [] if r["name"] == "<none>" else r["name"].split()
                    both = [self._add(w) for w in words] + [-1, -1]
                    pairs.append((both[0], both[1]))
                    weights.append(float(r[f"weight_born_{name}"] or 0) + 0.01)
                self.middle[sex, era] = (Pool.of(list(range(len(pairs))), weights), pairs)
            for group in ETHNIC_MIX:
                for era in range(3):
                    listed = OTHER_GIVEN.get((group, sex))
                    words = listed.split() if listed else []
                    self.given[group, sex, era] = (
                        self._pool({w: 1 / (i + 3) for i, w in enumerate(words)})
                        if words
                        else self.given[KINH, sex, era]
                    )
        self.alike = {sex: self._alike_table(sex) for sex in (0, 1)}
        self.size = len(self.tokens)
        self.texts, self.has = self._damaged()

    def _add(self, token: str) -> int:
        if token not in self.code:
            self.code[token] = len(self.tokens)
            self.tokens.append(token)
        return self.code[token]

    def _pool(self, shares: dict[str, float]) -> Pool:
        return Pool.of([self._add(t) for t in shares], list(shares.values()))

    @staticmethod
    def _tail() -> list[str]:
        """Syllables of commune names, commonest first: a stock of real Vietnamese words for rare given names."""
        count: dict[str, int] = {}
        for row in _wards():
            for word in row["old_ward"].split()[1:]:
                if word.isalpha() and len(word) > 1:
                    count[word] = count.get(word, 0) + 1
        return sorted(count, key=lambda w: (-count[w], w))[:900]

    def _alike_table(self, sex: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For every token three given names of the other twin: same letters, one letter away, same first letter."""
        codes = sorted({int(c) for era in range(3) for c in self.given[KINH, sex, era].codes[:140]})
        words = [self.tokens[c] for c in codes]
        folded = [fold(w) for w in words]
        distance = cdist(folded, folded, scorer=DamerauLevenshtein.distance, dtype=np.uint8)
        table = np.full((3, len(self.tokens) + 5000, 8), -1, dtype=np.int32)
        for i, code in enumerate(codes):
            others = [j for j in range(len(codes)) if j != i]
            lists = (
                [codes[j] for j in others if distance[i, j] == 0],
                [codes[j] for j in others if distance[i, j] == 1],
                [codes[j] for j in others if folded[i][0] == folded[j][0]],
            )
            for kind, found in enumerate(lists):
                if found:
                    table[kind, code] = np.resize(np.asarray(found[:8], dtype=np.int32), 8)
        return table[0], table[1], table[2]

    def _damaged(self) -> tuple[list[str], np.ndarray]:
        """texts[kind × size + token], and has[kind, token]: whether that damage changes the token."""
        rng = np.random.default_rng(20260)
        kinds = [self.tokens, [_plain(t) for t in self.tokens], [_tone(t) for t in self.tokens],
                 [_i_y(t) for t in self.tokens], [_telex(t) for t in self.tokens], [_heard(t) for t in self.tokens]]  # fmt: skip
        kinds += [[_typo(t, rng) for t in self.tokens] for _ in range(TYPOS)]
        has = np.array(
            [[new != old for new, old in zip(kind, self.tokens, strict=True)] for kind in kinds]
        )
        return [text for kind in kinds for text in kind], has


def _csv(name: str) -> list[dict[str, str]]:
    with (REFERENCE / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _wards() -> list[dict[str, str]]:
    with gzip.open(REFERENCE / "wards.csv.gz", "rt", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _plain(token: str) -> str:
    return fold(token).title() if "'" not in token else token.replace("'", "").title()


def _tone(token: str) -> str:
    """hòa → hoà: the tone on the second vowel of an open oa, oe, uy."""
    lower = token.lower()
    for first in ("oa", "oe", "uy"):
        for mark in TELEX_TONES:
            old = unicodedata.normalize("NFC", first[0] + mark + first[1])
            if lower.endswith(old) and not lower.endswith("q" + old):
                return lower.replace(old, unicodedata.normalize("NFC", first + mark)).capitalize()
    return token


def _i_y(token: str) -> str:
    """Lý → Lí, Mỹ → Mĩ, Quý → Quí, Sỹ → Sĩ; never Vy, Ly without a tone."""
    lower = token.lower()
    for y, i in zip("ýỳỷỹỵ", "íìỉĩị", strict=True):
        if lower.endswith(y) and lower[:-1] in ("l", "m", "k", "h", "s", "t", "qu"):
            return (lower[:-1] + i).capitalize()
    return token


def _telex(token: str) -> str:
    """Nguyễn → Nguyeexn: keys of the input method left in the text."""
    keys = "".join(TELEX_LETTERS.get(c, c) for c in _without_tones(token.lower()))
    tones = "".join(TELEX_TONES.get(c, "") for c in unicodedata.normalize("NFD", token.lower()))
    return (keys + tones).capitalize()


def _without_tones(lower: str) -> str:
    kept = [c for c in unicodedata.normalize("NFD", lower) if c not in TELEX_TONES]
    return unicodedata.normalize("NFC", "".join(kept))


def _heard(token: str) -> str:
    """What a clerk writes by ear: trinh/chinh, sơn/xơn, hỏi for ngã."""
    lower = token.lower()
    for a, b in ALIKE_SOUNDS:
        if lower.startswith(a) and not lower.startswith(a + "h"):
            return (b + lower[len(a) :]).capitalize()
    apart = unicodedata.normalize("NFD", lower)
    if "\u0309" in apart or "\u0303" in apart:
        swapped = apart.translate({0x309: 0x303, 0x303: 0x309})
        return unicodedata.normalize("NFC", swapped).capitalize()
    return (lower + "h" if lower.endswith("n") else lower).capitalize()


def _typo(token: str, rng: np.random.Generator) -> str:
    letters = "abcdeghiklmnopqrstuvxy"
    lower = token.lower()
    at = int(rng.integers(len(lower)))
    letter = letters[int(rng.integers(len(letters)))]
    action = int(rng.integers(4))
    if action == 0 and len(lower) > 2:
        new = lower[:at] + lower[at + 1 :]
    elif action == 1 and len(lower) > 2:
        at = min(at, len(lower) - 2)
        new = lower[:at] + lower[at + 1] + lower[at] + lower[at + 2 :]
    elif action == 2:
        new = lower[:at] + letter + lower[at:]
    else:
        new = lower[:at] + letter + lower[at + 1 :]
    return new.capitalize()


# ---------------------------------------------------------------------------------------------------------------------
# Country
# ---------------------------------------------------------------------------------------------------------------------
class Country:
    """Wards of before July 2025 with what became of them; facilities with their habits."""

    def __init__(self, kind: dict[str, float], facilities: int, seed: int) -> None:
        rows = _wards()
        provinces = {r["old_gso_code"]: r for r in _csv("provinces.csv")}
        codes = sorted(provinces)
        self.old_province = np.array(
            [codes.index(r["old_province_code"]) for r in rows], dtype=np.int16
        )
        self.cccd = np.array([int(provinces[c]["cccd_code3"]) for c in codes])
        self.bhxh = np.array([int(provinces[c]["bhxh_code2"]) for c in codes])
        self.south = np.array([int(c) >= 44 for c in codes])
        self.old_province_code = pl.Series([r["old_province_code"] for r in rows])
        self.old_ward = pl.Series([r["old_ward_code"] for r in rows])
        self.new_province_code = pl.Series([r["new_province_code"] for r in rows])
        self.new_ward = pl.Series([r["new_ward_code"] for r in rows])
        rng = np.random.default_rng([seed, 7])
        # Wards differ in size; the two cities are larger than their number of wards says.
        weight = rng.lognormal(0, 0.8, len(rows))
        weight *= np.where(
            np.isin(self.old_province, [codes.index("01"), codes.index("79")]), 2.2, 1.0
        )
        self.wards = Pool.of(list(range(len(rows))), weight.tolist())
        order = np.argsort(self.old_province, kind="stable")
        self.by_province = order
        self.first = np.searchsorted(self.old_province[order], np.arange(len(codes) + 1))
        self.facilities = facilities
        self.at_province = self.old_province[self.wards.draw(rng.random(facilities))]
        by = np.argsort(self.at_province, kind="stable")
        self.facility_by, self.facility_first = (
            by,
            np.searchsorted(self.at_province[by], np.arange(len(codes) + 1)),
        )
        within = np.arange(facilities) - self.facility_first[self.at_province[by]]
        names = np.empty(facilities, dtype=object)
        names[by] = [
            f"{codes[p]}{n:03d}" for p, n in zip(self.at_province[by], within, strict=True)
        ]
        self.facility_code = pl.Series(names.tolist(), dtype=pl.String)
        self.types_plain = rng.random(facilities) < kind["plain_facility"]
        self.types_capitals = rng.random(facilities) < kind["capitals_facility"]
        self.gives_own_phone = rng.random(facilities) < kind["clinic_phone_facility"]

    def facility_in(self, province: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        low, high = self.facility_first[province], self.facility_first[province + 1]
        inside = self.facility_by[
            np.minimum(low + (uniform * (high - low)).astype(np.int64), self.facilities - 1)
        ]
        return np.where(high > low, inside, (uniform * self.facilities).astype(np.int64))


FATHER, MOTHER, FIRST, TWIN, SECOND, GRANDMOTHER, GRANDFATHER = range(7)
PLACES = 7


class Block:
    """Persons of one block of households, flat (household × 7 places, absent ones removed)."""

    def __init__(
        self,
        number: int,
        households: int,
        names: Names,
        country: Country,
        kind: dict[str, float],
        seed: int,
    ) -> None:
        self.names, self.country, self.kind, self.number = names, country, kind, number
        rng = self.rng = np.random.Generator(
            np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(1, number)))
        )
        h = households
        father = (1940 + 63 * rng.beta(2.4, 1.5, h)).astype(np.int64)
        mother = np.clip(father + rng.normal(2.5, 3.5, h).astype(np.int64), 1925, 2006)
        year = np.zeros((h, PLACES), dtype=np.int64)
        year[:, FATHER], year[:, MOTHER] = father, mother
        year[:, FIRST] = mother + 19 + (rng.random(h) * 16).astype(np.int64)
        year[:, TWIN] = year[:, FIRST]
        year[:, SECOND] = year[:, FIRST] + 2 + (rng.random(h) * 7).astype(np.int64)
        year[:, GRANDMOTHER] = father - 20 - (rng.random(h) * 14).astype(np.int64)
        year[:, GRANDFATHER] = year[:, GRANDMOTHER] - (rng.random(h) * 6).astype(np.int64)
        chance = np.array([0.80, 0.88, 0.78, 1.0, 0.50, 0.22, 0.12])
        there = rng.random((h, PLACES)) < chance
        there[:, TWIN] = there[:, FIRST] & (rng.random(h) < kind["twins_per_first_child"])
        there &= (year <= TODAY - 1) & (year >= 1922)
        sex = (rng.random((h, PLACES)) < 0.495).astype(np.int8)  # 1 = female
        sex[:, [FATHER, GRANDFATHER]], sex[:, [MOTHER, GRANDMOTHER]] = 0, 1
        sex[:, TWIN] = np.where(rng.random(h) < 0.7, sex[:, FIRST], 1 - sex[:, FIRST])
        days = rng.integers(1, 366, (h, PLACES))
        days[:, TWIN] = days[:, FIRST]
        group = np.zeros(h, dtype=np.int8)
        other = rng.random(h) < kind["ethnic_household"]
        mix = Pool.of(list(ETHNIC_MIX), list(ETHNIC_MIX.values()))
        group[other] = mix.draw(rng.random(int(other.sum())))
        ward = country.wards.draw(rng.random(h)).astype(np.int32)
        south = country.south[country.old_province[ward]].astype(np.int8)
        era = np.where(year < 1975, 0, np.where(year < 2003, 1, 2)).astype(np.int8)
        token = self._names(sex, era, group, south)

        keep = np.flatnonzero(there.ravel())
        self.household = (keep // PLACES).astype(np.int64)
        self.place = (keep % PLACES).astype(np.int8)
        self.at = np.full(h * PLACES, -1, dtype=np.int64)
        self.at[keep] = np.arange(len(keep))
        flat = {"year": year, "sex": sex, "days": days}
        self.year, self.sex, self.days = (flat[f].ravel()[keep] for f in ("year", "sex", "days"))
        self.era = era.ravel()[keep]
        self.token = token.reshape(-1, 5)[keep]
        self.group, self.ward = group[self.household], ward[self.household]
        self.ward_of_household = ward
        self.count = len(keep)
        # Mothers are people even if no record of theirs exists: their names and ids stand in children's records.
        self.all_token, self.all_sex, self.all_year, self.all_days = (
            token.reshape(-1, 5),
            sex.ravel(),
            year.ravel(),
            days.ravel(),
        )
        self.is_twin = (self.place == TWIN) | ((self.place == FIRST) & there[self.household, TWIN])
        self.is_child = np.isin(self.place, (FIRST, TWIN, SECOND))
        self.stranger = np.zeros(self.count, dtype=bool)
        self._strangers()
        self._numbers()
        p = self.count
        limit = np.where(self.year < 1975, kind["year_only_old"], kind["year_only_young"])
        self.year_only = rng.random(p) < limit
        self.moves = rng.random(p) < kind["mover_of_persons"]
        far = country.wards.draw(rng.random(p)).astype(np.int32)
        province = country.old_province[self.ward]
        low, high = country.first[province], country.first[province + 1]
        near = country.by_province[low + (rng.random(p) * (high - low)).astype(np.int64)].astype(
            np.int32
        )
        self.second_ward = np.where(rng.random(p) < 0.4, far, near)
        self.new_phone = rng.random(p) < kind["new_phone_of_persons"]
        renamed = rng.random(p) < kind["renamed_of_persons"]
        self.second_token = self.token.copy()
        given = self._draw_given(self.sex, self.era, self.group)
        self.second_token[renamed, 3] = given[renamed]
        self.facility = np.stack([country.facility_in(province, rng.random(p)), country.facility_in(province, rng.random(p)),
                                  (rng.random(p) * country.facilities).astype(np.int64)], axis=1)  # fmt: skip

    # -- names
    def _draw_given(self, sex: np.ndarray, era: np.ndarray, group: np.ndarray) -> np.ndarray:
        found = np.zeros(sex.shape, dtype=np.int32)
        draw = self.rng.random(sex.shape)
        for (g, s, e), pool in self.names.given.items():
            here = (group == g) & (sex == s) & (era == e)
            found[here] = pool.draw(draw[here])
        return found

    def _names(
        self, sex: np.ndarray, era: np.ndarray, group: np.ndarray, south: np.ndarray
    ) -> np.ndarray:
        """Codes of surname or prefix, two middle names, given name, clan; -1 is nothing. Households × 7 × 5."""
        rng, names = self.rng, self.names
        h = len(group)
        token = np.full((h, PLACES, 5), -1, dtype=np.int32)
        of_place = np.broadcast_to(group[:, None], sex.shape)
        region = np.broadcast_to(south[:, None], sex.shape)
        draw = rng.random(sex.shape)
        for (g, s, r), pool in names.surnames.items():
            here = (of_place == g) & (sex == s) & (region == r)
            token[:, :, 0][here] = pool.draw(draw[here])
        # Children and the grandfather bear the father's surname, except where the first word tells the sex.
        inherits = ~np.isin(group, (RHADE, XODANG))
        for place in (FIRST, TWIN, SECOND, GRANDFATHER):
            token[inherits, place, 0] = token[inherits, FATHER, 0]
        draw = rng.random(sex.shape)
        with_middle = ~np.isin(of_place, (RHADE, XODANG, JRAI))
        for (s, e), (pool, pairs) in names.middle.items():
            here = (sex == s) & (era == e) & with_middle
            chosen = np.asarray(pairs, dtype=np.int32)[pool.draw(draw[here])]
            token[:, :, 1][here], token[:, :, 2][here] = chosen[:, 0], chosen[:, 1]
        hmong_man = (of_place == HMONG) & (sex == 0) & (rng.random(sex.shape) < 0.7)
        token[:, :, 1][hmong_man], token[:, :, 2][hmong_man] = names.code["A"], -1
        khmer_short = (of_place == KHMER) & (rng.random(sex.shape) < 0.5)
        token[:, :, 1][khmer_short], token[:, :, 2][khmer_short] = -1, -1
        # A child may bear the mother's surname as middle name; siblings of one sex often share theirs.
        for place in (FIRST, SECOND):
            mothers = inherits & (rng.random(h) < 0.12) & (era[:, place] > 0) & (group == KINH)
            token[mothers, place, 2] = np.where(
                token[mothers, place, 2] < 0, token[mothers, place, 1], token[mothers, place, 2]
            )
            token[mothers, place, 1] = token[mothers, MOTHER, 0]
        alike = (sex[:, SECOND] == sex[:, FIRST]) & (rng.random(h) < 0.45)
        token[alike, SECOND, 1:3] = token[alike, FIRST, 1:3]
        token[:, :, 3] = self._draw_given(sex, era, of_place)
        again = token[:, SECOND, 3] == token[:, FIRST, 3]
        token[again, SECOND, 3] = self._draw_given(sex, era, of_place)[again, SECOND]
        same = (sex[:, TWIN] == sex[:, FIRST]) & (rng.random(h) < 0.85)
        token[same, TWIN, 1:3] = token[same, FIRST, 1:3]
        self._twin_given(token, sex)
        clan = names.clans.draw(rng.random(h))
        token[group == RHADE, :, 4] = clan[group == RHADE, None]
        return token

    def _twin_given(self, token: np.ndarray, sex: np.ndarray) -> None:
        """Twins are named alike: 8 % differ by marks only, 30 % by one letter, 25 % share the first letter."""
        h = len(token)
        pick = self.rng.integers(0, 8, h)
        style = np.searchsorted([0.08, 0.38, 0.63], self.rng.random(h), side="right")
        for s in (0, 1):
            for kind in range(3):
                found = self.names.alike[s][kind][token[:, FIRST, 3], pick]
                here = (style == kind) & (sex[:, TWIN] == s) & (found >= 0)
                token[here, TWIN, 3] = found[here]
        for s in (0, 1):
            pool = self.names.given[KINH, s, 2].codes  # the commonest first
            same = (token[:, TWIN, 3] == token[:, FIRST, 3]) & (sex[:, TWIN] == s)
            token[same, TWIN, 3] = np.where(
                pool[pick[same]] == token[same, TWIN, 3], pool[8], pool[pick[same]]
            )

    def _strangers(self) -> None:
        """Some persons get the birth date of a namesake, so that common names have most such pairs, as they have in a
        nation of 100 million; one in five gets name and date of anybody (a cousin of that name, chance). Half of them live in
        the model's commune or province."""
        rng = self.rng
        chosen = np.flatnonzero(
            (rng.random(self.count) < self.kind["stranger_of_persons"]) & ~self.is_twin
        )
        name = np.zeros(self.count, dtype=np.int64)
        for place in range(5):
            name = name * (self.names.size + 1) + (self.token[:, place] + 1)
        order = np.lexsort((rng.random(self.count), self.sex, name))
        following = np.empty(self.count, dtype=np.int64)
        following[order] = np.roll(order, -1)
        namesake = following[chosen]
        has_one = (name[namesake] == name[chosen]) & (self.sex[namesake] == self.sex[chosen])
        anybody = rng.random(len(chosen)) < 0.2
        model = np.where(anybody, rng.integers(0, self.count, len(chosen)), namesake)
        keep = (has_one | anybody) & (self.household[model] != self.household[chosen])
        chosen, model = chosen[keep], model[keep]
        free = ~np.isin(model, chosen)  # a model keeps its own name, so that chains do not form
        chosen, model = chosen[free], model[free]
        for column in ("year", "sex", "days", "era", "group"):
            values = getattr(self, column)
            values[chosen] = values[model]
        self.token[chosen] = self.token[model]
        self.is_child[chosen] &= self.year[chosen] > 2000
        draw = rng.random(len(chosen))
        home = self.ward.copy()
        home[chosen[draw < 0.15]] = self.ward[model[draw < 0.15]]
        middle = (draw >= 0.15) & (draw < 0.5)
        province = self.country.old_province[self.ward[model[middle]]]
        low, high = self.country.first[province], self.country.first[province + 1]
        there = low + (rng.random(int(middle.sum())) * (high - low)).astype(np.int64)
        home[chosen[middle]] = self.country.by_province[there]
        self.ward = home
        self.stranger[chosen] = self.stranger[model] = True

    def _numbers(self) -> None:
        """Ids are unique in the whole set; the two numbers of twins are neighbours."""
        rng, country = self.rng, self.country
        h = len(self.all_sex) // PLACES
        year, sex = self.all_year.copy(), self.all_sex.copy()
        real = self.at >= 0
        year[real], sex[real] = self.year[self.at[real]], self.sex[self.at[real]]
        home = country.old_province[np.repeat(self.ward_of_household, PLACES)]
        born_elsewhere = np.repeat(rng.random(h), PLACES) < 0.2
        elsewhere = np.repeat(country.old_province[country.wards.draw(rng.random(h))], PLACES)
        province = np.where(born_elsewhere, elsewhere, home)
        cell = (province.astype(np.int64) * 2 + sex) * 200 + (year - 1900)
        twin = np.arange(len(cell)).reshape(h, PLACES)[:, TWIN]
        first = np.arange(len(cell)).reshape(h, PLACES)[:, FIRST]
        order = np.argsort(cell, kind="stable")
        sorted_cell = cell[order]
        start = np.r_[True, sorted_cell[1:] != sorted_cell[:-1]]
        run = np.arange(len(order)) - np.maximum.accumulate(
            np.where(start, np.arange(len(order)), 0)
        )
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = run
        # Every block has its own 10,000 places in a cell, scattered by a bijection of 0…499,999: 50 blocks.
        serial = (self.number * 10_000 + rank % 10_000) % 500_000
        serial = (serial * 309_019 + cell * 97_561) % 500_000
        bit = rng.integers(0, 2, len(cell))
        together = real[twin] & real[first] & (cell[twin] == cell[first])
        serial[twin[together]], bit[twin[together]] = (
            serial[first[together]],
            1 - bit[first[together]],
        )
        century = (year // 100 - 19) * 2 + sex
        self.all_citizen = (
            ((country.cccd[province] * 10 + century) * 100 + year % 100) * 1_000_000
            + serial * 2
            + bit
        )
        number = self.number * HOUSEHOLDS_PER_BLOCK * PLACES + np.arange(len(cell), dtype=np.int64)
        stem = (number * 30_901_703 + 15_707_963) % 50_000_000
        stem[twin] = stem[first]
        bit[twin] = 1 - bit[first]
        self.all_insurance = country.bhxh[home].astype(np.int64) * 100_000_000 + stem * 2 + bit
        self.all_insurance[~np.isin(np.arange(len(cell)) % PLACES, (FIRST, TWIN))] = (
            country.bhxh[home].astype(np.int64) * 100_000_000
            + stem * 2
            + rng.integers(0, 2, len(cell))
        )[~np.isin(np.arange(len(cell)) % PLACES, (FIRST, TWIN))]
        self.all_old_id = (number * 123_456_791 + 271_828) % 400_000_000 + 10_000_000
        phones = len(MOBILE) * 10_000_000
        self.all_phone = np.stack(
            [
                (number * 2 * 105_066_103 + 57_721_566 + half * 105_066_103) % phones
                for half in (0, 1)
            ],
            1,
        )
        place = np.flatnonzero(real)
        self.slot = np.empty(self.count, dtype=np.int64)
        self.slot[self.at[place]] = place


MOBILE = ("032", "033", "034", "035", "036", "037", "038", "039", "056", "058", "059", "070", "076", "077", "078", "079", "081",
          "082", "083", "084", "085", "086", "088", "089", "090", "091", "092", "093", "094", "096", "097", "098", "099")  # fmt: skip


def records_of(block: Block, seed: int) -> pl.DataFrame:
    """What the visits of one block wrote down, with `person` (its number inside the block) and the strata."""
    kind, names, country = block.kind, block.names, block.country
    rng = np.random.Generator(
        np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(2, block.number)))
    )
    pool = Pool.of(list(RECORDS_PER_PERSON), list(RECORDS_PER_PERSON.values()))
    # Small children are seen more often.
    often = np.maximum(
        rng.random(block.count), np.where(TODAY - block.year <= 5, rng.random(block.count), 0)
    )
    counts = pool.draw(often)
    p = np.repeat(np.arange(block.count), counts)
    n = len(p)

    def hit(rate: str, among: np.ndarray | None = None) -> np.ndarray:
        found = rng.random(n) < kind[rate]
        return found if among is None else found & among

    age = TODAY - block.year[p]
    small, newborn = age <= 5, age <= 1
    child = block.is_child[p] & (age < 16)
    later = rng.random(n) < 0.5  # the visit lies after the person's move, new phone, new name
    which = np.searchsorted([0.62, 0.92], rng.random(n), side="right")
    facility = block.facility[p, which]
    slot = block.slot[p]
    family = slot - slot % PLACES  # first place of the household
    mother = family + MOTHER

    # -- name
    token = np.where(later[:, None], block.second_token[p], block.token[p])
    married = hit("renamed_of_persons", (block.place[p] == MOTHER) & later)
    token[married, 0] = block.all_token[family[married] + FATHER, 0]
    no_middle = hit("middle_missing")
    only_first = no_middle & (token[:, 2] >= 0) & (rng.random(n) < 0.5)
    token[only_first, 1] = token[only_first, 2]
    token[only_first, 2] = -1
    whole = no_middle & ~only_first
    token[whole, 1] = token[whole, 2] = -1
    swapped = hit("order_swapped", token[:, 0] >= 0)
    token[swapped] = token[swapped][:, [3, 0, 1, 2, 4]]
    code = _damage(token, kind, names, rng)
    plain = country.types_plain[facility] | hit("marks_lost")
    capitals = country.types_capitals[facility]
    texts = pl.Series(names.texts)
    plain_texts = pl.Series([_plain(t) for t in names.texts])
    full_name = _join(code, texts, plain_texts, plain)
    mother_token = block.all_token[mother]
    mother_code = _damage(mother_token, {**kind, "name_typo": kind["name_typo"] / 2}, names, rng)
    mother_name = _join(mother_code, texts, plain_texts, plain)
    cut = hit("truncated")
    con_ba = hit("con_ba", newborn & (block.year[p] >= TODAY - 2))
    con = pl.Series(["Con Bà ", "Con Ba "]).gather(plain.astype(np.uint32))

    # -- birth
    born_year, day_of_year = block.year[p].copy(), block.days[p]
    date = (np.datetime64("2001-01-01") + (day_of_year - 1)).astype("datetime64[D]")  # no leap days
    month = date.astype("datetime64[M]").astype(np.int64) % 12 + 1
    day = (date - date.astype("datetime64[M]")).astype(np.int64) + 1
    only_year = block.year_only[p]
    heaped = only_year & (rng.random(n) < 0.7)
    month[heaped], day[heaped] = 1, 1
    swap = hit("day_month_swapped") & (day <= 12) & (month <= 12)
    month[swap], day[swap] = day[swap], month[swap]
    typo = hit("date_typo")
    step = rng.integers(1, 9, n)
    what = rng.random(n)
    in_day, in_month, in_year = (
        typo & (what < 0.5),
        typo & (what >= 0.5) & (what < 0.75),
        typo & (what >= 0.75),
    )
    day[in_day] = (day[in_day] - 1 + np.where(step[in_day] > 5, 10, step[in_day])) % 28 + 1
    month[in_month] = (month[in_month] - 1 + step[in_month]) % 12 + 1
    day = np.where(in_month | in_day, np.minimum(day, 28), day)
    born_year[in_year] = _bounded_year(
        born_year[in_year] + np.where(step[in_year] > 4, 10, step[in_year] - 3)
    )
    off = hit("year_off")
    born_year[off] = _bounded_year(
        born_year[off] + np.where(rng.random(int(off.sum())) < 0.5, 1, -1)
    )
    no_birth = hit("birth_missing")
    year_alone = (only_year & ~heaped) | hit("year_for_date") | no_birth
    sex = np.where(hit("sex_wrong"), 1 - block.sex[p], block.sex[p])

    # -- numbers
    citizen = block.all_citizen[slot]
    citizen_text = _citizen_texts(citizen, block, p, slot, family, small, hit, rng, age)
    insurance = block.all_insurance[slot]
    lent = hit("insurance_of_family")
    insurance[lent] = block.all_insurance[family[lent] + rng.integers(0, PLACES, int(lent.sum()))]
    insurance = _change_digit(insurance, hit("insurance_digit"), 8, rng)
    insurance_text = _digits(insurance, 10, hit("insurance_missing"))

    # -- phone and place
    phone = block.all_phone[slot, (block.new_phone[p] & later).astype(np.int64)]
    shared = child | (age < 12) | hit("phone_of_household")
    # The household's phone is the mother's, else the father's; adults who share take the same one.
    phone[shared] = block.all_phone[np.where(rng.random(n) < 0.75, mother, family + FATHER), 0][
        shared
    ]
    other = hit("phone_of_other")
    phone[other] = block.all_phone[rng.integers(0, len(block.all_phone), int(other.sum())), 0]
    size = len(MOBILE) * 10_000_000
    clinic = country.gives_own_phone[facility] & (rng.random(n) < 0.5)
    phone[clinic] = (facility[clinic] * 7_654_321 + 11) % size
    staff = hit("staff_phone")
    phone[staff] = (facility[staff] * 5_555_557 + 100 + rng.integers(0, 3, int(staff.sum()))) % size
    phone_text = pl.Series(MOBILE).gather((phone // 10_000_000).astype(np.uint32)) + _digits(
        phone % 10_000_000, 7, np.zeros(n, dtype=bool)
    )
    placeholder = hit("phone_placeholder")
    fake = pl.Series(PLACEHOLDER_PHONES).gather(
        rng.integers(0, len(PLACEHOLDER_PHONES), n).astype(np.uint32)
    )
    ward = np.where(block.moves[p] & later, block.second_ward[p], block.ward[p]).astype(np.uint32)
    old = hit("old_commune_code")
    no_ward = hit("commune_missing")

    # -- nobody's records: a person of their own each, hardly anything known
    nameless = hit("nameless_of_records")
    person = p.astype(np.int64)
    person[nameless] = block.count + np.arange(int(nameless.sum()))
    nobody = pl.Series(PLACEHOLDER_NAMES).gather(
        rng.integers(0, len(PLACEHOLDER_NAMES), n).astype(np.uint32)
    )
    no_mother = hit("mother_missing") & ~con_ba | ~child | nameless
    no_mother_id = no_mother | hit("mother_id_missing")
    mother_id = _digits(
        _change_digit(block.all_citizen[mother], hit("id_digit"), 6, rng), 12, no_mother_id
    )
    births = (
        _digits(born_year, 4, no_birth)
        + "-"
        + _digits(month, 2, no_birth)
        + "-"
        + _digits(day, 2, no_birth)
    )
    sexes = pl.Series(["1", "2"]).gather(sex.astype(np.uint32))

    b = pl.Series
    records = pl.DataFrame({"person": person}).with_columns(
        full_name=pl.when(b(nameless)).then(nobody).when(b(con_ba)).then(con + mother_name)
        .when(b(cut)).then(full_name.str.head(11 + p % 5)).otherwise(full_name),
        born_on=pl.when(b(~year_alone & ~no_birth & ~(nameless & (rng.random(n) < 0.8)))).then(births),
        birth_year=pl.when(b(~no_birth)).then(b(born_year.astype(np.int16))),
        sex=pl.when(b(~hit("sex_missing"))).then(sexes),
        citizen_id=pl.when(b(~nameless)).then(citizen_text),
        insurance_number=pl.when(b(~nameless)).then(insurance_text),
        phone=pl.when(b(hit("phone_missing") | nameless)).then(None)
        .when(b(placeholder)).then(fake).otherwise(phone_text),
        province_code=pl.when(b(no_ward)).then(None)
        .when(b(old)).then(country.old_province_code.gather(ward)).otherwise(country.new_province_code.gather(ward)),
        commune_code=pl.when(b(no_ward | nameless)).then(None)
        .when(b(old)).then(country.old_ward.gather(ward)).otherwise(country.new_ward.gather(ward)),
        mother_name=pl.when(b(~no_mother)).then(mother_name),
        mother_citizen_id=mother_id,
        facility=country.facility_code.gather(facility.astype(np.uint32)),
        channel=pl.Series(CHANNELS).gather(np.searchsorted([0.55, 0.92], rng.random(n)).astype(np.uint32)),
        is_twin=b(block.is_twin[p]), is_stranger=b(block.stranger[p]), is_ethnic=b(block.group[p] != KINH),
        is_nameless=b(nameless), is_con_ba=b(con_ba), age=b(age.astype(np.int16)),
        on_0101=b((day == 1) & (month == 1) & ~year_alone),
        bears_own_id=b((citizen_text.cast(pl.Int64, strict=False).fill_null(0).to_numpy() == citizen) & ~nameless),
    )  # fmt: skip
    return records.with_columns(
        full_name=pl.when(b(capitals)).then(pl.col("full_name").str.to_uppercase()).otherwise("full_name"),
        mother_name=pl.when(b(capitals)).then(pl.col("mother_name").str.to_uppercase()).otherwise("mother_name"),
        birth_precision=pl.when(pl.col("born_on").is_not_null()).then(pl.lit("day"))
        .when(pl.col("birth_year").is_not_null()).then(pl.lit("year")),
    )  # fmt: skip


def _bounded_year(year: np.ndarray) -> np.ndarray:
    return np.clip(year, 1900, TODAY)


def _damage(
    token: np.ndarray, kind: dict[str, float], names: Names, rng: np.random.Generator
) -> np.ndarray:
    """Replace codes of syllables by codes of their damaged forms."""
    code, size, n = token.copy(), names.size, len(token)
    for rate, form in (("tone_moved", TONE), ("i_for_y", IY)):
        for place in range(5):
            here = (token[:, place] >= 0) & names.has[form][np.maximum(token[:, place], 0)]
            here &= rng.random(n) < kind[rate]
            code[here, place] = token[here, place] + form * size
    # One syllable of the name is hit; the given name as often as all others together.
    for rate, form in (("telex", TELEX), ("misheard", HEARD), ("name_typo", TYPO)):
        rows = np.flatnonzero(rng.random(n) < kind[rate])
        place = np.where(rng.random(len(rows)) < 0.5, 3, rng.integers(0, 4, len(rows)))
        place = np.where(token[rows, place] >= 0, place, 3)
        forms = form + (rng.integers(0, TYPOS, len(rows)) if form == TYPO else 0)
        good = token[rows, place] >= 0
        rows, place, forms = rows[good], place[good], (forms[good] if form == TYPO else forms)
        code[rows, place] = token[rows, place] + forms * size
    return code


def _join(
    code: np.ndarray, texts: pl.Series, plain_texts: pl.Series, plain: np.ndarray
) -> pl.Series:
    columns = {}
    for place in range(code.shape[1]):
        there = code[:, place] >= 0
        at = np.maximum(code[:, place], 0).astype(np.uint32) + np.where(
            plain, len(texts), 0
        ).astype(np.uint32)
        both = pl.concat([texts, plain_texts])
        columns[f"t{place}"] = pl.select(
            pl.when(pl.Series(there)).then(both.gather(at))
        ).to_series()
    joined = (
        pl.DataFrame(columns)
        .select(pl.concat_str(list(columns), separator=" ", ignore_nulls=True))
        .to_series()
    )
    return joined.str.replace("H' ", "H'", literal=True)


def _digits(number: np.ndarray, width: int, missing: np.ndarray) -> pl.Series:
    text = pl.Series(number).cast(pl.String).str.zfill(width)
    return pl.select(pl.when(pl.Series(~missing)).then(text)).to_series()


def _change_digit(
    number: np.ndarray, here: np.ndarray, digits: int, rng: np.random.Generator
) -> np.ndarray:
    """One of the last `digits` digits becomes another one."""
    new = number.copy()
    power = 10 ** rng.integers(0, digits, int(here.sum()))
    old = number[here] // power % 10
    new[here] += ((old + rng.integers(1, 10, len(old))) % 10 - old) * power
    return new


def _citizen_texts(citizen, block, p, slot, family, small, hit, rng, age) -> pl.Series:  # type: ignore[no-untyped-def]
    kind, n = block.kind, len(p)
    number = citizen.copy()
    stranger = hit("id_of_stranger")
    number[stranger] = block.all_citizen[
        rng.integers(0, len(block.all_citizen), int(stranger.sum()))
    ]
    relative = hit("id_of_family")
    number[relative] = block.all_citizen[
        family[relative] + rng.integers(0, PLACES, int(relative.sum()))
    ]
    parent = hit("id_of_parent", small)
    who = np.where(rng.random(n) < 0.8, MOTHER, FATHER)
    number[parent] = block.all_citizen[(family + who)[parent]]
    number = _change_digit(number, hit("id_digit"), 12, rng)
    turned = hit("id_transposed")
    power = 10 ** rng.integers(0, 8, int(turned.sum()))
    low, high = number[turned] // power % 10, number[turned] // (power * 10) % 10
    number[turned] += (high - low) * power + (low - high) * power * 10
    short = hit("id_short")
    power = 10 ** rng.integers(0, 12, n)
    number = np.where(short, number // (power * 10) * power + number % power, number)
    old = hit("old_id", age > 16)
    missing = (
        rng.random(n) < np.where(small, kind["child_id_missing"], kind["citizen_id_missing"])
    ) & ~parent
    text = _digits(number, 12, missing)
    fake = pl.Series(PLACEHOLDER_IDS).gather(
        rng.integers(0, len(PLACEHOLDER_IDS), n).astype(np.uint32)
    )
    b = pl.Series
    return pl.select(
        pl.when(b(old & ~missing)).then(_digits(block.all_old_id[slot], 9, missing))
        .when(b(short & ~missing)).then(text.str.slice(1))
        .when(b(hit("id_placeholder"))).then(fake).otherwise(text)
    ).to_series()  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------------------
COLUMNS = ("record_key", "full_name", "born_on", "birth_year", "birth_precision", "sex", "citizen_id", "insurance_number",
           "phone", "province_code", "commune_code", "mother_name", "mother_citizen_id", "facility", "channel")  # fmt: skip
AGES, AGE_BANDS = (
    (5, 15, 29, 44, 59, 74),
    ("0-5", "6-15", "16-29", "30-44", "45-59", "60-74", "75+"),
)
STRATA = ("is_twin", "is_stranger", "is_ethnic", "is_nameless", "is_con_ba", "on_0101", "no_id", "bears_own_id", "child_under_6",
          "age_band")  # fmt: skip


def generate(kind: str, records: int, seed: int, out: Path) -> None:
    """Write the data set; exactly `records` records. Nothing is written outside `out`."""
    rates = {name: row[KINDS.index(kind)] for name, row in RATES.items()}
    out.mkdir(parents=True, exist_ok=True)
    names = Names()
    country = Country(rates, min(12_000, max(60, records // 500)), seed)
    buckets = max(1, -(-records // 1_500_000))
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        done, number = 0, 0
        while done < records:
            wanted = records - done
            # A household gives about 5.1 records; one block more is drawn if that was too few.
            households = min(HOUSEHOLDS_PER_BLOCK, max(200, int(wanted / 4.9) + 50))
            frame = records_of(Block(number, households, names, country, rates, seed), seed)
            frame = _keyed(frame.head(wanted), number, done, seed)
            bucket = (
                frame["record_key"].str.slice(0, 4).str.to_integer(base=16) * buckets // 65_536
            ).alias("bucket")
            for (at,), part in frame.with_columns(bucket).group_by(["bucket"]):
                part.drop("bucket").write_parquet(
                    Path(scratch) / f"{at:04d}-{number:04d}.parquet", compression="lz4"
                )
            done, number = done + frame.height, number + 1
        _ordered(Path(scratch), out, buckets)


def _keyed(frame: pl.DataFrame, number: int, done: int, seed: int) -> pl.DataFrame:
    """Keys: a bijection of the running number (splitmix64), so unique and without order or meaning."""
    with np.errstate(over="ignore"):
        key = np.arange(done, done + frame.height, dtype=np.uint64) + np.uint64(seed) * np.uint64(
            0x9E3779B97F4A7C15
        )
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
        key ^= key >> np.uint64(31)
    # Sixteen hex digits, made from bytes: a Python call per record would cost a minute at 26 million.
    nibbles = np.stack([(key >> np.uint64(60 - 4 * i)) & np.uint64(15) for i in range(16)], axis=1)
    letters = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[nibbles.astype(np.uint8)]
    ends = np.arange(0, 16 * len(key) + 1, 16, dtype=np.int32)
    text = pl.Series(
        pa.StringArray.from_buffers(len(key), pa.py_buffer(ends), pa.py_buffer(letters.tobytes()))
    )
    return frame.with_columns(
        record_key=text, person=pl.col("person") + number * 10_000_000,
        no_id=pl.col("citizen_id").is_null() & pl.col("insurance_number").is_null(),
        child_under_6=pl.col("age") < 6,
        age_band=pl.Series(AGE_BANDS).gather(np.searchsorted(AGES, frame["age"].to_numpy()).astype(np.uint32)),
    )  # fmt: skip


def _ordered(scratch: Path, out: Path, buckets: int) -> None:
    writers: dict[str, pq.ParquetWriter] = {}
    for at in range(buckets):
        paths = sorted(scratch.glob(f"{at:04d}-*.parquet"))
        frame = pl.concat([pl.read_parquet(p, memory_map=False) for p in paths]).sort("record_key")
        for name, columns in (
            ("records", COLUMNS), ("truth", ("record_key", "person")), ("strata", ("record_key", *STRATA)),
        ):  # fmt: skip
            table = frame.select(columns).to_arrow(compat_level=pl.CompatLevel.oldest())
            if name not in writers:
                writers[name] = pq.ParquetWriter(
                    out / f"{name}.parquet", table.schema, compression="zstd"
                )
            writers[name].write_table(table)
        for path in paths:
            path.unlink()
    for writer in writers.values():
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.out.exists():
        shutil.rmtree(given.out)
    start = time.process_time()
    generate(given.kind, given.records, given.seed, given.out)
    print(
        f"{given.kind} {given.records:,} seed {given.seed}: {time.process_time() - start:.1f} CPU-s → {given.out}"
    )


if __name__ == "__main__":
    main()
