"""How past answers and their changes look in a terminal, and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Column, Table

from kizashi.history_texts import say
from kizashi.texts import Locale
from scoring.flat_answer import iso
from scoring.replay import Replayed
from scoring.score_change import ScoreChange

_SHOWN_ANSWERS = 20
_SHOWN_SUBJECTS = 8


@dataclass(frozen=True)
class HistoryView:
    """Past answers in a language and a time zone."""

    locale: Locale
    timezone: str

    def draw_history(self, terminal: Terminal, person: str, history: Sequence[Replayed]) -> None:
        """A line for each answer, the newest last, and the reasons of that one."""
        shown = history[-_SHOWN_ANSWERS:]
        names = ("features_as_of", "version", "probability", "score", "grade", "again")
        justified = {"probability": "right", "score": "right"}
        columns = [Column(self._say(name), justify=justified.get(name, "left")) for name in names]  # type: ignore[arg-type]  # rich knows the words as literals
        table = Table(*columns, title=self._say("history", who=person), title_justify="left", box=box.SIMPLE)
        if len(history) > len(shown):
            table.add_row(self._say("left_out", count=len(history) - len(shown)), style="dim")
        for one in shown:
            again = self._say("exact") if one.exact else self._say("differs", names=", ".join(one.differences))
            table.add_row(
                self._moment(one.features_as_of), one.model_version, _percent(one.told["probability"]),
                str(one.told["score"]), one.told["grade"], escape(again),
                style=None if one.exact else "red",
            )  # fmt: skip
        terminal.print(table)
        last = history[-1]
        terminal.print(self._say("reasons", moment=self._moment(last.features_as_of)), highlight=False)
        for reason in last.reasons:
            terminal.print(f"  • {escape(reason)}", highlight=False)

    def draw_change(self, terminal: Terminal, change: ScoreChange) -> None:
        """The three steps from the earlier answer to the later one, and the new facts by subject."""
        title = self._say(
            "change",
            who=change.later.customer_id,
            before=_percent(change.chances[0]),
            after=_percent(change.chances[-1]),
            since=self._moment(change.earlier.features_as_of),
            until=self._moment(change.later.features_as_of),
        )
        terminal.print(title, style="bold", highlight=False, markup=False)
        numbers = [Column(self._say(name), justify="right") for name in ("log_odds", "then")]
        table = Table(self._say("step"), *numbers, box=box.SIMPLE)
        former, latter = change.earlier.model_version, change.later.model_version
        model = "same_model" if former == latter else "model"
        steps = (("time", change.time), ("facts", change.facts), (model, change.model))
        for (key, effect), chance in zip(steps, change.chances[1:], strict=True):
            told = self._say(key, former=former, latter=latter) if key == "model" else self._say(key)
            table.add_row(told, f"{effect:+.2f}", _percent(chance))
            if key == "facts":
                for subject, part in list(change.new_facts.items())[:_SHOWN_SUBJECTS]:
                    table.add_row(f"  {escape(subject)}", f"{part:+.2f}", "", style="dim")
                others = change.interplay + sum(list(change.new_facts.values())[_SHOWN_SUBJECTS:])
                if change.new_facts:
                    table.add_row(f"  {self._say('others')}", f"{others:+.2f}", "", style="dim")
        terminal.print(table)

    def history_content(self, history: Sequence[Replayed]) -> dict[str, Any]:
        """The answers for `--json`."""
        return {"answers": [self._answer(one) for one in history], "exact": all(one.exact for one in history)}

    def change_content(self, change: ScoreChange) -> dict[str, Any]:
        """The change for `--json`; effects in log-odds."""
        return {
            "earlier": self._answer(change.earlier),
            "later": self._answer(change.later),
            "time": change.time,
            "facts": change.facts,
            "model": change.model,
            "probabilities": list(change.chances),
            "new_facts": dict(change.new_facts),
            "interplay": change.interplay,
        }

    def _answer(self, one: Replayed) -> dict[str, Any]:
        return {
            "customer_id": one.customer_id,
            "model": one.model,
            "model_version": one.model_version,
            "features_as_of": iso(one.features_as_of),
            "answered_at": iso(one.answered_at),
            **one.told,
            "exact": one.exact,
            "differences": list(one.differences),
            "reasons": list(one.reasons),
        }

    def _moment(self, moment: datetime) -> str:
        return f"{moment.astimezone(ZoneInfo(self.timezone)):%Y-%m-%d %H:%M}"

    def _say(self, key: str, **values: object) -> str:
        return say(key, self.locale, **values)


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f}%"
