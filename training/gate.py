"""Two judgements on a new model: is it worth using, and does it become champion."""

import math
from dataclasses import dataclass
from typing import Literal

from core.model_settings import ModelName, PromotionSettings
from training.evaluation import Gain, Quality
from training.sentences import Language, Sentences

Verdict = Literal["use", "keep", "do_not_use"]
Promotion = Literal["promoted", "kept", "refused"]
# One-sided confidence from which on a difference is called clear.
CLEARLY = 0.95


@dataclass(frozen=True)
class Judgement:
    """What was decided, and why in words."""

    verdict: Verdict
    promotion: Promotion
    why: str


@dataclass(frozen=True)
class Evidence:
    """What the gate looks at, all of it from the test part.

    Attributes:
        quality: of the model.
        positives: positive rows in the test part.
        over_base_rate: log-loss gained over the base rate.
        over_points: log-loss gained over the points rules.
        points_name: what the rules are called.
        champion_logloss: of the present champion on the same rows; None where there is none that could answer them.
        same_as_champion: the new model is the champion, trained again on the same data.
    """

    quality: Quality
    positives: int
    over_base_rate: Gain
    over_points: Gain
    points_name: str
    champion_logloss: float | None = None
    same_as_champion: bool = False


def judge(evidence: Evidence, rules: PromotionSettings, model: ModelName, language: Language) -> Judgement:
    """Verdict and promotion, with sentences that somebody in sales understands."""
    say = Sentences(language, model)
    verdict, reason = _verdict(evidence, say)
    faults = _faults(evidence, rules, say)
    if verdict == "do_not_use" or faults:
        return Judgement(verdict, "refused", say.join(reason, *faults))
    if evidence.same_as_champion:
        return Judgement(verdict, "promoted", say.join(reason, say("same")))
    if evidence.champion_logloss is not None:
        ratio = evidence.quality.logloss / evidence.champion_logloss
        if ratio > rules.max_worse_logloss:
            worse = say("champion_better", percent=f"{100 * (ratio - 1):.1f}")
            return Judgement("keep" if verdict == "use" else verdict, "kept", say.join(reason, worse))
    return Judgement(verdict, "promoted", reason)


def too_little(key: str, model: ModelName, language: Language, **values: object) -> Judgement:
    """The judgement where there is not enough to train or to test on; `key` names the sentence that says what."""
    say = Sentences(language, model)
    return Judgement("do_not_use", "refused", say.join(say(key, **values), say("nothing_predicted")))


def _verdict(evidence: Evidence, say: Sentences) -> tuple[Verdict, str]:
    quality = evidence.quality
    if evidence.over_base_rate.confidence < CLEARLY or math.isnan(quality.auc):
        return "do_not_use", say("not_better_than_chance", positives=evidence.positives)
    words = {"lift": f"{quality.lift_at_10:.1f}", "rules": say(f"rules_{evidence.points_name}")}
    if evidence.over_points.confidence >= CLEARLY:
        return "use", say("better", **words)
    if evidence.over_points.confidence <= 1 - CLEARLY:
        return "do_not_use", say("points_better", **words)
    return "keep", say("points_as_good", **words)


def _faults(evidence: Evidence, rules: PromotionSettings, say: Sentences) -> list[str]:
    quality = evidence.quality
    faults = []
    if evidence.positives < rules.min_positives:
        faults.append(say("few_wins", positives=evidence.positives, needed=rules.min_positives))
    if not quality.auc >= rules.min_auc:
        faults.append(say("weak_ranking", found=f"{100 * quality.auc:.0f}", needed=f"{100 * rules.min_auc:.0f}"))
    if not quality.ece <= rules.max_ece:
        faults.append(say("badly_calibrated", found=f"{100 * quality.ece:.1f}", needed=f"{100 * rules.max_ece:.1f}"))
    return faults
