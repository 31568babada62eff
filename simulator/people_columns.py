"""How people and companies are written down: names in kanji, kana and romaji, addresses, titles, cookies, logins."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import vocabulary
from simulator.columns import joined, numbered, words
from simulator.population import Ints
from simulator.world import NO_TIME, World


def local(world: World, entries: Sequence[tuple[Any, ...]]) -> list[str]:
    """The words of a vocabulary in the language of the company."""
    return [str(entry[0 if world.locale == "ja" else 1]) for entry in entries]


def surnames(world: World, person: Ints, form: int | None = None) -> pa.Array:
    """Family names; `form` 0 kanji, 1 kana, 2 romaji, by default as the locale writes them."""
    form = (0 if world.locale == "ja" else 2) if form is None else form
    texts = [name[form].title() if form == 2 else name[form] for name in vocabulary.SURNAMES]
    return words(texts, world.people.surname[person])


def given_names(world: World, person: Ints, form: int | None = None) -> pa.Array:
    """Given names, in the same forms."""
    form = (0 if world.locale == "ja" else 2) if form is None else form
    texts = [name[form].title() if form == 2 else name[form] for name in vocabulary.GIVEN_NAMES]
    return words(texts, world.people.given[person])


def titles(world: World, person: Ints) -> pa.Array:
    """Job titles, from which the rank can be read."""
    ranks = [japanese if world.locale == "ja" else english for japanese, english, _ in vocabulary.RANKS]
    offsets = np.cumsum([0, *[len(rank) for rank in ranks]])
    flat = [title for rank in ranks for title in rank]
    return words(flat, offsets[world.people.rank[person]] + world.people.title[person])


def departments(world: World, person: Ints) -> pa.Array:
    """Departments; two buying units of a company never share one."""
    names = local(world, vocabulary.DEPARTMENTS)
    number = world.people.department_number[person]
    suffix = words([f"第{n + 1}" if world.locale == "ja" else f" {n + 1}" for n in range(1, 60)], number - 1)
    if world.locale == "ja":
        return joined(suffix, words(names, world.people.department[person]))
    return joined(words(names, world.people.department[person]), suffix)


def companies(world: World, person: Ints) -> pa.Array:
    """Company names of people; one in twelve is written in another form."""
    account = world.people.account[person]
    other = (person * 2_654_435_761 % 1009) % 12 == 0
    return pc.if_else(
        pa.array(other), words(world.accounts.alternative_name, account), words(world.accounts.name, account)
    )


def first_emails(world: World, person: Ints) -> pa.Array:
    """The address at the time of the first record, which also is the login of the product."""
    return words(world.people.email, person)


def current_emails(world: World, person: Ints) -> pa.Array:
    """The address at the time of the export, after changes."""
    changed = world.email_changed[person] != NO_TIME
    return pc.if_else(pa.array(changed), changed_emails(world, person), first_emails(world, person))


def changed_emails(world: World, person: Ints) -> pa.Array:
    """The address after a change: another local part at the same domain."""
    return pc.replace_substring(first_emails(world, person), "@", ".new@", max_replacements=1)


def mailbox_emails(world: World, person: Ints) -> pa.Array:
    """What Marketo holds: the company's shared mailbox for those who gave it, else the person's own address."""
    shared = joined("info@", words(world.accounts.domain, world.people.account[person]))
    return pc.if_else(pa.array(world.shared_mailbox[person]), shared, current_emails(world, person))


def cookies(code: Ints) -> pa.Array:
    """Tracking cookies; the code is twice the person, plus one for the second browser."""
    return joined(
        numbered("_mch-kumono.example-", 1_650_000_000_000 + code * 104_729, 13),
        numbered("-", code * 48_271 % 100_000, 5),
    )


def stable_share(person: Ints, salt: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A fixed number in [0, 1) per person, for habits that need no stream of their own."""
    mixed = (person.astype(np.uint64) + np.uint64(salt * 7_919 + 1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> np.uint64(11)).astype(np.float64) / float(1 << 53)
