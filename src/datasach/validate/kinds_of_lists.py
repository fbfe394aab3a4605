"""Kinds that look a value up in a reference list."""

from __future__ import annotations

from datasach.spec.load import suggestion
from datasach.store.warehouse import sql_name
from datasach.validate.context import Check, Context, constants, each_part, kind
from datasach.validate.sandbox import RuleProblem
from datasach.vn.text import fold


@kind
def icd_shaped(ctx: Context, field: str) -> Check:
    """Every code of the field has the form of an ICD-10 code after standardising: J18 or J18.9 or M54.56.
    Whether the code exists is not asked: the list at hand holds flagged codes only. Blank is not asked."""
    return each_part(
        ctx, field, "NOT regexp_full_match(part, '[A-Z][0-9][0-9A-Z](\\.[0-9]{1,2})?')"
    )


@kind
def in_reference(
    ctx: Context, field: str, list: str, columns: list[str],
    start: str = "1", length: str | None = None, also: list[str] | None = None,
) -> Check:  # fmt: skip
    """The value, or `length` characters of it from `start`, stands in the reference list (`columns` of
    `_reference/<list>.csv`, written together) or among `also`. Blank is not asked, nor a value too short."""
    frame = ctx.project.reference(list)
    for name in columns:
        if name not in frame.columns:
            raise RuleProblem(f'{list} has no column "{name}"{suggestion(name, frame.columns)}')
    codes = sorted(
        {"".join(c or "" for c in row) for row in frame.select(columns).rows()} | {*(also or ())}
    )
    column = ctx.column(field)
    part = f"substr({column}, {int(start)}, {int(length)})" if length else column
    asked = f"{column} IS NOT NULL"
    if length:
        asked += f" AND length({column}) >= {int(start) + int(length) - 1}"
    return Check(asked, f"NOT list_contains({constants(codes)}, {part})", fields=(field,))


@kind
def icd_listed(ctx: Context, field: str) -> Check:
    """Every ICD-10 code of the field stands in WHO's list of 2019 or in the list of TT 06/2026/TT-BYT; a
    code with more characters is asked by its first four ("S72.00" by "S72.0"). What has not the form of a
    code is the business of `icd_shaped`. Blank is not asked."""
    who = ctx.project.reference("icd10_who")["code"].to_list()
    ministry = ctx.project.reference("icd10")["icd10"].to_list()
    known = constants(sorted({*who, *ministry}))
    shaped = "regexp_full_match(part, '[A-Z][0-9]{2}([.][0-9]{1,2})?')"
    return each_part(ctx, field, f"{shaped} AND left(part, 5) NOT IN (SELECT unnest({known}))")


@kind
def icd_not_flagged(ctx: Context, field: str, flag: str) -> Check:
    """No ICD-10 code of the field carries the flag in the list of TT 06/2026/TT-BYT: not_as_main,
    main_discouraged, more_specific_exists, cause_of_death_only, mainly_female, mainly_male. Blank is not asked."""
    frame = ctx.project.reference("icd10")
    flags = frame.columns[2:8]
    if flag not in flags:
        raise RuleProblem(f'the ICD-10 list has no flag "{flag}"{suggestion(flag, flags)}')
    flagged = frame.filter(frame[flag] == "1")["icd10"]
    return each_part(ctx, field, f"part IN (SELECT unnest({constants(flagged)}))")


@kind
def commune_in_province(ctx: Context) -> Check:
    """The commune lies in the province, both in the lists of 2025 after conversion. Asked where both are known."""
    commune, province, alias = (
        ctx.column("commune_code"),
        ctx.column("province_code"),
        ctx.alias("p"),
    )
    pairs = (
        ctx.project.reference("wards")
        .select("new_ward_code", "new_province_code")
        .unique(maintain_order=True)
    )
    joined = (
        f"LEFT JOIN (SELECT unnest({constants(pairs['new_ward_code'])}) AS commune,"
        f" unnest({constants(pairs['new_province_code'])}) AS province) {alias} ON {alias}.commune = {commune}"
    )
    return Check(
        f"{province} IS NOT NULL AND {alias}.commune IS NOT NULL",
        f"{alias}.province <> {province}",
        joins=(joined,), fields=("commune_code", "province_code"),
    )  # fmt: skip


@kind
def address_in_province(ctx: Context, field: str) -> Check:
    """Where the last part of an address (after the last comma or hyphen) is nothing but the name of a province of
    today or of before July 2025, it is the province of the code, after conversion. Other addresses are not asked."""
    provinces = ctx.project.reference("provinces")
    meant: dict[str, set[str]] = {}
    for old, new, code in provinces.select("old_short_name", "new_short_name", "new_code").rows():
        for name in (old, new):
            meant.setdefault(fold(name), set()).add(code)
    known = {name: codes.pop() for name, codes in meant.items() if len(codes) == 1}
    column, province, alias = ctx.column(field), ctx.column("province_code"), ctx.alias("a")
    last = "trim(regexp_extract(strip_accents(replace(lower(v), 'đ', 'd')), '[^,;]*$'), ' .')"
    name = f"regexp_replace({last}, '^(tinh|thanh pho|tp)[. ]+', '')"
    values = f'SELECT DISTINCT "{field}" AS v FROM current.{sql_name(ctx.table)} WHERE contains("{field}", \',\')'
    joined = (
        f"LEFT JOIN (SELECT v, code FROM (SELECT v, {name} AS name FROM ({values})) JOIN"
        f" (SELECT unnest({constants(known)}) AS name, unnest({constants(known.values())}) AS code) USING (name))"
        f" {alias} ON {alias}.v = {column}"
    )
    return Check(
        f"{province} IS NOT NULL AND {alias}.code IS NOT NULL", f"{alias}.code <> {province}",
        joins=(joined,), fields=(field, "province_code"),
    )  # fmt: skip
