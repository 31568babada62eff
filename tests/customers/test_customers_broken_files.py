"""Files as they really arrive: each row is published or in quarantine, once, or the file is refused in a sentence.

Each row carries marks of its own (`mark12x`); after the job each mark must lie either in the published rows or in the
quarantine. That is counted from the file's bytes, not from the job's own report.
"""

import json
import re
import tempfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core.errors import SourceError
from tests.customers.conftest import Company

HEADER = "id,who,note,at"
MARK = re.compile(r"mark\d+x")
TIME = "2025-03-01T10:00:00Z"
NOTES = ["", "料金ページ", '"a, b"', '"say ""hi"""', '"two\nlines"', "=1+2", '5" pipe', "\u2028", "①㈱髙"]


def source(name: str, **more: object) -> dict[str, object]:
    return {
        "name": "log",
        "system": "web",
        "path": f"{{home}}/exports/{name}",
        "events": {
            "id": "id",
            "person": {"column": "who"},
            "type": {"constant": "web_visit"},
            "occurred_at": "at",
            "properties": {"note": "note"},
        },
        **more,
    }


def rows(notes: list[str]) -> list[str]:
    return [f"mark{n}x,k{n},{note},{TIME}" for n, note in enumerate(notes)]


def published_marks(company: Company) -> list[str]:
    shown = (f"{row['event_id']} {row['properties']}" for row in company.rows("events"))
    return [mark for text in shown for mark in MARK.findall(text)]


def quarantined_marks(company: Company) -> list[str]:
    return [mark for row in company.rows("quarantine") for mark in MARK.findall(row["raw"])]


def check_nothing_is_lost(company: Company, content: bytes, encoding: str) -> None:
    """Run the job; a refusal must be one sentence, else all marks of the file are found again, each once."""
    company.write("log.csv", content)
    try:
        summary = company.unify()
    except SourceError as refusal:
        error = str(refusal)
    else:
        error = ""
    if error:
        assert "log.csv" in error
        return
    marks = MARK.findall(content.decode(encoding, errors="replace"))
    found = published_marks(company) + quarantined_marks(company)
    assert sorted(found) == sorted(marks)
    assert all(report.rows == report.published + report.quarantined for report in summary.sources)


@st.composite
def broken_files(draw: st.DrawFn) -> tuple[bytes, str, str]:
    """A file's bytes, its real encoding, and the encoding that is declared for it."""
    lines = [HEADER, *rows(draw(st.lists(st.sampled_from(NOTES), min_size=1, max_size=8)))]
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(lines) - 1))
        cut = draw(st.integers(0, len(lines[place])))
        put = draw(st.sampled_from(['"', '""', '"\n', ",", "\x00", "\r", "\n", "\ufeff", "\x1a", "\\", "'"]))
        lines[place] = lines[place][:cut] + put + lines[place][cut:]
    text = end.join(lines) + draw(st.sampled_from(["", end, end * 2]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "cp932", "utf-16", "utf-16-le"]))
    content = text.encode(encoding, errors="replace")
    if draw(st.booleans()):
        content = content[: draw(st.integers(0, len(content)))]
    if draw(st.booleans()):
        place = draw(st.integers(0, len(content)))
        content = content[:place] + draw(st.sampled_from([b"\xff", b"\x93", b"\xe6\x96", b"\x00"])) + content[place:]
    return content, encoding, draw(st.sampled_from([encoding, "utf-8", "cp932"]))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(broken_files())
@example((f'i"\nd,who,note,at\r\nmark0x,k0,,{TIME}'.encode(), "utf-8", "utf-8"))
@example((f"{HEADER}\nmark0x,k0,,{TIME}".encode("utf-16-le"), "utf-16-le", "utf-16"))
def test_no_row_of_a_broken_file_is_lost(case):
    content, encoding, declared = case
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        # A good file beside it, so that the job has a time to go by when nothing of the other is left.
        company.write("good.csv", f"{HEADER}\ng,k,,{TIME}\n")
        company.sources = [source("log.csv", encoding=declared), {**source("good.csv"), "name": "good"}]
        check_nothing_is_lost(company, content, encoding)


@pytest.fixture
def log(company):
    company.sources = [source("log.csv")]
    return company


def reasons(company) -> dict[int, str]:
    return {row["line"]: row["reason"] for row in company.rows("quarantine")}


def test_lines_that_end_with_cr_alone(log):
    log.write("log.csv", "\r".join([HEADER, *rows(["", '"a, b"']), ""]))
    summary = log.unify()
    assert (summary.rows, summary.events, summary.quarantined) == (2, 2, 0)


def test_a_cr_within_a_row_is_no_line_end(log):
    log.write("log.csv", "\n".join([HEADER, *rows(["a\rb", '"a\rb"'])]))
    log.unify()
    assert reasons(log) == {2: "a line break outside quotation marks"}
    assert json.loads(log.rows("events")[0]["properties"])["note"] == "a\rb"


def test_an_open_quotation_mark_in_the_header_does_not_swallow_the_file(log):
    log.write("log.csv", "\n".join(['id,who,at,"note', *rows(["", ""])]))
    with pytest.raises(SourceError, match="broken quotation marks in its header"):
        log.unify()


def test_nul_characters_are_set_aside_in_every_format(company):
    text = f"{HEADER}\nmark0x,k,a\0b,{TIME}\nmark1x,k,,{TIME}\n"
    company.write("log.csv", text)
    objects = [{"id": "mark2x", "who": "k", "note": "\0", "at": TIME}, {"id": "mark3x", "who": "k", "at": TIME}]
    company.write("log.jsonl", "".join(json.dumps(each) + "\n" for each in objects))
    table = pa.table({"id": ["mark4x", "mark5x"], "who": ["k", "k\0"], "note": ["", ""], "at": [TIME, TIME]})
    pq.write_table(table, company.home / "exports" / "log.parquet")
    company.sources = [
        {**source(f"log.{ending}", format=ending), "name": ending} for ending in ("csv", "jsonl", "parquet")
    ]
    company.unify()
    assert sorted(published_marks(company)) == ["mark1x", "mark3x", "mark4x"]
    assert sorted(quarantined_marks(company)) == ["mark0x", "mark2x", "mark5x"]
    assert {row["reason"] for row in company.rows("quarantine")} == {"a NUL character"}


def test_a_cell_of_ten_megabytes(log):
    log.write("log.csv", "\n".join([HEADER, *rows(["", "x" * 10 * 1024**2, '"open'])]))
    summary = log.unify()
    assert (summary.rows, summary.events) == (3, 2)
    assert reasons(log) == {4: "a quotation mark that is never closed"}


def test_ids_from_content_do_not_depend_on_how_the_file_was_read(company):
    good = [f'"who","note","at"\n"k1","","{TIME}"\n', f"k2,plain,{TIME}\n", f'k3,"a ""b""",{TIME}\n']
    found = []
    for extra in ("", "k4,ragged\n"):
        company.write("log.csv", "".join(good) + extra)
        entry = source("log.csv")
        del entry["events"]["id"]
        company.sources = [entry]
        company.unify()
        found.append([row["event_id"] for row in company.rows("events")])
    assert found[0] == found[1]


def test_formulas_stay_text(log):
    log.write("log.csv", "\n".join([HEADER, *rows(["=1+2", '"=cmd|"" /C calc""!A0"', "@SUM(A1)"])]))
    log.unify()
    notes = [json.loads(row["properties"])["note"] for row in log.rows("events")]
    assert notes == ["=1+2", '=cmd|" /C calc"!A0', "@SUM(A1)"]


def test_utf_16_loses_only_its_damaged_line(log):
    log.sources = [source("log.csv", encoding="utf-16")]
    content = "\n".join([HEADER, *rows(["料金"] * 3)]).encode("utf-16")
    log.write("log.csv", content[:-1])
    log.unify()
    assert published_marks(log) == ["mark0x", "mark1x"]
    assert quarantined_marks(log) == ["mark2x"]


def test_excel_values_beyond_the_columns(company):
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in (HEADER.split(","), ["mark0x", "k", "", TIME], ["mark1x", "k", "", TIME, "more"]):
        sheet.append(row)
    (company.home / "exports").mkdir(parents=True)
    book.save(company.home / "exports" / "log.xlsx")
    company.sources = [source("log.xlsx", format="excel")]
    company.unify()
    assert (published_marks(company), quarantined_marks(company)) == (["mark0x"], ["mark1x"])


@pytest.mark.parametrize("format_", ["csv", "excel", "jsonl", "parquet"])
def test_an_empty_file_is_refused(company, format_):
    company.write("log.csv", "")
    company.sources = [source("log.csv", format=format_)]
    with pytest.raises(SourceError, match=r"log\.csv is empty"):
        company.unify()


JSON_ROW = {"id": "mark0x", "who": "k", "note": "a", "at": TIME}


def test_broken_json_lines(company):
    lines = [
        json.dumps(JSON_ROW),
        '{"id": "mark1x", "who": ',  # cut off
        "",
        '["mark2x"]',
        '{"id": "mark3x"} {"id": "mark4x"}',
        json.dumps({**JSON_ROW, "id": "mark5x", "a/b~c \"'": {"deep": [1]}}),
        '{"id": "mark6x", "note": "\\ud800"}',
        json.dumps({**JSON_ROW, "id": "mark7x", "at": None}),
    ]
    company.write("log.jsonl", b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    company.sources = [source("log.jsonl", format="jsonl")]
    company.sources[0]["events"]["properties"]["deep"] = {"column": "a/b~c \"'", "json_key": "deep"}
    summary = company.unify()
    assert published_marks(company) == ["mark0x", "mark5x"]
    assert [json.loads(row["properties"])["deep"] for row in company.rows("events")] == [None, "[1]"]
    no_object = "no JSON object"
    assert reasons(company) == {2: no_object, 4: no_object, 5: no_object, 7: no_object, 8: "occurred_at is blank"}
    assert summary.rows == 7


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps([JSON_ROW]), "JSON array"),
        ("no\njson\n", "no JSON object with a key"),
        (json.dumps({f"k{n}": n for n in range(1001)}), "1001 different keys"),
        (json.dumps(JSON_ROW).replace("who", "whom"), "lacks the column 'who' (did you mean 'whom'?)"),
    ],
)
def test_what_are_no_json_lines(company, content, said):
    company.write("log.jsonl", content)
    company.sources = [source("log.jsonl", format="jsonl")]
    with pytest.raises(SourceError, match=re.escape(said)):
        company.unify()


def test_sql_with_columns_that_appear_twice(company, monkeypatch):
    monkeypatch.setenv("LOG_URL", "sqlite://")
    company.sources = [
        source("-", format="sql", url_env="LOG_URL", query=f"SELECT 1 id, 2 id, 'k' who, '' note, '{TIME}' at")
    ]
    with pytest.raises(SourceError, match="appear twice: id"):
        company.unify()
