"""The model card: what a model is for, how good it is and where it is not, for people who have to answer for it."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.model_settings import ModelName
from core.settings import Settings
from features.catalog import ServiceSchema
from training.leakage import LeakReport
from training.model_card_texts import card_text
from training.result import TrainingResult
from training.sentences import WORDS, Language

_SHOWN_SLICES = 40
_STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2a35}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border-bottom:1px solid #d8dee6;padding:.25rem .75rem;"
    "text-align:left}td+td,th+th{text-align:right}h1,h2{line-height:1.25}"
)


@dataclass(frozen=True)
class Table:
    """Rows under headings."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A heading with paragraphs, a list, or a table below it."""

    title: str
    paragraphs: Sequence[str] = ()
    points: Sequence[str] = ()
    table: Table | None = None


@dataclass(frozen=True)
class ModelCard:
    """A card before it is written as Markdown or as a page."""

    title: str
    language: Language
    sections: Sequence[Section]

    def markdown(self) -> str:
        """The card as Markdown."""
        lines = [f"# {self.title}", ""]
        for section in self.sections:
            lines += [f"## {section.title}", ""]
            for paragraph in section.paragraphs:
                lines += [paragraph, ""]
            if section.points:
                lines += [*(f"- {point.removeprefix('- ')}" for point in section.points), ""]
            if section.table is not None and section.table.rows:
                rows = [section.table.head, ["---"] * len(section.table.head), *section.table.rows]
                lines += [*("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows), ""]
        return "\n".join(lines)

    def page(self) -> str:
        """The card as one HTML page that loads nothing from elsewhere."""
        parts = []
        for section in self.sections:
            parts.append(f"<h2>{html.escape(section.title)}</h2>")
            parts += [f"<p>{html.escape(paragraph)}</p>" for paragraph in section.paragraphs]
            if section.points:
                listed = "".join(f"<li>{html.escape(point.removeprefix('- '))}</li>" for point in section.points)
                parts.append(f"<ul>{listed}</ul>")
            if section.table is not None and section.table.rows:
                parts.append(f"<table>{_row(section.table.head, 'th')}")
                parts += [_row(row, "td") for row in section.table.rows]
                parts.append("</table>")
        title = html.escape(self.title)
        return (
            f'<!doctype html><html lang="{self.language}"><head><meta charset="utf-8"><title>{title}</title>'
            f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{''.join(parts)}</body></html>\n"
        )


def model_card(
    settings: Settings, model: ModelName, schema: ServiceSchema, result: TrainingResult, leaks: LeakReport
) -> ModelCard:
    """What is worth knowing of a model that was trained, in the configured language."""
    language = settings.locale
    rules = settings.models[model]
    words = WORDS[model][language]

    def say(key: str, **values: object) -> str:
        return card_text(key, language, **words, **values)

    subjects = {(one.subject_label.ja, one.subject_label.en) for one in schema.features}
    counted = say("rows"), words["wins"]
    return ModelCard(
        say("title", model=model, name=settings.name),
        language,
        [
            Section(
                say("purpose"), [say("what", days=rules.label.horizon_days, service=schema.service), say("not_for")]
            ),
            Section(say("judgement"), [f"{say(f'verdict_{result.verdict}')} {result.why}"]),
            Section(
                say("data"),
                [say("data_rows", rows=f"{result.rows:,}", positives=f"{result.positives:,}")],
                table=_parts(result, say("part"), say("from"), say("to"), *counted),
            ),
            Section(
                say("quality"),
                [say("quality_note")],
                table=_quality(result, say("measure"), say("model"), say("interval")),
            ),
            Section(say("slices"), [say("slices_note")], table=_slices(result, say("slice"), *counted)),
            Section(
                say("past"),
                [say("past_note", auc=_number(result.random_auc))],
                table=_past(result, say("from"), say("to"), *counted),
            ),
            Section(say("leakage"), points=leaks.lines(language)),
            Section(say("limits"), points=[say(f"limit_{about}") for about in ("people", "time", "cause", "use")]),
            Section(
                say("features"),
                [say("features_note", count=len(schema.features), fingerprint=schema.fingerprint, data=result.data)],
                points=sorted(ja if language == "ja" else en for ja, en in subjects),
            ),
        ],
    )


def _parts(result: TrainingResult, *head: str) -> Table:
    rows = [
        [name, part.first[:10], part.last[:10], f"{part.rows:,}", f"{part.positives:,}"]
        for name, part in result.parts.items()
    ]
    return Table(head, rows)


def _quality(result: TrainingResult, measure: str, model: str, interval: str) -> Table:
    names = sorted(result.baselines)
    measures = ("auc", "ap", "logloss", "brier", "ece", "lift_at_10", "calibration_slope", "expected_observed")
    rows = []
    for name in measures:
        low, high = result.intervals.get(name, (math.nan, math.nan))
        between = f"{low:.3f} – {high:.3f}" if math.isfinite(low) else ""
        own = _number(getattr(result, name))
        rows.append([name, own, between, *(_number(result.baselines[other][name]) for other in names)])
    if result.capacity:
        rows.append([f"precision@{result.capacity}", _number(result.precision_at_capacity), "", *([""] * len(names))])
    return Table([measure, model, interval, *names], rows)


def _slices(result: TrainingResult, *head: str) -> Table:
    rows = []
    for one in result.slices[:_SHOWN_SLICES]:
        measures = _number(one.auc), _number(one.expected_observed)
        rows.append([f"{one.feature} = {one.value}", f"{one.rows:,}", f"{one.positives:,}", *measures])
    return Table([*head, "auc", "expected_observed"], rows)


def _past(result: TrainingResult, *head: str) -> Table:
    rows = []
    for one in result.cut_offs:
        measures = _number(one.auc), _number(one.logloss), _number(one.base_logloss)
        rows.append([one.first[:10], one.last[:10], f"{one.rows:,}", f"{one.positives:,}", *measures])
    return Table([*head, "auc", "logloss", "base_rate"], rows)


def _row(cells: Sequence[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _number(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else "–"
