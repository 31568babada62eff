"""The life cycle in a terminal of 80 columns, and as content for `--json`."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Column, Table

from core.lifecycle_settings import StageSettings
from customers.lifecycle.funnel import RECENT_DAYS, Funnel
from kizashi.lifecycle_texts import say
from kizashi.quality_figures import percent
from kizashi.texts import Locale


def funnel_content(funnel: Funnel, stages: Sequence[StageSettings], locale: Locale) -> dict[str, Any]:
    """The funnel's figures, with the stages' labels; shares are between 0 and 1, or null where nobody was."""
    labels = {stage.name: _label(stage, locale) for stage in stages}
    return {
        "as_of": funnel.as_of,
        "recent_days": RECENT_DAYS,
        "stages": [
            {
                **asdict(figures),
                "label": labels[figures.stage],
                "went_on_share": figures.went_on / figures.ever
                if figures.ever and figures.went_on is not None
                else None,
            }
            for figures in funnel.stages
        ],
        "without_stage": funnel.without_stage,
        "refused_profiling": funnel.refused,
    }


def draw_funnel(
    terminal: Terminal, funnel: Funnel, stages: Sequence[StageSettings], locale: Locale, timezone: str
) -> None:
    """The funnel as a table."""
    if not stages:
        terminal.print(say("none", locale), highlight=False)
        return
    labels = {stage.name: _label(stage, locale) for stage in stages}
    sides = {stage.name for stage in stages if stage.side}
    as_of = funnel.as_of.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M")
    table = Table(
        Column(say("stage", locale), overflow="fold"),
        *(
            Column(say(key, locale, days=RECENT_DAYS), justify="right", no_wrap=True)
            for key in ("people", "recent", "days_in", "days_so_far", "went_on")
        ),
        title=f"{say('title', locale)} ({say('as_of', locale, as_of=as_of)})",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for figures in funnel.stages:
        table.add_row(
            escape(labels[figures.stage]), f"{figures.people:,}", f"{figures.entered_recently:,}",
            _days(figures.days_in), _days(figures.days_so_far),
            "–" if figures.went_on is None else percent(figures.went_on, figures.ever),
            style="dim" if figures.stage in sides else "",
        )  # fmt: skip
    terminal.print(table)
    if funnel.without_stage:
        said = say("without", locale, people=funnel.without_stage, refused=funnel.refused)
        terminal.print(said, highlight=False)
    terminal.print(say("note", locale), style="dim", highlight=False)


def _label(stage: StageSettings, locale: Locale) -> str:
    return stage.label.ja if locale == "ja" else stage.label.en


def _days(days: float | None) -> str:
    """Days as people read them: with a decimal below ten.

    >>> _days(None), _days(0.25), _days(45.4)
    ('–', '0.2', '45')
    """
    if days is None:
        return "–"
    return f"{days:.1f}" if days < 10 else f"{days:,.0f}"
