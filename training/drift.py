"""Where the base rate goes: how far yesterday's probabilities must be moved for tomorrow, as far as evidence says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from training.ladder import log_loss, wins_clearly

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
# Shares of the rows before the moment of prediction, newest ones, that a level may be read from.
_WINDOWS = (0.5, 0.25, 0.12, 0.06)
# Shares of the rows after which the rules are tried on what came next, and how much of it, relative to what was before.
_ORIGINS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_AHEAD = 0.35
# A level read from few wins is drawn towards none (standard deviation of a normal prior on the shift).
_SPREAD = 1.0
_CLEARLY = 2.0
_FEWEST_WINS = 30


@dataclass(frozen=True)
class Drift:
    """How the base rate moved beyond what the features explain.

    Attributes:
        rule: `none`, `window` (the newest rows' level) or `trend` (their line, half a block ahead).
        share: of the rows that the rule reads.
        shift: to be added to the log-odds of future rows.
        gain: log-loss a row that the rule would have saved so far, over doing nothing.
    """

    rule: str = "none"
    share: float = 1.0
    shift: float = 0.0
    gain: float = 0.0


def forecast_drift(
    log_odds: Floats,
    label: Labels,
    time: NDArray[np.datetime64],
    gap: np.timedelta64 | None = None,
    circle: NDArray[np.int64] | None = None,
) -> Drift:
    """The rule that would have served best so far, applied to the newest rows.

    At several moments of the past each rule reads the rows whose outcome was known by then, and is judged by the
    log-loss on the rows that came next. Doing nothing stays unless another rule wins clearly.

    Args:
        log_odds: calibrated on all rows together, of rows that the model did not see.
        label: their outcomes.
        time: their moments.
        gap: how long an outcome takes to be known.
        circle: rows with equal numbers are one piece of evidence; default: each row is one.
    """
    order = np.argsort(time, kind="stable")
    same = np.arange(len(order)) if circle is None else np.unique(circle, return_inverse=True)[1][order]
    z, won = log_odds[order], label[order].astype(np.float64)
    moment = time[order].astype("datetime64[us]").astype(np.int64)
    if min(won.sum(), (1 - won).sum()) < 2 * _FEWEST_WINS or moment[0] == moment[-1]:
        return Drift()
    wait = 0 if gap is None else int(gap / np.timedelta64(1, "us"))
    rules = [("none", 1.0)] + [("window", share) for share in _WINDOWS] + [("trend", share) for share in (1.0, 0.5)]
    losses: list[list[Floats]] = [[] for _ in rules]
    judged: list[NDArray[np.int64]] = []
    for origin in _ORIGINS:
        start = int(origin * len(z))
        # Rows of one moment stay together.
        start = int(np.searchsorted(moment, moment[start], side="left"))
        known = int(np.searchsorted(moment, moment[start] - wait, side="right" if wait else "left"))
        end = min(len(z), start + max(1, int(_AHEAD * start)))
        if min(won[:known].sum(), (1 - won[:known]).sum()) < _FEWEST_WINS or end <= start:
            continue
        ahead = float(np.mean(moment[start:end]))
        judged.append(same[start:end])
        for loss, (rule, share) in zip(losses, rules, strict=True):
            # Even "none" knows the past's own mean: what is judged is how to go on from it.
            shift = _shift(rule, share, z[:known], won[:known], moment[:known], ahead)
            loss.append(log_loss(won[start:end].astype(np.bool_), z[start:end] + shift))
    if not losses[0]:
        return Drift()
    by_rule, evidence = [np.concatenate(parts) for parts in losses], np.concatenate(judged)
    best = min(range(len(rules)), key=lambda n: float(by_rule[n].mean()))
    gain = by_rule[0] - by_rule[best]
    if best == 0 or not wins_clearly(by_rule[0], by_rule[best], evidence, _CLEARLY):
        return Drift()
    # Where the line did as well as the best level, within a standard error, it goes on better farther ahead.
    line = rules.index(("trend", 1.0))
    if not wins_clearly(by_rule[line], by_rule[best], evidence, 1.0):
        best = line
    rule, share = rules[best]
    block = max(1, int(_AHEAD / (1 + _AHEAD) * len(z)))
    ahead = float(moment[-1]) + wait + (float(moment[-1]) - float(moment[-block])) / 2
    return Drift(rule, share, _shift(rule, share, z, won, moment, ahead), float(gain.mean()))


def _shift(rule: str, share: float, z: Floats, won: Floats, moment: NDArray[np.int64], ahead: float) -> float:
    first = int((1 - share) * len(z))
    while first > 0 and min(won[first:].sum(), (1 - won[first:]).sum()) < _FEWEST_WINS:
        first = max(0, first - max(1, len(z) // 50))
    z, won, moment = z[first:], won[first:], moment[first:]
    span = float(moment[-1] - moment[0])
    when = np.zeros(len(z)) if rule != "trend" or not span else (moment - moment[0]) / span - 0.5
    laid = np.column_stack([np.ones(len(z)), when])
    line = np.zeros(2)
    for _ in range(8):
        chance = expit(z + laid @ line)
        gradient = laid.T @ (chance - won) + line / _SPREAD**2
        hessian = (laid * (chance * (1 - chance))[:, np.newaxis]).T @ laid + np.eye(2) / _SPREAD**2
        line -= np.linalg.solve(hessian, gradient)
    if rule != "trend" or not span:
        return float(line[0])
    return float(line[0] + line[1] * min((ahead - moment[0]) / span - 0.5, 1.0))
