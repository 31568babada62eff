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
from hypothesis import HealthCheck, given, settings
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
    assert len(company.rows("events")) == summary.rows - summary.quarantined


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


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(broken_files())
def test_no_row_of_a_broken_file_is_lost(case):
    content, encoding, declared = case
    with tempfile.TemporaryDirectory() as folder:
        company = Company(Path(folder))
        # A good file beside it, so that the job has a time to go by when nothing of the other is left.
        company.write("good.csv", f"{HEADER}\ng,k,,{TIME}\n")
        company.sources = [source("log.csv", encoding=declared), {**source("good.csv"), "name": "good"}]
        check_nothing_is_lost(company, content, encoding)
