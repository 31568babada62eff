"""What a model learns from: the rows of the spine with the features that were known at each of their moments."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from core.errors import EvidenceError
from core.model_settings import ModelName
from core.settings import Settings
from core.source_settings import Label
from core.storage import Workspace
from features.catalog import ServiceSchema, service_of, service_schema
from features.retrieval import historical_features
from scoring.bundle import ModelBundle
from training.spine import Spine, build_spine, scoring_moments
from training.split import gap_of, split_off_newest


@dataclass(frozen=True, repr=False)
class TrainingSet:
    """Mature rows, one for each person and as-of moment, as scikit-learn takes them.

    Attributes:
        schema: the features, in the order of the columns of `X`.
        outcomes: who, at which moment, and what came of it.
        features: customer_id, as_of and the features, in the order of `outcomes`.
        test_share: part of the moments that the configuration keeps for judging.
        gap: time between the earlier and the later part.
    """

    schema: ServiceSchema
    outcomes: Spine
    features: pa.Table
    test_share: float
    gap: timedelta

    @cached_property
    def X(self) -> pd.DataFrame:  # noqa: N802  # the name that scikit-learn calls it by
        """The features alone, shape (rows, features): numbers (NaN: not known) and categories."""
        frame: pd.DataFrame = self.features.select(list(self.schema.names)).to_pandas(
            categories=[feature.name for feature in self.schema.features if feature.type == "category"]
        )
        return frame

    @cached_property
    def y(self) -> pd.Series:
        """Whether the outcome (for the lead model: a deal won) came within the horizon after as_of, shape (rows,)."""
        return pd.Series(self.outcomes.label, name="outcome")

    @cached_property
    def spine(self) -> pd.DataFrame:
        """customer_id (as known then), as_of (UTC), person (today's id), label, outcome_id, outcome_at and circle."""
        frame: pd.DataFrame = self.outcomes.table.to_pandas()
        return frame

    @property
    def time(self) -> NDArray[np.datetime64]:
        """Each row's as-of moment in UTC, for `LeadScorer.fit`."""
        return self.outcomes.as_of

    @property
    def circle(self) -> NDArray[np.int64]:
        """Rows with equal numbers share people, deals or accounts, and belong on one side of any division."""
        return self.outcomes.circle

    @property
    def fingerprint(self) -> str:
        """A hash over spine and feature values; a training run records the one that it learned from."""
        return _content_hash(self.outcomes.table, self.features)

    def catalog(self) -> pd.DataFrame:
        """The features one a row: name, view, type, kind, subject, window_days, and what they are called (ja, en)."""
        return pd.DataFrame(
            {
                "name": feature.name,
                "view": feature.view,
                "type": feature.type,
                "kind": feature.kind,
                "subject": feature.subject,
                "window_days": feature.window_days,
                **_both(feature.label),
            }
            for feature in self.schema.features
        ).astype({"window_days": "Int64"})

    def split(self, test_share: float | None = None) -> tuple["TrainingSet", "TrainingSet"]:
        """An earlier and a later part by time; the rows in the gap between them belong to neither.

        Args:
            test_share: part of the as-of moments that is later; default: the configuration's.

        Raises:
            EvidenceError: the history is too short to leave anything before the gap.
        """
        parts = split_off_newest(self.outcomes.as_of, test_share or self.test_share, self.gap)
        return self.take(parts.earlier.rows), self.take(parts.later.rows)

    def unseen_by(self, bundle: ModelBundle) -> "TrainingSet":
        """The later part as far as the model cannot have learned from it: a gap after all that it was developed on.

        Raises:
            EvidenceError: the model was developed on newer data than that.
        """
        _, later = self.split()
        unseen = later.take(later.time >= later.moment_after(bundle))
        if len(unseen) == 0:
            until = bundle.trained_until[:10]
            raise EvidenceError(
                f"the model was developed on rows up to {until}, and all later outcomes hang on those",
                f"outcomes that begin {self.gap.days} days after that",
                "wait for them, or train the model again",
            )
        return unseen

    def moment_after(self, bundle: ModelBundle) -> np.datetime64:
        """The first moment whose outcome hangs on nothing that the model was developed on."""
        until = datetime.fromisoformat(bundle.trained_until).astimezone(UTC).replace(tzinfo=None)
        return np.datetime64(until + self.gap)

    def take(self, rows: NDArray[np.bool_]) -> "TrainingSet":
        """The chosen rows, numbered anew."""
        mask = pa.array(np.asarray(rows, dtype=np.bool_))
        outcomes = Spine(self.outcomes.table.filter(mask), self.outcomes.maturity, self.outcomes.dropped_settled)
        return TrainingSet(self.schema, outcomes, self.features.filter(mask), self.test_share, self.gap)

    def __len__(self) -> int:
        return int(self.features.num_rows)

    def __repr__(self) -> str:
        return (
            f"TrainingSet: {len(self):,} rows, {int(self.outcomes.label.sum()):,} of them positive, "
            f"settled after {self.outcomes.maturity.days} days; "
            f"{len(self.schema.features)} features of {self.schema.service}"
        )


def load_training_set(settings: Settings, workspace: Workspace, model: ModelName) -> TrainingSet:
    """The rows that `model` is trained and judged on.

    Args:
        settings: the configuration.
        workspace: features must have been built for the spine, and applied.
        model: for example `lead`.

    Raises:
        ConfigurationError: the configured gap is shorter than outcomes take to settle.
        ContractError: features are not those that the configuration describes, or were built for other moments.
        MissingStageError: the tables or features are missing.
    """
    return _load(settings, workspace, model, today=False)[0]


def load_with_today(settings: Settings, workspace: Workspace, model: ModelName) -> tuple[TrainingSet, pa.Table]:
    """The same, and the rows of those who are to be scored now, in one question to Feast, which takes long to put.

    Raises:
        As `load_training_set`.
    """
    return _load(settings, workspace, model, today=True)


def _load(settings: Settings, workspace: Workspace, model: ModelName, *, today: bool) -> tuple[TrainingSet, pa.Table]:
    rules = settings.models[model]
    gap = gap_of(rules.split, timedelta(days=rules.label.maturity_days))
    schema = service_schema(settings, service_of(model))
    outcomes = build_spine(settings, workspace, model)
    past = outcomes.moments
    now = scoring_moments(settings, workspace, model) if today else past.schema.empty_table()
    rows = historical_features(settings, workspace, schema.service, pa.concat_tables([past, now]))
    learned = rows.slice(0, past.num_rows)
    return TrainingSet(schema, outcomes, learned, rules.split.test_share, gap), rows.slice(past.num_rows)


def _both(label: Label) -> dict[str, str]:
    return {"label_ja": label.ja, "label_en": label.en}


def _content_hash(*tables: pa.Table) -> str:
    """A hash over the values: equal content gives an equal hash, however it lies in memory."""
    digest = hashlib.sha256()
    for table in tables:
        for name in table.column_names:
            values = table[name]
            digest.update(name.encode())
            if pa.types.is_string(values.type):
                digest.update("\x00".join(value or "" for value in values.to_pylist()).encode())
            else:
                whole = values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values
                digest.update(np.ascontiguousarray(whole.cast(pa.float64()).to_numpy()).tobytes())
    return digest.hexdigest()[:16]
