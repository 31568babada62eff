"""Pictures for notebooks, labelled in Japanese or English; each function draws what it is given."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from numpy.typing import NDArray

from core.model_settings import HotSettings, ModelName
from kizashi.texts import Locale, text
from scoring.explain import Explanation
from scoring.reasons import ReasonWriter
from training.canvas import MODEL, PLAIN, POINTS, canvas, with_japanese

Floats = NDArray[np.float64]
_GRADES = {"D": "#dfe7e3", "C": "#a9c9bb", "B": "#5b9f86", "A": MODEL}
_STRENGTHENS, _WEAKENS = MODEL, POINTS
_LEAST_CHANCE = 1e-4
# Marks on axes that run by odds or logarithms.
_ROUND_CHANCES = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


def scores_figure(
    answers: pd.DataFrame, model: ModelName, hot: HotSettings | None, horizon_days: int, lang: Locale
) -> Figure:
    """How the probabilities are spread, by grade, with the cut from which a lead is hot.

    Args:
        answers: the flat answers of those who have a score.
        model: for example `lead`.
        hot: the cuts, for a model that knows hot.
        horizon_days: how far ahead the probability looks.
        lang: of the labels.
    """
    figure, axes = canvas(text("plot_scores", lang, count=len(answers)), width=9.0, height=3.8)
    chance = answers["probability"].clip(lower=_LEAST_CHANCE)
    bins = np.geomspace(chance.min(), max(float(chance.max()), hot.enter if hot else 0.0) * 1.05, 46)
    axes.hist(
        [chance[answers["grade"] == grade] for grade in _GRADES],
        bins=bins.tolist(),
        stacked=True,
        color=list(_GRADES.values()),
        label=[text("plot_grade", lang, grade=g, count=int((answers["grade"] == g).sum())) for g in _GRADES],
    )
    if hot is not None:
        hot_label = text("plot_enter", lang, cut=hot.enter, count=int(answers["hot"].sum()))
        axes.axvline(hot.enter, color=POINTS, linewidth=1.6, label=hot_label)
    axes.set_xscale("log")
    axes.set_xticks([share for share in _ROUND_CHANCES if bins[0] <= share <= bins[-1]])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    axes.xaxis.set_minor_locator(NullLocator())
    chance_axis = text("plot_chance", lang, chance=text(f"probability_{model}", lang), days=horizon_days)
    axes.set(xlabel=chance_axis, ylabel=text("plot_people", lang))
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=9, frameon=False)
    return with_japanese(figure)


def importance_figure(contributions: Floats, writer: ReasonWriter, lang: Locale, top: int) -> Figure:
    """The subjects that move the scores most: the mean size of what each adds to a person's log-odds.

    Args:
        contributions: shape (people, columns + 1), in calibrated log-odds.
        writer: names the subjects.
        lang: of the labels.
        top: how many subjects.
    """
    size = np.abs(writer.by_subject(contributions)).mean(axis=0)
    order = np.argsort(-size, kind="stable")[:top][::-1]
    figure, axes = canvas(text("plot_importance", lang), width=8.0, height=1.2 + 0.32 * len(order))
    axes.barh([writer.label(int(group)) for group in order], size[order], color=MODEL, height=0.66)
    for row, group in enumerate(order):
        axes.annotate(f"{size[group]:.2f}", (size[group], row), (4, 0), textcoords="offset points", va="center")
    axes.set_xlabel(text("plot_importance_axis", lang, count=len(contributions)))
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.1)
    return with_japanese(figure)


def explanation_figure(explanation: Explanation, lang: Locale, top: int) -> Figure:
    """From the chance before anything is known to the person's own, one subject after the other, and the sentences.

    Args:
        explanation: of one person, in `lang`.
        lang: of the labels.
        top: how many subjects are drawn one by one; the rest is one bar.
    """
    steps = list(explanation.contributions[:top])
    rest = explanation.contributions[top:]
    if rest:
        steps.append((text("others", lang, count=len(rest)), sum(effect for _, effect in rest)))
    ends = explanation.base_log_odds + np.cumsum([effect for _, effect in steps])
    starts = np.concatenate([[explanation.base_log_odds], ends[:-1]])
    said = "\n".join(reason for reason in explanation.reasons)
    title = text(
        "plot_explanation",
        lang,
        base=explanation.base_probability,
        probability=explanation.probability,
        score=explanation.score,
        grade=explanation.grade,
    )
    figure, axes = canvas(title, width=8.6, height=1.6 + 0.34 * len(steps) + 0.2 * len(explanation.reasons))
    for row, ((name, effect), start, end) in enumerate(zip(steps, starts, ends, strict=True)):
        axes.barh(name, effect, left=start, color=_STRENGTHENS if effect > 0 else _WEAKENS, height=0.62)
        if row < len(steps) - 1:
            axes.plot([end, end], [row - 0.31, row + 1.31], color=PLAIN, linewidth=0.8)
        at, side = (max(start, end), "left") if effect > 0 else (min(start, end), "right")
        offset = (4, 0) if effect > 0 else (-4, 0)
        axes.annotate(f"{effect:+.2f}", (at, row), offset, textcoords="offset points", va="center", ha=side, fontsize=9)
    axes.axvline(explanation.base_log_odds, color=PLAIN, linewidth=1, linestyle="--")
    axes.invert_yaxis()
    axes.use_sticky_edges = False
    axes.margins(x=0.12, y=0.03)
    low, high = axes.get_xlim()
    rounds = [(share, float(np.log(share / (1 - share)))) for share in _ROUND_CHANCES]
    shown = [(share, odds) for share, odds in rounds if low <= odds <= high]
    axes.set_xticks([odds for _, odds in shown], [f"{100 * share:g}%" for share, _ in shown])
    axes.set_xlabel(text(f"probability_{explanation.model}", lang))
    axes.grid(visible=False, axis="y")
    figure.supxlabel(said, x=0.02, ha="left", fontsize=10, linespacing=1.5)
    return with_japanese(figure)
