"""One person's story as a picture: what they did, which deals they were part of, and how sure we were at the time."""

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from core.database import Answer
from core.model_settings import ModelName
from kizashi.texts import Locale, text
from training.canvas import MODEL, PLAIN, POINTS, panels, with_japanese

_OUTCOMES = {"won": MODEL, "lost": POINTS, "open": PLAIN}


def timeline_figure(
    customer_id: str,
    events: pd.DataFrame,
    deals: pd.DataFrame,
    model: ModelName,
    answers: Sequence[Answer],
    until: datetime,
    lang: Locale,
) -> Figure:
    """Above the probability at each moment it was answered for, below events by type and the person's deals.

    Args:
        customer_id: whose story it is.
        events: `type` and `occurred_at` of all that the person did.
        deals: `outcome`, `opened_at` and `closed_at` of the deals the person is part of.
        model: whose answers they are.
        answers: what was answered about the person, oldest first; a probability holds until the next one.
        until: the moment that the tables stand for, where open deals end.
        lang: of the labels.
    """
    types = list(events["type"].value_counts().index[::-1])
    rows = len(types) + len(deals)
    figure, (above, below) = panels(
        text("plot_timeline", lang, customer=customer_id), (1.0, max(1.0, 0.28 * rows)), 9.0, 2.8 + 0.3 * rows
    )
    above.set_ylabel(text(f"probability_{model}", lang), fontsize=9)
    _draw_answers(above, answers, until, lang)
    for row, kind in enumerate(types):
        at = events.loc[events["type"] == kind, "occurred_at"]
        below.plot(at, np.full(len(at), row), "|", color=MODEL, markersize=10, markeredgewidth=1.4)
    names = [kind.replace("_", " ") for kind in types]
    spans = zip(deals["outcome"], deals["opened_at"], deals["closed_at"].fillna(pd.Timestamp(until)), strict=True)
    for row, (outcome, opened, closed) in enumerate(spans, start=len(types)):
        below.plot(date2num([opened, closed]), [row, row], color=_OUTCOMES[outcome], linewidth=7, alpha=0.75)
        names.append(text("plot_deal", lang, outcome=text(f"plot_{outcome}", lang)))
    below.set_yticks(range(rows), names)
    below.set_ylim(-0.7, rows - 0.3)
    locator = AutoDateLocator()
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    return with_japanese(figure)


def _draw_answers(axes: Axes, answers: Sequence[Answer], until: datetime, lang: Locale) -> None:
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    if not answers:
        axes.annotate(text("plot_unanswered", lang), (0.5, 0.5), xycoords="axes fraction", ha="center", va="center")
        return
    at = date2num([answer.features_as_of for answer in answers])
    chance = [answer.probability for answer in answers]
    axes.step([*at, max(date2num(until), at[-1])], [*chance, chance[-1]], where="post", color=MODEL, linewidth=1.6)
    axes.plot(at, chance, "o", color=MODEL, markersize=5)
    axes.annotate(
        f"{chance[-1]:.1%}", (at[-1], chance[-1]), (-6, 0), textcoords="offset points", ha="right", va="center"
    )
    axes.set_ylim(0, max(chance) * 1.35)
