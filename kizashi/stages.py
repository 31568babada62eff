"""Stages are not repeated while their inputs stay as they are: an interrupted run goes on where it stopped."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from core.settings import Settings
from core.storage import Workspace, fingerprint, write_json

Result = TypeVar("Result")
_ROOT = Path(__file__).parent.parent


def run_once(
    workspace: Workspace,
    name: str,
    *,
    inputs: str,
    outputs: tuple[str, ...],
    result: type[Result],
    work: Callable[[], Result],
) -> Result:
    """Do the stage's work unless it was already done for the same inputs.

    Args:
        workspace: where results and the record of the stage lie.
        name: the stage, for example `unify`.
        inputs: fingerprint of everything that the work depends on.
        outputs: stages of the workspace that the work publishes; the record holds while these generations are in force.
        result: the dataclass that the work returns; it is stored as JSON and read back.
        work: does it.
    """
    record = workspace.path("runs", f"{name}.json")
    adapter = TypeAdapter(result)
    if record.exists():
        stored = json.loads(record.read_text(encoding="utf-8"))
        if stored["inputs"] == inputs and stored["outputs"] == _generations(workspace, outputs):
            return adapter.validate_python(stored["result"])
    done = work()
    # Recorded after the outputs are in force: whoever is killed in between repeats the stage, and nothing else.
    write_json(
        record,
        {
            "inputs": inputs,
            "outputs": _generations(workspace, outputs),
            "result": adapter.dump_python(done, mode="json"),
        },
    )
    return done


def last_result(workspace: Workspace, name: str, result: type[Result]) -> Result | None:
    """What the stage returned when it was last done, whatever has changed since; None when it never was."""
    record = workspace.path("runs", f"{name}.json")
    if not record.exists():
        return None
    return TypeAdapter(result).validate_python(json.loads(record.read_text(encoding="utf-8"))["result"])


def _generations(workspace: Workspace, stages: tuple[str, ...]) -> dict[str, Any]:
    return {stage: (workspace.manifest(stage) or {}).get("generation") for stage in stages}


def source_fingerprint(settings: Settings) -> str:
    """Covers every source file's content and all settings that decide what is read from it."""
    parts: list[object] = [settings.timezone, settings.as_of, settings.survivorship, settings.consent, settings.events]
    parts.append(settings.lifecycle.stages)
    for source in settings.sources:
        parts.append(source.model_dump_json())
        if source.format == "sql":
            # A database may have changed without a sign; such a source is read again each time.
            parts.append(object())
        else:
            # What is no readable file is named by the stage itself, with what to do about it.
            parts += [path if path.is_file() else str(path) for path in settings.source_files(source)]
    return fingerprint(*parts, code_fingerprint("core", "customers"))


@cache
def code_fingerprint(*packages: str) -> str:
    """Covers the code and mapping files of the named folders: changed code repeats what it does."""
    files = (
        path
        for package in packages
        for path in sorted((_ROOT / package).rglob("*"))
        if path.suffix in {".py", ".sql", ".yaml"}
    )
    return fingerprint(*files)
