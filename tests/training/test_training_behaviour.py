"""How a scorer must behave whatever it learned: what may not matter does not, what must matter does."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import expit

from core.errors import ContractError
from training import LeadScorer
from training.evaluation import evaluate


def leads(rows: int, seed: int = 0) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    visits = rng.poisson(2, rows).astype(float)
    rank = rng.choice(["Director", "Manager", "Clerk"], rows)
    title = [
        f"{a} {b}" for a, b in zip(rng.choice(["sales", "it", "hr"], rows), rng.integers(0, 999, rows), strict=True)
    ]
    z = (
        -2
        + 0.4 * np.minimum(visits, 5)
        + (rank == "Director")
        + np.array([0.8 * text.startswith("it") for text in title])
    )
    frame = pd.DataFrame(
        {
            "visits": visits,
            "rank": rank,
            "title": title,
            "budget": [f"{100 * n:,}" for n in rng.integers(1, 99, rows)],
            "seen": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 300, rows), unit="D"),
        }
    )
    return frame, rng.random(rows) < expit(z)


def quick(**settings: Any) -> LeadScorer:
    return LeadScorer(**{"trials": 2, "members": 1, "max_rounds": 150, **settings})


FRAME, WON = leads(1500)
NEW, NEW_WON = leads(1000, seed=1)


@pytest.fixture(scope="module")
def scorer() -> LeadScorer:
    return quick(monotone={"visits": 1}).fit(FRAME, WON)


def test_the_order_of_the_rows_does_not_matter(scorer: LeadScorer) -> None:
    order = np.random.default_rng(3).permutation(len(FRAME))
    again = quick(monotone={"visits": 1}).fit(FRAME.iloc[order], WON[order])
    assert np.array_equal(again.predict_proba(NEW), scorer.predict_proba(NEW))


def test_letter_case_and_width_do_not_matter(scorer: LeadScorer) -> None:
    loud = NEW.assign(rank=NEW["rank"].str.upper() + " ", title=NEW["title"].str.title())
    assert np.array_equal(scorer.predict_proba(loud), scorer.predict_proba(NEW))
    wide = NEW.assign(rank="Ｃｌｅｒｋ")
    assert np.array_equal(scorer.predict_proba(wide), scorer.predict_proba(NEW.assign(rank="clerk")))


def test_names_of_columns_do_not_matter(scorer: LeadScorer) -> None:
    other = {name: f"c{n}" for n, name in enumerate(FRAME.columns)}
    again = quick(monotone={"c0": 1}).fit(FRAME.rename(columns=other), WON)
    assert np.array_equal(again.predict_proba(NEW.rename(columns=other)), scorer.predict_proba(NEW))


def test_more_of_a_monotone_feature_never_lowers_the_score(scorer: LeadScorer) -> None:
    chances = [scorer.predict_proba(NEW.assign(visits=float(n)))[:, 1] for n in range(12)]
    assert all((more >= less - 1e-12).all() for less, more in pairwise(chances))
    falling = quick(monotone={"visits": -1}).fit(FRAME, WON)
    fewer, more = (falling.predict_proba(NEW.assign(visits=n))[:, 1] for n in (0.0, 9.0))
    assert (more <= fewer + 1e-12).all()
    with pytest.raises(ContractError, match="monotone names rank"):
        quick(monotone={"rank": 1}).fit(FRAME, WON)


def test_a_column_of_noise_changes_little(scorer: LeadScorer) -> None:
    rng = np.random.default_rng(9)
    noisy = quick(monotone={"visits": 1}).fit(FRAME.assign(noise=rng.normal(size=len(FRAME))), WON)
    ours = evaluate(NEW_WON, scorer.predict_proba(NEW)[:, 1])
    theirs = evaluate(NEW_WON, noisy.predict_proba(NEW.assign(noise=rng.normal(size=len(NEW))))[:, 1])
    assert abs(theirs.auc - ours.auc) < 0.01
    assert theirs.logloss < ours.logloss + 0.01


def test_reasons_are_exact_and_name_what_matters(scorer: LeadScorer) -> None:
    parts = scorer.contributions(NEW)
    chance = scorer.predict_proba(NEW)[:, 1]
    assert np.allclose(parts.sum(axis=1), np.log(chance / (1 - chance)))
    reasons = scorer.reasons(NEW, top=3)
    assert reasons.shape == (1000, 6)
    strongest = np.abs(parts[:, :-1]).max(axis=1)
    assert np.allclose(reasons["effect_1"].abs(), strongest, atol=1e-6)
    director = reasons[(NEW["rank"] == "Director").to_numpy()]
    told = director[["reason_1", "reason_2", "reason_3"]].apply(
        lambda row: any("↑ rank: Director" in r for r in row), axis=1
    )
    assert told.mean() > 0.8


def test_an_interval_holds_the_chance_and_is_wide_where_little_is_known(scorer: LeadScorer) -> None:
    low, high = scorer.interval(NEW).T
    chance = scorer.predict_proba(NEW)[:, 1]
    assert ((low < chance) & (chance < high)).all()
    few = quick().fit(FRAME.head(200), WON[:200]).interval(NEW)
    assert (few[:, 1] - few[:, 0]).mean() > (high - low).mean()


def test_a_base_rate_that_moves_is_followed_and_one_that_stays_is_left_alone() -> None:
    rng = np.random.default_rng(4)
    frame, _ = leads(6000)
    days = np.sort(rng.integers(0, 700, 6000))
    time = np.datetime64("2024-01-01", "us") + days * np.timedelta64(1, "D")
    base = 0.4 * frame["visits"].to_numpy()
    moving = rng.random(6000) < expit(base - 4.2 + 2.0 * days / 700)
    known, later = slice(0, 4200), slice(4200, 6000)
    scorer = quick(max_rounds=60).fit(frame[known], moving[known], time=time[known])
    assert scorer.drift_.rule != "none"
    quality = evaluate(moving[later], scorer.predict_proba(frame[later])[:, 1])
    still = scorer.calibrator_.shifted(-scorer.drift_.shift)
    without = evaluate(moving[later], still.probability(_margin(scorer, frame[later])))
    assert quality.logloss < without.logloss
    assert without.expected_observed < 0.7 < 0.8 < quality.expected_observed < 1.25
    steady = rng.random(6000) < expit(base - 3.2)
    assert quick(max_rounds=60).fit(frame[known], steady[known], time=time[known]).drift_.rule == "none"


def _margin(scorer: LeadScorer, frame: pd.DataFrame) -> NDArray[np.float64]:
    chance = scorer.predict_proba(frame)[:, 1]
    log_odds = np.log(chance / (1 - chance))
    return np.asarray((log_odds - scorer.calibrator_.shift) / scorer.calibrator_.slope)


def test_arrays_and_words_for_outcomes_are_taken() -> None:
    rng = np.random.default_rng(2)
    numbers = rng.normal(size=(400, 3))
    outcome = np.where(rng.random(400) < expit(1.5 * numbers[:, 0]), "won", "lost")
    scorer = quick().fit(numbers, outcome)
    assert scorer.classes_.tolist() == ["lost", "won"]
    assert np.mean(scorer.predict(numbers) == outcome) > 0.65
    with pytest.raises(ContractError, match="3 different outcomes"):
        quick().fit(numbers, np.arange(400) % 3)
