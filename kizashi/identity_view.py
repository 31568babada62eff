"""How explanations of identity look in a terminal, and as JSON; personal values are hidden unless asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich import box
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Column, Table

from customers.decisions import Conflict, Decision
from customers.finding import Found
from customers.review.explanation import PairExplanation, PersonExplanation
from customers.review.link_path import Agreement, Step
from customers.review.obstacles import Obstacle
from customers.suppression import Key
from kizashi.identity_texts import TEXTS, field_label, say
from kizashi.masking import mask_key, mask_value
from kizashi.texts import Locale

_SHOWN_FIELDS = 4
_SHOWN_ROWS = 60
# Columns whose values are never broken.
_SHORT = ("known", "customer", "joins")


@dataclass(frozen=True)
class IdentityView:
    """Explanations in a language and a time zone; `masked` hides what tells who somebody is."""

    locale: Locale
    timezone: str
    masked: bool = True

    def draw_pair(self, terminal: Terminal, explained: PairExplanation, waiting: int = 0) -> None:
        """Why two records are one person, or why not."""
        left, right = self._key(explained.left), self._key(explained.right)
        title = self._say("one_person" if explained.one_person else "two_people", left=left, right=right)
        if explained.since is not None:
            title = f"{title} {self._say('since', since=self._day(explained.since))}"
        terminal.print(title, style="bold", highlight=False, markup=False)
        terminal.print(self._say("ids", ids=", ".join(explained.customer_ids)), highlight=False, markup=False)
        if explained.steps:
            self._draw_steps(terminal, "path", explained.steps)
        if explained.obstacles:
            terminal.print(self._say("obstacles"), style="bold", highlight=False)
            listed = Table.grid(Column(), Column(overflow="fold"), padding=(0, 1))
            for obstacle in explained.obstacles:
                said = escape(self._obstacle(obstacle))
                if obstacle.agreements:
                    said += f"\n[dim]{escape(self._agreements(obstacle.agreements))}[/]"
                listed.add_row(" •", said)
            terminal.print(listed)
        self._draw_waiting(terminal, waiting)

    def draw_person(self, terminal: Terminal, explained: PersonExplanation, waiting: int = 0) -> None:
        """All records of one person, and what holds them together."""
        title = self._say("person", customer=explained.customer_id, count=len(explained.members))
        terminal.print(title, style="bold", highlight=False, markup=False)
        table = self._table("members", "record", "why", "known")
        for member in explained.members[:_SHOWN_ROWS]:
            table.add_row(
                escape(self._key(member.key)), escape(self._rule(member.rule, member.probability)),
                self._day(member.linked_at),
            )  # fmt: skip
        self._close(terminal, table, len(explained.members))
        if explained.steps:
            self._draw_steps(terminal, "tree", explained.steps)
        if explained.apart:
            self._draw_steps(terminal, "apart", explained.apart)
        self._draw_waiting(terminal, waiting)

    def pair_content(self, explained: PairExplanation) -> dict[str, Any]:
        """The explanation of a pair for `--json`."""
        return {
            "one_person": explained.one_person,
            "left": self._key_content(explained.left),
            "right": self._key_content(explained.right),
            "customer_ids": explained.customer_ids,
            "since": explained.since,
            "path": [self._step_content(step) for step in explained.steps],
            "obstacles": [self._obstacle_content(obstacle) for obstacle in explained.obstacles],
        }

    def person_content(self, explained: PersonExplanation) -> dict[str, Any]:
        """The explanation of a person for `--json`."""
        return {
            "customer_id": explained.customer_id,
            "records": [
                {
                    **self._key_content(member.key), "rule": member.rule, "probability": member.probability,
                    "linked_at": member.linked_at,
                }
                for member in explained.members
            ],
            "links": [self._step_content(step) for step in explained.steps],
            "apart": [self._step_content(step) for step in explained.apart],
        }  # fmt: skip

    def decision_content(self, decision: Decision) -> dict[str, Any]:
        """A decision for `--json` and for lists."""
        return {
            "left": self._key(decision.pair.left),
            "right": self._key(decision.pair.right),
            "decision": decision.verdict,
            "decided_by": decision.decided_by,
            "decided_at": decision.decided_at,
        }

    def draw_found(self, terminal: Terminal, found: Sequence[Found]) -> None:
        """Whose record it may be."""
        if not found:
            terminal.print(self._say("found_nobody"), highlight=False, markup=False)
            return
        table = self._table("found", "customer", "why", "joins", "record")
        for one in found:
            table.add_row(
                one.customer_id, escape(self._rule(one.rule, one.probability)),
                self._say("joins_yes" if one.joins else "joins_no"),
                escape(", ".join(self._key(key) for key in one.records)),
            )  # fmt: skip
        terminal.print(table)

    def found_content(self, one: Found) -> dict[str, Any]:
        """The same for `--json`."""
        return {
            "customer_id": one.customer_id,
            "rule": one.rule,
            "probability": one.probability,
            "joins": one.joins,
            "records": [self._key_content(key) for key in one.records],
        }

    def conflict_content(self, conflict: Conflict) -> dict[str, Any]:
        """A decision that does not hold, and the one that forbids it."""
        return {
            "same": self.decision_content(conflict.same),
            "different": self.decision_content(conflict.different),
        }

    def conflict_text(self, conflict: Conflict) -> str:
        """The same as a sentence."""
        same, different = conflict.same, conflict.different
        return self._say(
            "conflict",
            left=self._key(same.pair.left), right=self._key(same.pair.right), by=same.decided_by,
            at=self._day(same.decided_at), other_left=self._key(different.pair.left),
            other_right=self._key(different.pair.right), other_by=different.decided_by,
            other_at=self._day(different.decided_at),
        )  # fmt: skip

    def _draw_waiting(self, terminal: Terminal, waiting: int) -> None:
        if waiting:
            terminal.print(self._say("waiting", count=waiting), style="yellow", highlight=False)

    def _draw_steps(self, terminal: Terminal, title: str, steps: Sequence[Step]) -> None:
        table = self._table(title, "from", "to", "why", "known")
        for step in steps[:_SHOWN_ROWS]:
            why = escape(self._why(step))
            if step.agreements:
                why += f"\n[dim]{escape(self._agreements(step.agreements))}[/]"
            table.add_row(escape(self._key(step.left)), escape(self._key(step.right)), why, self._day(step.linked_at))
        self._close(terminal, table, len(steps))

    def _table(self, title: str, *columns: str) -> Table:
        # Ids have no spaces to break at: long ones are folded, never cut.
        headed = [
            Column(self._say(name), overflow="fold", no_wrap=name in _SHORT, ratio=None if name in _SHORT else 1)
            for name in columns
        ]
        return Table(*headed, title=self._say(title), title_justify="left", box=box.SIMPLE_HEAD, expand=True)

    @staticmethod
    def _close(terminal: Terminal, table: Table, rows: int) -> None:
        if rows > _SHOWN_ROWS:
            table.caption = f"+ {rows - _SHOWN_ROWS:,}"
        terminal.print(table)

    def _why(self, step: Step) -> str:
        if step.decision is not None:
            return self._say("decided_same", by=step.decision.decided_by, at=self._day(step.decision.decided_at))
        return self._rule(step.rule, step.probability)

    def _rule(self, rule: str, probability: float) -> str:
        if rule == "similar":
            return self._say("rule_similar", probability=_percent(probability))
        return self._say(f"rule_{rule}") if f"rule_{rule}" in TEXTS else self._say("rule_other", rule=rule)

    def _agreements(self, agreements: Sequence[Agreement]) -> str:
        return ", ".join(
            f"{field_label(said.field, self.locale)} {self._say(said.agreement)} {said.bits:+.1f}"
            for said in agreements[:_SHOWN_FIELDS]
        )

    def _obstacle(self, obstacle: Obstacle) -> str:
        step, decision, kind = obstacle.step, obstacle.decision, obstacle.kind
        if decision is not None:
            return self._say(
                kind, by=decision.decided_by, at=self._day(decision.decided_at),
                left=self._key(decision.pair.left), right=self._key(decision.pair.right),
            )  # fmt: skip
        if step is not None:
            return self._say(kind, left=self._key(step.left), right=self._key(step.right), why=self._why(step))
        if obstacle.pair is not None:
            return self._say(
                kind, left=self._key(obstacle.pair.left), right=self._key(obstacle.pair.right),
                probability=_percent(obstacle.probability), threshold=_percent(obstacle.threshold),
                related=_percent(obstacle.related),
            )  # fmt: skip
        if obstacle.field is None:
            return self._say(kind)
        values = [self._value(obstacle.field, value) for value in obstacle.values]
        if len(values) == 2:
            return self._say(kind, left=values[0], right=values[1])
        label = field_label(obstacle.field, self.locale)
        return self._say(kind, field=label, value=values[0], holders=obstacle.holders or 0)

    def _step_content(self, step: Step) -> dict[str, Any]:
        return {
            "left": self._key_content(step.left),
            "right": self._key_content(step.right),
            "rule": step.rule,
            "probability": step.probability,
            "linked_at": step.linked_at,
            "state": step.state,
            "agreements": [_agreement_content(said) for said in step.agreements],
            "decision": self.decision_content(step.decision) if step.decision else None,
        }

    def _obstacle_content(self, obstacle: Obstacle) -> dict[str, Any]:
        return {
            "kind": obstacle.kind,
            "says": self._obstacle(obstacle),
            "link": self._step_content(obstacle.step) if obstacle.step else None,
            "decision": self.decision_content(obstacle.decision) if obstacle.decision else None,
            "records": [self._key_content(key) for key in obstacle.pair or ()],
            "field": obstacle.field,
            "values": [self._value(obstacle.field or "", value) for value in obstacle.values],
            "holders": obstacle.holders,
            "probability": obstacle.probability,
            "threshold": obstacle.threshold,
            "related": obstacle.related,
            "agreements": [_agreement_content(said) for said in obstacle.agreements],
        }

    def _key(self, key: Key) -> str:
        return mask_key(key) if self.masked else f"{key.system}/{key.id}"

    def _key_content(self, key: Key) -> dict[str, str]:
        return {"system": key.system, "id": self._key(key).removeprefix(f"{key.system}/")}

    def _value(self, field: str, value: str) -> str:
        return mask_value(field, value) if self.masked else value

    def _day(self, moment: datetime) -> str:
        return moment.astimezone(ZoneInfo(self.timezone)).date().isoformat()

    def _say(self, key: str, **values: object) -> str:
        return say(key, self.locale, **values)


def _agreement_content(said: Agreement) -> dict[str, Any]:
    """What a field says, for `--json`."""
    return {"field": said.field, "agreement": said.agreement, "bits": said.bits}


def _percent(probability: float | None) -> str:
    return f"{100 * (probability or 0.0):.1f} %"
