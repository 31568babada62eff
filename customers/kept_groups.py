"""Groups of linked records about which nothing is new: their events, stages and values are taken as published."""

import json
from pathlib import Path

import duckdb

from core.lifecycle_settings import FieldCondition
from core.settings import Settings
from core.storage import Workspace, fingerprint, write_json
from core.tables import DEAL_PEOPLE, DEAL_STAGES
from customers.connectors.raw import literal
from customers.staging import Staging

_MEANING = "groups.json"
_ACCOUNT = "account_id"


class KeptGroups:
    """What a former run published of the events, stages and values of groups of linked records and keys.

    Args:
        workspace: whose tables hold what was published.
        folder: where the run that published them kept what they hang on; None for none.
    """

    def __init__(self, workspace: Workspace, folder: Path | None) -> None:
        self._former: str | None = None
        self._meaning = ""
        self._workspace = workspace
        if folder is not None:
            self._former = str(json.loads((folder / _MEANING).read_text(encoding="utf-8"))["meaning"])
        self.known_events: str | None = None
        """SQL of the events that are taken over, with the columns of the table `events`; None for none."""
        self.known_stages: str | None = None
        """SQL of the rows of `lifecycle` that are taken over; None for none."""
        self.known_values: str | None = None
        """SQL of the rows of `attributes` that are taken over; None for none."""

    def find_new(self, connection: duckdb.DuckDBPyConnection, settings: Settings, staging: Staging) -> None:
        """Make `new_group_nodes` (system, source_id), and `kept_events`, those of `first_copies` that are theirs.

        Makes `renewed_nodes` too, unless everything is new: with them those of `changed_people`, whose values tell
        other accounts than they did.

        They are all records and keys of a group if anything is new about it: who is in it, what a record tells of its
        fields, its events, its deals, whether it allows profiling. What is made of an event, and which stages a person
        went through, follows from all that and from the settings and `opens_told`: with others than the former run's
        everything is new.

        Args:
            connection: holds `first_copies`, `repeated_events`, `opens_told`, the groups of nodes, `new_records`,
                `gone_records`, `changed_people`, the tables of deals and `consent_now`.
            settings: how events of machines and of two systems are told, and the stages.
            staging: what was read, and what a former run read.
        """
        opens = connection.execute("FROM opens_told ORDER BY source").fetchall()
        tellers = [(source.name, source.system) for source in settings.sources if source.events]
        self._meaning = fingerprint(
            settings.events.model_dump_json(), settings.lifecycle.model_dump_json(), tellers, opens
        )
        events = staging.changed_records("events")
        if events is None or self._former != self._meaning or _asks_for_accounts(settings):
            connection.execute("CREATE VIEW new_group_nodes AS SELECT system, source_id FROM nodes")
            connection.execute("CREATE VIEW kept_events AS FROM first_copies")
            return
        connection.execute(
            f"""CREATE TABLE new_group_nodes AS
            WITH changed AS MATERIALIZED (
                {events}
                -- Which of two copies stands first may hang on their places in the files.
                UNION SELECT system, source_id FROM staged.events SEMI JOIN repeated_events USING (event_id)
                UNION FROM new_records
                UNION FROM gone_records
                UNION {self._deals()}
                UNION {self._permissions()}
            ), numbered AS MATERIALIZED (
                SELECT node, system, source_id, group_no FROM nodes JOIN grouped_nodes USING (node)
            ), new_groups AS (
                SELECT group_no FROM numbered SEMI JOIN new_nodes USING (node)
                UNION SELECT group_no FROM numbered SEMI JOIN changed USING (system, source_id)
            )
            SELECT system, source_id FROM numbered SEMI JOIN new_groups USING (group_no) UNION FROM changed"""
        )
        connection.execute(
            "CREATE TABLE kept_events AS FROM first_copies SEMI JOIN new_group_nodes USING (system, source_id)"
        )
        self.known_events = f"(FROM {self._published('events')} ANTI JOIN new_group_nodes USING (system, source_id))"
        self.known_stages = f"""(
            FROM {self._published("lifecycle")} SEMI JOIN identities USING (customer_id)
            ANTI JOIN (FROM identities SEMI JOIN new_group_nodes USING (system, source_id)) USING (customer_id))"""
        connection.execute(
            """CREATE TABLE renewed_nodes AS
            FROM new_group_nodes
            UNION SELECT system, source_id FROM node_now SEMI JOIN changed_people USING (customer_id)"""
        )
        self.known_values = f"(FROM {self._published('attributes')} ANTI JOIN renewed_nodes USING (system, source_id))"

    def save(self, folder: Path) -> None:
        """Write what the published events and stages hang on."""
        write_json(folder / _MEANING, {"meaning": self._meaning})

    def _deals(self) -> str:
        """SQL of the records that have a part in deals whose stages or people are not those that were published."""
        stages = _apart("deal_stages", self._published("deal_stages"), tuple(DEAL_STAGES.columns))
        # Today's person beside a part is no news of the deal.
        columns = tuple(name for name in DEAL_PEOPLE.columns if name != "customer_id")
        people = _apart("deal_people", self._published("deal_people"), columns)
        return f"""SELECT system, source_id FROM deal_people SEMI JOIN ({stages}) USING (deal_id)
            UNION SELECT system, source_id FROM ({people})"""

    def _permissions(self) -> str:
        """SQL of the records of people who allow profiling and did not, or the other way round."""
        return f"""SELECT system, source_id FROM node_now SEMI JOIN (
                SELECT customer_id FROM consent_now c JOIN {self._published("customers")} f USING (customer_id)
                WHERE c.consent_profiling <> f.consent_profiling
            ) USING (customer_id)"""

    def _published(self, table: str) -> str:
        return f"read_parquet({literal(self._workspace.table_path(table))})"


def _asks_for_accounts(settings: Settings) -> bool:
    """Whether a stage hangs on a record's account, which other records' companies may decide."""
    return any(
        isinstance(condition, FieldCondition) and condition.field == _ACCOUNT
        for stage in settings.lifecycle.stages
        for condition in stage.enter
    )


def _apart(one: str, other: str, columns: tuple[str, ...]) -> str:
    """SQL of the rows that only one of two tables has, or has more often."""
    listed = ", ".join(columns)
    return f"""(SELECT {listed} FROM {one} EXCEPT ALL SELECT {listed} FROM {other})
        UNION ALL (SELECT {listed} FROM {other} EXCEPT ALL SELECT {listed} FROM {one})"""
