"""The wall clock, injected so that no calculation reads it on its own."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from core.errors import ConfigurationError


class Clock(Protocol):
    """Something that knows what time it is."""

    def now(self) -> datetime:
        """The present moment in UTC, with time zone."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True)
class FixedClock:
    """A clock that stands still, for tests and for reproducible runs."""

    moment: datetime

    def __post_init__(self) -> None:
        if self.moment.tzinfo is None:
            raise ConfigurationError(f"the naive time {self.moment}", "a time with its time zone", "add the offset")

    def now(self) -> datetime:
        """The fixed moment in UTC."""
        return self.moment.astimezone(UTC)
