"""Pictures of a model's quality."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.backtest import Backtest
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


def distribution_figure(label: Labels, model: Floats) -> Figure:
    """How the probabilities of the test rows are spread, for those with the outcome and for the others."""
    figure, axes = canvas("How the probabilities are spread")
    edges = np.histogram_bin_edges(100 * np.clip(model, 0, np.quantile(model, 0.995)), bins=40)
    for rows, name, colour in ((~label, "others", PLAIN), (label, "with the outcome", MODEL)):
        if rows.any():
            share = np.full(int(rows.sum()), 100 / rows.sum())
            axes.hist(100 * model[rows], bins=edges.tolist(), weights=share, alpha=0.65, color=colour, label=name)
    axes.set(xlabel="predicted chance, %", ylabel="share of the rows, %")
    axes.legend(frameon=False)
    return figure


def backtest_figure(past: Backtest, test_auc: float) -> Figure:
    """Ranking at each cut-off, beside the test part's and a random division's."""
    figure, axes = canvas("The past predicted again")
    names = [f"{one.first[:10]}\n{one.positives} of {one.rows}" for one in past.cut_offs]
    place = np.arange(len(names))
    axes.plot(place, [one.auc for one in past.cut_offs], "o-", color=MODEL, linewidth=2, label="from what came before")
    for value, name, style in ((test_auc, "test part", "-."), (past.random_auc, "divided at random", "--")):
        if np.isfinite(value):
            axes.axhline(value, color=PLAIN, linestyle=style, linewidth=1, label=name)
    axes.axhline(0.5, color=POINTS, linewidth=1, label="chance")
    axes.set_xticks(place, names)
    axes.set(ylabel="AUC", ylim=(0.4, 1))
    axes.legend(frameon=False)
    return figure


def beeswarm_figure(contributions: Floats, matrix: Floats, names: Sequence[str], top: int = 15) -> Figure:
    """Exact contributions of the features that move most: a point a row, coloured by the feature's own value.

    Args:
        contributions: shape (rows, features), in calibrated log-odds.
        matrix: the features as the model reads them, shape (rows, features); NaN is drawn grey.
        names: of the features.
        top: how many are shown.
    """
    figure, axes = canvas("What moves each person's score", width=8.0, height=6.5)
    shown = _strongest(contributions, top)
    random = np.random.default_rng(0)
    for place, column in enumerate(shown):
        effect, value = contributions[:, column], matrix[:, column]
        height = place + random.uniform(-0.32, 0.32, len(effect))
        known = np.isfinite(value)
        axes.scatter(effect[~known], height[~known], s=5, color="#c9ced6", linewidths=0)
        if known.any():
            rank = np.argsort(np.argsort(value[known], kind="stable"), kind="stable") / max(1, known.sum() - 1)
            axes.scatter(effect[known], height[known], s=5, c=rank, cmap="coolwarm", vmin=0, vmax=1, linewidths=0)
    axes.axvline(0, color=PLAIN, linewidth=1)
    axes.set_yticks(np.arange(len(shown)), [names[column] for column in shown], fontsize=8)
    axes.set(xlabel="effect, log-odds (blue: low value, red: high value, grey: not known)")
    return figure


def bars_figure(contributions: Floats, names: Sequence[str], top: int = 15) -> Figure:
    """Mean size of the exact contributions, largest on top."""
    figure, axes = canvas("What moves the scores", width=8.0, height=6.5)
    shown = _strongest(contributions, top)
    axes.barh(np.arange(len(shown)), np.abs(contributions[:, shown]).mean(axis=0), color=MODEL)
    axes.set_yticks(np.arange(len(shown)), [names[column] for column in shown], fontsize=8)
    axes.set(xlabel="mean size of the effect, log-odds")
    return figure


def _strongest(contributions: Floats, top: int) -> NDArray[np.int64]:
    """Columns by mean size, the strongest last, so that it is drawn on top."""
    size = np.abs(contributions).mean(axis=0)
    return np.argsort(size, kind="stable")[-top:]


def _gains(label: Labels, score: Floats) -> tuple[Floats, Floats]:
    """Share of rows and share of wins from the top; tied rows share a straight line."""
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    found = np.cumsum(label[order])[ends] / max(1, int(label.sum()))
    return np.append(0.0, (ends + 1) / len(order)), np.append(0.0, found)
