"""Scores as a file that people open."""

import io
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from activation.segments import segment_people
from core.errors import ConfigurationError, NotFoundError
from core.model_settings import ModelName
from core.settings import Settings
from core.storage import Workspace, write_atomically

# A spreadsheet would run a text that begins like this as a formula, and what people type into forms ends up in lists.
_FORMULA = re.compile(r"^[=+@\t\r]|^-.")


def _as_csv(frame: pd.DataFrame) -> bytes:
    safe = frame.copy()
    for column in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[column].dtype):
            safe[column] = safe[column].map(
                lambda value: f"'{value}" if isinstance(value, str) and _FORMULA.match(value) else value
            )
    # With a byte-order mark, so that Excel opens Japanese text correctly.
    return safe.to_csv(index=False).encode("utf-8-sig")


def _as_parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def write_excel(frame: pd.DataFrame) -> bytes:
    """The frame as the content of an Excel file."""
    buffer = io.BytesIO()
    naive = frame.copy()
    for column in naive.columns:
        if isinstance(naive[column].dtype, pd.DatetimeTZDtype):
            # Excel knows no time zones; ISO 8601 text keeps the moment unambiguous.
            naive[column] = naive[column].map(lambda moment: moment.isoformat())
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        naive.to_excel(writer, index=False)
        for row in writer.book.worksheets[0].iter_rows():
            for cell in row:
                # What begins like a formula is text that somebody typed into a form.
                if cell.data_type == "f":
                    cell.data_type = "s"
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {".csv": _as_csv, ".parquet": _as_parquet, ".xlsx": write_excel}


def check_export_path(path: Path, endings: Sequence[str] = tuple(_WRITERS), option: str = "--out ") -> None:
    """Refuse a file that could not be written, before any work is done.

    Raises:
        ConfigurationError: the ending is unknown or the folder does not exist.
    """
    if path.suffix not in endings:
        raise ConfigurationError(
            f"{option}{path}", f"a file ending in {', '.join(endings)}", "choose one of these endings"
        )
    if path.is_dir():
        raise ConfigurationError(f"{option}{path} is a folder", "a file", "name a file in it")
    if not os.access(path.parent, os.W_OK) and path.parent.is_dir():
        raise ConfigurationError(
            f"the folder {path.parent} cannot be written to", "a writable folder", "choose another"
        )
    if not path.parent.is_dir():
        raise ConfigurationError(f"the folder {path.parent} does not exist", "an existing folder", "make it first")


def export_segment(settings: Settings, workspace: Workspace, name: str, path: Path) -> int:
    """Write the segment's members whose consent allows it as CSV, Parquet or Excel; returns how many that are.

    Raises:
        NotFoundError: the segment is not configured.
        MissingStageError: it was never built.
    """
    people = segment_people(settings, workspace, name).to_pandas()
    write_atomically(path, _WRITERS[path.suffix](people))
    return len(people)


def export_scores(workspace: Workspace, model: ModelName, path: Path) -> None:
    """Write the scores in force as CSV, Parquet or Excel, with the people's names and companies beside them.

    Raises:
        NotFoundError: nothing was scored yet.
    """
    scores = workspace.current(f"scores/{model}") / "scores.parquet"
    if not scores.exists():
        raise NotFoundError(f"{scores} is missing", "the scores of a finished run", "run `kizashi run` first")
    columns = ["customer_id", "full_name", "last_name", "first_name", "company", "email", "consent_profiling"]
    people = workspace.read_table("customers", columns).to_pandas()
    # Whoever refused profiling since the scores were made is not handed out any more.
    people = people[people.pop("consent_profiling")]
    listed = pd.read_parquet(scores)
    listed = listed[listed["customer_id"].isin(people["customer_id"])]
    frame = people.merge(listed, on="customer_id", how="right", validate="one_to_one")
    write_atomically(path, _WRITERS[path.suffix](frame))
