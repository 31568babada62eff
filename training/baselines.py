"""What the model must beat: the base rate, and points rules as a marketer would set them."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.special import expit

from core.errors import ConfigurationError, Fault, raise_faults
from core.model_settings import ModelName, PointsRule
from features.catalog import Feature
from training.evaluation import fit_line

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
_WINDOW_DAYS = 30
# What such tools ship with: the nearer to a purchase an action is, the more points it gives.
_GENERIC: tuple[tuple[str, float, float], ...] = (
    ("web_visit", 1, 10),
    ("email_open", 1, 5),
    ("email_click", 3, 15),
    ("form_fill", 10, 30),
    ("webinar", 10, 30),
    ("trade_fair", 10, 20),
    ("sales_call", 10, 30),
    ("sales_meeting", 15, 45),
    ("product_use", 5, 25),
    ("purchase", 10, 30),
    ("pricing_page", 5, 25),
    ("comparison_page", 5, 25),
    ("help_page", 1, 5),
)


@dataclass(frozen=True)
class PointsRules:
    """Rules that add up to a number of points.

    Attributes:
        name: `configured` for the company's own rules, `generic` where it has given none, `none` where no generic rule
            finds a signal to count.
    """

    name: str
    rules: tuple[PointsRule, ...]

    def points(self, table: pa.Table) -> Floats:
        """Points of each row; what is not known gives none."""
        total = np.zeros(table.num_rows)
        for rule in self.rules:
            counted = pc.fill_null(table[rule.feature].cast(pa.float64()), 0.0).to_numpy()
            earned = rule.points * np.nan_to_num(counted)
            total += earned if rule.at_most is None else np.minimum(earned, rule.at_most)
        return total


def points_rules(configured: Sequence[PointsRule], features: Sequence[Feature], model: ModelName) -> PointsRules:
    """The company's rules, or generic ones over the signals that are counted.

    Raises:
        ConfigurationError: a rule names a feature that does not exist or has no number.
    """
    by_name = {feature.name: feature for feature in features}
    if configured:
        faults = [_fault(rule, by_name) for rule in configured]
        place = f"models.{model}.points"
        raise_faults(ConfigurationError, place, [fault for fault in faults if fault], "correct the rule")
        return PointsRules("configured", tuple(configured))
    rules = []
    for signal, points, at_most in _GENERIC:
        counts = [f for f in features if f.signal == signal and f.measure == "count" and f.window_days is not None]
        if counts:
            nearest = min(counts, key=lambda f: (abs((f.window_days or 0) - _WINDOW_DAYS), f.name))
            rules.append(PointsRule(feature=nearest.name, points=points, at_most=at_most))
    return PointsRules("generic" if rules else "none", tuple(rules))


@dataclass(frozen=True)
class PointsScale:
    """Turns points into a probability, so that they can be compared by log-loss: a logistic line."""

    intercept: float
    slope: float

    def probability(self, points: Floats) -> Floats:
        """Chance of a win with so many points."""
        chance: Floats = np.clip(expit(self.intercept + self.slope * points), 1e-9, 1 - 1e-9)
        return chance


def fit_points_scale(points: Floats, label: Labels) -> PointsScale:
    """The line that suits the development rows best; flat where all rows have the same points."""
    if np.ptp(points) == 0:
        rate = float(np.clip(label.mean(), 1e-9, 1 - 1e-9))
        return PointsScale(float(np.log(rate / (1 - rate))), 0.0)
    intercept, slope = fit_line(points, label)
    return PointsScale(float(intercept), float(slope))


def _fault(rule: PointsRule, features: dict[str, Feature]) -> Fault | None:
    found = features.get(rule.feature)
    if found is None:
        close = get_close_matches(rule.feature, sorted(features), n=1)
        return Fault(rule.feature, "is no feature" + (f", did you mean {close[0]!r}?" if close else ""))
    return Fault(rule.feature, "is a category and cannot be counted") if found.type == "category" else None
