"""The index: yesterday's answer on disk, so that tonight only what is new or changed is compared.

A folder of plain arrays, appended to and read through memory maps:

    manifest.json      document, model, counts; `whole` is false while a night is writing
    model.json         weights, frozen
    rarity/*.npy       shares of values, frozen
    vocabulary/*       distinct words, only ever added to
    feature/*.bin      one array per encoded column, a row per record ever seen
    key.parquet, hash.bin, alive.bin
    pass/NN.*.bin      sorted (hash of the key | row) of each pass: one run from the first build, one per later night
    person.bin, group.bin        the smallest row of each row's person, and of its loose component
    edge.*.bin         weighed pairs that hold components together

A new record meets only the rows its passes find, and brings in the whole components of those: with the same
frozen model the answer is that of linking everything again. It may differ in one thing: a block that grows over
its limit tonight keeps the pairs it had made before.

If a night dies while writing, `whole` stays false and the index is built anew from its records.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from datasach.errors import UnlinkableRecords
from datasach.link.block import keys_of, packed_keys, pairs_of_pass
from datasach.link.compare import comparisons
from datasach.link.encode import Array, Feature, Rarity, Vocabulary, text_hash
from datasach.link.engine import (
    NO_JUDGEMENT,
    Judged,
    Linked,
    Records,
    encode_records,
    threshold,
    weigh_pairs,
    weigher,
)
from datasach.link.partition import ALWAYS, components, partition
from datasach.link.weigh import Model, Scorer
from datasach.spec.matching import Matching

ROW_BITS = np.uint64(30)
"""Rows an index can hold: a billion; 34 bits of a key's hash stand above them in one integer."""
CODES = f"2, polars {pl.__version__}"
"""What the stored codes mean: counted up when `encode` changes; hashes of texts are Polars' own and may change with it."""
RUNS = 12
"""Nights after which the runs of a pass are merged into one."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What one night changed in the index, in counts, and the persons it touched."""

    records: int
    replaced: int
    compared: int
    touched: int
    """Rows whose person was looked at again."""
    changed: pl.DataFrame
    """record_key, person (row that names it), before (null: new record); only rows whose person is another."""


class Index:
    """Open an index with `Index.open`, make one with `Index.build`."""

    def __init__(self, folder: Path, document: Matching, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.document = document
        self.manifest = manifest
        self.model = Model.load(folder / "model.json")
        self.rare = _load_rarities(folder / "rarity")

    # --- building and opening ---------------------------------------------------------------------

    @classmethod
    def build(cls, folder: Path, linked: Linked, keys: pl.Series) -> Index:
        """Write `linked` (all records of the first night) as an index. `keys` in the order of the input."""
        if folder.exists():
            shutil.rmtree(folder)
        for part in ("rarity", "vocabulary", "feature", "pass"):
            (folder / part).mkdir(parents=True)
        records = linked.records
        linked.model.save(folder / "model.json")
        _save_rarities(folder / "rarity", linked.rare)
        kinds: dict[str, dict[str, Any]] = {}
        for name, feature in records.features.items():
            kinds[name] = {
                "kind": feature.kind,
                "arrays": {},
                "vocabularies": list(feature.vocabularies),
            }
            for array, values in feature.arrays.items():
                kinds[name]["arrays"][array] = values.dtype.str
                values.tofile(folder / f"feature/{name}.{array}.bin")
            for word, vocabulary in feature.vocabularies.items():
                pl.DataFrame({"t": vocabulary.texts}).write_parquet(
                    folder / f"vocabulary/{name}.{word}.parquet"
                )
        for number, each in enumerate(linked.records.document.passes):
            packed_keys(keys_of(records.part(p) for p in each.on), ROW_BITS).tofile(
                folder / f"pass/{number:02}.0.bin"
            )
        packed_keys(records.key_hash, ROW_BITS).tofile(folder / "pass/key.0.bin")
        records.key_hash.tofile(folder / "hash.bin")
        np.ones(records.rows, bool).tofile(folder / "alive.bin")
        pl.DataFrame({"record_key": keys.cast(pl.String).gather(records.order)}).write_parquet(
            folder / "key.0.parquet"
        )
        held = linked.pairs.weight >= linked.records.document.loose
        _write_edges(
            folder,
            linked.pairs.left[held],
            linked.pairs.right[held],
            linked.pairs.weight[held],
            "wb",
        )
        group = components(records.rows, linked.pairs.left[held], linked.pairs.right[held])
        group.tofile(folder / "group.bin")
        linked.person.astype(np.int32).tofile(folder / "person.bin")
        manifest = {
            "linkage": records.document.linkage, "version": records.document.version,
            "rows": records.rows, "runs": 1, "prior_records": linked.prior_records, "codes": CODES, "features": kinds, "whole": True,
        }  # fmt: skip
        _write_manifest(folder, manifest)
        return cls(folder, records.document, manifest)

    @classmethod
    def open(cls, folder: Path, document: Matching) -> Index:
        """Raises UnlinkableRecords if there is none, it was left half-written, or another document made it."""
        path = folder / "manifest.json"
        if not path.is_file():
            raise UnlinkableRecords(f"{folder.name} holds no index")
        manifest = json.loads(path.read_text("utf-8"))
        if not manifest["whole"]:
            raise UnlinkableRecords(
                f"{folder.name} was left half-written; build it anew from all records"
            )
        if (manifest["linkage"], manifest["version"]) != (document.linkage, document.version):
            raise UnlinkableRecords(
                f"{folder.name} was made by another version of the linkage document"
            )
        if manifest.get("codes") != CODES:
            raise UnlinkableRecords(
                f"{folder.name} was made by another version of datasach or Polars; build it anew from all records"
            )
        return cls(folder, document, manifest)

    @property
    def rows(self) -> int:
        return int(self.manifest["rows"])

    def _map(self, name: str, dtype: Any, mode: str = "r") -> Array:
        return np.memmap(self.folder / name, dtype=dtype, mode=mode)  # type: ignore[call-overload]

    def vocabularies(self) -> dict[str, dict[str, Vocabulary]]:
        return {
            name: {
                word: Vocabulary(
                    pl.read_parquet(self.folder / f"vocabulary/{name}.{word}.parquet")[
                        "t"
                    ].to_list()
                )
                for word in told["vocabularies"]
            }
            for name, told in self.manifest["features"].items()
        }

    def keys(self) -> pl.Series:
        """Record keys by row."""
        return pl.concat(
            [
                pl.read_parquet(self.folder / f"key.{run}.parquet")
                for run in range(self.manifest["runs"])
            ]
        )["record_key"]

    def persons(self) -> pl.DataFrame:
        """record_key, person (row that names it) of every record that stands."""
        alive = self._map("alive.bin", bool)
        return pl.DataFrame(
            {"record_key": self.keys(), "person": np.asarray(self._map("person.bin", np.int32))}
        ).filter(pl.Series(np.asarray(alive)))

    # --- a night ----------------------------------------------------------------------------------

    def add(
        self, read: Any, successors: pl.DataFrame | None = None, judged_keys: pl.DataFrame | None = None,
        strict: bool = False,
    ) -> Delta:  # fmt: skip
        """Link new and changed records (`read(column)` gives a column) and write them into the index.

        A record whose key is known replaces the one before. `judged_keys`: key_a, key_b, same (Boolean), all
        that stand. Returns what changed.
        """
        known = self.vocabularies()
        fresh = encode_records(read, self.document, successors, known)
        fresh_keys = read(self.document.key).cast(pl.String).gather(fresh.order)
        base, new = self.rows, fresh.rows
        replaced = self._rows_of(fresh.key_hash)
        alive = np.r_[np.asarray(self._map("alive.bin", bool)), np.ones(new, bool)]
        alive[replaced[replaced >= 0]] = False
        left, right = self._candidates(fresh, base, alive)
        judged_left, judged_right, judged_same = self._judged(judged_keys, fresh, base, alive)
        group = np.r_[
            np.asarray(self._map("group.bin", np.int32)),
            np.arange(base, base + new, dtype=np.int32),
        ]
        edge_left, edge_right, edge_weight = self._edges()
        touched = np.zeros(base + new, bool)
        touched[base:] = True
        touched[left] = True
        touched[judged_left] = touched[judged_right] = True
        touched[replaced[replaced >= 0]] = True
        in_touched = np.zeros(base + new, bool)
        in_touched[group[touched]] = True
        rows = np.flatnonzero(in_touched[group] & alive)
        local = np.full(base + new, -1, np.int64)
        local[rows] = np.arange(len(rows))
        some = self._some(rows, fresh, base)
        scorer = Scorer(
            comparisons(some.features, self.document.compare, self.rare),
            self.model,
            self.manifest["prior_records"],
        )
        judged = (
            Judged.of(local[judged_left], local[judged_right], judged_same)
            if len(judged_left)
            else NO_JUDGEMENT
        )
        pairs = weigh_pairs(some, scorer, local[left], local[right], judged, strict)
        old = (local[edge_left] >= 0) & (local[edge_right] >= 0)
        a = np.r_[local[edge_left[old]], pairs.left]
        b = np.r_[local[edge_right[old]], pairs.right]
        w = np.r_[edge_weight[old], pairs.weight]
        # What people once joined is weighed again: a judgement that no longer stands must not go on joining.
        joined = w >= ALWAYS / 2
        w[joined] = weigher(some, scorer, judged, strict)(a[joined], b[joined])
        if len(judged.pairs):
            judged.overrule(a, b, w)
        persons = partition(
            len(rows),
            a,
            b,
            w,
            weigher(some, scorer, judged, strict),
            threshold(self.document, strict),
            self.document.loose,
        )
        held = w >= self.document.loose
        label = components(len(rows), a[held], b[held])
        before = np.asarray(self._map("person.bin", np.int32))
        changed = self._write(
            fresh, fresh_keys, known, rows, rows[persons], rows[label], alive,
            (edge_left, edge_right, edge_weight, old), (rows[a[held]], rows[b[held]], w[held]), before,
        )  # fmt: skip
        return Delta(new, int((replaced >= 0).sum()), len(left), len(rows), changed)

    def _rows_of(self, hashes: Array) -> Array:
        """Row of each known key, -1 for keys not seen before. Rows replaced earlier are not found."""
        found = np.full(len(hashes), -1, np.int64)
        stored = self._map("hash.bin", np.uint64)
        alive = self._map("alive.bin", bool)
        for run in self._runs("key"):
            which, rows = _meet(run, hashes)
            good = (stored[rows] == hashes[which]) & alive[rows]
            found[which[good]] = rows[good]
        return found

    def _runs(self, name: str) -> list[Array]:
        paths = [self.folder / f"pass/{name}.{run}.bin" for run in range(self.manifest["runs"])]
        return [np.memmap(p, np.uint64, "r") for p in paths if p.exists() and p.stat().st_size]

    def _candidates(self, fresh: Records, base: int, alive: Array) -> tuple[Array, Array]:
        """Pairs of a new record with a standing one (left: the standing), and of new ones; each once."""
        found: list[Array] = []
        shift = np.uint64(32)
        for number, each in enumerate(self.document.passes):
            keys = keys_of(fresh.part(p) for p in each.on)
            inside, giants, _ = pairs_of_pass(packed_keys(keys, ROW_BITS), ROW_BITS, each.at_most)
            mask = (np.uint64(1) << ROW_BITS) - np.uint64(1)
            for some in inside:
                found.append(
                    (((some >> ROW_BITS) + np.uint64(base)) << shift)
                    | ((some & mask) + np.uint64(base))
                )
            met = [_meet(run, keys) for run in self._runs(f"{number:02}")]
            which = np.concatenate([w for w, _ in met]) if met else np.zeros(0, np.int64)
            rows = np.concatenate([r for _, r in met]) if met else np.zeros(0, np.int64)
            stand = alive[rows] if len(rows) else np.zeros(0, bool)
            which, rows = which[stand], rows[stand]
            size = np.bincount(which, minlength=fresh.rows)
            big = size[which] > each.at_most
            if big.any() and each.split:
                finer_new = keys_of([keys, *(fresh.part(p) for p in each.split)])
                unique, where = np.unique(rows[big], return_inverse=True)
                parts = self._some(unique, None, base)
                finer_old = keys_of(
                    [keys_of(parts.part(p) for p in each.on), *(parts.part(p) for p in each.split)]
                )
                equal = (finer_new[which[big]] == finer_old[where]) & (finer_old[where] != 0)
                keep = ~big
                keep[np.flatnonzero(big)[equal]] = True
                which, rows = which[keep], rows[keep]
            else:
                which, rows = which[~big], rows[~big]
            found.append(
                (rows.astype(np.uint64) << shift) | (which.astype(np.uint64) + np.uint64(base))
            )
        pairs = np.concatenate(found) if found else np.zeros(0, np.uint64)
        pairs.sort()
        pairs = pairs[np.r_[True, pairs[1:] != pairs[:-1]]] if len(pairs) else pairs
        return (pairs >> shift).astype(np.int64), (pairs & np.uint64(0xFFFFFFFF)).astype(np.int64)

    def _judged(
        self, judged: pl.DataFrame | None, fresh: Records, base: int, alive: Array
    ) -> tuple[Array, Array, Array]:
        """Judgements as rows that stand."""
        none = np.zeros(0, np.int64)
        if judged is None or judged.is_empty():
            return none, none, np.zeros(0, bool)
        sides = []
        for column in ("key_a", "key_b"):
            hashes = text_hash(judged[column].cast(pl.String))
            rows = self._rows_of(hashes)
            rows[rows >= 0] = np.where(alive[rows[rows >= 0]], rows[rows >= 0], -1)
            order = np.argsort(fresh.key_hash)
            at = np.minimum(np.searchsorted(fresh.key_hash[order], hashes), max(fresh.rows - 1, 0))
            if fresh.rows:
                hit = fresh.key_hash[order][at] == hashes
                rows[hit] = order[at[hit]] + base
            sides.append(rows)
        good = (sides[0] >= 0) & (sides[1] >= 0) & (sides[0] != sides[1])
        return sides[0][good], sides[1][good], judged["same"].to_numpy()[good]

    def _some(self, rows: Array, fresh: Records | None, base: int) -> Records:
        """The encoded records of `rows` (ascending), old ones from disk, new ones from memory."""
        old, new = rows[rows < base], rows[rows >= base] - base
        features = {}
        for name, told in self.manifest["features"].items():
            arrays = {}
            for array, dtype in told["arrays"].items():
                part = self._map(f"feature/{name}.{array}.bin", np.dtype(dtype))[old]
                if fresh is not None:
                    part = np.r_[
                        part, fresh.features[name].arrays[array][new].astype(np.dtype(dtype))
                    ]
                arrays[array] = part
            words = fresh.features[name].vocabularies if fresh is not None else {}
            features[name] = Feature(
                told["kind"], arrays, words, self.document.columns[name].only_same
            )
        return Records(
            self.document, features, np.arange(len(rows)), np.zeros(len(rows), np.uint64)
        )

    def _edges(self) -> tuple[Array, Array, Array]:
        return (
            np.fromfile(self.folder / "edge.left.bin", np.int32).astype(np.int64),
            np.fromfile(self.folder / "edge.right.bin", np.int32).astype(np.int64),
            np.fromfile(self.folder / "edge.weight.bin", np.float32),
        )

    def _write(
        self, fresh: Records, keys: pl.Series, known: dict[str, dict[str, Vocabulary]], rows: Array,
        person: Array, group: Array, alive: Array, edges: Any, made: Any, before: Array,
    ) -> pl.DataFrame:  # fmt: skip
        base, new, run = self.rows, fresh.rows, int(self.manifest["runs"])
        self.manifest["whole"] = False
        _write_manifest(self.folder, self.manifest)
        for name, told in self.manifest["features"].items():
            for array, dtype in told["arrays"].items():
                _append(
                    self.folder / f"feature/{name}.{array}.bin",
                    fresh.features[name].arrays[array].astype(np.dtype(dtype)),
                )
            for word, vocabulary in known[name].items():
                pl.DataFrame({"t": vocabulary.texts}).write_parquet(
                    self.folder / f"vocabulary/{name}.{word}.parquet"
                )
        for number, each in enumerate(self.document.passes):
            packed = packed_keys(keys_of(fresh.part(p) for p in each.on), ROW_BITS, base)
            packed.tofile(self.folder / f"pass/{number:02}.{run}.bin")
        packed_keys(fresh.key_hash, ROW_BITS, base).tofile(self.folder / f"pass/key.{run}.bin")
        _append(self.folder / "hash.bin", fresh.key_hash)
        alive.tofile(self.folder / "alive.bin")
        pl.DataFrame({"record_key": keys}).write_parquet(self.folder / f"key.{run}.parquet")
        # What stood before, without what was replaced, and with tonight's in place of what was touched.
        left, right, weight, touched = edges
        stay = ~touched & alive[left] & alive[right]
        _write_edges(self.folder, left[stay], right[stay], weight[stay], "wb")
        _write_edges(self.folder, made[0], made[1], made[2], "ab")
        for name, values in (("person.bin", person), ("group.bin", group)):
            _append(self.folder / name, np.arange(base, base + new, dtype=np.int32))
            stored: Any = self._map(name, np.int32, "r+")
            stored[rows] = values
            stored.flush()
        self.manifest |= {"rows": base + new, "runs": run + 1, "whole": True}
        _write_manifest(self.folder, self.manifest)
        return self._changed(rows, person, before, base, keys)

    def _changed(
        self, rows: Array, person: Array, before: Array, base: int, keys: pl.Series
    ) -> pl.DataFrame:
        was = np.full(len(rows), -1, np.int64)
        old = rows < base
        was[old] = before[rows[old]]
        moved = was != person
        some = rows[moved]
        texts = self.keys().gather(some)
        return pl.DataFrame(
            {"record_key": texts, "person": person[moved], "before": was[moved]}
        ).with_columns(pl.when(pl.col("before") >= 0).then("before").alias("before"))


def _meet(run: Array, keys: Array) -> tuple[Array, Array]:
    """Positions of `keys` that stand in a sorted run, and the rows they meet there (one entry per meeting)."""
    mask = (np.uint64(1) << ROW_BITS) - np.uint64(1)
    known = np.flatnonzero(keys)
    order = known[np.argsort(keys[known])]
    heads = keys[order] & ~mask
    low = np.searchsorted(run, heads, "left")
    high = np.searchsorted(run, heads | mask, "right")
    count = high - low
    which = np.repeat(order, count)
    if not len(which):
        return which, np.zeros(0, np.int64)
    starts = np.repeat(low - np.r_[0, np.cumsum(count)[:-1]], count)
    at = np.arange(len(which)) + starts
    return which, (run[at] & mask).astype(np.int64)


def _append(path: Path, values: Array) -> None:
    with path.open("ab") as file:
        values.tofile(file)


def _write_edges(folder: Path, left: Array, right: Array, weight: Array, mode: str) -> None:
    for name, values, dtype in (
        ("left", left, np.int32),
        ("right", right, np.int32),
        ("weight", weight, np.float32),
    ):
        with (folder / f"edge.{name}.bin").open(mode) as file:
            values.astype(dtype).tofile(file)


def _write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    temporary = folder / "manifest.part"
    temporary.write_text(json.dumps(manifest, indent=1) + "\n", "utf-8")
    temporary.replace(folder / "manifest.json")


def _save_rarities(folder: Path, rare: dict[str, Rarity]) -> None:
    for name, each in rare.items():
        np.savez(
            folder / f"{name}.npz", eighths=each.eighths, otherwise=each.otherwise,
            values=each.values if each.values is not None else np.zeros(0, np.uint64),
            by_code=each.values is None,
        )  # fmt: skip


def _load_rarities(folder: Path) -> dict[str, Rarity]:
    found = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as told:
            found[path.stem] = Rarity(
                told["eighths"], None if told["by_code"] else told["values"], int(told["otherwise"])
            )
    return found
