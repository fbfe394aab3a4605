"""Files that say, in other bytes, what an earlier file of the same sender said: saved in another encoding,
packed again, exported once more. Arrival knows equal bytes only; here equal rows are known.

Every row of such a file is a duplicate already (reconcile.versions); here its offer becomes one, too, and
names the first, so that the sender's receipt can.
"""

from __future__ import annotations

from datasach.pipeline.step import Night
from datasach.store.warehouse import sql_name


def name_repeats(night: Night) -> int:
    """Move offers all of whose rows stand in one earlier offer to DUPLICATE; returns how many.

    Reads checks.books, recon.*, standard.*, the ledger. To be called inside a ledger transaction.
    """
    night.warehouse.execute(
        """
        CREATE OR REPLACE TEMP TABLE repeats AS
        SELECT _file, max(f.offer) AS offer, max(f.sender) AS sender, sum(read) AS rows
        FROM checks.books JOIN standard.files f USING (_file) GROUP BY _file
        HAVING sum(read) > 0 AND sum(read) = sum(duplicate)
        """
    )
    if not night.warehouse.value("SELECT count(*) FROM repeats"):
        return 0
    firsts: dict[int, set[int]] = {}
    for offer, first in night.warehouse.rows(
        f"""
        WITH shared AS ({" UNION ALL ".join(_shared(night))}),
        whole AS (
            SELECT s._file, s.first FROM shared s JOIN repeats r USING (_file)
            GROUP BY s._file, s.first, r.rows HAVING sum(s.n) >= r.rows)
        SELECT r.offer, min(w.first) FROM repeats r LEFT JOIN whole w USING (_file)
        GROUP BY r.offer, r._file ORDER BY r.offer
        """
    ):
        firsts.setdefault(offer, set()).add(first)
    others = {
        row[0]: row[1]
        for row in night.ledger.rows("SELECT offer, count(*) FROM files GROUP BY offer")
    }
    repeated = dict(night.warehouse.rows("SELECT offer, count(*) FROM repeats GROUP BY offer"))
    named = 0
    for offer, found in firsts.items():
        # All its contents repeat, and all repeat the same.
        first = found.pop() if len(found) == 1 else None
        if first is None or repeated[offer] != others[offer]:
            continue
        state = night.ledger.rows("SELECT state FROM offers WHERE offer = ?", (offer,))[0][0]
        if state != "DUPLICATE":
            night.ledger.move_offer(offer, "DUPLICATE", "SAME_CONTENT", duplicate_of=first)
            named += 1
    return named


def _shared(night: Night) -> list[str]:
    """For every table: (file, earlier offer of the sender, rows of the file that stand in it word for word)."""
    parts = []
    for table in night.project.tables.values():
        name = sql_name(table.id)
        if table.is_enveloped:
            # Units are versioned whole, by a digest of all they say.
            same = (
                "e.channel = u.channel AND e.facility = u.facility AND e.ma_lk = u.ma_lk"
                " AND e.kind = u.kind AND e.digest = u.digest"
            )
            parts.append(
                f"SELECT m._file, m.first, count(*) AS n FROM standard.{name} s JOIN ("
                "  SELECT DISTINCT u._file, u._unit, f.offer AS first FROM repeats r"
                f"  JOIN recon.units u USING (_file) JOIN recon.units e ON {same}"
                "  JOIN standard.files f ON f._file = e._file"
                "  WHERE f.offer < r.offer AND f.sender = r.sender) m USING (_file, _unit) GROUP BY ALL"
            )
        else:
            fields = ", ".join(f's."{field}"' for field in table.field_names)
            theirs = ", ".join(f'e."{field}"' for field in table.field_names)
            keys = " AND ".join(f'e."{key}" = s."{key}"' for key in table.key)
            parts.append(
                "SELECT _file, first, count(*) AS n FROM ("
                f"  SELECT DISTINCT s._file, s._row, f.offer AS first FROM standard.{name} s"
                f"  JOIN repeats r USING (_file) JOIN standard.{name} e ON {keys}"
                f"  AND row({fields}) IS NOT DISTINCT FROM row({theirs})"
                "  JOIN standard.files f ON f._file = e._file"
                "  WHERE f.offer < r.offer AND f.sender = r.sender) GROUP BY ALL"
            )
    return parts
