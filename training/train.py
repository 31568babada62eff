"""Train a model: rows, leakage gate, fit, judgement on later data, and only then registration."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from core.clock import Clock
from core.errors import ContractError, EvidenceError
from core.model_settings import ModelName
from core.progress import Advance, Progress, SilentProgress
from core.settings import Settings
from core.storage import Workspace
from features.catalog import service_of, service_schema
from scoring.bundle import ModelBundle
from scoring.registry import CHALLENGER, CHAMPION, Registered, Registry
from training.availability import declared_availability
from training.backtest import Backtest, backtest
from training.baselines import points_rules
from training.bundling import bundle_of
from training.comparison import Comparison, compare_on_later, working_capacity
from training.estimator import scorer_of
from training.evaluation import evaluate
from training.gate import Evidence, Judgement, judge, too_little
from training.gate_rules import gate_rules
from training.leakage import LeakReport, find_leaks
from training.recording import record_run, record_stop
from training.result import TrainingResult, measured, without_model
from training.run_record import run_record, stop_record
from training.saved_sets import keep_training_set
from training.split import TimeSplit, gap_of, split_off_newest
from training.training_set import TrainingSet, load_with_today

_STEPS = 8


def train_model(
    settings: Settings, workspace: Workspace, model: ModelName, *, clock: Clock, progress: Progress | None = None
) -> TrainingResult:
    """Develop a model on the earlier outcomes, judge it on the later ones, and let it answer if it deserves that.

    The parts, by as-of moment: development | gap of a horizon | test. Inside the development part a later calibration
    part is divided off in the same way where it holds enough wins; else calibration is read from folds of people who
    share no outcome (`training.estimator`), so that a short history still gives honest probabilities. The model that is
    registered is the one that was tested.

    With too little evidence, or with strong evidence that a feature knows the outcome, nothing is registered and
    nothing fails: the result says so, and the former champion goes on.

    Args:
        settings: the configuration.
        workspace: features must have been built for the spine and for the scoring moments, and applied.
        model: for example `lead`.
        clock: dates the run in the registry.
        progress: shows the steps.

    Raises:
        ConfigurationError: a gap shorter than the horizon, or a points rule on a feature that does not exist.
        ContractError: features are not those that the configuration describes.
        MissingStageError: the tables or features are missing.
    """
    as_of, generation = workspace.as_of(), workspace.current("features").name
    with (progress or SilentProgress()).task(f"train {model}", _STEPS) as advance:
        result = _train(settings, workspace, model, clock, advance)
    return replace(result, as_of=as_of, generation=generation)


def _train(
    settings: Settings, workspace: Workspace, model: ModelName, clock: Clock, advance: Advance
) -> TrainingResult:
    rules, language = settings.models[model], settings.locale
    schema = service_schema(settings, service_of(model))
    points = points_rules(rules.points, schema.features, model)
    gap = gap_of(rules.split, timedelta(days=rules.label.maturity_days))
    registry = Registry(settings, workspace)

    data, today = load_with_today(settings, workspace, model)
    advance(2)
    leaks = examine(settings, data, model)
    if leaks.strong and gate_rules(settings, model).forbid_leaks:
        lines = leaks.lines(language)
        judgement = Judgement("do_not_use", "refused", " ".join(lines))
        stopped = without_model(data.outcomes, judgement, leaks.strong, lines)
        record_stop(registry, model, stop_record(settings, workspace, model, stopped, leaks), clock=clock)
        return stopped
    advance()

    try:
        split = split_off_newest(data.time, rules.split.test_share, gap)
    except EvidenceError:
        return without_model(data.outcomes, too_little("short_history", model, language, days=gap.days))
    development = data.take(split.earlier.rows)
    scorer = scorer_of(rules.estimator, rules.split, gap)
    scorer.fit(
        development.features.select(schema.names), development.outcomes.label, development.time, development.circle
    )
    if scorer.verdict_ == "insufficient":
        counted = {"rows": len(development), "positives": int(development.outcomes.label.sum())}
        return without_model(data.outcomes, too_little("few_outcomes", model, language, **counted))
    advance()

    if not data.outcomes.label[split.later.rows].any():
        return without_model(data.outcomes, too_little("no_test_wins", model, language))
    people = working_capacity(workspace, rules.evaluation)
    test = compare_on_later(data, split, scorer, points, rules.evaluation, people)
    advance()
    past = backtest(development, rules.estimator, scorer.rounds_, rules.evaluation.cut_offs, rules.estimator.seed)
    advance()

    bundle = bundle_of(settings, model, data, today, split, scorer)
    champion = registry.find(model, CHAMPION)
    evidence = gather_evidence(data, split, bundle, test, past, leaks, champion)
    judgement = judge(evidence, gate_rules(settings, model), model, language)
    result = measured(data.outcomes, split, scorer, test, past, leaks, judgement, language)
    result = replace(result, data=data.fingerprint)
    advance()
    record = run_record(settings, workspace, model, result, test, past, leaks, bundle, data)
    alias = {"promoted": CHAMPION, "kept": CHALLENGER, "refused": None}[judgement.promotion]
    if alias is not None:
        # Before there is a version that names it.
        keep_training_set(settings, workspace, model, data)
    version = record_run(registry, model, record, bundle, alias, clock=clock)
    advance()
    return replace(result, version=version or "-")


def examine(settings: Settings, data: TrainingSet, model: ModelName) -> LeakReport:
    """Hold the training set's features against the outcome, by what was declared of them and by what they look like."""
    try:
        return find_leaks(
            data.features.select(list(data.schema.names)),
            data.outcomes.label,
            data.time,
            availability=declared_availability(settings, data.schema),
            circle=data.circle,
            person=data.outcomes.person,
            trusted=settings.models[model].leakage.trusted,
        )
    except EvidenceError:
        # Too few outcomes to tell; nothing is trained on so few either.
        return LeakReport()


def gather_evidence(
    data: TrainingSet,
    split: TimeSplit,
    bundle: ModelBundle,
    test: Comparison,
    past: Backtest,
    leaks: LeakReport,
    champion: Registered | None,
) -> Evidence:
    """All that the gate looks at; the champion is measured on rows that it cannot have learned from either."""
    own = champion_loss = None
    if champion is not None and _reads_the_same(champion, data):
        later = data.take(split.later.rows)
        unseen = later.time >= later.moment_after(champion.bundle)
        # A champion that was developed on later rows is compared on all of them: to its advantage, never to ours.
        chosen = unseen if later.outcomes.label[unseen].any() else np.ones(len(later), dtype=np.bool_)
        rows, label = later.features.filter(pa.array(chosen)), later.outcomes.label[chosen]
        own = evaluate(label, test.probability[chosen]).logloss
        champion_loss = evaluate(label, champion.bundle.predict_probability(champion.bundle.encode(rows))).logloss
    rival = test.rival
    return Evidence(
        quality=test.quality,
        positives=int(test.label.sum()),
        over_base_rate=test.gains["base_rate"],
        over_rival=test.gains[rival],
        rival=test.points_name if rival == "points" else rival,
        intervals=test.intervals,
        past=past,
        leaks=leaks.strong,
        logloss=own,
        champion_logloss=champion_loss,
        same_as_champion=champion is not None and champion.bundle.content == bundle.content,
    )


def _reads_the_same(champion: Registered, data: TrainingSet) -> bool:
    """Whether the champion could answer the rows at all."""
    try:
        champion.check(data.schema)
    except ContractError:
        return False
    return True
