"""The profile shows shapes, not people, and suggests rules that a person may take up."""

from __future__ import annotations

import yaml

from datasach.spec.contract import Field, Table, Title
from datasach.validate.profile import FieldProfile, as_text, suggested_rules

TITLE = Title(vi="Mã", en="Code")


def one(name: str, **changes: object) -> FieldProfile:
    field = Field(
        name=name, type=str(changes.pop("type", "key")), title=TITLE, classification="general"
    )  # type: ignore[arg-type]
    values: dict[str, object] = {
        "field": field, "rows": 1000, "filled": 1000, "distinct": 900, "top": [("A1", 2)],
        "shapes": [("A99", 1000)], "low": None, "high": None, "placeholders": 0,
    }  # fmt: skip
    return FieldProfile(**{**values, **changes})  # type: ignore[arg-type]


def table(*profiles: FieldProfile) -> Table:
    return Table(title=TITLE, database="db", name="t", fields=[p.field for p in profiles])


def drafts(*profiles: FieldProfile) -> list[dict[str, object]]:
    return list(yaml.safe_load(suggested_rules(table(*profiles), list(profiles)))["rules"] or [])


def test_a_field_that_is_always_filled_suggests_that_it_is_required() -> None:
    assert [d["kind"] for d in drafts(one("ma"))] == ["required", "pattern"]


def test_a_shape_nearly_all_values_have_suggests_a_pattern() -> None:
    (draft,) = [d for d in drafts(one("ma")) if d["kind"] == "pattern"]
    assert draft["matches"] == "[A-Z][0-9]{2}"


def test_few_values_suggest_a_set_and_numbers_suggest_bounds() -> None:
    codes = one("ma", type="code", distinct=2, top=[("1", 600), ("2", 400)])
    money = one("tien", type="decimal", low="0.000", high="900.000")
    assert {d["kind"] for d in drafts(codes, money)} >= {"in_set", "between"}


def test_a_suggestion_is_a_draft_with_both_examples_and_low_confidence() -> None:
    for draft in drafts(one("ma")):
        assert draft["confidence"] == "low" and set(draft["examples"]) == {"good", "bad"}  # type: ignore[arg-type]


def test_suspicious_things_are_marked() -> None:
    text = as_text(table(one("ma")), [one("ma", distinct=1), one("ten", placeholders=200)])
    assert "! always the same" in text and "! 200 placeholders" in text
