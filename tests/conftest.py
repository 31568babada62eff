"""A workspace with unified tables written by hand, for the tests of everything that reads them."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, settings

from core.storage import Workspace, write_parquet
from core.tables import TABLES

# Parts that the tests of several folders share.
pytest_plugins = ("tests.browser", "tests.databases", "tests.receiver")
Rows = list[dict[str, Any]]
# How fast a machine makes up examples says nothing about the product.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the person who runs the tests leaks into them."""
    for name in list(os.environ):
        if name.startswith("KIZASHI_") and name != "KIZASHI_REAL_DATA":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def publish_at() -> Callable[..., Workspace]:
    """Publish a generation of unified tables: rows by table name, absent columns blank, absent tables empty."""

    def publish(home: Path, data_until: datetime | None = None, **tables: Rows) -> Workspace:
        workspace = Workspace(home)
        until = data_until or datetime(2026, 1, 1, tzinfo=UTC)
        with workspace.publish(
            "customers", "test", {"data_until": until.isoformat(), "as_of": until.isoformat()}
        ) as at:
            for name, spec in TABLES.items():
                rows = tables.pop(name, [])
                columns = {
                    column: pa.array([row.get(column) for row in rows], kind.type)
                    for column, kind in spec.columns.items()
                }
                write_parquet(at / f"{name}.parquet", spec.check(pa.table(columns)))
        assert not tables, f"unknown tables {list(tables)}"
        return workspace

    return publish


@pytest.fixture
def publish_tables(publish_at: Callable[..., Workspace], tmp_path: Path) -> Callable[..., Workspace]:
    """The same into the test's own folder, unless it names another one."""

    def publish(home: Path | None = None, data_until: datetime | None = None, **tables: Rows) -> Workspace:
        return publish_at(home or tmp_path / "home", data_until, **tables)

    return publish
