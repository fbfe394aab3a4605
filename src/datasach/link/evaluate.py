"""How right an answer is: persons found against the truth, or against what people judged.

Everything comes from one table, how many records each true person has in each found person, so pairs are counted
and never listed: 26 million records take a group-by, not a join of pairs.

    pairwise      of all pairs of records: how many put together are one person (precision), how many of one person are
                  together (recall). The truth counts every true pair, also those no blocking pass ever met.
    B-cubed       the same asked record by record and averaged over records (Bagga & Baldwin 1998): one huge person does
                  not drown the others.
    exact         found persons that are exactly one true person, over found persons and over true persons.
    over-merged   found persons that hold more than one true person: the clinical danger. Also per 10,000 found persons.
    under-merged  true persons that stand in more than one found person.

Intervals are 95 %: for ratios from true persons drawn as clusters (linearised ratio estimator; Binette et al.,
arXiv 2404.05622, use the same sampling unit), for over-merging Wilson's. Two persons wrongly joined are two clusters that err
together, so the intervals are a little narrow when over-merging is common.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

Table = Path | pl.DataFrame
Z = 1.959964  # 95 %


@dataclass(frozen=True, slots=True)
class Ratio:
    """A share with its 95 % interval; all three None where nothing was asked (0 of 0)."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Figures of one group of records: all of them, or one stratum."""

    records: int
    persons: int
    """True persons."""
    found: int
    """Persons found."""
    precision: Ratio
    recall: Ratio
    f1: Ratio
    b3_precision: float | None
    b3_recall: float | None
    b3_f1: float | None
    over_merged: int
    over_merged_per_10_000: Ratio
    under_merged: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """`Agreement` of all records and of every stratum, and what is said of the whole only.

    In a stratum a pair counts if either record is in it; a person counts if any record is.
    """

    all: Agreement
    exact_precision: float | None
    exact_recall: float | None
    largest: int
    """Records of the largest person found."""
    p999_size: int
    """99.9 % of the persons found have at most so many records."""
    not_linked: int
    """Records of the truth that the answer lacks; counted as persons of their own."""
    not_known: int
    """Records of the answer that the truth does not know; left out."""
    strata: Mapping[str, Agreement]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class JudgedAgreement:
    """The answer against people's verdicts on pairs; `unsure` and unknown records are counted, not scored."""

    same_together: int
    same_apart: int
    different_together: int
    different_apart: int
    unsure: int
    not_linked: int
    precision: Ratio
    recall: Ratio
    f1: Ratio

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(
    persons: Table,
    truth: Table,
    strata: Table | None = None,
    *,
    memory_mb: int = 4096,
    scratch: Path | None = None,
) -> Evaluation:
    """Compare an answer with the truth.

    `persons`  record_key, person_id, one row per record; person_id NULL: a person of its own
    `truth`    record_key, person, one row per record
    `strata`   record_key and any columns: a boolean is one stratum, of a text or number every value is one; NULL is in none

    Paths of Parquet, or frames. Raises ValueError if a key stands twice.
    """
    config: dict[str, Any] = {"memory_limit": f"{memory_mb}MB"}
    if scratch is not None:
        config["temp_directory"] = str(scratch)
    with duckdb.connect(config=config) as con:
        _view(con, "persons", persons)
        _view(con, "truth", truth)
        for name in ("persons", "truth"):
            rows, keys = _row(con, f"SELECT count(*), count(DISTINCT record_key) FROM {name}")
            if rows != keys:
                raise ValueError(f"{rows - keys:,} record keys of {name} stand more than once")
        groups: list[tuple[str, str]] = []
        joined = ""
        if strata is not None:
            _view(con, "strata", strata)
            groups = _groups(con)
            joined = "LEFT JOIN strata s USING (record_key)"
        flags = "".join(
            f", count(*) FILTER (WHERE {test})::BIGINT AS s{i}"
            for i, (_, test) in enumerate(groups)
        )
        # Persons are compared by 64-bit hashes: two of 26 million collide once in 50,000 evaluations.
        con.execute(
            f"""
            CREATE TEMP TABLE cells AS
            SELECT hash(t.person) AS person,
                   hash(coalesce(p.person_id::VARCHAR, 'alone ' || t.record_key)) AS found,
                   count(*) AS n{flags}
            FROM truth t LEFT JOIN persons p USING (record_key) {joined} GROUP BY 1, 2
            """
        )
        sums = "".join(f", sum(s{i})::BIGINT AS s{i}" for i in range(len(groups)))
        con.execute(
            f"""
            CREATE TEMP TABLE found AS
            SELECT found, sum(n)::BIGINT AS n, count(*) AS truths{sums} FROM cells GROUP BY found;
            CREATE TEMP TABLE real AS
            SELECT person, sum(n)::BIGINT AS n, count(*) AS parts{sums} FROM cells GROUP BY person
            """
        )
        con.execute(
            f"""
            CREATE TEMP TABLE counted AS
            SELECT c.person, c.n, f.n AS f, r.n AS r
                   {"".join(f", c.s{i}, f.s{i} AS f{i}, r.s{i} AS r{i}" for i in range(len(groups)))}
            FROM cells c JOIN real r USING (person) JOIN found f USING (found)
            """
        )
        exact, found, real = _row(
            con,
            "SELECT (SELECT count(*) FROM counted WHERE n = f AND n = r), (SELECT count(*) FROM found),"
            " (SELECT count(*) FROM real)",
        )
        largest, p999 = _row(con, "SELECT max(n), quantile_disc(n, 0.999) FROM found")
        (not_linked,) = _row(con, "SELECT count(*) FROM truth ANTI JOIN persons USING (record_key)")
        (not_known,) = _row(con, "SELECT count(*) FROM persons ANTI JOIN truth USING (record_key)")
        return Evaluation(
            all=_agreement(con, None),
            exact_precision=_share(exact, found),
            exact_recall=_share(exact, real),
            largest=largest or 0,
            p999_size=p999 or 0,
            not_linked=not_linked,
            not_known=not_known,
            strata={name: _agreement(con, i) for i, (name, _) in enumerate(groups)},
        )


def evaluate_judgements(persons: Table, judgements: Table) -> JudgedAgreement:
    """Compare an answer with verdicts on pairs.

    `judgements`  record_key_a, record_key_b, verdict (same, different, unsure); optional `weight`, how many pairs like it
                  the judged pair stands for (a sample drawn by weight bands), and optional `judged_at`: of verdicts on one pair
                  the latest counts. The counts returned are of judged pairs; the ratios are weighted.
    """
    with duckdb.connect() as con:
        _view(con, "persons", persons)
        _view(con, "judgements", judgements)
        columns = {name for (name, *_) in con.execute("DESCRIBE judgements").fetchall()}
        weight = "weight" if "weight" in columns else "1.0"
        latest = "judged_at" if "judged_at" in columns else "1"
        sums = con.execute(
            f"""
            WITH last AS (
                SELECT least(record_key_a, record_key_b) AS a, greatest(record_key_a, record_key_b) AS b,
                       arg_max(verdict, {latest}) AS verdict, arg_max({weight}, {latest})::DOUBLE AS weight
                FROM judgements GROUP BY ALL)
            SELECT CASE WHEN verdict NOT IN ('same', 'different') THEN 'unsure'
                        WHEN p.record_key IS NULL OR q.record_key IS NULL THEN 'not_linked'
                        ELSE verdict || CASE WHEN p.person_id = q.person_id THEN '_together' ELSE '_apart' END END AS outcome,
                   count(*) AS pairs, sum(weight) AS weight, sum(weight * weight) AS squares
            FROM last LEFT JOIN persons p ON p.record_key = a LEFT JOIN persons q ON q.record_key = b GROUP BY outcome
            """
        ).fetchall()
    by = {outcome: (int(pairs), float(w), float(w2)) for outcome, pairs, w, w2 in sums}
    none = (0, 0.0, 0.0)
    together, apart, wrong = (
        by.get(k, none) for k in ("same_together", "same_apart", "different_together")
    )
    f1 = _share(2 * together[1], 2 * together[1] + apart[1] + wrong[1])
    return JudgedAgreement(
        same_together=together[0],
        same_apart=apart[0],
        different_together=wrong[0],
        different_apart=by.get("different_apart", none)[0],
        unsure=by.get("unsure", none)[0],
        not_linked=by.get("not_linked", none)[0],
        precision=_wilson(together, wrong),
        recall=_wilson(together, apart),
        f1=Ratio(f1),
    )


def _view(con: duckdb.DuckDBPyConnection, name: str, table: Table) -> None:
    if isinstance(table, Path):
        path = str(table).replace("'", "''")
        con.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{path}')")
    else:
        con.register(name, table.to_arrow())


def _row(con: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    row = con.execute(sql).fetchone()
    assert row is not None
    return tuple(row)


def _groups(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """(name, SQL test) of every stratum."""
    found = []
    for name, kind, *_ in con.execute("DESCRIBE strata").fetchall():
        column = 's."' + name.replace('"', '""') + '"'
        if name == "record_key":
            continue
        if kind == "BOOLEAN":
            found.append((name, column))
            continue
        values = con.execute(
            f"SELECT DISTINCT {column}::VARCHAR FROM strata s WHERE {column} IS NOT NULL ORDER BY 1"
        ).fetchall()
        for (value,) in values:
            quoted = value.replace("'", "''")
            found.append((f"{name}={value}", f"{column}::VARCHAR = '{quoted}'"))
    return found


def _agreement(con: duckdb.DuckDBPyConnection, stratum: int | None) -> Agreement:
    """Figures from `counted`; pairs of a stratum are those that touch it: C(n) − C(n − s)."""
    if stratum is None:
        cell, found, real, inside = "n", "f", "r", "n"
        pairs = "({n} * ({n} - 1) / 2)"
    else:
        cell, found, real, inside = f"s{stratum}", f"f{stratum}", f"r{stratum}", f"s{stratum}"
        pairs = "({n} * ({n} - 1) / 2 - ({n} - {s}) * ({n} - {s} - 1) / 2)"
    together = pairs.format(n="n::DOUBLE", s=cell)
    same = pairs.format(n="max(r)::DOUBLE", s=f"max({real})")
    # Pairs put together are shared out to true persons: inside one they count whole, across two half for each.
    if stratum is None:
        put, touched = "n::DOUBLE * (f - n) / 2", "TRUE"
    else:
        put = f"({cell}::DOUBLE * (f - n) + (n - {cell})::DOUBLE * ({found} - {cell})) / 2"
        touched = f"{found} > 0 OR {real} > 0"
    rows = con.execute(
        f"""
        WITH of_person AS (
            SELECT sum({together}) AS t, sum({together} + {put}) AS p, {same} AS q
            FROM counted WHERE {touched} GROUP BY person)
        SELECT sum(t), sum(p), sum(q), sum(t * t), sum(p * p), sum(q * q), sum(t * p), sum(t * q), sum(p * q) FROM of_person
        """
    ).fetchone()
    t, p, q, tt, pp, qq, tp, tq, pq = (float(v or 0) for v in rows or (0,) * 9)
    records, b3_precision, b3_recall = _row(
        con,
        f"SELECT sum({inside}), sum({inside}::DOUBLE * n / f), sum({inside}::DOUBLE * n / r) FROM counted",
    )
    records = int(records or 0)
    test_found = "TRUE" if stratum is None else f"s{stratum} > 0"
    found_count, over = _row(
        con, f"SELECT count(*), count(*) FILTER (WHERE truths > 1) FROM found WHERE {test_found}"
    )
    real_count, under = _row(
        con, f"SELECT count(*), count(*) FILTER (WHERE parts > 1) FROM real WHERE {test_found}"
    )
    b3p, b3r = _share(b3_precision or 0, records), _share(b3_recall or 0, records)
    wilson = _wilson((over, over, over), (found_count - over,) * 3)
    return Agreement(
        records=records,
        persons=real_count,
        found=found_count,
        precision=_ratio(t, p, tt, pp, tp),
        recall=_ratio(t, q, tt, qq, tq),
        f1=_ratio(2 * t, p + q, 4 * tt, pp + qq + 2 * pq, 2 * tp + 2 * tq),
        b3_precision=b3p,
        b3_recall=b3r,
        b3_f1=None if not b3p or not b3r else 2 * b3p * b3r / (b3p + b3r),
        over_merged=over,
        over_merged_per_10_000=Ratio(
            *(None if v is None else 1e4 * v for v in (wilson.value, wilson.low, wilson.high))
        ),
        under_merged=under,
    )


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _ratio(x: float, y: float, xx: float, yy: float, xy: float) -> Ratio:
    """x / y from sums over clusters, with the linearised variance Σ(x − Ry)² / y²."""
    if not y:
        return Ratio(None)
    value = x / y
    spread = Z * sqrt(max(0.0, xx - 2 * value * xy + value * value * yy)) / y
    return Ratio(value, max(0.0, value - spread), min(1.0, value + spread))


def _wilson(yes: tuple[float, float, float], no: tuple[float, float, float]) -> Ratio:
    """Wilson's interval of a weighted share; the effective size of the sample is (Σw)² / Σw² (Kish)."""
    weight, squares = yes[1] + no[1], yes[2] + no[2]
    if not weight:
        return Ratio(None)
    value, n = yes[1] / weight, weight * weight / squares
    middle = (value + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * sqrt(value * (1 - value) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return Ratio(value, max(0.0, middle - half), min(1.0, middle + half))
