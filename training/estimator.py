"""The learner: shallow boosted trees with a calibrated probability, in scikit-learn's manner."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from core.errors import ContractError, EvidenceError
from core.model_settings import EstimatorSettings, SplitSettings
from scoring.calibration import Calibrator, fit_calibrator, shift_to_mean
from scoring.encoding import FeatureColumn, Matrix, encode, learn_vocabulary
from scoring.trees import Trees
from training.split import divide_by_circle, split_off_newest

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
_FOLDS = 5
_MIN_ROUNDS = 20
# Separate wins on both sides before a later part is held out instead of folds. A trial fit on half of a small history
# is so much weaker than the final one that its calibration does not carry over: its slope came out up to a fifth wrong.
_MIN_LATER_WINS = 600
_MIN_WINS = 20
# A category value seen in fewer rows than this says nothing that holds elsewhere.
_MIN_CATEGORY_ROWS = 20
_MAX_CATEGORY_VALUES = 50
_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class HeldOut:
    """Rows that a trial fit did not see, with the raw margin it gave them.

    Attributes:
        rows: positions in the training data.
        margin: one for each of `rows`.
        how: `later` (a later part of the training data, after a gap) or `circles` (other people, deals and accounts).
    """

    rows: NDArray[np.int64]
    margin: Floats
    how: str


class LeadScorer(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Probability of a yes within the horizon, from a frame of numbers, categories, dates and gaps.

    The number of trees and the calibration come from rows that a trial fit did not see: a later part of the training
    data after a gap, or, where that holds too few wins, five folds of people who share no deal and no account. Then the
    trees are grown once more on all rows, so that the newest are not wasted.

    Args:
        max_rounds: trees at most.
        early_stopping_rounds: a trial fit ends after so many trees without improvement on the held-out rows.
        learning_rate: weight of each tree.
        num_leaves: leaves of a tree at most.
        max_depth: depth of a tree at most.
        min_data_in_leaf: rows in a leaf at least.
        feature_fraction: share of the columns that a tree may look at.
        lambda_l2: pull of the leaf values towards zero.
        calibration_share: share of the training moments that form the later part.
        gap_days: the label's horizon; rows closer than that to the later part sit out the trial fit.
        random_state: seed of folds and column choice.
        num_threads: changes the speed, never the result.

    Attributes:
        trees_: the forest.
        columns_: what it reads.
        calibrator_: from margin to probability.
        held_out_: what the calibration was read from.
        rounds_: number of trees.
    """

    def __init__(
        self,
        *,
        max_rounds: int = 600,
        early_stopping_rounds: int = 50,
        learning_rate: float = 0.05,
        num_leaves: int = 15,
        max_depth: int = 6,
        min_data_in_leaf: int = 40,
        feature_fraction: float = 0.7,
        lambda_l2: float = 5.0,
        calibration_share: float = 0.2,
        gap_days: int = 0,
        random_state: int = 0,
        num_threads: int = 0,
    ) -> None:
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
        self.random_state = random_state
        self.num_threads = num_threads

    def fit(
        self,
        X: pd.DataFrame | pa.Table,  # noqa: N803  # the name that scikit-learn calls it by
        y: ArrayLike,
        time: NDArray[np.datetime64] | None = None,
        circle: NDArray[np.int64] | None = None,
    ) -> Self:
        """Learn from rows and their outcomes.

        Args:
            X: one row each; numbers, booleans, dates and texts, all of which may be missing.
            y: truth values.
            time: each row's as-of moment; without it nothing is "later" and folds are used.
            circle: rows with equal numbers are kept together in the folds; default: each row on its own.

        Raises:
            EvidenceError: there are fewer than 20 positive or negative rows.
        """
        table = as_table(X)
        label = np.asarray(y).astype(np.bool_)
        if len(label) != table.num_rows:
            raise ContractError(f"{table.num_rows} rows and {len(label)} outcomes", "as many of both", "align them")
        if min(int(label.sum()), int((~label).sum())) < _MIN_WINS:
            raise EvidenceError(
                f"there are {int(label.sum())} wins in {len(label)} rows",
                f"at least {_MIN_WINS} wins and as many others to learn from",
                "gather more outcomes",
            )
        circle = np.arange(len(label)) if circle is None else circle
        self.classes_ = np.array([False, True])
        self.n_features_in_ = table.num_columns
        self.feature_names_in_ = np.array(table.column_names, dtype=object)
        self.columns_ = learn_columns(table)
        matrix = encode(table, self.columns_)
        held_out, self.rounds_ = self._try_out(matrix, label, time, circle)
        calibrator = fit_calibrator(held_out.margin, label[held_out.rows])
        # Behind the trees stand the settings of the machine that grew them, which say nothing about the answers.
        self.trees_ = Trees(self._grow(matrix, label, self.rounds_).model_to_string().partition("\nparameters:")[0])
        self.calibrator_ = self._recentre(calibrator, held_out, matrix, label, time)
        self.held_out_ = held_out
        return self

    def predict_proba(self, X: pd.DataFrame | pa.Table) -> Floats:  # noqa: N803  # scikit-learn's name
        """Chance of no and of yes, shape (rows, 2); values unseen in training count as missing."""
        check_is_fitted(self)
        chance = self.calibrator_.probability(self.trees_.margin(encode(as_table(X), self.columns_)))
        return np.column_stack([1 - chance, chance])

    def predict(self, X: pd.DataFrame | pa.Table) -> Labels:  # noqa: N803  # scikit-learn's name
        """Whether yes is the likelier answer."""
        return np.asarray(self.predict_proba(X)[:, 1] >= 0.5)

    def _try_out(
        self, matrix: Matrix, label: Labels, time: NDArray[np.datetime64] | None, circle: NDArray[np.int64]
    ) -> tuple[HeldOut, int]:
        """Trial fits, the number of trees that suited the held-out rows best, and their margins at that number."""
        folds, how = self._folds(label, time, circle)
        trials = [self._grow_until_no_better(matrix, label, fit, held) for fit, held in folds]
        best = [max(_MIN_ROUNDS, int(trial.best_iteration)) for trial in trials]
        rounds = int(np.median(best))
        held_rows = np.concatenate([np.flatnonzero(held) for _, held in folds])
        margin = np.concatenate(
            [
                np.asarray(trial.predict(matrix[held], raw_score=True, num_iteration=rounds))
                for trial, (_, held) in zip(trials, folds, strict=True)
            ]
        )
        return HeldOut(held_rows, margin, how), rounds

    def _folds(
        self, label: Labels, time: NDArray[np.datetime64] | None, circle: NDArray[np.int64]
    ) -> tuple[list[tuple[Labels, Labels]], str]:
        """Pairs of rows to fit on and rows to hold out."""
        if time is not None:
            try:
                split = split_off_newest(time, self.calibration_share, timedelta(days=self.gap_days))
            except EvidenceError:
                split = None
            if split is not None:
                fit, held = split.earlier.rows, split.later.rows
                wins = min(_won_circles(label, circle, fit), _won_circles(label, circle, held))
                # A later part costs the trial fit all rows in the gap; it must leave most of the history to learn from.
                if wins >= _MIN_LATER_WINS and fit.sum() >= 0.4 * len(label):
                    return [(fit, held)], "later"
        number = divide_by_circle(circle, _FOLDS, self.random_state)
        folds = [(number != fold, number == fold) for fold in range(_FOLDS)]
        return [(fit, held) for fit, held in folds if label[fit].any() and label[held].any()], "circles"

    def _recentre(
        self,
        calibrator: Calibrator,
        held_out: HeldOut,
        matrix: Matrix,
        label: Labels,
        time: NDArray[np.datetime64] | None,
    ) -> Calibrator:
        """Let the final trees' mean agree with the newest year.

        The shift that the trial fit needed on the later part is partly in the final trees already, which saw that part;
        and one part of a year may be a season. Folds hold out everybody, so that their line needs no such repair.
        """
        if held_out.how != "later" or time is None:
            return calibrator
        newest = time > time.max() - np.timedelta64(_YEAR)
        return shift_to_mean(calibrator, self.trees_.margin(matrix[newest]), float(label[newest].mean()))

    def _grow(self, matrix: Matrix, label: Labels, rounds: int) -> Any:
        return lightgbm.train(self._parameters(), self._dataset(matrix, label), num_boost_round=rounds)

    def _grow_until_no_better(self, matrix: Matrix, label: Labels, fit: Labels, held: Labels) -> Any:
        data = self._dataset(matrix[fit], label[fit])
        watch = lightgbm.Dataset(matrix[held], label[held], reference=data, params={"verbose": -1})
        return lightgbm.train(
            self._parameters(),
            data,
            num_boost_round=self.max_rounds,
            valid_sets=[watch],
            callbacks=[lightgbm.early_stopping(self.early_stopping_rounds, verbose=False)],
        )

    def _dataset(self, matrix: Matrix, label: Labels) -> Any:
        categories = [n for n, column in enumerate(self.columns_) if column.is_category]
        return lightgbm.Dataset(
            matrix,
            label,
            feature_name=[f"f{n}" for n in range(len(self.columns_))],
            categorical_feature=categories,
            params={"verbose": -1},
        )

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "binary",
            "metric": "binary_logloss",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "max_depth": self.max_depth,
            "min_data_in_leaf": self.min_data_in_leaf,
            "feature_fraction": self.feature_fraction,
            "lambda_l2": self.lambda_l2,
            "cat_smooth": 20.0,
            "cat_l2": 20.0,
            "max_cat_threshold": 16,
            "seed": self.random_state,
            # Sums are taken in a fixed order, so that equal data give equal trees whatever the number of threads.
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.num_threads,
            "verbose": -1,
        }


def as_table(frame: pd.DataFrame | pa.Table) -> pa.Table:
    """A frame as an Arrow table of numbers and texts; dates become days since 1970, truth values 0 and 1."""
    if isinstance(frame, pa.Table):
        return frame
    columns: dict[str, pa.Array] = {}
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values.dtype):
            moments = pd.to_datetime(values, utc=True)
            values = (moments - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
        if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values.dtype):
            columns[str(name)] = pa.array(values.to_numpy(dtype=np.float64, na_value=np.nan), from_pandas=True)
        else:
            texts = [None if pd.isna(value) else str(value) for value in values.tolist()]
            columns[str(name)] = pa.array(texts, pa.string())
    return pa.table(columns)


def learn_columns(table: pa.Table) -> tuple[FeatureColumn, ...]:
    """Each column as the trees will read it: texts get a vocabulary, all else is a number."""
    return tuple(
        FeatureColumn(
            field.name,
            learn_vocabulary(table[field.name], _MIN_CATEGORY_ROWS, _MAX_CATEGORY_VALUES)
            if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
            else None,
        )
        for field in table.schema
    )


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
