"""Titles, company names and personal names in the ways in which people write them."""

import pytest

from customers.cleansing.company import company_key, tidy_company
from customers.cleansing.ideographs import TODAYS_FORMS
from customers.cleansing.name import comparable_name, names_agree, tidy_name
from customers.cleansing.title import department_of, rank_of


@pytest.mark.parametrize(
    ("title", "rank", "department"),
    [
        ("代表取締役社長", "executive", None),
        ("執行役員CTO", "executive", "it"),
        ("取締役営業本部長", "executive", "sales"),
        ("ＣＦＯ", "executive", "finance"),
        ("VP of Sales", "executive", "sales"),
        ("Senior Vice President, Marketing", "executive", "marketing"),
        ("学長", "executive", None),
        ("學長", "executive", None),
        ("営業部長", "director", "sales"),
        ("部長代理", "director", None),
        ("IT部長", "director", "it"),
        ("Director of Engineering", "director", "research"),
        ("Head of HR", "director", "hr"),
        ("情報システム課長", "manager", "it"),
        ("課長", "manager", None),
        ("課長代理", "manager", None),
        ("経営企画室長", "manager", "planning"),
        ("DX推進室長", "manager", "it"),
        ("ﾏｰｹﾃｨﾝｸﾞﾏﾈｰｼﾞｬｰ", "manager", "marketing"),
        ("Customer Success Manager", "manager", "support"),
        ("購買係長", "manager", "procurement"),
        ("経理担当", "staff", "finance"),
        ("主任研究員", "staff", "research"),
        ("Sales Representative", "staff", "sales"),
        # Somebody else's rank, or a trade with a high word.
        ("社長秘書", "staff", None),
        ("社長室長", "manager", None),
        ("Executive Assistant", "staff", None),
        ("Assistant to the President", "staff", None),
        ("Account Executive", "staff", None),
        ("Partner Manager", "manager", None),
        ("Product Owner", "staff", None),
        # Words that only look like one.
        ("Visitor", None, None),
        ("???", None, None),
        ("", None, None),
    ],
)
def test_titles_tell_rank_and_department(title, rank, department):
    assert (rank_of(title), department_of(title)) == (rank, department)


@pytest.mark.parametrize(
    "spelling",
    ["株式会社廣澤商事", "廣澤商事 株式会社", "㈱広沢商事", "広沢商事㈱", "（株）広沢商事", "広沢商事(株)",
     "株式會社廣澤商事", "株式会社　広沢商事　御中", "ｶﾌﾞｼｷｶﾞｲｼｬ広沢商事"],
)  # fmt: skip
def test_one_japanese_company_in_many_spellings(spelling):
    assert company_key(spelling) == "広沢商事"


@pytest.mark.parametrize(
    "spelling",
    ["Mirai Trading Co., Ltd.", "MIRAI TRADING CO.,LTD.", "Mirai Trading, Inc.", "Mirai Trading K.K.",
     "Mirai Trading LLC", "株式会社 Mirai Trading",
     "Ｍｉｒａｉ　Ｔｒａｄｉｎｇ Corporation", "Mirai-Trading Company Limited"],
)  # fmt: skip
def test_one_company_with_a_latin_name_in_many_spellings(spelling):
    assert company_key(spelling) == "miraitrading"


def test_companies_that_differ_stay_apart():
    keys = [
        company_key(name)
        for name in ("株式会社広沢商事", "広沢商会", "広沢商事ホールディングス", "Cosmo Inc.", "Costco")
    ]
    assert len(set(keys)) == len(keys)


def test_the_legal_form_is_written_out_where_it_stood():
    names = ("㈱ミライ", "ミライ㈱", "(有)ミライ", "ミライ 御中", "株式會社ミライ")
    assert [tidy_company(name) for name in names] == [
        "株式会社ミライ", "ミライ株式会社", "有限会社ミライ", "ミライ", "株式会社ミライ",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "tidied"),
    [
        ("山田 太郎 様", "山田 太郎"),
        ("山田太郎さん", "山田太郎"),
        ("山田先生", "山田"),
        ("Mr. Taro Yamada", "Taro Yamada"),
        ("Dr Yamada", "Yamada"),
        ("Yamada-san", "Yamada"),
        # Parts of names that look like one.
        ("氏家", "氏家"),
        ("殿岡", "殿岡"),
        ("Drew Sanders", "Drew Sanders"),
        ("様", None),
    ],
)
def test_honorifics_are_no_part_of_a_name(written, tidied):
    assert tidy_name(written) == tidied


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (("髙橋", "惠"), ("高橋", "恵")),
        (("澤田", "德之"), ("沢田", "徳之")),
        (("渡邊", "眞一"), ("渡辺", "真一")),
        (("渡邉", "誠"), ("渡辺", "誠")),
        (("齋藤", "學"), ("斎藤", "学")),
        (("齊藤", "学"), ("斎藤", "学")),
        (("廣瀨", "龍之介"), ("広瀬", "竜之介")),
        (("濵﨑", "寿"), ("浜崎", "壽")),
    ],
)
def test_old_and_rare_ideographs_are_the_same_name(old, new):
    left, right = comparable_name(*old), comparable_name(*new)
    assert (left.last, left.first) == (right.last, right.first)
    assert names_agree(left, right) is True


def test_no_form_in_use_is_itself_an_old_one():
    assert not set(TODAYS_FORMS.values()) & {chr(old) for old in TODAYS_FORMS}
