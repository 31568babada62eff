"""Made-up registers of people with a known truth, in several ways of being untidy (seeded)."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from customers.matching import Field

_ONSETS = ["b", "br", "c", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "st", "t", "v", "w"]
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ou"]
_CODAS = ["", "n", "r", "l", "s", "ck", "th", "m"]
_FAMILY_TEXT = """
    佐藤=サトウ 鈴木=スズキ 高橋=タカハシ 田中=タナカ 伊藤=イトウ 渡辺=ワタナベ 山本=ヤマモト 中村=ナカムラ
    小林=コバヤシ 加藤=カトウ 吉田=ヨシダ 山田=ヤマダ 佐々木=ササキ 山口=ヤマグチ 松本=マツモト 井上=イノウエ
    木村=キムラ 林=ハヤシ 斎藤=サイトウ 清水=シミズ 山崎=ヤマザキ 森=モリ 池田=イケダ 橋本=ハシモト
    阿部=アベ 石川=イシカワ 前田=マエダ 藤田=フジタ 後藤=ゴトウ 岡田=オカダ
"""
_FAMILY_JA = [tuple(pair.split("=")) for pair in _FAMILY_TEXT.split()]
_GIVEN_TEXT = """
    太郎=タロウ 花子=ハナコ 健一=ケンイチ 直樹=ナオキ 大輔=ダイスケ 翔太=ショウタ 拓也=タクヤ 誠=マコト
    隆=タカシ 浩=ヒロシ 恵子=ケイコ 由美=ユミ 裕子=ユウコ 美咲=ミサキ 愛=アイ 彩=アヤ
    陽子=ヨウコ 和也=カズヤ 達也=タツヤ 亮=リョウ 健太=ケンタ 真由美=マユミ 智子=トモコ 直美=ナオミ
    久美子=クミコ 洋介=ヨウスケ 雄太=ユウタ 剛=ツヨシ 学=マナブ 純=ジュン
"""
_GIVEN_JA = [tuple(pair.split("=")) for pair in _GIVEN_TEXT.split()]


@dataclass(frozen=True)
class Register:
    """A table of records, who each is, and what can be compared."""

    name: str
    table: pd.DataFrame
    truth: pd.Series
    fields: list[Field]


@dataclass
class _Clerk:
    """Writes things down as people do."""

    random: np.random.Generator
    slips: float
    blanks: float
    corrupted: Callable[[str, np.random.Generator], str] = field(default=lambda text, random: _mistype(text, random))

    def write(self, text: str) -> str | None:
        if self.random.random() < self.blanks:
            return None
        return self.corrupted(text, self.random) if text and self.random.random() < self.slips else text


def _mistype(text: str, random: np.random.Generator) -> str:
    at = int(random.integers(len(text)))
    kind = random.integers(4)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[:at] + text[at] + text[at:]
    if kind == 2 and at + 1 < len(text):
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    other = str(random.integers(10)) if text[at].isdigit() else chr(97 + int(random.integers(26)))
    return text[:at] + other + text[at + 1 :]


def _words(random: np.random.Generator, count: int, syllables: int) -> list[str]:
    found: dict[str, None] = {}
    while len(found) < count:
        parts = [_ONSETS[random.integers(19)] + _VOWELS[random.integers(8)] for _ in range(syllables)]
        found["".join(parts) + _CODAS[random.integers(8)]] = None
    return list(found)


def _pick(random: np.random.Generator, words: list[str], count: int) -> list[str]:
    """Some words are far more common than others."""
    share = 1 / (np.arange(len(words)) + 5.0)
    return [words[place] for place in random.choice(len(words), count, p=share / share.sum())]


def households(
    name: str,
    people: int,
    *,
    seed: int,
    copies: float,
    slips: float,
    blanks: float,
    shared: float,
    columns: tuple[str, ...] = ("given", "family", "born", "email", "phone", "street", "postcode", "city"),
) -> Register:
    """People of whom a share lives together: same family name, street and telephone, often one mailbox.

    Args:
        name: of the register.
        people: how many there are.
        seed: of everything.
        copies: mean number of further records a person.
        slips: chance of a slip of the pen in each value of a copy.
        blanks: chance of a blank in each value.
        shared: share of the people who live in a household with somebody else.
        columns: which columns the register has.
    """
    random = np.random.default_rng(seed)
    given, family = _words(random, 400, 2), _words(random, 1500, 2)
    streets, cities = _words(random, 900, 2), _words(random, 60, 2)
    firsts, lasts = _pick(random, given, people), _pick(random, family, people)
    towns = _pick(random, cities, people)
    rows = []
    for number in range(people):
        born = pd.Timestamp("1940-01-01") + pd.Timedelta(days=int(random.integers(24_000)))
        phone = f"0{random.integers(10**8, 10**9)}"
        street = f"{random.integers(1, 250)} {streets[random.integers(900)]} street"
        mailbox = f"{firsts[number]}.{lasts[number]}{random.integers(100)}@mail{random.integers(8)}.example"
        row = {
            "given": firsts[number], "family": lasts[number], "born": born.strftime("%Y-%m-%d"), "email": mailbox,
            "phone": phone, "street": street, "city": towns[number], "postcode": str(10_000 + random.integers(2_000)),
        }  # fmt: skip
        if rows and random.random() < shared / 2:
            with_whom = rows[-1]
            row |= {key: with_whom[key] for key in ("family", "phone", "street", "city", "postcode")}
            if random.random() < 0.5:
                row["email"] = with_whom["email"]
        rows.append(row)
    clerk = _Clerk(random, slips, blanks)
    written, truth = [], []
    for number, row in enumerate(rows):
        written.append({key: None if random.random() < blanks / 2 else row[key] for key in columns})
        truth.append(number)
        for _ in range(int(random.poisson(copies))):
            copy = dict(row)
            if random.random() < 0.25:
                copy["email"] = f"{row['given'][0]}{row['family']}@work{random.integers(300)}.example"
            if random.random() < 0.15:
                copy["phone"] = f"0{random.integers(10**8, 10**9)}"
            if random.random() < 0.05:
                copy["given"], copy["family"] = copy["family"], copy["given"]
            written.append({key: clerk.write(copy[key]) for key in columns})
            truth.append(number)
    order = random.permutation(len(written))
    kinds = {"given": "given_name", "family": "family_name", "born": "date", "email": "email", "phone": "phone",
             "street": "address", "postcode": "code", "city": "place"}  # fmt: skip
    table = pd.DataFrame(written, columns=list(columns)).iloc[order].reset_index(drop=True)
    fields = [Field(key, kinds[key]) for key in columns]  # type: ignore[arg-type]  # the table above holds kinds only
    return Register(name, table, pd.Series(truth).iloc[order].reset_index(drop=True), fields)


def offices_ja(name: str, people: int, *, seed: int, copies: float, slips: float, blanks: float) -> Register:
    """Japanese business contacts: colleagues share company, switchboard and sometimes a mailbox; few names."""
    random = np.random.default_rng(seed)
    companies = [
        f"株式会社{word}"
        for word in ("".join(chr(0x4E00 + random.integers(3000)) for _ in range(3)) for _ in range(people // 4))
    ]
    domains = [f"{word}.co.jp" for word in _words(random, len(companies), 2)]
    switchboards = [f"03-{random.integers(1000, 9999)}-{random.integers(1000, 9999)}" for _ in companies]
    written: list[dict[str, str | None]] = []
    truth = []
    clerk = _Clerk(random, slips, blanks)
    for number in range(people):
        at = int(random.integers(len(companies)))
        family, family_kana = _FAMILY_JA[random.integers(30)]
        given, given_kana = _GIVEN_JA[random.integers(30)]
        mailbox = f"u{random.integers(10**5)}" if random.random() > 0.05 else "info"
        mobile = f"090-{random.integers(1000, 9999)}-{random.integers(1000, 9999)}"
        person = {
            "family": family, "given": given, "family_kana": family_kana, "given_kana": given_kana,
            "company": companies[at], "email": f"{mailbox}@{domains[at]}",
            "phone": switchboards[at] if random.random() < 0.5 else mobile,
        }  # fmt: skip
        for copy in range(1 + int(random.poisson(copies))):
            row: dict[str, str | None] = dict(person)
            if copy:
                if random.random() < 0.3:
                    row["email"] = f"{random.integers(10**6)}@gmail.example"
                if random.random() < 0.3:
                    row["phone"] = switchboards[at]
                if random.random() < 0.3:
                    row["company"] = companies[at].removeprefix("株式会社") + "(株)"
                if random.random() < 0.2:
                    row["family"], row["given"] = None, None
                row = {key: clerk.write(value) if value else value for key, value in row.items()}
            written.append(row)
            truth.append(number)
    order = random.permutation(len(written))
    fields = [
        Field("given", "given_name", ("given", "given_kana")),
        Field("family", "family_name", ("family", "family_kana")),
        Field("company", "company"), Field("email", "email"), Field("phone", "phone"),
    ]  # fmt: skip
    table = pd.DataFrame(written).iloc[order].reset_index(drop=True)
    return Register(name, table, pd.Series(truth).iloc[order].reset_index(drop=True), fields)


def registers() -> list[Register]:
    """The ways of being untidy that are watched: the worst case counts."""
    few = ("given", "family", "born", "city")
    return [
        households("households", 4000, seed=1, copies=0.4, slips=0.15, blanks=0.15, shared=0.3),
        households("households, no birth date", 4000, seed=2, copies=0.4, slips=0.15, blanks=0.2, shared=0.3,
                   columns=("given", "family", "email", "phone", "street", "postcode")),
        households("few fields, many slips", 3000, seed=3, copies=1.5, slips=0.3, blanks=0.15, shared=0.1, columns=few),
        households("many copies", 500, seed=4, copies=9, slips=0.25, blanks=0.25, shared=0.1),
        households("rare copies", 5000, seed=5, copies=0.02, slips=0.2, blanks=0.15, shared=0.2),
        households("no copies", 4000, seed=6, copies=0.0, slips=0.1, blanks=0.15, shared=0.2),
        offices_ja("offices (ja)", 4000, seed=7, copies=0.4, slips=0.1, blanks=0.15),
    ]  # fmt: skip
