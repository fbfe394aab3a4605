"""A rule: what must hold, for whom it matters, what follows when it does not.

Read from `rules/*.yaml` and `rules/shared/*.yaml`. Keys that are not named here are the parameters of
the rule's kind; `validate.kinds` checks them, since only it knows the kinds.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import ConfigDict
from pydantic import Field as PydanticField

from datasach.spec.contract import Field, Table, Title
from datasach.spec.load import Declared

Dimension = Literal[
    "conformity", "accuracy", "completeness", "coverage", "uniqueness", "consistency", "timeliness"
]
Severity = Literal["stop", "quarantine", "flag"]
Vintage = Literal["130", "4750", "3176"]
Pillar = Literal["dung", "du", "sach", "song"]

FORM = "form"
"""Kind of the rules that follow from contracts (see `form_rules`)."""

PILLAR_OF: dict[str, Pillar] = {
    "conformity": "dung",
    "accuracy": "dung",
    "completeness": "du",
    "coverage": "du",
    "uniqueness": "sach",
    "consistency": "sach",
    "timeliness": "song",
}
"""The ministry's four words (đúng, đủ, sạch, sống) for the dimensions of the Open Data Contract Standard."""

PILLAR_TITLES: dict[Pillar, Title] = {
    "dung": Title(vi="Đúng", en="Correct"),
    "du": Title(vi="Đủ", en="Complete"),
    "sach": Title(vi="Sạch", en="Clean"),
    "song": Title(vi="Sống", en="Live"),
}


class Example(Declared):
    """One row (and, for rules across tables, the rows beside it) with values as a sender writes them."""

    row: dict[str, str | None]
    beside: dict[str, list[dict[str, str | None]]] = {}
    """Table id → rows, for rules that look at other tables."""


class Examples(Declared):
    good: Example
    bad: Example


class RuleSpec(Declared):
    model_config = ConfigDict(frozen=True, extra="allow")

    id: str = PydanticField(pattern=r"^[A-Z]{2,4}-[0-9]{3}[a-z]?$")
    tables: list[str] = []
    """Table ids (`kcb_emr.visit`), or the one word `identity`: every table that describes a person."""
    says: str
    vi: str
    fix: Title
    kind: str
    when: str | None = None
    """SQL condition over the row; where it is not true the rule does not apply (and is not counted)."""
    dimension: Dimension
    severity: Severity
    tolerance: float = 0.0
    """Only for `stop`: the failing share from which the database is withheld."""
    because: str
    confidence: Literal["high", "medium", "low"]
    vintages: list[Vintage] = []
    valid_from: date | None = None
    valid_to: date | None = None
    examples: Examples

    @property
    def parameters(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class RuleFile(Declared):
    rules: list[RuleSpec]


class Rule(Declared):
    """A rule on one table: `RuleSpec` with its tables multiplied out, and where it was declared."""

    id: str
    table: str
    says: str
    vi: str
    fix: Title
    kind: str
    parameters: dict[str, Any]
    when: str | None
    dimension: Dimension
    severity: Severity
    tolerance: float
    because: str
    confidence: str
    vintages: list[Vintage]
    valid_from: date | None
    valid_to: date | None
    examples: Examples | None
    """None for rules of form, which contracts declare."""
    file: str
    line: int

    @property
    def pillar(self) -> Pillar:
        return PILLAR_OF[self.dimension]

    @property
    def database(self) -> str:
        return self.table.split(".")[0]


_FORM_WORDS: dict[str, tuple[str, Dimension, str, str, str, str]] = {
    "filled": (
        "REQ", "completeness", "{vi} không được để trống.", "{en}: is not blank.",
        "Nhập {vi} ({tag}) trước khi gửi.", "Enter {tag} before sending.",
    ),
    "listed": (
        "LST", "conformity", "{vi} phải là một mã trong danh mục {list}.", "{en}: is a code of the list {list}.",
        "Chọn {vi} ({tag}) trong danh mục, không gõ tự do.", "Choose {tag} from the list; do not type it freely.",
    ),
    "readable": (
        "RDB", "conformity", "{vi} phải viết đúng dạng của chuẩn; số không âm, ngày có thật từ năm 1900.",
        "{en}: is written in the standard's form; no number below 0, no date before 1900.",
        "Xuất {tag} đúng dạng: ngày yyyymmdd, giờ yyyymmddHHMM, số dùng dấu chấm thập phân.",
        "Export {tag} in its form: dates yyyymmdd, times yyyymmddHHMM, numbers with a decimal point.",
    ),
    "legible": (
        "RDB", "conformity", "{vi} phải là chữ đọc được (UTF-8, không mất chữ).",
        "{en}: is text that can be read (UTF-8, no lost letters).",
        "Xuất {tag} bằng UTF-8; chữ đã mất (dấu ?) phải nhập lại.",
        "Export {tag} as UTF-8; letters that were lost (?) must be typed again.",
    ),
    "length": (
        "LEN", "conformity", "{vi} dài không quá {length} ký tự.", "{en}: has at most {length} characters.",
        "Rút gọn {tag}, tối đa {length} ký tự.", "Shorten {tag} to at most {length} characters.",
    ),
}  # fmt: skip
_READ_TYPES = ("integer", "decimal", "date", "datetime", "birth")


def form_rules(table: Table, declared: list[Rule]) -> list[Rule]:
    """The rules of form of one table, except where a declared rule without a condition asks the same."""
    asked = {
        (r.kind, r.parameters.get("field"))
        for r in declared
        if r.table == table.id and r.when is None
    }
    rules: list[Rule] = []
    for field in table.fields:
        wanted = {
            "filled": field.presence == "required" and ("required", field.name) not in asked,
            "listed": field.type == "code"
            and field.list is not None
            and ("in_list", field.name) not in asked,
            "readable": field.type in _READ_TYPES and ("readable", field.name) not in asked,
            "legible": field.type in ("text", "name"),
            "length": field.max_length is not None
            and field.type in ("text", "name", "key", "code"),
        }
        rules += [
            _form_rule(table, field, check) for check, is_wanted in wanted.items() if is_wanted
        ]
    return rules


def _form_rule(table: Table, field: Field, check: str) -> Rule:
    prefix, dimension, vi, en, fix_vi, fix_en = _FORM_WORDS[check]
    words = {
        "vi": f"“{field.title.vi}”", "en": field.title.en, "tag": field.name.upper(),
        "list": field.list or "", "length": str(field.max_length or ""),
    }  # fmt: skip
    basis = (
        f"field table of QĐ 130, 4750 and 3176 ({table.fields_from}); presence derived from its explanations"
        if table.is_enveloped
        else f"the contract of {table.database} (own proposal)"
    )
    return Rule(
        id=f"{prefix}-{field.name}", table=table.id, says=en.format(**words), vi=vi.format(**words),
        fix=Title(vi=fix_vi.format(**words), en=fix_en.format(**words)), kind=FORM,
        parameters={"field": field.name, "check": check}, when=None, dimension=dimension, severity="flag",
        tolerance=0.0, because=basis, confidence="medium", vintages=[], valid_from=None, valid_to=None,
        examples=None, file="contract.yaml", line=1,
    )  # fmt: skip
