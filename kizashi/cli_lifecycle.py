"""Commands about the life cycle: how people go through the stages, and telling other systems."""

from pathlib import Path
from typing import Annotated

import typer

from kizashi.options import DEFAULT_CONFIG, Config, Debug, Json, Language, open_job

lifecycle_app = typer.Typer(help="The stages that people go through, and what other systems are told about them.")
System = Annotated[str, typer.Option(help="Whose records, for example marketo.")]


@lifecycle_app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    lang: Language = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """How many people are in each stage, how long they stay, and how many go on; or one of the commands below."""
    del debug
    if context.invoked_subcommand is not None:
        return
    job = open_job(config, json)
    language = job.language(lang)
    from customers.lifecycle.funnel import read_funnel
    from kizashi.lifecycle_view import draw_funnel, funnel_content

    stages = job.settings.lifecycle.stages
    funnel = read_funnel(job.workspace, stages)
    job.console.show_drawn(
        funnel_content(funnel, stages, language),
        lambda terminal: draw_funnel(terminal, funnel, stages, language, job.settings.timezone),
    )


@lifecycle_app.command("export")
def export(
    system: System,
    out: Annotated[Path, typer.Option(help="Where to write the file (.csv).")],
    full: Annotated[bool, typer.Option("--full", help="Everything there is to say, whatever was told before.")] = False,
    ack: Annotated[bool, typer.Option("--ack", help="Count it as told as soon as the file is in place.")] = False,
    encoding: Annotated[str | None, typer.Option(help="utf-8-sig, utf-8 or cp932; default: as configured.")] = None,
    lang: Language = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write what has changed since a system was told last: stage, deal state, opt-out."""
    del debug
    job = open_job(config, json)
    language = job.language(lang)
    from core.clock import SystemClock
    from kizashi.export import check_export_path
    from kizashi.lifecycle_delta import export_delta
    from kizashi.lifecycle_file import ENDINGS
    from kizashi.lifecycle_texts import say

    check_export_path(out, ENDINGS)
    done = export_delta(
        job.settings, job.workspace, system, out, full=full, encoding=encoding, confirm=ack, clock=SystemClock()
    )
    lines = [say("exported", language, system=system, rows=done.rows, records=done.records, path=out)]
    if done.guarded:
        lines.append(say("guarded", language, count=done.guarded))
    if done.rows and not ack:
        options = "" if config == DEFAULT_CONFIG else f" --config {config}"
        lines.append(say("confirm_next", language, path=out, system=system, options=options))
    content = {
        "system": system, "rows": done.rows, "records": done.records, "guarded": done.guarded, "full": full,
        "acknowledged": ack, "out": out,
    }  # fmt: skip
    job.console.show_lines(content, lines)


@lifecycle_app.command("ack")
def acknowledge(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The exported file that was loaded.")],
    system: System,
    lang: Language = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Confirm that a system has loaded a file: the next export tells only what changes after it."""
    del debug
    job = open_job(config, json)
    language = job.language(lang)
    from core.clock import SystemClock
    from kizashi.lifecycle_delta import confirm_delta
    from kizashi.lifecycle_texts import say

    done = confirm_delta(job.settings, job.workspace, system, file, clock=SystemClock())
    lines = [say("confirmed", language, system=system, told=done.told)]
    if done.gone:
        lines.append(say("gone", language, count=done.gone))
    job.console.show_lines({"system": system, "told": done.told, "gone": done.gone}, lines)
