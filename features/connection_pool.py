"""Connections that threads take in turn, and that are closed when nobody needs them any more."""

import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any


class ConnectionPool:
    """As many connections as were ever needed at the same moment.

    Args:
        connect: opens one; called by the thread that first needs it, though another one may use it later.
        alive: whether one that was idle can still be used; without it each one can.
    """

    def __init__(self, connect: Callable[[], Any], alive: Callable[[Any], bool] | None = None) -> None:
        self._connect = connect
        self._alive = alive
        self._idle: list[Any] = []
        # Whoever opened the store never closes it: the last reference is what ends it.
        weakref.finalize(self, _close, self._idle)

    def connection(self) -> AbstractContextManager[Any]:
        """A connection for one piece of work; one that failed is not used again."""
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return _Lent(self._connect(), self._idle)
            if self._alive is None or self._alive(connection):
                return _Lent(connection, self._idle)
            connection.close()


class _Lent:
    """A connection that goes back to the idle ones. A class, since a generator would cost a read some microseconds."""

    __slots__ = ("_connection", "_idle")

    def __init__(self, connection: Any, idle: list[Any]) -> None:
        self._connection = connection
        self._idle = idle

    def __enter__(self) -> Any:
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._idle.append(self._connection)
        else:
            self._connection.close()


def _close(connections: list[Any]) -> None:
    for connection in connections:
        connection.close()
