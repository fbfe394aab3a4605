"""Vendors write the same envelope in many ways; all of them say the same."""

from __future__ import annotations

import base64
import textwrap

import pytest

from datasach.errors import UnreadableExtract
from datasach.extract.envelope import RowShape, read_envelope, rows_of
from datasach.spec.project import Project
from tests.envelopes import b64, envelope, services_xml, simple_visit, visit_xml


@pytest.fixture(scope="session")
def shapes(project: Project) -> dict[str, RowShape]:
    return {
        name: RowShape(e.record, e.root, tuple(f.name for f in e.fields), e.aliases)
        for name, e in project.envelopes.items()
    }


def read(
    data: bytes, shapes: dict[str, RowShape]
) -> tuple[dict[str, list[dict[str, str | None]]], set[str]]:
    """Every row of the file by table, as tag → text, and the notes."""
    opened = read_envelope(data)
    found: dict[str, list[dict[str, str | None]]] = {}
    for unit in opened.units:
        for part in unit.parts:
            assert part.root is not None, part.problem
            rows, problem = rows_of(part, shapes[part.table])
            assert problem is None
            found.setdefault(part.table, []).extend(dict(zip(t, c, strict=True)) for t, c in rows)
    return found, opened.notes


PLAIN = envelope([simple_visit(), simple_visit(MA_LK="LK002")])


def wrapped(document: str) -> str:
    return "\n".join(textwrap.wrap(b64(document), 76))


def with_declaration(document: str) -> str:
    return b64('<?xml version="1.0" encoding="utf-8"?>\n' + document)


HABITS = {
    "utf8_with_bom": b"\xef\xbb\xbf" + PLAIN.encode(),
    "utf16": PLAIN.replace("utf-8", "utf-16", 1).encode("utf-16"),
    "declared_windows_1258": envelope([simple_visit(), simple_visit(MA_LK="LK002")])
    .replace("utf-8", "windows-1258", 1)
    .encode("cp1258", "xmlcharrefreplace"),
    "base64_over_lines": envelope(
        [simple_visit(), simple_visit(MA_LK="LK002")], pack=wrapped
    ).encode(),
    "inner_declaration": envelope(
        [simple_visit(), simple_visit(MA_LK="LK002")], pack=with_declaration
    ).encode(),
    "inner_in_cdata": envelope(
        [simple_visit(), simple_visit(MA_LK="LK002")], pack=lambda d: f"<![CDATA[{d}]]>"
    ).encode(),
    "inner_as_elements": envelope(
        [simple_visit(), simple_visit(MA_LK="LK002")], pack=lambda d: d
    ).encode(),
    "inner_utf16": envelope(
        [simple_visit(), simple_visit(MA_LK="LK002")],
        pack=lambda d: base64.b64encode(d.encode("utf-16")).decode(),
    ).encode(),
    "base64_of_bom": envelope(
        [simple_visit(), simple_visit(MA_LK="LK002")], pack=lambda d: b64("\ufeff" + d)
    ).encode(),
}


@pytest.mark.parametrize("habit", HABITS)
def test_every_habit_gives_the_same_rows(habit: str, shapes: dict[str, RowShape]) -> None:
    expected, _ = read(PLAIN.encode(), shapes)
    found, _ = read(HABITS[habit], shapes)
    assert found == expected


def test_pretty_printed_rows_say_the_same(shapes: dict[str, RowShape]) -> None:
    pretty = envelope([[("XML1", visit_xml(gap="\n    "))]])
    plain = envelope([[("XML1", visit_xml())]])
    assert read(pretty.encode(), shapes) == read(plain.encode(), shapes)


def test_cdata_and_entities_inside_a_cell_are_its_text(shapes: dict[str, RowShape]) -> None:
    document = visit_xml().replace("<LY_DO_VV>Đau đầu<", "<LY_DO_VV><![CDATA[a < b]]> &amp; c<")
    rows, _ = read(envelope([[("XML1", document)]]).encode(), shapes)
    assert rows["XML1"][0]["LY_DO_VV"] == "a < b & c"


def test_a_comment_inside_a_cell_does_not_cut_its_text(shapes: dict[str, RowShape]) -> None:
    document = visit_xml().replace("<MA_BN>BN001<", "<MA_BN>BN<!-- x -->001<")
    rows, _ = read(envelope([[("XML1", document)]]).encode(), shapes)
    assert rows["XML1"][0]["MA_BN"] == "BN001"


def test_markup_inside_a_cell_keeps_all_its_text_and_is_told(shapes: dict[str, RowShape]) -> None:
    document = visit_xml().replace("<LY_DO_VV>Đau đầu<", "<LY_DO_VV>Đau <b>đầu</b> nhiều<")
    part = next(read_envelope(envelope([[("XML1", document)]]).encode()).units).parts[0]
    rows, problem = rows_of(part, shapes["XML1"])
    row = dict(zip(*rows[0], strict=True))
    assert (row["LY_DO_VV"], problem) == ("Đau đầu nhiều", "PART_NESTED")


def test_lines_of_one_unit_keep_their_order(shapes: dict[str, RowShape]) -> None:
    document = services_xml({"STT": "2"}, {"STT": "1"}, {"STT": "3"})
    rows, _ = read(envelope([[("XML3", document)]]).encode(), shapes)
    assert [row["STT"] for row in rows["XML3"]] == ["2", "1", "3"]


REFUSED = {
    "XML_EMPTY": b"  \n",
    "XML_SYNTAX": PLAIN.encode()[:-40],
    "XML_DTD": PLAIN.replace(
        "<GIAMDINHHS>", '<!DOCTYPE x [<!ENTITY e "79001">]><GIAMDINHHS>'
    ).encode(),
    "ENV_ROOT": b"<KHAC><A/></KHAC>",
    "ENV_NO_FACILITY": PLAIN.replace("<MACSKCB>79001</MACSKCB>", "<MACSKCB/>").encode(),
    "ENV_NO_UNITS": b"<GIAMDINHHS><THONGTINDONVI><MACSKCB>79001</MACSKCB></THONGTINDONVI></GIAMDINHHS>",
    "XML_ENCODING": PLAIN.encode().replace(b"<NGAYLAP>", b"<NGAYLAP>\xf2\xff"),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_with_its_code(code: str) -> None:
    with pytest.raises(UnreadableExtract) as refused:
        list(read_envelope(REFUSED[code]).units)
    assert refused.value.code == code


PART_PROBLEMS = {
    "PART_BASE64": lambda d: b64(d)[:-3] + "!!!",
    "PART_XML_SYNTAX": lambda d: b64(d[:-20]),
    "PART_XML_EMPTY": lambda _: "",
    "PART_XML_DTD": lambda d: b64('<!DOCTYPE x [<!ENTITY e "1">]>' + d),
}


@pytest.mark.parametrize("code", PART_PROBLEMS)
def test_one_unreadable_part_does_not_take_the_others_with_it(
    code: str, shapes: dict[str, RowShape]
) -> None:
    broken = envelope([[("XML1", visit_xml())]], pack=PART_PROBLEMS[code])
    whole = envelope([[("XML3", services_xml())]])
    start = broken.index("<FILEHOSO>")
    both = whole.replace("<HOSO>", "<HOSO>" + broken[start : broken.index("</HOSO>")])
    parts = next(read_envelope(both.encode()).units).parts
    assert [(p.table, p.problem) for p in parts] == [("XML1", code), ("XML3", None)]


def test_the_same_table_twice_in_one_unit_is_told() -> None:
    twice = envelope([[("XML1", visit_xml()), ("XML1", visit_xml())]])
    assert [p.problem for p in next(read_envelope(twice.encode()).units).parts] == [
        None,
        "PART_TWICE",
    ]
