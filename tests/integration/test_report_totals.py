"""Every figure printed equals independent SQL over what was published, held and read; nothing of the report room is asked.

The figures are read back from the pages by the attributes that reports/README.md promises. What they must be is counted
here with plain DuckDB: accepted rows from the published Parquet, held and superseded rows from the results beside it,
rows read and refused from the ledger. So a mistake in the report's sums cannot repeat itself in the test.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import polars as pl
import pytest

from datasach.spec.project import Project
from tests.conftest import NIGHTS, Invented

COUNTS = ("read", "accepted", "quarantined", "rejected", "superseded", "duplicate")
PILLARS = ("dung", "du", "sach", "song")
OUTSIDE = "khac"
SENSITIVE = {"prevention", "births_deaths", "social_protection"}
"""Databases whose mere counts tell something about people, as reports/verdicts.yaml has them."""
SMALL = 5
VOID = {
    "meta",
    "input",
    "br",
    "img",
    "link",
    "hr",
    "circle",
    "rect",
    "path",
    "line",
    "polyline",
    "col",
    "wbr",
}
Key = tuple[str, str, str]
"""(page, its id, whose figure), as in ("province", "79", "facility:79001")."""


class Figure(NamedTuple):
    page: str
    id: str
    of: str
    name: str
    value: int
    file: str


class Figures(HTMLParser):
    """Figures of one page, each with whose it is and the row it stands in."""

    def __init__(self) -> None:
        super().__init__()
        self.page = self.id = ""
        self.rows = 0
        self.found: list[tuple[str, str, str, int]] = []
        self._open: list[list[Any]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if "data-page" in given:
            self.page, self.id = str(given["data-page"]), str(given["data-id"] or "")
        self.rows += tag == "tr"
        if tag not in VOID:
            self._open.append([tag, given.get("data-of"), given.get("data-figure"), ""])

    def handle_endtag(self, tag: str) -> None:
        while self._open and tag not in VOID:
            closed = self._open.pop()
            if closed[2]:
                of = next((one[1] for one in reversed([*self._open, closed]) if one[1]), "")
                self.found.append((of, closed[2], closed[3], self.rows))
            if closed[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        for one in self._open:
            one[3] += data


@pytest.fixture(scope="module")
def pages(three_nights: Invented) -> list[Figures]:
    read = []
    for path in sorted((three_nights.out / "reports/latest/").rglob("*.html")):
        page = Figures()
        page.feed(path.read_text("utf-8"))
        read.append(page)
    return read


@pytest.fixture(scope="module")
def oracle(three_nights: Invented, project: Project) -> Iterator[duckdb.DuckDBPyConnection]:
    """Tables `sent` (rows by file, table and fate), `units`, `records`, `scores`, `metrics`, `held`."""
    out = three_nights.out
    with duckdb.connect() as con:
        ledger = sqlite3.connect(out / "state/ledger.sqlite")
        for table, columns in (
            ("offers", "offer, night, sender, state"), ("files", "file, offer"), ("copies", "offer, file"),
            ("counts", "file, table_id, read, rejected"),
        ):  # fmt: skip
            names = columns.split(", ")
            rows = ledger.execute(f"SELECT {columns} FROM {table}").fetchall()
            kinds = {
                n: pl.Int64 if n in ("offer", "read", "rejected") else pl.String for n in names
            }
            con.register("incoming", pl.DataFrame(rows, schema=kinds, orient="row"))
            con.execute(f"CREATE TABLE {table} AS SELECT * FROM incoming")
        ledger.close()
        for name in ("held", "metrics", "scores", "facilities"):
            con.execute(f"CREATE TABLE {name} AS FROM '{out}/state/results/checks.{name}.parquet'")
        published = [
            f"SELECT _file, _facility AS facility, '{p.parent.name}.{p.stem}' AS table_id FROM '{p}'"
            for p in sorted((out / "published/latest").glob("*/*.parquet"))
            if p.parent.name != "persons"
        ]
        con.execute(f"CREATE TABLE published AS {' UNION ALL '.join(published)}")
        standard = [
            f"SELECT '{folder.name}' AS table_id, _file, _unit, _row FROM read_parquet('{folder}/*.parquet')"
            for folder in sorted((out / "state/standard").iterdir())
        ]
        con.execute(f"CREATE TABLE rows_read AS {' UNION ALL '.join(standard)}")
        con.execute(
            "CREATE TABLE old AS SELECT r.table_id, r._file, f.fate FROM rows_read r JOIN"
            f" '{out}/state/results/row_fates.parquet' f ON f.table_id = r.table_id AND f._file = r._file"
            " AND (f._unit = r._unit OR (f._unit IS NULL AND f._row = r._row))"
        )
        con.execute(
            """
            CREATE TABLE by_file AS
            SELECT file, table_id, sum(read)::BIGINT AS read, sum(accepted)::BIGINT AS accepted,
                   sum(quarantined)::BIGINT AS quarantined, sum(rejected)::BIGINT AS rejected,
                   sum(superseded)::BIGINT AS superseded, sum(duplicate)::BIGINT AS duplicate
            FROM (SELECT file, table_id, read, 0 AS accepted, 0 AS quarantined, rejected, 0 AS superseded, 0 AS duplicate FROM counts
                  UNION ALL SELECT _file, table_id, 0, 1, 0, 0, 0, 0 FROM published
                  UNION ALL SELECT _file, table_id, 0, 0, 1, 0, 0, 0 FROM held
                  UNION ALL SELECT _file, table_id, 0, 0, 0, 0, (fate = 'superseded')::INT, (fate = 'duplicate')::INT FROM old)
            GROUP BY ALL
            """
        )
        # What is sent again is read again, and all of it is a duplicate.
        con.execute(
            """
            CREATE TABLE sent AS
            SELECT o.offer, o.night, o.sender, b.* EXCLUDE (file) FROM offers o JOIN files f USING (offer) JOIN by_file b USING (file)
            UNION ALL
            SELECT o.offer, o.night, o.sender, b.table_id, read, 0, 0, 0, 0, read
            FROM offers o JOIN copies c USING (offer) JOIN by_file b USING (file)
            """
        )
        authorities = ", ".join(f"'{a}'" for s in project.sources.values() for a in s.authorities)
        con.execute(
            f"""
            CREATE TABLE units AS
            SELECT coalesce(f.facility, s.sender) AS unit, coalesce(unit IN ({authorities}), false) AS authority,
                   CASE WHEN authority THEN '{OUTSIDE}' ELSE coalesce(f.province_code, '{OUTSIDE}') END AS place,
                   NOT authority AND ((coalesce(f.known, false) AND f.status = 'hoat_dong') OR s.sender IS NOT NULL) AS expected
            FROM facilities f FULL JOIN (SELECT DISTINCT sender FROM offers) s ON s.sender = f.facility
            """
        )
        con.execute(
            "CREATE TABLE records AS SELECT facility, split_part(table_id, '.', 1) AS database, count(*) AS records FROM"
            " (SELECT facility, table_id FROM published UNION ALL SELECT facility, table_id FROM held) GROUP BY ALL"
        )
        yield con


def expected_counts(con: duckdb.DuckDBPyConnection) -> dict[Key, dict[str, int]]:
    """The six numbers that add up, and files, wherever they are printed."""
    sums = ", ".join(f"sum({name})::BIGINT" for name in COUNTS)
    found: dict[Key, dict[str, int]] = defaultdict(dict)
    placed = "sent JOIN units ON unit = sender"
    for page, columns, source, of in (
        ("national", "'', ''", "sent", ("", "sum")),
        ("national", "'', 'province:' || place", placed, ()),
        ("province", "place, ''", placed, ("", "sum")),
        ("province", "place, 'facility:' || sender", placed, ()),
        ("province", "place, 'night:' || night", placed, ()),
        ("facility", "sender, ''", "sent", ("", "sum")),
        ("facility", "sender, 'night:' || night", "sent", ()),
        ("database", "split_part(table_id, '.', 1), ''", "sent", ("", "sum")),
        ("database", "split_part(table_id, '.', 1), 'table:' || table_id", "sent", ()),
    ):
        for thing, whose, *numbers in con.execute(
            f"SELECT {columns}, {sums} FROM {source} GROUP BY ALL"
        ).fetchall():
            for one in of or (whose,):
                found[page, thing, one].update(zip(COUNTS, numbers, strict=True))
    for sender, night, files in con.execute(
        "SELECT sender, night, count(*) FROM offers GROUP BY ALL"
    ).fetchall():
        found["facility", sender, f"night:{night}"]["files"] = files
        whole = found["facility", sender, "sum"]
        whole["files"] = whole.get("files", 0) + files
    return found


def expected_presence(con: duckdb.DuckDBPyConnection) -> dict[Key, dict[str, int]]:
    """Who sent in the last night of those expected; files and rows of that night; rows published."""
    tonight, found = NIGHTS[-1].isoformat(), dict[Key, dict[str, int]]()
    for place, expected, sent in con.execute(
        "SELECT place, count(*) FILTER (expected), count(*) FILTER (NOT authority AND unit IN"
        f" (SELECT sender FROM offers WHERE night = '{tonight}')) FROM units GROUP BY GROUPING SETS ((place), ())"
    ).fetchall():
        said = {"expected": expected, "sent": sent}
        for key in [("national", "", ""), ("national", "", "sum")] if place is None else [
            ("national", "", f"province:{place}"), ("province", place, "")
        ]:  # fmt: skip
            found[key] = said
    (files,) = con.execute(f"SELECT count(*) FROM offers WHERE night = '{tonight}'").fetchone() or (
        0,
    )
    (read,) = con.execute(
        f"SELECT sum(read)::BIGINT FROM sent WHERE night = '{tonight}'"
    ).fetchone() or (0,)
    found["national", "", ""] = {
        **found["national", "", ""],
        "files-tonight": files,
        "read-tonight": read,
    }
    for table, rows in con.execute(
        "SELECT table_id, count(*) FROM published GROUP BY ALL"
    ).fetchall():
        found["database", table.split(".")[0], f"table:{table}"] = {"published": rows}
    return found


def expected_scores(
    con: duckdb.DuckDBPyConnection, sensitive: list[str]
) -> dict[Key, dict[str, float]]:
    """Current records and the two numbers of every score; all databases together leave the sensitive ones out."""
    found: dict[Key, dict[str, float]] = defaultdict(dict)
    told = ", ".join(f"'{name}'" for name in sensitive)
    placed = "JOIN units ON unit = facility"
    for page, thing, whose, source in (
        ("national", "''", "'database:' || database", ""),
        ("database", "database", "''", ""),
        ("database", "database", "'province:' || place", placed),
        ("province", "place", "'database:' || database", placed),
        ("province", "place", "''", f"{placed} WHERE database NOT IN ({told})"),
        ("facility", "facility", "'database:' || database", ""),
        ("facility", "facility", "''", f"WHERE database NOT IN ({told})"),
    ):
        for one, of, records in con.execute(
            f"SELECT {thing}, {whose}, sum(records)::BIGINT FROM records {source} GROUP BY ALL"
        ).fetchall():
            found[page, str(one), of]["records"] = records
        for one, of, pillar, top, bottom in con.execute(
            f"SELECT {thing}, {whose}, pillar, sum(numerator), sum(denominator) FROM scores {source} GROUP BY ALL"
        ).fetchall():
            found[page, str(one), of] |= {f"{pillar}-top": top, f"{pillar}-bottom": bottom}
    return found


def numbers(pages: list[Figures], page: str) -> Iterator[Figure]:
    for one in pages:
        if one.page == page:
            for of, name, text, _ in one.found:
                yield Figure(one.page, one.id, of, name, int(text.strip().replace(".", "")), one.id)


SCORE_FIGURES = {f"{pillar}-{part}" for pillar in PILLARS for part in ("top", "bottom")}
RULE_FIGURES = {"tested", "failed", "facilities", "held"}


@pytest.mark.parametrize("page", ["national", "database", "province", "facility"])
def test_every_figure_equals_independent_sql(
    page: str, pages: list[Figures], oracle: duckdb.DuckDBPyConnection
) -> None:
    counts, presence = expected_counts(oracle), expected_presence(oracle)
    scores = expected_scores(oracle, sorted(SENSITIVE))
    compared, wrong = 0, []
    for one in numbers(pages, page):
        if one.name in RULE_FIGURES or one.of.startswith("kind:"):
            continue  # the two tests below hold these
        key = (one.page, one.id, one.of)
        known = {**dict.fromkeys(COUNTS, 0), "published": 0, "expected": 0, "sent": 0}
        known |= counts.get(key, {}) | presence.get(key, {}) | scores.get(key, {})
        # A weighted score is a sum of decimals: printed without them, it may round either way.
        off = abs(known[one.name] - one.value) if one.name in known else None
        compared += 1
        if off is None or off > (0.5001 if one.name in SCORE_FIGURES else 0):
            wrong.append((one, known.get(one.name)))
    assert wrong == []
    assert compared > {"national": 300, "database": 400, "province": 300, "facility": 500}[page]


def test_rules_are_counted_as_the_checks_counted_them(
    pages: list[Figures], oracle: duckdb.DuckDBPyConnection, project: Project
) -> None:
    """A row about a rule says what was tested, failed and is held of one of its tables; national rows of all
    whose numbers its own page prints."""
    told = {
        (page.id, of.removeprefix("table:"))
        for page in pages if page.page == "rule"
        for of, name, _, _ in page.found if of.startswith("table:") and name == "tested"
    }  # fmt: skip
    by_table: dict[tuple[str, str], list[dict[str, int]]] = defaultdict(list)
    held: dict[tuple[str, str, str], int] = defaultdict(int)
    for rule, table, facility, with_parent, rows in oracle.execute(
        "SELECT rule, table_id, facility, with_parent, count(*) FROM held GROUP BY ALL"
    ).fetchall():
        spec = project.tables[table]
        held[rule, f"{spec.database}.{spec.parent}" if with_parent else table, facility] += rows
    # Lines held with a record count for that record's table only where the table has the rule.
    rows = oracle.execute(
        "SELECT rule, table_id, facility, sum(tested)::BIGINT, sum(failed)::BIGINT FROM metrics WHERE tested > 0 GROUP BY ALL"
    ).fetchall()
    nation: dict[tuple[str, str], dict[str, int]] = defaultdict(
        lambda: dict.fromkeys(RULE_FIGURES, 0)
    )
    broken_by: dict[str, set[str]] = defaultdict(set)
    for rule, table, facility, tested, failed in rows:
        if failed and facility is not None:
            broken_by[rule].add(facility)
        own = {"tested": tested, "failed": failed, "held": held[rule, table, facility]}
        by_table["facility", f"{facility}|{rule}"].append(own)
        whole = nation[rule, table]
        for name, value in own.items():
            whole[name] += value if name != "held" or failed else 0
        whole["facilities"] += bool(failed)
    for (rule, table), whole in nation.items():
        by_table["database", f"{table.split('.')[0]}|{rule}"].append(whole)
    for rule in {rule for rule, _ in nation}:
        tables = [n for key, n in nation.items() if key[0] == rule and key in told]
        whole = {name: sum(t[name] for t in tables) for name in ("tested", "failed", "held")}
        by_table["national", f"|{rule}"].append({**whole, "facilities": len(broken_by[rule])})
    compared = 0
    for page in pages:
        if page.page not in ("national", "database", "facility"):
            continue
        printed: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
        for of, name, text, row in page.found:
            if of.startswith("rule:"):
                printed[row, of.removeprefix("rule:")][name] = int(text.strip().replace(".", ""))
        for (_, rule), said in printed.items():
            candidates = by_table[page.page, f"{page.id}|{rule}"]
            assert any(said.items() <= one.items() for one in candidates), (
                page.page,
                page.id,
                rule,
                said,
                candidates,
            )
            compared += 1
    assert compared > 200


def test_only_numbers_of_sensitive_databases_are_left_out(
    pages: list[Figures], project: Project
) -> None:
    """Every rule's page prints every table's numbers, unless they tell of few people."""
    asked = {(rule.id, rule.table) for rule in project.rules}
    printed = {
        (page.id, of.removeprefix("table:"))
        for page in pages if page.page == "rule"
        for of, name, _, _ in page.found if of.startswith("table:") and name == "tested"
    }  # fmt: skip
    left_out = {table.split(".")[0] for _, table in asked - printed}
    assert left_out == SENSITIVE & left_out != set()


def test_no_small_number_of_a_sensitive_table_can_be_worked_out(
    pages: list[Figures], oracle: duckdb.DuckDBPyConnection, three_nights: Invented
) -> None:
    """Neither printed with a rule, nor left over when the other tables are taken from the database."""
    counted = {"tested", "failed", "held", "published", "accepted"}
    known: dict[str, int] = {}
    for page in pages:
        for of, name, text, _ in page.found:
            table = of.removeprefix("table:")
            if page.page in ("rule", "database") and "." in table and name in counted:
                number = int(text.strip().replace(".", ""))
                if table.split(".")[0] in SENSITIVE and name != "held":
                    assert not 0 < number < SMALL, (page.page, page.id, of, name)
                    known[table] = max(known.get(table, 0), number)
    sent = pl.read_parquet(three_nights.out / "reports/latest/data/tables.parquet")
    for table, number in sent.select("table", "accepted").iter_rows():
        if table.split(".")[0] in SENSITIVE and number is not None:
            assert not 0 < number < SMALL, table
    records: dict[str, int] = dict(
        oracle.execute(
            "SELECT table_id, count(*) FROM (SELECT table_id FROM published UNION ALL SELECT table_id FROM held) GROUP BY ALL"
        ).fetchall()
    )
    totals = {f.of: f.value for f in numbers(pages, "national") if f.name == "records"}
    for database in sorted(SENSITIVE):
        own = {t: n for t, n in records.items() if t.split(".")[0] == database}
        unknown = [n for t, n in own.items() if t not in known or known[t] == 0]
        if f"database:{database}" in totals:
            assert len(unknown) != 1 or unknown[0] >= SMALL, database
    assert any(0 < n < SMALL for t, n in records.items() if t.split(".")[0] in SENSITIVE)


def test_departments_add_up_to_the_nation_exactly(pages: list[Figures]) -> None:
    """Facility rows = the Department's sum = its row on the national page, and these = the national sum."""
    nation = {(f.of, f.name): f.value for f in numbers(pages, "national")}
    whole = dict.fromkeys(COUNTS, 0)
    departments = {page.id for page in pages if page.page == "province"}
    for place in sorted(departments):
        mine = [f for f in numbers(pages, "province") if f.id == place]
        for name in COUNTS:
            own = sum(
                {
                    f.of: f.value for f in mine if f.of.startswith("facility:") and f.name == name
                }.values()
            )
            kinds = sum(
                {
                    f.of: f.value for f in mine if f.of.startswith("kind:") and f.name == name
                }.values()
            )
            printed = {f.value for f in mine if f.of in ("", "sum") and f.name == name} or {0}
            assert kinds == own, (place, name)
            assert printed == {own} == {nation[f"province:{place}", name]}, (place, name)
            whole[name] += own
    assert whole == {name: nation["sum", name] for name in COUNTS}
    assert whole["read"] == sum(whole[name] for name in COUNTS[1:]) > 0


def test_downloads_say_what_the_pages_say(three_nights: Invented, pages: list[Figures]) -> None:
    """The same nation in CSV, Parquet and HTML; facility × night × kind adds up to facility × night."""
    data = three_nights.out / "reports/latest/data"
    nation = {f.name: f.value for f in numbers(pages, "national") if f.of == "sum"}
    for table in ("facilities", "provinces", "nights"):
        exact = pl.read_parquet(data / f"{table}.parquet")
        human = pl.read_csv(data / f"{table}.csv", infer_schema=False)
        assert human.columns == exact.columns and human.height == exact.height
        for name in COUNTS:
            assert exact[name].sum() == human[name].cast(pl.Int64).sum() == nation[name], (
                table,
                name,
            )
    for folder in sorted((data / "tinh").iterdir()):
        evenings, kinds = (
            pl.read_parquet(folder / f"{name}.parquet") for name in ("evenings", "kinds")
        )
        sums = (
            kinds.group_by("facility", "night").agg(pl.col(COUNTS).sum()).filter(pl.col("read") > 0)
        )
        sent = evenings.select("facility", "night", *COUNTS).filter(pl.col("read") > 0)
        assert sums.sort("facility", "night").equals(sent.sort("facility", "night")), folder.name


def test_published_rows_are_the_accepted_ones(
    oracle: duckdb.DuckDBPyConnection, three_nights: Invented
) -> None:
    """The oracle itself balances: otherwise equal figures would prove nothing."""
    off = oracle.execute(
        "SELECT count(*) FROM by_file WHERE read <> accepted + quarantined + rejected + superseded + duplicate"
    ).fetchone()
    assert off == (0,)
    assert not any(outcome.withheld for outcome in three_nights.outcomes)
    assert Path(three_nights.out / "published/latest/manifest.json").is_file()


def test_how_files_are_written_is_counted_by_rule(
    pages: list[Figures],
    oracle: duckdb.DuckDBPyConnection,
    three_nights: Invented,
    project: Project,
) -> None:
    """Facilities of one habit together: what the page of a rule prints is the sum of their counts."""
    oracle.execute(
        f"CREATE OR REPLACE TABLE habits AS FROM '{three_nights.out}/state/results/checks.habits.parquet'"
    )
    habit_of = {
        (facility, channel): habit
        for facility, channel, habit in oracle.execute(
            "SELECT facility, channel, habit FROM habits"
        ).fetchall()
    }
    assert not any("SIG_" in habit for habit in habit_of.values())
    expected: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for rule, table, facility, tested, failed in oracle.execute(
        "SELECT rule, table_id, facility, tested, failed FROM metrics"
    ).fetchall():
        habit = habit_of.get((facility, project.tables[table].channel))
        if habit is not None and table.split(".")[0] not in SENSITIVE:
            expected[rule, habit][0] += tested
            expected[rule, habit][1] += failed
    compared = 0
    for page in pages:
        if page.page != "rule":
            continue
        printed: dict[str, dict[str, int]] = defaultdict(dict)
        for of, name, text, _ in page.found:
            if of.startswith("habit:"):
                printed[of.removeprefix("habit:").strip()][name] = int(text.replace(".", ""))
        for habit, said in printed.items():
            assert [said["tested"], said["failed"]] == expected[page.id, habit], (page.id, habit)
            compared += 1
    assert compared > 20
