"""Percentiles, grades, evidence, heat and trend."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from core.model_settings import HotSettings
from core.source_settings import Label
from features.catalog import Feature
from scoring.answers import StoredScore
from scoring.calibration import Calibrator, fit_calibrator, shift_to_mean
from scoring.grades import Support, engagement_of, evidence_of, fit_of, freeze_reference, score_of
from scoring.score import is_hot

FINITE = st.floats(-50, 50, allow_nan=False)


@given(reference=st.lists(FINITE, min_size=1, max_size=60), margins=st.lists(FINITE, min_size=2, max_size=20))
def test_scores_lie_between_1_and_100_and_follow_the_margin(reference: list[float], margins: list[float]) -> None:
    scores = score_of(freeze_reference(np.array(reference)), np.array(sorted(margins)))
    assert ((scores >= 1) & (scores <= 100)).all()
    assert (np.diff(scores) >= 0).all()


def test_among_a_hundred_different_people_each_has_a_score_of_their_own() -> None:
    reference = freeze_reference(np.arange(100.0))
    assert score_of(reference, np.arange(100.0)).tolist() == list(range(1, 101))


def test_a_long_reference_is_kept_short_and_gives_the_same_scores() -> None:
    values = np.random.default_rng(0).normal(size=50_000)
    short = freeze_reference(values)
    assert len(short) == 2000
    assert np.abs(score_of(short, values[:500]) - score_of(tuple(np.sort(values)), values[:500])).max() <= 1


def test_quarters_of_fit_and_engagement() -> None:
    reference = tuple(float(n) for n in range(100))
    values = np.array([90.0, 60.0, 30.0, 5.0])
    assert fit_of(reference, values).tolist() == ["A", "B", "C", "D"]
    assert engagement_of(reference, values).tolist() == [1, 2, 3, 4]


def evidence(known_fields: int, signals: int, people: int) -> str:
    label = Label(ja="x", en="x")
    features = [
        Feature(f"f{n}", "profile", "category", "value", f"f{n}", label, "fit", label, source=f"f{n}") for n in range(8)
    ]
    features += [
        Feature(f"s{n}", "engagement", "float", "days_since", f"s{n}", label, "engagement", label, signal=f"s{n}")
        for n in range(4)
    ]
    columns = {f"f{n}": pa.array(["x" if n < known_fields else None]) for n in range(8)}
    columns |= {f"s{n}": pa.array([1.0 if n < signals else None], pa.float64()) for n in range(4)}
    return str(evidence_of(features, pa.table(columns), np.array([float(people)]))[0])


def test_evidence_needs_facts_and_experience() -> None:
    assert evidence(2, 0, 1000) == "low"
    assert evidence(3, 0, 1000) == "medium"
    assert evidence(8, 0, 1000) == "medium"
    assert evidence(6, 2, 1000) == "high"
    assert evidence(6, 2, 199) == "medium"
    assert evidence(6, 2, 29) == "low"


def test_experience_is_counted_among_people_alike() -> None:
    support = Support(tuple(np.linspace(-5, -1, 1000)), 4000)
    assert abs(support.alike(np.array([-3.0]))[0] - 1000) < 20
    # Nobody was seen out there: the nearest ones at the end speak for them.
    assert abs(support.alike(np.array([3.0]))[0] - 1000) < 20
    assert Support((), 0).alike(np.array([0.0])).tolist() == [0.0]


def test_heat_holds_between_the_cuts() -> None:
    cuts = HotSettings(enter=0.25, leave=0.15)
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    hot = StoredScore("1", moment, 0.3, 99, True, moment)
    cold = StoredScore("1", moment, 0.2, 90, False, None)
    assert is_hot(cuts, 0.15, "medium", hot)
    assert not is_hot(cuts, 0.1499, "medium", hot)
    assert not is_hot(cuts, 0.2499, "high", cold)
    assert is_hot(cuts, 0.25, "high", cold)
    assert not is_hot(cuts, 0.9, "low", hot)


def test_calibration_finds_the_line_where_there_is_evidence_and_keeps_the_identity_where_not() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(-2, 1.2, 60_000)
    won = rng.random(60_000) < Calibrator(0.7, -0.4).probability(margin)
    found = fit_calibrator(margin, won)
    assert abs(found.slope - 0.7) < 0.03
    assert abs(found.shift + 0.4) < 0.06
    few = fit_calibrator(margin[:60], won[:60])
    assert abs(few.slope - 1) < 0.1


def test_the_shift_meets_a_rate() -> None:
    margin = np.random.default_rng(0).normal(size=1000)
    shifted = shift_to_mean(Calibrator(1.3, 0.0), margin, 0.04)
    assert abs(shifted.probability(margin).mean() - 0.04) < 1e-6
