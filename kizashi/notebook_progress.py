"""How long work tells that it goes on inside a notebook: the browser's own bar, without widgets."""

import html
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.progress import Advance, Progress, SilentProgress
from kizashi.texts import Locale, task_title


def surrounding_progress(locale: Locale) -> Progress:
    """Bars in a notebook that somebody watches; silence in scripts, tests and anywhere else."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return NotebookProgress(locale) if shell is not None and hasattr(shell, "kernel") else SilentProgress()


class NotebookProgress:
    """One line for each task; when it has ended, the line stays and says so, the same for each run."""

    def __init__(self, locale: Locale) -> None:
        self._locale: Locale = locale

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Show the task until the block ends; a task that fails keeps its bar where it stood."""
        from IPython.display import display  # only there where a notebook runs

        spoken = task_title(title, self._locale)
        show: Any = display  # ships no types
        handle = show(_bar(spoken, 0, total), raw=True, display_id=True)
        done = 0

        def advance(steps: int = 1) -> None:
            nonlocal done
            done += steps
            handle.update(_bar(spoken, done, total), raw=True)

        yield advance
        handle.update(_line(f"✓ {spoken}", f"✓ {html.escape(spoken)}"), raw=True)


def _bar(title: str, done: int, total: int | None) -> dict[str, str]:
    length = "" if total is None else f' value="{done}" max="{total}"'
    counted = "" if total is None else f" {done:,} / {total:,}"
    return _line(f"{title}{counted}", f"<progress{length}></progress> {html.escape(title)}{counted}")


def _line(plain: str, marked: str) -> dict[str, str]:
    return {"text/plain": plain, "text/html": f"<div>{marked}</div>"}
