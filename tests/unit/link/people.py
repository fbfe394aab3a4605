"""Small invented populations for linkage tests: written out by hand here, nobody in them exists."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import polars as pl

from datasach.link.engine import Records, encode_records
from datasach.pipeline.linking import load_document
from datasach.spec.matching import Matching

ROOT = Path(__file__).parents[3]
SURNAMES = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi"]
MIDDLES = ["Văn", "Thị", "Minh", "Ngọc", "Thanh", "Hữu", ""]
GIVENS = ["An", "Bình", "Chi", "Dũng", "Giang", "Hà", "Khánh", "Lan", "Mai", "Nam", "Phúc", "Quang"]
COLUMNS = (
    "record_key", "full_name", "born_on", "birth_year", "sex", "citizen_id", "insurance_number", "phone",
    "province_code", "commune_code", "mother_name", "mother_citizen_id", "facility",
)  # fmt: skip


def document() -> Matching:
    return load_document(ROOT / "rules/linkage/person.yaml")


def person(draw: random.Random, number: int) -> dict[str, str | int | None]:
    sex = draw.choice(["1", "2"])
    year, month, day = draw.randint(1950, 2020), draw.randint(1, 12), draw.randint(1, 28)
    century = 0 if year < 2000 else 2
    province = draw.choice(["01", "79", "48"])
    return {
        "full_name": " ".join(filter(None, [draw.choice(SURNAMES), draw.choice(MIDDLES), draw.choice(GIVENS)])),
        "born_on": f"{year}-{month:02}-{day:02}",
        "birth_year": year,
        "sex": sex,
        "citizen_id": f"0{province}{century + (sex == '2')}{year % 100:02}{draw.randint(1, 999999):06}",
        "insurance_number": f"{draw.randint(10**9, 10**10 - 1)}",
        "phone": f"09{draw.randint(10**7, 10**8 - 1)}",
        "province_code": province,
        "commune_code": draw.choice(["00004", "26734", "20194"]),
        "mother_name": None,
        "mother_citizen_id": None,
        "person": number,
    }  # fmt: skip


def seen(draw: random.Random, someone: dict[str, str | int | None]) -> dict[str, str | int | None]:
    """What one visit wrote down: something is often missing, sometimes wrong."""
    record = dict(someone)
    for column in ("citizen_id", "insurance_number", "phone", "commune_code"):
        if draw.random() < 0.3:
            record[column] = None
    if draw.random() < 0.1:
        record["full_name"] = str(record["full_name"]).replace("ễ", "e").replace("ầ", "a").upper()
    if draw.random() < 0.05:
        record["born_on"] = None
    if draw.random() < 0.1:
        record["phone"] = f"08{draw.randint(10**7, 10**8 - 1)}"
    record["facility"] = f"{record['province_code']}00{draw.randint(1, 4)}"
    return record


def population(seed: int, persons: int, most: int = 4) -> pl.DataFrame:
    """Records of `persons` people, each seen one to `most` times, in no order; `person` is the truth."""
    draw = random.Random(seed)
    rows = []
    for number in range(persons):
        someone = person(draw, number)
        rows += [seen(draw, someone) for _ in range(draw.randint(1, most))]
    draw.shuffle(rows)
    keys = draw.sample(range(10**9), len(rows))
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        record_key=pl.Series([f"r{k:09}" for k in keys])
    )


def encode(frame: pl.DataFrame, matching: Matching | None = None) -> Records:
    return encode_records(read(frame), matching or document())


def read(frame: pl.DataFrame) -> Callable[[str], pl.Series | None]:
    """Columns of a frame by name, None where it has none of that name."""
    return lambda name: frame[name] if name in frame.columns else None


def frame_of(*rows: dict[str, str | int | None]) -> pl.DataFrame:
    """A few records written out; what is not said is not known."""
    full = [
        {c: None for c in COLUMNS} | {"record_key": f"k{i}"} | row for i, row in enumerate(rows)
    ]
    schema = {c: pl.Int32 if c == "birth_year" else pl.String for c in COLUMNS}
    return pl.DataFrame(full, schema=schema)


def partition_of(keys: pl.Series, person: pl.Series) -> set[frozenset[str]]:
    """Persons as sets of record keys, so that two answers can be compared whatever they call them."""
    grouped = pl.DataFrame({"k": keys, "p": person}).group_by("p").agg("k")
    return {frozenset(members) for members in grouped["k"].to_list()}
