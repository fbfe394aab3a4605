"""The site of a nation: CPU seconds, peak memory, largest page.

    python benchmarks/report.py [--facilities 12000] [--nights 60] [--profile]

Invents the tables a night leaves for the report (no night is run): 34 provinces, 14 databases, so many facilities, each
with a file a night in the ledger, 400 rule-table pairs asked and some failing, scores in six databases, tasks from so
many nights of history. Then, in a process of its own, does what the report step does for the site:

    receipts    digests of every file of every night; the last night's receipts and their pages, built and written
    book        sums, shares, tasks from all nights, trends
    pages       every page of reports/pages.yaml, written
    downloads   every table as CSV and Parquet
    workbooks   a workbook a Department (facilities' own: on demand above 1,000)

The receipts of the nights before stand in the record as issued: a night builds what is new or changed. Here that is the
last night's file of every facility, and 1 in 500 older ones, as a correction would have it. Receipts belong to senders
and are no part of the site, but `receipts` counts them all the same. Nights before the last
two keep no `metrics` here, as nothing reads them (tasks are derived from `failures`).
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shutil
import sqlite3
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[1]
LAST = date(2026, 3, 31)
DATABASES = ("kcb_emr", "bhyt_claims", "eprescription", "immunization", "mch_population", "devices")
SENT = ("kcb_emr.visit", "kcb_emr.drug", "bhyt_claims.claim")
RULES_ASKED, FAILING_OF = 400, 27
"""Rule-table pairs asked of a facility, and of how many of them one fails: 400 / 27 = 15."""


def build(folder: Path, facilities: int, nights: int) -> Any:
    """A night ready to be reported below `folder`."""
    import polars as pl

    from datasach.settings import Resources
    from datasach.spec.project import load_project
    from datasach.store.layout import Layout
    from datasach.store.ledger import Ledger
    from datasach.store.warehouse import Warehouse, open_standard, sql_name

    project = load_project(ROOT)
    layout = Layout(folder)
    days = [(LAST - timedelta(n)).isoformat() for n in reversed(range(nights))]
    ledger = Ledger(layout.ledger, "20260331T010000-bench0")
    ledger.begin_run(days[-1], project.fingerprint, "0")
    con = sqlite3.connect(layout.ledger)
    provinces = project.reference("provinces")["new_code"].unique().sort().to_list()
    codes = [f"{provinces[n % len(provinces)]}{n // len(provinces):03}" for n in range(facilities)]
    offers = [
        (i, night, code) for i, (night, code) in enumerate(((n, c) for n in days for c in codes), 1)
    ]
    con.executemany(
        "INSERT INTO offers VALUES (?, ?, ?, ?, 20000, 1, ?, 'r', 'PUBLISHED', NULL, NULL, NULL)",
        ((i, night, code, f"{code}/DPDL_{i}.xml", f"{i:064x}") for i, night, code in offers),
    )
    con.executemany(
        "INSERT INTO files VALUES (?, ?, ?, NULL, 20000, ?, ?, 'coordination_envelopes', 'coordination', ?, ?, '3176', NULL, 10, 10, '',"
        " 'PUBLISHED', NULL, NULL, NULL)",
        ((f"{i:016x}", f"{i:064x}", i, night, code, code, night) for i, night, code in offers),
    )
    con.commit()
    con.close()
    warehouse = Warehouse(layout, Resources(workers=2, memory_mb=700))
    open_standard(warehouse, project, ledger)
    run = warehouse.execute
    for table in project.tables.values():
        run(
            f"CREATE VIEW current.{sql_name(table.id)} AS SELECT * FROM standard.{sql_name(table.id)}"
        )
    warehouse.put("checks.codes", pl.DataFrame({"facility": codes, "n": range(facilities)}))
    asked = [(r.table, r.id) for r in project.rules if r.database in DATABASES]
    asked = asked[:: max(1, len(asked) // RULES_ASKED)][:RULES_ASKED]
    warehouse.put(
        "checks.asked",
        pl.DataFrame(
            [(t, r, i) for i, (t, r) in enumerate(asked)],
            schema=["table_id", "rule", "i"],
            orient="row",
        ),
    )
    run(
        "CREATE TABLE checks.facilities AS SELECT facility, 'Trạm Y tế hư cấu số ' || n AS name, CASE WHEN n % 50 = 0 THEN 'chuyen_sau'"
        " WHEN n % 5 = 0 THEN 'co_ban' ELSE 'ban_dau' END AS cap, 'hoat_dong' AS status, true AS known, left(facility, 2) AS province_code"
        " FROM checks.codes"
    )
    run(
        f"CREATE TABLE checks.metrics AS SELECT table_id, rule, facility, 50 + n % 200 AS tested,"
        f" CASE WHEN (n * 7 + i) % {FAILING_OF} = 0 THEN 1 + (n + i) % 9 ELSE 0 END AS failed FROM checks.codes CROSS JOIN checks.asked"
    )
    run(
        "CREATE TABLE checks.metrics_by_habit AS SELECT table_id, rule, 'coordination_envelopes ' || (hash(facility) % 12) AS habit,"
        " count(*) AS facilities, sum(tested)::BIGINT AS tested, sum(failed)::BIGINT AS failed FROM checks.metrics GROUP BY ALL"
    )
    run(
        "CREATE TABLE checks.rules AS SELECT table_id, rule, 'dung' AS pillar, 'flag' AS severity, 1::DOUBLE AS weight, 'ma_lk' AS fields,"
        " '' AS says, '' AS vi FROM checks.asked"
    )
    dbs = ", ".join(f"('{d}')" for d in DATABASES)
    run(
        "CREATE TABLE checks.scores AS SELECT database, facility, pillar, (900 + n % 97)::DOUBLE AS numerator, 1000::DOUBLE AS denominator FROM checks.codes"
        f" CROSS JOIN (VALUES {dbs}) d(database) CROSS JOIN (VALUES ('dung'), ('du'), ('sach'), ('song')) p(pillar)"
    )
    sent = ", ".join(f"('{t}', {k})" for k, t in enumerate(SENT, 1))
    run(
        f"CREATE TABLE checks.records AS SELECT table_id, facility, 30 * k AS records FROM checks.codes CROSS JOIN (VALUES {sent}) t(table_id, k)"
    )
    run(
        f"CREATE TABLE checks.books AS SELECT _file, table_id, 20 * k AS read, 0 AS rejected, 0 AS duplicate, 1 AS superseded, 1 AS quarantined,"
        f" 20 * k - 2 AS accepted FROM standard.files CROSS JOIN (VALUES {sent}) t(table_id, k)"
    )
    run(
        "CREATE TABLE checks.findings AS SELECT a.table_id, f._file, k AS _row, f.sender || '|LK' || k AS _key, f.sender AS facility, a.rule, 'flag' AS severity"
        f" FROM standard.files f CROSS JOIN range(1, 4) r(k) JOIN checks.asked a ON a.i = (f.offer * 3 + k) % {RULES_ASKED}"
    )
    run(
        "CREATE TABLE checks.held AS SELECT table_id, _file, _row, facility, rule, false AS with_parent FROM checks.findings WHERE _row = 1"
    )
    fields = [(t.id, f) for t in project.tables.values() if t.id in SENT for f in t.priority]
    warehouse.put(
        "checks.priority_fields", pl.DataFrame(fields, schema=["table_id", "field"], orient="row")
    )
    run(
        "CREATE TABLE checks.priority AS SELECT table_id, field, facility, 100 AS expected, 90 + n % 10 AS filled FROM checks.codes CROSS JOIN checks.priority_fields"
    )
    run(
        "CREATE TABLE checks.lateness AS SELECT table_id, facility, 100 AS tested, 90 + n % 10 AS in_time FROM checks.codes CROSS JOIN (SELECT DISTINCT table_id FROM checks.priority_fields)"
    )
    run(
        "CREATE TABLE recon.channel_visits AS SELECT facility, 'LK' || k AS ma_lk, CASE k % 4 WHEN 0 THEN 'different' WHEN 1 THEN 'only_insurance'"
        " ELSE 'identical' END AS state, []::VARCHAR[] AS differing FROM checks.codes CROSS JOIN range(20) r(k)"
    )
    run(
        "CREATE TABLE recon.channel_fields AS SELECT facility, 'ma_benh_chinh' AS field, 15 AS both_channels, 5 AS differing FROM checks.codes"
    )
    run(
        "CREATE TABLE golden.person AS SELECT 'P' || k AS person_id, CASE WHEN k % 3 > 0 THEN 'x' END AS citizen_id, 'x' AS insurance_number, 1 + k % 4 AS records, 1 + k % 2 AS facilities FROM range(200000) r(k)"
    )
    run(
        "CREATE TABLE link.review (sid_a BIGINT, sid_b BIGINT, person_a VARCHAR, person_b VARCHAR, weight DOUBLE)"
    )
    _history(layout, warehouse, days)
    return SimpleNamespace(
        project=project, layout=layout, ledger=ledger, warehouse=warehouse, until=LAST, run="20260331T010000-bench0",
        found={"link": {"persons": 200_000}}, carried={"not_run": []},
    )  # fmt: skip


def _history(layout: Any, warehouse: Any, days: list[str]) -> None:
    """What the nights before left; a rule fails at a facility in two nights of three."""
    home = layout.state / "history"
    tables = {
        "scores": "SELECT '{night}' AS night, database, facility, pillar, numerator - {k} AS numerator, denominator FROM checks.scores",
        "failures": "SELECT '{night}' AS night, facility, rule, list(table_id) AS tables, sum(tested)::BIGINT AS tested, sum(failed)::BIGINT AS failed"
        " FROM checks.metrics WHERE failed > 0 AND (hash(facility || rule) + {k}) % 3 > 0 GROUP BY facility, rule",
        "rules": "SELECT '{night}' AS night, rule, sum(tested) AS tested, sum(failed) AS failed, count(*) FILTER (failed > 0) AS facilities FROM checks.metrics GROUP BY rule",
        "arrivals": "SELECT '{night}' AS night, 'kcb_emr.visit' AS table_id, facility, 20 + (n + {k}) % 7 AS rows FROM checks.codes",
        "metrics": "SELECT '{night}' AS night, table_id, rule, facility, tested, failed FROM checks.metrics WHERE {recent}",
        "signals": "SELECT '{night}' AS night, 'filled:kcb_emr.visit.so_cccd' AS signal, facility, 18 AS numerator, 20 AS denominator FROM checks.codes",
        "facts": "SELECT '{night}' AS night, 'f' AS fingerprint, '0' AS version, '{night}' AS inputs, {k} AS files",
    }
    for k, night in enumerate(days[:-1]):
        for name, sql in tables.items():
            (home / name).mkdir(parents=True, exist_ok=True)
            recent = "true" if night == days[-2] else "false"
            warehouse.write_parquet(
                sql.format(night=night, k=k, recent=recent), home / name / f"{night}.parquet"
            )


def issued_before(night: Any, renderer: Any, gate: Any) -> None:
    """As if the nights before the last had been reported; 1 in 500 of their files has changed since."""
    from datasach.report.deliveries import list_offers
    from datasach.report.issue import made_by
    from datasach.report.standing import take_stock

    list_offers(night)
    take_stock(night, gate.withheld, made_by(night, renderer))
    night.warehouse.write_parquet(
        "SELECT offer, CASE WHEN offer % 500 = 0 THEN 0::UBIGINT ELSE digest END AS digest, 'partially_accepted' AS outcome"
        f" FROM checks.digests JOIN checks.offers USING (offer) WHERE night < '{LAST.isoformat()}' ORDER BY offer",
        night.layout.state / "receipts.parquet",
    )
    # Their folders are there: a night taken away is not written again.
    for (when,) in night.warehouse.rows("SELECT DISTINCT night FROM checks.offers"):
        (night.layout.root / "receipts" / when).mkdir(parents=True, exist_ok=True)


def report(folder: Path, facilities: int, nights: int, profile: bool, done: Any) -> None:
    from datasach import __version__
    from datasach.report import download_rows, pages, workbooks
    from datasach.report.book import open_book
    from datasach.report.issue import issue_receipts
    from datasach.report.night import gate_of
    from datasach.report.render import Renderer
    from datasach.report.words import load_words

    night = build(folder, facilities, nights)
    figures: dict[str, Any] = {"before_mb": _peak_mb()}
    watch = None
    if profile:
        import cProfile

        watch = cProfile.Profile()
        watch.enable()
    began = time.process_time()

    def took(name: str) -> None:
        nonlocal began
        now = time.process_time()
        figures[name] = round(now - began, 1)
        figures[f"{name}_mb"] = _peak_mb()
        print(name, figures[name], figures[f"{name}_mb"], flush=True)
        began = now

    words = load_words(night.project.root)
    renderer = Renderer(night.project.root, words, __version__, night.project.fingerprint)
    gate = gate_of(night)
    issued_before(night, renderer, gate)
    took("made_ready")
    figures["receipts_made"] = issue_receipts(night, words, renderer, gate, print)
    took("receipts")
    book = open_book(night, words, gate)
    took("book")
    site, largest, count = folder / "site", (0, ""), 0
    for path, text in pages.render_all(book, renderer):
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        largest, count = max(largest, (len(text.encode()), path)), count + 1
    took("pages")
    download_rows.write_downloads(book, site / "data")
    took("downloads")
    workbooks.write_workbooks(site / "data", night.project, words, book.country.tonight)
    took("workbooks")
    if watch:
        import pstats

        watch.disable()
        pstats.Stats(watch).sort_stats("tottime").print_stats(35)
    figures |= {
        "pages_written": count, "largest_page": largest, "tasks": sum(map(len, book.tasks.values())),
        "site_mb": sum(p.stat().st_size for p in site.rglob("*") if p.is_file()) // 2**20,
    }  # fmt: skip
    done.put(figures)


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--facilities", type=int, default=12_000)
    parser.add_argument("--nights", type=int, default=60)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--out", type=Path, help="Keep the site here.")
    said = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-report-"))
    context = multiprocessing.get_context("spawn")
    done = context.Queue()
    worker = context.Process(
        target=report,
        args=(folder, said.facilities, said.nights, said.profile, done),
    )
    worker.start()
    worker.join()
    if worker.exitcode == 0:
        print(json.dumps(done.get(), indent=1))
    if said.out and worker.exitcode == 0:
        shutil.copytree(folder / "site", said.out, dirs_exist_ok=True)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
