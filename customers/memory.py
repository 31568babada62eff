"""What slow functions answered is kept from run to run: each distinct question is worked on once."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from core.storage import PARQUET, link_file
from customers.connectors.raw import literal

_BATCH = 50_000
_MOST_PARTS = 24
Answer = Callable[..., Iterable[tuple[str | None, ...]]]


class Memory:
    """Answers of former runs in a folder, and of this one in tables of a DuckDB connection.

    Args:
        connection: in which the answers become tables.
        folder: holds the Parquet files of what former runs answered; None for no former run.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path | None) -> None:
        self._connection = connection
        self._folder = folder
        # Each table with the SQL of what may be asked again.
        self._tables: dict[str, str] = {}
        self._pruned = False

    def ask(self, table: str, asked: str, answers: Sequence[str], answer: Answer, *, in_use: str | None = None) -> None:
        """Make a table of the questions and their answers, whatever was answered before included.

        Args:
            table: its name, the same in every run.
            asked: SQL of the questions, whose columns are texts, not NULL, and begin the table; repeats are allowed.
            answers: the columns that follow.
            answer: takes one question's texts and gives its rows of answers, as many as there are.
            in_use: SQL of all questions that the data hold, where only some of them are asked; else they are all.
        """
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE asked AS SELECT DISTINCT * FROM ({asked})")
        questions = [name for name, *_ in self._connection.execute("DESCRIBE asked").fetchall()]
        listed = ", ".join(questions)
        columns = ", ".join(f"{name} VARCHAR" for name in (*questions, *answers))
        for name in (table, f"{table}_new"):
            self._connection.execute(f"CREATE TABLE {name} ({columns})")
        self._tables[table] = in_use or f"SELECT {listed} FROM {table}"
        known = self._known(table)
        if known is not None:
            self._connection.execute(f"INSERT INTO {table} FROM {known} SEMI JOIN asked USING ({listed})")
        unknown = f"ANTI JOIN {table} USING ({listed})" if known is not None else ""
        self._connection.execute(f"CREATE OR REPLACE TABLE fresh AS FROM asked {unknown}")
        # Read on a cursor of its own: writing would end a reader on the same one.
        reading = self._connection.cursor()
        reading.execute("FROM fresh ORDER BY ALL")
        while batch := reading.fetchmany(_BATCH):
            rows = [(*question, *found) for question in batch for found in answer(*question)]
            if not rows:
                continue
            arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            self._connection.register("answered", pa.table(arrays, names=[*questions, *answers]))
            self._connection.execute(f"INSERT INTO {table}_new FROM answered")
            self._connection.unregister("answered")
        reading.close()
        self._connection.execute(f"INSERT INTO {table} FROM {table}_new")
        self._connection.execute("DROP TABLE fresh")
        self._connection.execute("DROP TABLE asked")

    def forget_unused(self) -> None:
        """Keep nothing that the data do not hold any more."""
        self._pruned = True

    def save(self, folder: Path) -> None:
        """Write what was answered now beside what was answered before."""
        for table, in_use in self._tables.items():
            former = sorted(self._folder.glob(f"{table}-*.parquet")) if self._folder else []
            rows = f"FROM {table}_new"
            if self._pruned and former:
                questions = [name for name, *_ in self._connection.execute(f"DESCRIBE {in_use}").fetchall()]
                everything = f"{rows} UNION ALL FROM {self._known(table)}"
                rows = f"FROM ({everything}) SEMI JOIN ({in_use}) USING ({', '.join(questions)})"
                former = []
            elif len(former) < _MOST_PARTS:
                for path in former:
                    link_file(path, folder / path.name)
            else:
                rows += f" UNION ALL FROM {self._known(table)}"
                former = []
            path = folder / f"{table}-{len(former):05d}.parquet"
            self._connection.execute(f"COPY ({rows}) TO {literal(path)} ({PARQUET})")

    def _known(self, table: str) -> str | None:
        if self._folder is None or not any(self._folder.glob(f"{table}-*.parquet")):
            return None
        return f"read_parquet({literal(self._folder / f'{table}-*.parquet')})"
