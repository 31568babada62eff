"""What people decided about two records: a table of the application database."""

from datetime import datetime

from sqlalchemy import Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base, UtcMoment


class IdentityDecision(Base):
    """Somebody said whether two records are one person. Rows are only added: the last one about a pair holds.

    It hangs on records, not on customer ids, so that it outlives every run. The left record sorts before the right one,
    so that a pair has one form. `verdict` is `same`, `different` or `withdrawn`.
    """

    __tablename__ = "identity_decisions"
    __table_args__ = (
        Index("identity_decisions_left", "left_system", "left_id"),
        Index("identity_decisions_right", "right_system", "right_id"),
    )

    decision_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    left_system: Mapped[str] = mapped_column(String(128))
    left_id: Mapped[str] = mapped_column(String(512))
    right_system: Mapped[str] = mapped_column(String(128))
    right_id: Mapped[str] = mapped_column(String(512))
    verdict: Mapped[str] = mapped_column(String(12))
    decided_by: Mapped[str] = mapped_column(String(128))
    decided_at: Mapped[datetime] = mapped_column(UtcMoment)
