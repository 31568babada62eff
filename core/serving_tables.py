"""Tables of the application database that serving reads: who a record is, API keys, and sales people's sessions."""

from datetime import datetime

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, UtcMoment


class PersonRecord(Base):
    """Who stands behind a record of a system: the same content as the `record` view of the online store.

    `state` is `known`, `anonymous` or `excluded` (refused profiling); `models` names those that score the person,
    separated by spaces.
    """

    __tablename__ = "person_records"

    system: Mapped[str] = mapped_column(String(128), primary_key=True)
    source_id: Mapped[str] = mapped_column(String(512), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), index=True)
    state: Mapped[str] = mapped_column(String(16))
    models: Mapped[str] = mapped_column(String(256))


class ApiKey(Base):
    """A key that was handed out; only the hash of its secret is kept."""

    __tablename__ = "api_keys"

    key_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(String(128))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcMoment)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcMoment)


class SalesSession(Base):
    """A browser that is logged in to the sales page; only the hash of its cookie is kept."""

    __tablename__ = "sales_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[int] = mapped_column(Integer, index=True)
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
    expires_at: Mapped[datetime] = mapped_column(UtcMoment)
