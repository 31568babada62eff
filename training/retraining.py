"""Whether a model should be trained anew: its term is over, the people have changed, or much has come of them since."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from core.errors import ContractError
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import service_of, service_schema
from features.retrieval import historical_features
from scoring.registry import CHAMPION, Registered, Registry
from training.recording import last_tried
from training.run_record import AS_OF_TAG
from training.sentences import Sentences
from training.spine import build_spine, scoring_moments

Floats = NDArray[np.float64]
_BINS = 10
# A bin that nobody is in counts as half a person, so that the index stays finite.
_HALF = 0.5


@dataclass(frozen=True)
class Need:
    """Whether there is a reason to train.

    Attributes:
        reasons: in words; none: nothing needs to be done.
        age_days: of the last training, in the time of the data; NaN where there was none.
        drift: population stability index of today's scores; NaN without a champion that could give them.
        new_outcomes: outcomes that came since, as a share of those before; NaN where nothing was trained.
    """

    reasons: tuple[str, ...]
    age_days: float
    drift: float
    new_outcomes: float


def need_of_training(settings: Settings, workspace: Workspace, model: ModelName) -> Need:
    """Look at term, drift and outcomes of a model against what the configuration allows.

    Raises:
        MissingStageError: the tables or features are missing.
    """
    rules, say = settings.models[model], Sentences(settings.locale, model)
    registry = Registry(settings, workspace)
    champion = registry.find(model, CHAMPION)
    tried = last_tried(registry, model, AS_OF_TAG)
    nothing = float("nan")
    if tried is None:
        return Need((say("never_trained"),), nothing, nothing, nothing)
    reasons = []
    last = datetime.fromisoformat(tried)
    age = (workspace.as_of() - last) / timedelta(days=1)
    if age >= rules.retrain_after_days:
        reasons.append(say("term_over", days=f"{age:.0f}", allowed=rules.retrain_after_days))
    drift = nothing
    if champion is not None:
        try:
            champion.check(service_schema(settings, service_of(model)))
        except ContractError as error:
            reasons.append(error.sentence)
        else:
            drift = _drift(settings, workspace, model, champion)
            if drift > rules.retrain.max_drift:
                reasons.append(say("drifted", found=f"{drift:.2f}", allowed=f"{rules.retrain.max_drift:.2f}"))
    share = _new_outcomes(settings, workspace, model, last)
    if share >= rules.retrain.new_outcomes:
        reasons.append(say("much_came", percent=f"{100 * share:.0f}"))
    return Need(tuple(reasons), age, drift, share)


def stability_index(expected: Floats, found: Floats) -> float:
    """Population stability index over ten groups of equal size of `expected`; 0 is equal, above 0.25 is another world.

    >>> values = np.arange(1000.0)
    >>> round(stability_index(values, values), 3), stability_index(values, values + 500) > 1
    (0.0, True)
    """
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = []
    for values in (expected, found):
        rows = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1).astype(np.float64)
        shares.append(np.maximum(rows, _HALF) / max(1, len(values)))
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def _drift(settings: Settings, workspace: Workspace, model: ModelName, champion: Registered) -> float:
    """Today's raw margins against the people that the champion's percentiles stand for."""
    bundle = champion.bundle
    people = historical_features(settings, workspace, bundle.service, scoring_moments(settings, workspace, model))
    if not people.num_rows:
        return float("nan")
    return stability_index(np.asarray(bundle.reference.margin), bundle.predict_margin(bundle.encode(people)))


def _new_outcomes(settings: Settings, workspace: Workspace, model: ModelName, last: datetime) -> float:
    """Different outcomes that came after `last`, as a share of those before it."""
    table = build_spine(settings, workspace, model).table
    came = {
        row["outcome_id"]: row["outcome_at"]
        for row in table.select(["outcome_id", "outcome_at"]).to_pylist()
        if row["outcome_id"] is not None
    }
    new = sum(moment >= last for moment in came.values())
    return new / (len(came) - new) if len(came) > new else float("nan")
