"""Who may see what, for which purpose, and how long it is kept: `datasets/_access/*.yaml`.

    purposes.yaml    why data of people are looked at, on which legal ground, and which consents open them
    roles.yaml       what a role may see, and of which territory
    sensitive.yaml   groups of records kept apart (HIV)
    retention.yaml   how long each kind of file is kept

Who holds a role is not declared here: `actors.yaml` lies in the vault, with the keys (protect.actors).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import Literal

from pydantic import Field as PydanticField

from datasach.spec.contract import LogicalType, Title
from datasach.spec.load import Declared, Problems, build, read_yaml, suggestion
from datasach.spec.project import Project

Zone = Literal["restricted", "general", "open"]
Basis = Literal["consent", "emergency", "state_duty", "law"]
Territory = Literal["all", "province", "facility"]
EVERY_TABLE = "*"
PERSONS = "persons.person"

IDENTIFYING: frozenset[LogicalType] = frozenset(
    ("name", "identifier", "card", "cards", "phone", "birth", "commune", "district")
)
"""Types that say who somebody is, or nearly: never in the general zone, whatever a contract says."""


class Purpose(Declared):
    """A reason to look at data of people. What is not named here is not a reason."""

    id: str = PydanticField(pattern=r"^[a-z][a-z0-9_]*$")
    title: Title
    basis: Basis
    cites: str
    """Law and article, and how sure we are of it."""
    zones: list[Zone]
    tables: list[str]
    """Table ids, or "*": no more than the purpose needs (Law 91/2025/QH15 art. 9 asks consent per purpose)."""
    consent: list[str] = []
    """Words of consent events (muc_dich) that open this purpose; only where `basis` is consent."""
    fields: dict[str, list[str]] = {}
    """Restricted fields that do not identify and that this purpose sees in the general zone, by table."""
    birth: Literal["band", "year"] = "band"
    sensitive: list[str] = []
    """Groups of sensitive.yaml this purpose is for."""
    reason: bool = False
    """The actor must say why, in his own words."""


class Scope(Declared):
    """What a consent event's scope (pham_vi) covers."""

    id: str
    title: Title
    tables: list[str]


class ConsentEvents(Declared):
    """Where consent events stand and how they speak."""

    table: str
    purpose: str
    scope: str
    at: str
    state: str
    channel: str
    given: str
    withdrawn: str
    child_channels: list[str] = []
    """Channels that prove a representative's consent; for a child only these count."""
    child_age: int


class Purposes(Declared):
    events: ConsentEvents
    scopes: list[Scope]
    purposes: list[Purpose]


class Role(Declared):
    id: str = PydanticField(pattern=r"^[a-z][a-z0-9_]*$")
    title: Title
    territory: Territory
    zones: list[Zone] = []
    purposes: list[str] = []
    sensitive: list[str] = []
    reads_log: bool = False


class Roles(Declared):
    roles: list[Role]


class Marker(Declared):
    """What gives a record away. `episode`: everything of its episode is kept apart; `row`: only this row."""

    reach: Literal["episode", "row"]
    icd: list[str] = []
    """ICD-10 codes; a code covers those below it."""
    words: list[str] = []
    """Folded words (a-z, 0-9) looked for in text and code fields."""
    basis: str


class Group(Declared):
    id: str = PydanticField(pattern=r"^[a-z][a-z0-9_]*$")
    title: Title
    basis: str
    tables: list[str] = []
    fields: list[str] = []
    """Fields that tell it in whatever table they stand: never in the general zone for other purposes."""
    markers: list[Marker] = []


class Sensitive(Declared):
    groups: list[Group]


class Keep(Declared):
    """How long one kind of file is kept."""

    id: Literal["originals", "snapshots", "reports", "receipts"]
    title: Title
    basis: str
    years: dict[str, int] = {}
    """originals: class of care → years"""
    days: int | None = None
    daily: int | None = None
    weekly: int | None = None
    monthly: int | None = None


class Retention(Declared):
    keep: list[Keep]
    violent_icd: list[str] = []
    psychiatric_icd: list[str] = []
    dead: dict[str, list[str]] = {}
    """Field → values that say the patient died."""


class Actor(Declared):
    """A person (or service) who holds a role. From the vault, not from the project."""

    actor: str = PydanticField(pattern=r"^[A-Za-z0-9._@-]{1,64}$")
    account: str
    """Account of the operating system: what proves who is asking."""
    role: str
    territory: str | None = None
    until: date


class Actors(Declared):
    actors: list[Actor]


@dataclass(frozen=True)
class Access:
    """Everything declared about access, cross-checked against the contracts."""

    purposes: dict[str, Purpose]
    scopes: dict[str, Scope]
    events: ConsentEvents
    roles: dict[str, Role]
    groups: dict[str, Group]
    retention: Retention

    @cached_property
    def kept(self) -> dict[str, Keep]:
        return {one.id: one for one in self.retention.keep}


FILES: dict[str, type[Declared]] = {
    "purposes": Purposes,
    "roles": Roles,
    "sensitive": Sensitive,
    "retention": Retention,
}


@lru_cache(maxsize=4)
def load_access(project: Project) -> Access:
    """Read and check `datasets/_access`. Raises SpecError with every problem, each with file and line."""
    problems = Problems(project.root)
    found = {}
    for name, model in FILES.items():
        path = project.root / "datasets/_access" / f"{name}.yaml"
        if not path.is_file():
            problems.add(path, 1, "this file is missing")
            continue
        document = read_yaml(path, problems)
        built = build(model, document, problems) if document else None
        if built is not None and document is not None:
            found[name] = (built, document)
    problems.raise_if_any()
    purposes, roles, sensitive, retention = (found[name][0] for name in FILES)
    assert isinstance(purposes, Purposes) and isinstance(roles, Roles)
    assert isinstance(sensitive, Sensitive) and isinstance(retention, Retention)
    access = Access(
        purposes={one.id: one for one in purposes.purposes},
        scopes={one.id: one for one in purposes.scopes},
        events=purposes.events,
        roles={one.id: one for one in roles.roles},
        groups={one.id: one for one in sensitive.groups},
        retention=retention,
    )
    for name, where, message in _misfits(project, access):
        document = found[name][1]
        problems.add(document.path, document.line(where), message)
    problems.raise_if_any()
    return access


Misfit = tuple[str, tuple[str | int, ...], str]


def _misfits(project: Project, access: Access) -> list[Misfit]:
    tables = {*project.tables, PERSONS}
    found: list[Misfit] = []

    def unknown(
        name: str, where: tuple[str | int, ...], word: str, known: set[str], what: str
    ) -> None:
        if word not in known:
            found.append((name, where, f'no {what} "{word}"{suggestion(word, known)}'))

    events = access.events
    unknown("purposes", ("events", "table"), events.table, tables, "table")
    if events.table in project.tables:
        names = set(project.tables[events.table].field_names)
        for part in ("purpose", "scope", "at", "state", "channel"):
            unknown("purposes", ("events", part), getattr(events, part), names, "field")
    for i, scope in enumerate(access.scopes.values()):
        for table in scope.tables:
            unknown("purposes", ("scopes", i, "tables"), table, {*tables, EVERY_TABLE}, "table")
    for i, purpose in enumerate(access.purposes.values()):
        where = ("purposes", i)
        if (purpose.basis == "consent") != bool(purpose.consent):
            message = f"{purpose.id}: consent words belong to the basis consent, and it needs some"
            found.append(("purposes", (*where, "basis"), message))
        for table in purpose.tables:
            unknown("purposes", (*where, "tables"), table, {*tables, EVERY_TABLE}, "table")
        for group in purpose.sensitive:
            unknown("purposes", (*where, "sensitive"), group, set(access.groups), "group")
        for table, fields in purpose.fields.items():
            unknown("purposes", (*where, "fields", table), table, set(project.tables), "table")
            for field in fields if table in project.tables else ():
                spec = project.tables[table]
                unknown(
                    "purposes", (*where, "fields", table), field, set(spec.field_names), "field"
                )
                if field in spec.field_names and spec.field(field).type in IDENTIFYING:
                    message = f"{purpose.id}: {table}.{field} identifies people"
                    found.append(("purposes", (*where, "fields", table), message))
    for i, role in enumerate(access.roles.values()):
        for purpose_id in role.purposes:
            unknown("roles", ("roles", i), purpose_id, set(access.purposes), "purpose")
        for group in role.sensitive:
            unknown("roles", ("roles", i), group, set(access.groups), "group")
    for i, one in enumerate(access.groups.values()):
        for table in one.tables:
            unknown("sensitive", ("groups", i, "tables"), table, tables, "table")
    return found
