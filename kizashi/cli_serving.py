"""Commands around the HTTP service: keys, alerts, and the service itself."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from kizashi.options import DEFAULT_CONFIG, Config, Debug, Json, open_job

keys_app = typer.Typer(help="Keys for the HTTP service.", no_args_is_help=True)
segments_app = typer.Typer(help="Lists of people for campaigns, chosen by scores.", no_args_is_help=True)
alerts_app = typer.Typer(help="Hot-lead alerts and their delivery.", no_args_is_help=True)


class AlertState(StrEnum):
    """What can have become of an alert."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    HELD = "held"
    WITHDRAWN = "withdrawn"


@keys_app.command("create")
def create(
    name: Annotated[str, typer.Option(help="Who will use the key.")],
    scope: Annotated[list[str], typer.Option(help="score, events, sales or admin; may be repeated.")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Make a key; it is shown once and stored hashed."""
    del debug
    job = open_job(config, json)
    from core.clock import SystemClock
    from core.database import open_database
    from serving.keys import create_key

    key = create_key(open_database(job.settings, job.workspace), name, scope, clock=SystemClock())
    job.console.show_record(asdict(key))


@keys_app.command("list")
def list_all(config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Show all keys, without their secrets."""
    del debug
    job = open_job(config, json)
    from core.database import open_database
    from serving.keys import list_keys

    keys = list_keys(open_database(job.settings, job.workspace))
    job.console.show_records("keys", [asdict(key) for key in keys])


@keys_app.command("revoke")
def revoke(
    name: Annotated[str, typer.Argument(help="The key's name.")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Put a key out of force for good."""
    del debug
    job = open_job(config, json)
    from core.clock import SystemClock
    from core.database import open_database
    from serving.keys import revoke_key

    key = revoke_key(open_database(job.settings, job.workspace), name, clock=SystemClock())
    job.console.show_record(asdict(key))


@alerts_app.command("list")
def list_raised(
    state: Annotated[AlertState, typer.Option(help="Which alerts to show.")] = AlertState.OPEN,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 100,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Show who turned hot."""
    del debug
    job = open_job(config, json)
    from activation.listing import list_alerts
    from core.database import open_database

    engine = open_database(job.settings, job.workspace)
    alerts = list_alerts(engine, job.workspace, states=(state.value,), limit=limit)
    job.console.show_records("alerts", [asdict(alert) for alert in alerts])


@alerts_app.command("deliver")
def deliver(config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Send what is due now; what fails is tried again later under the same id."""
    del debug
    job = open_job(config, json)
    from activation.deliver import deliver_pending
    from core.clock import SystemClock

    summary = deliver_pending(job.settings, job.workspace, clock=SystemClock())
    job.console.show_record(asdict(summary))


@segments_app.command("list")
def list_built(config: Config = DEFAULT_CONFIG, json: Json = False, debug: Debug = False) -> None:
    """Show the configured segments, and how they were built last."""
    del debug
    job = open_job(config, json)
    from activation.segments import list_segments

    found = list_segments(job.settings, job.workspace)
    job.console.show_records("segments", [asdict(segment) for segment in found])


@segments_app.command("build")
def build(
    name: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Which segments; default all.")] = None,
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Choose the members anew from the scores in force; every run does the same."""
    del debug
    job = open_job(config, json)
    from activation.segments import build_segments

    with job.workspace.lock():
        built = build_segments(job.settings, job.workspace, tuple(name or ()))
    job.console.show_records("segments", [asdict(segment) for segment in built])


@segments_app.command("export")
def export(
    name: Annotated[str, typer.Argument(help="The segment's name.")],
    out: Annotated[Path, typer.Option(help="Where to write it (.csv, .parquet or .xlsx).")],
    config: Config = DEFAULT_CONFIG,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Write a segment's members with their ids in every system."""
    del debug
    job = open_job(config, json)
    from activation.segments import list_segments
    from kizashi.export import check_export_path, export_segment

    check_export_path(out)
    members = export_segment(job.settings, job.workspace, name, out)
    (built,) = [segment for segment in list_segments(job.settings, job.workspace) if segment.name == name]
    left_out = built.members - members
    job.console.show_record({"segment": name, "members": members, "left_out_by_consent": left_out, "out": str(out)})


def serve(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 3000,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    config: Config = DEFAULT_CONFIG,
    debug: Debug = False,
) -> None:
    """Answer lookups over HTTP and deliver alerts, until stopped."""
    del debug
    job = open_job(config, json=False)
    from core.clock import SystemClock
    from kizashi import server

    raise typer.Exit(server.serve(job.settings, job.workspace, config, host=host, port=port, clock=SystemClock()))
