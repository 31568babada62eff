"""Turning raw text columns into the rows of the unified tables, as `sources` in the configuration says."""

__all__ = ["moments", "sections"]
