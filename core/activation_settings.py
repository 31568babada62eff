"""When sales is told that a lead turned hot, and through which channels: `activation` in a configuration."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from core.source_settings import Frozen


class AlertSettings(Frozen):
    """Which crossings into hot become an alert."""

    cool_down_days: float = Field(14, ge=0, description="No second alert about a person within so many days.")
    in_talks: Literal["person", "account", "ignore"] = Field(
        "person", description="No alert while the person, or anybody's at the person's company, has an open deal."
    )
    marketing: Literal["not_refused", "granted", "ignore"] = Field(
        "not_refused", description="No alert about people who opted out, or about all who have not opted in."
    )
    excluded_mail_domains: tuple[str, ...] = Field((), description="Never alerted about: own staff, competitors.")
    owner_field: str | None = Field(
        None, description="A custom field of people that holds their salesperson's id; absent: the latest deal's owner."
    )
    default_owner: str | None = Field(None, description="Gets the leads that have no owner.")
    daily_budget: int = Field(10, ge=0, description="Alerts a day for a salesperson without a daily_capacity.")
    unassigned_daily_budget: int = Field(50, ge=0, description="Alerts a day about leads that nobody owns.")

    @field_validator("excluded_mail_domains")
    @classmethod
    def _lower_case(cls, domains: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(domain.strip().lower().removeprefix("@") for domain in domains)


class ChannelBase(Frozen):
    """What all channels share.

    The address is refused unless it is `https` and leads to a public address; the two `allow_` keys lift that for
    receivers in one's own network.
    """

    name: str = Field(pattern=r"^[a-z0-9_-]{1,64}$")
    timeout_seconds: float = Field(15, gt=0, le=30, description="For the whole attempt, look-up of the name included.")
    allow_http: bool = False
    allow_private_addresses: bool = False
    ca_file: Path | None = Field(None, description="Certificates to trust instead of the usual ones.")
    locale: Literal["ja", "en"] | None = Field(None, description="Default: the configuration's locale.")
    personal_data: bool = Field(True, description="Whether the message names the person (name, company, e-mail).")

    def refuse_address(self, url: str) -> str | None:
        """Why the address cannot be used, or None; the address itself may be a secret and is not repeated."""
        if not url.startswith(("https://", "http://")):
            return "the address must begin with https://"
        if url.startswith("http://") and not self.allow_http:
            return "the address is not https; use https or set allow_http: true"
        if "@" in url.split("://", 1)[1].split("/", 1)[0]:
            return "the address holds a user name or password; the signature says who is calling"
        return None


class WebhookSettings(ChannelBase):
    """An HTTP receiver that is called as the Standard Webhooks specification says."""

    kind: Literal["webhook"]
    url: str
    secret_env: tuple[str, ...] = Field(
        min_length=1, description="Environment variables that hold `whsec_…` secrets; during a rotation several."
    )

    @field_validator("secret_env", mode="before")
    @classmethod
    def _as_tuple(cls, names: object) -> object:
        return (names,) if isinstance(names, str) else names

    @model_validator(mode="after")
    def _usable_address(self) -> Self:
        if reason := self.refuse_address(self.url):
            raise ValueError(reason)
        return self


class SlackSettings(ChannelBase):
    """A Slack incoming webhook. Its address is a secret, so that only the variable's name is written here."""

    kind: Literal["slack"]
    url_env: str
    min_interval_seconds: float = Field(1, ge=0, description="Slack takes one message a second for each channel.")


ChannelSettings = Annotated[WebhookSettings | SlackSettings, Field(discriminator="kind")]


class ActivationSettings(Frozen):
    """Alerts and where they go. Without a channel they are listed only."""

    alerts: AlertSettings = AlertSettings()
    channels: tuple[ChannelSettings, ...] = ()
    page_url: str | None = Field(None, description="Where sales sees the hot leads; linked in each message.")

    @field_validator("channels")
    @classmethod
    def _names_once(cls, channels: tuple[ChannelSettings, ...]) -> tuple[ChannelSettings, ...]:
        names = [channel.name for channel in channels]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"channel names must be unique; twice: {', '.join(twice)}")
        return channels
