"""The job: people who ask for it are forgotten for good, everywhere, and a receipt says what was erased."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from core.clock import Clock
from core.erasure import ForgottenPerson, everything_about
from core.errors import ConfigurationError, NotFoundError
from core.settings import Settings
from core.storage import Workspace, write_json
from customers.cleansing.email import normalise_email
from customers.erasure import OWN_SYSTEM, keys_to_suppress, known_by
from customers.suppression import Key, SuppressionList
from kizashi import __version__
from kizashi.forget_places import count_everywhere, erase_everywhere
from kizashi.people import find_customer

_NOTES = {
    "ja": [
        "会社が所有する書き出しファイルやデータベース(ソース)は変更していません。元のシステムでも削除してください。",
        "抑止リスト(鍵付きハッシュ)により、以後の書き出しに含まれていても取り込みません。",
        "学習済みモデルは人物のデータを含みません。学習結果への影響は次回の学習で消えます。",
        "サーバー外のバックアップ、配信済みの通知、ワークスペースの外に書き出した一覧は対象外です。",
    ],
    "en": [
        "The exports and databases that are read (the sources) belong to the company and were not altered: "
        "delete the person there too.",
        "Keyed hashes on the suppression list keep the person away, should a later export contain them.",
        "Trained models hold no person's data; what they learned from this person ends with the next training.",
        "Backups elsewhere, messages already delivered and lists exported to places outside the workspace are not "
        "reached.",
    ],
}


@dataclass(frozen=True)
class Receipt:
    """What was erased about one person, without saying who it was.

    Attributes:
        receipt: its number, by which the company remembers whose request it answers.
        asked_at: when the command was given (UTC).
        forgotten_at: when everything was done (UTC).
        places: rows erased by kind of place.
        keys: hashed keys that went onto the suppression list, by system.
        path: where the receipt lies.
    """

    receipt: str
    asked_at: datetime
    forgotten_at: datetime
    places: dict[str, int]
    keys: dict[str, int]
    path: Path


@dataclass(frozen=True)
class Forgetting:
    """What a command did: people forgotten now, and those who had been before, by the receipts of that time."""

    forgotten: tuple[Receipt, ...]
    already: tuple[str, ...]


@dataclass(frozen=True)
class _Pending:
    """One person on the way out; lies in the workspace until all is done, so that a killed command is finished."""

    receipt: str
    asked_at: datetime
    person: ForgottenPerson
    suppress: tuple[Key, ...]
    places: dict[str, int]


def forget_people(settings: Settings, workspace: Workspace, given: Sequence[str], *, clock: Clock) -> Forgetting:
    """Forget everybody who is named; all of them, or nobody where somebody is not known.

    Afterwards no id and no record of theirs resolves, and no later export brings them back. Whoever was forgotten
    before is counted as such. A command that was killed half-way is finished first.

    Args:
        settings: the configuration.
        workspace: is held meanwhile; readers see the state before or after.
        given: customer ids of any time, or records as `system:id`.
        clock: dates the receipts.

    Raises:
        NotFoundError: nobody is known under some of the ids; all of them are named.
        BusyError: another command works in the workspace, or a service keeps an SQLite file busy.
    """
    with workspace.lock():
        finish_forgetting(settings, workspace, clock=clock)
        suppressed = SuppressionList(workspace)
        customers: dict[str, None] = {}
        already: dict[str, None] = {}
        unknown = []
        for text in dict.fromkeys(given):
            receipt = suppressed.receipt_of(_key(text))
            if receipt is not None:
                already[receipt] = None
                continue
            try:
                customers[find_customer(workspace, _tidied(text))] = None
            except NotFoundError:
                unknown.append(text)
        if unknown:
            raise NotFoundError(
                f"nobody is known as {', '.join(map(repr, unknown))}",
                "customer ids, or system:id such as marketo:1001",
                "correct them; nobody was forgotten",
            )
        people = [known_by(workspace, customer_id) for customer_id in customers]
        together, now = everything_about(people), clock.now()
        pending = [
            _Pending(
                f"f-{uuid4().hex[:12]}",
                now,
                person,
                tuple(keys_to_suppress(workspace, person, together)),
                count_everywhere(settings, workspace, person),
            )
            for person in people
        ]
        if pending:
            write_json(_journal(workspace), {"people": [asdict(entry) for entry in pending]})
        receipts = finish_forgetting(settings, workspace, clock=clock)
    return Forgetting(receipts, tuple(already))


def finish_forgetting(settings: Settings, workspace: Workspace, *, clock: Clock) -> tuple[Receipt, ...]:
    """Do what a command wrote down before it began to erase; nothing where none is under way. The workspace is held.

    Raises:
        BusyError: a service keeps an SQLite file busy.
    """
    journal = _journal(workspace)
    if not journal.exists():
        return ()
    pending = [_read(entry) for entry in json.loads(journal.read_text(encoding="utf-8"))["people"]]
    suppressed = SuppressionList(workspace)
    for entry in pending:
        # Before anything is erased: whatever happens from here on, nobody comes back.
        suppressed.add(entry.suppress, entry.receipt)
    erase_everywhere(settings, workspace, everything_about([entry.person for entry in pending]))
    receipts = tuple(_write_receipt(workspace, entry, clock.now()) for entry in pending)
    journal.unlink()
    return receipts


def listed_ids(path: Path) -> list[str]:
    """The ids of a file, one a line; blank lines and lines that begin with # are passed over.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"--file {path} cannot be read", "a UTF-8 text file", "check the path") from error
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _write_receipt(workspace: Workspace, entry: _Pending, now: datetime) -> Receipt:
    path = workspace.path("receipts", f"{entry.asked_at:%Y-%m-%d}-{entry.receipt}.json")
    keys: dict[str, int] = {}
    for key in entry.suppress:
        keys[key.system] = keys.get(key.system, 0) + 1
    receipt = Receipt(entry.receipt, entry.asked_at, now, entry.places, keys, path)
    content = {name: value for name, value in asdict(receipt).items() if name != "path"}
    write_json(path, {**content, "release": __version__, "notes": _NOTES})
    return receipt


def _read(entry: dict[str, Any]) -> _Pending:
    person = entry["person"]
    return _Pending(
        entry["receipt"],
        datetime.fromisoformat(entry["asked_at"]),
        ForgottenPerson(tuple(person["customer_ids"]), tuple((system, id_) for system, id_ in person["keys"])),
        tuple(Key(*key) for key in entry["suppress"]),
        entry["places"],
    )


def _tidied(text: str) -> str:
    """Addresses as the unified tables hold them."""
    system, _, address = text.partition(":")
    return f"email:{normalise_email(address) or address}" if system == "email" else text


def _key(text: str) -> Key:
    system, colon, source_id = _tidied(text).partition(":")
    return Key(system, source_id) if colon else Key(OWN_SYSTEM, text)


def _journal(workspace: Workspace) -> Path:
    return workspace.path("forgetting", "pending.json")
