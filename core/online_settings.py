"""Which online store lookups read, and where it is."""

from typing import Literal

from pydantic import Field

from core.source_settings import Frozen

OnlineStoreType = Literal["sqlite", "redis", "postgres"]


class OnlineStoreSettings(Frozen):
    """Where the newest features lie: a file in the workspace, or a server that several services share."""

    type: OnlineStoreType = Field(
        "sqlite", description="`redis` and `postgres` need the extra of that name and a server."
    )
    url_env: str = Field(
        "KIZASHI_ONLINE_STORE_URL",
        pattern=r"^[A-Z][A-Z0-9_]*$",
        description="The environment variable that holds the server's URL, password included; never in this file.",
    )
    namespace: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$",
        description="Keeps companies on one server apart; the configuration's name unless written.",
    )
