"""Splink 5 on prepared records, with settings of somebody who knows both Splink and the data.

    /tmp/peers-splink/bin/python benchmarks/linkage/splink_peer.py PREPARED.parquet --profile vietnam --out DIR
    … --model DIR/model.json      predict with a saved model instead of training

Writes persons.parquet (Splink's own clusters), persons_with_rule.parquet (our id-conflict rule on its edges and clusters),
model.json and phases.json (CPU seconds by phase). The threshold of 0.95 was fixed before any run. Runs in an environment of its
own (see README.md): nothing of datasach is imported here.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
from collections import defaultdict
from pathlib import Path

import duckdb
import splink.comparison_level_library as cll
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

THRESHOLD = 0.95
U_PAIRS = 1e7
SEED = 1


class Clock:
    """CPU seconds of this process by phase."""

    def __init__(self) -> None:
        self.phases: dict[str, float] = {}
        self.last = self._now()

    @staticmethod
    def _now() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return used.ru_utime + used.ru_stime

    def mark(self, phase: str) -> None:
        now = self._now()
        self.phases[phase] = round(now - self.last, 3)
        self.last = now


def levels(name: str, null: str, *conditions: object) -> cl.CustomComparison:
    """A comparison from a null condition and levels, best first; a level is a ready one, or SQL and its label."""
    made: list[object] = [cll.CustomLevel(null, "null").configure(is_null_level=True)]
    for condition in conditions:
        made.append(cll.CustomLevel(*condition) if isinstance(condition, tuple) else condition)
    return cl.CustomComparison(output_column_name=name, comparison_levels=[*made, cll.ElseLevel()])


def exact(column: str, u: float | None = None, tf: bool = True) -> object:
    level = cll.ExactMatchLevel(column, term_frequency_adjustments=tf)
    return level if u is None else level.configure(u_probability=u, fix_u_probability=True)


def vietnam(con: duckdb.DuckDBPyConnection) -> dict[str, object]:
    known = dict(
        zip(
            ("citizen_id", "insurance_number", "phone", "mother_id"),
            con.execute(
                "SELECT count(DISTINCT citizen_id), count(DISTINCT insurance_number), count(DISTINCT phone),"
                " count(DISTINCT mother_id) FROM records"
            ).fetchall()[0],
            strict=True,
        )
    )
    # Two strangers share an id once in as many as there are ids: random sampling never sees it, so it is given.
    u = {column: 1 / max(count, 2) for column, count in known.items()}

    def number(column: str, *, own: str | None = None) -> cl.CustomComparison:
        a, b = f"{column}_l", f"{column}_r"
        # Nested, for DuckDB evaluates both sides of AND, and Damerau-Levenshtein costs 2 µs a pair.
        near = (
            f"CASE WHEN length({a}) = length({b}) THEN"
            f" CASE WHEN hamming({a}, {b}) <= 2 THEN damerau_levenshtein({a}, {b}) <= 1 ELSE FALSE END"
            f" WHEN abs(length({a}) - length({b})) = 1 THEN levenshtein({a}, {b}) <= 1 ELSE FALSE END",
            "one slip",
        )
        first = [exact(own, u[column])] if own else []
        return levels(
            column, f"{column}_l IS NULL OR {column}_r IS NULL", *first, exact(column, u[column]),
            cll.CustomLevel(*near).configure(u_probability=u[column], fix_u_probability=True),
        )  # fmt: skip

    comparisons = [
        levels("given", "given_l IS NULL OR given_r IS NULL",
               exact("given_marked"), ("given_l = given_r AND given_marked_l <> given_marked_r", "same but for marks"),
               exact("given"), ("name_sorted_l = name_sorted_r", "other order"),
               ("jaro_winkler_similarity(given_l, given_r) >= 0.88", "alike"),
               ("substr(given_l, 1, 1) = substr(given_r, 1, 1)", "first letter")),
        levels("surname", "surname_l IS NULL OR surname_r IS NULL", exact("surname"),
               ("jaro_winkler_similarity(surname_l, surname_r) >= 0.88", "alike")),
        levels("middle", "given_l IS NULL OR given_r IS NULL OR (middle_l IS NULL AND middle_r IS NULL)", exact("middle"),
               ("middle_l IS NULL OR middle_r IS NULL", "one missing"),
               ("contains(middle_l, middle_r) OR contains(middle_r, middle_l)", "part"),
               ("jaro_winkler_similarity(middle_l, middle_r) >= 0.88", "alike")),
        levels("born", "birth_year_l IS NULL OR birth_year_r IS NULL", exact("born_day"), exact("born_on"),
               ("day_month_l = day_month_r AND birth_year_l = birth_year_r", "day and month swapped"),
               ("birth_year_l = birth_year_r AND (born_day_l IS NULL OR born_day_r IS NULL)", "year, other unknown or 01/01"),
               ("levenshtein(born_on_l, born_on_r) <= 1", "one digit"),
               ("birth_year_l = birth_year_r", "year"),
               ("abs(birth_year_l::INT - birth_year_r::INT) <= 1 OR abs(birth_year_l::INT - birth_year_r::INT) = 10", "near year")),
        levels("sex", "sex_l IS NULL OR sex_r IS NULL", exact("sex", tf=False)),
        number("citizen_id", own="citizen_own"),
        number("insurance_number"),
        levels("phone", "phone_l IS NULL OR phone_r IS NULL", exact("phone", u["phone"])),
        levels("commune", "commune_l IS NULL OR commune_r IS NULL", exact("commune"), exact("province")),
        levels("facility", "facility_l IS NULL OR facility_r IS NULL", exact("facility")),
        levels("mother", "(mother_id_l IS NULL OR mother_id_r IS NULL) AND (mother_name_l IS NULL OR mother_name_r IS NULL)",
               exact("mother_id", u["mother_id"]), exact("mother_name"),
               ("jaro_winkler_similarity(mother_name_l, mother_name_r) >= 0.92", "alike")),
    ]  # fmt: skip
    if not known["citizen_id"]:
        comparisons = [c for c in comparisons if c.create_output_column_name() != "citizen_id"]
    return {
        "comparisons": comparisons,
        # The passes of rules/linkage/person.yaml, but for the caps and splits of large blocks.
        "blocking": [
            block_on("citizen_id"), block_on("insurance_number"), block_on("name_sorted", "birth_year", "day_month"),
            block_on("given", "birth_year", "commune"), block_on("name_sorted", "birth_year", "province"),
            block_on("name_sorted", "month_day", "province"), block_on("phone_block", "given"),
            block_on("citizen_tail", "birth_year"), block_on("citizen_head", "given"), block_on("born_day", "commune"),
            block_on("surname", "born_day", "province"), block_on("phone_block", "birth_year"),
            block_on("mother_id", "birth_year"), block_on("mother_name", "born_day"),
        ],
        "prior": ([block_on("citizen_id", "birth_year"), block_on("insurance_number", "birth_year"),
                   block_on("name", "born_day", "commune")], 0.85),
        # The last leaves the columns of the name by themselves, so that its comparisons are known to be blocked on.
        "em": [block_on("citizen_id"), block_on("insurance_number"), block_on("given", "surname", "middle", "born_day")],
        "ids": ("citizen_own", ("name_sorted", "born_on", "sex", "marked")),
    }  # fmt: skip


def febrl(con: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """In the manner of the "detailed" model of Splink's own FEBRL examples."""
    return {
        "comparisons": [
            cl.NameComparison("given_name"), cl.NameComparison("surname"),
            cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
            cl.DamerauLevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("address_1", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("address_2", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("suburb", [0.9, 0.8]).configure(term_frequency_adjustments=True),
            cl.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
            cl.ExactMatch("state").configure(term_frequency_adjustments=True),
        ],
        "blocking": [
            block_on("given_name", "surname"), block_on("surname", "date_of_birth"), block_on("given_name", "date_of_birth"),
            block_on("soc_sec_id"), block_on("date_of_birth"), block_on("address_1"), block_on("postcode", "street_number"),
            block_on("suburb", "surname"), block_on("suburb", "given_name"), block_on("state", "street_number", "address_2"),
        ],
        "prior": ([block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")], 0.9),
        "em": [block_on("soc_sec_id"), block_on("date_of_birth"), block_on("given_name", "surname")],
    }  # fmt: skip


def figures(con: duckdb.DuckDBPyConnection) -> dict[str, object]:
    """In the manner of Splink's own example on historical figures with errors."""
    con.execute("ALTER TABLE records ADD COLUMN first_name_surname_concat VARCHAR")
    con.execute("UPDATE records SET first_name_surname_concat = first_name || ' ' || surname")
    return {
        "comparisons": [
            cl.ForenameSurnameComparison(
                "first_name", "surname", forename_surname_concat_col_name="first_name_surname_concat",
            ),
            cl.DateOfBirthComparison(
                "born_on", input_is_string=True, datetime_metrics=["month", "year", "year"], datetime_thresholds=[1, 1, 10],
            ),
            cl.LevenshteinAtThresholds("postcode", [1, 2]),
            cl.JaroWinklerAtThresholds("birth_place", [0.9]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("occupation", [0.9]).configure(term_frequency_adjustments=True),
        ],
        "blocking": [
            block_on("substr(first_name,1,3)", "substr(surname,1,4)"), block_on("surname", "born_on"), block_on("first_name", "born_on"),
            block_on("postcode", "first_name"), block_on("postcode", "surname"), block_on("born_on", "birth_place"),
            block_on("substr(postcode,1,3)", "born_on"), block_on("substr(postcode,1,3)", "first_name"),
            block_on("substr(postcode,1,3)", "surname"),
            block_on("substr(first_name,1,2)", "substr(surname,1,2)", "substr(born_on,1,4)"),
        ],
        "prior": ([
            "l.first_name = r.first_name and l.surname = r.surname and l.born_on = r.born_on",
            "substr(l.first_name,1,2) = substr(r.first_name,1,2) and l.surname = r.surname and substr(l.postcode,1,2) = substr(r.postcode,1,2)",
            "l.born_on = r.born_on and l.postcode = r.postcode",
        ], 0.6),
        "em": [block_on("first_name", "surname"), block_on("born_on"), block_on("substr(postcode,1,3)", "birth_place")],
    }  # fmt: skip


PROFILES = {"vietnam": vietnam, "febrl": febrl, "figures": figures}


def link(records: Path, profile: str, out: Path, model: Path | None, threshold: float) -> None:
    clock = Clock()
    con = duckdb.connect()
    con.execute(f"CREATE TABLE records AS SELECT * FROM read_parquet('{records}')")
    chosen = PROFILES[profile](con)
    clock.mark("load")
    settings = (
        json.loads(model.read_text("utf-8"))
        if model
        else SettingsCreator(
            link_type="dedupe_only", comparisons=chosen["comparisons"], retain_intermediate_calculation_columns=False,
            retain_matching_columns=False, blocking_rules_to_generate_predictions=chosen["blocking"],
        )
    )  # fmt: skip
    api = DuckDBAPI(connection=con)
    linker = Linker(api.register("records"), settings)
    clock.mark("settings")
    if not model:
        rules, recall = chosen["prior"]
        linker.training.estimate_probability_two_random_records_match(rules, recall=recall)
        clock.mark("prior")
        linker.training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=SEED)
        clock.mark("u")
        for rule in chosen["em"]:
            try:
                linker.training.estimate_parameters_using_expectation_maximisation(rule)
            except Exception as problem:  # no pairs to learn from, as where ids are not written
                print("EM skipped:", str(problem).splitlines()[0])
        clock.mark("em")
        linker.misc.save_model_to_json(str(out / "model.json"), overwrite=True)
    predicted = linker.inference.predict(threshold_match_probability=threshold)
    clock.mark("predict")
    clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold)
    con.execute(
        f"COPY (SELECT unique_id AS record_key, cluster_id::VARCHAR AS person_id FROM {clusters.physical_name})"
        f" TO '{out}/persons.parquet'"
    )
    clock.mark("cluster")
    con.execute(
        f"COPY (SELECT unique_id_l, unique_id_r, match_weight FROM {predicted.physical_name}) TO '{out}/edges.parquet'"
    )
    cut = repair(con, predicted.physical_name, *chosen["ids"]) if chosen.get("ids") else 0
    if chosen.get("ids"):
        con.execute(
            f"COPY (SELECT record_key, person_id FROM repaired) TO '{out}/persons_with_rule.parquet'"
        )
    clock.mark("rule")
    (out / "phases.json").write_text(json.dumps({"cpu": clock.phases, "cut": cut}, indent=1))


def repair(con: duckdb.DuckDBPyConnection, edges: str, own: str, same: tuple[str, ...]) -> int:
    """Our rule on Splink's edges: two different valid personal ids are two people, unless one slip of the hand tells them apart
    on records that are equal in name, birth and sex. Edges that say otherwise are dropped; a component that still holds two such
    ids is rebuilt edge by edge, strongest first, without the unions that would join them. Leaves table `repaired`.
    """
    equal = " AND ".join(f"l.{c} = r.{c}" for c in same[:-1])
    slip = (
        f"(damerau_levenshtein(l.{own}, r.{own}) <= 1 AND {equal}"
        f" AND (l.{same[-1]} = r.{same[-1]} OR l.{same[-1]} IS NULL OR r.{same[-1]} IS NULL))"
    )
    con.execute(
        f"""
        CREATE TEMP TABLE kept AS
        SELECT e.unique_id_l AS a, e.unique_id_r AS b, e.match_weight AS w
        FROM {edges} e JOIN records l ON l.unique_id = e.unique_id_l JOIN records r ON r.unique_id = e.unique_id_r
        WHERE l.{own} IS NULL OR r.{own} IS NULL OR l.{own} = r.{own} OR coalesce({slip}, FALSE)
        """
    )
    dropped = con.execute(
        f"SELECT (SELECT count(*) FROM {edges}) - (SELECT count(*) FROM kept)"
    ).fetchall()[0][0]
    rows = con.execute("SELECT a, b, w FROM kept ORDER BY w DESC, a, b").fetchall()
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = key = parent[parent[key]]
        return key

    for a, b, _ in rows:
        parent[find(a)] = find(b)
    members = defaultdict(list)
    for key in list(parent):
        members[find(key)].append(key)
    held = dict(
        con.execute(f"SELECT unique_id, {own} FROM records WHERE {own} IS NOT NULL").fetchall()
    )
    facts = None
    for group in list(members.values()):
        if len({held[k] for k in group if k in held}) < 2:
            continue
        if facts is None:
            facts = {
                k: v
                for k, *v in con.execute(
                    f"SELECT unique_id, {', '.join(same)} FROM records WHERE {own} IS NOT NULL"
                ).fetchall()
            }
            by = defaultdict(list)
            for a, b, _ in rows:
                by[find(a)].append((a, b))
        dropped += rebuild(group, by[find(group[0])], held, facts, parent)
    con.execute("CREATE TEMP TABLE joined (record_key VARCHAR, person_id VARCHAR)")
    import pyarrow as pa

    labels = pa.table({"record_key": list(parent), "person_id": [find(k) for k in list(parent)]})
    con.register("labels", labels)
    con.execute(
        "CREATE TEMP TABLE repaired AS SELECT unique_id AS record_key, coalesce(person_id, unique_id) AS person_id"
        " FROM records LEFT JOIN labels ON record_key = unique_id"
    )
    return dropped


def rebuild(group, edges, held, facts, parent) -> int:  # type: ignore[no-untyped-def]
    """Join the members of a contested component again, strongest edge first; returns how many unions were refused."""
    for key in group:
        parent[key] = key
    inside = {key: [key] for key in group}

    def find(key: str) -> str:
        while parent[key] != key:
            key = parent[key]
        return key

    def apart(x: str, y: str) -> bool:
        if x not in held or y not in held or held[x] == held[y]:
            return False
        *p, mark_p = facts[x]
        *q, mark_q = facts[y]
        equal = all(u is not None and u == v for u, v in zip(p, q, strict=True)) and (
            not mark_p or not mark_q or mark_p == mark_q
        )
        return not (equal and slip(held[x], held[y]))

    refused = 0
    for a, b in edges:
        x, y = find(a), find(b)
        if x == y:
            continue
        if any(apart(p, q) for p in inside[x] for q in inside[y]):
            refused += 1
            continue
        parent[x] = y
        inside[y] += inside.pop(x)
    return refused


def slip(a: str, b: str) -> bool:
    differs = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    return len(differs) == 1 or (
        len(differs) == 2
        and differs[1] == differs[0] + 1
        and a[differs[0]] == b[differs[1]]
        and a[differs[1]] == b[differs[0]]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("records", type=Path)
    parser.add_argument("--profile", choices=PROFILES, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    given = parser.parse_args()
    logging.getLogger("splink").setLevel(logging.ERROR)
    given.out.mkdir(parents=True, exist_ok=True)
    link(given.records, given.profile, given.out, given.model, given.threshold)


if __name__ == "__main__":
    main()
