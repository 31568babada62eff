"""The cleansing functions as DuckDB functions: each distinct text is worked on once."""

from collections.abc import Callable

import duckdb
import pyarrow as pa
from duckdb.func import FunctionNullHandling, PythonUDFType

from customers.cleansing.email import normalise_email
from customers.cleansing.text import normalise_login, normalise_number, tidy_text

Cleanse = Callable[[str], str | None]


def define_function(connection: duckdb.DuckDBPyConnection, name: str, cleanse: Cleanse) -> None:
    """Make a text-to-text function available in SQL; blank stays blank."""
    known: dict[str, str | None] = {}

    def over_chunk(texts: pa.Array) -> pa.Array:
        encoded = (
            texts.dictionary_encode() if isinstance(texts, pa.Array) else texts.combine_chunks().dictionary_encode()
        )
        results = []
        for text in encoded.dictionary.to_pylist():
            if text not in known:
                known[text] = cleanse(text)
            results.append(known[text])
        return pa.array(results, pa.string()).take(encoded.indices)

    text = connection.sqltype("VARCHAR")
    connection.create_function(
        name, over_chunk, [text], text, type=PythonUDFType.ARROW, null_handling=FunctionNullHandling.SPECIAL
    )


def define_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Teach a connection what the mappings need."""
    define_function(connection, "normal_email", normalise_email)
    define_function(connection, "normal_login", normalise_login)
    define_function(connection, "tidy_text", tidy_text)
    define_function(connection, "normal_number", normalise_number)
    # The cheap reading first: only odd numbers (１，０００円) need more.
    connection.execute(
        """CREATE OR REPLACE MACRO read_number(v) AS CASE
            WHEN isfinite(coalesce(try_cast(v AS DOUBLE), 0)) THEN
                coalesce(try_cast(v AS DOUBLE), try_cast(normal_number(v) AS DOUBLE)) END"""
    )
