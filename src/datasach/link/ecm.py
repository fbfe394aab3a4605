"""What one person's records agree on, from pairs that mostly are one person and pairs that mostly are not: ECM.

The same estimate twice. `counted` works on how often each pattern of levels occurs, all that the estimate depends
on. `by_recordlinkage` is the field's own implementation: a document may ask for it, and tests hold `counted` to it.
It is imported when it is asked for: that alone costs more than all other learning.

Two classes, and kin where they are described; levels independent in each; after Dempster, Laird and Rubin (1977) and Meng and Rubin (1993).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from datasach.link.encode import Array

ROUNDS = 25
CLOSE = 1e-4
"""Rounds end when no probability moves by more."""
KIN_AT_FIRST = 0.01
"""Share of kin among both kinds of pairs before the first round."""


def counted(
    likely: list[Array], unlikely: list[Array], kin: list[Array] | None = None
) -> list[Array]:
    """Probability of each level (0: not known) of each comparison for pairs of one person.

    `likely`, `unlikely`: levels by comparison, of as many pairs each. The two classes start at their shares. A level
    that occurs in neither has probability 0, or none at all if it is above those that do. `kin`: probability of levels
    1 … where known, for two people of one household, a third class that stays as it is: who has a relative's card
    would else teach that one person has two names.
    """
    frame = pl.DataFrame(
        {str(i): np.concatenate(sides) for i, sides in _by_comparison(likely, unlikely)}
    )
    # Sorted, so that sums do not depend on the order in which patterns were met.
    patterns = frame.group_by(frame.columns).len("pairs").sort(frame.columns)
    levels = [patterns[name].to_numpy().astype(np.intp) for name in frame.columns]
    pairs = patterns["pairs"].to_numpy().astype(float)
    share = np.array([0.5, 0.5, KIN_AT_FIRST])[: 2 if kin is None else 3]
    starts = [_starts(*sides) for _, sides in _by_comparison(likely, unlikely)]
    tables = starts
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(ROUNDS):
            before = [share, *tables]
            logs = np.log(share)[:, None] + np.zeros(len(pairs))
            for place, (table, level) in enumerate(zip(tables, levels, strict=True)):
                logs[:2] += np.log(table)[:, level]
                if kin is not None:
                    # What is not known says nothing about being kin.
                    fixed = np.r_[table[0, 0], (1 - table[0, 0]) * kin[place]]
                    logs[2] += np.log(fixed)[level]
            classes = pairs * np.exp(logs - np.logaddexp.reduce(logs))
            total = classes.sum(axis=1)
            share = total / total.sum()
            tables = [
                np.array([np.bincount(level, side, table.shape[1]) for side in classes[:2]])
                / total[:2, None]
                for level, table in zip(levels, tables, strict=True)
            ]
            after = [share, *tables]
            if all(np.allclose(a, b, atol=CLOSE) for a, b in zip(after, before, strict=True)):
                break
    return _or_starts([table[0] for table in tables], starts)


def by_recordlinkage(
    likely: list[Array], unlikely: list[Array], kin: list[Array] | None = None
) -> list[Array]:
    """The same as `counted`, by recordlinkage's ECM, which goes row by row and knows two classes only, no kin."""
    from recordlinkage.algorithms.nb_sklearn import ECM

    starts = [_starts(*sides) for _, sides in _by_comparison(likely, unlikely)]
    occur = [table[0] > 0 for table in starts]

    class Started(ECM):  # type: ignore[misc]
        """recordlinkage's classes stand the other way round: the second is one person."""

        def _init_parameters_random(self, binary: Any) -> tuple[Array, Array]:
            known = [table[::-1, some] for table, some in zip(starts, occur, strict=True)]
            return np.log([0.5, 0.5]), np.log(np.hstack(known))

    learner = Started(init="random", max_iter=ROUNDS, binarize=None, atol=CLOSE)
    with np.errstate(all="ignore"):
        learner.fit(
            np.column_stack([np.concatenate(s) for _, s in _by_comparison(likely, unlikely)])
        )
    found = []
    at = 0
    for some in occur:
        table = np.zeros(len(some))
        table[some] = np.exp(learner.feature_log_prob_[1, at : at + some.sum()])
        at += some.sum()
        found.append(table)
    return _or_starts(found, starts)


ESTIMATORS: dict[str, Callable[[list[Array], list[Array], list[Array] | None], list[Array]]] = {
    "counted": counted,
    "recordlinkage": by_recordlinkage,
}
"""By the name that `train.estimator` of a document gives them."""


def _or_starts(found: list[Array], starts: list[Array]) -> list[Array]:
    """A class that nobody is left in has no shares; what was there at the start stands."""
    whole = all(np.isfinite(table).all() for table in found)
    return found if whole else [table[0] for table in starts]


def _by_comparison(likely: list[Array], unlikely: list[Array]) -> Any:
    return enumerate(zip(likely, unlikely, strict=True))


def _starts(likely: Array, unlikely: Array) -> Array:
    """Shares of the levels that occur at all, for one person (first row) and for two."""
    size = int(max(likely.max(), unlikely.max())) + 1
    counts = np.array([np.bincount(side, minlength=size) for side in (likely, unlikely)], float)
    counts += 0.5 * (counts.sum(axis=0) > 0)
    return counts / counts.sum(axis=1, keepdims=True)
