"""What a run worked out and the next one need not: kept beside the published tables, and safe to delete at any time."""

from pathlib import Path

from core.storage import Workspace
from customers.memory import Memory
from customers.reading import program_mark
from customers.staging import Staging

STAGE = "cache"


class Cache:
    """What a former run of this very program left; `folder` is None where there is nothing.

    Args:
        workspace: holds it as a generation of its own.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        manifest = workspace.manifest(STAGE)
        self.folder: Path | None = None
        if manifest is not None and manifest.get("program") == program_mark():
            self.folder = workspace.current(STAGE)

    def drop(self) -> None:
        """Use nothing of it."""
        self.folder = None

    def save(self, mark: str, *parts: Staging | Memory) -> None:
        """Let the next run find what this one worked out."""
        with self._workspace.publish(STAGE, mark, {"program": program_mark()}) as folder:
            for part in parts:
                part.save(folder)
