"""What cannot be read as declared is told in one sentence, all at once, and nothing is written."""

import copy
from typing import Any

import pytest

from core.errors import ConfigurationError, SourceError


def refused(company: Any) -> str:
    with pytest.raises(SourceError) as raised:
        company.unify()
    assert raised.value.exit_code == 2
    assert company.workspace.manifest("customers") is None
    assert "\n" not in raised.value.sentence
    return str(raised.value)


def test_a_missing_file(small_company):
    (small_company.home / "exports" / "visits.csv").unlink()
    message = refused(small_company)
    assert "visits.csv does not exist" in message
    assert "source visits" in message


def test_a_missing_file_may_be_optional(small_company):
    (small_company.home / "exports" / "visits.csv").unlink()
    small_company.sources = [small_company.sources[0], {**small_company.sources[1], "optional": True}]
    assert small_company.unify().customers == 2


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff"])
def test_an_empty_file(small_company, content):
    small_company.write("visits.csv", content)
    assert "visits.csv is empty" in refused(small_company)


def test_shift_jis_declared_as_utf8(small_company):
    text = small_company.home / "exports" / "leads.csv"
    text.write_bytes(text.read_text().encode("cp932"))
    message = refused(small_company)
    assert "is not utf-8" in message
    assert "cp932" in message


def test_utf8_declared_as_shift_jis(small_company):
    small_company.sources = [{**small_company.sources[0], "encoding": "cp932"}]
    assert "but is UTF-8" in refused(small_company)


def test_an_unknown_encoding(small_company):
    small_company.sources = [{**small_company.sources[0], "encoding": "utf-9"}]
    assert "'utf-9' is unknown" in refused(small_company)


def test_a_column_missing_from_the_mapping(small_company):
    source = copy.deepcopy(small_company.sources[0])
    source["people"]["fields"]["title"] = "emial"
    small_company.sources = [source]
    message = refused(small_company)
    assert "lacks the column 'emial' (did you mean 'email'?)" in message
    assert "it has id, email, last" in message


def test_a_column_that_only_a_condition_names(small_company):
    source = copy.deepcopy(small_company.sources[1])
    source["events"]["where"] = {"kind": ["visit"]}
    small_company.sources = [source]
    assert "lacks the column 'kind'" in refused(small_company)


def test_all_faults_of_all_sources_at_once(small_company):
    small_company.write("leads.csv", "")
    small_company.write("visits.csv", "event_id;cookie\n")
    message = refused(small_company)
    assert "2 faults" in message
    assert "leads.csv is empty" in message
    assert "declare delimiter: ';'" in message


def test_a_failed_run_leaves_the_former_generation(small_company):
    small_company.unify()
    before = small_company.workspace.manifest("customers")
    small_company.write("leads.csv", "")
    with pytest.raises(SourceError):
        small_company.unify()
    assert small_company.workspace.manifest("customers") == before
    assert len(small_company.rows("customers")) == 3


@pytest.mark.parametrize(("format_name", "file"), [("excel", "leads.xlsx"), ("parquet", "leads.parquet")])
def test_a_file_of_another_format(small_company, format_name, file):
    small_company.write(file, "this is no such file")
    source = {**small_company.sources[0], "format": format_name, "path": "{home}/exports/" + file}
    small_company.sources = [source]
    assert "is no readable" in refused(small_company)


def test_sql_without_its_environment_variable(small_company):
    source = {**small_company.sources[0], "format": "sql", "url_env": "CRM_URL", "query": "SELECT 1"}
    small_company.sources = [source]
    assert "CRM_URL is not set" in refused(small_company)


def test_sql_that_fails_keeps_the_password_to_itself(small_company, monkeypatch, tmp_path):
    monkeypatch.setenv("CRM_URL", f"sqlite:///{tmp_path}/hunter2.db")
    source = {**small_company.sources[0], "format": "sql", "url_env": "CRM_URL", "query": "SELECT * FROM nowhere"}
    small_company.sources = [source]
    message = refused(small_company)
    assert "no such table: nowhere" in message
    assert "hunter2" not in message


def test_a_field_that_no_person_has(small_company):
    source = copy.deepcopy(small_company.sources[0])
    source["people"]["fields"]["compny"] = source["people"]["fields"].pop("company")
    small_company.sources = [source]
    with pytest.raises(ConfigurationError, match="did you mean 'company'"):
        small_company.unify()


def test_no_usable_time_at_all(company):
    company.write("leads.csv", "id,email\n1,a@b.example.jp\n")
    company.sources = [
        {
            "name": "leads",
            "system": "crm",
            "path": "{home}/exports/leads.csv",
            "people": {"id": "id", "fields": {"email": "email"}},
        }
    ]
    assert "no row of any source carries a usable time" in refused(company)
