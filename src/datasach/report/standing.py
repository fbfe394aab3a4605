"""Where every delivery stands tonight, in sums: a nation has hundreds of thousands, most of them as they were.

What a receipt says rests on the rows below. A digest over them tells, without building it, whether it says
anything new; so a night costs what came and what changed, not what ever came.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import polars as pl

from datasach.report.counts import COUNTS, FATES, SQL_SUMS
from datasach.report.deliveries import fates_of
from datasach.report.night import Night
from datasach.store.layout import fsync_file
from datasach.store.warehouse import sql_texts


def take_stock(night: Night, withheld: Collection[str], made_by: str) -> None:
    """Reads   checks.offers, contents, copies, books, findings, held; standard.rejects, units; the fates of rows
    Writes  checks.sent     offer, table_id and the six counts: own contents under their fates, what had come
                            before as duplicates
            checks.digests  offer, digest: of all that its receipt says; `made_by` stands for declarations and
                            words, `withheld` names the databases the gate holds
    """
    night.warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE checks.sent AS
        SELECT offer, table_id, {SQL_SUMS} FROM (
            SELECT f.offer, b.table_id, {", ".join(f"b.{name}" for name in COUNTS)}
            FROM checks.books b JOIN checks.contents f USING (_file)
            UNION ALL
            SELECT c.offer, b.table_id, b.read, {"0, " * (len(FATES) - 1)} b.read
            FROM checks.copies c JOIN checks.books b USING (_file)
        ) GROUP BY offer, table_id
        """
    )
    held_back = sql_texts(sorted(withheld))
    fates = fates_of(night)
    parts = [
        f"SELECT _file, hash('b', table_id, {', '.join(COUNTS)}, split_part(table_id, '.', 1) IN ({held_back}))"
        " FROM checks.books",
        "SELECT _file, hash('f', table_id, rule, severity, _row, _key) FROM checks.findings",
        "SELECT _file, hash('h', table_id, rule, with_parent, _row) FROM checks.held",
        "SELECT _file, hash('r', table_id, code, rows, _unit, _line) FROM standard.rejects",
        "SELECT _file, hash('u', _unit, problems) FROM standard.units WHERE problems IS NOT NULL",
        "SELECT _file, hash('s', facts) FROM checks.contents",
    ]
    if fates is not None:
        parts.append(
            f"SELECT _file, hash('n', _unit, reason) FROM {fates} WHERE reason IS NOT NULL"
        )
    # Sums of hashes do not ask for an order, so nothing is sorted.
    night.warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE checks.digests AS
        WITH part(_file, h) AS ({" UNION ALL ".join(parts)}),
        content AS (SELECT _file, sum(h) AS h FROM part GROUP BY _file),
        brought AS (
            SELECT f.offer, c.h FROM content c JOIN checks.contents f USING (_file)
            UNION ALL
            SELECT o.offer, hash('c', o.member, c.h) FROM content c JOIN checks.copies o USING (_file)
        )
        SELECT offer, hash('{made_by}', state, code, detail, duplicate_of, coalesce(sum(h), 0)) AS digest
        FROM checks.offers LEFT JOIN brought USING (offer)
        GROUP BY offer, state, code, detail, duplicate_of
        """
    )


_ISSUED = {"offer": pl.Int64, "digest": pl.UInt64, "outcome": pl.String}


def _home(night: Night) -> Path:
    """What was last issued: offer, digest, outcome. Without it, every receipt is built and compared again."""
    return night.layout.state / "receipts.parquet"


def changed(night: Night) -> list[tuple[str, str, list[int], bool]]:
    """(night, folder of the sender, its offers, was each issued before?) of every evening with a receipt that is new
    or may say something new. Writes checks.issued."""
    path = _home(night)
    night.warehouse.put(
        "checks.issued", pl.read_parquet(path) if path.exists() else pl.DataFrame(schema=_ISSUED)
    )
    return night.warehouse.rows(
        "SELECT night, folder, list(offer ORDER BY offer), bool_and(i.offer IS NOT NULL)"
        " FROM checks.offers JOIN checks.digests d USING (offer) LEFT JOIN checks.issued i USING (offer)"
        " GROUP BY night, folder HAVING bool_or(i.digest IS DISTINCT FROM d.digest) ORDER BY night, folder"
    )


def keep_outcomes(night: Night, outcomes: dict[int, str]) -> None:
    """Remember what was issued; `outcomes` (offer → key of outcomes.yaml) of what was built tonight.

    checks.deliveries  offer, night, folder, outcome and the six counts: every delivery as it stands
    """
    built = pl.DataFrame(
        {"offer": list(outcomes), "outcome": list(outcomes.values())},
        schema={"offer": pl.Int64, "outcome": pl.String},
    )
    night.warehouse.put("checks.built", built)
    frame = night.warehouse.frame(
        "SELECT offer, d.digest, coalesce(b.outcome, i.outcome) AS outcome FROM checks.digests d"
        " LEFT JOIN checks.built b USING (offer) LEFT JOIN checks.issued i USING (offer) ORDER BY offer"
    )
    night.warehouse.put("checks.issued", frame)
    side = _home(night).with_name(".receipts.part")
    frame.write_parquet(side)
    fsync_file(side)
    side.replace(_home(night))
    sums = ", ".join(f"coalesce(sum({name}), 0)::BIGINT AS {name}" for name in COUNTS)
    night.warehouse.execute(
        f"""
        CREATE OR REPLACE TABLE checks.deliveries AS
        SELECT o.offer, o.night, o.folder, i.outcome, {sums}
        FROM checks.offers o JOIN checks.issued i USING (offer) LEFT JOIN checks.sent s USING (offer)
        GROUP BY ALL ORDER BY o.offer
        """
    )
