"""What the sections share: their typed rows, ids from content, and the way into the staging tables."""

from dataclasses import dataclass, field

from core.source_settings import SourceSettings
from customers.mapping.section_query import SectionQuery

NODE = "system VARCHAR, source_id VARCHAR"
KNOWN = "recorded_at TIMESTAMPTZ, recorded_assumed BOOLEAN"


@dataclass
class SectionRows:
    """A section's typed rows in the DuckDB table `table`, and how the good ones enter the staging tables."""

    name: str
    table: str
    file_no: int
    inserts: list[str] = field(default_factory=list)


def insert(rows: SectionRows, target: str, columns: dict[str, str], where: str = "true") -> None:
    """Let the good rows enter a staging table: its columns by name with the SQL of their values."""
    listed, values = ", ".join(columns), ", ".join(columns.values())
    rows.inserts.append(
        f"INSERT INTO fresh.{target} (file_no, {listed}) "
        f"SELECT {rows.file_no}, {values} FROM {rows.table} WHERE {where}"
    )


def insert_same(rows: SectionRows, target: str, names: list[str], where: str = "true") -> None:
    """The same for columns that are called alike on both sides."""
    insert(rows, target, {name: name for name in names}, where)


def content_id(query: SectionQuery) -> str:
    """An id from the whole row, for rows that have none of their own: equal rows get equal ids."""
    listed = ", ".join(query.raw.columns.values())
    query.texts["t_content"] = f"substr(sha256(to_json([{listed}])::VARCHAR), 1, 16)"
    return "t_content"


def record_id(query: SectionQuery, source: SourceSettings) -> str:
    """The id of the record that a row's `people` section describes."""
    own = source.people.id if source.people else None
    return query.text("id", own, required=True) if query.has(own) else content_id(query)
