"""Looks whether everything that a run needs is there, and says what to do where it is not."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import KizashiError
from core.settings import Settings, load_settings
from features.online_server import check_online_store

_NEEDED_BYTES = 2 * 1024**3
_LIBRARIES = ("feast", "lightgbm", "mlflow", "bentoml", "duckdb", "pandas", "pyarrow")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: Literal["good", "notice", "fault"]
    message: str


def examine(config: Path) -> list[Finding]:
    """Everything that was looked at, faults included; nothing is changed."""
    findings = [_python(), *_libraries()]
    try:
        settings = load_settings(config)
    except KizashiError as error:
        return [*findings, Finding("configuration", "fault", error.sentence)]
    findings.append(Finding("configuration", "good", f"{config}: {len(settings.sources)} sources"))
    return [*findings, _home(settings), _online_store(settings), *_sources(settings)]


def _python() -> Finding:
    return Finding("python", "good", ".".join(map(str, sys.version_info[:3])))


def _libraries() -> Iterator[Finding]:
    for name in _LIBRARIES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding(name, "fault", "not installed; run `make demo` or `uv sync`")
        else:
            yield Finding(name, "good", version)


def _home(settings: Settings) -> Finding:
    nearest = settings.home
    while not nearest.exists():
        nearest = nearest.parent
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        return Finding("workspace", "fault", f"{nearest} cannot be written to; set KIZASHI_HOME to another folder")
    free = shutil.disk_usage(nearest).free
    if free < _NEEDED_BYTES:
        return Finding("workspace", "notice", f"{settings.home}: only {free / 1024**3:.1f} GiB free; 2 GiB are wanted")
    return Finding("workspace", "good", f"{settings.home} ({free / 1024**3:.0f} GiB free)")


def _online_store(settings: Settings) -> Finding:
    subject = "online store"
    try:
        check_online_store(settings)
    except KizashiError as error:
        return Finding(subject, "fault", error.sentence)
    where = (
        "in the workspace" if settings.online_store.type == "sqlite" else f"answers ({settings.online_store.url_env})"
    )
    return Finding(subject, "good", f"{settings.online_store.type}, {where}")


def _sources(settings: Settings) -> Iterator[Finding]:
    simulated = settings.simulate is not None and not (settings.home / "exports").exists()
    for source in settings.sources:
        subject = f"source {source.name}"
        if source.format == "sql":
            known = bool(source.url_env and os.environ.get(source.url_env))
            state: Literal["good", "fault"] = "good" if known else "fault"
            yield Finding(
                subject, state, "database" if known else f"the environment variable {source.url_env} is not set"
            )
            continue
        path = settings.resolve_path(str(source.path))
        if settings.source_files(source):
            yield Finding(subject, "good", str(path))
        elif simulated and "{home}" in str(source.path):
            yield Finding(subject, "notice", f"{path} is written by `kizashi demo`")
        elif source.optional:
            yield Finding(subject, "notice", f"{path} does not exist; the source is optional")
        else:
            yield Finding(subject, "fault", f"{path} does not exist; correct the path or set KIZASHI_REAL_DATA")
