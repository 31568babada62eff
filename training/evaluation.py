"""How good probabilities are on rows that were kept apart: ranking, calibration, and what chance would explain."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.stats import norm, rankdata
from sklearn.metrics import average_precision_score

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
_BINS = 10
_TOP = 0.10


@dataclass(frozen=True)
class Quality:
    """Measures of one list of probabilities; NaN where a measure needs both outcomes and only one is there.

    Attributes:
        auc: chance that a won row is ranked above another one.
        ap: average precision.
        logloss: mean negative log-likelihood, natural logarithm.
        brier: mean squared error of the probability.
        ece: expected calibration error over ten bins of equal size.
        lift_at_10: wins among the best tenth, as a multiple of the average tenth's.
        calibration_slope: of a logistic regression of the outcome on the log-odds (Cox 1958); 1 is ideal, below it
            the probabilities are too extreme.
        expected_observed: sum of the probabilities over the number of wins; 1 is ideal.
    """

    auc: float
    ap: float
    logloss: float
    brier: float
    ece: float
    lift_at_10: float
    calibration_slope: float
    expected_observed: float

    def as_dict(self) -> dict[str, float]:
        """The measures by name."""
        return asdict(self)


def evaluate(label: Labels, probability: Floats) -> Quality:
    """All measures of `probability` (0 to 1, shape (rows,)) against `label`.

    >>> quality = evaluate(np.array([False, True, False, True]), np.array([0.1, 0.9, 0.2, 0.8]))
    >>> quality.auc, round(quality.expected_observed, 2)
    (1.0, 1.0)
    """
    chance = np.clip(probability, 1e-9, 1 - 1e-9)
    both = bool(label.any() and not label.all())
    nothing = float("nan")
    wins = float(label.sum())
    return Quality(
        auc=area_under_curve(label, chance),
        ap=float(average_precision_score(label, chance)) if both else nothing,
        logloss=float(np.mean(row_loss(label, chance))),
        brier=float(np.mean((chance - label) ** 2)),
        ece=calibration_error(label, chance),
        lift_at_10=lift(label, chance, _TOP) if wins else nothing,
        calibration_slope=calibration_slope(label, chance) if both else nothing,
        expected_observed=float(chance.sum() / wins) if wins else nothing,
    )


def row_loss(label: Labels, probability: Floats) -> Floats:
    """Negative log-likelihood of each row."""
    loss: Floats = -np.where(label, np.log(probability), np.log1p(-probability))
    return loss


def area_under_curve(label: Labels, score: Floats) -> float:
    """Area under the ROC curve from ranks, ties counted half; NaN with one outcome only."""
    wins = int(label.sum())
    others = len(label) - wins
    if not wins or not others:
        return float("nan")
    return float((rankdata(score)[label].sum() - wins * (wins + 1) / 2) / (wins * others))


def lift(label: Labels, score: Floats, share: float) -> float:
    """Rate of wins among the best `share` of the rows over the overall rate; tied rows are taken in proportion."""
    wanted = share * len(score)
    cut = np.sort(score)[::-1][max(0, int(np.ceil(wanted)) - 1)]
    above, tied = score > cut, score == cut
    part = (wanted - above.sum()) / tied.sum()
    found = label[above].sum() + part * label[tied].sum()
    return float(found / wanted / label.mean())


def reliability(label: Labels, probability: Floats, bins: int = _BINS) -> list[tuple[float, float, int]]:
    """Mean probability, share of wins and number of rows in bins of equal size, ascending."""
    order = np.argsort(probability, kind="stable")
    return [
        (float(probability[rows].mean()), float(label[rows].mean()), len(rows))
        for rows in np.array_split(order, bins)
        if len(rows)
    ]


def calibration_error(label: Labels, probability: Floats) -> float:
    """Mean distance between probability and share of wins over the bins, weighted by rows."""
    parts = reliability(label, probability)
    return sum(abs(chance - share) * rows for chance, share, rows in parts) / len(label)


def calibration_slope(label: Labels, probability: Floats) -> float:
    """Slope of the logistic regression of the outcome on the log-odds; NaN where the log-odds are all the same."""
    log_odds = logit(probability)
    if np.ptp(log_odds) < 1e-12:
        return float("nan")
    return float(fit_line(log_odds, label)[1])


def fit_line(value: Floats, label: Labels) -> Floats:
    """Intercept and slope of a logistic regression on one standardised-inside value, by maximum likelihood.

    A weak pull (a hundredth of a row's worth) keeps separable data finite.
    """
    centre, spread = float(value.mean()), float(value.std()) or 1.0
    x = (value - centre) / spread

    def loss(line: Floats) -> tuple[float, Floats]:
        z = line[0] + line[1] * x
        error = expit(z) - label
        pull = 0.005 * line[1] ** 2
        gradient = np.array([error.sum(), (error * x).sum() + 0.01 * line[1]])
        return float(np.sum(np.logaddexp(0.0, z) - label * z)) + pull, gradient

    start = np.array([logit(np.clip(label.mean(), 1e-6, 1 - 1e-6)), 0.0])
    found = minimize(loss, start, jac=True, method="BFGS").x
    return np.array([found[0] - found[1] * centre / spread, found[1] / spread])


@dataclass(frozen=True)
class Gain:
    """How much lower one log-loss is than another on the same rows, and how sure that is.

    Attributes:
        mean: mean difference a row; above zero the model is better.
        standard_error: clustered by person, since the snapshots of one person stand or fall together.
    """

    mean: float
    standard_error: float

    @property
    def confidence(self) -> float:
        """One-sided chance, by the normal law, that the difference is above zero."""
        if self.standard_error <= 0:
            return 0.5 if self.mean == 0 else float(self.mean > 0)
        return float(norm.cdf(self.mean / self.standard_error))


def gain_over(label: Labels, model: Floats, baseline: Floats, cluster: NDArray[np.int64]) -> Gain:
    """Compare two lists of probabilities row by row; rows of one cluster count as one piece of evidence."""
    clipped = np.clip(model, 1e-9, 1 - 1e-9), np.clip(baseline, 1e-9, 1 - 1e-9)
    difference = row_loss(label, clipped[1]) - row_loss(label, clipped[0])
    mean = float(difference.mean())
    _, position = np.unique(cluster, return_inverse=True)
    sums = np.bincount(position, weights=difference - mean)
    groups = len(sums)
    if groups < 2:
        return Gain(mean, float("inf"))
    variance = float((sums**2).sum()) / len(label) ** 2 * groups / (groups - 1)
    return Gain(mean, float(np.sqrt(variance)))
