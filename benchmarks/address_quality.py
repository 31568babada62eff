"""Japanese addresses: how many are told apart rightly, ours beside a plain pattern, against an expected parse.

The addresses (from the tests of normalize-japanese-addresses, with the expected prefecture, city and town) lie in
KIZASHI_REAL_DATA (default ../shared/data) and are left out where that is absent. Half of them, chosen by a hash, were
looked at while the rules were written; nothing was tuned to the other half. Most of them are written out in full, so
the held-out half is measured once more as people also write: without prefecture or county, 2-5 for 二丁目5, 霞が関 for
霞ケ関.
"""

import argparse
import csv
import os
import re
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from customers.cleansing.address import parse_address
from customers.cleansing.gazetteer import arabic_number, gazetteer
from customers.cleansing.text import tidy_text

Parts = tuple[str, str, str]
PARTS = ("都道府県", "市区町村", "町字")
_PATTERN = re.compile(
    r"^(?P<prefecture>東京都|北海道|(?:京都|大阪)府|.{2,3}県)?"
    r"(?P<city>.+?郡.+?[町村]|.+?市.+?区|.+?[市区町村])?"
    r"(?P<town>[^\d-]+?(?:\d+丁目)?)?(?=[\d-]|$)"
)
_NUMBERED = re.compile(r"(\d+)丁目")
_CHOME = re.compile("([一二三四五六七八九十]+)丁目$")
_WIDE = str.maketrans("0123456789-", "０１２３４５６７８９－")
_DIGITS = "〇一二三四五六七八九十"


def by_pattern(text: str) -> Parts:
    """What most people write first: prefecture, city and town by their last signs, 丁目 in ideographs."""
    found = _PATTERN.match((tidy_text(text) or "").replace(" ", ""))
    if found is None:
        return "", "", ""
    town = _NUMBERED.sub(lambda chome: f"{_DIGITS[min(int(chome[1]), 10)]}丁目", found["town"] or "")
    return found["prefecture"] or "", found["city"] or "", town


def by_us(text: str) -> Parts:
    """`parse_address` as it is."""
    found = parse_address(text)
    return (found.prefecture, found.city or "", found.town or "") if found else ("", "", "")


METHODS: dict[str, Callable[[str], Parts]] = {"pattern": by_pattern, "Kizashi": by_us}


def read_addresses(folder: Path) -> list[tuple[str, Parts]]:
    """The addresses with their expected prefecture, city and town; none where the file is absent."""
    path = folder / "jp_address_normalisation" / "addresses.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [(row["住所"], (row[PARTS[0]], row[PARTS[1]], row[PARTS[2]])) for row in csv.DictReader(file)]


def is_looked_at(address: str) -> bool:
    """Whether an address belongs to the half whose errors were looked at."""
    return sha256(address.encode()).digest()[0] % 2 == 0


def as_people_write(parts: Parts, random: Random) -> str:
    """The same place in another usual spelling, with a number and a building behind it."""
    prefecture, city, town = parts
    if random.random() < 0.5:
        prefecture = ""
    if random.random() < 0.5:
        city = re.sub("^.{1,4}郡(?=.+[町村]$)", "", city)
    if random.random() < 0.5:
        town = re.sub("^(大字|字)(?=.)", "", town)
    chome = _CHOME.search(town)
    if chome and random.random() < 0.7:
        town = town[: chome.start()] + random.choice([f"{arabic_number(chome[1])}-", f"{arabic_number(chome[1])}丁目"])
    text = (
        prefecture + city + random.choice(["", "", " ", "　"]) + town + random.choice(["5-12", "5番12号", "５の１２"])
    )
    if random.random() < 0.5:
        text = text.translate(str.maketrans("ケヶ沢国浜", random.choice(["ヶケ澤國濱", "がが沢国浜"])))
    if random.random() < 0.3:
        text = text.translate(_WIDE)
    return text + random.choice(["", " サンプルビル3F", "　サンプルマンション１０１号室"])


def shares(found: list[Parts], expected: list[Parts]) -> list[float]:
    """The shares of equal prefectures, cities, towns, of all three at once, and of all three but for 大字."""
    pairs = list(zip(found, expected, strict=True))
    counts = [sum(ours[place] == truth[place] for ours, truth in pairs) for place in range(3)]
    counts.append(sum(ours == truth for ours, truth in pairs))
    counts.append(sum(ours == (*truth[:2], truth[2].removeprefix("大字")) for ours, truth in pairs))
    return [count / len(pairs) for count in counts]


def run(out: Console | None = None) -> None:
    """Measure both on both halves and print one table."""
    addresses = read_addresses(Path(os.environ.get("KIZASHI_REAL_DATA", "../shared/data")))
    if not addresses:
        return
    began = time.process_time()
    gazetteer()
    loading = time.process_time() - began
    title = f"Japanese addresses (list read in {loading:.1f} s of one core)"
    parts = ("prefecture", "city", "town", "all", "all but 大字")
    printed = Table("addresses", "count", "method", *parts, "a core second", title=title)
    held_out = [(text, parts) for text, parts in addresses if not is_looked_at(text)]
    random = Random(1)  # noqa: S311 - spellings, no secrets
    sets = {
        "looked at": [(text, parts) for text, parts in addresses if is_looked_at(text)],
        "held out": held_out,
        "held out, rewritten": [(as_people_write(parts, random), parts) for _, parts in held_out if parts[2]],
    }
    for name, chosen in sets.items():
        for method_name, method in METHODS.items():
            found = [method(text) for text, _ in chosen]
            # Each city's towns are indexed when they are first asked for; what lasts is the second pass.
            began = time.process_time()
            for text, _ in chosen:
                method(text)
            speed = len(chosen) / (time.process_time() - began)
            figures = [f"{share:.2%}" for share in shares(found, [parts for _, parts in chosen])]
            labels = (name, f"{len(chosen):,}") if method_name == "pattern" else ("", "")
            printed.add_row(*labels, method_name, *figures, f"{speed:,.0f}")
        printed.add_section()
    (out or Console(width=110)).print(printed)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m benchmarks.address_quality", description=__doc__).parse_args()
    run()
