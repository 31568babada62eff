"""A channel that is ready to be used: its address and secrets were found and make sense."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from activation.signing import secret_fault
from core.activation_settings import ActivationSettings, ChannelSettings
from core.errors import ConfigurationError, Fault, raise_faults
from core.storage import fingerprint


@dataclass(frozen=True)
class Channel:
    """One receiver. What came from the environment, Slack's address included, is kept out of every printed form."""

    settings: ChannelSettings
    url: httpx.URL = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    trust: ssl.SSLContext = field(repr=False)

    @property
    def address_fingerprint(self) -> str:
        """Tells whether the channel still has the address that it had, without giving it away."""
        return fingerprint(self.url)


def open_channels(activation: ActivationSettings, environment: Mapping[str, str] | None = None) -> tuple[Channel, ...]:
    """Look up what the configuration names in the environment.

    Args:
        activation: the configuration.
        environment: default: the variables of this process.

    Raises:
        ConfigurationError: variables are missing or hold something unusable; all of them are listed, their values not.
    """
    variables = os.environ if environment is None else environment
    faults: list[Fault] = []
    channels = [
        _open(channel, variables, f"activation.channels.{channel.name}", faults) for channel in activation.channels
    ]
    raise_faults(
        ConfigurationError, "the list of alert channels", faults, "set the variables, or correct `activation.channels`"
    )
    return tuple(channel for channel in channels if channel is not None)


def _open(channel: ChannelSettings, variables: Mapping[str, str], place: str, faults: list[Fault]) -> Channel | None:
    before = len(faults)
    secrets: list[str] = []
    if channel.kind == "webhook":
        text = channel.url
        for name in channel.secret_env:
            secret = variables.get(name, "").strip()
            fault = secret_fault(secret) if secret else "is not set"
            secrets.append(secret)
            if fault:
                faults.append(Fault(place, f"the variable {name} {fault}"))
    else:
        text = variables.get(channel.url_env, "").strip()
        fault = channel.refuse_address(text) if text else "it is not set"
        if fault:
            faults.append(Fault(place, f"the variable {channel.url_env}: {fault}"))
    if channel.ca_file is not None and not channel.ca_file.is_file():
        faults.append(Fault(place, f"ca_file {channel.ca_file} is missing"))
    if len(faults) > before:
        return None
    try:
        url = httpx.URL(text)
        trust = ssl.create_default_context(cafile=channel.ca_file) if channel.ca_file else httpx.create_ssl_context()
    except (httpx.InvalidURL, ssl.SSLError) as error:
        faults.append(Fault(place, f"address or ca_file cannot be used ({type(error).__name__})"))
        return None
    if not url.host:
        faults.append(Fault(place, "the address names no host"))
        return None
    return Channel(channel, url, tuple(secrets), trust)
