from typing import Any

import pytest
from pydantic import ValidationError

from core.activation_settings import ActivationSettings

HOOK = {"kind": "webhook", "name": "crm", "url": "https://crm.example/hook", "secret_env": "HOOK_SECRET"}


def test_without_a_word_alerts_are_listed_and_sent_nowhere() -> None:
    settings = ActivationSettings()
    assert settings.channels == ()
    assert (settings.alerts.in_talks, settings.alerts.marketing) == ("person", "not_refused")


def test_one_secret_may_be_written_plainly() -> None:
    (channel,) = ActivationSettings(channels=[HOOK]).channels
    assert channel.kind == "webhook"
    assert channel.secret_env == ("HOOK_SECRET",)


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        ([{**HOOK, "url": "http://crm.example/hook"}], "not https"),
        ([{**HOOK, "url": "ftp://crm.example/hook", "allow_http": True}], "must begin with https"),
        ([{**HOOK, "url": "https://user:secretword@crm.example/"}], "user name or password"),
        ([{**HOOK, "secret_env": []}], "at least 1"),
        ([{**HOOK, "kind": "pager"}], "pager"),
        ([HOOK, HOOK], "twice: crm"),
        ([{**HOOK, "timeout_seconds": 120}], "30"),
        ([{**HOOK, "retries": 3}], "retries"),
    ],
)
def test_unusable_channels_are_refused(channels: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        ActivationSettings(channels=channels)
    assert "secretword" not in str(caught.value.errors(include_input=False))
