"""The learner: the rung of the ladder that its evidence carries, with a calibrated probability, in scikit-learn's manner."""

import os
import time as clock
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from core.errors import ContractError, EvidenceError
from core.model_settings import EstimatorSettings, SplitSettings
from scoring.additive import AdditiveModel, Rung
from scoring.calibration import Calibrator, fit_calibrator, shift_to_mean
from scoring.encoding import encode
from training.columns import Encoded, as_table, directions, row_hash
from training.drift import Drift, forecast_drift
from training.forest import Shape, dataset, grow, join
from training.ladder import log_loss, steady_blend, wins_clearly
from training.logistic import PENALTIES, curves_of, design, fit_coefficients, lay_basis, limits
from training.split import divide_by_circle, split_off_newest
from training.tuning import Fold, Search, Trial, TreeSearch

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Rows = NDArray[np.int64]
ScorerVerdict = Literal["use", "do_not_use", "insufficient"]
# Separate wins on both sides before calibration is read from a later part instead of folds. A trial fit on half of a
# small history is so much weaker than the final one that its calibration does not carry over: its slope came out up to
# a fifth wrong.
_MIN_LATER_WINS = 600
# Below so many wins (or others) nothing but the base rate is said; below the second number trees are not tried.
_MIN_WINS, _MIN_TREE_WINS = 20, 30
# Rows that trials look at; the final fit sees all.
_MAX_TRIAL_ROWS = 100_000


@dataclass(frozen=True)
class HeldOut:
    """Rows that a trial fit did not see, with the raw margin it gave them.

    Attributes:
        rows: positions in the training data.
        margin: one for each of `rows`.
        how: `later` (a later part of the training data, after a gap) or `circles` (other people, deals and accounts).
    """

    rows: Rows
    margin: Floats
    how: str


@dataclass(frozen=True)
class _Recipe:
    """What the folds decided: how the final model is to be made.

    Attributes:
        rung: the highest rung in it.
        penalty: of the logistic part.
        curves_weight: of the logistic part in the blend.
        trees: shapes with their weights in the blend.
    """

    rung: Rung
    penalty: float = 0.0
    curves_weight: float = 0.0
    trees: tuple[tuple[Trial, float], ...] = ()


class LeadScorer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    def __init__(
        self,
        *,
        time_budget: float = 60,
        trials: int | None = None,
        members: int = 4,
        max_rounds: int = 1000,
        early_stopping_rounds: int = 50,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        max_depth: int = 6,
        min_data_in_leaf: int = 40,
        feature_fraction: float = 0.7,
        lambda_l2: float = 5.0,
        calibration_share: float = 0.2,
        gap_days: int = 0,
        monotone: dict[str, int] | None = None,
        random_state: int = 0,
        num_threads: int = 0,
    ) -> None:
        self.time_budget = time_budget
        self.trials = trials
        self.members = members
        self.max_rounds = max_rounds
        self.early_stopping_rounds = early_stopping_rounds
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_data_in_leaf = min_data_in_leaf
        self.feature_fraction = feature_fraction
        self.lambda_l2 = lambda_l2
        self.calibration_share = calibration_share
        self.gap_days = gap_days
        self.monotone = monotone
        self.random_state = random_state
        self.num_threads = num_threads

    def fit(self, X: Any, y: ArrayLike, time: ArrayLike | None = None, circle: Rows | None = None) -> Self:  # noqa: N803
        started = clock.monotonic()
        table = as_table(X)
        label = self._labels(y, table.num_rows)
        self.n_features_in_ = table.num_columns
        self.feature_names_in_ = np.array(table.column_names, dtype=object)
        hashed = row_hash(table, label)
        order = np.argsort(hashed, kind="stable")
        table, label = table.take(pa.array(order)), label[order]
        when = None if time is None else moments_of(time)[order]
        circle = _circles(table) if circle is None else np.unique(circle, return_inverse=True)[1][order]
        encoded = Encoded(table, label, divide_by_circle(circle, 5, self.random_state + 1))
        self.columns_ = encoded.columns
        self._monotone = directions(self.columns_, self.monotone or {})
        base = float(logit(np.clip(label.mean(), 1 / (len(label) + 2), 1 - 1 / (len(label) + 2))))
        width = len(self.columns_)
        self.trials_, self.rounds_, self.drift_ = Search((), 0, 0, False), 0, Drift()
        if min(label.sum(), (~label).sum()) < _MIN_WINS:
            self.verdict_: ScorerVerdict = "insufficient"
            self.model_ = AdditiveModel(width, base)
            self.calibrator_ = Calibrator()
            self.held_out_ = HeldOut(order, np.full(len(label), base), "circles")
        else:
            chosen = self._trial_rows(circle)
            folds = self._folds(encoded, label, circle, chosen)
            recipe, held, margin = self._climb(folds, label, circle, base, started)
            self.verdict_ = "do_not_use" if recipe.rung == "prior" else "use"
            self.recipe_ = recipe
            self._calibrate(encoded, recipe, label, when, circle, held, margin, base)
            self.held_out_ = HeldOut(order[self.held_out_.rows], self.held_out_.margin, self.held_out_.how)
            self.model_ = self._final(encoded, recipe, label, np.arange(len(label)), base)
            self.rounds_ = sum(trial.rounds for trial, _ in recipe.trees)
        self.rung_: Rung = self.model_.rung
        self.seconds_ = clock.monotonic() - started
        return self

    def _labels(self, y: ArrayLike, rows: int) -> Labels:
        values = np.asarray(y)
        if values.ndim != 1 or len(values) != rows:
            raise ContractError(f"{rows} rows and {values.shape} outcomes", "as many of both", "align them")
        if pd.isna(values).any():
            raise ContractError("some outcomes are missing", "an outcome for each row", "leave such rows out")
        classes = np.unique(values)
        if set(classes.tolist()) <= {0, 1}:
            classes = np.array([0, 1]).astype(values.dtype)
        if len(classes) != 2:
            raise ContractError(f"{len(classes)} different outcomes", "two", "say for each row whether it was won")
        self.classes_ = classes
        return np.asarray(values == classes[1])

    def predict_proba(self, X: Any) -> Floats:  # noqa: N803
        check_is_fitted(self)
        chance = self.calibrator_.probability(self.model_.margin(encode(as_table(X), self.columns_)))
        return np.column_stack([1 - chance, chance])

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        return np.asarray(self.classes_[(self.predict_proba(X)[:, 1] >= 0.5).astype(int)])

    def _trial_rows(self, circle: Rows) -> Rows:
        parts = -(-len(circle) // _MAX_TRIAL_ROWS)
        if parts == 1:
            return np.arange(len(circle))
        return np.flatnonzero(divide_by_circle(circle, parts, self.random_state) == 0)

    def _folds(self, encoded: Encoded, label: Labels, circle: Rows, chosen: Rows) -> list[Fold]:
        size = len(chosen) * len(encoded.columns)
        count = 10 if len(chosen) < 1000 else 5 if size < 2e6 else 3
        number = divide_by_circle(circle[chosen], count, self.random_state, label[chosen])
        folds = []
        for n in range(count):
            fit, held = chosen[number != n], chosen[number == n]
            if label[fit].any() and not label[fit].all() and len(held):
                folds.append(Fold(fit, held, encoded.rows(fit), encoded.others(fit, held)))
        return folds

    def _climb(
        self, folds: list[Fold], label: Labels, circle: Rows, base: float, started: float
    ) -> tuple[_Recipe, Rows, Floats]:
        """Try the rungs on the folds; what the final model is to be, and its margins on the held-out rows."""
        held = np.concatenate([fold.held for fold in folds])
        won = label[held]
        prior = np.concatenate([np.full(len(f.held), logit(np.mean(label[f.fit]))) for f in folds])
        penalty, logistic = self._try_logistic(folds, label)
        recipe, margin = _Recipe("prior"), prior
        if wins_clearly(log_loss(won, prior), log_loss(won, logistic), circle[held]):
            recipe, margin = _Recipe("logistic", penalty, 1.0), logistic
        if min(won.sum(), (~won).sum()) < _MIN_TREE_WINS:
            return recipe, held, margin
        search = TreeSearch(
            folds,
            label,
            self.columns_,
            self._monotone,
            max_rounds=self.max_rounds,
            patience=self.early_stopping_rounds,
            seed=self.random_state,
            threads=self.num_threads,
        )
        shape = Shape(
            self.learning_rate, self.num_leaves, self.max_depth, self.min_data_in_leaf, self.feature_fraction,
            lambda_l2=self.lambda_l2,
        )  # fmt: skip
        trials = self.trials or planned_trials(self.time_budget, sum(len(f.fit) for f in folds), len(self.columns_))
        self.trials_ = search.run(shape, trials, started + 0.6 * self.time_budget)
        best = self.trials_.trials[: 2 * self.members]
        mixed = steady_blend(won, [logistic, *(trial.margin for trial in best)], self.members + 1, circle[held])
        if wins_clearly(log_loss(won, margin), log_loss(won, mixed.margin), circle[held]) and mixed.weights[1:].any():
            trees = tuple((t, float(w)) for t, w in zip(best, mixed.weights[1:], strict=True) if w)
            recipe, margin = _Recipe("trees", penalty, float(mixed.weights[0]), trees), mixed.margin
        return recipe, held, margin

    def _try_logistic(self, folds: list[Fold], label: Labels) -> tuple[float, Floats]:
        """The penalty that suits the held-out rows best, and their log-odds under it."""
        # One thread a fold, for speed, and so that no sum depends on how many threads there are.
        with threadpool_limits(1), ThreadPoolExecutor(self.num_threads or os.cpu_count()) as pool:
            by_fold = list(pool.map(lambda fold: self._logistic_path(fold, label), folds))
        won = label[np.concatenate([fold.held for fold in folds])]
        joined = [np.concatenate(parts) for parts in zip(*by_fold, strict=True)]
        losses = [float(log_loss(won, margin).mean()) for margin in joined]
        best = int(np.argmin(losses))
        return PENALTIES[best], joined[best]

    def _logistic_path(self, fold: Fold, label: Labels) -> list[Floats]:
        """Held-out log-odds for each penalty."""
        basis = lay_basis(fold.fit_matrix, self.columns_)
        laid, held = design(fold.fit_matrix, basis), design(fold.held_matrix, basis)
        low, high = limits(basis, self._monotone)
        found = np.append(np.zeros(laid.shape[1]), logit(label[fold.fit].mean()))
        margins = []
        for penalty in PENALTIES:
            found = fit_coefficients(laid, label[fold.fit], penalty, low, high, found)
            margins.append(held @ found[:-1] + found[-1])
        return margins

    def _calibrate(
        self,
        encoded: Encoded,
        recipe: _Recipe,
        label: Labels,
        when: NDArray[np.datetime64] | None,
        circle: Rows,
        held: Rows,
        margin: Floats,
        base: float,
    ) -> None:
        self.held_out_ = HeldOut(held, margin, "circles")
        calibrator = Calibrator() if recipe.rung == "prior" else fit_calibrator(margin, label[held])
        if when is None:
            self.calibrator_ = calibrator
            return
        later = self._later(label, when, circle)
        if later is not None and recipe.rung != "prior":
            fit, rows = later
            trial = self._final(encoded, recipe, label, fit, base)
            margins = trial.margin(encoded.others(fit, rows))
            self.held_out_ = HeldOut(rows, margins, "later")
            calibrator = shift_to_mean(fit_calibrator(margins, label[rows]), margin, float(label[held].mean()))
        gap = np.timedelta64(timedelta(days=self.gap_days))
        self.drift_ = forecast_drift(calibrator.log_odds(margin), label[held], when[held], gap)
        self.calibrator_ = calibrator.shifted(self.drift_.shift)

    def _later(self, label: Labels, when: NDArray[np.datetime64], circle: Rows) -> tuple[Rows, Rows] | None:
        """Rows to fit on and later rows to calibrate on, where both hold enough."""
        try:
            split = split_off_newest(when, self.calibration_share, timedelta(days=self.gap_days))
        except EvidenceError:
            return None
        fit, rows = split.earlier.rows, split.later.rows
        wins = min(_won_circles(label, circle, fit), _won_circles(label, circle, rows))
        # A later part costs the trial fit all rows in the gap; it must leave most of the history to learn from.
        if wins < _MIN_LATER_WINS or fit.sum() < 0.4 * len(label):
            return None
        return np.flatnonzero(fit), np.flatnonzero(rows)

    def _final(self, encoded: Encoded, recipe: _Recipe, label: Labels, rows: Rows, base: float) -> AdditiveModel:
        """The chosen rung, learned from all the rows given."""
        width = len(self.columns_)
        if recipe.rung == "prior":
            return AdditiveModel(width, base)
        matrix, won = encoded.rows(rows), label[rows]
        constant, curves, trees = 0.0, None, None
        if recipe.curves_weight:
            some = slice(0, _MAX_TRIAL_ROWS)
            basis = lay_basis(matrix[some], self.columns_)
            laid = design(matrix[some], basis)
            low, high = limits(basis, self._monotone)
            start = np.append(np.zeros(laid.shape[1]), logit(won[some].mean()))
            with threadpool_limits(1):
                found = fit_coefficients(laid, won[some], recipe.penalty, low, high, start)
            level, curves = curves_of(basis, found, laid)
            constant, curves = level * recipe.curves_weight, curves.scaled(recipe.curves_weight)
        if recipe.trees:
            data = dataset(matrix, won, self.columns_)
            trees = join(
                [
                    (
                        grow(data, t.shape, t.rounds, self.random_state + n, self.num_threads, self._monotone),
                        weight,
                    )
                    for n, (t, weight) in enumerate(recipe.trees)
                ]
            )
        return AdditiveModel(width, constant, curves, trees)


def planned_trials(budget: float, rows: int, columns: int) -> int:
    """How many trials a budget is good for, by what they usually cost; so the same call makes the same model.

    Args:
        budget: seconds in all.
        rows: that one trial fits on, all folds together.
        columns: of them.
    """
    usual = 250 * (2e-3 + rows * columns * 4e-9)
    return int(np.clip(0.5 * budget / usual, 3, 40))


def moments_of(time: ArrayLike) -> NDArray[np.datetime64]:
    """Moments as numpy keeps them; those with a zone in UTC."""
    moments = pd.to_datetime(pd.Series(np.asarray(time)), utc=True)
    return moments.dt.tz_localize(None).to_numpy().astype("datetime64[us]")


def _circles(table: pa.Table) -> Rows:
    """Rows of equal content share a number where most rows are distinct: an exact duplicate is no new evidence."""
    hashed = row_hash(table)
    distinct, number = np.unique(hashed, return_inverse=True)
    return number if len(distinct) >= 0.5 * len(hashed) else np.arange(len(hashed))


def scorer_of(settings: EstimatorSettings, split: SplitSettings, gap: timedelta) -> LeadScorer:
    """The learner as the configuration describes it."""
    return LeadScorer(
        max_rounds=settings.max_rounds,
        early_stopping_rounds=settings.early_stopping_rounds,
        learning_rate=settings.learning_rate,
        num_leaves=settings.num_leaves,
        max_depth=settings.max_depth,
        min_data_in_leaf=settings.min_data_in_leaf,
        feature_fraction=settings.feature_fraction,
        lambda_l2=settings.lambda_l2,
        calibration_share=split.calibration_share,
        gap_days=gap.days,
        random_state=settings.seed,
    )


def _won_circles(label: Labels, circle: NDArray[np.int64], rows: Labels) -> int:
    """How many separate circles of people were won among the rows: snapshots of one win are one piece of evidence."""
    return len(np.unique(circle[rows & label]))
