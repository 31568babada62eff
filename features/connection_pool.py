"""Connections that threads take in turn, and that are closed when nobody needs them any more."""

import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any


class ConnectionPool:
    """As many connections as were ever needed at the same moment.

    Args:
        connect: opens one; called by the thread that first needs it, though another one may use it later.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._idle: list[Any] = []
        # Whoever opened the store never closes it: the last reference is what ends it.
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """A connection for one piece of work; one that failed is not used again."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        with ExitStack() as failing:
            failing.callback(connection.close)
            yield connection
            failing.pop_all()
        self._idle.append(connection)


def _close(connections: list[Any]) -> None:
    for connection in connections:
        connection.close()
