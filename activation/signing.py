"""The headers by which a receiver knows who sent a message, after the Standard Webhooks specification."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64


def secret_fault(secret: str) -> str | None:
    """What is wrong with a secret, without repeating it; None if nothing is.

    >>> secret_fault("whsec_" + base64.b64encode(b"x" * 32).decode()) is None
    True
    >>> secret_fault("hunter2")
    'does not begin with whsec_'
    """
    if not secret.startswith(_PREFIX):
        return f"does not begin with {_PREFIX}"
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return f"is no base64 after {_PREFIX}"
    if not _SHORTEST <= len(key) <= _LONGEST:
        return f"holds {len(key)} bytes instead of {_SHORTEST} to {_LONGEST}"
    return None


def signature_headers(secrets: Sequence[str], message_id: str, moment: datetime, body: str) -> dict[str, str]:
    """Id, time of this attempt and one signature for each secret, so that a receiver may know either one.

    Args:
        secrets: `whsec_…`, during a rotation the new and the old one.
        message_id: the same on every attempt.
        moment: when this attempt is made.
        body: exactly what is sent.
    """
    sent_at = moment.astimezone(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(Webhook(secret).sign(message_id, sent_at, body) for secret in secrets),
    }
