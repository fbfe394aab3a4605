"""Provinces and communes across the merger of 1 July 2025: any code or name → the lists of today.

    63 provinces, districts, 10,035 communes   until 30/06/2025   vintage "pre2025"
    34 provinces, no districts, 3,321 communes since 01/07/2025   vintage "2025"

Source: QĐ 19/2025/QĐ-TTg and the conversion table derived from vietnamadminunits (DOMAIN 3, high).
Traps: all 34 new province codes and 3,316 of the 3,321 new commune codes were codes before, and seven
of those provinces are other provinces now (91 was Kiên Giang, is An Giang). So a code alone has no
vintage: it is read with the date, with the presence of a district (there are none since), and with
province and commune beside each other. 471 communes were split: their row in the table is a default,
never a fact, hence "ambiguous". Names are compared with their marks inside one province: Ba Tô and
Ba Tơ are two communes of Quảng Ngãi.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import polars as pl

from datasach.vn.merger import (
    OTHER_PROVINCE_NAMES,
    Reading,
    commune_key,
    name_key,
    province_key,
    readings,
)

MERGER: Final = dt.date(2025, 7, 1)


class Place(NamedTuple):
    code: str | None
    """Code of the list of 2025; None if the text is in neither list."""
    vintage: str | None
    """Which list the text was taken from: 2025, pre2025, ambiguous; None if it cannot be told."""


NOWHERE: Final = Place(None, None)


@dataclass(frozen=True)
class Places:
    """Both lists and the way from one to the other. Build with `from_tables`."""

    provinces: Mapping[str, str]
    """province_key → code of 2025"""
    old_only: frozenset[str]
    """province keys that only the list of before the merger has"""
    communes: Mapping[str, Reading]

    @classmethod
    def from_tables(cls, provinces: pl.DataFrame, wards: pl.DataFrame) -> "Places":
        """From _reference/provinces.csv (one row per old province) and wards.csv.gz (old → new)."""
        rows = list(provinces.iter_rows(named=True))
        new_of = {row["old_gso_code"]: row["new_code"] for row in rows}
        new_names = {name_key(row["new_short_name"]): row["new_code"] for row in rows}
        old_names = {name_key(row["old_short_name"]): row["new_code"] for row in rows}
        others = {name: new_of[code] for name, code in OTHER_PROVINCE_NAMES.items()}
        known_now = set(new_of.values()) | set(new_names) | {"thừa thiên huế", "hcm", "sài gòn"}
        return cls(
            provinces={**new_of, **old_names, **new_names, **others},
            old_only=frozenset(key for key in (*new_of, *old_names) if key not in known_now),
            communes=readings(wards),
        )

    def province(
        self,
        text: str,
        *,
        on: dt.date | None = None,
        has_district: bool = False,
        commune: str | None = None,
    ) -> Place:
        """One province, by code or name, as of a date; reference of `resolve`."""
        key = province_key(text)
        code = self.provinces.get(key)
        if code is None:
            return NOWHERE
        if key in self.old_only or (on is not None and on < MERGER) or has_district:
            return Place(code, "pre2025")
        reading = self.communes.get(commune_key(commune, code)) if commune else None
        if reading is not None and (reading.as_old is None) != (reading.as_new is None):
            return Place(code, "2025" if reading.as_old is None else "pre2025")
        return Place(code, "2025" if on is not None else None)

    def commune(
        self,
        text: str,
        *,
        province: str | None = None,
        on: dt.date | None = None,
        has_district: bool = False,
    ) -> Place:
        """One commune, by code or by name inside its province; reference of `resolve`.

        A code of both lists with nothing to tell which is meant keeps its code and is ambiguous.
        """
        key = province_key(province) if province else None
        province_code = self.provinces.get(key) if key else None
        reading = self.communes.get(commune_key(text, province_code))
        if reading is None:
            return NOWHERE
        as_old = Place(reading.as_old, "ambiguous" if reading.is_split else "pre2025")
        if reading.as_new is None:
            return as_old
        if reading.as_old is None:
            return Place(reading.as_new, "2025")
        if (on is not None and on < MERGER) or has_district or key in self.old_only:
            return as_old
        if reading.old_province != reading.new_province and key == reading.old_province:
            return as_old
        moved = reading.old_province != reading.new_province and key == reading.new_province
        return Place(reading.as_new, "2025" if on is not None or moved else "ambiguous")

    def resolve(
        self,
        frame: pl.LazyFrame,
        *,
        province: str | None = None,
        commune: str | None = None,
        district: str | None = None,
        on: str | None = None,
    ) -> pl.LazyFrame:
        """The frame with province_code, province_vintage, commune_code, commune_vintage.

        Arguments name columns (String; `on` a Date); a missing one is as good as an empty one.
        Row order and the other columns stay.
        """
        context = frame.with_columns(
            _province=_text(province).pipe(_mapped, province_key),
            _before=(pl.col(on) < MERGER).fill_null(False) if on else pl.lit(False),
            _dated=pl.col(on).is_not_null() if on else pl.lit(False),
            _district=_text(district).is_not_null(),
        )
        placed = context.join(self._provinces, on="_province", how="left", maintain_order="left")
        keyed = placed.with_columns(_commune=_commune_key_expr(_text(commune)))
        read = keyed.join(self._communes, on="_commune", how="left", maintain_order="left")
        return (
            read.with_columns(_province_vintage())
            .with_columns(commune_code=_commune_code(), commune_vintage=_commune_vintage())
            .drop("_province", "_before", "_dated", "_district", "_commune", "_old_only")
            .drop("_as_old", "_is_split", "_as_new", "_old_province", "_new_province")
        )

    @cached_property
    def _provinces(self) -> pl.LazyFrame:
        return pl.LazyFrame(
            {
                "_province": list(self.provinces),
                "province_code": list(self.provinces.values()),
                "_old_only": [key in self.old_only for key in self.provinces],
            }
        )

    @cached_property
    def _communes(self) -> pl.LazyFrame:
        columns = ("_as_old", "_is_split", "_as_new", "_old_province", "_new_province")
        rows = [(key, *reading) for key, reading in self.communes.items()]
        schema = {name: pl.Boolean if name == "_is_split" else pl.String for name in columns}
        return pl.LazyFrame(rows, schema={"_commune": pl.String, **schema}, orient="row")


def _text(column: str | None) -> pl.Expr:
    if column is None:
        return pl.lit(None, pl.String)
    text = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)


def _mapped(text: pl.Expr, key: Callable[[str], str]) -> pl.Expr:
    """A text function over the few distinct values of a column."""

    def over_distinct(sent: pl.Series) -> pl.Series:
        distinct = sent.unique().drop_nulls()
        return sent.replace({text: key(text) for text in distinct})

    return text.map_batches(over_distinct, return_dtype=pl.String(), is_elementwise=True)


def _commune_key_expr(text: pl.Expr) -> pl.Expr:
    is_code = text.str.contains(r"\A[0-9]{1,5}\z")
    named = (
        pl.col("province_code").fill_null("?")
        + ":"
        + _mapped(pl.when(~is_code).then(text), name_key)
    )
    return pl.when(is_code).then(text.str.zfill(5)).otherwise(named)


def _province_vintage() -> pl.Expr:
    old, new = pl.lit("pre2025"), pl.lit("2025")
    in_old, in_new = pl.col("_as_old").is_not_null(), pl.col("_as_new").is_not_null()
    return (
        pl.when(pl.col("province_code").is_null())
        .then(None)
        .when(pl.col("_old_only") | pl.col("_before") | pl.col("_district"))
        .then(old)
        .when(in_old & ~in_new)
        .then(old)
        .when(in_new & (~in_old | pl.col("_dated")))
        .then(new)
        .when(pl.col("_dated"))
        .then(new)
        .alias("province_vintage")
    )


def _is_read_as_old() -> pl.Expr:
    """True where a code of both lists is the old one; null counts as False."""
    moved = pl.col("_old_province") != pl.col("_new_province")
    return (
        pl.col("_before")
        | pl.col("_district")
        | pl.col("_old_only").fill_null(False)
        | (moved & (pl.col("_province") == pl.col("_old_province"))).fill_null(False)
    )


def _commune_code() -> pl.Expr:
    return (
        pl.when(_is_read_as_old())
        .then(pl.coalesce("_as_old", "_as_new"))
        .otherwise(pl.coalesce("_as_new", "_as_old"))
    )


def _commune_vintage() -> pl.Expr:
    moved = (pl.col("_old_province") != pl.col("_new_province")) & (
        pl.col("_province") == pl.col("_new_province")
    )
    as_old = pl.when(pl.col("_is_split")).then(pl.lit("ambiguous")).otherwise(pl.lit("pre2025"))
    return (
        pl.when(pl.col("_is_split").is_null())
        .then(None)
        .when(pl.col("_as_new").is_null())
        .then(as_old)
        .when(pl.col("_as_old").is_null())
        .then(pl.lit("2025"))
        .when(_is_read_as_old())
        .then(as_old)
        .when(pl.col("_dated") | moved.fill_null(False))
        .then(pl.lit("2025"))
        .otherwise(pl.lit("ambiguous"))
    )
