"""What makes an event count: told once by two systems, and made by a person."""

from typing import Annotated

from pydantic import Field

from core.source_settings import Frozen

Seconds = Annotated[float, Field(ge=0, le=86_400)]


class DuplicateSettings(Frozen):
    """When events that two systems tell of one person are one happening and count once."""

    enabled: bool = True
    window_seconds: Seconds = Field(2, description="How far apart the two systems' times may lie.")
    types: dict[str, Seconds | None] = Field(
        default_factory=dict,
        description="Another window for events of a type, for example `call: 86400` where one system tells the day "
        "alone; `null`: such events always count.",
    )

    def window(self, kind: str) -> float | None:
        """The window of a type in seconds; None: never one happening.

        >>> DuplicateSettings(types={"call": 60, "purchase": None}).window("call")
        60.0
        """
        return self.types.get(kind, self.window_seconds) if self.enabled else None


class BotSettings(Frozen):
    """Which opens and clicks no person made."""

    burst_seconds: Seconds = Field(10, description="Clicks of one record so close together are looked at together.")
    burst_links: int = Field(3, ge=2, description="So many different links at once are followed by no person.")
    unopened_links: int | None = Field(
        2,
        ge=2,
        description="The same for different links of one mail that was never opened, where its source tells of opens; "
        "`null`: off.",
    )
    delivery_seconds: Seconds | None = Field(
        3, description="An open or click so soon after the delivery of the same mail is a machine's; `null`: off."
    )
    mail_properties: tuple[str, ...] = Field(
        ("job", "message", "asset", "canvas", "campaign"),
        description="Properties of events that name the mail; the first that an event has is used.",
    )
    honeypots: tuple[str, ...] = Field(
        (), description="Addresses (with `*` and `?`) of links that nobody can see; who follows one is a machine."
    )
    user_agents: tuple[str, ...] = Field(
        (
            "*bot/*",
            "*bot;*",
            "*crawler*",
            "*spider*",
            "*scanner*",
            "*barracuda*",
            "*proofpoint*",
            "*mimecast*",
            "*python-requests*",
            "*headlesschrome*",
            "curl/*",
            "wget/*",
        ),
        description="Programs (with `*` and `?`, letter case means nothing) that are no person's, where `events."
        "user_agent` is mapped.",
    )


class EventSettings(Frozen):
    """Which events count."""

    duplicates: DuplicateSettings = DuplicateSettings()
    bots: BotSettings = BotSettings()
