from datetime import UTC, datetime, timedelta, timezone

import pytest

from core.clock import FixedClock, SystemClock
from core.errors import ConfigurationError


def test_a_fixed_clock_answers_in_utc() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert FixedClock(datetime(2026, 1, 1, 9, tzinfo=tokyo)).now() == datetime(2026, 1, 1, tzinfo=UTC)
    assert FixedClock(datetime(2026, 1, 1, 9, tzinfo=tokyo)).now().tzinfo is UTC


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="naive time"):
        FixedClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the naive time is what is refused


def test_the_system_clock_goes_on() -> None:
    clock = SystemClock()
    assert clock.now() <= clock.now()
