"""A record that somebody asks about: given as FIELD=VALUE, or as a JSON object."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from core.errors import ConfigurationError


def read_record(values: Sequence[str], file: Path | None) -> dict[str, str]:
    """What the record says, by field.

    Args:
        values: such as `email=taro@example.jp`.
        file: holds a JSON object instead; `-` stands for stdin, which keeps the values out of the shell's history.

    Raises:
        ConfigurationError: neither is given, or it cannot be read.
    """
    if file is not None:
        return _from_json(file)
    pairs = [value.partition("=") for value in values]
    if not pairs or any(not name or not sign for name, sign, _ in pairs):
        raise ConfigurationError(
            "no record was given" if not pairs else "an argument is not of the form FIELD=VALUE",
            "email=taro@example.jp last_name=山田, or --file with a JSON object",
            "say what the record holds",
        )
    return {name: value for name, _, value in pairs}


def _from_json(file: Path) -> dict[str, str]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8-sig")
        told = json.loads(text)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigurationError(
            f"{file} cannot be read as JSON ({type(error).__name__})",
            'a JSON object such as {"email": "…"}',
            "correct the file",
        ) from error
    if not isinstance(told, dict) or not all(isinstance(value, str | None) for value in told.values()):
        raise ConfigurationError(f"{file} holds no JSON object of texts", "fields and their texts", "correct the file")
    return {name: value for name, value in told.items() if value is not None}
