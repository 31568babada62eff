"""What slow functions answered is kept from run to run: each distinct question is worked on once."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from customers.connectors.raw import literal

_BATCH = 50_000
Answer = Callable[..., Iterable[tuple[str | None, ...]]]


class Memory:
    """Answers of former runs in a folder, and of this one in tables of a DuckDB connection.

    Args:
        connection: in which the answers become tables.
        folder: holds one Parquet file for each table that a former run made; None for no former run.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path | None) -> None:
        self._connection = connection
        self._folder = folder
        self._tables: list[str] = []

    def ask(self, table: str, asked: str, answers: Sequence[str], answer: Answer) -> None:
        """Make a table of the questions and their answers, whatever was answered before included.

        Args:
            table: its name, the same in every run.
            asked: SQL of the questions, whose columns are texts, not NULL, and begin the table; repeats are allowed.
            answers: the columns that follow.
            answer: takes one question's texts and gives its rows of answers, as many as there are.
        """
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE asked AS SELECT DISTINCT * FROM ({asked})")
        questions = [name for name, *_ in self._connection.execute("DESCRIBE asked").fetchall()]
        listed = ", ".join(questions)
        columns = ", ".join(f"{name} VARCHAR" for name in (*questions, *answers))
        self._connection.execute(f"CREATE TABLE {table} ({columns})")
        self._tables.append(table)
        fresh = "FROM asked"
        file = self._folder / f"{table}.parquet" if self._folder else None
        if file is not None and file.exists():
            known = f"read_parquet({literal(file)})"
            self._connection.execute(f"INSERT INTO {table} FROM {known} SEMI JOIN asked USING ({listed})")
            fresh = f"FROM asked ANTI JOIN {known} USING ({listed})"
        # Read on a cursor of its own: writing would end a reader on the same one.
        reading = self._connection.cursor()
        self._connection.execute(f"CREATE OR REPLACE TABLE fresh AS {fresh}")
        reading.execute("FROM fresh ORDER BY ALL")
        while batch := reading.fetchmany(_BATCH):
            rows = [(*question, *found) for question in batch for found in answer(*question)]
            if not rows:
                continue
            arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            self._connection.register("answered", pa.table(arrays, names=[*questions, *answers]))
            self._connection.execute(f"INSERT INTO {table} FROM answered")
            self._connection.unregister("answered")
        reading.close()
        self._connection.execute("DROP TABLE fresh")
        self._connection.execute("DROP TABLE asked")

    def save(self, folder: Path) -> None:
        """Write every table that was asked for; what nobody asked for is forgotten."""
        for table in self._tables:
            path = literal(folder / f"{table}.parquet")
            self._connection.execute(f"COPY {table} TO {path} (FORMAT parquet)")
