"""The till of the shop: Shift_JIS, half-width kana, wall-clock times without a zone."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simulator import vocabulary
from simulator.columns import blank_where, joined, numbered, stamp_naive_japan, words
from simulator.files import write_shift_jis
from simulator.moments import DAY, office_seconds
from simulator.people_columns import (
    first_emails,
)
from simulator.population import Ints
from simulator.world import World


def shop_members(world: World) -> Ints:
    """People with a member card of the shop; the number on the card is 500000 plus the person."""
    return np.flatnonzero(_card_day(world) < world.calendar.history_days)


def _card_day(world: World) -> Ints:
    """The day from which each known person has a card; beyond the history for those who never have one.

    One in twenty takes a card once they are known, whatever becomes of them. Customers take one more often, but only
    after they were won: a card must not tell who will be.
    """
    known = world.people.known_count
    never = 2 * world.calendar.history_days
    draw = world.random(51).random(known)
    won = world.won_day[:known]
    customer = won < world.calendar.history_days
    by_chance = np.where(draw < 0.05, np.maximum(world.people.known_day[:known], 0), never)
    as_customer = np.where(customer & (draw >= 0.05) & (draw < 0.20), np.maximum(won, 0), never)
    return np.minimum(by_chance, as_customer)


def write_shop(world: World, directory: Path) -> dict[str, int]:
    """Writes shop/pos.csv in Shift_JIS, with half-width kana and wall-clock times."""
    random = world.random(52)
    member = shop_members(world)
    earliest = _card_day(world)[member] + 1
    visits = 1 + random.poisson(1.5, len(member))
    person = np.repeat(member, visits)
    first = np.repeat(earliest, visits)
    day = first + (random.random(len(person)) * np.maximum(world.calendar.history_days - first, 0)).astype(np.int64)
    second = day * DAY + np.clip(office_seconds(len(person), random), 10 * 3600, 20 * 3600)
    kept = np.flatnonzero(day < world.calendar.history_days)
    order = kept[np.lexsort((person[kept], second[kept]))]
    person, second = person[order], second[order]
    item = random.choice(len(vocabulary.SHOP_ITEMS), len(order), p=[0.3, 0.25, 0.1, 0.15, 0.2])
    quantity = 1 + random.poisson(0.4, len(order))
    price = np.array([cost for _, _, cost in vocabulary.SHOP_ITEMS])[item]
    half = [
        words([vocabulary.half_width_kana(name[1]) for name in table], chosen[person])
        for table, chosen in (
            (vocabulary.SURNAMES, world.people.surname),
            (vocabulary.GIVEN_NAMES, world.people.given),
        )
    ]
    columns = {
        "伝票番号": numbered("S", np.arange(len(order)) + 1, 8),
        "会員番号": numbered("", person + 500_000, 7),
        "氏名カナ": joined(half[0], " ", half[1]),
        "メール": blank_where(first_emails(world, person), person % 10 < 3),
        "電話番号": blank_where(words(world.people.phone, person), person % 10 > 7),
        "商品コード": words([code for code, _, _ in vocabulary.SHOP_ITEMS], item),
        "商品名": words([name for _, name, _ in vocabulary.SHOP_ITEMS], item),
        "数量": pc.cast(pa.array(quantity), pa.string()),
        "金額": pc.cast(pa.array(price * quantity), pa.string()),
        "購入日時": stamp_naive_japan(second + world.epoch),
        "店舗": words(vocabulary.STORES, random.integers(0, len(vocabulary.STORES), len(order))),
    }
    return {"shop/pos.csv": write_shift_jis(directory / "shop" / "pos.csv", columns)}
