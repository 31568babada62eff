"""Verdict and promotion are two statements."""

from dataclasses import replace

import pyarrow as pa
import pytest

from core.errors import ConfigurationError
from core.model_settings import PointsRule, PromotionSettings
from core.source_settings import Label
from features.catalog import Feature
from training.baselines import points_rules
from training.evaluation import Gain, Quality
from training.gate import Evidence, judge, too_little

GOOD = Evidence(
    Quality(0.8, 0.2, 0.10, 0.02, 0.01, 4.0, 1.0, 1.0),
    positives=100,
    over_base_rate=Gain(0.02, 0.002),
    over_rival=Gain(0.01, 0.002),
    rival="generic",
)
RULES = PromotionSettings()


def test_a_clearly_better_model_is_used_and_promoted() -> None:
    judgement = judge(GOOD, RULES, "lead", "en")
    assert (judgement.verdict, judgement.promotion) == ("use", "promoted")
    assert "4.0 times" in judgement.why


@pytest.mark.parametrize(
    ("change", "verdict", "promotion"),
    [
        ({"over_base_rate": Gain(0.002, 0.002)}, "do_not_use", "refused"),
        ({"over_rival": Gain(0.001, 0.002)}, "keep", "promoted"),
        ({"over_rival": Gain(-0.01, 0.002)}, "do_not_use", "refused"),
        ({"positives": 39}, "use", "refused"),
        ({"quality": replace(GOOD.quality, auc=0.54)}, "use", "refused"),
        ({"quality": replace(GOOD.quality, ece=0.051)}, "use", "refused"),
        ({"champion_logloss": 0.10}, "use", "promoted"),
        ({"champion_logloss": 0.099}, "use", "promoted"),
        ({"champion_logloss": 0.097}, "keep", "kept"),
        ({"champion_logloss": 0.10, "same_as_champion": True}, "use", "promoted"),
    ],
)
@pytest.mark.parametrize("language", ["ja", "en"])
def test_each_shortcoming(change: dict[str, object], verdict: str, promotion: str, language: str) -> None:
    judgement = judge(replace(GOOD, **change), RULES, "lead", language)  # type: ignore[arg-type]  # parametrised
    assert (judgement.verdict, judgement.promotion) == (verdict, promotion)
    assert judgement.why
    assert "nan" not in judgement.why
    assert "{" not in judgement.why


def test_too_little_is_said_with_its_figures() -> None:
    judgement = too_little("few_outcomes", "lead", "en", rows=300, positives=10)
    assert judgement.promotion == "refused"
    assert "300 rows to learn from, 10 of them wins" in judgement.why


def feature(name: str, signal: str | None, days: int | None, kind: str = "int") -> Feature:
    label = Label(ja="x", en="x")
    measure = "count" if days else "value"
    return Feature(name, "engagement", kind, measure, name, label, "engagement", label, window_days=days, signal=signal)  # type: ignore[arg-type]  # parametrised


FEATURES = (
    feature("form_fill_count_7d", "form_fill", 7),
    feature("form_fill_count_30d", "form_fill", 30),
    feature("industry", None, None, "category"),
)


def test_generic_points_count_the_month() -> None:
    rules = points_rules((), FEATURES, "lead")
    assert rules.name == "generic"
    assert [rule.feature for rule in rules.rules] == ["form_fill_count_30d"]


def test_points_add_up_to_their_maximum() -> None:
    rules = points_rules((PointsRule(feature="form_fill_count_7d", points=10, at_most=25),), FEATURES, "lead")
    assert rules.points(pa.table({"form_fill_count_7d": [0, 2, 9, None]})).tolist() == [0, 20, 25, 0]


def test_a_rule_on_nothing_is_refused_with_a_suggestion() -> None:
    wrong = (PointsRule(feature="form_fil_count_7d", points=1), PointsRule(feature="industry", points=1))
    with pytest.raises(ConfigurationError, match=r"2 faults.*did you mean 'form_fill_count_7d'.*category"):
        points_rules(wrong, FEATURES, "lead")
