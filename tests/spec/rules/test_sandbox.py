"""A rule's SQL is one condition over one row, and nothing else."""

from __future__ import annotations

import pytest

from datasach.validate.sandbox import RuleProblem, only_an_expression, qualified

HOSTILE = [
    "(SELECT count(*) FROM current.kcb_emr__visit) > 0",
    "EXISTS (SELECT 1 FROM read_csv('/etc/passwd'))",
    "ma_lk IN (SELECT ma_lk FROM standard.kcb_emr__visit)",
    "true; DROP TABLE checks.findings",
    "true); COPY (SELECT 1) TO '/tmp/x'; SELECT (true",
    "true FROM current.kcb_emr__visit",
    "true) FROM read_parquet('x.parquet') WHERE (true",
    "true UNION SELECT false",
    "true, false",
    "read_text('/etc/passwd') IS NULL",
    "getenv('HOME') = ''",
    "current_setting('home_directory') IS NULL",
    "getvariable('example') = ''",
    "nextval('s') > 0",
    "random() > 0.5",
    "now() > ngay_ra",
    "row_number() OVER () = 1",
    "sum(t_thuoc) > 0",
    "count(*) > 0",
    "COLUMNS(*) IS NULL",
    "ma_lk = ?",
    "ma_lk = $1",
    "CAST(gia_tri AS INTEGER) > 0",
    "gia_tri::DOUBLE > 0",
    "[x FOR x IN glob('/*')] IS NULL",
    "query('SELECT 1') IS NULL",
    "sleep_ms(100000) IS NULL",
    "ma_lk = ",
    "",
]


@pytest.mark.parametrize("sql", HOSTILE)
def test_a_hostile_expression_is_refused(sql: str) -> None:
    with pytest.raises(RuleProblem):
        only_an_expression(sql)


def test_a_comment_cannot_hide_the_closing_bracket() -> None:
    with pytest.raises(RuleProblem):
        only_an_expression("true) FROM x --")


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("t_bhtt <= t_tongchi_bh", {("t_bhtt",), ("t_tongchi_bh",)}),
        ("ngay_kq <= other.ngay_ra + INTERVAL 7 DAY", {("ngay_kq",), ("other", "ngay_ra")}),
        ("len(list_filter(string_split(ma_khoa, ';'), lambda x: x = ma_bn)) = 1", {("ma_khoa",), ("ma_bn",)}),
        ("CASE WHEN sex = '1' THEN TRY_CAST(gia_tri AS DOUBLE) > 0 END", {("sex",), ("gia_tri",)}),
        ("ngay_vao > DATE '2025-07-01'", {("ngay_vao",)}),
    ],
)  # fmt: skip
def test_an_honest_expression_tells_its_columns(sql: str, columns: set[tuple[str, ...]]) -> None:
    assert only_an_expression(sql) == columns


def test_qualified_names_cannot_be_taken_for_another_tables() -> None:
    sql = qualified("ngay_kq <= other.ngay_ra AND ma_lk = 'a''b'", lambda q: "x_1" if q else "r")
    assert sql == "((r.ngay_kq <= x_1.ngay_ra) AND (r.ma_lk = 'a''b'))"
