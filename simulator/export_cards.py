"""The workbook of business cards that salespeople collected and typed in later."""

import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from openpyxl import Workbook

from simulator import vocabulary
from simulator.columns import joined, words
from simulator.moments import DAY
from simulator.people_columns import (
    companies,
    departments,
    first_emails,
    given_names,
    local,
    surnames,
    titles,
)
from simulator.population import TRADE_SHOW, Flags, Ints
from simulator.salesforce_ids import owner_of_person, staff_emails
from simulator.traps import TrapList
from simulator.world import World


def card_rows(world: World) -> tuple[Ints, Ints, Ints, Flags]:
    """Business cards: person, day received, day typed in, and whether the card made the person known."""
    random = world.random(55)
    known = np.arange(world.people.known_count)
    arrived = known[(world.people.source[known] == TRADE_SHOW) & (world.people.known_day[known] >= 0)]
    others = known[(world.people.source[known] != TRADE_SHOW) & (random.random(len(known)) < 0.03)]
    earliest = np.maximum(world.people.known_day[others], 0) + 1
    received = earliest + (random.random(len(others)) * (world.calendar.history_days - earliest)).astype(np.int64)
    typed = received + random.integers(2, 41, len(others))
    inside = typed < world.calendar.history_days
    person = np.concatenate([arrived, others[inside]])
    received = np.concatenate([world.arrival_day[arrived], received[inside]])
    typed = np.concatenate([world.people.known_day[arrived], typed[inside]])
    first = np.arange(len(person)) < len(arrived)
    order = np.lexsort((person, typed))
    return person[order], received[order], typed[order], first[order]


def write_cards(world: World, directory: Path, traps: TrapList) -> dict[str, int]:
    """Writes tradefair/cards.xlsx: the workbook of the sales assistants."""
    person, received, typed, _ = card_rows(world)
    name = joined(surnames(world, person), " ", given_names(world, person))
    kana = joined(surnames(world, person, 1), " ", given_names(world, person, 1))
    texts = {
        "会社名": companies(world, person),
        "部署": departments(world, person),
        "役職": titles(world, person),
        "氏名": name,
        "フリガナ": kana,
        "メールアドレス": first_emails(world, person),
        "電話番号": words(world.people.phone, person),
        "住所": words(local(world, vocabulary.PREFECTURES), world.accounts.prefecture[world.people.account[person]]),
        "展示会名": words(local(world, vocabulary.TRADE_FAIRS), received // 91 % len(vocabulary.TRADE_FAIRS)),
    }
    late = np.flatnonzero(typed > received)
    traps.add(
        "late_recorded",
        "tradefair/cards.xlsx",
        row_id=[str(row + 2) for row in late.tolist()],
        person=person[late],
        occurred=received[late] * DAY,
        known=typed[late] * DAY,
    )
    staff = staff_emails(world.staff_count)
    days = [[world.start + timedelta(days=day) for day in column.tolist()] for column in (received, typed)]
    owners = [staff[number] for number in owner_of_person(world, person).tolist()]
    book = Workbook(write_only=True)
    sheet = book.create_sheet("名刺")
    sheet.append([*texts, "受領日", "登録日", "担当者"])
    for row in zip(*(column.to_pylist() for column in texts.values()), *days, owners, strict=True):
        sheet.append(row)
    book.properties.creator = "sales assistants"
    path = directory / "tradefair" / "cards.xlsx"
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    exported = datetime(world.start.year, world.start.month, world.start.day, tzinfo=UTC) + timedelta(seconds=world.end)
    _set_times(path, exported)
    return {"tradefair/cards.xlsx": len(person)}


def _set_times(path: Path, moment: datetime) -> None:
    """Rewrites the container with fixed times, so that equal content gives an equal file."""
    stamp = moment.strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    temporary = path.with_suffix(".tmp")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            content = source.read(entry)
            if entry.filename == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp, content)
            fixed = zipfile.ZipInfo(entry.filename, (moment.year, moment.month, moment.day, 0, 0, 0))
            fixed.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(fixed, content)
    temporary.replace(path)
