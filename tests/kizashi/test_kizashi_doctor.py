"""The doctor says which online store is configured, and what is missing for it."""

import yaml

from kizashi.doctor import examine


def finding(folder, **online):
    path = folder / "company.yaml"
    source = {"name": "ma", "system": "ma", "path": "x.csv", "optional": True, "people": {"id": "id"}}
    content = {"home": str(folder / "home"), "sources": [source], "online_store": online}
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    (found,) = [finding for finding in examine(path) if finding.subject == "online store"]
    return found


def test_the_embedded_store_needs_nothing(tmp_path):
    found = finding(tmp_path)
    assert (found.state, found.message) == ("good", "sqlite, in the workspace")


def test_a_server_that_cannot_be_used_is_a_fault_with_what_to_do(tmp_path, monkeypatch):
    found = finding(tmp_path, type="postgres", url_env="COMPANY_FEATURES_URL")
    assert found.state == "fault"
    assert "COMPANY_FEATURES_URL is not set; expected postgresql://" in found.message
    monkeypatch.setenv("COMPANY_FEATURES_URL", "redis://:secret@127.0.0.1:1/0")
    found = finding(tmp_path, type="redis", url_env="COMPANY_FEATURES_URL")
    assert found.state == "fault"
    assert "does not answer" in found.message
    assert "secret" not in found.message
