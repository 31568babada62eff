"""The application database and the online store in all their forms: embedded, and on servers where they answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from core.online_settings import OnlineStoreSettings

POSTGRES = "postgresql+psycopg://postgres@127.0.0.1:5432/test"
REDIS = "redis://127.0.0.1:6379/0"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """None for SQLite in the workspace, and a schema of its own on a PostgreSQL server."""
    if request.param == "sqlite":
        yield None
        return
    with postgres_schema() as url:
        yield url


@contextmanager
def postgres_schema() -> Iterator[str]:
    """The URL of a schema that is there for a while; skips where no server answers."""
    schema = f"kizashi_{uuid4().hex}"
    engine = create_engine(POSTGRES)
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except OperationalError:
        engine.dispose()
        pytest.skip("no PostgreSQL answers at 127.0.0.1:5432")
    try:
        yield f"{POSTGRES}?options=-csearch_path%3D{schema}"
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()


@dataclass(frozen=True)
class OnlineServer:
    """An online store to test with.

    Attributes:
        settings: the `online_store` section that names it.
        content: all that lies in the store, as bytes, given the workspace's folder.
    """

    settings: OnlineStoreSettings
    content: Callable[[Path], bytes]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ]
)
def online_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnlineServer]:
    """Each kind of online store in turn, empty, with its URL in the environment."""
    settings = OnlineStoreSettings(type=request.param, namespace=f"test_{uuid4().hex}")
    if request.param == "sqlite":
        yield OnlineServer(settings, lambda home: b"".join(p.read_bytes() for p in home.glob("feast/online.db*")))
    elif request.param == "redis":
        with redis_namespace(str(settings.namespace)) as client:
            monkeypatch.setenv(settings.url_env, REDIS)
            yield OnlineServer(settings, lambda _: redis_content(client, str(settings.namespace)))
    else:
        with postgres_schema() as url:
            monkeypatch.setenv(settings.url_env, url)
            yield OnlineServer(settings, lambda _: postgres_content(url))


@contextmanager
def redis_namespace(namespace: str) -> Iterator[Any]:
    """A client of the server, which is rid of the namespace's keys in the end; skips where none answers."""
    redis = pytest.importorskip("redis")
    client = redis.Redis.from_url(REDIS)
    try:
        client.ping()
    except redis.exceptions.ConnectionError:
        pytest.skip(f"no Redis answers at {REDIS}")
    try:
        yield client
    finally:
        for key in client.scan_iter(f"{namespace}*"):
            client.delete(key)
        client.close()


def redis_content(client: Any, namespace: str) -> bytes:
    """Keys, fields and values of a namespace."""
    return b"".join(
        key + b"".join(value for pair in client.hgetall(key).items() for value in pair)
        for key in client.scan_iter(f"{namespace}*")
    )


def postgres_content(url: str) -> bytes:
    """The rows of the online store in a schema."""
    engine = create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT entity_key, packed FROM kizashi_packed_rows")).all()
    engine.dispose()
    return b"".join(bytes(value) for row in rows for value in row)
