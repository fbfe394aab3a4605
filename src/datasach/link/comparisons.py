"""All comparisons of a linkage document over one set of records, and how rare the values are that they meet."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from datasach.link.compare import Comparison, Dates, Ids, Places, SameOrDifferent, Within, Words
from datasach.link.compare_names import CUT, REORDERED, Givens
from datasach.link.encode import Array, Feature, Rarity
from datasach.link.likeness import Likeness, middle_levels, name_levels, text_levels
from datasach.vn.telex import is_plain_syllable


@dataclass
class Comparisons:
    """All comparisons of a document over one set of records."""

    each: list[Comparison]
    whole_name: dict[str, Array] = field(default_factory=dict)
    """Comparison of the given name → rarity of the whole name, which counts when all three parts agree."""
    habit: dict[str, Array] = field(default_factory=dict)
    """… and by how much the whole is commoner than its parts say, in eighths of a bit."""
    trio: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """… and where surname, middle and given name stand in `each`."""

    def levels(self, left: Array, right: Array, some: list[int] | None = None) -> list[Array]:
        """Levels of pairs by comparison; of `some` of them only (of a name all three, or none)."""
        asked = range(len(self.each)) if some is None else some
        found = {i: self.each[i].compare(left, right) for i in asked}
        for surname, middle, given in self.trio.values():
            if given in found:
                # Words in another order, or cut off: which of them is the surname, or the middle name, is not known.
                turned = found[given] == REORDERED
                found[surname][turned] = 0
                found[middle][turned | (found[given] == CUT)] = 0
        return list(found.values())


WHOLE_NAME_OFTEN = 4
"""A whole name seen so often is counted itself; below that its own duplicates would make it look common."""

NUMBER_OFTEN = 8
"""The same of a number: fewer records are mostly one person's own, and weigh as if two had it."""


def rarities(features: dict[str, Feature], names: list[str], rare: list[str]) -> dict[str, Rarity]:
    """How rare the values of each comparison in `rare` are, and of whole names (`<name>.whole`)."""
    found = {}
    for name in names:
        feature = features[name]
        if feature.kind == "person_name":
            for part in ("surname", "middle", "given"):
                found[f"{name}.{part}"] = Rarity.of_codes(feature.arrays[part])
            found[f"{name}.whole"] = Rarity.of_values(feature.part("full"), WHOLE_NAME_OFTEN, 255)
        elif name in rare:
            found[name] = (
                Rarity.of_values(feature.arrays["id"], NUMBER_OFTEN)
                if feature.kind == "id"
                else Rarity.of_codes(_countable(feature))
            )
    return found


def _countable(feature: Feature) -> Array:
    """The codes of a column that is weighed by rarity; dates become days since 1850 or so."""
    if feature.kind == "date":
        dates = feature.arrays["date"]
        return np.where(dates > 0, np.maximum(dates - 1850 * 512, 1), 0)
    return feature.arrays[{"code": "code", "place": "place", "text": "text"}[feature.kind]]


def comparisons(
    features: dict[str, Feature], names: list[str], rare: dict[str, Rarity]
) -> Comparisons:
    """The comparisons of the columns `names`, with the rarity of every record's values."""
    made: list[Comparison] = []
    whole: dict[str, Array] = {}
    habit: dict[str, Array] = {}
    trio: dict[str, tuple[int, int, int]] = {}
    for name in names:
        feature = features[name]
        a = feature.arrays
        told = (
            rare[name].of(a["id"] if feature.kind == "id" else _countable(feature))
            if name in rare
            else None
        )
        if feature.kind == "person_name":
            at = len(made)
            words = feature.vocabularies
            bits = {p: rare[f"{name}.{p}"].of(a[p]) for p in ("surname", "middle", "given")}
            made += [
                Words(
                    f"{name}.surname",
                    a["surname"],
                    Likeness(words["surname"], name_levels),
                    ("same", "close", "different"),
                    bits["surname"],
                ),
                Words(
                    f"{name}.middle",
                    a["middle"],
                    Likeness(words["middle"], middle_levels),
                    ("same", "part", "close", "different"),
                    bits["middle"],
                ),
                Givens(
                    f"{name}.given",
                    a["given"],
                    a["marked"],
                    a["ordered"],
                    a["turned"],
                    a["surname"],
                    a["start"],
                    np.array([is_plain_syllable(text) for text in words["given"].texts]),
                    Likeness(words["given"], name_levels),
                    bits["given"],
                ),
            ]
            # "Nguyễn Thị Hương" is a habit, not three independent draws.
            parts = bits["surname"].astype(np.int32) + bits["middle"] + bits["given"]
            least = np.minimum(
                np.minimum(parts, rare[f"{name}.whole"].of(feature.part("full"))), 255
            )
            whole[f"{name}.given"] = least.astype(np.uint8)
            habit[f"{name}.given"] = np.clip(parts - least, 0, 255).astype(np.uint8)
            trio[f"{name}.given"] = (at, at + 1, at + 2)
        elif feature.kind == "date":
            made.append(Dates(name, a["date"], told))
        elif feature.kind == "id":
            made.append(Ids(name, a["id"], a.get("state"), told))
        elif feature.kind == "code" and feature.within:
            place = features[feature.within].arrays
            places = Places(feature.within, place["place"], place["larger"])
            made.append(Within(name, a["code"], places))
        elif feature.kind == "code":
            levels = ("same",) if feature.only_same else ("same", "different")
            made.append(SameOrDifferent(name, a["code"], told, levels))
        elif feature.kind == "place":
            made.append(Places(name, a["place"], a["larger"], told))
        else:
            alike = Likeness(feature.vocabularies["text"], text_levels)
            made.append(Words(name, a["text"], alike, ("same", "close", "near", "different"), told))
    return Comparisons(made, whole, habit, trio)
