"""Every code the source can raise has a sentence, and says how to mend what it names."""

from __future__ import annotations

import ast
import csv
import re
from pathlib import Path

import pytest

from datasach.report.words import Words, load_words

ROOT = Path(__file__).parents[3]
ENGINE = ROOT / "src/datasach"
SHAPE = re.compile(r"[A-Z][A-Z0-9]+(_[A-Z0-9]+)+|ENV-[0-9]{3}")
BARE_NOTES = {"BOM", "UTF16", "UNENCODED"}


def tags() -> set[str]:
    """Element names of the BHYT standard look like codes and are none."""
    with (ROOT / "datasets/_reference/xml_fields.csv").open(encoding="utf-8", newline="") as handle:
        return {row["tag"] for row in csv.DictReader(handle)} | {"MA_CSKCB_DEN", "SO_BIEN_BAN"}


@pytest.fixture(scope="module")
def words() -> Words:
    return load_words(ROOT)


def raised_codes() -> set[str]:
    """String constants of extract/, signing/ and reconcile/ that look like codes, and the first argument of every refusal."""
    found: set[str] = set()
    for folder in ("extract", "signing", "reconcile"):
        for path in sorted((ENGINE / folder).rglob("*.py")):
            tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    if SHAPE.fullmatch(node.value) or node.value in BARE_NOTES:
                        found.add(node.value)
                    # Reasons of versions are SQL literals inside longer texts.
                    found |= set(
                        re.findall(r"'((?:SAME|NEWER|OTHER|KEY|WRONG)_[A-Z]+)'", node.value)
                    )
                called = getattr(getattr(node, "func", None), "id", "")
                if called == "UnreadableExtract" and isinstance(node, ast.Call):
                    first = node.args[0]
                    if isinstance(first, ast.Constant):
                        found.add(str(first.value))
    return found - tags()


def part_codes() -> set[str]:
    """Refusals of a part's own content come back as PART_<code> (envelope._part)."""
    tree = ast.parse((ENGINE / "extract/envelope.py").read_text("utf-8"))
    found = {
        node.value
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and function.name in ("parse", "_decode")
        for node in ast.walk(function)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {f"PART_{code}" for code in found if SHAPE.fullmatch(code) or code == "BASE64"} - {
        "PART_WRAPPED_BASE64"
    }


def test_every_code_raised_in_the_source_is_explained(words: Words) -> None:
    only_inside_parts = {"BASE64", "INNER_TOO_BIG"}
    missing = (raised_codes() - only_inside_parts | part_codes()) - set(words.codes)
    assert missing == set()


def test_the_search_for_codes_finds_the_ones_we_know() -> None:
    known = {
        "XML_SYNTAX",
        "XML_ENCODING",
        "ARC_BOMB",
        "COUNT_MISMATCH",
        "BOM",
        "OTHER_CHANNEL",
        "SOURCE_UNKNOWN",
        "CSV_LINE",
    }
    assert known <= raised_codes()


def test_no_sentence_is_left_for_a_code_nobody_raises(words: Words) -> None:
    unused = set(words.codes) - raised_codes() - part_codes()
    assert unused == set()


def test_every_sentence_is_there_in_both_languages(words: Words) -> None:
    for code, word in words.codes.items():
        texts = (word.vi, word.en, word.fix.vi, word.fix.en)
        assert all(text.strip().endswith((".", "?", ")")) for text in texts), code
        assert word.vi != word.en and word.fix.vi != word.fix.en, code


def test_outcomes_speak_only_of_counts_a_receipt_has(words: Words) -> None:
    counts = dict.fromkeys(
        ("read", "accepted", "quarantined", "rejected", "superseded", "duplicate", "flags"), "1"
    )
    for outcome in words.outcomes.values():
        assert "{" not in outcome.vi.format(**counts) + outcome.en.format(**counts)


def test_thresholds_fall_from_good_to_concern(words: Words) -> None:
    for pillar, bounds in words.verdicts.pillars.items():
        assert 1 >= bounds.good > bounds.watch > bounds.concern > 0, pillar
        assert words.verdicts.tone(pillar, bounds.good) == "good"
        assert words.verdicts.tone(pillar, bounds.watch) == "watch"
        assert words.verdicts.tone(pillar, bounds.concern) == "concern"
        assert words.verdicts.tone(pillar, 0.0) == "bad"
