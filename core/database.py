"""The application database: what was answered, and the state that a score carries from one run to the next."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Boolean, DateTime, Engine, Float, Index, Integer, LargeBinary, String, create_engine, event
from sqlalchemy.engine import Dialect, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from core.errors import ConfigurationError
from core.settings import Settings
from core.storage import Workspace


class UtcMoment(TypeDecorator[datetime]):
    """A moment with time zone, also on SQLite, which stores none: kept in UTC and given back in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times rather than guess their zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Mark what comes back as UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Base(DeclarativeBase):
    """The tables of the application database."""


class Answer(Base):
    """One score that differed from the one before it, with all that is needed to compute it again.

    `features` and `contributions` are packed rows (see `scoring.answers`) in the column order of the model version.
    """

    __tablename__ = "answers"
    # Rows are only ever added: corrected data for the same moment give a second answer, and the first was given too.
    __table_args__ = (
        Index("answers_by_customer", "model", "customer_id", "features_as_of"),
        Index("answers_by_moment", "model", "model_version", "features_as_of"),
    )

    answer_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    model: Mapped[str] = mapped_column(String(64))
    customer_id: Mapped[str] = mapped_column(String(64))
    model_version: Mapped[str] = mapped_column(String(64))
    features_as_of: Mapped[datetime] = mapped_column(UtcMoment)
    answered_at: Mapped[datetime] = mapped_column(UtcMoment)
    probability: Mapped[float] = mapped_column(Float(53))
    score: Mapped[int] = mapped_column(Integer)
    grade: Mapped[str] = mapped_column(String(1))
    evidence: Mapped[str] = mapped_column(String(8))
    hot: Mapped[bool] = mapped_column(Boolean)
    features: Mapped[bytes] = mapped_column(LargeBinary)
    contributions: Mapped[bytes] = mapped_column(LargeBinary)


class ScoreState(Base):
    """What the next score of a person needs to know of the last one: whether the lead is hot, and since when."""

    __tablename__ = "score_states"

    model: Mapped[str] = mapped_column(String(64), primary_key=True)
    customer_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    model_version: Mapped[str] = mapped_column(String(64))
    features_as_of: Mapped[datetime] = mapped_column(UtcMoment)
    probability: Mapped[float] = mapped_column(Float(53))
    score: Mapped[int] = mapped_column(Integer)
    hot: Mapped[bool] = mapped_column(Boolean)
    hot_since: Mapped[datetime | None] = mapped_column(UtcMoment)


def open_database(settings: Settings, workspace: Workspace) -> Engine:
    """The application database with its tables in place: `database_url`, or SQLite (WAL) in the workspace.

    The caller disposes of the engine.

    Raises:
        ConfigurationError: the URL cannot be understood or nothing answers there.
    """
    if settings.database_url is None:
        workspace.home.mkdir(parents=True, exist_ok=True)
        address = f"sqlite:///{workspace.path('app.db')}"
    else:
        address = settings.database_url
    try:
        url = make_url(address)
        # A server that was restarted ended the connections that wait here; whoever takes one first sees whether it did.
        engine = create_engine(url, pool_pre_ping=url.get_backend_name() != "sqlite")
    except (ArgumentError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            "database_url cannot be used",
            "an SQLAlchemy URL such as postgresql+psycopg://user@host/name whose driver is installed",
            "correct database_url or KIZASHI_DATABASE_URL",
        ) from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    try:
        Base.metadata.create_all(engine)
    except OperationalError as error:
        engine.dispose()
        raise ConfigurationError(
            f"the database {url.render_as_string(hide_password=True)} does not answer",
            "a database that is running and may be written to",
            "start it or correct database_url",
        ) from error
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Readers go on while one process writes, and a second writer waits instead of failing at once."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA busy_timeout = 10000")
    cursor.close()
