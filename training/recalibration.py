"""Move the champion's probabilities to where the base rate has gone since: the same model, another level."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from core.clock import Clock
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from scoring.bundle import ModelBundle
from scoring.grades import Support
from scoring.registry import CHAMPION, DATA_TAG, Registry
from training.canvas import as_png
from training.evaluation import evaluate
from training.plots import reliability_figure
from training.recording import PARENT_TAG, RunRecord, record_run
from training.sentences import Sentences
from training.split import iso
from training.training_set import TrainingSet, load_training_set

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]
Circles = NDArray[np.int64]
# Outcomes of separate people that must have come, or must have been expected, before a level is read from them.
_FEWEST_WINS = 30
# Standard errors by which what came must differ from what was expected. Somebody asks again and again, from cron.
_SURELY = 3.0
# A level is drawn towards none as if that much were usual (standard deviation on the log-odds).
_SPREAD = 0.5
_STEPS = 8


@dataclass(frozen=True)
class Level:
    """What was expected of people, what came of them, and the shift of the log-odds that this speaks for.

    Attributes:
        expected: people, as far as rows of one person are one piece of evidence.
        observed: people with the outcome.
        shift: 0 where the difference is no more than chance explains.
        rows: which rows this was read from, a mask.
    """

    expected: float
    observed: int
    shift: float
    rows: Labels


@dataclass(frozen=True)
class Recalibration:
    """What became of the wish to move the champion's probabilities.

    Attributes:
        version: the one that answers now; the `former` one where nothing changed.
        expected: people with the outcome, by what the champion said of rows that it did not learn from.
        observed: people who had it.
        shift: added to the log-odds; 0 where nothing changed.
        why: in words.
    """

    model: ModelName
    version: str
    former: str
    expected: float
    observed: int
    shift: float
    why: str

    @property
    def changed(self) -> bool:
        """Whether another version answers from now on."""
        return self.version != self.former


def recalibrate_champion(settings: Settings, workspace: Workspace, model: ModelName, *, clock: Clock) -> Recalibration:
    """Hold what the champion said against the outcomes that have settled since, and move its level if they differ.

    Order, percentiles and reasons stay as they are; the moved model is a version of its own, so that `rollback` undoes
    it and old scores can still be replayed. It counts as developed on the outcomes it was moved by: no outcome moves a
    level twice.

    Args:
        settings: the configuration.
        workspace: features must have been built and applied.
        model: for example `lead`.
        clock: dates the run in the registry.

    Raises:
        NotFoundError: the model has no champion.
        ContractError: the champion reads other features than those configured now.
        MissingStageError: the tables or features are missing.
    """
    registry, say = Registry(settings, workspace), Sentences(settings.locale, model)
    champion = registry.named(model, CHAMPION)
    data = load_training_set(settings, workspace, model)
    champion.check(data.schema)
    bundle = champion.bundle
    since = data.take(data.time >= data.moment_after(bundle))
    if not len(since):
        return Recalibration(model, champion.version, champion.version, 0.0, 0, 0.0, say("nothing_settled"))
    margin = bundle.predict_margin(bundle.encode(since.features))
    found = level_of(bundle.calibrator.log_odds(margin), since.outcomes.label, since.time, since.circle)
    counted = {"since": iso(since.time[found.rows].min())[:10], "observed": found.observed}
    told = say("moved" if found.shift else "level_holds", expected=f"{found.expected:.0f}", **counted)
    same = Recalibration(model, champion.version, champion.version, found.expected, found.observed, found.shift, told)
    if not found.shift:
        return same
    moved = _moved(bundle, found.shift, since)
    record = _record(registry, champion.version, same, moved, since.take(found.rows), margin[found.rows], bundle)
    version = record_run(registry, model, record, moved, CHAMPION, clock=clock)
    return replace(same, version=version or champion.version)


def level_of(log_odds: Floats, label: Labels, time: NDArray[np.datetime64], circle: Circles) -> Level:
    """The level of the newest half of the rows if that differs for sure from what was said, else that of all rows.

    Args:
        log_odds: said of rows before their outcome came.
        label: their outcomes.
        time: their moments.
        circle: rows with equal numbers are one piece of evidence.
    """
    everything = np.ones(len(label), dtype=np.bool_)
    halves = (time > np.sort(time)[(len(time) - 1) // 2], everything)
    found = [_level(log_odds, label, circle, rows) for rows in halves if rows.any()]
    return next((level for level in found if level.shift), found[-1])


def _level(log_odds: Floats, label: Labels, circle: Circles, rows: Labels) -> Level:
    said, won = log_odds[rows], label[rows]
    number = np.unique(circle[rows], return_inverse=True)[1]
    observed = len(np.unique(number[won]))
    # Rows that repeat a win say it once.
    weight = observed / int(won.sum()) if observed else 1.0
    surplus = np.bincount(number, won - expit(said))
    expected = weight * float(expit(said).sum())
    error = float(np.sqrt((surplus**2).sum()))
    if max(expected, observed) < _FEWEST_WINS or abs(surplus.sum()) <= _SURELY * error:
        return Level(expected, observed, 0.0, rows)
    shift = 0.0
    for _ in range(_STEPS):
        chance = expit(said + shift)
        pull = weight * float(np.sum(won - chance)) - shift / _SPREAD**2
        shift += pull / (weight * float(np.sum(chance * (1 - chance))) + 1 / _SPREAD**2)
    return Level(expected, observed, float(shift), rows)


def _moved(bundle: ModelBundle, shift: float, since: TrainingSet) -> ModelBundle:
    support = Support(tuple(value + shift for value in bundle.support.log_odds), bundle.support.people)
    return replace(
        bundle,
        calibrator=bundle.calibrator.shifted(shift),
        support=support,
        trained_until=iso(since.time.max()),
    )


def _record(
    registry: Registry,
    former: str,
    told: Recalibration,
    moved: ModelBundle,
    rows: TrainingSet,
    margin: Floats,
    bundle: ModelBundle,
) -> RunRecord:
    """What is kept: the measures before and after on the rows that the level was read from, and their pictures."""
    label = rows.outcomes.label
    before, after = bundle.calibrator.probability(margin), moved.calibrator.probability(margin)
    metrics = {"rows": float(len(label)), "shift": told.shift}
    for name, chance in (("before", before), ("after", after)):
        quality = evaluate(label, chance)
        metrics |= {f"logloss_{name}": quality.logloss, f"expected_observed_{name}": quality.expected_observed}
    tags = {
        "model": told.model,
        "promotion": "promoted",
        "why": told.why,
        "features": bundle.schema_fingerprint,
        "service": bundle.service,
    }
    made_by = {DATA_TAG: registry.learned_from(told.model, former), PARENT_TAG: registry.run_of(told.model, former)}
    tags |= {name: value for name, value in made_by.items() if value is not None}
    return RunRecord(
        params={"recalibrated_version": former},
        metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
        tags=tags,
        files={
            "plots/reliability_before.png": as_png(reliability_figure(label, before)),
            "plots/reliability_after.png": as_png(reliability_figure(label, after)),
        },
        example=rows.X.head(3),
    )
