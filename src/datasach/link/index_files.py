"""What the index keeps: a folder of plain arrays, appended to, and read through memory maps.

    manifest.json      document, model, counts; `whole` is false while a night is writing
    model.json         weights, frozen
    rarity/*.npz       shares of values, frozen
    vocabulary/*       distinct words, only ever added to
    feature/*.bin      one array per encoded column, a row per record ever seen
    key.*.parquet, hash.bin, alive.bin
    pass/NN.*.bin      sorted (hash of the key | row) of each pass: one run from the first build, one per later night
    person.bin, group.bin        the smallest row of each row's person, and of its loose component
    edge.*.bin         weighed pairs that hold components together
    judged.bin         pairs of rows that people had judged

If a night dies while writing, `whole` stays false and the index is built anew from its records.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from datasach.errors import UnlinkableRecords
from datasach.link.block import keys_of, packed_keys
from datasach.link.encode import Array, Feature, Rarity, Vocabulary
from datasach.link.engine import Linked, Records
from datasach.link.partition import components
from datasach.link.weigh import Model
from datasach.spec.matching import Matching

ROW_BITS = np.uint64(30)
"""Rows an index can hold: a billion; 34 bits of a key's hash stand above them in one integer."""
CODES = "4"
"""What the stored codes mean: counted up when `encode` or a file changes."""
RUNS = 12
"""Nights after which what they added to sorted keys is merged into one run."""


@dataclass(frozen=True)
class Edges:
    """Weighed pairs of rows."""

    left: Array
    right: Array
    weight: Array

    def __getitem__(self, some: Array) -> Edges:
        return Edges(self.left[some], self.right[some], self.weight[some])


@dataclass(frozen=True)
class Night:
    """What one night adds to the index and changes in it."""

    fresh: Records
    keys: pl.Series
    """Record keys of `fresh`, in its order."""
    vocabularies: dict[str, dict[str, Vocabulary]]
    alive: Array
    """Whether each row stands, tonight's among them."""
    rows: Array
    """Rows looked at again."""
    person: Array
    """The smallest row of the person of each of `rows`."""
    group: Array
    """The smallest row of its loose component."""
    edges: Edges
    """All that hold components together after tonight."""
    judged: Array
    """Packed pairs of rows that people judged."""


class IndexFiles:
    """One index on disk. `IndexFiles.open` checks that it can be used."""

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest

    @classmethod
    def make(cls, folder: Path, linked: Linked, keys: pl.Series) -> IndexFiles:
        """Write the first night, in place of whatever the folder held. `keys` in the order of the input."""
        if folder.exists():
            shutil.rmtree(folder)
        for part in ("rarity", "vocabulary", "feature", "pass"):
            (folder / part).mkdir(parents=True)
        records, document = linked.records, linked.records.document
        linked.model.save(folder / "model.json")
        _save_rarities(folder / "rarity", linked.rare)
        features = {
            name: {
                "kind": feature.kind,
                "arrays": {array: values.dtype.str for array, values in feature.arrays.items()},
                "vocabularies": list(feature.vocabularies),
            }
            for name, feature in records.features.items()
        }
        files = cls(folder, {
            "linkage": document.linkage, "version": document.version, "document": _digest(document), "rows": 0, "runs": 0,
            "prior_records": linked.prior_records, "codes": CODES, "features": features, "whole": False,
        })  # fmt: skip
        left, right, weight = linked.pairs.left, linked.pairs.right, linked.pairs.weight
        held = Edges(left, right, weight)[weight >= document.loose]
        files.append(
            Night(
                records,
                keys.cast(pl.String).gather(records.order),
                {name: feature.vocabularies for name, feature in records.features.items()},
                np.ones(records.rows, bool),
                np.arange(records.rows, dtype=np.int32),
                linked.person,
                components(records.rows, held.left, held.right),
                held,
                linked.judged.pairs,
            )  # fmt: skip
        )
        return files

    @classmethod
    def open(cls, folder: Path, document: Matching) -> IndexFiles:
        """Raises UnlinkableRecords if there is none, it was left half-written, or another document made it."""
        path = folder / "manifest.json"
        if not path.is_file():
            raise UnlinkableRecords(f"{folder.name} holds no index")
        manifest = json.loads(path.read_text("utf-8"))
        if not manifest["whole"]:
            raise UnlinkableRecords(
                f"{folder.name} was left half-written; build it anew from all records"
            )
        if manifest.get("document") != _digest(document):
            raise UnlinkableRecords(
                f"{folder.name} was made by another version of the linkage document"
            )
        if manifest.get("codes") != CODES:
            raise UnlinkableRecords(
                f"{folder.name} was made by another version of datasach; build it anew from all records"
            )
        return cls(folder, manifest)

    @property
    def rows(self) -> int:
        return int(self.manifest["rows"])

    @property
    def prior_records(self) -> int:
        return int(self.manifest["prior_records"])

    def model(self) -> Model:
        return Model.load(self.folder / "model.json")

    def rarities(self) -> dict[str, Rarity]:
        return _load_rarities(self.folder / "rarity")

    def array(self, name: str, dtype: Any) -> Array:
        """A value for every row (of `hash`, `alive`, `person`, `group`)."""
        return _mapped(self.folder / f"{name}.bin", dtype)

    def sorted_keys(self, name: str) -> list[Array]:
        """Sorted keys of a pass ("00" …), or of the records themselves ("key"), night by night."""
        paths = [self.folder / f"pass/{name}.{run}.bin" for run in range(self.manifest["runs"])]
        return [_mapped(path, np.uint64) for path in paths if path.stat().st_size]

    def vocabularies(self) -> dict[str, dict[str, Vocabulary]]:
        return {
            name: {
                word: Vocabulary(pl.read_parquet(self._vocabulary(name, word))["t"].to_list())
                for word in told["vocabularies"]
            }
            for name, told in self.manifest["features"].items()
        }

    def keys(self) -> pl.Series:
        """Record keys by row."""
        parts = [self.folder / f"key.{run}.parquet" for run in range(self.manifest["runs"])]
        return pl.concat([pl.read_parquet(part) for part in parts])["record_key"]

    def edges(self) -> Edges:
        left, right = (
            np.fromfile(self.folder / f"edge.{s}.bin", np.int32) for s in ("left", "right")
        )
        return Edges(left, right, np.fromfile(self.folder / "edge.weight.bin", np.float32))

    def judged(self) -> Array:
        """Packed pairs of rows that people had judged when the index was last written."""
        return np.fromfile(self.folder / "judged.bin", np.uint64)

    def features(
        self, rows: Array, fresh: Records | None, document: Matching
    ) -> dict[str, Feature]:
        """Encoded columns of `rows` (ascending): old ones from disk, those after them from `fresh`."""
        old, new = rows[rows < self.rows], rows[rows >= self.rows] - self.rows
        found = {}
        for name, told in self.manifest["features"].items():
            arrays = {}
            for array, dtype in told["arrays"].items():
                values = _mapped(self._feature(name, array), np.dtype(dtype))[old]
                if fresh is not None:
                    added = fresh.features[name].arrays[array][new].astype(np.dtype(dtype))
                    values = np.r_[values, added]
                arrays[array] = values
            words = fresh.features[name].vocabularies if fresh is not None else {}
            column = document.columns[name]
            found[name] = Feature(told["kind"], arrays, words, column.only_same, column.within)
        return found

    def append(self, night: Night) -> None:
        """Write a night; while it is being written the index is not `whole`."""
        fresh, base, run = night.fresh, self.rows, int(self.manifest["runs"])
        self.manifest["whole"] = False
        self._write_manifest()
        for name, told in self.manifest["features"].items():
            for array, dtype in told["arrays"].items():
                values = fresh.features[name].arrays[array].astype(np.dtype(dtype), copy=False)
                _append(self._feature(name, array), values)
            for word, vocabulary in night.vocabularies[name].items():
                words = pl.DataFrame({"t": vocabulary.texts})
                words.write_parquet(self._vocabulary(name, word))
        for number, each in enumerate(fresh.document.passes):
            packed = packed_keys(keys_of(fresh.part(p) for p in each.on), ROW_BITS, base)
            packed.tofile(self.folder / f"pass/{number:02}.{run}.bin")
        packed_keys(fresh.key_hash, ROW_BITS, base).tofile(self.folder / f"pass/key.{run}.bin")
        _append(self.folder / "hash.bin", fresh.key_hash)
        night.alive.tofile(self.folder / "alive.bin")
        keys = pl.DataFrame({"record_key": night.keys})
        keys.write_parquet(self.folder / f"key.{run}.parquet")
        for name in ("left", "right", "weight"):
            values = getattr(night.edges, name)
            dtype = np.float32 if name == "weight" else np.int32
            values.astype(dtype, copy=False).tofile(self.folder / f"edge.{name}.bin")
        night.judged.tofile(self.folder / "judged.bin")
        for name, values in (("person", night.person), ("group", night.group)):
            path = self.folder / f"{name}.bin"
            _append(path, np.arange(base, base + fresh.rows, dtype=np.int32))
            if len(night.rows):
                stored: Any = np.memmap(path, np.int32, "r+")
                stored[night.rows] = values
                stored.flush()
        self.manifest |= {"rows": base + fresh.rows, "runs": run + 1}
        if self.manifest["runs"] > RUNS:
            self._merge_nights()
        self.manifest["whole"] = True
        self._write_manifest()

    def _merge_nights(self) -> None:
        """One run of sorted keys for all nights after the first, so that a year of them stays quick to search."""
        nights = range(1, self.manifest["runs"])
        passes = {path.name.split(".")[0] for path in (self.folder / "pass").iterdir()}
        for name in sorted(passes):
            paths = [self.folder / f"pass/{name}.{run}.bin" for run in nights]
            merged = np.concatenate([np.fromfile(path, np.uint64) for path in paths])
            merged.sort()
            merged.tofile(paths[0])
            for path in paths[1:]:
                path.unlink()
        parts = [self.folder / f"key.{run}.parquet" for run in nights]
        pl.concat([pl.read_parquet(part) for part in parts]).write_parquet(parts[0])
        for part in parts[1:]:
            part.unlink()
        self.manifest["runs"] = 2

    def _feature(self, name: str, array: str) -> Path:
        return self.folder / f"feature/{name}.{array}.bin"

    def _vocabulary(self, name: str, word: str) -> Path:
        return self.folder / f"vocabulary/{name}.{word}.parquet"

    def _write_manifest(self) -> None:
        temporary = self.folder / "manifest.part"
        temporary.write_text(json.dumps(self.manifest, indent=1) + "\n", "utf-8")
        temporary.replace(self.folder / "manifest.json")


def _digest(document: Matching) -> str:
    """What a document says, whatever its version: passes are known by their place in it."""
    return hashlib.sha256(document.model_dump_json().encode()).hexdigest()[:16]


def _mapped(path: Path, dtype: Any) -> Array:
    """An array on disk; an empty file cannot be mapped."""
    return np.memmap(path, dtype, "r") if path.stat().st_size else np.zeros(0, dtype)


def _append(path: Path, values: Array) -> None:
    with path.open("ab") as file:
        values.tofile(file)


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
