"""The log of answers and the states that scores carry on."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from core.database import open_database
from core.errors import ConfigurationError
from core.settings import Settings
from core.storage import Workspace
from scoring.answers import (
    Scored,
    forget_answers,
    last_answer,
    log_answers,
    pack,
    scores_before,
    stored_scores,
    unpack,
    unpack_words,
)

T = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def settings(home: Path, url: str | None = None) -> Settings:
    source = {"name": "s", "system": "crm", "path": "none.csv", "people": {"id": "id"}}
    return Settings(name="test", home=home, sources=(source,), database_url=url)  # type: ignore[arg-type]  # read by pydantic


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = open_database(settings(tmp_path), Workspace(tmp_path))
    yield opened
    opened.dispose()


def scored(customer: str, probability: float, score: int = 50, hot: bool = False) -> Scored:
    row = np.array([1.0, np.nan, probability])
    return Scored(
        customer, probability, score, "B", "medium", hot, T if hot else None, row, {"industry": "製造業"}, row
    )


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20))
def test_packing_keeps_every_bit(values: list[float]) -> None:
    row = np.array(values, dtype=np.float64)
    assert unpack(pack(row)).tobytes() == row.tobytes()


def test_only_changes_are_logged(engine: Engine) -> None:
    assert log_answers(engine, "lead", "1", T, T, [scored("a", 0.1), scored("b", 0.2)]) == 2
    assert log_answers(engine, "lead", "1", T + DAY, T, [scored("a", 0.1), scored("b", 0.3)]) == 1
    assert log_answers(engine, "lead", "1", T + DAY, T, [scored("a", 0.1), scored("b", 0.3)]) == 0
    assert log_answers(engine, "lead", "2", T + DAY, T, [scored("a", 0.1)]) == 1
    answer = last_answer(engine, "lead", "b")
    assert answer is not None
    assert (answer.probability, answer.features_as_of) == (0.3, T + DAY)
    assert unpack(answer.features)[2] == 0.3
    assert unpack_words(answer.features) == {"industry": "製造業"}
    assert unpack_words(pack(unpack(answer.features))) is None, "an older log holds no texts"


def test_the_state_moves_on_but_never_back(engine: Engine) -> None:
    log_answers(engine, "lead", "1", T, T, [scored("a", 0.4, hot=True)])
    assert stored_scores(engine, "lead")["a"].hot_since == T
    assert log_answers(engine, "lead", "1", T - DAY, T, [scored("a", 0.1)]) == 0
    assert stored_scores(engine, "lead")["a"].probability == 0.4
    log_answers(engine, "lead", "1", T + DAY, T, [scored("a", 0.1)])
    assert not stored_scores(engine, "lead")["a"].hot


def test_the_score_that_held_a_week_ago(engine: Engine) -> None:
    for days, probability, score in ((0, 0.1, 10), (3, 0.2, 20), (9, 0.3, 30)):
        log_answers(engine, "lead", "1", T + days * DAY, T, [scored("a", probability, score)])
    assert scores_before(engine, "lead", "1", T + 5 * DAY) == {"a": 20}
    assert scores_before(engine, "lead", "1", T - DAY) == {}
    assert scores_before(engine, "lead", "2", T + 5 * DAY) == {}


def test_corrected_data_for_the_same_moment_add_an_answer(engine: Engine) -> None:
    log_answers(engine, "lead", "1", T, T, [scored("a", 0.1, 10)])
    log_answers(engine, "lead", "1", T, T + DAY, [scored("a", 0.2, 20)])
    assert scores_before(engine, "lead", "1", T) == {"a": 20}
    assert forget_answers(engine, ["a", "nobody"]) == 2
    assert last_answer(engine, "lead", "a") is None
    assert stored_scores(engine, "lead") == {}


def test_many_people_at_once(engine: Engine) -> None:
    people = [scored(f"c{n:05d}", n / 5000) for n in range(1, 2500)]
    assert log_answers(engine, "lead", "1", T, T, people) == 2499
    assert len(stored_scores(engine, "lead")) == 2499


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////nowhere/at/all/x.db"])
def test_a_database_that_cannot_be_used_is_said_plainly(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be used|does not answer"):
        open_database(settings(tmp_path, url), Workspace(tmp_path))
