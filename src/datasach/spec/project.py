"""The whole project as declared, with every cross-check that needs no data."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import polars as pl
from pydantic import ValidationError

from datasach.errors import SpecError
from datasach.spec.contract import ContractSpec, Database, Field, Table, TableSpec
from datasach.spec.correction import Correction, CorrectionFile
from datasach.spec.encounter import EncounterLinkage, ReviewPolicy
from datasach.spec.judgement import DeclaredJudgement, load_judgements
from datasach.spec.linkage import Linkage, Survivorship
from datasach.spec.load import Declared, Document, Problems, build, read_yaml, suggestion
from datasach.spec.matching import Matching
from datasach.spec.night import NightSpec
from datasach.spec.page import Page, Pages
from datasach.spec.rule import Rule, RuleFile, RuleSpec, form_rules
from datasach.spec.source import Source
from datasach.spec.trust import Trust, load_trust

DECLARATIONS = ("datasets", "rules", "reports")
IDENTITY_TABLES = "identity"
TRUST = "datasets/_trust"
"""Not part of the fingerprint: revocation lists change daily, and rules do not with them."""
DeclaredT = TypeVar("DeclaredT", bound=Declared)


@dataclass(frozen=True)
class Envelope:
    """One table of the BHYT standard: its elements and its fields in order."""

    table: str
    root: str
    record: str
    fields: tuple[Field, ...]
    aliases: dict[str, str]
    """Tags of other vintages and known misspellings → the field name they mean."""


@dataclass(frozen=True, eq=False)
class Project:
    """Compared by identity, so that what is derived from it can be kept for it."""

    root: Path
    databases: dict[str, Database]
    sources: dict[str, Source]
    envelopes: dict[str, Envelope]
    rules: tuple[Rule, ...]
    corrections: tuple[Correction, ...]
    linkage: Linkage
    matching: Matching
    survivorship: Survivorship
    pages: tuple[Page, ...]
    trust: Trust
    encounter: EncounterLinkage
    review: ReviewPolicy
    judgements: tuple[DeclaredJudgement, ...] = ()
    night: NightSpec = NightSpec()

    @cached_property
    def tables(self) -> dict[str, Table]:
        """Every table of every database by id, in the databases' order."""
        return {
            table.id: table
            for database in sorted(self.databases.values(), key=lambda d: d.number)
            for table in database.tables.values()
        }

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over every declaration: two runs with equal fingerprints had equal rules and contracts."""
        digest = hashlib.sha256()
        for path in sorted(
            p
            for d in DECLARATIONS
            for p in (self.root / d).rglob("*")
            if p.is_file() and not p.is_relative_to(self.root / TRUST)
        ):
            if path.is_relative_to(self.root / "reports/example"):
                continue  # made by the declarations, not one of them
            digest.update(str(path.relative_to(self.root)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()

    def reference(self, name: str) -> pl.DataFrame:
        """A list of `datasets/_reference/`, every column as text, blanks as null."""
        if name not in self._lists:
            self._lists[name] = self._read_list(name)
        return self._lists[name]

    @cached_property
    def _lists(self) -> dict[str, pl.DataFrame]:
        return {}

    def _read_list(self, name: str) -> pl.DataFrame:
        folder = self.root / "datasets" / "_reference"
        for path in (folder / f"{name}.csv", folder / f"{name}.csv.gz"):
            if path.is_file():
                return pl.read_csv(path, infer_schema=False)
        raise SpecError(f"datasets/_reference has no list {name!r}")

    def envelope_table(self, xml_table: str, channel: str) -> Table | None:
        """Where the rows of an XML table of this channel live; None if no contract takes them."""
        for table in self.tables.values():
            if table.fields_from == xml_table and table.channel in (channel, "any"):
                return table
        return None


def load_project(root: Path, trust_folder: Path | None = None) -> Project:
    """Read and check everything declared under `root`, with the trust folder it holds or another one.

    Raises SpecError with every problem found, each with file and line.
    """
    problems = Problems(root)
    if not (root / "datasets").is_dir():
        raise SpecError(f"{root} has no folder datasets/: not a datasach project")
    envelopes = _load_envelopes(root, problems)
    databases = _load_databases(root, envelopes, problems)
    trust = load_trust(trust_folder or root / TRUST, problems)
    sources = _load_sources(root, databases, trust, problems)
    rules = _load_rules(root, databases, problems)
    corrections = _load_corrections(root, databases, problems)
    linkage = _load_one(Linkage, root / "rules/linkage/strong.yaml", problems)
    matching = _load_one(Matching, root / "rules/linkage/person.yaml", problems)
    survivorship = _load_one(Survivorship, root / "rules/survivorship/person.yaml", problems)
    pages = _load_one(Pages, root / "reports/pages.yaml", problems)
    encounter = _load_one(EncounterLinkage, root / "rules/linkage/encounter.yaml", problems)
    review = _load_one(ReviewPolicy, root / "rules/linkage/review.yaml", problems)
    tables = {table.id for d in databases.values() for table in d.tables.values()}
    judgements = load_judgements(root, tables, problems)
    night = _load_night(root, problems)
    problems.raise_if_any()
    assert linkage and matching and survivorship and pages and trust and encounter and review
    return Project(
        root=root,
        databases=databases,
        sources=sources,
        envelopes=envelopes,
        rules=tuple(rules),
        corrections=tuple(corrections),
        linkage=linkage,
        matching=matching,
        survivorship=survivorship,
        pages=tuple(pages.pages),
        encounter=encounter,
        review=review,
        judgements=judgements,
        trust=trust,
        night=night,
    )


def _load_night(root: Path, problems: Problems) -> NightSpec:
    path = root / "datasets/_night.yaml"
    return (_load_one(NightSpec, path, problems) if path.is_file() else None) or NightSpec()


def _load_one(model: type[DeclaredT], path: Path, problems: Problems) -> DeclaredT | None:
    if not path.is_file():
        problems.add(path, 1, "this file is missing")
        return None
    document = read_yaml(path, problems)
    return build(model, document, problems) if document else None


def _load_envelopes(root: Path, problems: Problems) -> dict[str, Envelope]:
    path = root / "datasets/_reference/xml_fields.csv"
    if not path.is_file():
        problems.add(path, 1, "this file is missing")
        return {}
    rows: dict[str, list[dict[str, str]]] = {}
    with path.open(encoding="utf-8", newline="") as handle:
        for row in csv.DictReader(handle):
            rows.setdefault(row["table"], []).append(row)
    presence = {"R": "required", "C": "conditional", "O": "optional"}
    envelopes = {}
    for table, fields in rows.items():
        aliases: dict[str, str] = {}
        built: list[Field] = []
        for row in sorted(fields, key=lambda r: int(r["order"])):
            name = row["tag"].lower()
            length = row["max_len_qd3176"]
            aliases.update({a: name for a in row.get("aliases", "").split(";") if a})
            try:
                built.append(
                    Field.model_validate(
                        {
                            "name": name,
                            "type": row["logical_type"],
                            "title": {"vi": row["title_vi"], "en": row["meaning_en"]},
                            "presence": presence[row["presence"]],
                            "list": row["list"] or None,
                            "classification": row["classification"],
                            "max_length": int(length) if length.isdigit() else None,
                        }
                    )
                )
            except (ValidationError, KeyError) as error:
                problems.add(path, 1, f"{table}.{row['tag']}: {type(error).__name__} {error}")
        first = fields[0]
        root_element = first["root_element"]
        record = (
            first["record_element"] if first["record_element"] not in ("", "-") else root_element
        )
        envelopes[table] = Envelope(table, root_element, record, tuple(built), aliases)
    return envelopes


def _load_databases(
    root: Path, envelopes: dict[str, Envelope], problems: Problems
) -> dict[str, Database]:
    databases: dict[str, Database] = {}
    for folder in sorted((root / "datasets").iterdir()):
        if not folder.is_dir() or folder.name.startswith(("_", ".")):
            continue
        path = folder / "contract.yaml"
        if not path.is_file():
            problems.add(path, 1, "this file is missing")
            continue
        document = read_yaml(path, problems)
        spec = build(ContractSpec, document, problems) if document else None
        if spec is None or document is None:
            continue
        if spec.id != folder.name:
            problems.add(path, document.line(("id",)), f'id "{spec.id}" is not its folder\'s name')
        tables = {
            name: _table(spec.id, name, table, envelopes, document, problems)
            for name, table in spec.tables.items()
        }
        values = spec.model_dump(exclude={"tables"})
        databases[spec.id] = Database(**values, tables=tables)
    return dict(sorted(databases.items(), key=lambda item: item[1].number))


def _table(
    database: str,
    name: str,
    spec: TableSpec,
    envelopes: dict[str, Envelope],
    document: Document,
    problems: Problems,
) -> Table:
    where: tuple[str | int, ...] = ("tables", name)
    fields = list(spec.fields)
    if spec.fields_from:
        inherited = envelopes.get(spec.fields_from)
        own = {field.name for field in fields}
        fields = [f for f in (inherited.fields if inherited else ()) if f.name not in own] + fields
        if spec.channel is None:
            problems.add(document.path, document.line(where), f"{name}: channel is missing")
    known = {field.name for field in fields}
    identity = spec.identity.fields() if spec.identity else {}
    referred: list[tuple[tuple[str | int, ...], str]] = [
        *((("key", i), n) for i, n in enumerate(spec.key)),
        *((("priority", i), n) for i, n in enumerate(spec.priority)),
        *((("identity", part), n) for part, n in identity.items()),
        *(((part,), n) for part, n in (("event", spec.event), ("facility", spec.facility)) if n),
    ]
    for step, field_name in referred:
        if known and field_name not in known:
            line = document.line((*where, *step))
            hint = suggestion(field_name, known)
            problems.add(document.path, line, f'field "{field_name}" is not in the table{hint}')
    values = {key: getattr(spec, key) for key in TableSpec.model_fields if key != "fields"}
    return Table(**values, fields=fields, database=database, name=name)


def _load_sources(
    root: Path, databases: dict[str, Database], trust: Trust | None, problems: Problems
) -> dict[str, Source]:
    tables = {table.id: table for d in databases.values() for table in d.tables.values()}
    sources: dict[str, Source] = {}
    for path in sorted((root / "datasets/_sources").glob("*.yaml")):
        document = read_yaml(path, problems)
        source = build(Source, document, problems) if document else None
        if source is None or document is None:
            continue
        if source.id != path.stem:
            problems.add(path, document.line(("id",)), f'id "{source.id}" is not its file\'s name')
        _check_signature_policy(source, trust, path, document, problems)
        for table_id, mapping in source.tables.items():
            line = document.line(("tables", table_id))
            if table_id not in tables:
                problems.add(path, line, f'no table "{table_id}"{suggestion(table_id, tables)}')
                continue
            known = tables[table_id].field_names
            for name in mapping.columns:
                if name not in known:
                    where = document.line(("tables", table_id, "columns", name))
                    hint = suggestion(name, known)
                    problems.add(path, where, f'field "{name}" is not in {table_id}{hint}')
        sources[source.id] = source
    return sources


def _check_signature_policy(
    source: Source, trust: Trust | None, path: Path, document: Document, problems: Problems
) -> None:
    """A policy that nothing could keep is a mistake, and a dangerous one."""
    line = document.line(("signature",))
    if source.signature != "off" and source.format != "bhyt_envelope":
        problems.add(path, line, f"signature: only envelopes carry one; {source.format} does not")
    if source.signature == "required" and trust is not None and trust.is_empty:
        problems.add(path, line, f"signature: required, but {trust.folder} declares no root")


def _load_rules(root: Path, databases: dict[str, Database], problems: Problems) -> list[Rule]:
    tables = {table.id: table for d in databases.values() for table in d.tables.values()}
    seen: dict[str, str] = {}
    rules: list[Rule] = []
    for path in sorted((root / "rules").glob("*.yaml")) + sorted(
        (root / "rules/shared").glob("*.yaml")
    ):
        document = read_yaml(path, problems)
        spec = build(RuleFile, document, problems) if document else None
        if spec is None or document is None:
            continue
        for index, rule in enumerate(spec.rules):
            line = document.line(("rules", index))
            if rule.id in seen:
                problems.add(path, line, f"rule {rule.id} is also declared in {seen[rule.id]}")
            seen[rule.id] = f"{path.name}:{line}"
            where = document.line(("rules", index, "tables"))
            rules += _on_each_table(rule, tables, path, line, where, problems)
    for table in tables.values():
        rules += form_rules(table, rules)
    return rules


def _load_corrections(
    root: Path, databases: dict[str, Database], problems: Problems
) -> list[Correction]:
    corrections: list[Correction] = []
    for database in databases.values():
        path = root / "datasets" / database.id / "corrections.yaml"
        document = read_yaml(path, problems) if path.is_file() else None
        spec = build(CorrectionFile, document, problems) if document else None
        for index, one in enumerate(spec.corrections if spec else []):
            assert document is not None
            where = ("corrections", index)
            table = database.tables.get(one.table)
            if table is None:
                hint = suggestion(one.table, database.tables)
                problems.add(
                    path, document.line((*where, "table")), f'no table "{one.table}"{hint}'
                )
                continue
            for name in (one.field, *one.where):
                if name not in table.field_names and name != "_facility":
                    hint = suggestion(name, table.field_names)
                    problems.add(path, document.line(where), f'{one.id}: no field "{name}"{hint}')
            values = one.model_dump() | {"table": table.id, "database": database.id}
            corrections.append(Correction(**values))
    return corrections


def _on_each_table(
    spec: RuleSpec, tables: dict[str, Table], path: Path, line: int, where: int, problems: Problems
) -> list[Rule]:
    if spec.tables == [IDENTITY_TABLES]:
        targets = [table.id for table in tables.values() if table.identity]
    else:
        targets = spec.tables
        for target in targets:
            if target not in tables:
                problems.add(
                    path, where, f'{spec.id}: no table "{target}"{suggestion(target, tables)}'
                )
    if not targets:
        problems.add(path, line, f"{spec.id}: tables is missing")
    shared = {name: getattr(spec, name) for name in RuleSpec.model_fields if name != "tables"}
    return [
        Rule(**shared, parameters=spec.parameters, table=target, file=path.name, line=line)
        for target in targets
        if target in tables
    ]
