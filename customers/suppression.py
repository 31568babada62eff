"""The suppression list: keyed hashes of all keys of people who were forgotten, so that no export brings them back."""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from core.errors import ConfigurationError
from core.storage import Workspace, fingerprint, write_json

KEY_VARIABLE = "KIZASHI_SUPPRESSION_KEY"
# Keys that a later export showed to be a forgotten person's too carry this instead of a receipt.
LEARNED = "learned"
_SHORTEST_KEY = 32


class Key(NamedTuple):
    """By what a person is known: a record of a system, or an address, number, login or browser (`email`, …)."""

    system: str
    id: str


def apart_key(one: Key, other: Key) -> Key:
    """Two records that a system links and that were different people when one of them was forgotten.

    Without it the other one would be taken for a record of the forgotten person, and go as well.
    """
    left, right = sorted((one, other))
    return Key("apart", "\x1f".join((*left, *right)))


# On the list wherever there is any such pair: without it no link needs to be looked up.
ANY_APART = Key("apart", "")


class SuppressionList:
    """Who is not to come back. Only keyed hashes are kept: the list alone tells nobody who is on it.

    The key comes from the environment (`KIZASHI_SUPPRESSION_KEY`), or lies beside the list and is made with its first
    entry (docs/adr/0008). Writers hold the workspace.

    Raises:
        ConfigurationError: the key is missing, too short, or not the one that the list was made with; with a wrong key
            nobody would be recognised.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.path("suppression", "list.json")
        self._key_path = workspace.path("suppression", "key")
        self._entries: dict[str, str] = {}
        self._key: bytes | None = None
        if self._path.exists():
            stored = json.loads(self._path.read_text(encoding="utf-8"))
            self._entries = stored["entries"]
            self._key = self._found_key()
            if self._key is None or self._mark(self._key) != stored["key_mark"]:
                raise ConfigurationError(
                    f"the key of the suppression list {self._path} is {'another one' if self._key else 'missing'}",
                    "the key that it was made with: without it, people who were forgotten would come back",
                    f"set {KEY_VARIABLE}, or put the file {self._key_path} back",
                )

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def receipt_of(self, key: Key) -> str | None:
        """The receipt by which somebody with this key was forgotten (`learned`: found to be theirs later), or None."""
        return self._entries.get(self._hash(key)) if self._entries else None

    def among(self, keys: Iterable[tuple[str, str]]) -> list[Key]:
        """Those of the keys that are on the list."""
        return [key for key in (Key(*pair) for pair in keys) if self.receipt_of(key) is not None]

    def add(self, keys: Iterable[Key], receipt: str) -> None:
        """Put keys on the list, for good, all of them or none; those already on it stay as they are."""
        entries = {self._hash(key): receipt for key in keys}
        if entries.keys() <= self._entries.keys():
            return
        self._entries = {**entries, **self._entries}
        write_json(self._path, {"key_mark": self._mark(self._secret()), "entries": self._entries})

    @property
    def fingerprint(self) -> str:
        """Changes whenever somebody was forgotten, not when more of their keys were learned."""
        return fingerprint(*sorted(digest for digest, receipt in self._entries.items() if receipt != LEARNED))

    def _hash(self, key: Key) -> str:
        return hmac.new(self._secret(), f"{key.system}\x1f{key.id}".encode(), hashlib.sha256).hexdigest()

    def _secret(self) -> bytes:
        if self._key is None:
            self._key = self._found_key() or self._new_key()
        return self._key

    def _found_key(self) -> bytes | None:
        given = os.environ.get(KEY_VARIABLE)
        if given is not None:
            if len(given) < _SHORTEST_KEY:
                raise ConfigurationError(
                    f"{KEY_VARIABLE} has {len(given)} characters", f"{_SHORTEST_KEY} at least", "choose a longer one"
                )
            return given.encode()
        return self._key_path.read_bytes() if self._key_path.exists() else None

    def _new_key(self) -> bytes:
        """A random key, readable by the owner alone, in place as a whole before anything is hashed with it."""
        key = secrets.token_hex(_SHORTEST_KEY).encode()
        self._key_path.parent.mkdir(parents=True, exist_ok=True)
        _write_private(self._key_path, key)
        return key

    @staticmethod
    def _mark(key: bytes) -> str:
        return hmac.new(key, b"kizashi suppression list", hashlib.sha256).hexdigest()[:16]


def _write_private(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
