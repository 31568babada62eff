"""Events of people about whom nothing is new: they are taken as a former run published them."""

import json
from pathlib import Path

import duckdb

from core.settings import Settings
from core.storage import Workspace, fingerprint, write_json
from customers.connectors.raw import literal
from customers.staging import Staging

_MEANING = "events.json"


class KeptEvents:
    """Events that a former run published with their people, what is known of machines, and other systems' reports.

    Args:
        workspace: whose table `events` holds what was published.
        folder: where the run that published it kept what its marks on events hang on; None for none.
    """

    def __init__(self, workspace: Workspace, folder: Path | None) -> None:
        self._former: str | None = None
        self._meaning = ""
        if folder is not None:
            told = json.loads((folder / _MEANING).read_text(encoding="utf-8"))
            self._former = str(told["meaning"])
            self._published = f"read_parquet({literal(workspace.table_path('events'))})"
        self.known: str | None = None
        """SQL of the events that are taken over, with the columns of the table `events`; None for none."""

    def find_new(self, connection: duckdb.DuckDBPyConnection, settings: Settings, staging: Staging) -> None:
        """Make `kept_events`: those of `first_copies` about which something may be new.

        These are all events of a group of linked records and keys if one of them has other events than a former run
        read, or if anything else is new about the group. What is made of an event follows from its group's events and
        from who is who in the group, beside settings and `opens_told`: with others than the former run's all are new.

        Args:
            connection: holds `first_copies`, `repeated_events`, `opens_told` and the groups of nodes.
            settings: how events of machines and of two systems are told.
            staging: what was read, and what a former run read.
        """
        opens = connection.execute("FROM opens_told ORDER BY source").fetchall()
        tellers = [(source.name, source.system) for source in settings.sources if source.events]
        self._meaning = fingerprint(settings.events.model_dump_json(), tellers, opens)
        changed = staging.changed_records("events")
        if changed is None or self._former != self._meaning:
            connection.execute("CREATE VIEW kept_events AS FROM first_copies")
            return
        connection.execute(
            f"""CREATE TABLE new_event_records AS
            -- Which of two copies stands first may hang on their places in the files.
            WITH changed AS MATERIALIZED (
                {changed} UNION SELECT system, source_id FROM staged.events SEMI JOIN repeated_events USING (event_id)
            ), numbered AS MATERIALIZED (
                SELECT node, system, source_id, group_no FROM nodes JOIN grouped_nodes USING (node)
            ), new_groups AS (
                SELECT group_no FROM numbered SEMI JOIN new_nodes USING (node)
                UNION SELECT group_no FROM numbered SEMI JOIN changed USING (system, source_id)
            )
            SELECT system, source_id FROM numbered SEMI JOIN new_groups USING (group_no) UNION FROM changed"""
        )
        connection.execute(
            "CREATE TABLE kept_events AS FROM first_copies SEMI JOIN new_event_records USING (system, source_id)"
        )
        self.known = f"(FROM {self._published} ANTI JOIN new_event_records USING (system, source_id))"

    def save(self, folder: Path) -> None:
        """Write what the published events hang on."""
        write_json(folder / _MEANING, {"meaning": self._meaning})
