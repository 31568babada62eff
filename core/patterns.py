"""Patterns with `*` and `?`, as people write them in a configuration, for SQL and for names."""

from collections.abc import Sequence
from fnmatch import fnmatchcase


def like_pattern(pattern: str) -> str:
    r"""A pattern with `*` and `?` as the right side of SQL's LIKE, quoted; every other character stands for itself.

    >>> like_pattern("*pricing_50%*")
    "'%pricing\\_50\\%%' ESCAPE '\\'"
    """
    escaped = "".join({"*": "%", "?": "_"}.get(c, "\\" + c if c in "%_\\" else c) for c in pattern)
    return "'" + escaped.replace("'", "''") + "' ESCAPE '\\'"


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether a plain name (letters, digits, underscores) matches one of the patterns.

    >>> matches("web_visit_count_7d", ["web_*"]), matches("industry", [])
    (True, False)
    """
    return any(fnmatchcase(name, pattern) for pattern in patterns)
