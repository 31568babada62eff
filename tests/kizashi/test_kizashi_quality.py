"""The command `quality` from end to end, and the report as a page, in a terminal and as JSON."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Literal

import pytest
from rich.cells import cell_len
from rich.console import Console as Terminal

from core.storage import Workspace
from customers.quality.report import QualityReport, assess_quality
from customers.quality.sources import Freshness
from kizashi.cli import app
from kizashi.launch import run_guarded
from kizashi.quality_figures import spread
from kizashi.quality_page import render_quality_page
from kizashi.quality_texts import QUALITY_TEXTS
from kizashi.quality_view import QualityView
from kizashi.review_file import guard_text
from tests.kizashi.conftest import Ran

HOSTILE = "<script>alert('x')</script>[bold]\"&"
LOCALES: tuple[Literal["ja", "en"], ...] = ("ja", "en")


class Page(HTMLParser):
    """The elements of a page, and all that it would load or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def hostile(publish_tables: Callable[..., Workspace]) -> QualityReport:
    """A report in which everything that a company names itself is hostile."""
    at = datetime(2025, 6, 1, tzinfo=UTC)
    record = {"customer_id": "c_1", "system": "crm", "source_id": "1"}
    known = {"occurred_at": at, "recorded_at": at, "recorded_assumed": False}
    consents = {"consent_marketing": True, "consent_profiling": True, "consent_transfer": True}
    workspace = publish_tables(
        data_until=at,
        customers=[{"customer_id": "c_1", "kind": "known", "records": 1, "first_seen_at": at, **consents}],
        identities=[{**record, "rule": "record", "probability": 1.0, "linked_at": at, "run": "r"}],
        identity_links=[
            {"left_system": "crm", "left_id": "1", "right_system": "email", "right_id": "x", "rule": HOSTILE,
             "probability": 1.0, "linked_at": at, "state": "names"}
        ],
        attributes=[{**record, **known, "field": HOSTILE, "value": HOSTILE}],
        events=[{**record, **known, "event_id": "s:1", "channel": HOSTILE, "type": "t", "is_bot": True}],
        sources=[
            {"source": "s", "file": HOSTILE, "rows": 2, "published": 1, "quarantined": 1, "forgotten": 0,
             "unused_columns": HOSTILE, "fingerprint": "f"}
        ],
        source_days=[
            {"source": "s", "section": "events", "day": date(2025, 5, 1), "facts": 1, "repeated": 0, "early": 0}
        ],
        quarantine=[
            {"source": "s", "file": HOSTILE, "line": 2, "section": "events", "reason": HOSTILE, "raw": "secret"}
        ],
    )  # fmt: skip
    return assess_quality(workspace, "Asia/Tokyo")


def drawn(report: QualityReport, locale: Literal["ja", "en"]) -> str:
    out = StringIO()
    QualityView(locale, "Asia/Tokyo").draw(Terminal(file=out, width=80, color_system=None), report, HOSTILE)
    return out.getvalue()


@pytest.mark.parametrize("locale", LOCALES)
def test_a_page_runs_and_loads_nothing_whatever_the_data_say(
    hostile: QualityReport, locale: Literal["ja", "en"]
) -> None:
    html = render_quality_page(hostile, HOSTILE, locale, "Asia/Tokyo")
    page = Page(html)
    assert {"script", "link", "img", "iframe", "form", "object"}.isdisjoint(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href", "action")]
    assert "url(" not in html
    # Company twice (title, heading), file, unused column, reason, field, rule, channel: told, as text.
    assert page.text.count(HOSTILE) == 8
    assert "secret" not in html


@pytest.mark.parametrize("locale", LOCALES)
def test_a_terminal_of_80_columns_is_enough(hostile: QualityReport, locale: Literal["ja", "en"]) -> None:
    said = drawn(hostile, locale)
    assert max(cell_len(line) for line in said.splitlines()) <= 80
    # Markup in the data is text.
    assert "[bold]" in said
    assert "secret" not in said


@pytest.mark.parametrize("locale", LOCALES)
def test_what_needs_a_look_is_said_first(hostile: QualityReport, locale: Literal["ja", "en"]) -> None:
    still = Freshness(date(2025, 5, 1), 20, 20, 31, 19, 1.0, 3, stalled=True)
    report = replace(hostile, sources=(replace(hostile.sources[0], freshness=still, unexplained=7, unlisted=1),))
    for said in (drawn(report, locale), Page(render_quality_page(report, "demo", locale, "Asia/Tokyo")).text):
        flat = re.sub(r"\s+", "", said)
        for key, values in (
            ("warn_stalled", {"source": "s", "silent": 31, "newest": "2025-05-01", "longest": 3}),
            ("warn_unexplained", {"source": "s", "rows": 2, "count": 7}),
            ("warn_unlisted", {"source": "s", "count": 1}),
        ):
            label = QUALITY_TEXTS[key]
            warning = (label.ja if locale == "ja" else label.en).format(**values)
            assert re.sub(r"\s+", "", warning) in flat


def test_many_records_are_told_by_tens(hostile: QualityReport) -> None:
    counted = tuple((records, 1) for records in (0, 1, 5, 6, 10, 11, 20, 21))
    told = spread(replace(hostile.identities, records_per_person=counted), "en")
    assert [label for label, _ in told][1:] == ["1", "5", "6–10", "11–20", "21–30"]
    assert [people for _, people in told] == [1, 1, 1, 2, 2, 1]


def test_the_report_is_told_from_the_command_line(ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--config", str(ran.config)]
    capsys.readouterr()
    assert run_guarded(app, ["quality", "--json", *given]) == 0
    told = json.loads(capsys.readouterr().out)
    tables = {name: ran.workspace.read_table(name) for name in ("sources", "events", "customers", "identity_links")}
    assert sum(source["rows"] for source in told["sources"]) == sum(tables["sources"]["rows"].to_pylist())
    assert all(source["adds_up"] for source in told["sources"])
    assert told["events"]["events"] == tables["events"].num_rows
    assert told["events"]["bots"] == sum(tables["events"]["is_bot"].to_pylist())
    identities = told["identities"]
    assert identities["known"] + identities["anonymous"] == tables["customers"].num_rows
    assert sum(people for _, people in identities["records_per_person"]) == identities["known"]
    assert identities["records"] == sum(system["records"] for system in told["systems"])
    states = ("joined", "further", "names", "decision")
    assert sum(link[state] for link in identities["links"] for state in states) == tables["identity_links"].num_rows
    held = {system["system"]: system["records"] for system in told["systems"]}
    assert all(
        0 < cell["filled"] + cell["unreadable"] <= held[cell["system"]]
        for field in told["fields"]
        for cell in field["systems"]
    )
    page = tmp_path / "quality.html"
    for locale, heading in (("ja", "データ品質レポート"), ("en", "Data quality")):
        assert run_guarded(app, ["quality", "--html", str(page), "--lang", locale, *given]) == 0
        html = page.read_text(encoding="utf-8")
        assert f'<html lang="{locale}">' in html
        assert heading in html
        assert f"{told['events']['events']:,}" in html
    assert list(tmp_path.iterdir()) == [page]
    capsys.readouterr()
    assert run_guarded(app, ["quality", *given]) == 0
    assert "marketo_leads" in capsys.readouterr().out


def test_conflicts_are_listed_in_a_file(ran: Ran, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given, path = ["--config", str(ran.config)], tmp_path / "conflicts.csv"
    capsys.readouterr()
    assert run_guarded(app, ["conflicts", "--out", str(path), "--json", *given]) == 0
    told = json.loads(capsys.readouterr().out)
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == told["conflicts"] > 0
    assert len({row["customer_id"] for row in rows}) == told["people"]
    golden = {row["customer_id"]: row for row in ran.workspace.read_table("customers").to_pylist()}
    shown = [(row, guard_text(golden[row["customer_id"]][row["field"]])) for row in rows]
    assert all(row["kept_value"] == value != row["lost_value"] for row, value in shown)
    assert run_guarded(app, ["conflicts", "--field", "shoe_size", "--out", str(path), *given]) == 2
    assert "shoe_size" in capsys.readouterr().err
    assert run_guarded(app, ["conflicts", "--out", str(tmp_path / "conflicts.xlsx"), *given]) == 2


def test_a_page_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_guarded(app, ["quality", "--html", str(tmp_path / "page.txt")]) == 2
    assert ".html" in capsys.readouterr().err
    assert run_guarded(app, ["quality", "--lang", "fr"]) == 2
