"""The past predicted again and again: is the model as good at other moments, and how much does time cost?"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.model_settings import EstimatorSettings
from scoring.encoding import encode
from training.columns import learn_columns
from training.evaluation import area_under_curve, evaluate
from training.forest import Shape, dataset, grow
from training.split import divide_by_circle
from training.training_set import TrainingSet

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
_LEAST_WINS = 20
# A cut-off is one point of a curve: more rows than these make it dearer, not truer.
_MOST_ROWS = 60_000
_LEAST_ROUNDS, _MOST_ROUNDS = 30, 300
_RANDOM_PARTS = 4


@dataclass(frozen=True)
class CutOff:
    """One moment at which the rest was predicted from what came before.

    Attributes:
        first: first moment of the rows predicted, ISO 8601 (UTC).
        last: last one.
        rows: so many were predicted.
        positives: of them with the outcome.
        auc: ranking on them.
        logloss: of the model.
        base_logloss: of the base rate of the rows learned from.
    """

    first: str
    last: str
    rows: int
    positives: int
    auc: float
    logloss: float
    base_logloss: float


@dataclass(frozen=True)
class Backtest:
    """Quality at several cut-offs, and on a random division of the same rows for comparison.

    Attributes:
        cut_offs: oldest first; moments with fewer than 20 wins before or after them are left out.
        random_auc: ranking of people (with all who share their deals) drawn at random, whom time does not part; NaN
            where nothing was tried.
    """

    cut_offs: tuple[CutOff, ...] = ()
    random_auc: float = float("nan")

    @property
    def mean_auc(self) -> float:
        """Mean over the cut-offs, NaN without any."""
        return float(np.mean([one.auc for one in self.cut_offs])) if self.cut_offs else float("nan")

    @property
    def worst_auc(self) -> float:
        """The lowest of the cut-offs, NaN without any."""
        return min((one.auc for one in self.cut_offs), default=float("nan"))


def backtest(data: TrainingSet, settings: EstimatorSettings, rounds: int, cut_offs: int, seed: int = 0) -> Backtest:
    """Predict the later half of the moments in `cut_offs` blocks, each from what lies a gap before it.

    The trees are of the model's shape and number; they are not calibrated, since a cut-off is about ranking and about
    being better than the base rate.

    Args:
        data: rows with time, outcome and circle; the part that the model is finally judged on is better left out.
        settings: shape of the trees.
        rounds: number of trees, as the model has them.
        cut_offs: how many blocks; 0: nothing is tried.
        seed: of the random division.
    """
    moments = np.unique(data.time)
    if not cut_offs or len(moments) < 2 or min(data.outcomes.label.sum(), (~data.outcomes.label).sum()) < _LEAST_WINS:
        return Backtest()
    rounds = int(np.clip(rounds, _LEAST_ROUNDS, _MOST_ROUNDS))
    found = []
    for block in np.array_split(moments[len(moments) // 2 :], cut_offs):
        if not len(block):
            continue
        learned = data.time + np.timedelta64(data.gap) <= block[0]
        asked = (data.time >= block[0]) & (data.time <= block[-1])
        cut_off = _predicted(data, learned, asked, settings, rounds)
        if cut_off is not None:
            found.append(cut_off)
    part = divide_by_circle(data.circle, _RANDOM_PARTS, seed)
    drawn = _predicted(data, part > 0, part == 0, settings, rounds)
    return Backtest(tuple(found), drawn.auc if drawn is not None else float("nan"))


def _predicted(
    data: TrainingSet, learned: Labels, asked: Labels, settings: EstimatorSettings, rounds: int
) -> CutOff | None:
    label = data.outcomes.label
    for rows in (learned, asked):
        if min(int(label[rows].sum()), int((~label[rows]).sum())) < _LEAST_WINS:
            return None
    learned = _thinned(learned, data.circle)
    table = data.features.select(list(data.schema.names))
    chance = _grown_and_asked(
        table.filter(pa.array(learned)), label[learned], table.filter(pa.array(asked)), settings, rounds
    )
    came = label[asked]
    return CutOff(
        first=str(data.time[asked].min()),
        last=str(data.time[asked].max()),
        rows=int(asked.sum()),
        positives=int(came.sum()),
        auc=area_under_curve(came, chance),
        logloss=evaluate(came, chance).logloss,
        base_logloss=evaluate(came, np.full(len(came), float(label[learned].mean()))).logloss,
    )


def _thinned(rows: Labels, circle: NDArray[np.int64]) -> Labels:
    parts = -(-int(rows.sum()) // _MOST_ROWS)
    return rows if parts <= 1 else rows & (divide_by_circle(circle, parts, 0) == 0)


def _grown_and_asked(
    past: pa.Table, label: Labels, asked: pa.Table, settings: EstimatorSettings, rounds: int
) -> Floats:
    columns = learn_columns(past, label)
    shape = Shape(
        settings.learning_rate,
        settings.num_leaves,
        settings.max_depth,
        settings.min_data_in_leaf,
        settings.feature_fraction,
        lambda_l2=settings.lambda_l2,
    )
    free = [0] * len(columns)
    grown = grow(dataset(encode(past, columns), label, columns), shape, rounds, settings.seed, 0, free)
    return np.asarray(grown.predict(encode(asked, columns)), dtype=np.float64)
