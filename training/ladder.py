"""The ladder: prior, logistic, trees; the held-out rows decide, and a more complex rung must win clearly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
# Standard errors by which trees must gain over the logistic model alone, and any rung over the base rate. Trees
# that were chosen among several on the same rows look better there than they are.
CLEARLY, USEFUL = 1.5, 1.645
_STEPS = 12


@dataclass(frozen=True)
class Blend:
    """Weights of candidates whose log-odds are averaged; they sum to 1."""

    weights: Floats
    margin: Floats


def log_loss(label: Labels, margin: Floats) -> Floats:
    """Of each row, from its log-odds."""
    loss: Floats = np.logaddexp(0.0, margin) - label * margin
    return loss


def blend(label: Labels, candidates: Sequence[Floats], limit: int) -> Blend:
    """The average of log-odds that suits the rows best: candidates join one after another, again and again.

    Greedy selection with replacement (Caruana et al. 2004). At most `limit` different ones take part.
    """
    counts = np.zeros(len(candidates))
    total = np.zeros(len(label))
    best = np.inf
    for step in range(_STEPS):
        allowed = [n for n in range(len(candidates)) if counts[n] or np.count_nonzero(counts) < limit]
        losses = {n: float(log_loss(label, (total + candidates[n]) / (step + 1)).mean()) for n in allowed}
        chosen = min(losses, key=lambda n: (losses[n], n))
        if losses[chosen] >= best * (1 - 1e-5):
            break
        best = losses[chosen]
        counts[chosen] += 1
        total += candidates[chosen]
    return Blend(counts / counts.sum(), total / counts.sum())


def steady_blend(label: Labels, candidates: Sequence[Floats], limit: int, circle: NDArray[np.int64]) -> Blend:
    """Half the first candidate and half the mean of the next few, unless greedy selection is clearly better.

    On few rows the weights that suit the held-out rows best are mostly luck; an even blend is hard to beat there.
    """
    few = min(limit - 1, len(candidates) - 1)
    weights = np.array([0.5] + [0.5 / few] * few + [0.0] * (len(candidates) - 1 - few))
    even = Blend(weights, sum((w * c for w, c in zip(weights, candidates, strict=True)), np.zeros(len(label))))
    chosen = blend(label, candidates, limit)
    clearly = wins_clearly(log_loss(label, even.margin), log_loss(label, chosen.margin), circle)
    return chosen if clearly else even


def wins_clearly(simple: Floats, complex_: Floats, circle: NDArray[np.int64], errors: float = CLEARLY) -> bool:
    """Whether a more complex rung's losses are lower by more than chance; a circle is one piece of evidence."""
    gain = simple - complex_
    number = np.unique(circle, return_inverse=True)[1]
    sums = np.bincount(number, gain)
    if len(sums) < 2:
        return False
    error = float(np.std(sums, ddof=1)) * np.sqrt(len(sums))
    return bool(sums.sum() > errors * error)
