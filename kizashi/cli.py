"""The command line `kizashi`.

Heavy libraries are imported inside the commands: `kizashi --help` must answer well under a second, and Feast alone
takes several seconds to import.
"""

import sys
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from kizashi import __version__
from kizashi.cli_identity import identity_app
from kizashi.cli_lifecycle import lifecycle_app
from kizashi.cli_models import change, promote, recalibrate, replay, retrain, rollback
from kizashi.cli_serving import alerts_app, keys_app, segments_app, serve
from kizashi.launch import run_guarded
from kizashi.options import DEFAULT_CONFIG, Config, Debug, Json, Language, ModelArgument, open_job

app = typer.Typer(
    name="kizashi",
    help="Kizashi reads the signs that customers leave in your systems: who will be won, how sure, and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def main_options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
) -> None:
    """Hold what applies to all commands."""
    del context
    if version:
        typer.echo(f"kizashi {__version__}")
        raise typer.Exit


@app.command()
def demo(config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Simulate a company's exports and run the main job on them."""
    del debug
    job = open_job(config, json)
    from kizashi.demo import run_demo

    run_demo(job.settings, job.workspace, job.console)


@app.command()
def simulate(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write the exports; new or empty.")],
    customers: Annotated[int, typer.Option(min=50, help="How many people.")] = 5000,
    months: Annotated[int, typer.Option(min=12, help="How many months of history.")] = 24,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same company.")] = 7,
    locale: Annotated[str, typer.Option(help="ja or en.")] = "ja",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write the exports of a company that never existed."""
    del debug
    from core.errors import ConfigurationError
    from core.settings import load_settings
    from kizashi.console import Console
    from kizashi.demo import simulate_exports

    if locale not in ("ja", "en"):
        raise ConfigurationError(f"the locale {locale!r}", "ja or en", "choose one of them")
    if config != DEFAULT_CONFIG:
        load_settings(config)
    language = cast("Literal['ja', 'en']", locale)
    console = Console(language, json=json)
    written = simulate_exports(directory, customers, months, seed, language, console.progress)
    console.show_simulation(directory, written)


@app.command()
def run(config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Do the whole job: unify, build features, train, score."""
    del debug
    job = open_job(config, json)
    from core.clock import SystemClock
    from kizashi.pipeline import run_pipeline

    with job.console.progress as progress:
        result = run_pipeline(job.settings, job.workspace, clock=SystemClock(), progress=progress)
    job.console.show_run(job.settings, job.workspace, result)


@app.command()
def unify(config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Turn the exports into unified customer tables."""
    del debug
    job = open_job(config, json)
    from core.clock import SystemClock
    from kizashi.pipeline import unify_stage

    with job.workspace.lock(), job.console.progress as progress:
        summary = unify_stage(job.settings, job.workspace, clock=SystemClock(), progress=progress)
    job.console.show_unified(summary)


@app.command()
def quality(
    html: Annotated[Path | None, typer.Option(help="Write the report as one page (.html) instead.")] = None,
    lang: Language = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say how good the unified data are: sources, fields, who is who, events."""
    del debug
    job = open_job(config, json)
    language = job.language(lang)
    from customers.quality.report import assess_quality
    from kizashi.export import check_export_path
    from kizashi.quality_figures import quality_content
    from kizashi.quality_page import write_quality_page
    from kizashi.quality_texts import say
    from kizashi.quality_view import QualityView

    if html is not None:
        check_export_path(html, (".html",), "--html ")
    name, timezone = job.settings.name, job.settings.timezone
    report = assess_quality(job.workspace, timezone)
    content = quality_content(report, name, language)
    if html is not None:
        write_quality_page(html, report, name, language, timezone)
        job.console.show_lines({**content, "out": html}, [say("written", language, path=html)])
    else:
        job.console.show_drawn(content, lambda terminal: QualityView(language, timezone).draw(terminal, report, name))


@app.command()
def conflicts(
    out: Annotated[Path, typer.Option(help="Where to write the list (.csv): it holds personal data.")],
    field: Annotated[list[str] | None, typer.Option(help="Only this field; may be given again. Default: all.")] = None,
    lang: Language = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """List who overwrote whom: for each person and field the value that stands and those that lost."""
    del debug
    job = open_job(config, json)
    language = job.language(lang)
    from core.errors import ConfigurationError
    from customers.conflicts import CONFLICT_COLUMNS, field_conflicts
    from customers.survivorship import GOLDEN_FIELDS
    from kizashi.export import check_export_path
    from kizashi.quality_texts import say
    from kizashi.review_file import write_review

    check_export_path(out, (".csv",))
    unknown = [name for name in field or () if name not in GOLDEN_FIELDS]
    if unknown:
        raise ConfigurationError(f"--field {unknown[0]}", f"one of {', '.join(GOLDEN_FIELDS)}", "choose one of them")
    found = field_conflicts(job.settings, job.workspace, field or GOLDEN_FIELDS)
    write_review(out, CONFLICT_COLUMNS, found.rows)
    lines = [say("conflicts_written", language, count=found.found, people=found.people, path=out)]
    if found.left_out:
        lines.append(say("conflicts_left_out", language, count=found.left_out))
    content = {"conflicts": found.found, "people": found.people, "left_out_by_consent": found.left_out, "out": out}
    job.console.show_lines(content, lines)


@app.command()
def features(config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Build the point-in-time features and bring the newest online."""
    del debug
    job = open_job(config, json)
    from kizashi.pipeline import features_stage

    with job.workspace.lock(), job.console.progress as progress:
        build = features_stage(job.settings, job.workspace, progress=progress)
    job.console.show_features(build)


@app.command()
def train(model: ModelArgument, config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Train a model, judge it, and promote it if it deserves that."""
    del debug
    job = open_job(config, json)
    name = job.model(model)
    from core.clock import SystemClock
    from training.train import train_model

    with job.workspace.lock(), job.console.progress as progress:
        result = train_model(job.settings, job.workspace, name, clock=SystemClock(), progress=progress)
    job.console.show_training(name, result)


@app.command()
def score(
    model: ModelArgument,
    out: Annotated[Path | None, typer.Option(help="Also write the scores here (.csv, .parquet or .xlsx).")] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Score everyone who is eligible now with the champion."""
    del debug
    job = open_job(config, json)
    name = job.model(model)
    from kizashi.export import check_export_path, export_scores

    if out is not None:
        check_export_path(out)
    from core.clock import SystemClock
    from kizashi.pipeline import answers_stage, score_stage

    with job.workspace.lock(), job.console.progress as progress:
        result = score_stage(job.settings, job.workspace, name, clock=SystemClock(), progress=progress)
        answers_stage(job.settings, job.workspace, clock=SystemClock(), progress=progress)
    if out is not None:
        export_scores(job.workspace, name, out)
    job.console.show_scores(job.settings, job.workspace, name, result, out)


@app.command()
def explain(
    model: ModelArgument,
    person: Annotated[str, typer.Argument(metavar="ID", help="A customer id, or system:id such as marketo:1001.")],
    lang: Language = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say why one person is scored as they are."""
    del debug
    job = open_job(config, json)
    name = job.model(model)
    language = job.language(lang)
    from kizashi.people import find_customer
    from scoring.explain import explain_customer

    customer_id = find_customer(job.workspace, person)
    explanation = explain_customer(job.settings, job.workspace, name, customer_id, language)
    job.console.show_explanation(explanation, language)


app.command()(replay)
app.command()(change)
for command in (promote, rollback, recalibrate, retrain):
    app.command()(command)


@app.command()
def forget(
    person: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Customer ids, or system:id such as marketo:1001.")
    ] = None,
    file: Annotated[Path | None, typer.Option(help="A text file with one id on each line.")] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Erase people everywhere, for good, and keep later exports from bringing them back."""
    del debug
    job = open_job(config, json)
    from core.clock import SystemClock
    from core.errors import ConfigurationError
    from kizashi.forget import forget_people, listed_ids

    given = [*(person or []), *(listed_ids(file) if file is not None else [])]
    if not given:
        raise ConfigurationError("nobody was named", "ids, or --file with ids", "see kizashi forget --help")
    job.console.show_forgetting(forget_people(job.settings, job.workspace, given, clock=SystemClock()))


@app.command()
def doctor(config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Check the set-up and say what to do about what is wrong."""
    del debug
    from kizashi.console import Console
    from kizashi.doctor import examine

    findings = examine(config)
    Console("en", json=json).show_findings(findings)
    if any(finding.state == "fault" for finding in findings):
        raise typer.Exit(1)


app.add_typer(identity_app, name="identity")
app.add_typer(lifecycle_app, name="lifecycle")
app.add_typer(keys_app, name="keys")
app.add_typer(segments_app, name="segments")
app.add_typer(alerts_app, name="alerts")
app.command(name="serve")(serve)


def main() -> None:
    """Run the command line; errors become one sentence and an exit code."""
    sys.exit(run_guarded(app, sys.argv[1:]))
