"""What other systems were told about the life cycle of their records: a table of the application database."""

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.database import Base


class LifecycleTold(Base):
    """What a system was told last about one of its records, word for word as the confirmed file said it."""

    __tablename__ = "lifecycle_told"

    system: Mapped[str] = mapped_column(String(128), primary_key=True)
    source_id: Mapped[str] = mapped_column(String(512), primary_key=True)
    stage: Mapped[str] = mapped_column(Text)
    stage_since: Mapped[str] = mapped_column(String(32))
    deal_state: Mapped[str] = mapped_column(Text)
    opted_out: Mapped[str] = mapped_column(String(8))
