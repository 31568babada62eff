"""What people see in the terminal: progress on stderr, tables or one JSON object on stdout."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console as Terminal
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column, Table

from core.progress import Advance
from kizashi.texts import Locale, task_title, text

if TYPE_CHECKING:
    from core.model_settings import ModelName
    from core.settings import Settings
    from core.storage import Workspace
    from customers.unify import UnifySummary
    from features.build import FeatureBuild
    from kizashi.doctor import Finding
    from kizashi.forget import Forgetting
    from kizashi.pipeline import RunResult
    from scoring.explain import Explanation
    from scoring.score import ScoringResult
    from simulator import SimulationSummary
    from training.result import TrainingResult

SHOWN_LEADS = 8
SHOWN_OTHERS = 3
SHOWN_SUBJECTS = 10
SHOWN_COLUMNS = 8


class TerminalProgress:
    """Bars on an interactive terminal, one line per finished task elsewhere."""

    def __init__(self, terminal: Terminal, locale: Locale) -> None:
        self._terminal = terminal
        self._locale: Locale = locale
        self._bars: Bars | None = None

    def __enter__(self) -> "TerminalProgress":
        if self._terminal.is_terminal:
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._terminal,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show the task until the block ends."""
        title = task_title(title, self._locale)
        if self._bars is None:
            start = time.perf_counter()
            yield lambda steps=1: None
            self._terminal.print(f"{title}: {time.perf_counter() - start:.1f} s", highlight=False, markup=False)
            return
        bars = self._bars
        task = bars.add_task(escape(title), total=total)

        def advance(steps: int = 1) -> None:
            bars.advance(task, steps)

        yield advance
        # A task of unknown length would spin for ever; it is done now.
        done = bars.tasks[bars.task_ids.index(task)]
        finished = done.total if done.total is not None else max(1, int(done.completed))
        bars.update(task, total=finished, completed=finished)


class Console:
    """Shows results in the configured language; with `json` they become one object on one line.

    Args:
        locale: ja or en.
        json: one object on one line instead.
        options: what the commands that are shown as next steps need behind them, for example `--config FILE`.
    """

    def __init__(self, locale: Locale, *, json: bool = False, options: str = "") -> None:
        self._locale: Locale = locale
        self._json = json
        self._options = options
        self._out = Terminal(file=sys.stdout, soft_wrap=False)
        self.progress = TerminalProgress(Terminal(file=sys.stderr), locale)

    def show_simulation(self, directory: Path, summary: "SimulationSummary") -> None:
        """The files that the simulator wrote."""
        if self._json:
            self._print_json({"directory": str(directory), **asdict(summary)})
            return
        table = Table(self._say("source"), self._right("rows"), title=str(directory))
        for name, rows in summary.files.items():
            table.add_row(escape(name), f"{rows:,}")
        self._out.print(table)

    def show_unified(self, summary: "UnifySummary") -> None:
        """What was read, and whom it is about."""
        if self._json:
            self._print_json({**_unified_json(summary), "as_of": summary.as_of})
            return
        self._print_sources(summary)

    def show_features(self, build: "FeatureBuild") -> None:
        """What was built."""
        if self._json:
            self._print_json(asdict(build))
            return
        for name, value in asdict(build).items():
            self._out.print(f"{name}: {value}", highlight=False, markup=False)

    def show_training(self, model: "ModelName", result: "TrainingResult") -> None:
        """How good the model is and what became of it."""
        if self._json:
            self._print_json({"models": {model: _training_json(result)}})
            return
        self._print_quality(model, result)

    def show_scores(
        self,
        settings: "Settings",
        workspace: "Workspace",
        model: "ModelName",
        result: "ScoringResult",
        out: Path | None,
    ) -> None:
        """The leads at the top of the list."""
        if self._json:
            self._print_json({"scored": result.scored, "hot": result.hot, "out": str(out) if out else ""})
            return
        self._print_leads(settings, workspace, model, result, out)

    def show_run(self, settings: "Settings", workspace: "Workspace", result: "RunResult") -> None:
        """The whole run: data, quality, leads, and what to do next."""
        if self._json:
            self._print_json(
                {
                    **_unified_json(result.unified),
                    "models": {name: _training_json(trained) for name, trained in result.models.items()},
                    "scored": sum(scores.scored for scores in result.scores.values()),
                    "hot": sum(scores.hot for scores in result.scores.values()),
                    "seconds": {stage: round(seconds, 2) for stage, seconds in result.seconds.items()},
                    "as_of": result.unified.as_of,
                    "home": str(workspace.home),
                }
            )
            return
        self._print_sources(result.unified)
        for name, trained in result.models.items():
            self._print_quality(name, trained)
            self._print_leads(settings, workspace, name, result.scores[name], None)
        self._print_next(workspace, settings.models.names[0])
        self._out.print(self._say("seconds", seconds=sum(result.seconds.values())), style="dim", highlight=False)

    def show_explanation(self, explanation: "Explanation", locale: Locale) -> None:
        """Why one person is scored as they are."""
        if self._json:
            self._print_json(asdict(explanation))
            return
        if explanation.status != "ok":
            self._out.print(f"{explanation.customer_id}: {explanation.status}", highlight=False)
            return
        title = text(
            f"explain_{explanation.model}",
            locale,
            who=explanation.customer_id,
            probability=_percent(explanation.probability),
            score=explanation.score,
            grade=explanation.grade,
        )
        self._out.print(title, style="bold", highlight=False)
        for reason in explanation.reasons:
            self._out.print(f"  • {escape(reason)}", highlight=False)
        table = Table(text("subject", locale), _right_column(text("contribution", locale)))
        strongest, others = explanation.contributions[:SHOWN_SUBJECTS], explanation.contributions[SHOWN_SUBJECTS:]
        for subject, effect in strongest:
            table.add_row(escape(subject), f"{effect:+.2f}", style="green" if effect > 0 else "red")
        if others:
            rest = sum(effect for _, effect in others)
            table.add_row(text("others", locale, count=len(others)), f"{rest:+.2f}", style="dim")
        self._out.print(table)

    def show_forgetting(self, result: "Forgetting") -> None:
        """Who is gone, by receipt, and what was erased."""
        if self._json:
            self._print_json(asdict(result))
            return
        for receipt in result.forgotten:
            told = self._say("forgotten_now", rows=sum(receipt.places.values()), keys=sum(receipt.keys.values()))
            self._out.print(f"{told}\n  {receipt.path}", highlight=False, markup=False, soft_wrap=True)
        for number in result.already:
            self._out.print(self._say("forgotten_before", receipt=number), highlight=False, soft_wrap=True)
        if result.forgotten:
            self._out.print(self._say("forgotten_sources"), style="dim", highlight=False, soft_wrap=True)

    def show_drawn(self, content: dict[str, Any], draw: Callable[[Terminal], None]) -> None:
        """Something that draws itself, and its content for `--json`."""
        if self._json:
            self._print_json(content)
            return
        draw(self._out)

    def show_lines(self, content: dict[str, Any], lines: list[str]) -> None:
        """Sentences, and what they say as content for `--json`."""
        self.show_drawn(
            content,
            lambda terminal: terminal.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True),
        )

    def show_record(self, record: dict[str, Any]) -> None:
        """One thing, a line for each of its parts."""
        if self._json:
            self._print_json(record)
            return
        for name, value in record.items():
            self._out.print(f"{name}: {_shown(value)}", highlight=False, markup=False, soft_wrap=True)

    def show_records(self, subject: str, records: list[dict[str, Any]]) -> None:
        """Several things of one kind as a table."""
        if self._json:
            self._print_json({subject: records})
            return
        if not records:
            self._out.print(self._say("nothing"), highlight=False)
            return
        table = Table(*(Column(name, overflow="fold") for name in records[0]), box=box.SIMPLE_HEAD)
        for record in records:
            table.add_row(*(escape(_shown(value)) for value in record.values()))
        self._out.print(table)

    def show_findings(self, findings: "list[Finding]") -> None:
        """What the doctor found."""
        if self._json:
            self._print_json({"findings": [asdict(finding) for finding in findings]})
            return
        marks = {"good": "[green]ok[/]", "notice": "[yellow]note[/]", "fault": "[red]fault[/]"}
        table = Table("", Column("what", overflow="fold", max_width=26), Column("finding", overflow="fold"))
        for finding in findings:
            table.add_row(marks[finding.state], escape(finding.subject), escape(finding.message))
        self._out.print(table)

    def _say(self, key: str, **values: object) -> str:
        return text(key, self._locale, **values)

    def _right(self, key: str) -> Column:
        return _right_column(self._say(key))

    def _print_json(self, content: dict[str, Any]) -> None:
        # The one place that writes to stdout without the terminal's wrapping: exactly one line.
        sys.stdout.write(json.dumps(_plain(content), ensure_ascii=False, allow_nan=False) + "\n")

    def _print_sources(self, summary: "UnifySummary") -> None:
        # A column for what hardly anybody has would only take room.
        forgotten = summary.forgotten > 0
        table = Table(
            self._say("source"),
            self._right("rows"),
            self._right("published"),
            self._right("quarantined"),
            *([self._right("forgotten")] if forgotten else []),
            title=self._say("sources"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
        )
        for source in summary.sources:
            style = "yellow" if source.quarantined else ""
            table.add_row(
                escape(source.source),
                f"{source.rows:,}",
                f"{source.published:,}",
                f"{source.quarantined:,}",
                *([f"{source.forgotten:,}"] if forgotten else []),
                style=style,
            )
        self._out.print(table)
        for name, columns in {report.source: report.unused_columns for report in summary.sources}.items():
            if columns:
                listed = ", ".join(columns[:SHOWN_COLUMNS]) + (", …" if len(columns) > SHOWN_COLUMNS else "")
                said = self._say("unused_columns", source=name, count=len(columns), columns=listed)
                self._out.print(said, style="dim", highlight=False, markup=False)
        self._out.print(
            self._say(
                "people",
                records=summary.source_records,
                customers=summary.customers,
                anonymous=summary.anonymous,
                events=summary.events,
            ),
            highlight=False,
        )
        if summary.conflicts:
            self._out.print(self._say("conflicts", count=summary.conflicts), style="yellow", highlight=False)
        self._out.print()

    def _print_quality(self, model: "ModelName", trained: "TrainingResult") -> None:
        baselines = trained.baselines
        table = Table(
            self._say("measure"),
            self._right("model"),
            self._right("points"),
            self._right("base_rate"),
            title=self._say(f"quality_{model}"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
        )
        for key, metric in (("ranking", "auc"), ("surprise", "logloss"), ("lift", "lift_at_10")):
            others = [_figure(baselines.get(name, {}).get(metric)) for name in ("points", "base_rate")]
            table.add_row(self._say(key), _figure(getattr(trained, metric)), *others)
        table.add_row(self._say("observed"), _figure(trained.expected_observed), "", "")
        if math.isfinite(trained.auc):
            self._out.print(table)
        verdict = self._say(f"verdict_{trained.verdict}")
        style = "green" if trained.verdict == "use" else "yellow"
        self._out.print(
            self._say("verdict", verdict=verdict, why=trained.why), style=style, highlight=False, soft_wrap=True
        )
        self._out.print(self._say(f"promotion_{trained.promotion}") + f" ({trained.version})", highlight=False)
        self._out.print()

    def _print_leads(
        self,
        settings: "Settings",
        workspace: "Workspace",
        model: "ModelName",
        result: "ScoringResult",
        out: Path | None,
    ) -> None:
        from kizashi.leads import top_leads
        from kizashi.pipeline import scores_path

        leads = top_leads(workspace, model, SHOWN_LEADS if model == "lead" else SHOWN_OTHERS)
        # Japanese has no spaces to break at: long texts are folded, never cut.
        table = Table(
            Column(self._say("who"), overflow="fold", ratio=2),
            Column(self._say(f"probability_{model}"), justify="right", no_wrap=True),
            Column(self._say("score"), justify="right", no_wrap=True),
            Column(self._say("grade"), no_wrap=True),
            Column(self._say("reasons"), overflow="fold", ratio=5),
            title=self._say(f"list_{model}"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            expand=True,
            padding=(0, 1, 0, 0),
        )
        for lead in leads:
            who = "\n".join(part for part in (lead.name or self._say("anonymous"), lead.company) if part)
            # The arrow must not part from its sentence at a line break.
            reasons = "\n".join(escape(reason).replace(" ", "", 1) for reason in lead.reasons[:3])
            table.add_row(
                escape(who), _percent(lead.probability), str(lead.score), lead.grade, reasons, end_section=True
            )
        if leads:
            self._out.print(table)
        else:
            self._out.print(self._say("insufficient"), style="yellow")
        path = out or scores_path(workspace, model)
        self._out.print(
            self._say(f"scored_{model}", scored=result.scored, hot=result.hot, path=path),
            highlight=False,
            soft_wrap=True,
        )
        self._out.print()

    def _print_next(self, workspace: "Workspace", model: "ModelName") -> None:
        from kizashi.leads import top_leads

        leads = top_leads(workspace, model, 1)
        command = ".venv/bin/kizashi"
        steps = [(f"{command} explain {model} {leads[0].customer_id}{self._options}", "next_explain")] if leads else []
        steps += [
            (f"{command} score {model} --out scores.csv{self._options}", "next_list"),
            (f"{command} doctor{self._options}", "next_doctor"),
        ]
        self._out.print(self._say("next"), style="bold")
        for line, key in steps:
            self._out.print(f"  {line}\n      {self._say(key)}", highlight=False, soft_wrap=True)


def _right_column(header: str) -> Column:
    """A right-aligned column."""
    return Column(header, justify="right")


def _shown(value: Any) -> str:
    plain = _plain(value)
    return ", ".join(map(str, plain)) if isinstance(plain, list) else str(plain)


def _percent(probability: float) -> str:
    return f"{100 * probability:.1f} %"


def _figure(value: float | None) -> str:
    return "–" if value is None or not math.isfinite(value) else f"{value:.3f}"


def _unified_json(summary: "UnifySummary") -> dict[str, Any]:
    return {
        "customers": summary.customers,
        "source_records": summary.source_records,
        "quarantined": summary.quarantined,
        "forgotten": summary.forgotten,
        "events": summary.events,
        "decision_conflicts": summary.conflicts,
        "unused_columns": {source.source: source.unused_columns for source in summary.sources if source.unused_columns},
    }


def _training_json(trained: "TrainingResult") -> dict[str, Any]:
    return asdict(trained)


def _plain(value: Any) -> Any:
    """The value with times as ISO 8601 and figures that do not exist as null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
