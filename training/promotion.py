"""Let a version that was kept beside the champion answer, if it passes the gate today; or go back to the one before."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from core.errors import ContractError, EvidenceError
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import service_of, service_schema
from scoring.registry import CHALLENGER, CHAMPION, Registered, Registry
from training.evaluation import evaluate, gain_over
from training.gate import Evidence, Judgement, Promotion, judge
from training.gate_rules import gate_rules
from training.leakage import LeakReport
from training.resampling import intervals
from training.sentences import Sentences
from training.train import examine
from training.training_set import TrainingSet, load_training_set


@dataclass(frozen=True)
class PromotionResult:
    """What became of the wish to promote a version, or to go back.

    Attributes:
        version: the one that was asked about.
        champion: the one that answers now, "-" without one.
        former: the one that answered before, "-" without one.
        promotion: `promoted`, or `kept` and `refused`, where nothing changed.
        why: in words.
    """

    model: str
    version: str
    champion: str
    former: str
    promotion: Promotion
    why: str


def promote_version(
    settings: Settings, workspace: Workspace, model: ModelName, version: str = CHALLENGER
) -> PromotionResult:
    """Ask the gate about a registered version, on the newest settled outcomes, and let it answer if it passes.

    Args:
        settings: the configuration; with `mlflow/gates.yaml` it says what must be shown.
        workspace: features must have been built and applied.
        model: for example `lead`.
        version: a number, or an alias.

    Raises:
        NotFoundError: there is no such version.
        MissingStageError: the tables or features are missing.
    """
    registry = Registry(settings, workspace)
    candidate, champion = registry.named(model, version), registry.find(model, CHAMPION)
    former = champion.version if champion is not None else "-"
    judgement = _judged(settings, workspace, model, candidate, champion)
    if judgement.promotion != "promoted":
        return PromotionResult(model, candidate.version, former, former, judgement.promotion, judgement.why)
    registry.crown(model, candidate.version)
    return PromotionResult(model, candidate.version, candidate.version, former, "promoted", judgement.why)


def roll_back(settings: Settings, workspace: Workspace, model: ModelName) -> PromotionResult:
    """Let the champion before the present one answer again; it passed the gate when it was promoted.

    Raises:
        NotFoundError: there was none before.
        ContractError: the former champion reads other features than those configured now.
    """
    registry = Registry(settings, workspace)
    history = registry.champions(model)
    if len(history) > 1:
        registry.load(model, history[-2]).check(service_schema(settings, service_of(model)))
    left, back = registry.uncrown(model)
    say = Sentences(settings.locale, model)
    return PromotionResult(model, back, back, left, "promoted", say("rolled_back", version=back, left=left))


def _judged(
    settings: Settings, workspace: Workspace, model: ModelName, candidate: Registered, champion: Registered | None
) -> Judgement:
    say, rules = Sentences(settings.locale, model), gate_rules(settings, model)
    schema = service_schema(settings, service_of(model))
    try:
        candidate.bundle.check(schema)
    except ContractError as error:
        return Judgement("do_not_use", "refused", say("other_features", fault=error.found))
    data = load_training_set(settings, workspace, model)
    try:
        unseen = data.unseen_by(candidate.bundle)
    except EvidenceError as error:
        return Judgement("do_not_use", "refused", error.sentence)
    evidence = _evidence(settings, model, unseen, candidate, champion, examine(settings, data, model))
    return judge(evidence, rules, model, settings.locale)


def _evidence(
    settings: Settings,
    model: ModelName,
    unseen: TrainingSet,
    candidate: Registered,
    champion: Registered | None,
    leaks: LeakReport,
) -> Evidence:
    """Measures on rows that the candidate was not developed on, and beside the champion on those new to both."""
    label, rows = unseen.outcomes.label, unseen.features
    said = candidate.bundle.predict_probability(candidate.bundle.encode(rows))
    cluster = np.unique(unseen.outcomes.person, return_inverse=True)[1]
    over_base_rate = gain_over(label, said, np.full(len(label), candidate.bundle.base_rate), cluster)
    own = champion_loss = None
    if champion is not None and champion.version != candidate.version:
        try:
            champion.check(unseen.schema)
        except ContractError:
            pass
        else:
            fair = unseen.time >= unseen.moment_after(champion.bundle)
            chosen = fair if label[fair].any() else np.ones(len(label), dtype=np.bool_)
            matrix = champion.bundle.encode(rows.filter(pa.array(chosen)))
            own = evaluate(label[chosen], said[chosen]).logloss
            champion_loss = evaluate(label[chosen], champion.bundle.predict_probability(matrix)).logloss
    return Evidence(
        quality=evaluate(label, said),
        positives=int(label.sum()),
        over_base_rate=over_base_rate,
        over_rival=over_base_rate,
        rival="none",
        intervals=intervals(label, said, cluster, settings.models[model].evaluation.resamples),
        leaks=leaks.strong,
        logloss=own,
        champion_logloss=champion_loss,
        same_as_champion=champion is not None and champion.version == candidate.version,
    )
