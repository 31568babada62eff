"""Figures of the quality report that every form of it shows: shares as text, warnings, lists of the worst."""

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any, NamedTuple

from customers.quality.fields import Disagreement, FieldQuality
from customers.quality.identities import IdentityQuality
from customers.quality.report import QualityReport
from kizashi.identity_texts import TEXTS as IDENTITY_TEXTS
from kizashi.identity_texts import say as say_identity
from kizashi.quality_texts import say
from kizashi.texts import Locale

# More records of one person than systems usually give: worth looking at one by one.
LARGE_PERSON = 10
# Numbers of records per person are told one by one up to here, and by tens above.
_SINGLE_COUNTS = 5


class FieldDisagreement(NamedTuple):
    """Two systems that disagree about a field."""

    field: FieldQuality
    pair: Disagreement


def percent(part: int, whole: int) -> str:
    """A share; one that is not quite all or nothing never looks so.

    >>> percent(1, 3), percent(0, 3), percent(1, 5000), percent(4999, 5000), percent(0, 0)
    ('33.3 %', '0 %', '<0.1 %', '>99.9 %', '–')
    """
    if not whole:
        return "–"
    if part in (0, whole):
        return "100 %" if part else "0 %"
    share = 100 * part / whole
    if share < 0.1:
        return "<0.1 %"
    return ">99.9 %" if share > 99.9 else f"{share:.1f} %"


def warnings(report: QualityReport, locale: Locale) -> list[str]:
    """What somebody should look into, as sentences."""
    said = []
    for source in report.sources:
        if source.unexplained:
            said.append(
                say("warn_unexplained", locale, source=source.source, rows=source.rows, count=source.unexplained)
            )
        if source.unlisted:
            said.append(say("warn_unlisted", locale, source=source.source, count=source.unlisted))
        fresh = source.freshness
        if fresh is not None and fresh.stalled:
            values = {"silent": fresh.silent_days, "newest": fresh.newest, "longest": fresh.longest_pause}
            said.append(say("warn_stalled", locale, source=source.source, **values))
    return said


def disagreements(fields: Sequence[FieldQuality], limit: int) -> list[FieldDisagreement]:
    """The pairs of systems and fields that disagree about most people."""
    found = [FieldDisagreement(field, pair) for field in fields for pair in field.disagreements]
    return sorted(found, key=lambda item: -item.pair.different)[:limit]


def winners(pair: Disagreement, locale: Locale) -> str:
    """Whose values stand in the golden record."""
    said = [f"{name} {count:,}" for name, count in ((pair.left, pair.left_won), (pair.right, pair.right_won)) if count]
    others = pair.different - pair.left_won - pair.right_won
    return ", ".join([*said, say("neither", locale, count=others)] if others > 0 else said)


def spread(identities: IdentityQuality, locale: Locale) -> list[tuple[str, int]]:
    """How many people have how many records: one by one for few records, by tens for many.

    The tens are 6-10, 11-20, 21-30 and so on.
    """

    def group(counted: tuple[int, int]) -> tuple[int, int]:
        records = counted[0]
        if records <= _SINGLE_COUNTS:
            return records, records
        return (max(_SINGLE_COUNTS, (records - 1) // 10 * 10) + 1, ((records - 1) // 10 + 1) * 10)

    rows = []
    for (low, high), people in groupby(identities.records_per_person, group):
        label = say("key_only", locale) if not high else str(low) if low == high else f"{low}–{high}"
        rows.append((label, sum(count for _, count in people)))
    return rows


def identity_sentence(identities: IdentityQuality, locale: Locale) -> str:
    """Records and people in one sentence."""
    return say(
        "identities_say", locale, records=identities.records, known=identities.known, anonymous=identities.anonymous,
        large=LARGE_PERSON, over=identities.people_over(LARGE_PERSON),
        largest=max((records for records, _ in identities.records_per_person), default=0),
    )  # fmt: skip


def events_sentence(report: QualityReport, locale: Locale) -> str:
    """Events in one sentence."""
    events = report.events
    return say(
        "events_say", locale, events=events.events, bots=events.bots, share=percent(events.bots, events.events),
        repeated=events.repeated, future=events.future, told_twice=events.told_twice, early=events.early,
    )  # fmt: skip


def rule_label(rule: str, locale: Locale) -> str:
    """What people call a rule that links; one of a source's own keeps its name."""
    if rule == "similar":
        # What `identity` says of it names the probability of one link.
        return say("similar", locale)
    return say_identity(f"rule_{rule}", locale) if f"rule_{rule}" in IDENTITY_TEXTS else rule


def quality_content(report: QualityReport, company: str, locale: Locale) -> dict[str, Any]:
    """The report for `--json`: all figures, the shares that follow from them, and the warnings."""
    content: dict[str, Any] = {"company": company, **asdict(report)}
    for told, source in zip(content["sources"], report.sources, strict=True):
        told |= {"quarantined_share": source.quarantined_share, "adds_up": source.adds_up}
    for told, field in zip(content["fields"], report.fields, strict=True):
        told |= {"unreadable_share": field.unreadable_share, "conflict_share": field.conflict_share}
    names = ("repeated", "future", "told_twice", "early")
    content["events"] |= {name: getattr(report.events, name) for name in names}
    content["warnings"] = warnings(report, locale)
    return content
