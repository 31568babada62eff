"""The trained parts put together as what answers: with the distributions that scores are measured against."""

import math

import numpy as np
import pyarrow as pa

from core.model_settings import ModelName
from core.settings import Settings
from scoring.bundle import ModelBundle, Reference, split_by_kind
from scoring.encoding import encode
from scoring.grades import Support, freeze_reference
from training.estimator import LeadScorer
from training.experience import experience_of
from training.spine import Spine
from training.split import TimeSplit, iso
from training.training_set import TrainingSet

# A reference of fewer people gives no percentile worth the name; the test part stands in.
_MIN_REFERENCE = 100
# TreeSHAP for the reference: a sample of this size fixes quartiles of fit and engagement well enough.
_REFERENCE_SAMPLE = 5000


def bundle_of(
    settings: Settings, model: ModelName, data: TrainingSet, today: pa.Table, split: TimeSplit, scorer: LeadScorer
) -> ModelBundle:
    """The model with its contract; the reference people are today's, or the test part's where those are too few."""
    schema, spine = data.schema, data.outcomes
    people = today if today.num_rows >= _MIN_REFERENCE else data.features.filter(pa.array(split.later.rows))
    matrix = encode(people, scorer.columns_)
    step = max(1, math.ceil(len(matrix) / _REFERENCE_SAMPLE))
    contributions = scorer.calibrator_.contributions(scorer.model_.contributions(matrix[::step]))
    fit, engagement = split_by_kind(contributions, schema.features)
    earlier = split.earlier.rows
    learned = encode(data.features.filter(pa.array(earlier)), scorer.columns_)
    person = np.unique(spine.person[earlier], return_inverse=True)[1]
    return ModelBundle(
        model=model,
        service=schema.service,
        schema_fingerprint=schema.fingerprint,
        columns=scorer.columns_,
        calibrator=scorer.calibrator_,
        grades=settings.grades,
        reference=Reference(
            freeze_reference(scorer.model_.margin(matrix)), freeze_reference(fit), freeze_reference(engagement)
        ),
        support=_support(scorer, spine, split),
        experience=experience_of(learned, scorer.columns_, spine.label[earlier], person),
        base_rate=float(spine.label[earlier].mean()),
        horizon_days=settings.models[model].label.horizon_days,
        trained_until=iso(spine.as_of[earlier].max()),
        additive=scorer.model_,
    )


def _support(scorer: LeadScorer, spine: Spine, split: TimeSplit) -> Support:
    """Of each held-out person the log-odds of the newest row: what experience the model has of people like that."""
    rows = np.flatnonzero(split.earlier.rows)[scorer.held_out_.rows]
    log_odds = scorer.calibrator_.log_odds(scorer.held_out_.margin)
    newest_first = np.lexsort((spine.person[rows], -spine.as_of[rows].astype(np.int64)))
    _, first = np.unique(spine.person[rows][newest_first], return_index=True)
    return Support(freeze_reference(log_odds[newest_first][first]), len(first))
