"""Pictures of a model's quality."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.canvas import MODEL, PLAIN, POINTS, canvas
from training.evaluation import reliability

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]


def gains_figure(label: Labels, model: Floats, points: Floats, points_name: str) -> Figure:
    """Share of all wins found when the list is worked from the top, for the model and for the points rules."""
    figure, axes = canvas("How many wins the top of the list holds")
    for scores, name, colour in ((points, f"{points_name} points rules", POINTS), (model, "model", MODEL)):
        called, found = _gains(label, scores)
        axes.plot(100 * called, 100 * found, color=colour, linewidth=2.2, label=name)
        tenth = float(np.interp(0.1, called, found))
        axes.plot([10], [100 * tenth], "o", color=colour, markersize=5)
        axes.annotate(f"{100 * tenth:.0f}%", (10, 100 * tenth), (8, -4), textcoords="offset points", color=colour)
    axes.plot([0, 100], [0, 100], "--", color=PLAIN, linewidth=1, label="at random")
    axes.set(xlabel="leads worked from the top, %", ylabel="wins found, %", xlim=(0, 100), ylim=(0, 100))
    axes.legend(frameon=False, loc="lower right")
    return figure


def reliability_figure(label: Labels, model: Floats) -> Figure:
    """Predicted chance against the share that was won, in ten groups of equal size with 95 % intervals."""
    figure, axes = canvas("Predicted chance against what happened")
    parts = reliability(label, model)
    chance, share, rows = (np.array(column, dtype=np.float64) for column in zip(*parts, strict=True))
    # Wilson's interval, which stays within 0 and 1 where wins are few.
    z = 1.96
    middle = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * np.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2))
    low, high = np.clip(share - (middle - half), 0, None), np.clip(middle + half - share, 0, None)
    limit = 100 * max(float(chance.max()), float((share + high).max())) * 1.05
    axes.plot([0, limit], [0, limit], "--", color=PLAIN, linewidth=1, label="perfectly calibrated")
    axes.errorbar(
        100 * chance,
        100 * share,
        yerr=100 * np.vstack([low, high]),
        fmt="o-",
        color=MODEL,
        ecolor="#9cc5b4",
        elinewidth=2,
        markersize=5,
        linewidth=1.4,
        label="model, a tenth of the leads each",
    )
    axes.set(xlabel="predicted chance, %", ylabel="won, %", xlim=(0, limit), ylim=(0, limit))
    axes.legend(frameon=False, loc="upper left")
    return figure


def _gains(label: Labels, score: Floats) -> tuple[Floats, Floats]:
    """Share of rows and share of wins from the top; tied rows share a straight line."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    found = np.cumsum(label[order])[ends] / max(1, int(label.sum()))
    return np.append(0.0, (ends + 1) / len(order)), np.append(0.0, found)
