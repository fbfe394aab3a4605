"""Logical type → how columns of text become typed columns, and why values changed.

All fields of a chunk are converted in one query and their reasons found in a second: a table has up
to 66 fields, and a query for each would cost more than the work in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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


WORDED = frozenset({"text", "name"})
"""Types whose values are repaired value by value, each with its own reasons."""
DTYPES: dict[str, pl.DataType] = {
    "integer": pl.Int64(),
    "decimal": pl.Decimal(18, 3),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
}
WHY = "why:"


def convert(
    raw: pl.DataFrame,
    fields: Sequence[Field],
    knowledge: Knowledge,
    order: dates.Order,
    strict: bool,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(typed columns by field name, reasons by field name) of a raw chunk, row for row.

    A reason is `;`-separated text, null where nothing worth telling changed: upper case alone is not,
    nor that a date became a DATE. `strict` (tables of envelopes): a date or time not written as yyyymmdd or
    yyyymmddHHMM is read, and told as `date_form`. `unreadable`: something was sent and could not be read.
    """
    nulls = raw.select(pl.col(field.name).null_count() for field in fields).row(0)
    filled = [f for f, count in zip(fields, nulls, strict=True) if count < raw.height]
    worded = [f for f in filled if f.type in WORDED]
    plain = [f for f in filled if f.type not in WORDED]
    new = raw.select(
        *(_CONVERSIONS[f.type](f, knowledge, order).alias(f.name) for f in plain),
        *(
            _extra_reason(f, order).alias(WHY + f.name)
            for f in plain
            if f.type in ("date", "birth")
        ),
    )
    both = raw.select(pl.col(f.name).alias("sent:" + f.name) for f in plain).hstack(new)
    reasons = both.select(_reason(f, strict).alias(f.name) for f in plain)
    for field in worded:
        value, why = _worded(raw.get_column(field.name), field)
        new = new.with_columns(value)
        reasons = reasons.with_columns(why)
    # `_file` is there only to give the frame its height where every field is blank.
    typed = (
        raw.select("_file")
        .hstack(new)
        .select(
            pl.col(f.name)
            if f in filled
            else pl.when(pl.col("_file").is_null())
            .then(None)
            .cast(DTYPES.get(f.type, pl.String()))
            .alias(f.name)
            for f in fields
        )
    )
    return typed, reasons


def _worded(sent: pl.Series, field: Field) -> tuple[pl.Series, pl.Series]:
    if field.type == "name":
        parsed = names.parse_column(sent)
        value = parsed.get_column("full_name")
    else:
        parsed = text.repair_column(sent)
        value = parsed.select(pl.when(pl.col("value") != "").then("value")).to_series()
    why = parsed.select(
        pl.when(pl.col("reasons").list.len() > 0).then(pl.col("reasons").list.join(";"))
    ).to_series()
    return value.alias(field.name), why.alias(field.name)


def _reason(field: Field, strict: bool) -> pl.Expr:
    """Why the new value of a field differs from what was sent, from the columns of both."""
    sent, new = pl.col("sent:" + field.name), pl.col(field.name)
    bare = sent.str.strip_chars()
    nothing = bare.is_null() | (bare == "")
    why: Any = pl.when(nothing).then(None)
    if field.type in ("date", "birth"):
        why = why.when(pl.col(WHY + field.name).is_not_null()).then(pl.col(WHY + field.name))
    elif field.type == "datetime":
        # XML13 may list several times in one field: that is no single time, and no mistake either.
        is_list = bare.str.contains(";") if (field.max_length or 0) >= 100 else pl.lit(False)
        why = why.when(is_list).then(None).when(new.is_null()).then(pl.lit("unreadable"))
    elif field.type in DTYPES:
        lost: pl.Expr = why.when(new.is_null()).then(pl.lit("unreadable"))
        return lost
    else:
        changed: pl.Expr = (
            why.when(new == sent)
            .then(None)
            .when(new.is_null())
            .then(pl.lit("unreadable"))
            .when(new == bare)
            .then(pl.lit("blanks"))
            .otherwise(pl.lit(_CHANGED.get(field.type, "form")))
        )
        return changed
    if strict and field.type == "birth":
        why = why.when(~bare.str.contains(r"\A[0-9]+\z")).then(pl.lit("date_form"))
    elif strict:
        form = (
            _STANDARD_TIME
            if field.type == "datetime" and field.name not in _DAY_OR_TIME
            else _STANDARD_DAY
        )
        why = why.when(~bare.str.contains(form)).then(pl.lit("date_form"))
    reason: pl.Expr = why.otherwise(None)
    return reason


_STANDARD_DAY = r"\A[0-9]{8}([0-9]{4})?\z"
_STANDARD_TIME = r"\A[0-9]{12}\z"
_DAY_OR_TIME = frozenset({"ngay_mien_cct"})
"""NGAY_MIEN_CCT has 8 or 12 characters (QĐ 130/QĐ-BYT)."""


_CHANGED = {
    "code": "spreadsheet",
    "codes": "spreadsheet",
    "sex": "sex_word",
    "identifier": "identifier_form",
    "card": "card_form",
    "cards": "card_form",
    "phone": "phone_form",
    "icd": "icd_form",
    "icds": "icd_form",
}


def _extra_reason(field: Field, order: dates.Order) -> pl.Expr:
    if field.type == "date":
        return dates.date_reason(field.name, order)
    precision = dates.birth_precision(field.name, order)
    digits = pl.col(field.name).str.strip_chars()
    # "198302310000": a day was said, and it is none. The year still counts.
    said_a_day = digits.str.contains(r"\A[0-9]{8}") & (digits.str.slice(6, 2) != "00")
    return (
        pl.when(precision.is_null())
        .then(pl.lit("unreadable"))
        .when(said_a_day & precision.is_in(["year", "month"]))
        .then(pl.lit("impossible_day"))
    )


def _bare(name: str) -> pl.Expr:
    bare = pl.col(name).str.strip_chars()
    return pl.when(bare != "").then(bare)


Conversion = Callable[[Field, Knowledge, dates.Order], pl.Expr]


def _key(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    return _bare(field.name)


def _code(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    known = knowledge.code_lists.get(field.list or "")
    if not known:
        return _bare(field.name)
    repair = codes.codes_expr if field.type == "codes" else codes.code_expr
    return repair(field.name, known)


def _sex(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    return codes.sex_expr(field.name)


def _integer(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    bare = _bare(field.name).str.replace(r"\.0+\z", "")
    whole = pl.when(bare.str.contains(r"\A[+-]?[0-9]{1,18}\z")).then(bare)
    return whole.cast(pl.Int64, strict=False)


def _decimal(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    bare = _bare(field.name)
    number = pl.when(bare.str.contains(r"\A[+-]?[0-9]{1,15}(\.[0-9]*)?\z")).then(bare)
    return number.cast(pl.Decimal(18, 3), strict=False)


def _date(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    return dates.date_expr(field.name, order)


def _datetime(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    """A time; where only a day was sent (NGAY_MIEN_CCT may have 8 characters), its midnight.

    Some papers list several times (XML13): that is no time, and stays unreadable.
    """
    text = pl.col(field.name).str.strip_chars()
    # Only a text that says no time at all: "202605112561" says one, and it is none.
    says_no_time = text.str.contains(r"\A[0-9]{8}\z|\A[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}\z")
    by_day = pl.when(says_no_time).then(dates.date_expr(field.name, order)).cast(pl.Datetime("us"))
    return pl.coalesce(dates.datetime_expr(field.name, order), by_day)


def _identifier(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    return identifiers.value_expr(field.name)


def _cards(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    return insurance_card.cards_expr(field.name)


def _phone(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    return phones.phone_expr(field.name, knowledge.phone_prefixes)


def _icd(field: Field, knowledge: Knowledge, order: dates.Order) -> pl.Expr:
    """A code that is no code stays, in capitals: a rule must see it."""
    return icd10.list_expr(field.name)


_CONVERSIONS: dict[str, Conversion] = {
    "key": _key,
    "code": _code,
    "codes": _code,
    "integer": _integer,
    "decimal": _decimal,
    "date": _date,
    "datetime": _datetime,
    "dates": _key,
    "birth": _key,
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
