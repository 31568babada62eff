"""The job: a system is told what has changed in the life cycle of its records, by a file that is then confirmed."""

from dataclasses import dataclass
from pathlib import Path

from activation.lifecycle_delta import Confirmation, confirm_told, forget_gone, lifecycle_delta
from core.clock import Clock
from core.database import open_database
from core.erasure import scrub_sqlite
from core.settings import Settings
from core.storage import Workspace
from customers.suppression import SuppressionList
from kizashi.forget import finish_forgetting
from kizashi.lifecycle_file import read_delta, write_delta


@dataclass(frozen=True)
class ExportedDelta:
    """What was exported: rows of so many records, and values marked because they begin like a formula."""

    rows: int
    records: int
    guarded: int


def export_delta(
    settings: Settings,
    workspace: Workspace,
    system: str,
    path: Path,
    *,
    clock: Clock,
    full: bool = False,
    encoding: str | None = None,
    confirm: bool = False,
) -> ExportedDelta:
    """Write what the system was not told yet. Only confirming counts it as told, so that a lost file loses nothing.

    Args:
        settings: the configuration.
        workspace: is held meanwhile.
        system: whose records.
        path: where the file is written, as a whole or not at all.
        clock: dates the receipts of a forgetting that was interrupted and is finished first.
        full: everything there is to say.
        encoding: instead of the configured one.
        confirm: count it as told once the file is in place; killed before that, the same is told again.

    Raises:
        ConfigurationError: the system has no records, or the encoding lacks characters.
        MissingStageError: nothing was unified yet.
        BusyError: another command works in the workspace.
    """
    with workspace.lock():
        # Whoever asked to be forgotten is in no file from then on.
        finish_forgetting(settings, workspace, clock=clock)
        engine = open_database(settings, workspace)
        try:
            delta = lifecycle_delta(settings, workspace, engine, system, full=full)
            written = write_delta(settings, system, delta.rows, path, encoding)
            if confirm:
                confirm_told(workspace, engine, system, read_delta(settings, system, path))
        finally:
            engine.dispose()
    return ExportedDelta(written.rows, delta.records, written.guarded)


def confirm_delta(settings: Settings, workspace: Workspace, system: str, path: Path, *, clock: Clock) -> Confirmation:
    """Count what a file says as told to the system; again and in any order, nothing is lost.

    Raises:
        SourceError: it is no delta file of this system.
        BusyError: another command works in the workspace.
    """
    with workspace.lock():
        finish_forgetting(settings, workspace, clock=clock)
        engine = open_database(settings, workspace)
        try:
            return confirm_told(workspace, engine, system, read_delta(settings, system, path))
        finally:
            engine.dispose()


def forget_told_of_gone(settings: Settings, workspace: Workspace) -> None:
    """Erase what was told about records that turned out to be a forgotten person's, and so left the unified tables.

    Raises:
        BusyError: an SQLite file is in use, so that what was deleted cannot be overwritten.
    """
    stored = settings.database_url is not None or workspace.path("app.db").exists()
    if not stored or not SuppressionList(workspace):
        return
    engine = open_database(settings, workspace)
    try:
        gone = forget_gone(workspace, engine)
    finally:
        engine.dispose()
    if gone and engine.dialect.name == "sqlite" and engine.url.database:
        scrub_sqlite(Path(engine.url.database))
