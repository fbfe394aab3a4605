"""Runs the product over a planted inbox and counts what it found, what it missed and what it cried wolf about.

    python -m tests.planted.measure --encounters 1500 --seed 3

A mistake counts as found when a rule, on the right record (and line), in every channel that carries it, names a
field an auditor would name; or when the value was repaired and the change recorded with a fitting reason.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import polars as pl

from datasach.pipeline.plan import plan
from datasach.publish.results import keep_results
from datasach.runners.local import opened, run_shards
from datasach.spec.project import Project, load_project
from datasach.validate.compile import compiled
from tests.planted.generator import Key, Planted, plant

BY_CHANNEL = {
    "XML1": ("kcb_emr.visit", "bhyt_claims.claim"), "XML2": ("kcb_emr.drug", "bhyt_claims.claim_drug"),
    "XML3": ("kcb_emr.service", "bhyt_claims.claim_service"), "XML4": ("kcb_emr.result", "bhyt_claims.claim_result"),
    "XML5": ("kcb_emr.note", "bhyt_claims.claim_note"),
}  # fmt: skip
ONCE = {
    "XML0": "bhyt_claims.checkin", "XML7": "kcb_emr.discharge", "XML8": "ehr_book.summary", "XML9": "births_deaths.birth",
    "XML10": "bhyt_claims.pregnancy_leave", "XML11": "bhyt_claims.sick_leave", "XML13": "referral_reexam.referral",
    "XML14": "referral_reexam.appointment", "XML15": "prevention.tuberculosis", "XML6": "prevention.hiv",
}  # fmt: skip
XML_OF = {t: x for x, ts in BY_CHANNEL.items() for t in ts} | {t: x for x, t in ONCE.items()}
CHANNELS = ("coordination", "social_insurance")
SAME_WORD = {
    "full_name": "ho_ten", "name_folded": "ho_ten", "identifier": "so_cccd", "citizen_id": "so_cccd", "born": "ngay_sinh",
    "born_on": "ngay_sinh", "birth_year": "ngay_sinh", "birth_precision": "ngay_sinh", "sex": "gioi_tinh",
    "insurance_card": "ma_the_bhyt", "insurance_number": "ma_the_bhyt", "province_code": "matinh_cu_tru",
    "commune_code": "maxa_cu_tru", "phone": "dien_thoai", "patient_code": "ma_bn", "ngaysinh_nnd": "ngay_sinh",
    "so_cccd_nnd": "so_cccd", "ho_ten_nnd": "ho_ten",
}  # fmt: skip
"""The product's identity block says the same things in other words."""


def word(name: str) -> str:
    return SAME_WORD.get(name, name)


@dataclass
class Measured:
    key: Key
    found: dict[str, set[str]] = field(default_factory=dict)
    """Id of a mistake → rules (or changes, states) that found it in every channel."""
    missed: list[Planted] = field(default_factory=list)
    near: dict[str, set[str]] = field(default_factory=dict)
    """What was said about the record of a missed mistake."""
    held_clean: Counter[str] = field(default_factory=Counter)
    held_records: set[str] = field(default_factory=set)
    flagged_clean: Counter[str] = field(default_factory=Counter)
    flagged_records: set[str] = field(default_factory=set)
    examples: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    withheld: tuple[str, ...] = ()
    """Stop rules past their tolerance: nothing planted is bad enough to withhold a database."""

    @property
    def detection(self) -> float:
        return len(self.found) / max(1, len(self.key.planted))

    @property
    def clean(self) -> int:
        return len(self.key.clean) + sum(len(k) for k in self.key.clean_extracts.values())

    @property
    def false_quarantines(self) -> float:
        return len(self.held_records) / max(1, self.clean)


def parts(out: Path, pattern: str) -> pl.DataFrame:
    frames = [pl.read_parquet(path) for path in sorted((out / "state").glob(pattern))]
    return pl.concat(frames, how="diagonal_relaxed") if frames else pl.DataFrame()


def judged(project: Project, key: Key, inbox: Path, out: Path) -> tuple[str, ...]:
    """Run the night as far as its books are balanced and its results kept; returns the stop rules past their
    tolerance. The gate and the report judge nothing that is measured here."""
    with opened(project, inbox, out, key.night) as night:
        for step in plan():
            step.run(night, run_shards(night, step), lambda _: None)
            if step.name == "stage":
                break
        keep_results(night.warehouse, project)
        shares = {
            (table, rule): failed / max(1, tested)
            for table, rule, tested, failed in night.warehouse.rows(
                "SELECT table_id, rule, sum(tested), sum(failed) FROM checks.metrics GROUP BY ALL"
            )
        }
        night.carried["release"] = SimpleNamespace(snapshot=None, withheld=())
    stops = [rule for rule in project.rules if rule.severity == "stop"]
    return tuple(r.id for r in stops if shares.get((r.table, r.id), 0.0) > r.tolerance)


def measure(project: Project, key: Key, inbox: Path, out: Path) -> Measured:
    result = Measured(key, withheld=judged(project, key, inbox, out))
    results = out / "state/results"
    findings = pl.read_parquet(results / "checks.findings.parquet")
    units = parts(out, "units/units/*.parquet")
    unit_key = {
        (f, u): f"{c}|{m}"
        for f, u, c, m in units.select("_file", "_unit", "facility", "ma_lk").iter_rows()
    }
    lines = line_numbers(out)
    named = {k: {word(f) for f in check.fields} for k, check in compiled(project).items()}
    for rule in project.rules:
        other = rule.parameters.get("table")
        if other:
            named[rule.id, rule.table] |= {other, XML_OF.get(other, other)}

    # record → table → [(rule, fields, line)]
    said: dict[str, dict[str, list[tuple[str, set[str], str]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for table, file, row, record, rule in findings.select(
        "table_id", "_file", "_row", "_key", "rule"
    ).iter_rows():
        said[record][table].append(
            (rule, named.get((rule, table), set()), lines.get((table, file, row), ""))
        )
    changed: dict[str, dict[str, list[tuple[str, set[str], str]]]] = defaultdict(
        lambda: defaultdict(list)
    )
    rows, record_of = row_units(out), extract_keys(project, out)
    for file, table, row, name, reason in (
        parts(out, "changes/changes/*.parquet")
        .select("_file", "table_id", "_row", "field", "reason")
        .iter_rows()
    ):
        place = record_of.get((table, file, row)) or unit_key.get(
            (file, rows.get((table, file, row), -1)), ""
        )
        if place:
            changed[place][table].append((reason, {word(name)}, lines.get((table, file, row), "")))
    states = {
        f"{f}|{m}": (state, set(differing))
        for f, m, state, differing in pl.read_parquet(
            results / "recon.channel_visits.parquet"
        ).iter_rows()
    }
    files = file_states(out)
    rejected = parts(out, "rejects/rejects/*.parquet")
    for one in key.planted:
        why = judge(one, said, changed, states, files, rejected, unit_key)
        if why:
            result.found[one.id] = why
        else:
            result.missed.append(one)
            about = [r for t in said.get(one.record, {}).values() for r, _, _ in t]
            result.near[one.id] = {
                *about,
                *(f"change:{r}" for t in changed.get(one.record, {}).values() for r, _, _ in t),
            }
    alarms(key, findings, result)
    seen = set(unit_key.values())
    result.lost = sorted(record for record in key.clean if record not in seen)
    return result


def line_numbers(out: Path) -> dict[tuple[str, str, int], str]:
    """(table, file, row) → STT as sent, for tables of lines."""
    found = {}
    for table in (
        *(t for x in ("XML2", "XML3", "XML4", "XML5") for t in BY_CHANNEL[x]),
        "eprescription.line",
    ):
        frame = parts(out, f"standard/{table}/*.parquet")
        if not frame.is_empty():
            for file, row, number in frame.select("_file", "_row", "stt").iter_rows():
                found[table, file, row] = str(number)
    return found


def row_units(out: Path) -> dict[tuple[str, str, int], int]:
    found = {}
    for table in XML_OF:
        frame = parts(out, f"standard/{table}/*.parquet")
        if not frame.is_empty():
            for file, row, unit in frame.select("_file", "_row", "_unit").iter_rows():
                found[table, file, row] = unit
    return found


def extract_keys(project: Project, out: Path) -> dict[tuple[str, str, int], str]:
    """(table, file, row) of an extract → the record's key."""
    found = {}
    for table in (
        "eprescription.prescription",
        "eprescription.line",
        "immunization.dose",
        "births_deaths.death",
        "prevention.case",
    ):
        frame = parts(out, f"standard/{table}/*.parquet")
        if not frame.is_empty():
            key = project.tables[table].key
            for file, row, *values in frame.select("_file", "_row", *key).iter_rows():
                found[table, file, row] = "|".join(str(v) for v in values)
    return found


def file_states(out: Path) -> dict[str, set[str]]:
    """Path of an offered file → every state, code and note the ledger has of it."""
    found: dict[str, set[str]] = defaultdict(set)
    with sqlite3.connect(out / "state/ledger.sqlite") as con:
        for night, path, state, code in con.execute(
            "SELECT night, path, state, coalesce(code, '') FROM offers"
        ):
            found[f"{night}/{path}"] |= {state, code}
        for night, path, state, code, notes in con.execute(
            "SELECT o.night, o.path, f.state, coalesce(f.code, ''), f.notes FROM files f JOIN offers o USING (offer)"
        ):
            found[f"{night}/{path}"] |= {state, code, *notes.split(";")}
    return found


Said = dict[str, dict[str, list[tuple[str, set[str], str]]]]


def judge(
    one: Planted, said: Said, changed: Said, states: dict[str, tuple[str, set[str]]], files: dict[str, set[str]],
    rejected: pl.DataFrame, unit_key: dict[tuple[str, int], str],
) -> set[str]:  # fmt: skip
    if one.channels == ("file",):
        codes = files.get(one.file, set())
        names = {r for t in said.get(one.record, {}).values() for r, _, _ in t}
        if not rejected.is_empty():
            names |= set(rejected["code"].to_list())
        return (codes | names) & set(one.fields)
    if one.channels == ("exchange",):
        return exchange(one, said) | {
            f"change:{r}" for r in exchange(one, changed) if r_fits(r, (*one.reasons, "unreadable"))
        }
    wanted = {word(f) for f in one.fields}
    found: list[set[str]] = []
    for channel in one.channels:
        tables = {
            BY_CHANNEL[x][CHANNELS.index(channel)] if x in BY_CHANNEL else ONCE[x]
            for x in (one.table, *one.tables)
        }
        why: set[str] = set()
        for record in (one.record, *one.others):
            for table in tables:
                on_line = one.line if XML_OF[table] == one.table else ""
                why |= {
                    r
                    for r, names, n in said.get(record, {}).get(table, [])
                    if names & wanted and n in ("", on_line or n)
                }
                why |= {f"change:{r}" for r, names, n in changed.get(record, {}).get(table, [])
                        if names & wanted and r_fits(r, one.reasons) and n in ("", on_line or n)}  # fmt: skip
        found.append(why)
    if one.family == "channels":
        state, differing = states.get(one.record, ("", set()))
        extra = {"recon:" + f for f in differing & set(one.fields)}
        if state.startswith("only_"):
            extra.add(f"recon:{state}")
        return set().union(*found) | extra
    if one.table not in BY_CHANNEL or one.family in ("presence", "conflicts", "lateness"):
        return set().union(*found)
    return set().union(*found) if all(found) else set()


def r_fits(reason: str, wanted: tuple[str, ...]) -> bool:
    return bool(set(reason.split(";")) & set(wanted))


def exchange(one: Planted, said: Said) -> set[str]:
    wanted = {word(f) for f in one.fields}
    why: set[str] = set()
    for record in (one.record, *one.others):
        names = (record, f"{record}|{one.line}") if one.line else (record,)
        for name in names:
            why |= {r for r, fields, _ in said.get(name, {}).get(one.table, []) if fields & wanted}
    return why


def alarms(key: Key, findings: pl.DataFrame, result: Measured) -> None:
    """What was said about records that have no mistake."""
    for table, record, rule, severity in findings.select(
        "table_id", "_key", "rule", "severity"
    ).iter_rows():
        clean = (
            record in key.clean if table in XML_OF else record in key.clean_extracts.get(table, ())
        )
        if not clean:
            continue
        result.examples.setdefault(rule, f"{table} {record}")
        if severity in ("quarantine", "stop"):
            result.held_records.add(record)
            result.held_clean[rule] += 1
        else:
            result.flagged_records.add(record)
            result.flagged_clean[rule] += 1


def show(result: Measured) -> str:
    kinds: dict[str, list[Planted]] = defaultdict(list)
    for one in result.key.planted:
        kinds[one.kind].append(one)
    text = [f"night {result.key.night}; encounters {result.key.encounters}; planted {len(result.key.planted)}; "
            f"clean records {result.clean}"]  # fmt: skip
    families: dict[str, list[str]] = defaultdict(list)
    for kind, ones in sorted(kinds.items(), key=lambda item: (item[1][0].family, item[0])):
        ok = sum(one.id in result.found for one in ones)
        why = Counter(r for one in ones for r in result.found.get(one.id, ()))
        families[ones[0].family].append(
            f"{'  ' if ok == len(ones) else '! '}{kind:36} {ok:3}/{len(ones):<3} {', '.join(r for r, _ in why.most_common(5))}"
        )
    for family, rows in families.items():
        text += [f"-- {family}", *rows]
    text.append(f"\nfound {len(result.found)}/{len(result.key.planted)} = {result.detection:.2%}")
    if result.missed:
        text.append("\nmissed")
        for one in result.missed[:120]:
            near = ", ".join(sorted(result.near.get(one.id, ()))) or "nothing said"
            text.append(
                f"   {one.kind} {one.record} {one.table} {one.line} {'/'.join(one.fields)} <- {near[:160]}"
            )
    text.append(
        f"\nclean records held: {len(result.held_records)} = {result.false_quarantines:.3%}"
    )
    text += [
        f"   {rule} {n}  e.g. {result.examples[rule]}"
        for rule, n in result.held_clean.most_common()
    ]
    text.append(
        f"clean records flagged: {len(result.flagged_records)} = {len(result.flagged_records) / max(1, result.clean):.1%}"
    )
    text += [
        f"   {rule} {n}  e.g. {result.examples[rule]}"
        for rule, n in result.flagged_clean.most_common()
    ]
    text.append(f"withheld: {', '.join(result.withheld) or 'nothing'}")
    text.append(f"lost: {len(result.lost)} {result.lost[:5]}")
    return "\n".join(text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--encounters", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--defects", type=float, default=0.4)
    parser.add_argument("--keep", type=Path, help="a folder to leave inbox and warehouse in")
    words = parser.parse_args()
    project = load_project(Path(__file__).parents[2])
    with tempfile.TemporaryDirectory() as folder:
        home = words.keep or Path(folder)
        key = plant(home / "inbox", words.seed, words.encounters, words.defects)
        print(show(measure(project, key, home / "inbox", home / "out")))


if __name__ == "__main__":
    main()
