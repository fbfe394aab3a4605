"""What leaves the warehouse: who gets which rows and columns of an invented country, and what is logged first."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from datasach.errors import AccessRefused, WarehouseDamaged
from datasach.pipeline.handing_over import hand_over
from datasach.protect import export as exporting
from datasach.protect.accesslog import AccessLog
from datasach.protect.desk import Asked, is_about_people, open_desk
from datasach.protect.export import Exported
from datasach.protect.leaks import scan
from datasach.spec.access import IDENTIFYING, Access, load_access
from datasach.spec.project import Project
from tests.conftest import Invented
from tests.unit.protect.conftest import ACTORS, make_vault

REASON = "cấp cứu lúc nửa đêm"


@pytest.fixture(scope="module")
def three_nights(three_nights: Invented, tmp_path_factory: pytest.TempPathFactory) -> Invented:
    """A copy: what is handed over is written into the warehouse's access log."""
    out = tmp_path_factory.mktemp("zones") / "warehouse"
    shutil.copytree(three_nights.out, out, symlinks=True)
    return replace(three_nights, out=out)


@pytest.fixture(scope="module")
def access(project: Project) -> Access:
    return load_access(project)


@pytest.fixture(scope="module")
def vault(access: Access, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_vault(tmp_path_factory.mktemp("vaults") / "vault", access)


@pytest.fixture(scope="module")
def handed(
    project: Project, three_nights: Invented, vault: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str, str], Exported]:
    """(actor, zone, purpose) → what was handed over."""
    to = tmp_path_factory.mktemp("handed")
    asked = [
        ("an.national", "general", "data_quality"), ("an.analyst", "general", "statistics"),
        ("an.national", "open", "statistics"), ("an.province", "restricted", "data_quality"),
        ("an.facility", "restricted", "data_quality"), ("an.national", "restricted", "data_quality"),
        ("an.national", "general", "share_health_book"), ("an.hiv", "general", "hiv_programme"),
    ]  # fmt: skip
    return {
        (actor, zone, purpose): hand_over(
            project,
            three_nights.out,
            Asked(vault, purpose, zone, actor),
            to / actor,  # type: ignore[arg-type]
        )
        for actor, zone, purpose in asked
    }


def rows(done: Exported, table: str) -> pl.DataFrame:
    return pl.read_parquet(done.folder / f"{table.replace('.', '/')}.parquet")


def published(invented: Invented, table: str) -> pl.DataFrame:
    return pl.read_parquet(invented.out / f"published/latest/{table.replace('.', '/')}.parquet")


def test_the_general_zone_has_only_what_a_contract_calls_general(
    project: Project, handed: dict[tuple[str, str, str], Exported]
) -> None:
    done = handed["an.national", "general", "data_quality"]
    seen = 0
    for table in project.tables.values():
        path = done.folder / table.database / f"{table.name}.parquet"
        if not path.exists() or not is_about_people(project, table):
            continue
        columns = set(pl.read_parquet_schema(path))
        restricted = {f.name for f in table.fields if f.classification == "restricted"}
        identifying = {f.name for f in table.fields if f.type in IDENTIFYING}
        assert not columns & (restricted | identifying), table.id
        assert not columns & {"person_id", "_file", "_row", "full_name", "born_on", "commune_code"}
        seen += 1
    assert seen > 20
    assert not (done.folder / "prevention/hiv.parquet").exists()
    assert not (done.folder / "prevention/tuberculosis.parquet").exists(), (
        "restricted in every field"
    )


def test_nobody_of_the_country_is_found_in_the_general_or_open_zone(
    three_nights: Invented, handed: dict[tuple[str, str, str], Exported], tmp_path: Path
) -> None:
    people = published(three_nights, "persons.person").sample(100, seed=1)
    values = {
        value
        for column in ("full_name", "citizen_id", "insurance_card", "phone", "person_id")
        for value in people[column].drop_nulls()
    }
    (tmp_path / "canaries.txt").write_text("\n".join(sorted(values)), "utf-8")
    zones = [done.folder for (_, zone, _), done in handed.items() if zone != "restricted"]
    found = scan(zones, tmp_path / "canaries.txt")
    assert found.files > 50 and found.canaries == {}
    assert {kind for kinds in found.patterns.values() for kind in kinds} <= set()
    restricted = handed["an.national", "restricted", "data_quality"].folder / "persons"
    assert scan([restricted], tmp_path / "canaries.txt").canaries, (
        "the search would have found them"
    )


def test_pseudonyms_join_within_a_purpose_and_not_across(
    three_nights: Invented, handed: dict[tuple[str, str, str], Exported]
) -> None:
    quality = handed["an.national", "general", "data_quality"]
    statistics = handed["an.analyst", "general", "statistics"]
    visits, drugs = rows(quality, "kcb_emr.visit"), rows(quality, "kcb_emr.drug")
    whole = published(three_nights, "kcb_emr.visit")
    assert (
        visits["pid"].n_unique()
        == whole.filter(pl.struct("_facility", "ma_lk").is_in(visits_of(whole, visits).implode()))[
            "person_id"
        ].n_unique()
    )
    assert (
        drugs.join(visits, on="ma_lk", how="anti").height
        == published(three_nights, "kcb_emr.drug")
        .join(whole, on=["_facility", "ma_lk"], how="anti")
        .height
    )
    persons = rows(quality, "persons.person")
    assert visits.drop_nulls("pid").join(persons, on="pid", how="anti").is_empty()
    other = rows(statistics, "kcb_emr.visit")
    for column in ("pid", "rid", "ma_lk"):
        assert not set(other[column].drop_nulls()) & set(visits[column].drop_nulls()), column


def visits_of(whole: pl.DataFrame, kept: pl.DataFrame) -> pl.Series:
    """The episodes of the published visits that were handed over, found by what both tables show."""
    shown = ["ma_benh_chinh", "ngay_vao", "ngay_ra", "_facility", "t_tongchi_bv", "stt"]
    return whole.join(kept.select(shown).unique(), on=shown, nulls_equal=True).select(
        pl.struct("_facility", "ma_lk")
    ).to_series()  # fmt: skip


def test_what_reveals_hiv_is_in_its_own_zone_only(
    project: Project, three_nights: Invented, handed: dict[tuple[str, str, str], Exported]
) -> None:
    hiv = published(three_nights, "prevention.hiv").select("_facility", "ma_lk").unique()
    assert hiv.height, "the invented country has some"
    before = after = 0
    for done in (
        handed["an.national", "general", "data_quality"],
        handed["an.national", "restricted", "data_quality"],
    ):
        assert not (done.folder / "prevention/hiv.parquet").exists()
        for table in project.tables.values():
            path = done.folder / table.database / f"{table.name}.parquet"
            if "ma_lk" not in table.field_names or not path.exists():
                continue
            whole = published(three_nights, table.id)
            lost = whole.join(hiv, on=["_facility", "ma_lk"], how="semi").height
            before, after = before + whole.height, after + pl.read_parquet(path).height
            assert pl.read_parquet(path).height <= whole.height - lost, table.id
            text = " ".join(
                map(str, pl.read_parquet(path).select(pl.col(pl.String)).rows())
            ).lower()
            for word in ("lamivudin", "dolutegravir", "tenofovir", "hiv"):
                assert word not in text, (table.id, word)
    assert 0 < before - after < before / 20, "and little else went with it"
    own = rows(handed["an.hiv", "general", "hiv_programme"], "prevention.hiv")
    assert own.height == published(three_nights, "prevention.hiv").height
    assert {"pid", "ngaykd_hiv", "bddt_arv"} <= set(own.columns) and "so_cccd" not in own.columns


@pytest.mark.parametrize("actor", ["an.province", "an.facility"])
def test_nobody_sees_another_territory(
    project: Project,
    three_nights: Invented,
    handed: dict[tuple[str, str, str], Exported],
    actor: str,
) -> None:
    done = handed[actor, "restricted", "data_quality"]
    known = pl.read_parquet(three_nights.out / "state/results/checks.facilities.parquet")
    mine = (
        set(known.filter(pl.col("province_code") == "79")["facility"])
        if actor == "an.province"
        else {"79001"}
    )
    total = 0
    for table in project.tables.values():
        path = done.folder / table.database / f"{table.name}.parquet"
        if not is_about_people(project, table) or not path.exists():
            continue
        found = pl.read_parquet(path)
        assert set(found["_facility"]) <= mine, table.id
        whole = published(three_nights, table.id).filter(pl.col("_facility").is_in(list(mine)))
        total += whole.height
        assert found.height >= 0.9 * whole.height, "all of one's own but what is kept apart"
    assert total > 50
    people = set(rows(done, "persons.person")["person_id"])
    assert 0 < len(people) < published(three_nights, "persons.person").height / 2


def test_only_people_who_consented_are_in_a_purpose_that_needs_consent(
    three_nights: Invented, handed: dict[tuple[str, str, str], Exported]
) -> None:
    done = handed["an.national", "general", "share_health_book"]
    events = published(three_nights, "ehr_book.consent").sort("thoi_diem")
    last = events.group_by("person_id").agg(pl.col("trang_thai").last())
    willing = set(last.filter(pl.col("trang_thai") == "dong_y")["person_id"])
    unwilling = set(last.filter(pl.col("trang_thai") != "dong_y")["person_id"])
    assert willing and unwilling
    people = rows(done, "persons.person")["pid"].n_unique()
    assert 0 < people <= len(willing)
    assert not (done.folder / "bhyt_claims").exists(), "the purpose does not name it"


def test_every_request_is_decided_as_declared_and_logged(
    project: Project, access: Access, three_nights: Invented, vault: Path
) -> None:
    """Every actor × purpose × zone. Refused ones are refused before the snapshot is even opened."""
    log = AccessLog(three_nights.out)
    before = log.verify().entries
    asked = list(itertools.product(ACTORS, access.purposes, ("restricted", "general", "open")))
    may = 0
    for actor, purpose, zone in asked:
        role, one = access.roles[ACTORS[actor][0]], access.purposes[purpose]
        declared = purpose in role.purposes and zone in role.zones and zone in one.zones
        if declared:
            may += 1
            continue
        with (
            pytest.raises(AccessRefused, match="^(PURPOSE|ZONE): "),
            open_desk(
                project,
                three_nights.out,
                Asked(vault, purpose, zone, actor, REASON),
                "export",  # type: ignore[arg-type]
            ),
        ):
            raise AssertionError("opened")
    assert may > 15
    entries = list(log.entries())[before:]
    assert len(entries) == len(asked) - may
    assert {entry["decision"] for entry in entries} == {"PURPOSE", "ZONE"}


def test_an_emergency_needs_a_reason_and_it_is_logged(
    project: Project, three_nights: Invented, vault: Path
) -> None:
    with (
        pytest.raises(AccessRefused, match="REASON"),
        open_desk(
            project,
            three_nights.out,
            Asked(vault, "emergency", "restricted", "an.facility", "gấp"),
            "export",
        ),
    ):
        pass
    with open_desk(
        project,
        three_nights.out,
        Asked(vault, "emergency", "restricted", "an.facility", REASON),
        "export",
    ) as desk:
        desk.enter("export", "OK")
    assert list(AccessLog(three_nights.out).entries())[-1]["reason"] == REASON


def test_the_log_stands_before_the_first_byte(
    project: Project,
    three_nights: Invented,
    vault: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    def look(desk: object, side: Path, *_: object) -> dict[str, object]:
        entry = list(AccessLog(three_nights.out).entries())[-1]
        seen.append((entry["verb"], entry["decision"], entry["purpose"], list(side.iterdir())))
        raise RuntimeError("killed here")

    monkeypatch.setattr(exporting, "_write_tables", look)
    asked = Asked(
        vault, "data_quality", "general", "an.national", recipient="Viện nghiên cứu (hư cấu)"
    )
    with pytest.raises(RuntimeError, match="killed here"):
        hand_over(project, three_nights.out, asked, tmp_path / "to")
    assert seen == [("export", "OK", "data_quality", [])]
    assert not [p for p in (tmp_path / "to").rglob("*") if p.is_file()]
    assert list(AccessLog(three_nights.out).entries())[-1]["decision"] == "FAILED"


def test_a_damaged_snapshot_is_not_handed_over(
    project: Project, three_nights: Invented, vault: Path, tmp_path: Path, copy_of
) -> None:  # type: ignore[no-untyped-def]
    out = copy_of(three_nights.out)
    path = out / "published/latest/kcb_emr/visit.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)
    with pytest.raises(WarehouseDamaged, match=r"kcb_emr/visit\.parquet altered"):
        hand_over(
            project, out, Asked(vault, "data_quality", "general", "an.national"), tmp_path / "to"
        )


def test_an_export_does_not_go_into_the_restricted_zone(
    project: Project, three_nights: Invented, vault: Path
) -> None:
    asked = Asked(vault, "data_quality", "general", "an.national")
    with pytest.raises(AccessRefused, match="does not go into the warehouse"):
        hand_over(project, three_nights.out, asked, three_nights.out / "published")


def test_no_hidden_count_of_the_open_zone_can_be_worked_out(
    handed: dict[tuple[str, str, str], Exported],
) -> None:
    """All printed sums as one system of equations: no hidden count has a unique solution."""
    done = handed["an.national", "open", "statistics"]
    tables: dict[tuple[str, str, str], dict[str, int | None]] = defaultdict(dict)
    with (done.folder / "counts.csv").open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            name = row["breakdown"] + (f"={row['value']}" if row["value"] else "")
            key = (row["database"], row["table"], row["measure"])
            tables[key][name] = int(row["count"]) if row["count"] else None
    hidden = 0
    for (_, _, measure), counts in tables.items():
        assert all(n is None or n == 0 or n >= 5 for n in counts.values())
        hidden += sum(n is None for n in counts.values())
        if measure == "records":
            assert not derivable(counts), counts
    assert hidden > 20
    declared = csv.DictReader((done.folder / "hidden.csv").open(encoding="utf-8-sig"))
    assert sum(int(row["hidden"]) for row in declared) == hidden


def derivable(counts: dict[str, int | None]) -> list[str]:
    """Names whose value follows from the printed ones, by linear algebra over the sums that hold."""
    names = list(counts)
    equations = []
    for breakdown in ("month", "sex", "age", "province"):
        parts = [n for n in names if n.startswith(f"{breakdown}=")]
        if parts:
            equations.append(("nation", parts))
    unknown = [n for n in names if counts[n] is None]
    matrix = np.array(
        [[(-1 if n == whole else n in parts) for n in unknown] for whole, parts in equations], float
    )
    if not unknown or not len(matrix):
        return []
    rank = np.linalg.matrix_rank(matrix)
    return [
        name
        for at, name in enumerate(unknown)
        if np.linalg.matrix_rank(np.vstack([matrix, np.eye(len(unknown))[at]])) == rank
    ]


def test_the_manifest_of_an_export_says_why_and_what(
    handed: dict[tuple[str, str, str], Exported],
) -> None:
    done = handed["an.analyst", "general", "statistics"]
    manifest = json.loads((done.folder / "manifest.json").read_text("utf-8"))
    assert manifest["basis"] == "state_duty" and "102/2025" in manifest["cites"]
    assert manifest["apart"] == ["hiv"] and len(manifest["key"]) == 8
    with duckdb.connect() as con:
        for name, facts in manifest["files"].items():
            path = done.folder / name
            found = con.execute(f"SELECT count(*) FROM read_parquet('{path}')").fetchone()
            assert found == (facts["rows"],), name
