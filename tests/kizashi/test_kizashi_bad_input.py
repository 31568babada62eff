"""Wrong input ends in one plain sentence and exit code 2: no traceback, nothing half written."""

import json
from pathlib import Path

import pytest

from kizashi.cli import app
from kizashi.launch import run_guarded

CONFIGURATION = """
home: {home}
sources:
  - name: leads
    system: crm
    path: {file}
    timezone: Asia/Tokyo
    people:
      id: Id
      created_at: Created
      fields: {{email: Email, company: Company}}
"""
LEADS = "Id,Created,Email,Company\n1,2026-01-05 10:00:00,taro@example.co.jp,株式会社サンプル\n"


@pytest.fixture
def company(tmp_path: Path) -> Path:
    """A folder with a good configuration and a good export."""
    (tmp_path / "leads.csv").write_text(LEADS, encoding="utf-8")
    text = CONFIGURATION.format(home=tmp_path / "home", file=tmp_path / "leads.csv")
    (tmp_path / "company.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def unify(folder: Path) -> int:
    return run_guarded(app, ["unify", "--config", str(folder / "company.yaml")])


def assert_refused(folder: Path, capsys: pytest.CaptureFixture[str], *told: str) -> None:
    assert unify(folder) == 2
    captured = capsys.readouterr()
    sentences = [line for line in captured.err.splitlines() if line.startswith("kizashi: ")]
    assert len(sentences) == 1, captured.err
    for part in told:
        assert part in sentences[0]
    assert "Traceback" not in captured.err + captured.out
    left = [path for path in (folder / "home").rglob("*") if path.is_file() and path.name != ".lock"]
    assert left == []


def test_good_input_is_accepted(company: Path) -> None:
    assert unify(company) == 0


def test_columns_that_nothing_maps_are_named(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leads = company / "leads.csv"
    head, *rows = leads.read_text(encoding="utf-8").splitlines()
    extra = ",".join(f"extra[{place}]" for place in range(10))
    leads.write_text("\n".join([f"{head},{extra}", *(row + "," * 10 for row in rows)]), encoding="utf-8")
    assert unify(company) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "extra[0], extra[1]" in said
    arguments = ["unify", "--json", "--config", str(company / "company.yaml")]
    assert run_guarded(app, arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["unused_columns"]["leads"][-10:] == [f"extra[{place}]" for place in range(10)]


def test_a_wrong_key_in_the_configuration(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = company / "company.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("fields:", "feilds:"), encoding="utf-8")
    assert_refused(company, capsys, "feilds", "did you mean 'fields'?", "company.yaml")


def test_a_missing_file(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (company / "leads.csv").unlink()
    assert_refused(company, capsys, "leads.csv", "does not exist")


def test_a_shift_jis_file_declared_as_utf_8(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (company / "leads.csv").write_text(LEADS, encoding="cp932")
    assert_refused(company, capsys, "leads.csv", "utf-8", "cp932")


def test_an_empty_file(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (company / "leads.csv").write_bytes(b"")
    assert_refused(company, capsys, "leads.csv", "empty")


def test_a_file_with_a_header_only(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (company / "leads.csv").write_text(LEADS.splitlines(keepends=True)[0], encoding="utf-8")
    assert_refused(
        company, capsys, "leads.csv holds column names but no row", "expected at least one row", "export again"
    )


def test_a_column_missing_from_a_mapping(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (company / "leads.csv").write_text(LEADS.replace("Company", "Firma"), encoding="utf-8")
    assert_refused(company, capsys, "leads.csv", "Company", "Firma")


def test_all_faults_of_all_files_come_at_once(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = company / "company.yaml"
    second = "  - {name: more, system: shop, path: absent.csv, people: {id: Id}}\n"
    path.write_text(path.read_text(encoding="utf-8") + second, encoding="utf-8")
    (company / "leads.csv").write_bytes(b"")
    assert_refused(company, capsys, "leads.csv", "absent.csv", "2 faults")


def test_a_model_that_is_not_configured(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(app, ["train", "churns", "--config", str(company / "company.yaml")]) == 2
    assert "expected one of lead" in capsys.readouterr().err


def test_a_stage_before_its_time(company: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(app, ["score", "lead", "--config", str(company / "company.yaml")]) == 2
    assert "run `kizashi run` first" in capsys.readouterr().err
