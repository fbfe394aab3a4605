"""The identity block: who a record is about, in the same columns for every table that describes a person."""

from __future__ import annotations

import polars as pl

from datasach.spec.contract import Table
from datasach.standardise.types import Knowledge
from datasach.store.warehouse import IDENTITY_COLUMNS
from datasach.vn import dates, identifiers, insurance_card, names, text

_DTYPES = {"VARCHAR": pl.String, "BOOLEAN": pl.Boolean, "DATE": pl.Date, "INTEGER": pl.Int32}
MERGED = ("province", "commune")


def identity_block(
    raw: pl.DataFrame, typed: pl.DataFrame, table: Table, knowledge: Knowledge, order: dates.Order
) -> pl.DataFrame:
    """IDENTITY_COLUMNS for every row of a chunk; parts the contract does not declare are null.

    `raw` is the chunk as sent, `typed` the same rows converted, with `_on` the date that decides which
    list of provinces was in force.
    """
    assert table.identity is not None
    parts = table.identity.fields()
    frame = pl.DataFrame({"_on": typed.get_column("_on")})
    if "full_name" in parts:
        parsed = names.parse_column(raw.get_column(parts["full_name"])).drop("reasons")
        frame = frame.hstack(parsed)
    if "born" in parts:
        born = raw.select(pl.col(parts["born"]).alias("born"))
        frame = frame.hstack(
            born.select(
                dates.birth_on("born", order).alias("born_on"),
                dates.birth_year("born", order).alias("birth_year"),
                dates.birth_precision("born", order).alias("birth_precision"),
            )
        )
    for part, column in (("sex", "sex"), ("phone", "phone"), ("patient_code", "patient_code")):
        if part in parts:
            frame = frame.with_columns(typed.get_column(parts[part]).alias(column))
    frame = _numbers(frame, typed, parts)
    frame = _places(frame, typed, parts, knowledge)
    if "mother_name" in parts:
        mother = typed.select(pl.col(parts["mother_name"]))
        folded = mother.select(text.fold_expr(pl.col(parts["mother_name"]))).to_series()
        frame = frame.with_columns(folded.alias("mother_name_folded"))
    if "mother_identifier" in parts:
        frame = frame.with_columns(
            typed.select(
                identifiers.citizen_id_expr(parts["mother_identifier"]).alias("mother_citizen_id")
            ).to_series()
        )
    return frame.select(
        (pl.col(name) if name in frame.columns else pl.lit(None)).cast(_DTYPES[kind]).alias(name)
        for name, kind in IDENTITY_COLUMNS
    )


def _numbers(frame: pl.DataFrame, typed: pl.DataFrame, parts: dict[str, str]) -> pl.DataFrame:
    """Identifier with its kind, and the insurance card with its number."""
    size = typed.height
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, size)
    identifier = typed.get_column(parts["identifier"]) if "identifier" in parts else nothing
    cards = typed.get_column(parts["card"]) if "card" in parts else nothing
    frame = frame.with_columns(identifier.alias("identifier"), cards.alias("_cards"))
    frame = frame.with_columns(insurance_card.first_card(pl.col("_cards")).alias("insurance_card"))
    for column, kind in (("sex", pl.String), ("birth_year", pl.Int32)):
        if column not in frame.columns:
            frame = frame.with_columns(pl.lit(None, kind).alias(column))
    frame = frame.with_columns(
        identifiers.kind_expr("identifier", "sex", "birth_year", "insurance_card").alias(
            "identifier_kind"
        ),
        identifiers.citizen_id_expr("identifier").alias("citizen_id"),
        insurance_card.insurance_number(pl.col("insurance_card")).alias("insurance_number"),
        insurance_card.kind(pl.col("insurance_card")).alias("_card_kind"),
    )
    # Since 1 August 2025 a personal id may stand where the card's number stood, and a social-insurance
    # number still stands at times where the personal id belongs: each is kept for what it is.
    return frame.with_columns(
        pl.when(pl.col("citizen_id").is_null() & (pl.col("_card_kind") == "citizen_id"))
        .then("insurance_card")
        .otherwise("citizen_id")
        .alias("citizen_id"),
        pl.when(
            pl.col("insurance_number").is_null() & (pl.col("identifier_kind") == "insurance_number")
        )
        .then("identifier")
        .otherwise("insurance_number")
        .alias("insurance_number"),
    )


def _places(
    frame: pl.DataFrame, typed: pl.DataFrame, parts: dict[str, str], knowledge: Knowledge
) -> pl.DataFrame:
    if "province" not in parts and "commune" not in parts:
        return frame
    columns = {part: parts.get(part) for part in ("province", "commune", "district")}
    names_ = [name for name in columns.values() if name]
    context = typed.select(*names_, "_on").lazy()
    placed = knowledge.places.resolve(context, on="_on", **columns).collect()
    return frame.hstack(
        placed.select("province_code", "province_vintage", "commune_code", "commune_vintage")
    )


def merger_changes(typed: pl.DataFrame, block: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Rows whose province or commune was carried over to the list of 2025: row, field, source, new value."""
    assert table.identity is not None
    parts = table.identity.fields()
    found = []
    for part in MERGED:
        if part not in parts:
            continue
        sent, code, vintage = typed.get_column(parts[part]), f"{part}_code", f"{part}_vintage"
        frame = pl.DataFrame(
            {
                "row": pl.int_range(typed.height, eager=True),
                "source": sent,
                "new": block[code],
                "v": block[vintage],
            }
        )
        found.append(
            frame.filter(
                pl.col("new").is_not_null()
                & (pl.col("v") != "2025")
                & (pl.col("new") != pl.col("source"))
            ).select(
                "row",
                pl.lit(code).alias("field"),
                pl.when(pl.col("v") == "ambiguous")
                .then(pl.lit("merger_ambiguous"))
                .otherwise(pl.lit("merger"))
                .alias("reason"),
                "source",
                "new",
            )
        )
    return pl.concat(found) if found else pl.DataFrame()
