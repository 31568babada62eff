"""SQL tables of any database that SQLAlchemy speaks to; the line is the row's number in the answer."""

import os
from decimal import Decimal

import duckdb
import pyarrow as pa
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from core.errors import Fault
from core.source_settings import SourceSettings

_BATCH = 50_000


def read_database(connection: duckdb.DuckDBPyConnection, source: SourceSettings) -> tuple[list[str], str] | Fault:
    """Load the answer to the source's query into DuckDB; give the column names and the query."""
    variable, query = source.url_env or "", source.query or ""
    url = os.environ.get(variable)
    if not url:
        return Fault(source.name, f"the environment variable {variable} is not set; set it to a SQLAlchemy URL")
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        return Fault(source.name, f"{variable} holds no usable SQLAlchemy URL ({type(error).__name__})")
    try:
        with engine.connect() as database:
            answer = database.execution_options(stream_results=True).execute(text(query))
            names = [str(name) for name in answer.keys()]  # noqa: SIM118 - this is no dict
            columns = "".join(f", v{place} VARCHAR" for place in range(len(names)))
            connection.execute(f"CREATE OR REPLACE TABLE loaded (line BIGINT{columns})")
            first = 1
            while rows := answer.fetchmany(_BATCH):
                arrays = [
                    pa.array([_text(value) for value in column], pa.string()) for column in zip(*rows, strict=True)
                ]
                lines = pa.array(range(first, first + len(rows)), pa.int64())
                batch = pa.table([lines, *arrays], names=["line", *(f"v{place}" for place in range(len(names)))])
                connection.register("batch", batch)
                connection.execute("INSERT INTO loaded SELECT * FROM batch")
                connection.unregister("batch")
                first += len(rows)
    except SQLAlchemyError as error:
        # Only the driver's own words: the full text may hold the URL with its password.
        cause = getattr(error, "orig", None) or type(error).__name__
        return Fault(source.name, f"the query failed: {str(cause).splitlines()[0]}")
    finally:
        engine.dispose()
    return names, "SELECT * FROM loaded"


def _text(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal) and value == value.__trunc__():
        return str(int(value))
    if isinstance(value, bytes):
        return value.hex()
    isoformat = getattr(value, "isoformat", None)
    return str(isoformat()) if isoformat else str(value)
