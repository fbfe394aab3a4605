"""The schedule: same seed same bytes, nights on their own, history, damage, full databases."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from synth_country import DEMO, FIRST, NIGHTS, REFERENCE, Country, make, tree

from datasach.spec.project import load_project
from datasach.synth import CANARY_ID, CANARY_NAME, CANARY_PHONE, generate

SMALL = {"persons": 3_000, "visits_per_night": 60}
PROJECT = REFERENCE.parents[1]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path):
    first = make(tmp_path / "a", nights=NIGHTS[:2], **SMALL)
    second = make(tmp_path / "b", nights=NIGHTS[:2], **SMALL)
    assert tree(first.inbox) == tree(second.inbox)
    assert tree(first.truth) == tree(second.truth)


def test_another_seed_gives_another_inbox(tmp_path: Path):
    first = make(tmp_path / "a", nights=NIGHTS[:1], **SMALL)
    second = make(tmp_path / "b", nights=NIGHTS[:1], seed=2, **SMALL)
    assert tree(first.inbox) != tree(second.inbox)


def test_a_night_made_alone_equals_the_same_night_among_others(tmp_path: Path, demo: Country):
    alone = make(tmp_path, nights=[NIGHTS[1]], first=FIRST)
    night = NIGHTS[1].isoformat()
    assert tree(alone.inbox / night) == tree(demo.inbox / night)
    for table in ("records", "errors", "files", "people"):
        among = pl.read_parquet(demo.truth / table / f"{night}.parquet")
        assert pl.read_parquet(alone.truth / table / f"{night}.parquet").equals(among)


def test_a_night_before_the_first_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="before the first night"):
        make(tmp_path, nights=[FIRST], first=FIRST + datetime.timedelta(1), **SMALL)


def test_an_unknown_province_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="27"):
        make(tmp_path, provinces=["27"], **SMALL)


def test_every_table_of_the_fourteen_databases_has_rows(demo: Country, units):
    held = set(demo.table("records")["table"])
    held |= {"drugs.drug", "devices.device", "eprescription.line"}
    envelopes = {name for unit in units for name, rows in unit.tables.items() if rows}
    assert envelopes == {f"XML{n}" for n in range(16)}
    databases = {name.split(".")[0] for name in held}
    assert databases == set(load_project(PROJECT).databases)


def test_visits_are_about_as_many_as_asked_for(demo: Country):
    assert 0.85 < demo.summary.visits / (3 * DEMO["visits_per_night"]) < 1.15


def test_all_kinds_of_arrival_occur(demo: Country):
    files = demo.table("files")
    kinds = {
        "normal",
        "late",
        "correction",
        "withdrawal",
        "redelivery",
        "damaged",
        "repaired",
        "stray",
    }
    assert set(files["kind"]) == kinds
    damage = set(files.filter(pl.col("kind").is_in(["damaged", "stray"]))["detail"])
    assert damage == {
        "truncated_xml", "wrong_facility", "broken_base64", "broken_csv",
        "empty_file", "unknown_format", "wrong_count", "broken_zip",
    }  # fmt: skip


def test_the_truth_names_every_file_with_its_hash(demo: Country):
    listed = {row["file"]: row["sha256"] for row in demo.table("files").iter_rows(named=True)}
    found = {name: hashlib.sha256(data).hexdigest() for name, data in tree(demo.inbox).items()}
    assert listed == found


def test_a_late_file_arrives_after_its_night_and_not_before(demo: Country):
    late = demo.table("files").filter(pl.col("kind") == "late")
    assert (late["night"] > late["event_night"]).all()
    for file, event in late.select("file", "event_night").iter_rows():
        name = file.rsplit("/", 1)[1]
        assert not list((demo.inbox / event.isoformat()).rglob(name))


def test_a_redelivery_is_the_same_bytes_under_another_name(demo: Country):
    files = demo.table("files")
    again = files.filter(pl.col("kind") == "redelivery")
    assert len(again) > 0
    for sha, sender, original in again.select("sha256", "sender", "detail").iter_rows():
        first = files.filter(
            (pl.col("sha256") == sha) & pl.col("file").str.ends_with(f"{sender}/{original}")
        )
        assert len(first) == 1


def test_a_correction_has_the_same_key_and_another_content(demo: Country, units):
    corrections = set(demo.table("files").filter(pl.col("kind") == "correction")["file"])
    rows = {}
    for unit in units:
        if "XML1" in unit.tables:
            key = (unit.facility, unit.file[11:].split("/")[1][:4], unit.tables["XML1"][0]["MA_LK"])
            rows.setdefault(key, []).append((unit.file in corrections, unit.tables["XML1"][0]))
    changed = [versions for versions in rows.values() if any(is_new for is_new, _ in versions)]
    assert len(changed) > 10
    pairs = [versions for versions in changed if len(versions) == 2]
    assert pairs and all(first[1] != second[1] for first, second in pairs)


def test_no_damage_is_made_when_none_is_asked_for(clean: Country):
    assert set(clean.table("files")["kind"]) == {"normal", "late", "redelivery"}


def test_every_envelope_goes_through_the_signing_hook(tmp_path: Path):
    seen: list[str] = []

    def sign(envelope: bytes, facility: str) -> bytes:
        assert b"CHUKYDONVI/>" in envelope.replace(b"\x00", b"")
        seen.append(facility)
        return envelope + b"<!-- signed -->"

    country = make(tmp_path, nights=NIGHTS[:1], sign=sign, damaged=0.0, **SMALL)
    plain = [
        path
        for path in country.inbox.rglob("*_00?.xml")
        if not path.read_bytes().startswith(b"\xff\xfe")
    ]
    assert plain and all(path.read_bytes().endswith(b"<!-- signed -->") for path in plain)
    assert len(set(seen)) == 12


def test_the_canary_is_in_every_night(demo: Country):
    for night in NIGHTS:
        people = pl.read_parquet(demo.truth / "people" / f"{night}.parquet")
        canary = people.filter(pl.col("name") == CANARY_NAME)
        assert canary.select("citizen_id", "phone").rows() == [(CANARY_ID, CANARY_PHONE)]
        records = pl.read_parquet(demo.truth / "records" / f"{night}.parquet")
        tables = set(records.filter(pl.col("person") == canary["person"][0])["table"])
        assert {"eprescription.prescription", "ehr_book.consent"} <= tables
        assert tables & {"kcb_emr.visit", "bhyt_claims.claim"}


def test_health_books_cover_most_people_and_come_on_the_first_night(demo: Country):
    path = demo.inbox / FIRST.isoformat() / "C06" / f"SSKDT_{FIRST:%Y%m%d}.parquet"
    assert 0.7 < pq.read_metadata(path).num_rows / DEMO["persons"] < 1.0
    later = demo.inbox / NIGHTS[1].isoformat() / "C06" / f"SSKDT_{NIGHTS[1]:%Y%m%d}.parquet"
    assert pq.read_metadata(later).num_rows < 100


def test_people_are_the_same_on_whatever_night(tmp_path: Path):
    def books(night: datetime.date, folder: str) -> pl.DataFrame:
        generate(
            tmp_path / folder / "inbox", tmp_path / folder / "truth", reference=REFERENCE, seed=1,
            nights=[night], persons=2_000, visits_per_night=30,
        )  # fmt: skip
        path = tmp_path / folder / "inbox" / f"{night}" / "C06" / f"SSKDT_{night:%Y%m%d}.parquet"
        return pl.read_parquet(path).select("ma_so_sskdt", "so_cccd", "ho_ten", "ngay_sinh")

    march, june = books(FIRST, "a"), books(datetime.date(2026, 6, 1), "b")
    assert march.join(june, on=march.columns).height == march.height
    assert june.height > march.height  # those born in between


@pytest.mark.parametrize("facilities", [1, 2, 5])
def test_a_country_may_be_very_small(tmp_path: Path, facilities: int):
    country = make(
        tmp_path, nights=NIGHTS[:2], facilities=facilities, persons=300, visits_per_night=8
    )
    assert country.summary.visits > 0
