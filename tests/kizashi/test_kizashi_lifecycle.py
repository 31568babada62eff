"""The life cycle from the command line: the funnel, files for another system, and kills between file and note."""

import csv
import io
import json
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console as Terminal

from activation.lifecycle_delta import count_told
from core.clock import SystemClock
from core.database import open_database
from core.errors import SourceError
from core.lifecycle_settings import TOLD_FIELDS, default_stages
from core.settings import Settings, load_settings
from core.storage import Workspace
from customers.lifecycle.funnel import Funnel, StageFigures, read_funnel
from kizashi import lifecycle_delta as job
from kizashi.cli import app
from kizashi.forget import forget_people
from kizashi.launch import run_guarded
from kizashi.lifecycle_delta import confirm_delta, export_delta
from kizashi.lifecycle_file import read_delta, write_delta
from kizashi.lifecycle_texts import LIFECYCLE_TEXTS
from kizashi.lifecycle_view import draw_funnel

LEADS = """id,email,last,unsubscribed,created
101,taro@alpha.example.jp,山田,false,2025-01-01T00:00:00Z
102,hanako@beta.example.jp,鈴木,true,2025-02-01T00:00:00Z
=103,jiro@gamma.example.jp,佐藤,false,2025-03-01T00:00:00Z
104,ichiro@delta.example.jp,高橋,false,2025-03-01T00:00:00Z
"""
DEALS = """id,who,stage,opened,closed
D1,101,open,2025-02-01T00:00:00Z,
D2,102,lost,2025-03-01T00:00:00Z,2025-04-01T00:00:00Z
"""
CONSENTS = """who,purpose,granted,at
104,profiling,false,2025-04-02T00:00:00Z
"""


class Company:
    """A small company whose MA is told about its leads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "company.yaml"
        self.write("leads", LEADS)
        self.write("deals", DEALS)
        self.write("consents", CONSENTS)
        self.configure()

    def write(self, name: str, content: str) -> None:
        path = self.folder / "home" / "exports" / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")

    def configure(self, **lifecycle: Any) -> None:
        source = {"system": "ma", "exported_at": "2025-05-01T00:00:00Z"}
        leads = {
            "id": "id", "created_at": "created", "known_at": "created",
            "fields": {"email": "email", "last_name": "last"}, "keys": [{"kind": "email", "column": "email"}],
        }  # fmt: skip
        opted_out = {
            "where": {"unsubscribed": ["true"]}, "person": "id", "purpose": {"constant": "marketing"},
            "granted": {"constant": False},
        }  # fmt: skip
        deals = {
            "id": "id", "person": "who", "opened_at": "opened", "closed_at": "closed", "outcome": "stage",
        }  # fmt: skip
        consents = {"person": "who", "purpose": "purpose", "granted": "granted", "at": "at"}
        content = {
            "home": str(self.folder / "home"),
            "identity": {"similar": {"enabled": False}},
            "lifecycle": lifecycle,
            "sources": [
                source | {"name": "leads", "path": "{home}/exports/leads.csv", "people": leads, "consents": opted_out},
                source | {"name": "deals", "path": "{home}/exports/deals.csv", "deals": deals},
                source | {"name": "consents", "path": "{home}/exports/consents.csv", "consents": consents},
            ],
        }
        self.config.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")

    @property
    def settings(self) -> Settings:
        return load_settings(self.config)

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.settings.home)

    def call(self, *arguments: str) -> int:
        return run_guarded(app, [*arguments, "--config", str(self.config)])

    def export(self, out: Path, **options: Any) -> dict[str, dict[str, str]]:
        """The file's rows by id."""
        export_delta(self.settings, self.workspace, "ma", out, clock=SystemClock(), **options)
        return {row["id"]: dict(row) for row in read_delta(self.settings, "ma", out)}

    def confirm(self, out: Path) -> None:
        confirm_delta(self.settings, self.workspace, "ma", out, clock=SystemClock())


@pytest.fixture
def company(tmp_path: Path) -> Company:
    made = Company(tmp_path)
    assert made.call("unify") == 0
    return made


def told(rows: dict[str, dict[str, str]]) -> dict[str, str]:
    return {id_: " ".join([row["stage"], row["deal_state"], row["opted_out"]]).strip() for id_, row in rows.items()}


FIRST = {"101": "in_talks in_talks false", "102": "lost lost true", "=103": "lead  false"}


def test_a_file_for_the_system(company: Company, tmp_path: Path) -> None:
    out = tmp_path / "delta.csv"
    assert told(company.export(out)) == FIRST
    content = out.read_bytes()
    assert content.startswith(b"\xef\xbb\xbfma_id,stage,stage_since,deal_state,opted_out,changed_at\r\n")
    # An id that a spreadsheet would run is text; reading it gives the id again.
    assert b"\r\n'=103,lead,2025-03-01T00:00:00Z,," in content
    # The same is written until it is confirmed, byte for byte.
    company.export(out)
    assert out.read_bytes() == content
    company.confirm(out)
    company.confirm(out)
    assert company.export(out) == {}
    assert told(company.export(out, full=True)) == FIRST
    assert list(tmp_path.glob("*.tmp")) + list(tmp_path.glob(".*")) == []


def test_a_kill_between_file_and_note_tells_it_again(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "delta.csv"

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    for step in ("write_delta", "confirm_told"):
        with monkeypatch.context() as patched:
            patched.setattr(job, step, killed)
            with pytest.raises(KeyboardInterrupt):
                company.export(out, confirm=True)
        # Before the file is in place there is none; afterwards it is whole, and what it says is told again.
        assert out.exists() == (step == "confirm_told")
    assert told(company.export(out, confirm=True)) == FIRST
    assert company.export(out) == {}


def test_changes_follow_the_data(company: Company, tmp_path: Path) -> None:
    out = tmp_path / "delta.csv"
    company.export(out, confirm=True)
    company.write("deals", DEALS.replace("101,open,2025-02-01T00:00:00Z,", "101,won,2025-02-01T00:00:00Z,2025-04-20"))
    company.write("deals", DEALS.replace("D1,101,open,2025-02-01T00:00:00Z,",
                                         "D1,101,won,2025-02-01T00:00:00Z,2025-04-20T00:00:00Z"))  # fmt: skip
    company.write(
        "consents", CONSENTS + "103,marketing,false,2025-04-20T00:00:00Z\n101,profiling,false,2025-04-21T00:00:00Z\n"
    )
    company.write("leads", LEADS.replace("=103", "103"))
    assert company.call("unify") == 0
    rows = company.export(out)
    # 101 refused profiling: the stage is taken back in the MA too. 103 is another record than =103, which is gone.
    assert told(rows) == {"101": "false", "103": "lead  true"}
    company.confirm(out)
    assert company.export(out) == {}


def test_encodings_and_words(company: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "delta.csv"
    exports = {"ma": {"encoding": "cp932", "email": True, "headers": {"id": "リードID", "stage": "段階"},
                      "words": {"in_talks": "商談中"}}}  # fmt: skip
    company.configure(exports=exports)
    assert company.export(out)["101"]["stage"] == "商談中"
    header, *_ = csv.reader(io.StringIO(out.read_bytes().decode("cp932")))
    assert header == ["リードID", "email", "段階", "stage_since", "deal_state", "opted_out", "changed_at"]
    assert "taro@alpha.example.jp" in out.read_text(encoding="cp932")
    before = out.read_bytes()
    company.configure(exports={"ma": {"encoding": "cp932", "words": {"in_talks": "商談中😀"}}})
    assert company.call("lifecycle", "export", "--system", "ma", "--out", str(out)) == 2
    said = capsys.readouterr().err
    assert "line 2 of the file holds a character that cp932 lacks" in said
    assert "taro" not in said
    assert out.read_bytes() == before
    assert company.call("lifecycle", "export", "--system", "ma", "--out", str(out), "--encoding", "utf-8") == 0
    assert out.read_text(encoding="utf-8").startswith("ma_id")
    assert company.call("lifecycle", "export", "--system", "ma", "--out", str(out), "--encoding", "latin-1") == 2


def test_whoever_is_forgotten_is_in_no_file(company: Company, tmp_path: Path) -> None:
    inside, out = company.workspace.path("out", "delta.csv"), tmp_path / "delta.csv"
    inside.parent.mkdir()
    other = company.workspace.path("out", "other.csv")
    other.write_text("ma_id,what\n101,kept: no file of ours\n", encoding="utf-8")
    company.export(inside, confirm=True)
    (receipt,) = forget_people(company.settings, company.workspace, ["ma:101"], clock=SystemClock()).forgotten
    assert receipt.places["database/lifecycle_told"] == 1
    assert receipt.places["exported lists"] == 1
    assert receipt.places["tables/lifecycle"] == 2
    assert {row["id"] for row in read_delta(company.settings, "ma", inside)} == {"102", "=103"}
    assert "101" in other.read_text(encoding="utf-8")
    assert set(company.export(out, full=True)) == {"102", "=103"}
    # The file of before the forgetting names a record that is not to be noted any more.
    out.write_text("ma_id,stage,stage_since,deal_state,opted_out,changed_at\n101,lead,x,,false,x\n", encoding="utf-8")
    assert confirm_delta(company.settings, company.workspace, "ma", out, clock=SystemClock()).gone == 1
    assert company.call("unify") == 0
    assert set(company.export(out, full=True)) == {"102", "=103"}
    assert b"taro" not in company.workspace.path("app.db").read_bytes()


def test_what_was_told_of_a_record_that_turns_out_to_be_forgotten_goes_too(company: Company, tmp_path: Path) -> None:
    out = tmp_path / "delta.csv"
    company.export(out, confirm=True)
    forget_people(company.settings, company.workspace, ["ma:101"], clock=SystemClock())
    # 102 is the same person, as the address says now.
    company.write("leads", LEADS.replace("hanako@beta", "taro@alpha"))
    assert company.call("unify") == 0
    engine = open_database(company.settings, company.workspace)
    assert count_told(engine, [("ma", "101"), ("ma", "102")]) == 0
    assert count_told(engine, [("ma", "=103")]) == 1
    engine.dispose()
    assert b"lost" not in company.workspace.path("app.db").read_bytes()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,stage\n1,lead\n", "has no column ma_id, stage_since"),
        ("", "has no column ma_id"),
        ("ma_id,stage,stage_since,deal_state,opted_out,changed_at\n1,lead\n", "line 2 has 2 cells"),
    ],
)
def test_another_file_is_refused(company: Company, tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SourceError, match=said):
        company.confirm(path)
    with pytest.raises(SourceError, match="does not exist"):
        company.confirm(tmp_path / "none.csv")


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=7, max_size=7)))
def test_what_is_written_is_read_again_and_runs_nothing(tmp_path_factory: Any, rows: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("delta") / "delta.csv"
    source = {"name": "a", "system": "ma", "path": "x.csv", "people": {"id": "id"}}
    settings = Settings.model_validate(
        {"name": "t", "home": path.parent, "sources": [source], "lifecycle": {"exports": {"ma": {"email": True}}}}
    )
    columns = {name: pa.array([row[place] for row in rows], pa.string()) for place, name in enumerate(TOLD_FIELDS)}
    write_delta(settings, "ma", pa.table(columns), path)
    assert [list(row.values()) for row in read_delta(settings, "ma", path)] == rows
    with path.open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for record in list(csv.reader(file))[1:] for cell in record]
    assert not [
        cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "＝")) or (cell[:1] == "-" and cell[1:])
    ]


def test_the_command_line_in_both_languages(
    company: Company, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert company.call("lifecycle", "--json") == 0
    figures = json.loads(capsys.readouterr().out)
    people = {stage["stage"]: stage["people"] for stage in figures["stages"]}
    assert people == {"lead": 1, "mql": 0, "sql": 0, "in_talks": 1, "won": 0, "lost": 1, "recycled": 0}
    assert (figures["without_stage"], figures["refused_profiling"]) == (1, 1)
    for locale, title, stage in (("ja", "リードのライフサイクル", "商談中"), ("en", "Lead life cycle", "in talks")):
        assert company.call("lifecycle", "--lang", locale) == 0
        shown = capsys.readouterr().out
        assert title in shown
        assert stage in shown
        assert max(cell_len(line) for line in shown.splitlines()) <= 80
    out = str(tmp_path / "delta.csv")
    assert company.call("lifecycle", "export", "--system", "ma", "--out", out, "--lang", "ja") == 0
    shown = capsys.readouterr().out
    assert "差分 3 件(全 4 レコード中)" in shown
    assert "値 1 個" in shown
    assert f"kizashi lifecycle ack {out} --system ma --config {company.config}" in shown
    assert company.call("lifecycle", "ack", out, "--system", "ma", "--lang", "en") == 0
    assert "ma was told about 3 records." in capsys.readouterr().out
    assert company.call("lifecycle", "export", "--system", "ma", "--out", out, "--ack", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "system": "ma", "rows": 0, "records": 4, "guarded": 0, "full": False, "acknowledged": True, "out": out,
    }  # fmt: skip
    assert company.call("lifecycle", "export", "--system", "crm", "--out", out) == 2
    assert "one of ma" in capsys.readouterr().err
    assert company.call("lifecycle", "export", "--system", "ma", "--out", str(tmp_path / "delta.xlsx")) == 2
    assert company.call("lifecycle", "--lang", "fr") == 2


@pytest.mark.parametrize("locale", ["ja", "en"])
def test_a_terminal_of_80_columns_is_enough(locale: Literal["ja", "en"]) -> None:
    stages = default_stages()
    figures = tuple(
        StageFigures(stage.name, 9_999_999, 999_999, 10_000_000, 5_000_000, 1234.5, 0.2) for stage in stages
    )
    out = io.StringIO()
    funnel = Funnel(SystemClock().now(), figures, 1_000_000, 1_000)
    draw_funnel(Terminal(file=out, width=80, color_system=None), funnel, stages, locale, "Asia/Tokyo")
    said = out.getvalue()
    assert max(cell_len(line) for line in said.splitlines()) <= 80
    assert said.count("9,999,999") == len(stages)
    assert LIFECYCLE_TEXTS["stage"].ja in said if locale == "ja" else "stage" in said


def test_the_funnel_of_a_company_counted_by_hand(company: Company) -> None:
    funnel = read_funnel(company.workspace, default_stages())
    figures = {stage.stage: stage for stage in funnel.stages}
    assert [stage.stage for stage in funnel.stages][-2:] == ["lost", "recycled"]
    lead, talks, lost = figures["lead"], figures["in_talks"], figures["lost"]
    # Three were leads, two of them had deals: after 31 and 28 days.
    assert (lead.people, lead.ever, lead.went_on, lead.days_in) == (1, 3, 2, 29.5)
    assert (talks.people, talks.ever, talks.went_on, talks.days_in) == (1, 2, 0, 31)
    assert (lost.people, lost.ever, lost.went_on, lost.days_in) == (1, 1, 0, None)
    assert lost.days_so_far == pytest.approx(30, abs=0.1)
    assert (lost.entered_recently, lead.entered_recently) == (0, 0)


def stage(*enter: dict[str, Any], name: str = "a", **more: Any) -> dict[str, Any]:
    return {"stages": [{"name": name, "label": {"ja": "a", "en": "a"}, "enter": list(enter), **more}]}


KNOWN = {"kind": "known"}


@pytest.mark.parametrize(
    ("lifecycle", "said"),
    [
        (stage(), "at least 1 entries"),
        (stage({"kind": "field", "field": "lead_statu", "values": ["x"]}), "no field, did you mean 'lead_status'"),
        (stage(KNOWN, name="new"), "no stage can be called new"),
        (stage(KNOWN, after=["b"]), "a.after names b"),
        (stage(KNOWN | {"id": "x"}, KNOWN | {"id": "x"}), "the ids of conditions must be unique; twice: x"),
        (stage({"kind": "events"}), "give at least one of type"),
        (stage({"kind": "events", "type": ["x"], "within_days": 3}), "give at_least too"),
        (stage({"kind": "deal", "when": "stage"}), "stages belong to `when: stage`"),
        ({"exports": {"ma": {"headers": {"stag": "x"}}}}, "there is no column stag"),
        ({"exports": {"ma": {"headers": {"stage": "x", "id": "x"}}}}, "two columns have one name"),
        ({"exports": {"ma": {"words": {"lst": "x"}}}}, "exports.ma.words names lst"),
    ],
)
def test_wrong_configurations_are_refused(
    tmp_path: Path, lifecycle: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    company = Company(tmp_path)
    company.configure(**lifecycle)
    assert company.call("unify") == 2
    assert said in capsys.readouterr().err
