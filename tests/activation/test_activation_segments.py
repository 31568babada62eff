"""Who belongs to a segment, since when, and what the exported list holds."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activation.segments import build_segments, list_segments, segment_people
from core.errors import MissingStageError, NotFoundError
from core.segment_settings import SegmentSettings
from core.settings import Settings
from core.storage import Workspace, write_parquet
from kizashi.export import export_segment

AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


def settings(home: Path, **rules: Any) -> Settings:
    return Settings.model_validate(
        {
            "name": "t",
            "home": home,
            "sources": [{"name": "s", "system": "crm", "path": "none.csv", "people": {"id": "id"}}],
            "models": {"churn": {}},
            "segments": {"risk": {"model": "churn", "recipient": "own", **rules}},
        }
    )


def publish_scores(workspace: Workspace, probabilities: dict[str, float], as_of: datetime = AS_OF) -> None:
    """Scores of the columns that a segment reads, in no particular order."""
    people = sorted(probabilities)
    columns: dict[str, Any] = {
        "customer_id": people,
        "status": ["ok" if probabilities[person] > 0 else "insufficient" for person in people],
        "probability": [probabilities[person] for person in people],
        "score": [50] * len(people),
        "grade": ["-"] * len(people),
        "evidence": ["medium"] * len(people),
        **{f"reason_{n}": [f"=reason {n}"] * len(people) for n in range(1, 4)},
        "as_of": pa.array([as_of] * len(people), pa.timestamp("us", "UTC")),
        "model_version": ["1"] * len(people),
    }
    with workspace.publish("scores/churn", "s", {}) as folder:
        write_parquet(folder / "scores.parquet", pa.table(columns))


@pytest.fixture
def company(publish_tables: Callable[..., Workspace]) -> Workspace:
    """a to f; e is a visitor without a name, f refused profiling, b refused marketing, the rest said nothing."""
    people = [
        {
            "customer_id": person, "kind": "anonymous" if person == "e" else "known", "full_name": f"={person}",
            "consent_marketing": False, "consent_profiling": person != "f", "consent_transfer": False, "records": 1,
            "first_seen_at": AS_OF - timedelta(days=90),
        }
        for person in "abcdef"
    ]  # fmt: skip
    records = [
        ("a", "crm", "1"),
        ("a", "crm", "2"),
        ("a", "email", "x@y.example"),
        ("b", "crm", "3"),
        ("e", "cookie", "k"),
    ]
    identities = [
        {
            "customer_id": person, "system": system, "source_id": source_id, "rule": "source", "probability": 1.0,
            "linked_at": AS_OF - timedelta(days=90), "run": "r",
        }
        for person, system, source_id in records
    ]  # fmt: skip
    refused = {
        "customer_id": "b", "system": "crm", "source_id": "3", "purpose": "marketing", "granted": False,
        "decided_at": AS_OF - timedelta(days=5), "recorded_at": AS_OF - timedelta(days=5),
    }  # fmt: skip
    return publish_tables(customers=people, identities=identities, consents=[refused])


def members(workspace: Workspace, **rules: Any) -> list[str]:
    configured = settings(workspace.home, **rules)
    build_segments(configured, workspace)
    people: list[str] = segment_people(configured, workspace, "risk")["customer_id"].to_pylist()
    return people


SCORES = {"a": 0.1, "b": 0.5, "c": 0.4, "d": 0.2, "e": 0.3, "f": 0.9}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"size": 10}, ["c", "e", "d", "a"]),
        ({"size": 2}, ["c", "e"]),
        ({"size": 2, "marketing": "ignore"}, ["b", "c"]),
        ({"size": 2, "marketing": "granted"}, []),
        ({"min_probability": 0.3}, ["c", "e"]),
        ({"min_probability": 0.3, "people": "anonymous"}, ["e"]),
        ({"min_probability": 0.2, "people": "known"}, ["c", "d"]),
        # Half of the six who were scored are f, b and c, of whom two may not be asked.
        ({"top_share": 0.5}, ["c"]),
    ],
)
def test_the_conditions_must_all_hold(company: Workspace, rules: dict[str, Any], expected: list[str]) -> None:
    publish_scores(company, SCORES)
    assert members(company, **rules) == expected


def test_nobody_without_a_score_belongs(company: Workspace) -> None:
    publish_scores(company, dict.fromkeys(SCORES, 0.0))
    assert members(company, top_share=1.0) == []


def test_who_stays_keeps_the_moment_of_entering(company: Workspace) -> None:
    configured = settings(company.home, size=2)
    publish_scores(company, SCORES)
    build_segments(configured, company)
    later = AS_OF + timedelta(days=1)
    publish_scores(company, {**SCORES, "a": 0.8}, later)
    (summary,) = build_segments(configured, company)
    assert (summary.members, summary.entered, summary.left, summary.as_of) == (2, 1, 1, later)
    assert list_segments(configured, company) == (summary,)
    entered = segment_people(configured, company, "risk").select(["customer_id", "entered_at"]).to_pylist()
    assert [(row["customer_id"], row["entered_at"]) for row in entered] == [("a", later), ("c", AS_OF)]


def test_the_list_names_people_in_every_system_and_runs_no_formula(company: Workspace, tmp_path: Path) -> None:
    configured = settings(company.home, size=9, marketing="ignore")
    publish_scores(company, SCORES)
    build_segments(configured, company)
    assert export_segment(configured, company, "risk", tmp_path / "risk.csv") == 5
    rows = pd.read_csv(tmp_path / "risk.csv", dtype=str, keep_default_na=False).set_index("customer_id")
    assert rows.loc["a", "id_crm"] == "1;2"
    assert rows.loc["e", "id_cookie"] == "k"
    assert "id_email" not in rows.columns
    assert rows.loc["a", "name"] == "'=a"
    assert rows.loc["a", "reason_1"] == "'=reason 1"
    assert rows.loc["a", "grade"] == "-"


def test_others_get_only_those_who_agreed_to_transfer(company: Workspace, tmp_path: Path) -> None:
    publish_scores(company, SCORES)
    rules = {"size": 9, "marketing": "ignore"}
    for recipient, expected in (("own", ["b", "c", "e", "d", "a"]), ("others", ["c"])):
        configured = settings(company.home, **rules, recipient=recipient)
        build_segments(configured, company)
        with company.publish("customers", "agreed", company.manifest("customers") or {}) as folder:
            for path in company.current("customers").glob("*.parquet"):
                table = pq.read_table(path)
                if path.stem == "customers":
                    agreed = pa.array([person in "cf" for person in table["customer_id"].to_pylist()])
                    table = table.set_column(
                        table.schema.get_field_index("consent_transfer"), "consent_transfer", agreed
                    )
                write_parquet(folder / path.name, table)
        assert export_segment(configured, company, "risk", tmp_path / "risk.parquet") == len(expected)
        assert pq.read_table(tmp_path / "risk.parquet")["customer_id"].to_pylist() == expected
    assert SegmentSettings(model="churn", size=1).recipient == "others"


def test_what_is_missing_is_named(company: Workspace) -> None:
    configured = settings(company.home, size=2)
    with pytest.raises(NotFoundError, match="no segment 'rsk'; expected risk"):
        build_segments(configured, company, ("rsk",))
    with pytest.raises(MissingStageError, match="scores/churn"):
        build_segments(configured, company)
    assert list_segments(configured, company)[0].as_of is None
