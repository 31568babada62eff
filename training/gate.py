"""Two judgements on a new model: is it worth using, and does it become champion."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from core.model_settings import ModelName, PromotionSettings
from training.backtest import Backtest
from training.evaluation import Gain, Quality
from training.resampling import Interval
from training.sentences import Language, Sentences

Verdict = Literal["use", "keep", "do_not_use"]
Promotion = Literal["promoted", "kept", "refused"]
# One-sided confidence from which on a difference is called clear.
CLEARLY = 0.95
# A drop needs a mean to fall from.
_LEAST_CUT_OFFS = 3


@dataclass(frozen=True)
class Judgement:
    """What was decided, and why in words."""

    verdict: Verdict
    promotion: Promotion
    why: str


@dataclass(frozen=True)
class Evidence:
    """What the gate looks at, all of it from rows that the model was not developed on.

    Attributes:
        quality: of the model.
        positives: positive rows in the test part.
        over_base_rate: log-loss gained over the base rate.
        over_rival: log-loss gained over the best of what the company could use instead.
        rival: what that is called: `configured`, `generic` or `none` for points rules, or `naive_bayes`.
        intervals: 95 % intervals of calibration slope and expected over observed.
        past: quality at earlier cut-offs.
        leaks: fields with open strong evidence that they know the outcome.
        logloss: of the model on the rows that the champion cannot have learned from either.
        champion_logloss: of the present champion on those; None where there is none that could answer them.
        same_as_champion: the new model is the champion, trained again on the same data.
    """

    quality: Quality
    positives: int
    over_base_rate: Gain
    over_rival: Gain
    rival: str
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    past: Backtest = field(default_factory=Backtest)
    leaks: tuple[str, ...] = ()
    logloss: float | None = None
    champion_logloss: float | None = None
    same_as_champion: bool = False


def judge(evidence: Evidence, rules: PromotionSettings, model: ModelName, language: Language) -> Judgement:
    """Verdict and promotion, with sentences that somebody in sales understands."""
    say = Sentences(language, model)
    verdict, reason = _verdict(evidence, say)
    faults = gate_faults(evidence, rules, say)
    if verdict == "do_not_use" or faults:
        return Judgement(verdict, "refused", say.join(reason, *faults))
    if evidence.same_as_champion:
        return Judgement(verdict, "promoted", say.join(reason, say("same")))
    worse = worse_than_champion(evidence, rules, say)
    if worse is not None:
        return Judgement("keep" if verdict == "use" else verdict, "kept", say.join(reason, worse))
    return Judgement(verdict, "promoted", reason)


def too_little(key: str, model: ModelName, language: Language, **values: object) -> Judgement:
    """The judgement where there is not enough to train or to test on; `key` names the sentence that says what."""
    say = Sentences(language, model)
    return Judgement("do_not_use", "refused", say.join(say(key, **values), say("nothing_predicted")))


def gate_faults(evidence: Evidence, rules: PromotionSettings, say: Sentences) -> list[str]:
    """Every way in which the model does not pass, in words; the champion is not looked at."""
    quality = evidence.quality
    faults = []
    if rules.forbid_leaks and evidence.leaks:
        faults.append(say("leaky", fields=say.enumerate(evidence.leaks)))
    if evidence.positives < rules.min_positives:
        faults.append(say("few_wins", positives=evidence.positives, needed=rules.min_positives))
    if not quality.auc >= rules.min_auc:
        faults.append(say("weak_ranking", found=f"{100 * quality.auc:.0f}", needed=f"{100 * rules.min_auc:.0f}"))
    if not quality.ece <= rules.max_ece:
        faults.append(say("badly_calibrated", found=f"{100 * quality.ece:.1f}", needed=f"{100 * rules.max_ece:.1f}"))
    for name in ("expected_observed", "calibration_slope"):
        low, high = evidence.intervals.get(name, (1.0, 1.0))
        if low > rules.max_calibration_ratio or high < 1 / rules.max_calibration_ratio:
            faults.append(say(f"off_{name}", found=f"{getattr(quality, name):.2f}"))
    drop = _worst_drop(evidence)
    if drop > rules.max_auc_drop:
        faults.append(say("unstable", found=f"{100 * evidence.past.worst_auc:.0f}", points=f"{100 * drop:.0f}"))
    return faults


def worse_than_champion(evidence: Evidence, rules: PromotionSettings, say: Sentences) -> str | None:
    """That the champion is more accurate on the same rows, by more than is allowed; else None."""
    if evidence.champion_logloss is None:
        return None
    own = evidence.quality.logloss if evidence.logloss is None else evidence.logloss
    ratio = own / evidence.champion_logloss
    return say("champion_better", percent=f"{100 * (ratio - 1):.1f}") if ratio > rules.max_worse_logloss else None


def _verdict(evidence: Evidence, say: Sentences) -> tuple[Verdict, str]:
    quality = evidence.quality
    if evidence.over_base_rate.confidence < CLEARLY or math.isnan(quality.auc):
        return "do_not_use", say("not_better_than_chance", positives=evidence.positives)
    words = {"lift": f"{quality.lift_at_10:.1f}", "rules": say(f"rules_{evidence.rival}")}
    if evidence.over_rival.confidence >= CLEARLY:
        return "use", say("better", **words)
    if evidence.over_rival.confidence <= 1 - CLEARLY:
        return "do_not_use", say("points_better", **words)
    return "keep", say("points_as_good", **words)


def _worst_drop(evidence: Evidence) -> float:
    """How far the worst cut-off lies below the mean of the others; 0 with too few of them."""
    areas = sorted(one.auc for one in evidence.past.cut_offs)
    return sum(areas[1:]) / len(areas[1:]) - areas[0] if len(areas) >= _LEAST_CUT_OFFS else 0.0
