"""Answers over HTTP: lookups for other tools, hot leads for sales, and the checks around them."""

__all__: list[str] = []
