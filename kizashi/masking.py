"""Personal values as they are shown where nobody asked for them: enough to recognise what one knows already."""

from customers.linking import KEY_SYSTEMS
from customers.suppression import Key

_SHOWN = 4


def mask_value(field: str, value: str) -> str:
    """A value of a person with most of it hidden.

    >>> mask_value("email", "taro@example.jp"), mask_value("phone", "+81312345678"), mask_value("name", "山田 太郎")
    ('t***@example.jp', '***78', '山***')
    """
    if "@" in value:
        local, _, domain = value.rpartition("@")
        return f"{local[:1]}***@{domain}"
    if field == "phone":
        return f"***{value[-2:]}" if len(value) > _SHOWN else "***"
    return f"{value[:1]}***"


def mask_key(key: Key) -> str:
    """A record or key as `system/id`; addresses, logins and browsers are hidden, ids of records are not.

    >>> mask_key(Key("crm", "1001")), mask_key(Key("email", "taro@example.jp")), mask_key(Key("cookie", "k1234567"))
    ('crm/1001', 'email/t***@example.jp', 'cookie/k123***')
    """
    if key.system == "cookie":
        return f"cookie/{key.id[:_SHOWN]}***" if len(key.id) > _SHOWN else f"cookie/{key.id}"
    if key.system in KEY_SYSTEMS or "@" in key.id:
        return f"{key.system}/{mask_value(key.system, key.id)}"
    return f"{key.system}/{key.id}"
