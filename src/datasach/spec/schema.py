"""JSON schemas of the declarations, made from the models, so that an editor and the engine never disagree."""

from __future__ import annotations

import json
from pathlib import Path

from datasach.spec.access import Actors, Purposes, Retention, Roles, Sensitive
from datasach.spec.contract import ContractSpec
from datasach.spec.correction import CorrectionFile
from datasach.spec.encounter import EncounterLinkage, ReviewPolicy
from datasach.spec.judgement import JudgementFile
from datasach.spec.linkage import Linkage, Survivorship
from datasach.spec.load import Declared
from datasach.spec.page import Pages
from datasach.spec.rule import RuleFile
from datasach.spec.source import Source

SCHEMAS: dict[str, type[Declared]] = {
    "access_actors": Actors,
    "access_purposes": Purposes,
    "access_retention": Retention,
    "access_roles": Roles,
    "access_sensitive": Sensitive,
    "contract": ContractSpec,
    "corrections": CorrectionFile,
    "encounter": EncounterLinkage,
    "judgements": JudgementFile,
    "linkage": Linkage,
    "pages": Pages,
    "review": ReviewPolicy,
    "rules": RuleFile,
    "source": Source,
    "survivorship": Survivorship,
}


def schema_text(name: str) -> str:
    """One schema, as it is written: sorted, so that a difference is a difference."""
    return (
        json.dumps(SCHEMAS[name].model_json_schema(), indent=1, sort_keys=True, ensure_ascii=False)
        + "\n"
    )


def write_schemas(folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in SCHEMAS:
        path = folder / f"{name}.schema.json"
        path.write_text(schema_text(name), "utf-8")
        paths.append(path)
    return paths
