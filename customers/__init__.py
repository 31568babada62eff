"""From the exports of many systems to one person per row: connectors, cleansing, identity in time, survivorship."""

__all__ = [
    "accounts",
    "cleansing",
    "connectors",
    "consent",
    "identity",
    "mapping",
    "quality",
    "quarantine",
    "survivorship",
    "unify",
]
