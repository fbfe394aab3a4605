"""Any table of records linked by any linkage document, from Parquet to Parquet.

The night links its own records with the same functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from datasach.errors import UnlinkableRecords
from datasach.link.block import PassReport, candidates
from datasach.link.comparisons import Comparisons, comparisons, rarities
from datasach.link.conflicts import forbidden, outvoted, shows_id
from datasach.link.encode import (
    Array,
    Feature,
    Rarity,
    Vocabulary,
    encode_codes,
    encode_dates,
    encode_ids,
    encode_places,
    encode_texts,
    verify_citizen_ids,
)
from datasach.link.encode_names import encode_names
from datasach.link.learn import learn, relearn
from datasach.link.partition import ALWAYS, FLOOR, NEVER, Asked, pairs_inside, partition
from datasach.link.text_hash import text_hash
from datasach.link.weigh import CHUNK, Model, Scorer
from datasach.spec.matching import Matching

DOUBLING = 0.5
"""Bits less that are asked of two groups for each doubling of the pairs of records between them: a record that stays away
from eleven is missed eleven times, and two people in one are one harm however many records they have. Ours: decision
47."""


@dataclass
class Records:
    """Encoded records, in an order that depends on nothing but the records."""

    document: Matching
    features: dict[str, Feature]
    order: Array
    """Row of the input for every row here."""
    key_hash: Array

    @property
    def rows(self) -> int:
        return len(self.order)

    def part(self, name: str) -> Array:
        column, _, part = name.partition(".")
        return self.features[column].part(part)

    def rows_of(self, hashes: Array) -> Array:
        """Row of each key by its hash, -1 where there is none."""
        if not self.rows:
            return np.full(len(hashes), -1, np.int64)
        order = np.argsort(self.key_hash)
        at = np.searchsorted(self.key_hash, hashes, sorter=order)
        row = order[np.minimum(at, self.rows - 1)]
        return np.where(self.key_hash[row] == hashes, row, -1)


def read_records(
    files: list[Path], document: Matching, successors: pl.DataFrame | None = None
) -> Records:
    """Encode the columns a document names, one at a time, so that texts of one column are in memory only.

    Errors: UnlinkableRecords where a declared column is missing, or a key stands twice or not at all.
    """
    check_columns(files, document)
    return encode_records(reader(files), document, successors)


def reader(files: list[Path]) -> Callable[[str], pl.Series | None]:
    """Gives a column of Parquet files by its name, None if they have none of that name."""
    scan = pl.scan_parquet(files)
    have = set(scan.collect_schema().names())
    return lambda name: scan.select(name).collect().to_series() if name in have else None


def check_columns(files: list[Path], document: Matching) -> None:
    """Raises UnlinkableRecords where a declared column is missing."""
    have = pl.scan_parquet(files).collect_schema().names()
    wanted = {document.key} | {
        source
        for name, column in document.columns.items()
        for source in (column.column or name, column.year, column.place_of)
        if source and not column.optional
    }
    missing = sorted(wanted - set(have))
    if missing:
        raise UnlinkableRecords(f"the records have no column {', '.join(missing)}")


def encode_records(
    read: Any,
    document: Matching,
    successors: pl.DataFrame | None = None,
    known: dict[str, dict[str, Vocabulary]] | None = None,
) -> Records:
    """`read(column)` gives a column of the records as a Polars series (None: they have none); `successors`: see `encode_places`.

    `known`: column → vocabularies to go on with; new words are added to them.
    """
    features: dict[str, Feature] = {}
    for name in document.columns:
        rows = next((each.rows for each in features.values()), None)
        features[name] = _encode(
            read, name, document, successors, known[name] if known else None, rows
        )
    for name, column in document.columns.items():
        if column.kind == "id" and column.citizen_id:
            born = column.agrees_with.get("born")
            sex = column.agrees_with.get("sex")
            male = female = -1
            if sex:
                texts = features[sex].vocabularies["code"].texts
                male, female = (
                    _index(texts, {"1", "m", "male", "nam"}),
                    _index(texts, {"2", "f", "female", "nữ", "nu"}),
                )
            verify_citizen_ids(
                features[name], features[born].arrays["date"] if born else None,
                features[sex].arrays["code"] if sex else None, male, female,
            )  # fmt: skip
    key = read(document.key)
    key_hash = text_hash(key)
    del key
    if (key_hash == 0).any():
        raise UnlinkableRecords(f"a record has no {document.key}")
    order = _order(document, features, key_hash)
    key_hash = key_hash[order]
    for feature in features.values():
        feature.reorder(order)
    return Records(document, features, order, key_hash)


def _index(texts: list[str], words: set[str]) -> int:
    return next((i for i, text in enumerate(texts) if text.lower() in words), -1)


def _encode(
    read: Any, name: str, document: Matching, successors: pl.DataFrame | None,
    known: dict[str, Vocabulary] | None, rows: int | None,
) -> Feature:  # fmt: skip
    column = document.columns[name]
    series = read(column.column or name)
    if series is None:
        rows = len(read(document.key)) if rows is None else rows
        series = pl.Series(name, [None], pl.String).new_from_index(0, rows)
    skipped = document.skip_values.get(name, [])
    if column.kind == "person_name":
        return encode_names(series.cast(pl.String), skipped, known)
    if column.kind == "date":
        return encode_dates(series, read(column.year) if column.year else None)
    if column.kind == "id":
        return encode_ids(series, skipped)
    if column.kind == "code":
        feature = encode_codes(series, skipped, known["code"] if known else None)
        feature.only_same, feature.within = column.only_same, column.within
        return feature
    if column.kind == "place":
        larger = read(column.place_of) if column.place_of else None
        return encode_places(series, larger, skipped, successors if column.merged else None, known)
    return encode_texts(series, skipped, column.vietnamese, known["text"] if known else None)


def _order(document: Matching, features: dict[str, Feature], key_hash: Array) -> Array:
    """Records that will be compared lie side by side; among them, by the hash of their key."""
    packed: Any = np.right_shift(key_hash, np.uint64(28))
    if document.order:
        place: Any = np.zeros(len(key_hash), np.uint64)
        for name in document.order:
            column, _, part = name.partition(".")
            place <<= np.uint64(12)
            place |= features[column].part(part) & np.uint64(4095)
        packed |= (place & np.uint64((1 << 28) - 1)) << np.uint64(36)
    order = np.argsort(packed)
    tied = np.flatnonzero(packed[order][1:] == packed[order][:-1])
    for at in tied:
        a, b = order[at], order[at + 1]
        if key_hash[a] == key_hash[b]:
            raise UnlinkableRecords(f"{document.key} is not unique")
        if key_hash[a] > key_hash[b]:
            order[at], order[at + 1] = b, a
    return order


@dataclass(frozen=True)
class Judged:
    """What people decided about pairs of rows: sorted left<<32|right, and whether it is one person."""

    pairs: Array
    same: Array

    @classmethod
    def of(cls, left: Array, right: Array, same: Array) -> Judged:
        low, high = (
            np.minimum(left, right).astype(np.uint64),
            np.maximum(left, right).astype(np.uint64),
        )
        packed = (low << np.uint64(32)) | high
        order = np.argsort(packed)
        return cls(packed[order], np.asarray(same, bool)[order])

    @classmethod
    def of_keys(cls, verdicts: pl.DataFrame, records: Records) -> Judged:
        """`verdicts`: key_a, key_b, same (Boolean). Those about keys that are not among `records` are left out."""
        left, right = (records.rows_of(text_hash(verdicts[c])) for c in ("key_a", "key_b"))
        good = (left >= 0) & (right >= 0) & (left != right)
        return cls.of(left[good], right[good], verdicts["same"].to_numpy()[good])

    def overrule(self, left: Array, right: Array, weight: Array) -> None:
        """Sets the weight of judged pairs to ALWAYS or NEVER, in place."""
        if not len(self.pairs):
            return
        low, high = (
            np.minimum(left, right).astype(np.uint64),
            np.maximum(left, right).astype(np.uint64),
        )
        packed = (low << np.uint64(32)) | high
        at = np.minimum(np.searchsorted(self.pairs, packed), len(self.pairs) - 1)
        hit = self.pairs[at] == packed
        weight[hit] = np.where(self.same[at[hit]], ALWAYS, NEVER)


NO_JUDGEMENT = Judged(np.zeros(0, np.uint64), np.zeros(0, bool))


@dataclass
class Pairs:
    """Weighed pairs of rows from `keep` bits on."""

    left: Array
    right: Array
    weight: Array
    """Bits; NEVER where a conflict or a judgement forbids, ALWAYS where a judgement joins."""
    evidence: Array
    """Bits, whatever forbids or joins."""
    reason: Array
    """0, or which conflict (from 1)."""
    levels: Array
    """Level of every comparison (first axis) of every pair, uint8."""
    histogram: Array
    """Pairs by weight, one bit a step, from -100 to 100; of pairs that are not kept, by the weight against strangers."""


@dataclass
class Linked:
    """Persons of records, and what they rest on. Rows are rows of `records`."""

    records: Records
    model: Model
    rare: dict[str, Rarity]
    scorer: Scorer
    person: Array
    """The smallest row of each row's person."""
    pairs: Pairs
    passes: list[PassReport] = field(default_factory=list)
    pairs_compared: int = 0
    prior_records: int = 0
    judged: Judged = NO_JUDGEMENT


def link_records(
    records: Records,
    model: Model | None = None,
    rare: dict[str, Rarity] | None = None,
    judged: Judged = NO_JUDGEMENT,
    strict: bool = False,
    prior_records: int | None = None,
) -> Linked:
    """Persons of encoded records: candidates, weights, conflicts, judgements, persons.

    `model`, `rare`: frozen weights and shares of values; learnt from these records if not given.
    `strict`: as what is published is linked: ids one slip apart forbid as other ids do, and only what is
    certain is joined. `prior_records`: number of records the prior rests
    on; default: these.
    """
    document = records.document
    rare = rare or rarities(records.features, document.compare, document.rarity)
    refine = model is None and document.train.refine
    compared = comparisons(records.features, document.compare, rare)
    _check_levels(document, compared)
    if model is None:
        model = learn(document, compared, records.part, records.rows)
    _check_model(model, compared)
    prior_records = prior_records or records.rows
    scorer = Scorer(compared, model, prior_records)
    left, right, told = candidates(document.passes, records.part, records.rows)
    pairs = weigh_pairs(records, scorer, left, right, judged, strict)
    compared_pairs = len(left)
    del left, right
    person = partition(
        records.rows, pairs.left, pairs.right, pairs.weight,
        weigher(records, scorer, judged, strict), asked(document, strict), shows_id(records),
    )  # fmt: skip
    if refine:
        model = relearn(model, scorer, *pairs_inside(person, document.train.sample))
        return link_records(records, model, rare, judged, strict, prior_records)
    return Linked(
        records, model, rare, scorer, person, pairs, told, compared_pairs, prior_records, judged
    )


def _check_levels(document: Matching, compared: Comparisons) -> None:
    """Raises UnlinkableRecords where the document names a comparison or a level that is not there."""
    levels = {each.name: each.levels for each in compared.each}
    named = [
        (name, list(told)) for name, told in (document.kin.levels if document.kin else {}).items()
    ]
    for group in document.lookalikes:
        named += [
            *group.same.items(),
            *((name, list(told)) for name, told in group.assumed.items()),
            *((name, []) for name in (*group.told_apart_by, *group.weighed, *group.by_rarity)),
        ]
    for name, wanted in named:
        if name not in levels:
            raise UnlinkableRecords(f"nothing is compared as {name}; there is {', '.join(levels)}")
        for level in wanted:
            if level not in levels[name]:
                raise UnlinkableRecords(
                    f"{name} has no level {level}; it has {', '.join(levels[name])}"
                )


def _check_model(model: Model, compared: Comparisons) -> None:
    """Raises UnlinkableRecords where the model was learnt with other levels than these."""
    for each in compared.each:
        if len(model.m.get(each.name, [])) != len(each.levels):
            raise UnlinkableRecords(
                f"the model was learnt with other levels of {each.name}: learn it anew"
            )


def asked(document: Matching, strict: bool) -> Asked:
    """What is asked before records are put together; of what is published the same of all groups."""
    if strict:
        return Asked(document.certain, document.loose)
    return Asked(document.join, document.loose, DOUBLING, document.unidentified)


def loosest(document: Matching) -> float:
    """Bits from which a pair is kept: it holds a loose component together, or goes to people."""
    return min(document.possible, document.loose)


def weigh_pairs(
    records: Records, scorer: Scorer, left: Array, right: Array, judged: Judged, strict: bool
) -> Pairs:
    """Weights of pairs, of which those are kept that could matter; judged pairs always are."""
    keep = loosest(records.document)
    if len(judged.pairs):
        left = np.r_[left, (judged.pairs >> np.uint64(32)).astype(left.dtype)]
        right = np.r_[right, (judged.pairs & np.uint64(0xFFFFFFFF)).astype(right.dtype)]
    kept: list[tuple[Array, ...]] = []
    histogram = np.zeros(201, np.int64)
    for at in range(0, len(left), CHUNK):
        # NumPy gathers by integers of its own width twice as fast as by others.
        a, b = (side[at : at + CHUNK].astype(np.intp) for side in (left, right))
        evidence, levels = scorer.weigh(a, b, keep)
        histogram += np.bincount(np.clip(evidence + 100, 0, 200).astype(np.int64), minlength=201)
        weight = evidence.copy()
        judged.overrule(a, b, weight)
        good = (evidence >= keep) | (weight != evidence)
        a, b, weight, evidence = a[good], b[good], weight[good], evidence[good]
        reason = forbidden(records, scorer, a, b, strict)
        weight[(reason > 0) & (weight < ALWAYS / 2)] = NEVER
        # Kept as narrow as they came: a nation has tens of millions.
        rows = (side.astype(left.dtype) for side in (a, b))
        kept.append((*rows, weight, evidence, reason, np.stack([level[good] for level in levels])))
    if not kept:
        none = np.zeros(0, np.int64)
        return Pairs(
            none, none, none, none, none, np.zeros((len(scorer.names), 0), np.uint8), histogram
        )
    columns = list(zip(*kept, strict=True))
    kept.clear()
    # Column by column, the last first, so that one of them at most stands there twice.
    parts = [np.concatenate(columns.pop(), axis=-1) for _ in range(len(columns))]
    of_levels, reason, evidence, weight, right, left = parts
    return Pairs(left, right, weight, evidence, reason, of_levels, histogram)


def weigher(
    records: Records, scorer: Scorer, judged: Judged, strict: bool
) -> Callable[[Array, Array], Array]:
    """Weight of any pairs of rows, with conflicts (FLOOR where they can be outvoted) and judgements."""

    def weigh(left: Array, right: Array) -> Array:
        found = np.empty(len(left), np.float32)
        for at in range(0, len(left), CHUNK):
            some = slice(at, at + CHUNK)
            a, b = left[some], right[some]
            found[some] = scorer.weigh(a, b)[0]
            reason = forbidden(records, scorer, a, b, strict)
            found[some][reason > 0] = NEVER
            if not strict:
                found[some][outvoted(records, scorer, reason, a, b)] = FLOOR
            judged.overrule(a, b, found[some])
        return found

    return weigh


def successors_of_communes(wards: Path) -> pl.DataFrame:
    """code, commune, province: each commune code, old or new, as the commune it is since 1 July 2025.

    Source: wards.csv.gz of the project's reference tables. An old code that is also a new one means the new
    one: extracts after the merger carry new codes.
    """
    table = pl.read_csv(wards, infer_schema=False)
    new = table.select(
        code="new_ward_code", commune="new_ward_code", province="new_province_code"
    ).unique()
    old = table.filter(pl.col("is_default") == "Y").select(
        code="old_ward_code", commune="new_ward_code", province="new_province_code"
    )
    old = old.filter(pl.col("code").is_not_null()).unique("code", keep="first", maintain_order=True)
    return pl.concat([new, old.join(new, on="code", how="anti")])
