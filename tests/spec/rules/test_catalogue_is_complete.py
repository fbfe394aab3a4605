"""Every rule of the domain catalogue is live, or stands in the list of what is not built and why."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from string import ascii_lowercase

import yaml

from datasach.spec.project import Project
from datasach.spec.rule import FORM
from datasach.validate.kinds import KINDS

ROOT = Path(__file__).parents[3]
IDS = (ROOT / "tests/data/rule_ids.txt").read_text("utf-8").split()
NOT_BUILT = yaml.safe_load((ROOT / "rules/not_built/catalogue.yaml").read_text("utf-8"))[
    "not_built"
]


OURS = ("LIN", "OWN")
"""Prefixes of rules that the domain catalogue does not have: our own, each with its basis."""


def _declared(project: Project) -> list[str]:
    """Ids of rules in rule files (the rules of form follow from contracts)."""
    return [rule.id for rule in project.rules if rule.kind != FORM]


def _live(project: Project) -> set[str]:
    """Ids of the catalogue with a live rule; MON-011a and MON-011b are parts of MON-011."""
    ids = {re.sub("[a-z]$", "", rule) for rule in _declared(project)}
    return {rule for rule in ids if not rule.startswith(OURS)}


def test_every_id_is_live_or_listed_and_none_is_both(project: Project) -> None:
    listed = [entry["id"] for entry in NOT_BUILT]
    assert sorted([*_live(project), *listed]) == sorted(IDS)


def test_what_is_not_built_says_why_in_both_languages_and_where_it_is_done() -> None:
    for entry in NOT_BUILT:
        assert set(entry) == {"id", "reason", "done_by"}, entry["id"]
        assert entry["reason"]["vi"] and entry["reason"]["en"]
        assert not entry["done_by"] or (ROOT / entry["done_by"]).exists(), entry["done_by"]


def test_parts_of_a_rule_are_lettered_without_a_gap(project: Project) -> None:
    letters: dict[str, set[str]] = {}
    for rule in _declared(project):
        whole = re.sub("[a-z]$", "", rule)
        letters.setdefault(whole, set()).add(rule.removeprefix(whole))
    wanted = [{""}, *(set(ascii_lowercase[:n]) for n in range(2, 6))]
    assert {whole: found for whole, found in letters.items() if found not in wanted} == {}


def test_two_hundred_and_ninety_of_the_catalogue_are_live(project: Project) -> None:
    """As rules that two examples prove and every night counts; what another room does is not counted here."""
    assert len(_live(project)) >= 290


def test_every_database_has_rules(project: Project) -> None:
    asked = Counter(rule.database for rule in project.rules)
    assert set(asked) == set(project.databases)


def test_every_rule_speaks_to_a_clerk(project: Project) -> None:
    for rule in project.rules:
        assert rule.vi != rule.says
        assert rule.fix.vi and rule.fix.en
        assert re.search("[àáảãạăâđèéẻẽẹêìíỉĩịòóỏõọôơùúủũụưỳýỷỹỵ]", rule.vi), rule.id
        assert len(rule.because) > 12
        assert not re.fullmatch(r"[A-Z](, ?[A-Z])*", rule.because), f"{rule.id}: a bare source tag"


def test_only_a_few_rules_withhold_a_whole_database(project: Project) -> None:
    stops = {rule.id for rule in project.rules if rule.severity == "stop"}
    assert stops == {"ID-017a", "FAC-002"}
    assert all(rule.tolerance >= 0.2 for rule in project.rules if rule.severity == "stop")


def test_a_rule_we_are_not_sure_of_holds_no_record_back(project: Project) -> None:
    for rule in project.rules:
        assert rule.severity != "quarantine" or rule.confidence == "high", rule.id


def test_every_kind_has_a_spec() -> None:
    specs = "".join(p.read_text("utf-8") for p in Path(__file__).parent.glob("test_kinds_of_*.py"))
    assert [name for name in KINDS if f'kind="{name}"' not in specs] == []
