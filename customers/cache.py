"""What a run worked out and the next one need not: kept beside the published tables, and safe to delete at any time."""

import shutil
from functools import cache
from pathlib import Path
from typing import Protocol

from core.storage import Workspace, source_mark

STAGE = "cache"


@cache
def _program() -> str:
    return source_mark(Path(__file__).parent)


class Kept(Protocol):
    """Something that the next run can use."""

    def save(self, folder: Path) -> None:
        """Write it as files of its own."""


def erase_cache(workspace: Workspace) -> None:
    """Delete what was kept: it speaks of people, and somebody is to be forgotten."""
    shutil.rmtree(workspace.path(STAGE), ignore_errors=True)


class Cache:
    """What a former run of this very program left; `folder` is None where there is nothing.

    Some of it speaks of the tables that this run published: `beside_tables` is the same folder, and None where other
    tables are in force, as after a run that was killed between publishing and keeping.

    Args:
        workspace: holds it as a generation of its own.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        manifest = workspace.manifest(STAGE)
        self.folder: Path | None = None
        self.beside_tables: Path | None = None
        if manifest is not None and manifest.get("program") == _program():
            self.folder = workspace.current(STAGE)
            if manifest["tables"] == self._tables():
                self.beside_tables = self.folder

    def drop(self) -> None:
        """Use nothing of it."""
        self.folder = self.beside_tables = None

    def save(self, mark: str, *parts: Kept) -> None:
        """Let the next run find what this one worked out, once its tables were published."""
        with self._workspace.publish(STAGE, mark, {"program": _program(), "tables": self._tables()}) as folder:
            for part in parts:
                part.save(folder)

    def _tables(self) -> str | None:
        manifest = self._workspace.manifest("customers")
        return None if manifest is None else str(manifest["generation"])
