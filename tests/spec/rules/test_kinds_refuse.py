"""A rule that cannot mean what it says is refused when it is compiled, with a hint."""

from __future__ import annotations

from typing import Any

import pytest

from datasach.spec.project import Project
from datasach.validate.kinds import check_of
from datasach.validate.sandbox import RuleProblem
from tests.spec.rules.conftest import a_rule

VISIT = "kcb_emr.visit"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"kind": "requird", "field": "ma_lk"}, 'did you mean "required"'),
        ({"kind": "required", "field": "ma_lkk"}, 'did you mean "ma_lk"'),
        ({"kind": "required", "fields": ["ma_lk"]}, 'takes no "fields"'),
        ({"kind": "required"}, 'needs "field"'),
        ({"kind": "all_required", "fields": "ma_lk"}, "must be a list"),
        ({"kind": "required", "field": ["ma_lk"]}, "must be one value"),
        ({"kind": "in_set", "field": "ma_lk", "values": ["a", None]}, "NULL"),
        ({"kind": "in_list", "field": "ma_lk"}, "no code list in its contract"),
        ({"kind": "in_list", "field": "ma_lk", "list": "NOPE"}, 'no code list "NOPE"'),
        ({"kind": "pattern", "field": "ma_lk", "matches": r"\d+"}, "[0-9]"),
        ({"kind": "between", "field": "t_thuoc"}, "low, high or both"),
        ({"kind": "between", "field": "t_thuoc", "low": "zero"}, "neither a number nor a date"),
        ({"kind": "expression", "holds": "ngay_rra > ngay_vao", "fields": []}, 'no column "ngay_rra"'),
        ({"kind": "expression", "holds": "r.ngay_ra > ngay_vao", "fields": []}, "name alone"),
        ({"kind": "required", "field": "ma_lk", "when": "ngay_rra IS NULL"}, 'no column "ngay_rra"'),
        ({"kind": "with_other", "table": "XML2", "holds": "ngay_ra > ngay_vao", "fields": []}, "other."),
        ({"kind": "with_other", "table": "XML2", "holds": "other.ngay_ra > ngay_vao", "fields": []},
         'no column "ngay_ra"'),
        ({"kind": "exists_in", "fields": ["ma_lk"], "table": "kcb_emr.visitt"}, "did you mean"),
        ({"kind": "exists_in", "fields": ["person_id"], "table": "drugs.drug"}, "describes no person"),
        ({"kind": "has_lines", "table": "XML2", "where": "sum(stt) > 1"}, "not accepted"),
        ({"kind": "icd_not_flagged", "field": "ma_benh_chinh", "flag": "not_main"}, "no flag"),
        ({"kind": "unique", "fields": ["ma_lk"], "when": "_vintage = '130'"}, 'no column "_vintage"'),
    ],
)  # fmt: skip
def test_refused(project: Project, rule: dict[str, Any], says: str) -> None:
    with pytest.raises(RuleProblem, match=says.replace("[", r"\[")):
        check_of(project, a_rule(VISIT, **rule))
