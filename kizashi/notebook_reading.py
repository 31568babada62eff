"""A finished workspace as it is read in a notebook: tables, training sets, models, answers and reasons."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.clock import SystemClock
from core.errors import ConfigurationError
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace
from features.catalog import service_of
from features.retrieval import historical_features
from kizashi.frames import Moment, as_moment, read_frame, run_query
from kizashi.history import change_between, replay_history
from kizashi.options import configured_model
from kizashi.people import find_customer
from kizashi.pipeline import scores_path
from kizashi.published import published_answers
from kizashi.texts import Locale
from scoring.explain import Explanation, explain_customer
from scoring.registry import CHAMPION, Registered, Registry
from scoring.replay import Replayed
from scoring.score_change import ScoreChange
from training.saved_sets import kept_training_set
from training.training_set import TrainingSet, load_training_set


class ReadableWorkspace:
    """A workspace in a notebook: everything is read from what the last run published.

    Moments are given as dates, times or text; without an offset they are read in the business time zone, and all times
    that come back are in UTC. Spans are half-open: from `since` on, before `until`.

    Args:
        settings: the configuration.
        workspace: its workspace.
    """

    def __init__(self, settings: Settings, workspace: Workspace) -> None:
        self.settings = settings
        self.workspace = workspace
        self._training_sets: dict[tuple[str, str], TrainingSet] = {}

    def __repr__(self) -> str:
        rows = {name: pq.read_metadata(self.workspace.table_path(name)).num_rows for name in ("customers", "events")}
        return (
            f"Kizashi workspace {self.settings.name!r}: {rows['customers']:,} people, {rows['events']:,} events, "
            f"as of {self.workspace.as_of():%Y-%m-%d %H:%M} UTC; models: {', '.join(self.settings.models.names)}"
        )

    def table(
        self,
        name: str,
        columns: Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Part of a unified table; conditions are pushed down into the files. See `kizashi.frames.read_frame`."""
        return read_frame(
            self.workspace,
            name,
            columns=columns,
            where=where,
            since=since,
            until=until,
            limit=limit,
            timezone=self.settings.timezone,
        )

    def customers(self, columns: Sequence[str] | None = None, **narrowed: Any) -> pd.DataFrame:
        """People, known and anonymous; `since` and `until` speak of `first_seen_at`. Arguments as for `table`."""
        return self.table("customers", columns, **narrowed)

    def events(self, columns: Sequence[str] | None = None, **narrowed: Any) -> pd.DataFrame:
        """What people did; `since` and `until` speak of `occurred_at`. Arguments as for `table`."""
        return self.table("events", columns, **narrowed)

    def deals(self, columns: Sequence[str] | None = None, **narrowed: Any) -> pd.DataFrame:
        """Deals as they stand today; `since` and `until` speak of `opened_at`. Arguments as for `table`."""
        return self.table("deals", columns, **narrowed)

    def sql(self, query: str, /, **given: Any) -> pd.DataFrame:
        """A SELECT over all unified tables and `scores_<model>`. See `kizashi.frames.run_query`.

        Args:
            query: DuckDB's SQL; a statement that writes is refused.
            given: a data frame becomes a table of that name, everything else the parameter `$name`.
        """
        return run_query(self.workspace, self.settings.models.names, query, given)

    def training_set(self, model: str, version: str | int | None = None) -> TrainingSet:
        """The rows that the model learns from and is judged on: `.X`, `.y`, `.spine`, `.split()`.

        Args:
            model: for example `lead`.
            version: those that a registered version (a number, or an alias such as `champion`) was made of, as they
                were kept then; None: those of the features in force.

        Raises:
            NotFoundError: the version's rows were not kept; those of the champion, the one before and the challenger
                are.
        """
        name = configured_model(self.settings, model)
        if version is not None:
            return kept_training_set(self.settings, self.workspace, name, str(version))
        key = (name, self.workspace.current("features").name)
        if key not in self._training_sets:
            self._training_sets = {key: load_training_set(self.settings, self.workspace, name)}
        # A copy, so that what somebody changes in its frames stays theirs.
        return replace(self._training_sets[key])

    def model(self, model: str, version: str | int | None = None) -> Registered:
        """A registered model: the champion, or the one of an alias or number.

        Raises:
            NotFoundError: there is none.
        """
        name = configured_model(self.settings, model)
        return Registry(self.settings, self.workspace).named(name, str(version or CHAMPION))

    def score(self, model: str, ids: Sequence[str] | str | None = None) -> pd.DataFrame:
        """The answers of the last scoring run, with the keys of a lookup over HTTP; best first, or in the ids' order.

        Args:
            model: for example `lead`.
            ids: customer ids, or `system:id`; None: everybody who is scored.
        """
        name = configured_model(self.settings, model)
        asked = [ids] if isinstance(ids, str) else ids
        return published_answers(self.settings, self.workspace, name, asked, clock=SystemClock())

    def features(self, model: str, ids: Sequence[str] | None = None) -> pd.DataFrame:
        """What the model reads of those who were scored last: customer_id, as_of, then the features; best first.

        Args:
            model: for example `lead`.
            ids: customer ids, or `system:id`; None: everybody who is scored. Whoever has no score is left out.
        """
        name = configured_model(self.settings, model)
        scored = self._scored(name)
        if ids is not None:
            chosen = pa.array([find_customer(self.workspace, given) for given in ids], pa.string())
            scored = scored.filter(pc.is_in(scored["customer_id"], value_set=chosen))
        rows = historical_features(self.settings, self.workspace, service_of(name), scored)
        frame: pd.DataFrame = rows.to_pandas()
        return frame

    def explain(self, model: str, customer_id: str, lang: Locale | None = None) -> Explanation:
        """Why one person is scored so: reasons as sentences, and what each subject adds in log-odds.

        Args:
            model: for example `lead`.
            customer_id: any id the person ever had, or `system:id`.
            lang: ja or en; default: the configuration's locale.
        """
        name = configured_model(self.settings, model)
        customer = find_customer(self.workspace, customer_id)
        return explain_customer(self.settings, self.workspace, name, customer, self._language(lang))

    def replay(self, model: str, customer_id: str, lang: Locale | None = None) -> list[Replayed]:
        """Every answer that was given about one person, oldest first, each computed again from what was logged.

        Args:
            model: for example `lead`.
            customer_id: any id the person ever had, or `system:id`.
            lang: ja or en; default: the configuration's locale.
        """
        name = configured_model(self.settings, model)
        return replay_history(self.settings, self.workspace, name, customer_id, self._language(lang))

    def change(
        self,
        model: str,
        customer_id: str,
        since: Moment | None = None,
        until: Moment | None = None,
        lang: Locale | None = None,
    ) -> ScoreChange:
        """Why one person's score is another one than before: time that passed, new facts, another model.

        Args:
            model: for example `lead`.
            customer_id: any id the person ever had, or `system:id`.
            since: the earlier moment; default: the answer before the later one.
            until: the later moment; default: now.
            lang: ja or en; default: the configuration's locale.
        """
        name = configured_model(self.settings, model)
        moments = [None if given is None else as_moment(given, self.settings.timezone) for given in (since, until)]
        return change_between(self.settings, self.workspace, name, customer_id, self._language(lang), *moments)

    def _scored(self, model: ModelName) -> pa.Table:
        """customer_id and as_of of those who were scored last, best first."""
        return pq.read_table(scores_path(self.workspace, model), columns=["customer_id", "as_of"])

    def _language(self, lang: Locale | None) -> Locale:
        if lang not in (None, "ja", "en"):
            raise ConfigurationError(f"the language {lang!r}", "ja or en", "choose one of them")
        return lang or self.settings.locale
