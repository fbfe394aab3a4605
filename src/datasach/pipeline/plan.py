"""What happens in a night, in which order. The only place that knows."""

from __future__ import annotations

from typing import Any

from datasach.extract.apart import Readers
from datasach.extract.arrive import Batch, arrive, waiting
from datasach.extract.extract import BatchResult, extract, refused
from datasach.extract.recheck import recheck
from datasach.link.link import link
from datasach.pipeline.corrections import apply_corrections
from datasach.pipeline.coverage import cover, is_mostly_poison
from datasach.pipeline.head import check_head_key, keep_head
from datasach.pipeline.repeats import name_repeats
from datasach.pipeline.step import Night, Progress, Step
from datasach.publish.books import keep_books
from datasach.publish.quarantine import keep_quarantine
from datasach.publish.release import release, stand_still
from datasach.publish.results import keep_results
from datasach.publish.stage import stage
from datasach.reconcile.channels import compare_channels
from datasach.reconcile.versions import settle_versions
from datasach.report.site import write_report
from datasach.settings import read_limits
from datasach.spec.contract import Title
from datasach.spec.project import Project
from datasach.standardise.standardise import FileFacts, standardise
from datasach.store.layout import Layout, fsync_parts
from datasach.store.warehouse import open_standard
from datasach.validate.gate import judge
from datasach.validate.scores import score
from datasach.validate.validate import validate

MOSTLY_POISON = "most of the night could not be read"


def plan() -> list[Step]:
    """The steps of a night, each after those it needs."""
    return [
        Step("arrive", Title(vi="Tiếp nhận", en="Arrive"), (), _arrive),
        Step("extract", Title(vi="Đọc", en="Extract"), ("arrive",), _extract),
        Step(
            "standardise",
            Title(vi="Chuẩn hoá", en="Standardise"),
            ("extract",),
            _count_standard,
            _unstandardised,
            _standardise_shard,
            _raw_bytes,
            _enter_standard,
        ),  # fmt: skip
        Step("reconcile", Title(vi="Đối chiếu", en="Reconcile"), ("standardise",), _reconcile),
        Step("link", Title(vi="Liên kết", en="Link"), ("reconcile",), _link),
        Step("validate", Title(vi="Kiểm tra", en="Validate"), ("link",), _validate),
        Step("stage", Title(vi="Dàn xếp", en="Stage"), ("validate",), _stage),
        Step("gate", Title(vi="Cổng", en="Gate"), ("stage",), _gate),
        Step("publish", Title(vi="Công bố", en="Publish"), ("gate",), _publish),
        Step("report", Title(vi="Báo cáo", en="Report"), ("publish",), _report),
    ]


# -- arrival and reading ---------------------------------------------------------------------------


def _arrive(night: Night, _: list[Any], progress: Progress) -> None:
    check_head_key()
    new = arrive(
        night.project, night.layout, night.ledger, night.inbox, night.until,
        lambda n: progress(f"{n} files"), workers=night.resources.workers,
    )  # fmt: skip
    again = recheck(night.project, night.layout, night.ledger, night.until)
    night.found["arrive"] = {"new_files": new, "read_again": again}


def _extract(night: Night, _: list[Any], progress: Progress) -> None:
    """Read apart what was not read yet, and enter each batch as soon as it is whole: what is entered is
    not read again, however the run ends."""
    batches = waiting(night.project, night.layout, night.ledger)
    found = {"batches": 0, "rows": 0, "rejected": 0}
    with Readers(night.project, night.layout, read_limits(), night.resources.workers) as readers:
        for batch, result in readers.read(extract, batches, refused):
            rows, rejected = _enter_batch(night, batch, result)
            found["batches"] += 1
            found["rows"] += rows
            found["rejected"] += rejected
            progress(f"{found['batches']}/{len(batches)}")
        night.found["extract"] = found | {
            "deaths": readers.deaths,
            "peak_mb": round(readers.peak_mb),
        }
    coverage = cover(night)
    night.found["coverage"] = coverage.told()
    night.carried["mostly_poison"] = is_mostly_poison(night, coverage)


def _enter_batch(night: Night, batch: Batch, result: BatchResult) -> tuple[int, int]:
    """One transaction, after the parts are in place and on disk; rows read, and rejected."""
    ledger = night.ledger
    rows = rejected = 0
    fsync_parts(night.layout, ("raw", "units", "rejects"), result.batch)
    with ledger.transaction():
        ledger.add_batch(result.batch, batch.night, batch.source)
        for one in result.files:
            facts = {
                "facility": one.facility, "declared_on": one.declared_on, "vintage": one.vintage,
                "signature": one.signature, "units_said": one.units_said,
                "units_read": one.units_read, "notes": ";".join(sorted(one.notes)),
                "batch": result.batch,
            }  # fmt: skip
            if one.code is not None:
                ledger.move_file(one.file, "REJECTED", one.code, detail=one.detail, **facts)
            if one.certificate is not None:
                ledger.add_signer(one.file, one.certificate)
            if one.code is not None:
                continue
            ledger.move_file(one.file, "VERIFIED", one.signature, **facts)
            ledger.move_file(one.file, "INGESTED")
            for table, count in sorted(one.read.items()):
                ledger.add_counts(one.file, table, count, one.rejected[table])
                rows += count
                rejected += one.rejected[table]
    return rows, rejected


def _unstandardised(night: Night) -> list[tuple[str, dict[str, FileFacts]]]:
    shards = []
    for batch in night.ledger.batches("raw"):
        rows = night.ledger.rows(
            "SELECT file, night, sender, channel, source, facility, declared_on FROM files WHERE batch = ?",
            (batch,),
        )
        shards.append((batch, {str(row["file"]): FileFacts(*row) for row in rows}))
    return shards


def _raw_bytes(night: Night, shard: tuple[str, dict[str, FileFacts]]) -> int:
    parts = (night.layout.raw(table, shard[0]) for table in night.project.tables)
    return sum(part.stat().st_size for part in parts if part.exists())


def _standardise_shard(
    project: Project, layout: Layout, shard: tuple[str, dict[str, FileFacts]]
) -> tuple[str, int]:
    batch, files = shard
    return batch, sum(standardise(project, layout, batch, files).values())


def _enter_standard(night: Night, result: tuple[str, int]) -> None:
    """A batch is standardised: its raw parts are needed no longer."""
    batch, _ = result
    fsync_parts(night.layout, ("standard", "changes"), batch)
    with night.ledger.transaction():
        night.ledger.move_batch(batch, "standard")
    for table in night.project.tables:
        night.layout.raw(table, batch).unlink(missing_ok=True)


def _count_standard(night: Night, results: list[tuple[str, int]], progress: Progress) -> None:
    night.found["standardise"] = {"rows": sum(rows for _, rows in results)}


# -- tables ----------------------------------------------------------------------------------------


def _reconcile(night: Night, _: list[Any], progress: Progress) -> None:
    open_standard(night.warehouse, night.project, night.ledger)
    settle_versions(night.warehouse, night.project)
    night.found["corrections"] = apply_corrections(night.warehouse, night.project, night.until)
    compare_channels(night.warehouse, night.project)
    night.found["reconcile"] = dict(
        night.warehouse.rows(
            "SELECT state, count(*) FROM recon.channel_visits GROUP BY state ORDER BY state"
        )
    )


def _link(night: Night, _: list[Any], progress: Progress) -> None:
    linked = link(night.warehouse, night.project, night.until)
    night.found["link"] = {name: getattr(linked, name) for name in linked.__slots__}


def _validate(night: Night, _: list[Any], progress: Progress) -> None:
    not_run = validate(night.warehouse, night.project, progress)
    score(night.warehouse, night.project)
    night.carried["not_run"] = not_run
    night.found["validate"] = {
        "rules": len(night.project.rules),
        "not_run": len(not_run),
        "findings": night.warehouse.value("SELECT count(*) FROM checks.findings"),
        "held": night.warehouse.value("SELECT count(*) FROM checks.held"),
    }
    with night.ledger.transaction():
        read = night.ledger.rows("SELECT file FROM files WHERE state = 'INGESTED'")
        night.ledger.move_files([str(row[0]) for row in read], "VALIDATED")


def _stage(night: Night, _: list[Any], progress: Progress) -> None:
    staged = stage(night.warehouse, night.project, progress)
    night.carried["staged"] = staged
    paths = {
        table: one.path for table, one in staged.tables.items() if table in night.project.tables
    }
    keep_books(night.warehouse, night.project, night.ledger, paths)
    night.found["stage"] = {"rows": sum(one.rows for one in staged.tables.values())}


def _gate(night: Night, _: list[Any], progress: Progress) -> None:
    verdicts = judge(
        night.warehouse, night.project, night.layout, night.carried["staged"].tables,
        night.carried["not_run"], night.until,
    )  # fmt: skip
    if night.carried["mostly_poison"]:
        verdicts.withheld |= dict.fromkeys(night.project.databases, MOSTLY_POISON)
    night.carried["verdicts"] = verdicts
    night.found["gate"] = {
        "checks": verdicts.checks, "failed": verdicts.failed, "withheld": sorted(verdicts.withheld)
    }  # fmt: skip


def _publish(night: Night, _: list[Any], progress: Progress) -> None:
    verdicts = night.carried["verdicts"]
    tonight = night.until.isoformat()
    if night.carried["mostly_poison"]:
        done = stand_still(night.layout, verdicts.withheld)
    else:
        done = release(
            night.layout, night.project, night.carried["staged"], tonight, verdicts.withheld,
            night.found["coverage"]["late"],
        )  # fmt: skip
    night.carried["release"] = done
    night.found["publish"] = {"snapshot": done.snapshot, "is_new": done.is_new}
    keep_quarantine(night.warehouse, night.project)
    keep_results(night.warehouse, night.project)
    settle_states(night, done.withheld)
    if done.snapshot:
        night.found["publish"]["head"] = keep_head(night)


def settle_states(night: Night, withheld: tuple[str, ...]) -> None:
    """Move each content to the state its rows reached. Contents whose rows did not move leave no event."""
    closed = ", ".join(f"'{database}'" for database in withheld) or "''"
    rows = night.warehouse.rows(
        f"""
        SELECT _file, sum(accepted) FILTER (split_part(table_id, '.', 1) NOT IN ({closed})) AS out,
               sum(superseded + duplicate) AS old, sum(quarantined) AS held
        FROM checks.books GROUP BY _file ORDER BY _file
        """
    )
    states: dict[str, list[str]] = {"PUBLISHED": [], "SUPERSEDED": [], "QUARANTINED": []}
    for file, out, old, held in rows:
        if out:
            states["PUBLISHED"].append(file)
        elif held:
            states["QUARANTINED"].append(file)
        elif old:
            states["SUPERSEDED"].append(file)
    with night.ledger.transaction():
        for state, files in states.items():
            night.ledger.move_files(files, state)
        _settle_offers(night)
        name_repeats(night)


def _settle_offers(night: Night) -> None:
    """An offer is as far as the furthest of its contents."""
    order = ("PUBLISHED", "QUARANTINED", "SUPERSEDED", "VALIDATED", "REJECTED")
    rank = " ".join(f"WHEN '{state}' THEN {i}" for i, state in enumerate(order))
    rows = night.ledger.rows(
        f"SELECT o.offer, o.state AS now, f.state AS best, f.code, min(CASE f.state {rank} ELSE 9 END)"
        " FROM offers o JOIN files f USING (offer) WHERE o.state NOT IN ('DUPLICATE') GROUP BY o.offer"
    )
    for row in rows:
        if row["now"] != row["best"]:
            code = row["code"] if row["best"] == "REJECTED" else None
            night.ledger.move_offer(row["offer"], row["best"], code)


def _report(night: Night, _: list[Any], progress: Progress) -> None:
    night.found["report"] = write_report(night, progress)
