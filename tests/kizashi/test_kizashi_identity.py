"""The command `identity` from end to end, and lists for review as files."""

import csv
import json
import string
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SourceError
from kizashi.cli import app
from kizashi.export import write_excel
from kizashi.identity_texts import TEXTS
from kizashi.launch import run_guarded
from kizashi.review_file import guard_text, read_review, unguard_text, write_review
from tests.customers.conftest import Company, write_fair

COLUMNS = ("decision", "note", "left_record", "left_system", "left_id", "right_record", "right_system", "right_id")


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path / "home")


@pytest.fixture
def fair(company: Company) -> Company:
    return write_fair(company)


@pytest.fixture
def ready(fair: Company, database_url: str | None) -> Company:
    """The company of the fair, unified from the command line."""
    fair.extra = {"database_url": database_url} if database_url else {}
    assert run(fair, "unify", "--json") == 0
    return fair


def run(company: Company, *arguments: str) -> int:
    company.settings()
    return run_guarded(app, [*arguments, "--config", str(company.home / "company.yaml")])


def told(company: Company, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    capsys.readouterr()
    assert run(company, *arguments, "--json") == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def filled(path: Path, verdicts: dict[tuple[str, str], str], **form: Any) -> None:
    """The list as somebody saves it again who filled in some rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["decision"] = verdicts.get((row["left_id"], row["right_id"]), "")
    delimiter = form.pop("delimiter", ",")
    with path.open("w", newline="", errors="replace", **form) as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)


def test_a_pair_is_reviewed_from_the_list_to_the_next_run(
    ready: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # A bar in the middle of what was found: doubtful pairs lie on both sides of it.
    found = sorted({round(row["probability"], 6) for row in ready.rows("identity_pairs")})
    bar = sum(found[len(found) // 2 - 1 : len(found) // 2 + 1]) / 2
    ready.extra |= {"identity": {"similar": {"least_probability": bar}}}
    assert run(ready, "unify") == 0
    out = tmp_path / "確認.csv"
    done = told(ready, capsys, "identity", "review", "export", str(out), "--limit", "5")
    assert (done["pairs"], done["left_out_by_consent"]) == (5, 0)
    assert done["found"] > 5
    assert out.read_bytes().startswith(b"\xef\xbb\xbfdecision,")
    with out.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    apart = next(row for row in rows if row["now"] == "different")
    joined = next(row for row in rows if row["now"] == "same")
    filled(
        out,
        {(apart["left_id"], apart["right_id"]): "同一", (joined["left_id"], joined["right_id"]): "別人"},
        encoding="cp932",
    )
    done = told(ready, capsys, "identity", "review", "import", str(out), "--by", "鈴木")
    assert (done["rows"], done["recorded"], done["blank"], done["conflicts"]) == (5, 2, 3, [])
    assert told(ready, capsys, "identity", "review", "import", str(out))["recorded"] == 0
    assert told(ready, capsys, "identity", "explain", apart["left_customer_id"])["waiting_decisions"] == 2
    assert run(ready, "unify") == 0
    assert told(ready, capsys, "identity", "explain", apart["left_customer_id"])["waiting_decisions"] == 0
    ends = {
        name: [f"{row['left_system']}/{row['left_id']}", f"{row['right_system']}/{row['right_id']}"]
        for name, row in (("apart", apart), ("joined", joined))
    }
    answer = told(ready, capsys, "identity", "explain", *ends["apart"])
    assert answer["one_person"]
    assert [step["rule"] for step in answer["path"]] == ["decision"]
    assert answer["path"][0]["decision"]["decided_by"] == "鈴木"
    answer = told(ready, capsys, "identity", "explain", *reversed(ends["joined"]))
    assert not answer["one_person"]
    assert {"decided", "cut"} <= {obstacle["kind"] for obstacle in answer["obstacles"]}
    # An id of the past is the person that it became.
    old, new = apart["left_customer_id"], apart["right_customer_id"]
    assert told(ready, capsys, "identity", "explain", old, new)["one_person"]
    assert told(ready, capsys, "identity", "explain", old)["customer_id"] in (old, new)
    listed = told(ready, capsys, "identity", "review", "list")["decisions"]
    assert [(row["decision"], row["decided_by"], row["holds"]) for row in listed] == [
        (row["decision"], "鈴木", True) for row in listed
    ]
    assert {row["decision"] for row in listed} == {"same", "different"}


def test_refused_answers_change_nothing(ready: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "list.csv"
    path.write_text(
        "decision,left_system,left_id,right_system,right_id\nsame,crm,1,crm,2\nsame,crm,1,crm,none\n", encoding="utf-8"
    )
    assert run(ready, "identity", "review", "import", str(path)) == 2
    captured = capsys.readouterr()
    assert "row 3: nobody is known as 'crm/none'" in captured.err
    assert "Traceback" not in captured.err
    assert told(ready, capsys, "identity", "review", "list")["decisions"] == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_explanations_fit_a_terminal_and_hide_what_is_personal(
    fair: Company, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    fair.unify()
    number = next(n for n in range(4, 240, 8) if fair.who("fair", str(n)) == fair.who("crm", str(n)))
    address = f"u{number}@firm{number // 3}.example.jp"
    asked = [[f"fair/{number}", f"email:{address.upper()}"], ["fair/999", "crm/4"], [f"crm/{number}"]]
    for arguments in asked:
        capsys.readouterr()
        assert run(fair, "identity", "explain", *arguments, "--lang", language) == 0
        shown = capsys.readouterr().out
        assert shown
        assert max(width(line) for line in shown.splitlines()) <= 80
        for personal in (address, "大久保", "03-5"):
            assert personal not in shown
    capsys.readouterr()
    assert run(fair, "identity", "explain", "fair/999", "crm/4", "--lang", language, "--unmasked") == 0
    assert "大久保" in capsys.readouterr().out


def width(line: str) -> int:
    from rich.cells import cell_len

    return cell_len(line.rstrip())


@pytest.mark.parametrize("arguments", [["explain"], ["explain", "c_none"], ["explain", "crm/1", "crm/none"]])
def test_nobody_is_explained_who_is_not_known(
    fair: Company, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    fair.unify()
    assert run(fair, "identity", *arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_before_the_first_run_there_is_nothing_to_review(
    company: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    company.sources = [yaml.safe_load("{name: a, system: a, path: '{home}/a.csv', people: {id: id, created_at: at}}")]
    for arguments in (["explain", "a/1"], ["review", "export", str(tmp_path / "a.csv")]):
        assert run(company, "identity", *arguments) == 2
        assert "holds no customers yet" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()
    assert run(company, "identity", "review", "export", str(tmp_path / "a.parquet")) == 2
    assert run(company, "identity", "review", "import", str(tmp_path / "none.csv")) == 2


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=8) | st.sampled_from(
    ["=1+1", "+81", "-1", "-", "@a", "'=a", "''", "＝1", "\t=1", "007", "1-2", "1e5", '"a"', "a;b,c"]
)


@given(TEXT)
def test_no_text_is_a_formula_and_every_text_comes_back(text: str) -> None:
    assert unguard_text(guard_text(text)) == text
    assert guard_text(text) == "-" or not guard_text(text).startswith(tuple("=+-@\t＝＋－＠"))


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_ids_come_back_as_they_went(tmp_path: Path, ending: str) -> None:
    ids = [
        "=1+1",
        "+81",
        "-1",
        "-",
        "@a",
        "'=a",
        "＝1",
        "007",
        "1-2",
        "1e5",
        '"a"',
        "a;b,c",
        "改\n行",
        "12345678901234567890",
    ]
    path = tmp_path / f"list{ending}"
    rows = [("同一", None, "r_1", "crm", source_id, "r_2", "crm", source_id[::-1]) for source_id in ids]
    assert write_review(path, COLUMNS, rows) == len(ids)
    back = list(read_review(path))
    assert [number for number, _ in back] == list(range(2, len(ids) + 2))
    assert [(row["left_id"], row["right_id"]) for _, row in back] == [(text, text[::-1]) for text in ids]
    if ending == ".xlsx":
        sheet = openpyxl.load_workbook(path).worksheets[0]
        assert {cell.data_type for line in sheet.iter_rows(min_row=2) for cell in line} <= {"s", "n"}
        assert sheet["E2"].value == "=1+1"


@pytest.mark.parametrize(
    ("encoding", "delimiter"), [("utf-8", ","), ("utf-8-sig", ";"), ("cp932", ","), ("utf-16", "\t")]
)
def test_what_spreadsheets_save_is_read(tmp_path: Path, encoding: str, delimiter: str) -> None:
    path = tmp_path / "list.csv"
    write_review(path, COLUMNS, [("", "山田, 太郎; =x", "r_1", "crm", "1", "r_2", "crm", "2")])
    filled(path, {("1", "2"): "別人"}, encoding=encoding, delimiter=delimiter)
    ((number, row),) = read_review(path)
    assert (number, row["decision"], row["left_id"]) == (2, "別人", "1")
    assert "note" not in row


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"a,b\n1,2\n", "no column decision, left_record"),
        ("a.csv", b"", "no column decision"),
        ("a.csv", b'decision,left_record,right_record\nsame,"r_1"x,r_2\n', "is no CSV"),
        ("a.csv", b"decision,left_record,right_record\n\x81\xff\xfd,r_1,r_2\n", "neither UTF-8 nor Shift_JIS"),
        ("a.xlsx", b"no workbook", "is no Excel file"),
        ("a.txt", b"", "no list for review"),
    ],
)
def test_a_file_that_is_no_list_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=said):
        list(read_review(path))


def test_blank_rows_are_passed_over_but_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Decision,left_record,right_record\n\n,,\nsame,r_1,r_2\n", encoding="utf-8")
    assert [number for number, _ in read_review(path)] == [4]


def test_no_exported_workbook_holds_a_formula(tmp_path: Path) -> None:
    import pandas as pd

    path = tmp_path / "a.xlsx"
    path.write_bytes(write_excel(pd.DataFrame({"name": ["=1+1", "a"]})))
    cell = openpyxl.load_workbook(path).worksheets[0]["A2"]
    assert (cell.data_type, cell.value) == ("s", "=1+1")


def test_every_text_takes_the_same_values_in_both_languages() -> None:
    for key, label in TEXTS.items():
        names = [
            {name for _, name, _, _ in string.Formatter().parse(sentence) if name} for sentence in (label.ja, label.en)
        ]
        assert names[0] == names[1], key


def test_a_new_record_is_asked_about(fair: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(fair, "unify", "--json") == 0
    (found,) = told(fair, capsys, "identity", "find", "email=u7@firm2.example.jp")["found"]
    assert (found["customer_id"], found["rule"], found["joins"]) == (fair.who("crm", "7"), "email", True)
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"email": "u7@firm2.example.jp", "phone": None}), encoding="utf-8")
    assert told(fair, capsys, "identity", "find", "--file", str(path))["found"] == [found]
    for lang, words in (("ja", ("同じメールアドレス", "する")), ("en", ("e-mail", "yes"))):
        assert run(fair, "identity", "find", "email=u7@firm2.example.jp", "--lang", lang) == 0
        shown = capsys.readouterr().out
        assert all(word in shown for word in words)
        assert "u7@firm2.example.jp" not in shown
    assert run(fair, "identity", "find", "email=stranger@example.org", "--lang", "ja") == 0
    assert "該当する人はいません" in capsys.readouterr().out
    for arguments, said in (
        ([], "no record was given"),
        (["u7@firm2.example.jp"], "not of the form FIELD=VALUE"),
        (["telephone=1"], "telephone is no field of a person"),
        (["--file", str(tmp_path / "none.json")], "cannot be read as JSON"),
    ):
        assert run(fair, "identity", "find", *arguments) == 2
        assert said in capsys.readouterr().err
