"""Reach the server of an online store: the URL from the environment, the driver, and an answer."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from core.errors import ConfigurationError
from core.settings import Settings

_EXAMPLES = {
    "redis": "redis://:password@host:6379/0, or rediss:// for TLS",
    "postgres": "postgresql://user:password@host:5432/database",
}
_SCHEMES = {"redis": ("redis://", "rediss://", "unix://"), "postgres": ("postgresql://", "postgres://")}
# A lookup does not wait for a server that is gone.
_CONNECT_SECONDS = 3
_ANSWER_SECONDS = 10


def check_online_store(settings: Settings) -> None:
    """See whether the configured store can be used; nothing is changed.

    Raises:
        ConfigurationError: the URL or the driver is missing, or no server answers.
    """
    online = settings.online_store
    if online.type == "redis":
        client = connect_redis(online.url_env)
        with redis_faults():
            client.ping()
        client.close()
    elif online.type == "postgres":
        connect_postgres(online.url_env).close()


def namespace(settings: Settings) -> str:
    """What keeps this company's rows apart from those of others on the same server."""
    return settings.online_store.namespace or settings.name


def connect_redis(url_env: str, *, alone: bool = False) -> Any:
    """A client of the Redis server; it connects when first used.

    Args:
        url_env: the environment variable that holds the URL.
        alone: for one thread at a time, on one connection that is not looked for anew with each command.

    Raises:
        ConfigurationError: the URL or the driver is missing.
    """
    url = _url("redis", url_env)
    try:
        import redis
    except ImportError as error:
        raise _without_driver("redis") from error
    try:
        return redis.Redis.from_url(
            url,
            single_connection_client=alone,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
        )
    except ValueError as error:
        raise _misread("redis", url_env) from error


class redis_faults:  # noqa: N801  # used as a function
    """Turn what the driver raises into one sentence of ours. A class, since a read would wait for a generator.

    Raises:
        ConfigurationError: the server does not answer, or refuses.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        from redis.exceptions import RedisError

        if isinstance(error, RedisError):
            # The kind alone: a driver's messages may hold addresses and keys.
            raise _away("Redis", type(error).__name__) from error


def connect_postgres(url_env: str) -> Any:
    """A connection to the PostgreSQL server, in autocommit mode.

    Raises:
        ConfigurationError: the URL or the driver is missing, or no server answers.
    """
    url = _url("postgres", url_env)
    try:
        import psycopg
    except ImportError as error:
        raise _without_driver("postgres") from error
    with postgres_faults():
        try:
            return psycopg.connect(url, autocommit=True, connect_timeout=_CONNECT_SECONDS)
        except psycopg.ProgrammingError as error:
            raise _misread("postgres", url_env) from error


@contextmanager
def postgres_faults() -> Iterator[None]:
    """Turn what the driver raises into one sentence of ours.

    Raises:
        ConfigurationError: the server does not answer, or refuses.
    """
    import psycopg

    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise _away("PostgreSQL", type(error).__name__) from error


def _url(store: str, url_env: str) -> str:
    url = os.environ.get(url_env, "")
    if not url:
        raise ConfigurationError(
            f"the environment variable {url_env} is not set", _EXAMPLES[store], "set it to the online store's URL"
        )
    # The name that SQLAlchemy knows a driver by is understood, too: one URL may serve both databases.
    url = url.replace("postgresql+psycopg://", "postgresql://", 1)
    if not url.startswith(_SCHEMES[store]):
        raise _misread(store, url_env)
    return url


def _misread(store: str, url_env: str) -> ConfigurationError:
    return ConfigurationError(
        f"the URL in {url_env} cannot be used for the online store {store}", _EXAMPLES[store], "correct it"
    )


def _without_driver(store: str) -> ConfigurationError:
    return ConfigurationError(
        f"the driver of the online store {store} is not installed",
        f"the extra `{store}`",
        f"run `uv sync --extra {store}`, or `pip install 'kizashi[{store}]'`",
    )


def _away(server: str, kind: str) -> ConfigurationError:
    return ConfigurationError(
        f"the online store on {server} does not answer ({kind})",
        "a server that is running and may be written to",
        "start it, or correct its URL",
    )
