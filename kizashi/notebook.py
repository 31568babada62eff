"""The notebook front door: the data and models that the product runs on, as frames, estimators' input and figures."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from core.clock import SystemClock
from core.database import open_database
from core.errors import MissingStageError
from core.logs import configure_logs
from core.settings import load_settings
from core.storage import Workspace
from features.catalog import service_of, service_schema
from features.retrieval import historical_features
from kizashi.launch import QUIET_ENVIRONMENT
from kizashi.notebook_progress import surrounding_progress
from kizashi.notebook_reading import ReadableWorkspace
from kizashi.options import DEFAULT_CONFIG, configured_model
from kizashi.people import find_customer
from kizashi.plots import explanation_figure, importance_figure, scores_figure
from kizashi.texts import Locale
from kizashi.timeline import timeline_figure
from scoring.answers import answers_about
from scoring.reasons import ReasonWriter
from scoring.registry import Registry
from scoring.score import HOT_MODEL
from training.baselines import points_rules
from training.canvas import writable_language
from training.lookalike import rank_alike
from training.plots import gains_figure, reliability_figure
from training.recording import bound_mlflow
from training.result import TrainingResult
from training.train import train_model
from training.training_set import TrainingSet

# People whose contributions fix the mean size of a subject's effect well enough.
_IMPORTANCE_SAMPLE = 2000


def open_workspace(config: str | Path = DEFAULT_CONFIG) -> "OpenWorkspace":
    """Open the workspace of a configuration that was run before.

    Args:
        config: the configuration; a relative path that is not found here is looked for in the folders above, so that
            notebooks in a folder of their own find it. `KIZASHI_HOME` names another workspace, as for all commands.

    Raises:
        ConfigurationError: the configuration is missing or has faults.
        MissingStageError: nothing was run yet.
    """
    for name, value in QUIET_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    configure_logs()
    path = Path(config)
    above = [folder for folder in (Path(), *Path.cwd().parents) if (folder / path).exists()]
    root = above[0] if above else Path()
    settings = load_settings(root / path)
    if "KIZASHI_HOME" not in os.environ:
        settings = settings.model_copy(update={"home": root / settings.home, "real_data": root / settings.real_data})
    workspace = Workspace(settings.home)
    if workspace.manifest("features") is None:
        job = "make demo" if settings.simulate else f"kizashi run --config {config}"
        raise MissingStageError(f"{settings.home} holds no finished run", "one", f"run `{job}` first")
    return OpenWorkspace(settings, workspace)


class OpenWorkspace(ReadableWorkspace):
    """A workspace in a notebook: what `ReadableWorkspace` reads, training and tracking, and pictures."""

    def train(self, model: str) -> TrainingResult:
        """Train, judge and record like `kizashi train`; the model becomes champion if it deserves that.

        Raises:
            BusyError: another command works in the workspace.
        """
        name = configured_model(self.settings, model)
        progress = surrounding_progress(self.settings.locale)
        with self.workspace.lock():
            return train_model(self.settings, self.workspace, name, clock=SystemClock(), progress=progress)

    def find(self, record: Mapping[str, str]) -> pd.DataFrame:
        """Whose record it would be: one that no export holds yet, by field (`email`, `last_name`, `company`, …).

        Returns:
            The people whose it may be, the surest first: customer_id, rule (the shared key, or `similar`),
            probability, and whether the next run would join it.
        """
        from customers.finding import PersonFinder

        found = PersonFinder(self.settings, self.workspace).find(record)
        columns = ["customer_id", "rule", "probability", "joins"]
        return pd.DataFrame([[getattr(one, name) for name in columns] for one in found], columns=columns)

    def lookalike(self, seed: Sequence[str], size: int | None = None) -> pd.DataFrame:
        """Everybody outside the seed by how much they behave like it today, the likest first; visitors included.

        The model `lookalike` (`ws.score("lookalike")`) imitates customers as they were before they were won; this
        ranking imitates any group as it is now.

        Args:
            seed: whom to imitate: customer ids, or `system:id`.
            size: only the best so many; default all.

        Returns:
            customer_id, kind, likeness (0 to 1, comparable within this ranking alone), and what is known of the person.

        Raises:
            EvidenceError: the seed is too small.
            NotFoundError: somebody of the seed is unknown or may not be profiled.
        """
        configured_model(self.settings, "lookalike")
        ids = [find_customer(self.workspace, given) for given in seed]
        ranking = rank_alike(self.settings, self.workspace, ids, size).to_pandas()
        people = self.customers(["customer_id", "kind", "company", "title", "industry"])
        named: pd.DataFrame = ranking.merge(people, on="customer_id", how="left", validate="one_to_one")
        return named

    def mlflow(self, experiment: str = "notebooks") -> ModuleType:
        """The library MLflow, bound to the workspace's tracking store and to an experiment of your own in it."""
        return bound_mlflow(Registry(self.settings, self.workspace), experiment)

    def plot_gains(self, model: str) -> Figure:
        """How many wins the top of the champion's list holds, on rows that it cannot have learned from."""
        rows, chance = self._judged(model)
        name = configured_model(self.settings, model)
        rules = points_rules(self.settings.models[name].points, rows.schema.features, name)
        return gains_figure(rows.outcomes.label, chance, rules.points(rows.features), rules.name)

    def plot_reliability(self, model: str) -> Figure:
        """The champion's probabilities against what happened, on rows that it cannot have learned from."""
        rows, chance = self._judged(model)
        return reliability_figure(rows.outcomes.label, chance)

    def plot_scores(self, model: str, lang: Locale | None = None) -> Figure:
        """How today's probabilities are spread, by grade, with the cut from which a lead is hot."""
        name, spoken = configured_model(self.settings, model), writable_language(self._language(lang))
        answers = self.score(model)
        cuts = self.settings.hot if name == HOT_MODEL else None
        days = self.settings.models[name].label.horizon_days
        return scores_figure(answers[answers["status"] == "ok"], name, cuts, days, spoken)

    def plot_importance(self, model: str, lang: Locale | None = None, top: int = 12) -> Figure:
        """What moves the scores of today's leads most, by subject."""
        name, spoken = configured_model(self.settings, model), writable_language(self._language(lang))
        champion = self.model(model)
        schema = service_schema(self.settings, service_of(name))
        scored = self._scored(name)
        # The list is sorted by probability: every so manieth person stands for all of them.
        sample = scored.take(np.arange(0, scored.num_rows, max(1, scored.num_rows // _IMPORTANCE_SAMPLE)))
        rows = historical_features(self.settings, self.workspace, schema.service, sample)
        contributions = champion.bundle.contributions(champion.bundle.encode(rows))
        return importance_figure(contributions, ReasonWriter(schema.features, spoken, name), spoken, top)

    def plot_explanation(self, model: str, customer_id: str, lang: Locale | None = None, top: int = 10) -> Figure:
        """One person's score, subject by subject, with the sentences."""
        spoken = writable_language(self._language(lang))
        return explanation_figure(self.explain(model, customer_id, spoken), spoken, top)

    def plot_timeline(self, customer_id: str, model: str = "lead", lang: Locale | None = None) -> Figure:
        """One person's events, deals, and the probability that was answered about them."""
        customer = find_customer(self.workspace, customer_id)
        events = self.events(
            ["type", "occurred_at"], where={"customer_id": customer, "is_bot": False, "duplicate_of": None}
        )
        name = configured_model(self.settings, model)
        parts = self.table("deal_people", ["deal_id"], where={"customer_id": customer})
        deals = self.deals(["outcome", "opened_at", "closed_at"], where={"deal_id": sorted(set(parts["deal_id"]))})
        engine = open_database(self.settings, self.workspace)
        try:
            answers = answers_about(engine, name, [customer])
        finally:
            engine.dispose()
        spoken = writable_language(self._language(lang))
        until = self.workspace.as_of()
        return timeline_figure(customer, events, deals, name, answers, until, spoken)

    def _judged(self, model: str) -> tuple[TrainingSet, Any]:
        bundle = self.model(model).bundle
        rows = self.training_set(model).unseen_by(bundle)
        return rows, bundle.predict_probability(bundle.encode(rows.features))
