"""The quality report in a terminal of 80 columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from rich import box
from rich.cells import cell_len
from rich.console import Console as Terminal
from rich.markup import escape
from rich.table import Column, Table

from customers.quality.report import QualityReport
from kizashi.quality_figures import (
    disagreements,
    events_sentence,
    identity_sentence,
    percent,
    rule_label,
    spread,
    warnings,
    winners,
)
from kizashi.quality_texts import person_field, say
from kizashi.texts import Locale

_SHOWN_PAIRS = 10
_SHOWN_COLUMNS = 8
_WIDEST_FIELD = 18
# A share such as "100.0 %", and the space between columns.
_SHARE_WIDTH, _GAP = 7, 1


@dataclass(frozen=True)
class QualityView:
    """The report in a language and a time zone."""

    locale: Locale
    timezone: str

    def draw(self, terminal: Terminal, report: QualityReport, company: str) -> None:
        """Everything, the warnings first."""
        until = report.data_until.astimezone(ZoneInfo(self.timezone)).strftime("%Y-%m-%d %H:%M")
        title = f"{self._say('title')}: {company}, {self._say('until', until=until)}"
        terminal.print(title, style="bold", highlight=False, markup=False)
        warned = warnings(report, self.locale)
        for line in warned:
            terminal.print(f"! {line}", style="yellow", highlight=False, markup=False)
        if not warned:
            terminal.print(self._say("all_well"), style="green", highlight=False)
        terminal.print()
        self._draw_sources(terminal, report)
        self._draw_reasons(terminal, report)
        self._draw_fields(terminal, report)
        self._draw_conflicts(terminal, report)
        self._draw_identities(terminal, report)
        self._draw_events(terminal, report)
        self._draw_consents(terminal, report)

    def _draw_sources(self, terminal: Terminal, report: QualityReport) -> None:
        forgotten = any(source.forgotten for source in report.sources)
        names = ("rows", "quarantined", "share", *(("forgotten",) if forgotten else ()), "newest", "silent", "pause")
        table = self._table("sources", "source", *names)
        for source in report.sources:
            fresh = source.freshness
            stalled = fresh is not None and fresh.stalled
            table.add_row(
                source.source, f"{source.rows:,}", f"{source.quarantined:,}",
                percent(source.quarantined, source.rows),
                *([f"{source.forgotten:,}"] if forgotten else []),
                *((fresh.newest.isoformat(), f"{fresh.silent_days:,}", pauses(fresh.usual_pause, fresh.longest_pause))
                  if fresh is not None else ("–", "–", "–")),
                style="yellow" if stalled or not source.adds_up else "",
            )  # fmt: skip
        terminal.print(table)
        for source in report.sources:
            if columns := source.unused_columns:
                listed = ", ".join(columns[:_SHOWN_COLUMNS]) + (", …" if len(columns) > _SHOWN_COLUMNS else "")
                said = self._say("unused_columns", source=source.source, count=len(columns), columns=listed)
                terminal.print(said, style="dim", highlight=False, markup=False)
        terminal.print()

    def _draw_reasons(self, terminal: Terminal, report: QualityReport) -> None:
        table = self._table("reasons", "source", "rows", "reason", "first", left=("reason", "first"))
        for source in report.sources:
            for reason in source.reasons:
                place = self._say("place", file=reason.file, line=reason.line)
                table.add_row(source.source, f"{reason.rows:,}", escape(reason.reason), escape(place))
            if source.other_reasons:
                table.add_row(source.source, f"{source.other_reasons:,}", self._say("other_reasons"), "")
        if table.row_count:
            terminal.print(table)

    def _draw_fields(self, terminal: Terminal, report: QualityReport) -> None:
        records = {system.system: system.records for system in report.systems}
        told = {(field.field, system.system): system for field in report.fields for system in field.systems}
        systems = [name for name in records if any((field.field, name) in told for field in report.fields)]
        labels = [escape(person_field(field.field, self.locale)) for field in report.fields]
        width = max((cell_len(label) for label in labels), default=0)
        room = terminal.width - min(width, _WIDEST_FIELD) - 2 * (_SHARE_WIDTH + _GAP) - _GAP
        for number, part in enumerate(_parts(systems, room)):
            table = self._table("fields", "field", *([] if number else ["golden"]))
            for name in part:
                table.add_column(name, justify="right", overflow="fold")
            if not number:
                table.add_column(self._say("unreadable"), justify="right")
            for label, field in zip(labels, report.fields, strict=True):
                shares = [
                    percent(cell.filled, records[name]) if (cell := told.get((field.field, name))) else "–"
                    for name in part
                ]
                golden = "–" if field.golden is None else percent(field.golden, report.identities.known)
                unreadable = percent(field.unreadable, field.filled + field.unreadable) if field.unreadable else ""
                table.add_row(label, *([] if number else [golden]), *shares, *([] if number else [unreadable]))
            terminal.print(table)

    def _draw_conflicts(self, terminal: Terminal, report: QualityReport) -> None:
        table = self._table(
            "conflicts_title", "field", "systems", "conflicts", "compared", "share", "won", left=("systems", "won")
        )
        for field, pair in disagreements(report.fields, _SHOWN_PAIRS):
            table.add_row(
                escape(person_field(field.field, self.locale)), f"{pair.left} / {pair.right}",
                f"{pair.different:,}", f"{pair.compared:,}", percent(pair.different, pair.compared),
                winners(pair, self.locale),
            )  # fmt: skip
        if table.row_count:
            terminal.print(table)

    def _draw_identities(self, terminal: Terminal, report: QualityReport) -> None:
        identities = report.identities
        terminal.print(self._say("identities"), style="italic", highlight=False)
        terminal.print(identity_sentence(identities, self.locale), highlight=False)
        if identities.merges is not None:
            said = self._say("changes_say", merges=identities.merges, splits=identities.splits)
            terminal.print(said, highlight=False)
        table = self._table("per_person", "records", "people", "share")
        for label, people in spread(identities, self.locale):
            table.add_row(label, f"{people:,}", percent(people, identities.known))
        terminal.print(table)
        table = self._table("overlaps", "systems", "people", "surplus")
        for pair in sorted(identities.overlaps, key=lambda pair: -pair.people)[:_SHOWN_PAIRS]:
            if pair.people:
                within = pair.left == pair.right
                where = self._say("within", system=pair.left) if within else self._between(pair.left, pair.right)
                table.add_row(where, f"{pair.people:,}", f"{pair.surplus:,}" if within else "")
        if table.row_count:
            terminal.print(table)
        table = self._table("links", "rule", "joined", "further", "names", "decision")
        for link in identities.links:
            figures = (link.joined, link.further, link.names, link.decision)
            table.add_row(escape(rule_label(link.rule, self.locale)), *(f"{count:,}" for count in figures))
        if table.row_count:
            terminal.print(table)

    def _draw_events(self, terminal: Terminal, report: QualityReport) -> None:
        terminal.print(self._say("events"), style="italic", highlight=False)
        terminal.print(events_sentence(report, self.locale), highlight=False)
        table = self._table("events", "channel", "count", "bots", "share")
        table.title = None
        for channel in report.events.channels:
            table.add_row(
                escape(channel.channel), f"{channel.events:,}", f"{channel.bots:,}",
                percent(channel.bots, channel.events),
            )  # fmt: skip
        if table.row_count:
            terminal.print(table)

        table = self._table("bot_rules", "reason", "count", "later")
        for rule in report.events.rules:
            table.add_row(self._say(f"bot_{rule.rule}"), f"{rule.events:,}", f"{rule.later:,}")
        if table.row_count:
            terminal.print(table)
        table = self._table("pairs", "told_first", "told_again", "count", left=("told_again",))
        for pair in report.events.pairs[:_SHOWN_PAIRS]:
            table.add_row(pair.first, pair.again, f"{pair.events:,}")
        if table.row_count:
            terminal.print(table)

    def _draw_consents(self, terminal: Terminal, report: QualityReport) -> None:
        consents = report.consents
        table = self._table("consents", "purpose", "given", "refused", "silent_people", "allowed")
        for told in consents.purposes:
            figures = (told.given, told.refused, told.silent, told.allowed)
            table.add_row(self._say(f"purpose_{told.purpose}"), *(f"{count:,}" for count in figures))
        if table.row_count:
            terminal.print(table)
        table = self._table("consents_by_system", "purpose", "system", "given", "refused", left=("system",))
        for by in consents.systems:
            table.add_row(self._say(f"purpose_{by.purpose}"), by.system, f"{by.given:,}", f"{by.refused:,}")
        if table.row_count:
            terminal.print(table)
        table = self._table(
            "consents_differ", "purpose", "systems", "different", "compared", "refused_now", left=("systems",)
        )
        for pair in consents.disagreements[:_SHOWN_PAIRS]:
            table.add_row(
                self._say(f"purpose_{pair.purpose}"), f"{pair.left} / {pair.right}",
                f"{pair.different:,}", f"{pair.compared:,}", f"{pair.refused:,}",
            )  # fmt: skip
        if table.row_count:
            terminal.print(table)

    def _table(self, title: str, first: str, *columns: str, left: Sequence[str] = ()) -> Table:
        # Names have no spaces to break at: long ones are folded, never cut.
        headed = [Column(self._say(first), overflow="fold", min_width=8)]
        for name in columns:
            if name in left:
                headed.append(Column(self._say(name), overflow="fold"))
            else:
                headed.append(Column(self._say(name), justify="right", no_wrap=True))
        return Table(
            *headed, title=self._say(title), title_justify="left", box=box.SIMPLE_HEAD, padding=(0, _GAP, 0, 0),
            pad_edge=False,
        )  # fmt: skip

    def _between(self, left: str, right: str) -> str:
        return self._say("between", left=left, right=right)

    def _say(self, key: str, **values: object) -> str:
        return say(key, self.locale, **values)


def pauses(usual: float | None, longest: int | None) -> str:
    """A source's usual and longest pause in days.

    >>> pauses(1.0, 12), pauses(None, None)
    ('1 / 12', '–')
    """
    return "–" if usual is None or longest is None else f"{usual:g} / {longest:,}"


def _parts(names: Sequence[str], room: int) -> Iterator[list[str]]:
    """The names in parts that fit side by side; at least one part, which may be empty."""
    part: list[str] = []
    used = 0
    for name in names:
        width = max(cell_len(name), _SHARE_WIDTH) + _GAP
        if part and used + width > room:
            yield part
            part, used = [], 0
        part.append(name)
        used += width
    yield part
