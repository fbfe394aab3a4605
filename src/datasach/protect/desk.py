"""The one desk through which data of people leave the warehouse.

Every verb that shows or writes data of people opens the desk: it proves who asks, checks role, purpose
and zone, writes the access log, pins and verifies the snapshot, and says of every table which rows and
columns may pass. There is no second way; what the desk is not asked for is not given.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from datasach import settings
from datasach.errors import AccessRefused, WarehouseDamaged
from datasach.protect import sensitive
from datasach.protect.accesslog import AccessLog
from datasach.protect.consent import decide, gather_events
from datasach.protect.pseudonyms import pseudonym
from datasach.protect.vault import ERASED_KEY, LOG_KEY, Holder, Vault
from datasach.spec.access import EVERY_TABLE, PERSONS, Access, Group, Purpose, Zone, load_access
from datasach.spec.contract import Table
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger
from datasach.store.manifest import verified
from datasach.store.persons import person_join
from datasach.store.tombstones import PERSON, buried
from datasach.store.warehouse import sql_name

LEAST_REASON = 10
"""Characters of a reason that says anything (our proposal)."""
VIETNAM = timedelta(hours=7)


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants: as which actor, for which purpose, of which zone."""

    vault: Path | None
    purpose: str
    zone: Zone = "restricted"
    actor: str | None = None
    reason: str | None = None
    recipient: str | None = None


@dataclass(slots=True)
class Desk:
    project: Project
    access: Access
    layout: Layout
    vault: Vault
    holder: Holder
    purpose: Purpose
    zone: Zone
    log: AccessLog
    asked: Asked
    at: datetime
    """This instant, local time of Viet Nam, as consent events are."""
    con: duckdb.DuckDBPyConnection
    snapshot: Path = field(init=False)
    manifest: dict[str, Any] = field(init=False)
    nameless_withdrawals: int = 0

    # -- the log -------------------------------------------------------------------------------

    def enter(self, verb: str, decision: str, **facts: Any) -> str:
        """Write the log; only after this returns may anything be handed over."""
        return self.log.write(
            self.holder, verb, decision, purpose=self.purpose.id, basis=self.purpose.basis,
            zone=self.zone, reason=self.asked.reason, recipient=self.asked.recipient, **facts,
        )  # fmt: skip

    def refuse(self, verb: str, code: str, message: str, **facts: Any) -> AccessRefused:
        self.enter(verb, code, **facts)
        return AccessRefused(f"{code}: {message}")

    def subject(self, person_id: str) -> str:
        """How a person stands in the access log."""
        return pseudonym(self.vault.key(LOG_KEY), "person", person_id)

    # -- what may pass -------------------------------------------------------------------------

    def tables(self) -> list[Table]:
        """Tables of the snapshot that the purpose may see, in the project's order."""
        return [
            table
            for table in self.project.tables.values()
            if self.sees(table.id)
            and (self.zone != "general" or self.has_general(table))
            and (self.snapshot / table.database / f"{table.name}.parquet").is_file()
        ]

    def sees(self, table_id: str) -> bool:
        named = self.purpose.tables
        kept_apart = any(table_id in group.tables for group in self.apart())
        return (EVERY_TABLE in named or table_id in named) and not kept_apart

    def has_general(self, table: Table) -> bool:
        """A table restricted in every field (tuberculosis) is not in the general zone, not even as a list of
        pseudonyms: to stand in it would tell."""
        own = {f.name for f in table.fields if f.classification == "general"}
        return bool(own or self.purpose.fields.get(table.id))

    def apart(self) -> list[Group]:
        """Groups this purpose and role may not see."""
        seen = set(self.purpose.sensitive) & set(self.holder.role.sensitive)
        return [group for group in self.access.groups.values() if group.id not in seen]

    def hidden_fields(self) -> set[str]:
        return {name for group in self.apart() for name in group.fields}

    def rows_sql(self, table: Table) -> str:
        """SQL that is true for the rows `r` of `pub.<table>` that may pass. Needs `prepare`."""
        if not is_about_people(self.project, table):
            return "true"
        parts = [self._territory_sql(), self._consent_sql(table.id)]
        for group in self.apart():
            parts.append(f"NOT {sensitive.belongs_sql(self.project, group, table)}")
        return " AND ".join(part for part in parts if part) or "true"

    def passes(self, table_id: str, file: str, row: int) -> bool:
        """May one row of the standard layer be shown? Needs `prepare`.

        A row that is not published (held, superseded) has no decided consent and no known episode: it may be
        shown only inside one's territory, for a purpose that needs no consent, to a role from which
        nothing is kept apart, or of an episode nothing of which is.
        """
        table = self.project.tables[table_id]
        if not self.sees(table_id):
            return False
        found = self.con.execute(
            f"SELECT count(*), count(*) FILTER ({self.rows_sql(table)}) FROM pub.{sql_name(table_id)} r"
            " WHERE r._file = ? AND r._row = ?",
            [file, row],
        ).fetchone()
        if found and found[0]:
            return bool(found[1])
        return self._held_row_passes(table, file, row)

    def _held_row_passes(self, table: Table, file: str, row: int) -> bool:
        if self.purpose.basis == "consent":
            return False
        parts = self.layout.state / "standard" / table.id / "*.parquet"
        source = "'" + str(parts).replace("'", "''") + "'"
        tests = [self._territory_sql() if is_about_people(self.project, table) else ""]
        tests += [
            f"NOT {sensitive.belongs_sql(self.project, group, table)}" for group in self.apart()
        ]
        where = " AND ".join(test for test in tests if test) or "true"
        found = self.con.execute(
            f"SELECT count(*) FROM read_parquet({source}, union_by_name = true) r"
            f" WHERE r._file = ? AND r._row = ? AND {where}",
            [file, row],
        ).fetchone()
        return bool(found and found[0])

    def persons_sql(self) -> str:
        """The same for the golden records."""
        parts = [self._consent_sql(PERSONS)]
        if self.holder.territory is not None:
            parts.append("r.person_id IN (FROM people_of_territory)")
        return " AND ".join(part for part in parts if part) or "true"

    def _territory_sql(self) -> str:
        if self.holder.territory is None:
            return ""
        return "r._facility IN (FROM facilities_of_territory)"

    def _consent_sql(self, table_id: str) -> str:
        if self.purpose.basis != "consent":
            return ""
        return (
            "EXISTS (FROM consent_granted g WHERE g.person_id = r.person_id"
            f" AND g.table_id = '{table_id}')"
        )

    def prepare(self) -> None:
        """Decide consents, find what is kept apart, and lay down the territory: once, before rows are read."""
        if self.purpose.basis == "consent":
            decide(self.con, self.project, self.access, self.purpose, self.at)
        for group in self.apart():
            sensitive.find_episodes(self.con, self.project, group)
        if self.holder.territory is not None:
            self._lay_down_territory(self.holder.territory)

    def _lay_down_territory(self, territory: str) -> None:
        if self.holder.role.territory == "facility":
            self.con.execute(
                "CREATE TEMP TABLE facilities_of_territory AS SELECT ? AS facility", [territory]
            )
        else:
            known = self.layout.state / "results/checks.facilities.parquet"
            if not known.is_file():
                raise AccessRefused("which facility lies in which province is not known yet")
            self.con.execute(
                f"CREATE TEMP TABLE facilities_of_territory AS SELECT facility FROM read_parquet('{known}')"
                " WHERE province_code = ?",
                [territory],
            )
        seen = " UNION ".join(
            f"SELECT person_id FROM pub.{sql_name(table.id)} r WHERE {self._territory_sql()}"
            for table in self.project.tables.values()
            if is_about_people(self.project, table)
        )
        self.con.execute(f"CREATE TEMP TABLE people_of_territory AS {seen}")

    # -- the snapshot --------------------------------------------------------------------------

    def pin(self) -> None:
        """Take the newest snapshot once, verify it, and make `pub.<database>__<table>` views over it.

        Raises WarehouseDamaged if there is none, or one of its files is not what its manifest says.
        """
        latest = self.layout.published / "latest"
        if not latest.exists():
            raise WarehouseDamaged(f"nothing is published in {self.layout.published} yet")
        self.snapshot = latest.resolve()
        self.manifest = verified(self.snapshot)
        self.con.execute("CREATE SCHEMA pub")
        for table in self.project.tables.values():
            path = self.snapshot / table.database / f"{table.name}.parquet"
            self._view(sql_name(table.id), path, _no_rows(self.project, table))
        persons = self.snapshot / "persons/person.parquet"
        nobody = (
            "SELECT NULL::VARCHAR AS person_id, NULL::VARCHAR AS full_name, NULL::DATE AS born_on,"
            " NULL::INTEGER AS birth_year, NULL::VARCHAR AS citizen_id WHERE false"
        )
        self._view("persons__person", persons, nobody)
        self.con.execute("CREATE TEMP VIEW pub_persons AS FROM pub.persons__person")
        self.nameless_withdrawals = gather_events(
            self.con, self.project, self.access, self.layout, self.snapshot, self._event_parts()
        )
        self._mark_erased()

    def _view(self, name: str, path: Path, nothing: str) -> None:
        source = "'" + str(path).replace("'", "''") + "'"
        select = f"FROM read_parquet({source})" if path.is_file() else nothing
        self.con.execute(f"CREATE VIEW pub.{name} AS {select}")

    def _event_parts(self) -> list[Path]:
        ledger = Ledger(self.layout.ledger, "access")
        try:
            batches = ledger.batches("standard")
        finally:
            ledger.close()
        paths = (self.layout.part("standard", self.access.events.table, b) for b in batches)
        return [path for path in paths if path.exists()]

    def _mark_erased(self) -> None:
        """`erased` (person_id): whom the general zone has forgotten, found again by number and by id."""
        self.con.execute("CREATE TEMP TABLE erased (person_id VARCHAR)")
        stones = buried(self.layout.root, PERSON)
        if not stones:
            return
        key = self.vault.key(ERASED_KEY)
        gone = {stone["subject"] for stone in stones} | {stone["citizen"] for stone in stones}
        people = self.con.execute("SELECT person_id, citizen_id FROM pub_persons").fetchall()
        found = [
            (person,)
            for person, citizen in people
            if pseudonym(key, "person", person) in gone
            or (citizen and pseudonym(key, "citizen", citizen) in gone)
        ]
        if found:
            self.con.executemany("INSERT INTO erased VALUES (?)", found)


@contextmanager
def open_desk(project: Project, out: Path, asked: Asked, verb: str) -> Iterator[Desk]:
    """A desk for one request, its snapshot pinned.

    Raises AccessRefused (entered in the log first, once it is known who asks) if role, purpose or zone do
    not allow it; WarehouseDamaged if the snapshot is not whole.
    """
    root = out.resolve()
    if not (root / "published").is_dir():
        raise WarehouseDamaged(f"{root} is no warehouse: it has no folder published/")
    access = load_access(project)
    layout = Layout(root)
    vault = Vault(asked.vault, root)
    holder = vault.holder(access, asked.actor)
    log = AccessLog(root)
    purpose = access.purposes.get(asked.purpose)
    if purpose is None:
        log.write(holder, verb, "PURPOSE_UNKNOWN", zone=asked.zone)
        raise AccessRefused(
            f'PURPOSE_UNKNOWN: no purpose "{asked.purpose}"; there are {", ".join(access.purposes)}'
        )
    scratch = layout.scratch(f"desk-{id(asked)}")
    resources = settings.resources()
    con = duckdb.connect(
        config={
            "threads": resources.threads, "memory_limit": f"{resources.memory_mb}MB",
            "temp_directory": str(scratch), "autoinstall_known_extensions": False,
            "autoload_known_extensions": False, "allow_community_extensions": False,
        }
    )  # fmt: skip
    try:
        desk = Desk(
            project, access, layout, vault, holder, purpose, asked.zone, log, asked,
            (settings.now() + VIETNAM).replace(tzinfo=None), con,
        )  # fmt: skip
        _check(desk, verb)
        desk.pin()
        yield desk
    finally:
        con.close()
        shutil.rmtree(scratch, ignore_errors=True)


def _check(desk: Desk, verb: str) -> None:
    role, purpose = desk.holder.role, desk.purpose
    if purpose.id not in role.purposes:
        raise desk.refuse(
            verb, "PURPOSE", f"role {role.id} does not work for the purpose {purpose.id}"
        )
    if desk.zone not in role.zones or desk.zone not in purpose.zones:
        raise desk.refuse(
            verb, "ZONE", f"role {role.id} may not see the {desk.zone} zone for {purpose.id}"
        )
    if purpose.reason and len((desk.asked.reason or "").strip()) < LEAST_REASON:
        raise desk.refuse(
            verb, "REASON", f"{purpose.id} needs a reason of {LEAST_REASON} characters (--reason)"
        )


def is_about_people(project: Project, table: Table) -> bool:
    """Do the table's rows belong to people? Registers of facilities, drugs and devices do not."""
    return table.identity is not None or bool(person_join(project, table.id, "c")[0])


def _no_rows(project: Project, table: Table) -> str:
    columns = [f'NULL::{f.sql_type} AS "{f.name}"' for f in table.fields]
    columns += [f"NULL::VARCHAR AS {name}" for name in ("person_id", "_facility", "_file", "sex")]
    columns += ["NULL::INTEGER AS _row", "NULL::DATE AS _night", "NULL::INTEGER AS birth_year"]
    return f"SELECT {', '.join(columns)} WHERE false"
