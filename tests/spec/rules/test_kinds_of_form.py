"""Rules of form (kind="form"): what a contract promises of every field, with no line of YAML."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from datasach.pipeline.plan import plan
from datasach.runners.local import opened, run_shards
from datasach.spec.project import Project
from datasach.spec.rule import FORM
from tests.envelopes import envelope, simple_visit

Deliver = Callable[[str, str, str, bytes], Path]
CASES = {
    "REQ-ly_do_vv": {"LY_DO_VV": ""},
    "LST-ma_khuvuc": {"MA_KHUVUC": "K9"},
    "RDB-ngay_vao": {"NGAY_VAO": "2026-03-02 08:00"},
    "RDB-ngay_sinh": {"NGAY_SINH": "198502310000"},
    "RDB-t_thuoc": {"T_THUOC": "1.000,5"},
    "RDB-t_bhtt": {"T_BHTT": "-5000"},
    "RDB-ngay_ttoan": {"NGAY_TTOAN": "182603021000"},
    "RDB-pp_dieu_tri": {"PP_DIEU_TRI": "Ä iá»u trá»‹ ná»™i khoa"},
    "RDB-chan_doan_rv": {"CHAN_DOAN_RV": "Vi?m ph?i"},
    "LEN-dia_chi": {"DIA_CHI": "x" * 1025},
}


@pytest.fixture
def findings(
    project: Project, deliver: Deliver, tmp_path: Path
) -> Callable[..., set[tuple[str, str]]]:
    def find(*visits: dict[str, str]) -> set[tuple[str, str]]:
        units = [simple_visit(MA_LK=f"LK{n:03}", **changes) for n, changes in enumerate(visits)]
        inbox = deliver("2026-03-02", "79001", "DPDL_1.xml", envelope(units).encode())
        with opened(project, inbox, tmp_path / "out", date(2026, 3, 2)) as night:
            for step in plan():
                step.run(night, run_shards(night, step), lambda _: None)
                if step.name == "validate":
                    break
            night.carried["release"] = SimpleNamespace(snapshot=None, withheld=())
            sql = "SELECT split_part(_key, '|', 2), rule FROM checks.findings WHERE table_id = 'kcb_emr.visit'"
            return set(night.warehouse.rows(sql))

    return find


def test_each_promise_is_found_broken_on_its_own_record_only(findings) -> None:
    found = findings({}, *CASES.values())
    for number, rule in enumerate(CASES, 1):
        assert {record for record, name in found if name == rule} == {f"LK{number:03}"}, rule


def test_a_field_a_declared_rule_asks_the_same_of_is_left_to_it(project: Project) -> None:
    declared = {
        (rule.table, rule.parameters.get("field"))
        for rule in project.rules
        if rule.kind == "required" and rule.when is None
    }
    form = {
        (rule.table, rule.parameters["field"])
        for rule in project.rules
        if rule.kind == FORM and rule.parameters["check"] == "filled"
    }
    assert declared and form and not declared & form
