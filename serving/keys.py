"""API keys: made once, kept as hashes, checked at each call."""

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from core.clock import Clock
from core.errors import ConfigurationError, NotFoundError
from core.serving_tables import ApiKey
from core.storage import write_json
from serving.availability import AwayError, Database

Scope = Literal["score", "events", "sales", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
_PREFIX = "kz_"
# 256 bits: so much that a plain hash of it cannot be searched, and no slow one is needed.
_SECRET_BYTES = 32
# Writing at each call would make every reader a writer.
_LAST_USED_STEP = timedelta(minutes=10)


@dataclass(frozen=True)
class NewKey:
    """A key as it is shown once; nobody can show it again."""

    key: str
    key_id: int
    name: str
    scopes: tuple[str, ...]


@dataclass(frozen=True)
class KeyRecord:
    """What is known of a key; times are ISO 8601, empty when it never happened."""

    key_id: int
    name: str
    scopes: tuple[str, ...]
    created_at: str
    last_used_at: str
    revoked_at: str


@dataclass(frozen=True)
class Caller:
    """Who calls, as the key says."""

    key_id: int
    name: str
    scopes: frozenset[str]


def hash_secret(secret: str) -> str:
    """What is stored of a key or cookie.

    >>> hash_secret("kz_example")[:12]
    '10c665eb765b'
    """
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def create_key(engine: Engine, name: str, scopes: Sequence[str], *, clock: Clock) -> NewKey:
    """Make a key with these scopes.

    Raises:
        ConfigurationError: the name is blank or taken by a key in force, or a scope is unknown.
    """
    wanted = tuple(scope for scope in SCOPES if scope in scopes)
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not wanted:
        raise ConfigurationError(f"the scopes {unknown or 'none'}", f"of {', '.join(SCOPES)}", "name at least one")
    if not name.strip() or len(name) > 128:
        raise ConfigurationError("the key's name is blank or too long", "1 to 128 characters", "name who will use it")
    secret = _PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    with Session(engine) as session, session.begin():
        taken = session.scalars(select(ApiKey).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))).first()
        if taken is not None:
            raise ConfigurationError(
                f"there is a key named {name!r}", "a name of its own", "choose another or revoke it"
            )
        key = ApiKey(
            name=name, secret_hash=hash_secret(secret), scopes=" ".join(wanted), created_at=clock.now(),
            last_used_at=None, revoked_at=None,
        )  # fmt: skip
        session.add(key)
        session.flush()
        return NewKey(secret, key.key_id, name, wanted)


def list_keys(engine: Engine) -> tuple[KeyRecord, ...]:
    """All keys that were ever made, oldest first."""
    with Session(engine) as session:
        keys = session.scalars(select(ApiKey).order_by(ApiKey.key_id))
        return tuple(
            KeyRecord(
                key.key_id,
                key.name,
                tuple(key.scopes.split()),
                key.created_at.isoformat(),
                key.last_used_at.isoformat() if key.last_used_at else "",
                key.revoked_at.isoformat() if key.revoked_at else "",
            )
            for key in keys
        )


def revoke_key(engine: Engine, name: str, *, clock: Clock) -> KeyRecord:
    """Put the key of that name out of force, from now on and for good.

    Raises:
        NotFoundError: no key in force has the name.
    """
    with Session(engine) as session, session.begin():
        key = session.scalars(select(ApiKey).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))).first()
        if key is None:
            raise NotFoundError(
                f"no key in force is named {name!r}", "a name from `kizashi keys list`", "check the name"
            )
        key.revoked_at = clock.now()
        key_id = key.key_id
    return next(record for record in list_keys(engine) if record.key_id == key_id)


class KeyRing:
    """Checks presented keys against the database; while that is away, against the keys last seen in force.

    Args:
        database: where keys lie.
        snapshot: a file of hashes, names and scopes.
        clock: for the time of last use.
    """

    def __init__(self, database: Database, snapshot: Path, clock: Clock) -> None:
        self._database = database
        self._snapshot = snapshot
        self._clock = clock
        self._remembering = threading.Lock()

    def identify(self, secret: str) -> Caller | None:
        """Whose key this is; None for a wrong or revoked one.

        Raises:
            AwayError: the database is away and no key was ever remembered.
        """
        hashed = hash_secret(secret)
        try:
            with self._database.engine() as engine:
                return self._in_database(engine, hashed)
        except AwayError:
            if not self._snapshot.exists():
                raise
            return _caller(json.loads(self._snapshot.read_text(encoding="utf-8")), hashed)

    def remember(self) -> None:
        """Write the keys in force beside the database, for when it is away."""
        with self._database.engine() as engine, Session(engine) as session:
            keys = session.scalars(select(ApiKey).where(ApiKey.revoked_at.is_(None)).order_by(ApiKey.key_id))
            content = {
                key.secret_hash: {"key_id": key.key_id, "name": key.name, "scopes": key.scopes.split()} for key in keys
            }
        with self._remembering:
            if self._snapshot.exists() and json.loads(self._snapshot.read_text(encoding="utf-8")) == content:
                return
            write_json(self._snapshot, content)
            self._snapshot.chmod(0o600)

    def _in_database(self, engine: Engine, hashed: str) -> Caller | None:
        with Session(engine) as session:
            key = session.scalars(select(ApiKey).where(ApiKey.secret_hash == hashed)).first()
            # The index found it by its hash; comparing again in constant time lets nothing be learnt from the search.
            if key is None or key.revoked_at is not None or not hmac.compare_digest(key.secret_hash, hashed):
                return None
            self._note_use(session, key, self._clock.now())
            return Caller(key.key_id, key.name, frozenset(key.scopes.split()))

    def _note_use(self, session: Session, key: ApiKey, now: datetime) -> None:
        if key.last_used_at is not None and now - key.last_used_at < _LAST_USED_STEP:
            return
        session.execute(update(ApiKey).where(ApiKey.key_id == key.key_id).values(last_used_at=now))
        session.commit()


def _caller(remembered: Mapping[str, Mapping[str, object]], hashed: str) -> Caller | None:
    for known, key in remembered.items():
        if hmac.compare_digest(known, hashed):
            scopes = key["scopes"]
            return Caller(
                int(str(key["key_id"])), str(key["name"]), frozenset(scopes if isinstance(scopes, list) else ())
            )
    return None
