"""The quality report as one page: no script, nothing from elsewhere, everything escaped."""

from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from core.storage import write_atomically
from customers.quality.identities import SystemOverlap
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
from kizashi.quality_view import pauses
from kizashi.texts import Locale

_SHOWN_PAIRS = 20
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_quality_page(path: Path, report: QualityReport, company: str, locale: Locale, timezone: str) -> None:
    """Write the page beside, then rename it: a reader sees the old one or the new one."""
    write_atomically(path, render_quality_page(report, company, locale, timezone).encode())


def render_quality_page(report: QualityReport, company: str, locale: Locale, timezone: str) -> str:
    """The whole page as HTML."""
    identities = report.identities
    records = {system.system: system.records for system in report.systems}
    cells = {(field.field, system.system): system for field in report.fields for system in field.systems}
    filled = {name for _, name in cells}
    overlaps = {(pair.left, pair.right): pair for pair in identities.overlaps}
    systems = sorted({pair.left for pair in identities.overlaps} | {pair.right for pair in identities.overlaps})

    def overlap(left: str, right: str) -> SystemOverlap | None:
        """The same in both directions."""
        return overlaps.get((left, right)) or overlaps.get((right, left))

    return _templates.get_template("quality.html").render(
        report=report,
        company=company,
        language=locale,
        until=report.data_until.astimezone(ZoneInfo(timezone)).strftime("%Y-%m-%d %H:%M"),
        warnings=warnings(report, locale),
        records=records,
        field_systems=[name for name in records if name in filled],
        cells=cells,
        disagreements=disagreements(report.fields, _SHOWN_PAIRS),
        spread=spread(identities, locale),
        overlap_systems=systems,
        overlap=overlap,
        most_overlap=max((pair.people for pair in identities.overlaps), default=0),
        identity_sentence=identity_sentence(identities, locale),
        events_sentence=events_sentence(report, locale),
        percent=percent,
        width=_width,
        pauses=pauses,
        number="{:,}".format,
        say=partial(_say, locale),
        person_field=partial(person_field, locale=locale),
        rule_label=partial(rule_label, locale=locale),
        winners=partial(winners, locale=locale),
    )


def _say(locale: Locale, key: str, **values: object) -> str:
    return say(key, locale, **values)


def _width(part: int, whole: int) -> str:
    """How long a bar is, in percent for CSS."""
    return f"{100 * part / whole:.2f}" if whole else "0"
