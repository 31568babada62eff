"""Sales people's browsers: a login with a key, a cookie that says nothing, and a token against forged forms."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from core.clock import Clock
from core.serving_tables import ApiKey, SalesSession
from serving.availability import Database
from serving.keys import Caller, hash_secret

LIFETIME = timedelta(hours=12)
_TOKEN_BYTES = 32


@dataclass(frozen=True)
class Login:
    """A browser that is logged in."""

    caller: Caller
    token: str

    @property
    def form_token(self) -> str:
        """What each form must send back: nobody who does not hold the cookie can know it."""
        return hmac.new(self.token.encode(), b"form", hashlib.sha256).hexdigest()

    def accepts(self, form_token: str) -> bool:
        """Whether a form came from our own page."""
        return hmac.compare_digest(self.form_token.encode(), form_token.encode())


class Sessions:
    """Logins of the sales page, in the database so that any worker knows them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(self, caller: Caller) -> Login:
        """Log a browser in; outdated sessions are swept out on the way."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._clock.now()
        with self._database.engine() as engine, Session(engine) as session, session.begin():
            session.execute(delete(SalesSession).where(SalesSession.expires_at <= now))
            session.add(
                SalesSession(
                    token_hash=hash_secret(token), key_id=caller.key_id, created_at=now, expires_at=now + LIFETIME
                )
            )
        return Login(caller, token)

    def find(self, token: str) -> Login | None:
        """The login behind a cookie; None when it has ended, or its key was revoked or has lost the scope."""
        query = (
            select(ApiKey)
            .join(SalesSession, SalesSession.key_id == ApiKey.key_id)
            .where(
                SalesSession.token_hash == hash_secret(token),
                SalesSession.expires_at > self._clock.now(),
                ApiKey.revoked_at.is_(None),
            )
        )
        with self._database.engine() as engine, Session(engine) as session:
            key = session.scalars(query).first()
            if key is None or "sales" not in key.scopes.split():
                return None
            return Login(Caller(key.key_id, key.name, frozenset(key.scopes.split())), token)

    def end(self, token: str) -> None:
        """Log the browser out."""
        with self._database.engine() as engine, Session(engine) as session, session.begin():
            session.execute(delete(SalesSession).where(SalesSession.token_hash == hash_secret(token)))
