"""How long work tells that it goes on; the command line draws bars, tests and notebooks may stay silent."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    """Called by the worker each time some steps are done."""

    def __call__(self, steps: int = 1) -> None:
        """Say that `steps` more are done."""
        ...


class Progress(Protocol):
    """Opens one bar per piece of long work."""

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """Show `title` until the block ends; `total` steps are expected, or an unknown number."""
        ...


class SilentProgress:
    """Shows nothing."""

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """Yield a function that does nothing."""
        del title, total

        def advance(steps: int = 1) -> None:
            del steps

        yield advance
