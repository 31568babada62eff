"""Commands about models in use: what they answered in the past, and which of them answers."""

from typing import Annotated

import typer

from kizashi.options import DEFAULT_CONFIG, Config, Debug, Json, Language, ModelArgument, open_job

Person = Annotated[str, typer.Argument(metavar="ID", help="A customer id, or system:id such as marketo:1001.")]
_MOMENT = "such as 2026-10-01 or 2026-10-01T09:00, in the business time zone."


def replay(
    model: ModelArgument,
    person: Person,
    lang: Language = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Compute every answer that was given about a person once more, from what was logged, and compare."""
    del debug
    job = open_job(config, json)
    name = job.model(model)
    language = job.language(lang)
    from kizashi.history import replay_history
    from kizashi.history_view import HistoryView

    history = replay_history(job.settings, job.workspace, name, person, language)
    view = HistoryView(language, job.settings.timezone)
    job.console.show_drawn(view.history_content(history), lambda terminal: view.draw_history(terminal, person, history))
    if not all(one.exact for one in history):
        raise typer.Exit(1)


def change(
    model: ModelArgument,
    person: Person,
    since: Annotated[str | None, typer.Option(help=f"The earlier moment, {_MOMENT} Default: the one before.")] = None,
    until: Annotated[str | None, typer.Option(help=f"The later moment, {_MOMENT} Default: now.")] = None,
    lang: Language = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Say why a person's score is another one than before: time, new facts, or another model."""
    del debug
    job = open_job(config, json)
    name = job.model(model)
    language = job.language(lang)
    from kizashi.frames import as_moment
    from kizashi.history import change_between
    from kizashi.history_view import HistoryView

    timezone = job.settings.timezone
    moments = [None if given is None else as_moment(given, timezone) for given in (since, until)]
    found = change_between(job.settings, job.workspace, name, person, language, *moments)
    view = HistoryView(language, timezone)
    job.console.show_drawn(view.change_content(found), lambda terminal: view.draw_change(terminal, found))


def promote(
    model: ModelArgument,
    version: Annotated[str, typer.Argument(help="A version number; without one, the challenger.")] = "challenger",
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Ask the gate about a version on the newest outcomes, and let it answer if it passes."""
    del debug
    job = open_job(config, json)
    name = job.model(model)
    from kizashi.models_view import show_promotion
    from training.promotion import promote_version

    with job.workspace.lock():
        result = promote_version(job.settings, job.workspace, name, version)
    show_promotion(job.console, job.settings.locale, result)
    if result.promotion != "promoted":
        raise typer.Exit(1)


def rollback(model: ModelArgument, config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Let the champion before the present one answer again."""
    del debug
    job = open_job(config, json)
    name = job.model(model)
    from kizashi.models_view import show_promotion
    from training.promotion import roll_back

    with job.workspace.lock():
        result = roll_back(job.settings, job.workspace, name)
    show_promotion(job.console, job.settings.locale, result)


def recalibrate(
    model: ModelArgument, config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False
) -> None:
    """Hold the champion's probabilities against the outcomes since, and move their level if they are clearly off."""
    del debug
    job = open_job(config, json)
    name = job.model(model)
    from core.clock import SystemClock
    from kizashi.models_view import show_recalibration
    from kizashi.retrain import recalibrate_model

    with job.workspace.lock(), job.console.progress as progress:
        level = recalibrate_model(job.settings, job.workspace, name, clock=SystemClock(), progress=progress)
    show_recalibration(job.console, job.settings.locale, level)


def retrain(
    model: Annotated[str | None, typer.Argument(help="Which model; without one, all that are configured.")] = None,
    if_needed: Annotated[
        bool,
        typer.Option("--if-needed", help="Only when the term is over, people have changed, or much came since."),
    ] = False,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Train anew on the features at hand, and score when another model answers; safe to call from cron.

    With --if-needed, a model that need not be trained is recalibrated if its probabilities are clearly off.
    """
    del debug
    job = open_job(config, json)
    names = [job.model(model)] if model else list(job.settings.models.names)
    from core.clock import SystemClock
    from kizashi.models_view import show_retraining
    from kizashi.retrain import retrain_models

    with job.workspace.lock(), job.console.progress as progress:
        done = retrain_models(
            job.settings, job.workspace, names, only_if_needed=if_needed, clock=SystemClock(), progress=progress
        )
    show_retraining(job.console, job.settings.locale, done)
