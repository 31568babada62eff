"""How sure the measures are: whole people (with all who share their deals and accounts) are drawn again and again."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from training.evaluation import row_loss

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Interval = tuple[float, float]
_LEVEL = 0.95
_NEWTON_STEPS = 12
# Draws times rows: more only cost time.
_MOST_WORK = 20_000_000


def intervals(
    label: Labels, probability: Floats, cluster: NDArray[np.int64], draws: int, seed: int = 0
) -> dict[str, Interval]:
    """95 % intervals of AUC, log-loss, calibration slope and expected over observed (bootstrap by cluster).

    Args:
        label: outcomes.
        probability: what was said.
        cluster: rows with equal numbers are drawn together.
        draws: how often; on very many rows fewer are enough. 0: nothing is computed.
        seed: of the draws.

    Returns:
        By measure the lower and the upper end; empty without draws or with one outcome only.
    """
    if not draws or label.all() or not label.any():
        return {}
    draws = max(20, min(draws, _MOST_WORK // len(label)))
    position = np.unique(cluster, return_inverse=True)[1]
    groups = int(position.max()) + 1
    chance = np.clip(probability, 1e-9, 1 - 1e-9)
    loss, odds = row_loss(label, chance), logit(chance)
    order = np.argsort(chance, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(chance[order]) > 0))
    random = np.random.default_rng(seed)
    found: dict[str, list[float]] = {"auc": [], "logloss": [], "calibration_slope": [], "expected_observed": []}
    for _ in range(draws):
        weight = np.bincount(random.integers(groups, size=groups), minlength=groups)[position].astype(np.float64)
        wins = float(weight[label].sum())
        if wins == 0 or wins == weight.sum():
            continue
        found["auc"].append(_area(weight[order], label[order], starts))
        found["logloss"].append(float(np.average(loss, weights=weight)))
        found["calibration_slope"].append(_slope(odds, label, weight))
        found["expected_observed"].append(float((weight * chance).sum() / wins))
    ends = [50 * (1 - _LEVEL), 50 * (1 + _LEVEL)]
    return {name: _ends(values, ends) for name, values in found.items() if values}


def _ends(values: list[float], ends: list[float]) -> Interval:
    low, high = np.percentile(values, ends)
    return float(low), float(high)


def _area(weight: Floats, label: Labels, starts: NDArray[np.int64]) -> float:
    """Weighted area under the ROC curve; rows ascend by score, and ties (from each start on) count half."""
    won = np.add.reduceat(weight * label, starts)
    lost = np.add.reduceat(weight * ~label, starts)
    below = np.cumsum(lost) - lost
    return float((won * (below + 0.5 * lost)).sum() / (won.sum() * lost.sum()))


def _slope(odds: Floats, label: Labels, weight: Floats) -> float:
    """Slope of a weighted logistic regression of the outcome on the log-odds, by Newton's method."""
    intercept, slope = 0.0, 1.0
    for _ in range(_NEWTON_STEPS):
        chance = expit(intercept + slope * odds)
        error, spread = weight * (label - chance), weight * chance * (1 - chance)
        first = np.array([error.sum(), (error * odds).sum()])
        mixed = float((spread * odds).sum())
        second = np.array([[spread.sum(), mixed], [mixed, float((spread * odds**2).sum())]]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(second, first)
        intercept, slope = intercept + float(step[0]), slope + float(step[1])
        if np.abs(step).max() < 1e-6:
            break
    return slope
