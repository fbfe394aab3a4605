"""Records as a peer wants them: the same standardising for every peer, done beforehand and in nobody's time.

    python benchmarks/linkage/prepare.py RECORDS.parquet OUT.parquet

Peers compare what they are given, so a careful user gives them names without marks and split, placeholders taken out, ids
checked against the record they stand on, communes of before July 2025 as the communes they became. Our own engine reads the
raw records and does this inside its time; the comparison favours the peers by that much.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import polars as pl

from datasach.vn.names import parse_column
from datasach.vn.text import fold_expr

WARDS = Path(__file__).parents[2] / "datasets/_reference/wards.csv.gz"
NO_IDS = ["000000000000", "111111111111", "123456789012", "999999999999", "012345678912"]
NO_PHONES = ["0000000000", "0123456789", "0900000000", "0912345678", "0987654321", "0999999999"]
PHONE_OF_MANY = 30
"""A number on more records than this is a clinic's or a clerk's: it blocks nothing, but is compared (rarity weighs it)."""


def prepare(records: pl.DataFrame) -> pl.DataFrame:
    named = parse_column(records["full_name"])
    mothers = parse_column(records["mother_name"])
    frame = records.with_columns(
        name=pl.when(~named["is_placeholder_name"]).then(named["name_folded"]),
        marked=pl.when(~named["is_placeholder_name"]).then(named["full_name"].str.to_lowercase()),
        mother_name=pl.when(~mothers["is_placeholder_name"]).then(mothers["name_folded"]),
    )
    words = pl.col("name").str.split(" ")
    frame = frame.with_columns(
        surname=words.list.first(),
        middle=pl.when(words.list.len() > 2).then(words.list.slice(1, words.list.len() - 2).list.join(" ")),
        given=words.list.last(),
        name_sorted=words.list.sort().list.join(" "),
        # A name without a single mark may have lost them: then it says nothing about marks.
        marked=pl.when(fold_expr(pl.col("marked")) != pl.col("marked").str.replace_all("'", "")).then("marked"),
    )  # fmt: skip
    frame = frame.with_columns(given_marked=pl.col("marked").str.split(" ").list.last())
    year = pl.col("birth_year").cast(pl.String)
    month, day = pl.col("born_on").str.slice(5, 2), pl.col("born_on").str.slice(8, 2)
    on_0101 = (month == "01") & (day == "01")
    citizen = pl.when(~pl.col("citizen_id").is_in(NO_IDS)).then("citizen_id")
    century = pl.col("citizen_id").str.slice(3, 1).cast(pl.Int32, strict=False)
    codes = pl.read_csv(WARDS.with_name("provinces.csv"), infer_schema=False)[
        "cccd_code3"
    ].implode()
    own = (
        (pl.col("citizen_id").str.len_chars() == 12)
        & pl.col("citizen_id").str.slice(0, 3).is_in(codes)
        & (pl.col("citizen_id").str.slice(4, 2) == year.str.slice(2, 2)).fill_null(True)
        & (century // 2 + 19 == pl.col("birth_year") // 100).fill_null(True)
        & (century % 2 == pl.col("sex").cast(pl.Int32, strict=False) - 1).fill_null(True)
    )
    frame = frame.with_columns(
        birth_year=year,
        born_day=pl.when(~on_0101).then("born_on"),
        day_month=pl.min_horizontal(day, month) + "-" + pl.max_horizontal(day, month),
        month_day=pl.when(~on_0101).then(pl.col("born_on").str.slice(5)),
        citizen_id=citizen,
        citizen_own=pl.when(own).then(citizen),
        citizen_tail=citizen.str.slice(-6),
        citizen_head=pl.when(pl.col("citizen_id").str.len_chars() == 12).then(citizen.str.slice(0, 9)),
        phone=pl.when(~pl.col("phone").is_in(NO_PHONES)).then("phone"),
    )  # fmt: skip
    shared = pl.len().over("phone")
    frame = frame.with_columns(phone_block=pl.when(shared <= PHONE_OF_MANY).then("phone"))
    wards = pl.read_csv(WARDS, infer_schema=False)
    new = wards.select(
        code="new_ward_code", commune="new_ward_code", province="new_province_code"
    ).unique()
    old = wards.filter(pl.col("is_default") == "Y").select(
        code="old_ward_code", commune="new_ward_code", province="new_province_code"
    )  # fmt: skip
    places = pl.concat(
        [new, old.drop_nulls("code").unique("code", keep="first").join(new, on="code", how="anti")]
    )
    frame = frame.join(places, left_on="commune_code", right_on="code", how="left")
    return frame.select(
        pl.col("record_key").alias("unique_id"), "name", "marked", "surname", "middle", "given", "given_marked", "name_sorted",
        "born_on", "born_day", "birth_year", "day_month", "month_day", "sex", "citizen_id", "citizen_own", "citizen_tail",
        "citizen_head", "insurance_number", "phone", "phone_block", "commune", "province", "facility", "mother_name",
        pl.col("mother_citizen_id").alias("mother_id"),
    )  # fmt: skip


if __name__ == "__main__":
    start = time.process_time()
    prepare(pl.read_parquet(sys.argv[1])).write_parquet(sys.argv[2])
    print(f"prepared in {time.process_time() - start:.1f} CPU-s")
