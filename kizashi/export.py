"""Scores as a file that people open."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from core.errors import ConfigurationError, NotFoundError
from core.settings import ModelName
from core.storage import Workspace, write_atomically


def _as_csv(frame: pd.DataFrame) -> bytes:
    # With a byte-order mark, so that Excel opens Japanese text correctly.
    return frame.to_csv(index=False).encode("utf-8-sig")


def _as_parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _as_excel(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    naive = frame.copy()
    for column in naive.columns:
        if isinstance(naive[column].dtype, pd.DatetimeTZDtype):
            # Excel knows no time zones; ISO 8601 text keeps the moment unambiguous.
            naive[column] = naive[column].map(lambda moment: moment.isoformat())
    naive.to_excel(buffer, index=False)
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[pd.DataFrame], bytes]] = {".csv": _as_csv, ".parquet": _as_parquet, ".xlsx": _as_excel}


def check_export_path(path: Path) -> None:
    """Refuse a file that could not be written, before any work is done.

    Raises:
        ConfigurationError: the ending is unknown or the folder does not exist.
    """
    if path.suffix not in _WRITERS:
        raise ConfigurationError(
            f"--out {path}", f"a file ending in {', '.join(_WRITERS)}", "choose one of these endings"
        )
    if path.is_dir():
        raise ConfigurationError(f"--out {path} is a folder", "a file", "name a file in it")
    if not os.access(path.parent, os.W_OK) and path.parent.is_dir():
        raise ConfigurationError(
            f"the folder {path.parent} cannot be written to", "a writable folder", "choose another"
        )
    if not path.parent.is_dir():
        raise ConfigurationError(f"the folder {path.parent} does not exist", "an existing folder", "make it first")


def export_scores(workspace: Workspace, model: ModelName, path: Path) -> None:
    """Write the scores in force as CSV, Parquet or Excel, with the people's names and companies beside them.

    Raises:
        NotFoundError: nothing was scored yet.
    """
    scores = workspace.current(f"scores/{model}") / "scores.parquet"
    if not scores.exists():
        raise NotFoundError(f"{scores} is missing", "the scores of a finished run", "run `kizashi run` first")
    columns = ["customer_id", "full_name", "last_name", "first_name", "company", "email"]
    people = workspace.read_table("customers", columns).to_pandas()
    frame = people.merge(pd.read_parquet(scores), on="customer_id", how="right", validate="one_to_one")
    write_atomically(path, _WRITERS[path.suffix](frame))
