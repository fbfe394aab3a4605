"""`datasach review` and `datasach judge`: what is worth asking people, and writing down what they say."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from pydantic import ValidationError

from datasach import settings
from datasach.errors import DatasachError
from datasach.link.judgements import all_judgements, record_judgement
from datasach.link.settle import Judgement, settle
from datasach.protect.desk import Asked, open_desk
from datasach.spec.judgement import JudgementSpec
from datasach.spec.project import Project
from datasach.store.layout import Layout
from datasach.store.ledger import Ledger

SHOWN = (
    "full_name", "born_on", "birth_year", "sex", "citizen_id", "insurance_number", "phone", "commune_code",
    "patient_code", "mother_name_folded",
)  # fmt: skip
"""What a person who may see it compares."""


class CannotJudge(DatasachError):
    exit_code = 2


# -- the queue -----------------------------------------------------------------------------------


def review_queue(out: Path, limit: int) -> dict[str, Any]:
    """`pairs`: the first of the queue, each with place, records, persons, weight, probability, waterfall, value;
    `waiting`: how many there are; `contradictions`: judgements that cannot all
    be true. Raises CannotJudge if no night was run.
    """
    layout = Layout(out.resolve())
    with duckdb.connect() as con:
        pairs = _rows(
            con,
            f"SELECT * FROM {_result(layout, 'identity_review')} ORDER BY place LIMIT {limit:d}",
        )
        waiting = _rows(con, f"SELECT count(*) AS n FROM {_result(layout, 'identity_review')}")
        contradictions = _rows(
            con,
            f"""
            SELECT same.id AS same, same.judged_by AS same_by, same.why AS same_why, other.id AS different,
                   other.judged_by AS different_by, other.why AS different_why, c.others
            FROM {_result(layout, "identity_contradictions")} c
            JOIN {_result(layout, "identity_judgements")} same ON same.id = c.same
            JOIN {_result(layout, "identity_judgements")} other ON other.id = c.different ORDER BY ALL""",
        )
        for pair in pairs:
            pair["waterfall"] = _steps(pair["waterfall"])
    return {"waiting": waiting[0]["n"], "pairs": pairs, "contradictions": contradictions}


def with_values(project: Project, out: Path, queue: dict[str, Any], asked: Asked) -> dict[str, Any]:
    """The queue with both records' values, through the desk: role, purpose, territory, consent; logged first.

    A pair of which one record may not be shown is left without values. Raises AccessRefused.
    """
    with open_desk(project, out, asked, "review") as desk:
        desk.prepare()
        open_pairs = []
        for pair in queue["pairs"]:
            places = [
                _place(desk.con, desk.layout, pair[side])
                for side in ("record_key_a", "record_key_b")
            ]
            if all(p and desk.passes(p["table_id"], p["_file"], p["_row"]) for p in places):
                open_pairs.append((pair, places))
        shown = sorted(
            f"{p['_file']}:{p['table_id']}:{p['_row']}" for _, places in open_pairs for p in places
        )
        desk.enter("review", "OK", records=shown, rows=len(shown))
        for pair, places in open_pairs:
            pair["values"] = [_values(desk.con, desk.layout, place) for place in places]
    return queue


def review_text(queue: dict[str, Any], as_json: bool) -> str:
    """What `review_queue` found, for people or for software."""
    if as_json:
        return json.dumps(queue, ensure_ascii=False, indent=1, default=str)
    lines = []
    for one in queue["contradictions"]:
        lines += [
            "MÂU THUẪN · CONTRADICTION  hai kết luận không thể cùng đúng · two judgements cannot both be true",
            f"  {one['same']}  same       {one['same_by']}: {one['same_why']}",
            f"  {one['different']}  different  {one['different_by']}: {one['different_why']}",
            f"  cùng · with {one['others'] or '-'}; different giữ hiệu lực · holds until one pair is judged again",
            "",
        ]
    lines.append(f"{queue['waiting']} cặp chờ xem · pairs to review, {len(queue['pairs'])} shown")
    for pair in queue["pairs"]:
        chance = f"{pair['probability']:.1%}" if pair["probability"] is not None else "?"
        lines += [
            "",
            f"{pair['place']:4}. giá trị · value {pair['value']:.2f}   {pair['weight']:+.1f} bits, {chance}   {pair['records']} hồ sơ · records",
            f"      A {pair['record_key_a']}   {pair['person_a']}",
            f"      B {pair['record_key_b']}   {pair['person_b']}",
            "      "
            + "  ".join(f"{s['column']} {s['level']} {s['bits']:+.1f}" for s in pair["waterfall"]),
        ]
        for column in SHOWN if "values" in pair else ():
            a, b = (side.get(column) for side in pair["values"])
            if a is not None or b is not None:
                lines.append(f"      {column:18} {_shown(a)} | {_shown(b)}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    return "-" if value is None else str(value)


def _steps(waterfall: str) -> list[dict[str, Any]]:
    """`column:level:bits` joined by `;` → one dict a step."""
    found = []
    for step in filter(None, waterfall.split(";")):
        column, level, bits = step.split(":")
        found.append({"column": column, "level": level, "bits": float(bits)})
    return found


def _place(con: duckdb.DuckDBPyConnection, layout: Layout, record_key: str) -> dict[str, Any]:
    """table_id, _file and _row of a record; empty if the last night does not have it."""
    place = _rows(
        con, f"SELECT table_id, _file, _row FROM {_result(layout, 'link.record_persons')} WHERE record_key = ?", record_key
    )  # fmt: skip
    return place[0] if place else {}


def _values(
    con: duckdb.DuckDBPyConnection, layout: Layout, place: dict[str, Any]
) -> dict[str, Any]:
    """The identity block of a record, as standardised."""
    ledger = Ledger(layout.ledger, "review")
    try:
        batch = ledger.rows("SELECT batch FROM files WHERE file = ?", (place["_file"],))
    finally:
        ledger.close()
    part = layout.part("standard", place["table_id"], str(batch[0][0]))
    rows = _rows(
        con, f"SELECT {', '.join(SHOWN)} FROM read_parquet('{part}') WHERE _file = ? AND _row = ?",
        place["_file"], place["_row"],
    )  # fmt: skip
    return rows[0] if rows else {}


# -- judging -------------------------------------------------------------------------------------


def judge(
    project: Project, out: Path, a: str, b: str, verdict: str, by: str, why: str, until: date | None
) -> str:
    """Write down that records `a` and `b` are the same person, different persons, or cannot be told; returns what to
    print. Raises CannotJudge, and writes nothing, if a record is unknown or something is missing.
    """
    layout = Layout(out.resolve())
    try:
        said = JudgementSpec.model_validate(
            {"a": a, "b": b, "verdict": verdict, "by": by, "on": settings.today(), "why": why, "until": until}
        )  # fmt: skip
    except ValidationError as error:
        problem = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise CannotJudge(problem) from None
    persons = _persons_of(layout, (a, b))
    for key in (a, b):
        if key not in persons:
            raise CannotJudge(
                f"no record {key} is current; a record is named <database>.<table>:<key>, as `datasach review` prints it"
            )
    done = record_judgement(layout, said)
    lines = [f"{done.id}  {verdict}  {a} | {b}", f"      {persons[a]} | {persons[b]}"]
    if persons[a] == persons[b] and verdict == "different":
        lines.append("      đêm sau tách · they part with the next night")
    elif persons[a] != persons[b] and verdict == "same":
        lines.append("      đêm sau nhập làm một · they become one with the next night")
    return "\n".join([*lines, *_contradictions(layout, project, done)])


def _contradictions(layout: Layout, project: Project, done: Judgement) -> list[str]:
    judgements = all_judgements(layout, project)
    records = {key for one in judgements for key in one.pair}
    settled = settle(judgements, settings.today(), records)
    by_id = {one.id: one for one in judgements}
    lines = []
    for same, different, others in settled.contradictions:
        if done.id in (same, different, *others):
            lines.append(
                "MÂU THUẪN · CONTRADICTION: không thể cùng đúng · these cannot all be true:"
            )
            for one in (by_id[i] for i in (different, same, *others)):
                lines.append(
                    f"      {one.id}  {one.verdict}  {one.a} | {one.b}  ({one.by}: {one.why})"
                )
            lines.append(
                f"      {different} giữ hiệu lực, {same} không · the first holds, {same} has no effect until a pair is judged again"
            )
    return lines


def _persons_of(layout: Layout, keys: tuple[str, ...]) -> dict[str, str]:
    with duckdb.connect() as con:
        found = _rows(
            con,
            f"SELECT record_key, any_value(person_id) AS person_id FROM {_result(layout, 'link.record_persons')}"
            " WHERE record_key IN (SELECT unnest(?)) GROUP BY record_key",
            list(keys),
        )
    return {row["record_key"]: row["person_id"] for row in found}


def _result(layout: Layout, name: str) -> str:
    path = layout.state / "results" / f"{name}.parquet"
    if not path.exists():
        raise CannotJudge(f"no night of {layout.root} has been linked yet")
    return f"read_parquet('{path}')"


def _rows(con: duckdb.DuckDBPyConnection, sql: str, *parameters: Any) -> list[dict[str, Any]]:
    cursor = con.execute(sql, list(parameters))
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
