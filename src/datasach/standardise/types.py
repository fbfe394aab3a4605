"""Logical type → how a column of text becomes a typed column, and why a value changed.

`convert` gives, for one field of a raw chunk, the new column and a column of reasons (null = not
changed in any way worth telling; upper case alone is not).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from datasach.spec.contract import Field
from datasach.spec.project import Project
from datasach.vn import codes, dates, icd10, identifiers, insurance_card, names, phones, text
from datasach.vn.addresses import Places


@dataclass(frozen=True)
class Knowledge:
    """Reference lists in the form the conversions want them; built once per run and process."""

    code_lists: Mapping[str, frozenset[str]]
    phone_prefixes: Mapping[str, str]
    places: Places

    @classmethod
    def of(cls, project: Project) -> Knowledge:
        lists = project.reference("code_lists")
        prefixes = project.reference("phone_prefixes")
        old = prefixes.filter(pl.col("old_prefix").is_not_null() & (pl.col("old_prefix") != ""))
        return cls(
            code_lists={
                str(name[0]): frozenset(group["code"].to_list())
                for name, group in lists.group_by("list")
            },
            phone_prefixes=dict(zip(old["old_prefix"], old["prefix"], strict=True)),
            places=Places.from_tables(project.reference("provinces"), project.reference("wards")),
        )


Converted = tuple[pl.Series, pl.Series]
"""(new column, reasons as String: `;`-separated, null where nothing worth telling changed)."""


def convert(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    """The typed column of `field` and the reasons of its changes, row for row."""
    sent = raw.get_column(field.name)
    if sent.null_count() == len(sent):
        return _empty(field, len(sent)), pl.Series([None], dtype=pl.String).new_from_index(0, len(sent))
    return _CONVERSIONS[field.type](raw, field, knowledge, order)


_DTYPES: dict[str, pl.DataType] = {
    "integer": pl.Int64(),
    "decimal": pl.Decimal(18, 3),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
}


def _empty(field: Field, size: int) -> pl.Series:
    return pl.Series(field.name, [None], dtype=_DTYPES.get(field.type, pl.String())).new_from_index(0, size)


def _column(raw: pl.DataFrame, expr: pl.Expr, name: str) -> pl.Series:
    return raw.select(expr.alias(name)).get_column(name)


def _reasons(raw: pl.DataFrame, field: Field, new: pl.Series, reason: str) -> pl.Series:
    """`reason` where the text changed, `unreadable` where it was lost, `blanks` where only blanks went."""
    frame = pl.DataFrame({"sent": raw.get_column(field.name), "new": new})
    bare = pl.col("sent").str.strip_chars()
    return frame.select(
        pl.when(bare.is_null() | (bare == ""))
        .then(None)
        .when(pl.col("new").is_null())
        .then(pl.lit("unreadable"))
        .when(pl.col("new") == pl.col("sent"))
        .then(None)
        .when(pl.col("new") == bare)
        .then(pl.lit("blanks"))
        .otherwise(pl.lit(reason))
    ).to_series()


def _lost(raw: pl.DataFrame, field: Field, new: pl.Series) -> pl.Series:
    """`unreadable` where something was sent and nothing could be read."""
    frame = pl.DataFrame({"sent": raw.get_column(field.name), "new": new})
    filled = pl.col("sent").str.strip_chars().str.len_bytes() > 0
    return frame.select(
        pl.when(filled & pl.col("new").is_null()).then(pl.lit("unreadable"))
    ).to_series()


def _filled(name: str) -> pl.Expr:
    bare = pl.col(name).str.strip_chars()
    return pl.when(bare != "").then(bare)


def _key(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    new = _column(raw, _filled(field.name), field.name)
    return new, _reasons(raw, field, new, "blanks")


def _text(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    repaired = text.repair_column(raw.get_column(field.name))
    new = _column(repaired, pl.when(pl.col("value") != "").then("value"), field.name)
    why = repaired.select(
        pl.when(pl.col("reasons").list.len() > 0).then(pl.col("reasons").list.join(";"))
    ).to_series()
    return new, why


def _name(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    parsed = names.parse_column(raw.get_column(field.name))
    why = parsed.select(
        pl.when(pl.col("reasons").list.len() > 0).then(pl.col("reasons").list.join(";"))
    ).to_series()
    return parsed.get_column("full_name").alias(field.name), why


def _code(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    known = knowledge.code_lists.get(field.list or "")
    if not known:
        return _key(raw, field, knowledge, order)
    repair = codes.codes_expr if field.type == "codes" else codes.code_expr
    new = _column(raw, repair(field.name, known), field.name)
    return new, _reasons(raw, field, new, "spreadsheet")


def _sex(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    new = _column(raw, codes.sex_expr(field.name), field.name)
    return new, _reasons(raw, field, new, "sex_word")


def _integer(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    bare = _filled(field.name).str.replace(r"\.0+\z", "")
    whole = pl.when(bare.str.contains(r"\A[+-]?[0-9]{1,18}\z")).then(bare)
    new = _column(raw, whole.cast(pl.Int64, strict=False), field.name)
    return new, _lost(raw, field, new)


def _decimal(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    bare = _filled(field.name)
    number = pl.when(bare.str.contains(r"\A[+-]?[0-9]{1,15}(\.[0-9]*)?\z")).then(bare)
    new = _column(raw, number.cast(pl.Decimal(18, 3), strict=False), field.name)
    return new, _lost(raw, field, new)


def _date(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    new = _column(raw, dates.date_expr(field.name, order), field.name)
    return new, _column(raw, dates.date_reason(field.name, order), "reason")


def _datetime(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    new = _column(
        raw,
        # Some fields hold a list of times (XML13); the last is the one the paper speaks of.
        dates.datetime_expr(field.name, order),
        field.name,
    )
    if new.null_count() > raw.get_column(field.name).null_count():
        last = raw.select(
            pl.when(pl.col(field.name).str.contains(";"))
            .then(pl.col(field.name).str.split(";").list.last())
            .otherwise(field.name)
            .alias(field.name)
        )
        by_day = dates.date_expr(field.name, order).cast(pl.Datetime("us"))
        new = new.fill_null(_column(last, pl.coalesce(dates.datetime_expr(field.name, order), by_day), field.name))
    return new, _lost(raw, field, new)


def _birth(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    """As sent, without blanks; what it means stands in the identity block."""
    new = _column(raw, _filled(field.name), field.name)
    precision = _column(raw, dates.birth_precision(field.name, order), "precision")
    return new, _lost(raw, field, precision)


def _identifier(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    new = _column(raw, identifiers.value_expr(field.name), field.name)
    return new, _reasons(raw, field, new, "identifier_form")


def _cards(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    new = _column(raw, insurance_card.cards_expr(field.name), field.name)
    return new, _reasons(raw, field, new, "card_form")


def _phone(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    new = _column(raw, phones.phone_expr(field.name, knowledge.phone_prefixes), field.name)
    return new, _reasons(raw, field, new, "phone_form")


def _icd(raw: pl.DataFrame, field: Field, knowledge: Knowledge, order: dates.Order) -> Converted:
    """A code that is no code stays, in capitals: a rule must see it."""
    listed = _column(raw, icd10.list_expr(field.name), field.name)
    return listed, _reasons(raw, field, listed, "icd_form")


_CONVERSIONS: dict[str, Callable[[pl.DataFrame, Field, Knowledge, dates.Order], Converted]] = {
    "key": _key,
    "text": _text,
    "name": _name,
    "code": _code,
    "codes": _code,
    "integer": _integer,
    "decimal": _decimal,
    "date": _date,
    "datetime": _datetime,
    "dates": _key,
    "birth": _birth,
    "sex": _sex,
    "identifier": _identifier,
    "card": _cards,
    "cards": _cards,
    "phone": _phone,
    "province": _key,
    "district": _key,
    "commune": _key,
    "icd": _icd,
    "icds": _icd,
}
