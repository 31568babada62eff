"""Bring the waiting messages to their receivers: once from the command line, or again and again beside a server."""

import asyncio
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

import duckdb
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from activation.address import Resolver, resolve
from activation.alerts import release_held
from activation.budget import business_day
from activation.channel import Channel, open_channels
from activation.outbox import Blocked, claim, count_waiting, settle
from activation.send import send
from core.clock import Clock
from core.database import open_database
from core.errors import KizashiError
from core.logs import get_logger
from core.settings import Settings
from core.storage import Workspace

_LOG = get_logger("activation")
_LONGEST_BACK_OFF_SECONDS = 60.0


@dataclass(frozen=True)
class DeliverySummary:
    """What one pass did.

    Attributes:
        delivered: messages that were taken with a 2xx.
        failed: attempts that failed and will be repeated.
        dead: messages given up after the last attempt.
        disabled: messages whose receiver is gone (410).
        waiting: messages that are still to be delivered, on whatever channel.
    """

    delivered: int
    failed: int
    dead: int
    disabled: int
    waiting: int


def deliver_pending(
    settings: Settings, workspace: Workspace, *, clock: Clock, limit: int | None = None, resolver: Resolver = resolve
) -> DeliverySummary:
    """Send every message that is due, at least once and under one id; several workers may do so at the same time.

    Channels are served beside each other, so that a slow receiver does not hold up the others.

    Args:
        settings: the configuration with its channels.
        workspace: holds the application database unless another one is configured.
        clock: says what is due.
        limit: attempts at most; default: until nothing is due.
        resolver: looks up the receivers' names.

    Raises:
        ConfigurationError: a channel's variables are missing or unusable.
    """
    channels = open_channels(settings.activation)
    engine = open_database(settings, workspace)
    try:
        return _deliver(engine, channels, clock, limit, resolver)
    finally:
        engine.dispose()


def _deliver(
    engine: Engine, channels: Sequence[Channel], clock: Clock, limit: int | None, resolver: Resolver
) -> DeliverySummary:
    allowance = _Allowance(limit)
    states: Counter[str] = Counter()

    async def serve_all() -> None:
        await asyncio.gather(*(_serve(engine, channel, clock, allowance, resolver, states) for channel in channels))

    asyncio.run(serve_all())
    return DeliverySummary(
        states["delivered"], states["pending"], states["dead"], states["disabled"], count_waiting(engine)
    )


@dataclass
class _Allowance:
    """How many attempts are left in this pass, over all channels."""

    left: int | None

    def take(self) -> bool:
        if self.left is None:
            return True
        self.left -= 1
        return self.left >= 0


async def _serve(
    engine: Engine, channel: Channel, clock: Clock, allowance: _Allowance, resolver: Resolver, states: Counter[str]
) -> None:
    """One channel, message by message."""
    while allowance.take():
        now = clock.now()
        claimed = claim(engine, channel.settings, channel.address_fingerprint, now)
        if isinstance(claimed, Blocked):
            if not claimed.pacing:
                return
            await asyncio.sleep((claimed.until - now).total_seconds())
            if clock.now() <= now:
                # A clock that stands still will never see the end of the pause.
                return
            continue
        if claimed is None:
            return
        answered = await send(channel, claimed.message_id, claimed.body, now, resolver)
        state = settle(engine, channel.settings, claimed, answered, clock.now())
        states[state] += 1
        _LOG.info(
            "alert_message_sent",
            channel=channel.settings.name,
            message_id=claimed.message_id,
            attempt=claimed.attempts,
            status=answered.status,
            error=answered.error,
            state=state,
        )


class Worker:
    """Delivers in a thread of its own until it is stopped, and releases held alerts when a new business day begins.

    Any number of them may run in any number of processes on one database.

    Args:
        settings: the configuration.
        workspace: holds the application database and the unified tables.
        clock: says what is due.
        models: whose held alerts are released.
        poll_seconds: the pause between two looks.

    Raises:
        ConfigurationError: a channel's variables are missing or unusable.
    """

    def __init__(
        self,
        settings: Settings,
        workspace: Workspace,
        *,
        clock: Clock,
        models: Sequence[str] = ("lead",),
        poll_seconds: float = 1.0,
    ) -> None:
        self._settings = settings
        self._workspace = workspace
        self._clock = clock
        self._models = tuple(models)
        self._poll_seconds = poll_seconds
        self._released_on: datetime | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alert-delivery", daemon=True)
        self._channels = open_channels(settings.activation)
        self._engine = open_database(settings, workspace)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Finish the attempt under way, then end; waits for it at most `timeout` seconds."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        if not self._thread.is_alive():
            self._engine.dispose()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        pause = self._poll_seconds
        while not self._stopping.is_set():
            try:
                self._tick()
                pause = self._poll_seconds
            except (KizashiError, SQLAlchemyError, duckdb.Error, OSError) as error:
                # The database is away, or a run has just replaced the tables. The messages are safe: a thread that
                # ended would deliver none of them.
                _LOG.error("alert_delivery_interrupted", kind=type(error).__name__)
                pause = min(pause * 2, _LONGEST_BACK_OFF_SECONDS)
            self._stopping.wait(pause)

    def _tick(self) -> None:
        today, _ = business_day(self._clock.now(), self._settings.timezone)
        if self._released_on != today:
            for model in self._models:
                if self._workspace.manifest("customers") is not None:
                    release_held(self._settings, self._workspace, model, clock=self._clock)
            self._released_on = today
        _deliver(self._engine, self._channels, self._clock, None, resolve)
