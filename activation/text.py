"""Texts of other systems, made fit for one line of a message."""

import unicodedata


def shorten(text: str, limit: int) -> str:
    r"""The text on one line, without control characters, with at most `limit` characters.

    >>> shorten("a  b\n c", 10), shorten("abcdef", 4)
    ('a b c', 'abc…')
    """
    # Control characters, lone surrogates and marks that turn the reading direction do no good in anybody's window.
    visible = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Cf") else letter for letter in text)
    line = " ".join(visible.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
