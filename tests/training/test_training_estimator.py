"""The learner alone: what it finds, what it bears, and that it finds the same twice."""

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from training import LeadScorer
from training.columns import as_table
from training.evaluation import evaluate


def company(rows: int, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.bool_], NDArray[np.float64]]:
    """Rows whose true probability is known."""
    rng = np.random.default_rng(seed)
    visits = rng.poisson(2, rows).astype(float)
    visits[rng.random(rows) < 0.2] = np.nan
    industry = rng.choice(["A", "B", "C"], rows)
    truth = expit(-3 + 0.5 * np.nan_to_num(visits) + np.where(industry == "A", 1.0, 0.0))
    frame = pd.DataFrame(
        {
            "visits": visits,
            "industry": pd.Series(industry).where(rng.random(rows) > 0.1),
            "since": pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"),
            "noise": rng.normal(size=rows),
        }
    )
    return frame, rng.random(rows) < truth, truth


def quick(**settings: Any) -> LeadScorer:
    """Three shapes are enough to see that it works."""
    return LeadScorer(**{"trials": 3, "members": 1, **settings})


def test_recovers_known_probabilities_on_new_rows() -> None:
    frame, won, _ = company(4000)
    new, new_won, truth = company(4000, seed=1)
    scorer = quick().fit(frame, won)
    quality = evaluate(new_won, scorer.predict_proba(new)[:, 1])
    assert quality.auc > evaluate(new_won, truth).auc - 0.02
    assert 0.85 < quality.calibration_slope < 1.15
    assert 0.9 < quality.expected_observed < 1.1


def test_the_same_rows_give_the_same_model_whatever_the_threads() -> None:
    frame, won, _ = company(1500)
    models = [quick(num_threads=threads).fit(frame, won) for threads in (1, 2, 2)]
    assert len({model.model_.trees and model.model_.trees.text for model in models}) == 1
    assert len({(model.calibrator_, model.rounds_, str(model.model_.curves)) for model in models}) == 1


def test_values_never_seen_count_as_missing() -> None:
    frame, won, _ = company(1500)
    scorer = quick().fit(frame, won)
    odd, blank = frame.head(3).copy(), frame.head(3).copy()
    odd["industry"], blank["industry"] = "Z", None
    assert np.array_equal(scorer.predict_proba(odd), scorer.predict_proba(blank))
    frame_without = frame.assign(visits=np.nan).head(3)
    assert np.isfinite(scorer.predict_proba(frame_without)).all()


def test_more_of_a_good_sign_does_not_lower_the_chance() -> None:
    frame, won, _ = company(4000)
    scorer = quick().fit(frame, won)
    row = frame.head(1).assign(industry="B")
    chances = [scorer.predict_proba(row.assign(visits=float(visits)))[0, 1] for visits in (0, 3, 6)]
    assert chances == sorted(chances)
    assert chances[0] < chances[2]


def test_works_in_scikit_learn_s_tools() -> None:
    frame, won, _ = company(1200)
    scorer = quick(max_rounds=40, random_state=3)
    assert clone(scorer).get_params() == scorer.get_params()
    scores = cross_val_score(make_pipeline(FunctionTransformer(), scorer), frame, won, cv=3, scoring="roc_auc")
    assert scores.min() > 0.6
    fitted = scorer.fit(frame, won)
    chance = fitted.predict_proba(frame)
    assert chance.shape == (1200, 2)
    assert np.allclose(chance.sum(axis=1), 1)
    assert set(np.unique(fitted.predict(frame))) <= set(fitted.classes_)


def test_ten_wins_are_too_few() -> None:
    frame, _, _ = company(300)
    scorer = quick().fit(frame, np.arange(300) < 10)
    assert (scorer.verdict_, scorer.rung_) == ("insufficient", "prior")
    assert np.allclose(scorer.predict_proba(frame)[:, 1], 10 / 300)


def test_noise_is_not_taken_for_evidence() -> None:
    frame, _, _ = company(1500)
    won = np.random.default_rng(5).random(1500) < 0.2
    scorer = quick().fit(frame, won)
    assert (scorer.verdict_, scorer.rung_) == ("do_not_use", "prior")


def test_held_out_rows_are_later_where_there_is_enough_and_other_people_where_not() -> None:
    frame, won, _ = company(24_000)
    days = np.sort(np.random.default_rng(0).integers(0, 600, len(frame)))
    time = np.datetime64("2024-01-01", "us") + days * np.timedelta64(1, "D")
    scorer = quick(max_rounds=20, gap_days=30).fit(frame, won, time)
    assert scorer.held_out_.how == "later"
    held = scorer.held_out_.rows
    assert time[held].max() == time.max()
    assert time[held].min() > time.min() + np.timedelta64(timedelta(days=300))
    few = slice(0, 24_000, 16)
    again = quick(max_rounds=20, gap_days=30).fit(frame[few], won[few], time[few])
    assert again.held_out_.how == "circles"
    assert sorted(again.held_out_.rows) == list(range(1500))


def test_frames_become_numbers_and_texts() -> None:
    table = as_table(
        pd.DataFrame(
            {
                "flag": [True, False],
                "whole": pd.array([1, None], dtype="Int64"),
                "text": pd.Categorical(["a", None]),
                "day": pd.to_datetime(["1970-01-03", None]),
            }
        )
    )
    assert table.to_pydict() == {"flag": [1.0, 0.0], "whole": [1.0, None], "text": ["a", None], "day": [2.0, None]}
