"""Match weights learnt without labels: recordlinkage's ECM on a bounded sample of comparison vectors.

The only module that imports recordlinkage and pandas, and it does so late: they cost seconds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

SAMPLE = 50_000
FLOOR = 1e-4


@dataclass(frozen=True, slots=True)
class Weights:
    """Probability of agreement among matches (m) and among others (u), per column; blank is neither."""

    columns: tuple[str, ...]
    m: tuple[float, ...]
    u: tuple[float, ...]
    prior: float

    def agree(self, index: int) -> float:
        return math.log2(self.m[index] / self.u[index])

    def differ(self, index: int) -> float:
        return math.log2((1 - self.m[index]) / (1 - self.u[index]))


def estimate(vectors: pl.DataFrame, anchors: pl.DataFrame) -> Weights:
    """m from pairs that an id proves to be one person, u from random pairs, refined by ECM where both agree.

    `vectors` one row per candidate pair, one Int8 column per comparison (1 agrees, 0 differs, null unknown);
    `anchors` the same columns for pairs that share a valid personal id. Plain EM on pooled blocks flips to
    the wrong class as N grows; the anchors hold it.
    """
    columns = tuple(vectors.columns)
    sample = (
        vectors.sample(min(SAMPLE, vectors.height), seed=1) if vectors.height > SAMPLE else vectors
    )
    m = _shares(
        anchors if anchors.height >= 50 else sample.filter(pl.all_horizontal(pl.all() == 1)), 0.9
    )
    u = _shares(sample, 0.2)
    prior = 0.1
    complete = sample.drop_nulls()
    if complete.height >= 200 and complete.unique().height > len(columns):
        m, u, prior = _ecm(complete, columns, m, u)
    return Weights(columns, tuple(m), tuple(u), prior)


def _ecm(
    complete: pl.DataFrame, columns: tuple[str, ...], m: list[float], u: list[float]
) -> tuple[list[float], list[float], float]:
    import pandas as pd
    import recordlinkage

    frame = pd.DataFrame(complete.to_numpy(), columns=list(columns))
    classifier = recordlinkage.ECMClassifier(init="jaro", max_iter=100)
    try:
        classifier.fit(frame)
    except Exception:
        # No convergence on a small or one-sided sample: the anchored shares stand.
        return m, u, 0.1
    learnt_m = [_bounded(classifier.m_probs.get(c, {}).get(1, m[i])) for i, c in enumerate(columns)]
    learnt_u = [_bounded(classifier.u_probs.get(c, {}).get(1, u[i])) for i, c in enumerate(columns)]
    right_way = np.mean([a - b for a, b in zip(learnt_m, learnt_u, strict=True)]) > 0
    return (learnt_m, learnt_u, float(classifier.p)) if right_way else (m, u, 0.1)


def _shares(vectors: pl.DataFrame, otherwise: float) -> list[float]:
    if vectors.is_empty():
        return [otherwise] * vectors.width
    means = vectors.select(pl.all().mean()).row(0)
    return [_bounded(otherwise if value is None else float(value)) for value in means]


def _bounded(value: float) -> float:
    return min(1 - FLOOR, max(FLOOR, float(value)))
