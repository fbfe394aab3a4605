"""What is past its time. Lists; deletes only when told to, leaving a tombstone before each thing it takes.

An original is kept as long as the longest record in it: a file with one death is kept 30 years. One
of which no record is known is kept as long as the longest class. Typed rows made from an original stay
in `state/`: taking them would change what is published, and is not done here.
"""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from datasach import settings
from datasach.keep.scrub import order_of, snapshots_of
from datasach.spec.access import Access, Retention, load_access
from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.store.layout import Layout, only_run
from datasach.store.tombstones import buried, bury

DEATHS = "births_deaths.death"
ACCIDENT = "ma_tai_nan"


@dataclass(frozen=True, slots=True)
class Due:
    """One thing past its time."""

    kind: str
    name: str
    """Path below the warehouse; an original by its hash."""
    care: str | None
    """Class of care that decided, for originals."""
    since: date
    bytes: int


def due(project: Project, out: Path, today: date) -> list[Due]:
    """Everything past its time on `today`, by kind and name. Changes nothing."""
    layout = Layout(out.resolve())
    access = load_access(project)
    return [
        *_originals(layout, project, access.retention, access.kept["originals"].years, today),
        *_snapshots(layout, access, today),
        *_nights(layout, "reports", access.kept["reports"].days, today),
        *_nights(layout, "receipts", access.kept["receipts"].days, today),
    ]


def take(project: Project, out: Path, found: list[Due]) -> int:
    """Delete what `due` found; returns how many. Killed in between, it goes on where it stopped.

    Raises WarehouseBusy while a run goes on.
    """
    layout = Layout(out.resolve())
    access = load_access(project)
    with only_run(layout):
        known = {(stone["kind"], stone["name"]) for stone in buried(layout.root) if "name" in stone}
        for one in found:
            if (one.kind, one.name) not in known:
                bury(
                    layout.root, one.kind, name=one.name, care=one.care, due=one.since.isoformat(),
                    basis=access.kept[one.kind].basis, bytes=one.bytes,
                )  # fmt: skip
            path = layout.root / one.name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    return len(found)


def _originals(
    layout: Layout, project: Project, retention: Retention, years: dict[str, int], today: date
) -> list[Due]:
    if not layout.ledger.is_file():
        return []
    con = sqlite3.connect(f"{layout.ledger.as_uri()}?mode=ro", uri=True)
    try:
        offers = con.execute("SELECT sha256, max(night) FROM offers GROUP BY sha256").fetchall()
        contents = con.execute("SELECT o.sha256, f.file FROM files f JOIN offers o USING (offer)")
        files: dict[str, list[str]] = {}
        for sha256, file in contents:
            files.setdefault(sha256, []).append(file)
    finally:
        con.close()
    cares = classes_of_care(layout, project, retention)
    longest = max(years, key=lambda care: years[care])
    found = []
    for sha256, night in sorted(offers):
        held = [cares[file] for file in files.get(sha256, ()) if file in cares]
        care = max(held, key=lambda c: years[c]) if held else longest
        since = _years_after(date.fromisoformat(night), years[care])
        path = layout.landed(sha256)
        if since <= today and path.is_file():
            name = str(path.relative_to(layout.root))
            found.append(Due("originals", name, care, since, path.stat().st_size))
    return found


def classes_of_care(layout: Layout, project: Project, retention: Retention) -> dict[str, str]:
    """File id → its longest-kept class of care (death, psychiatric, accident, ordinary)."""
    found: dict[str, str] = {}
    ranks = ("ordinary", "accident", "psychiatric", "death")
    with duckdb.connect() as con:
        for table in project.tables.values():
            parts = layout.state / "standard" / table.id
            if not any(parts.glob("*.parquet")):
                continue
            source = "'" + str(parts / "*.parquet").replace("'", "''") + "'"
            rows = con.execute(
                f"SELECT _file, max({_rank_sql(table, retention)})"
                f" FROM read_parquet({source}, union_by_name = true) GROUP BY _file"
            ).fetchall()
            for file, rank in rows:
                if file not in found or rank > ranks.index(found[file]):
                    found[file] = ranks[rank]
    return found


def _rank_sql(table: Table, retention: Retention) -> str:
    """3 death, 2 psychiatric, 1 accident, 0 ordinary, of one row."""
    if table.id == DEATHS:
        return "3"
    names = set(table.field_names)
    dead = [
        f'"{field}" IN ({", ".join(f"{chr(39)}{v}{chr(39)}" for v in values)})'
        for field, values in retention.dead.items()
        if field in names
    ]
    codes = [f'"{f.name}"' for f in table.fields if f.type in ("icd", "icds")]
    joined = f"concat_ws(';', {', '.join(codes)})" if codes else "''"

    def shows(prefixes: list[str]) -> str:
        return f"regexp_matches({joined}, '(^|;)({'|'.join(prefixes)})')" if prefixes else "false"

    accident = [shows(retention.violent_icd)]
    if ACCIDENT in names:
        accident.append(f"coalesce(\"{ACCIDENT}\", '0') NOT IN ('', '0')")
    return (
        f"CASE WHEN {' OR '.join(dead) or 'false'} THEN 3 WHEN {shows(retention.psychiatric_icd)} THEN 2"
        f" WHEN {' OR '.join(accident)} THEN 1 ELSE 0 END"
    )


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return day.replace(year=day.year + years, month=3, day=1)


def _snapshots(layout: Layout, access: Access, today: date) -> list[Due]:
    keep = access.kept["snapshots"]
    snapshots = snapshots_of(layout.published)
    latest = (layout.published / "latest").resolve()
    newest: dict[str, Path] = {order_of(path)[0]: path for path in snapshots}
    nights = sorted(newest, reverse=True)
    kept = {latest, *(newest[night] for night in nights[: keep.daily or 0])}
    for number, form in ((keep.weekly or 0, "%G-%V"), (keep.monthly or 0, "%Y-%m")):
        last: dict[str, Path] = {}
        for night in nights:
            last.setdefault(date.fromisoformat(night).strftime(form), newest[night])
        kept |= set(list(last.values())[:number])
    return [
        Due("snapshots", f"published/{path.name}", None, today, _own_bytes(path))
        for path in snapshots
        if path not in kept
    ]


def _own_bytes(folder: Path) -> int:
    """Bytes that go with the folder; files that later snapshots share stay."""
    stats = (path.stat() for path in folder.rglob("*") if path.is_file())
    return sum(stat.st_size for stat in stats if stat.st_nlink == 1)


def _nights(layout: Layout, kind: str, days: int | None, today: date) -> list[Due]:
    if days is None:
        return []
    folder = layout.root / kind
    latest = (folder / "latest").resolve()
    found = []
    for path in sorted(folder.iterdir()):
        if path.is_symlink() or not path.is_dir() or path == latest:
            continue
        try:
            since = date.fromisoformat(path.name) + timedelta(days=days)
        except ValueError:
            continue
        if since <= today:
            found.append(Due(kind, f"{kind}/{path.name}", None, since, _own_bytes(path)))
    return found


def retain_text(found: list[Due], done: bool) -> str:
    lines = []
    for kind in dict.fromkeys(one.kind for one in found):
        mine = [one for one in found if one.kind == kind]
        size = sum(one.bytes for one in mine)
        lines.append(f"{kind}: {len(mine)} quá hạn, {size} byte · past their time, bytes")
        for one in mine:
            care = f", {one.care}" if one.care else ""
            lines.append(f"  {one.name} ({one.since.isoformat()}{care})")
    if not found:
        return "không có gì quá hạn · nothing is past its time"
    if done:
        lines.append("đã xoá, mỗi mục có bia ghi · deleted, each has its tombstone")
    else:
        lines.append("chưa xoá gì; thêm --do để xoá · nothing deleted; add --do to delete")
    return "\n".join(lines)


def retain(project: Project, out: Path, do: bool, today: date | None = None) -> str:
    found = due(project, out, today or settings.today())
    if do and found:
        take(project, out, found)
    return retain_text(found, do)
