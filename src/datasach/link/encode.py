"""Every value an integer: records become columns of codes, and strings never reach the hot loop.

A column of one kind (a person's name, a date, an id, a code, a place, a text) becomes a few NumPy arrays,
one element per record. Zero always means "not known". What passes block on are the *parts* of a column
(`born.year`, `name.given`), what comparisons read are its arrays, and `rarity` says per record how many
bits agreeing on its value is worth (-log2 of the value's share), in eighths of a bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from datasach.vn import citizen_id as personal_id
from datasach.vn.text import fold_expr

Array = np.ndarray[Any, Any]
EIGHTHS = 8.0
MOST_BITS = 31.0


@dataclass
class Vocabulary:
    """The distinct texts of one kind of token; code 0 (a text no record has) is "not known", codes ascend by falling frequency."""

    texts: list[str]
    _codes: pl.DataFrame | None = field(default=None, repr=False)

    @classmethod
    def of(cls, tokens: pl.Series, counts: pl.Series) -> Vocabulary:
        """Tokens with how many records carry each. The order depends on nothing but the records."""
        ranked = (
            pl.DataFrame({"t": tokens, "n": counts})
            .drop_nulls("t")
            .group_by("t")
            .agg(pl.col("n").sum())
            .sort(["n", "t"], descending=[True, False])
        )
        return cls(["\0", *ranked["t"].to_list()])

    def encode(self, tokens: pl.Series) -> Array:
        """Codes of tokens, int32; a null or unseen token is 0 (unseen ones are added first by `extend`)."""
        if self._codes is None or self._codes.height != len(self.texts):
            self._codes = pl.DataFrame(
                {"t": self.texts, "c": np.arange(len(self.texts), dtype=np.int32)}
            )
        joined = (
            tokens.alias("t")
            .to_frame()
            .join(self._codes, on="t", how="left", maintain_order="left")
        )
        return joined["c"].fill_null(0).to_numpy().copy()

    def extend(self, tokens: pl.Series) -> None:
        """New tokens get the next codes, in the order of the alphabet."""
        known = pl.Series("t", self.texts)
        fresh = tokens.drop_nulls().unique()
        fresh = fresh.filter(~fresh.is_in(known.implode())).sort()
        self.texts.extend(fresh.to_list())


@dataclass
class Rarity:
    """How rare each value is, in eighths of a bit (-log2 of its share among known values).

    Either a table by code, or the values that stand often, sorted, and one figure for all others. Frozen with
    the model: tonight's records do not change what last night's agreement was worth.
    """

    eighths: Array
    values: Array | None = None
    otherwise: int = 255

    def of(self, values: Array) -> Array:
        """uint8 per value; what is not known gets a figure too, which nobody reads."""
        if self.values is None:
            return self.eighths[np.minimum(values, len(self.eighths) - 1)]
        found = np.full(len(values), self.otherwise, np.uint8)
        if len(self.values):
            # Few values stand often: a table of twenty bits of their hash sends most of the others away at once.
            may = np.zeros(1 << 20, bool)
            may[_twenty_bits(self.values)] = True
            some = np.flatnonzero(may[_twenty_bits(values)])
            at = np.minimum(np.searchsorted(self.values, values[some]), len(self.values) - 1)
            hit = self.values[at] == values[some]
            found[some[hit]] = self.eighths[at[hit]]
        return found

    @classmethod
    def of_codes(cls, codes: Array) -> Rarity:
        """Small codes, counted one by one; a code that is not here yet is as rare as the rarest."""
        counts = np.bincount(codes, minlength=1)
        counts[0] = 0
        known = int(counts.sum())
        return cls(
            np.r_[_eighths(known, np.maximum(counts, 1)), _eighths(known, 1)].astype(np.uint8)
        )

    @classmethod
    def of_values(cls, values: Array, often: int, otherwise: int | None = None) -> Rarity:
        """Large values (ids): those that stand `often` or more are kept, the rest are rare alike."""
        ordered = np.sort(values[values != 0])
        starts = (
            np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
            if len(ordered)
            else np.zeros(0, np.int64)
        )
        sizes = np.diff(np.r_[starts, len(ordered)])
        kept = sizes >= often
        rest = int(_eighths(len(ordered), 2)) if otherwise is None else otherwise
        return cls(
            np.asarray(_eighths(len(ordered), np.maximum(sizes[kept], 1)), np.uint8).reshape(-1),
            ordered[starts[kept]], rest,
        )  # fmt: skip


def _twenty_bits(values: Array) -> Array:
    return (values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(44)


def _eighths(total: int, count: Any) -> Any:
    bits = np.minimum(np.log2(np.maximum(total, 2) / count), MOST_BITS)
    return np.round(np.maximum(bits, 0) * EIGHTHS).astype(np.uint8)


@dataclass
class Feature:
    """One encoded column: arrays by name, and the vocabularies their codes belong to."""

    kind: str
    arrays: dict[str, Array]
    vocabularies: dict[str, Vocabulary] = field(default_factory=dict)
    only_same: bool = False
    within: str | None = None

    @property
    def rows(self) -> int:
        return len(next(iter(self.arrays.values())))

    def part(self, name: str) -> Array:
        """A part as uint64, 0 where not known, for blocking."""
        return PARTS[self.kind][name](self.arrays)

    def reorder(self, order: Array) -> None:
        for name in self.arrays:
            self.arrays[name] = self.arrays[name][order]


# --- dates ----------------------------------------------------------------------------------------


def encode_dates(day: pl.Series, year: pl.Series | None) -> Feature:
    """A date as year*512 + month*32 + day; month and day 0 when only the year is known; 0: not known."""
    if day.dtype != pl.String:
        day = day.cast(pl.Date).cast(pl.String)
    distinct, which, _ = distinct_of(day)
    text = pl.col("t").str.strip_chars()
    date = pl.coalesce(
        text.str.to_date("%Y-%m-%d", strict=False), text.str.to_date("%Y%m%d", strict=False)
    )
    alone = pl.when(text.str.contains(r"\A[0-9]{4}\z")).then(text).cast(pl.Int32, strict=False)
    parts = pl.DataFrame({"t": distinct}).select(
        year=date.dt.year().fill_null(alone),
        month_day=date.dt.month().cast(pl.Int32) * 32 + date.dt.day().cast(pl.Int32),
    )
    # The last is for rows without a date.
    y = np.append(parts["year"].fill_null(0).to_numpy(), np.int32(0))[which]
    md = np.append(parts["month_day"].fill_null(0).to_numpy(), np.int32(0))[which]
    if year is not None:
        known = year.cast(pl.Int32, strict=False).fill_null(0).to_numpy()
        y = np.where(y == 0, known, y)
    y[(y < 1850) | (y > 2200)] = 0
    packed = np.where(y > 0, y * 512 + md, 0).astype(np.int32)
    return Feature("date", {"date": packed})


# --- ids ------------------------------------------------------------------------------------------


def encode_ids(ids: pl.Series, skipped: list[str]) -> Feature:
    """Digits as nibbles of a uint64 (at most 16, right-aligned): one XOR shows which digits differ.

    Letters are dropped: a card's ten digits say who it is. Zero: not known, or skipped.
    """
    text = ids.cast(pl.String)
    # Decimal digits read as hexadecimal are one nibble each.
    read = _hexadecimal(text)
    nibbles = read.fill_null(0).to_numpy().copy()
    odd = (read.is_null() & text.is_not_null()).to_numpy() | _has_letter(nibbles)
    at = np.flatnonzero(odd)
    if len(at):
        digits = text.gather(at).str.replace_all("[^0-9]", "").str.slice(-16)
        nibbles[at] = _hexadecimal(digits).fill_null(0).to_numpy()
    for nothing in skipped:
        said = "".join(letter for letter in nothing if letter in "0123456789")[-16:]
        nibbles[nibbles == int(said or "0", 16)] = 0
    return Feature("id", {"id": nibbles})


def _hexadecimal(texts: pl.Series) -> pl.Series:
    return texts.str.to_integer(base=16, dtype=pl.UInt64, strict=False)


def _has_letter(nibbles: Array) -> Array:
    """Whether a nibble is above nine."""
    upper = nibbles & (nibbles << np.uint64(1) | nibbles << np.uint64(2))
    return upper & np.uint64(0x8888888888888888) != 0


def verify_citizen_ids(
    feature: Feature, born: Array | None, sex: Array | None, male: int, female: int
) -> None:
    """Adds `state`: 1 a well-formed personal id that agrees with the record's own birth year and sex
    (or nothing is known to the contrary), 2 one that contradicts them, 0 not a personal id at all."""
    number = feature.arrays["id"]
    provinces = np.zeros(4096, bool)
    provinces[[int(code, 16) for code in personal_id.PROVINCES]] = True
    shaped = (number >> np.uint64(48) == 0) & provinces[
        (number >> np.uint64(36)).astype(np.int64) & 0xFFF
    ]
    shaped &= (number & np.uint64(0xFFFFFF)) != 0
    g = ((number >> np.uint64(32)) & np.uint64(15)).astype(np.int32)
    year = (
        1900
        + 100 * (g // 2)
        + (
            ((number >> np.uint64(28)) & np.uint64(15)) * 10
            + ((number >> np.uint64(24)) & np.uint64(15))
        ).astype(np.int32)
    )
    contradicts = np.zeros(len(number), bool)
    if born is not None:
        contradicts |= (born != 0) & ((born >> 9) != year)
    if sex is not None:
        contradicts |= ((sex == male) & (g % 2 == 1)) | ((sex == female) & (g % 2 == 0))
    feature.arrays["state"] = np.where(shaped, np.where(contradicts, 2, 1), 0).astype(np.uint8)


# --- codes, places, texts -------------------------------------------------------------------------


def encode_codes(values: pl.Series, skipped: list[str], known: Vocabulary | None = None) -> Feature:
    """Codes that are the same or different (sex, an ethnic group)."""
    distinct, which, counts = distinct_of(values.cast(pl.String))
    codes, vocabulary = _coded_distinct(_without(distinct, skipped), counts, known)
    return Feature("code", {"code": codes[which]}, {"code": vocabulary})


def _without(texts: pl.Series, skipped: list[str]) -> pl.Series:
    """The same with null for what says nothing."""
    if not skipped:
        return texts
    return pl.select(pl.when(~texts.is_in(skipped)).then(texts)).to_series()


def encode_places(
    place: pl.Series, larger: pl.Series | None, skipped: list[str],
    successors: pl.DataFrame | None = None, known: dict[str, Vocabulary] | None = None,
) -> Feature:  # fmt: skip
    """A place and the larger unit it lies in: communes of one province are nearer than of two.

    `successors` (code, commune, province): what each code of a commune, old or new, means since the merger.
    A commune that was split is read as its default successor; the province is the commune's where it is known.
    """
    sent, which, counts = distinct_of(place.cast(pl.String))
    means = pl.DataFrame({"code": sent}).with_columns(
        commune="code", province=pl.lit(None, pl.String)
    )
    if successors is not None:
        found = means.join(successors, on="code", how="left", maintain_order="left")
        means = found.select(
            commune=pl.coalesce("commune_right", "commune"), province="province_right"
        )
    inner, communes = _coded_distinct(
        _without(means["commune"], skipped), counts, known["place"] if known else None
    )
    place_code = inner[which]
    if larger is None:
        return Feature("place", {"place": place_code, "larger": place_code}, {"place": communes})
    # The province is the commune's where that is known, else what was sent.
    given, which_given, _ = distinct_of(larger.cast(pl.String))
    is_known = np.append(means["province"].is_not_null().to_numpy(), False)
    at = np.where(is_known[which], which, len(sent) + which_given)
    names = pl.concat([means["province"], given])
    counts = np.bincount(at, minlength=len(names) + 1)[:-1]
    names = pl.select(pl.when(pl.Series(counts) > 0).then(names)).to_series()
    outer, provinces = _coded_distinct(
        _without(names, skipped), counts, known["larger"] if known else None
    )
    return Feature(
        "place",
        {"place": place_code, "larger": outer[at]},
        {"place": communes, "larger": provinces},
    )


def encode_texts(
    values: pl.Series, skipped: list[str], vietnamese: bool, known: Vocabulary | None = None
) -> Feature:
    """Free text, folded: names of mothers, streets, occupations."""
    sent, which, counts = distinct_of(values.cast(pl.String))
    text = pl.col("t")
    folded = (
        fold_expr(text)
        if vietnamese
        else text.str.to_lowercase().str.replace_all("[^a-z0-9]+", " ").str.strip_chars(" ")
    )
    said = pl.when((folded != "") & ~text.is_in(skipped)).then(folded)
    words = sent.alias("t").to_frame().select(said).to_series()
    codes, vocabulary = _coded_distinct(words, counts, known)
    return Feature("text", {"text": codes[which]}, {"text": vocabulary})


def distinct_of(texts: pl.Series) -> tuple[pl.Series, Array, Array]:
    """Distinct texts, which of them each row has (their number: none), and how many rows have each."""
    # A set of categories of their own, so that codes are 0, 1, 2 …; several times cheaper than Arrow's dictionary.
    codes = texts.cast(pl.Categorical(pl.Categories.random())).to_physical()
    last: Any = codes.max()
    many = 0 if last is None else last + 1
    # NumPy gathers by integers of its own width twice as fast as by others.
    which = codes.fill_null(many).to_numpy().astype(np.intp)
    somewhere = np.zeros(many + 1, np.int64)
    somewhere[which] = np.arange(len(which))
    return texts.gather(somewhere[:many]), which, np.bincount(which, minlength=many + 1)[:-1]


def _coded_distinct(
    distinct: pl.Series, counts: Array, known: Vocabulary | None
) -> tuple[Array, Vocabulary]:
    """Codes of distinct texts, and one more for none; the vocabulary they belong to."""
    if known is None:
        known = Vocabulary.of(distinct, pl.Series(counts))
    else:
        known.extend(distinct)
    return np.append(known.encode(distinct), np.int32(0)), known


def _day_month(arrays: dict[str, Array]) -> Array:
    """{day, month} without order, and only where both are known: finds 3/12 written 12/3."""
    day, month = arrays["date"] & 31, (arrays["date"] >> 5) & 15
    both = np.minimum(day, month) * 32 + np.maximum(day, month)
    return np.where(month > 0, both, 0).astype(np.uint64)


def _full_date(arrays: dict[str, Array]) -> Array:
    """The date where it is a real day: not a year alone and not 1 January, on which half a generation was written."""
    month_day = arrays["date"] & 511
    return np.where((month_day != 0) & (month_day != 33), arrays["date"], 0).astype(np.uint64)


PARTS: dict[str, dict[str, Any]] = {
    "person_name": {
        "given": lambda a: a["given"].astype(np.uint64),
        "surname": lambda a: a["surname"].astype(np.uint64),
        "middle": lambda a: a["middle"].astype(np.uint64),
        "sorted": lambda a: a["ordered"].astype(np.uint64),
        "full": lambda a: np.where(
            a["given"] > 0,
            (a["given"].astype(np.uint64) << np.uint64(42))
            ^ (a["middle"].astype(np.uint64) << np.uint64(20))
            ^ a["surname"].astype(np.uint64),
            np.uint64(0),
        ),
    },
    "date": {
        "": lambda a: np.where((a["date"] & 511) != 0, a["date"], 0).astype(np.uint64),
        "year": lambda a: (a["date"] >> 9).astype(np.uint64),
        "day_month": _day_month,
        "day": _full_date,
        "month_day": lambda a: np.where((a["date"] & 511) != 33, a["date"] & 511, 0).astype(
            np.uint64
        ),
    },
    "id": {
        "": lambda a: a["id"],
        "tail": lambda a: a["id"] & np.uint64(0xFFFFFF),
        "head": lambda a: a["id"] >> np.uint64(12),
    },
    "code": {"": lambda a: a["code"].astype(np.uint64)},
    "place": {
        "": lambda a: a["place"].astype(np.uint64),
        "larger": lambda a: a["larger"].astype(np.uint64),
    },
    "text": {"": lambda a: a["text"].astype(np.uint64)},
}
