"""Patterns with `*` and `?`, as people write them in a configuration, for SQL."""


def like_pattern(pattern: str) -> str:
    r"""A pattern with `*` and `?` as the right side of SQL's LIKE, quoted; every other character stands for itself.

    >>> like_pattern("*pricing_50%*")
    "'%pricing\\_50\\%%' ESCAPE '\\'"
    """
    escaped = "".join({"*": "%", "?": "_"}.get(c, "\\" + c if c in "%_\\" else c) for c in pattern)
    return "'" + escaped.replace("'", "''") + "' ESCAPE '\\'"
