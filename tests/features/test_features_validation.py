"""A bad build of features never comes into force."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from core.errors import FeatureQualityError
from core.settings import Settings
from core.storage import Workspace, write_parquet
from features.build import build_features, view_schema
from features.catalog import view_features
from features.validation import check_build, limits, stability_index

NOW = datetime(2025, 6, 1, tzinfo=UTC)
PEOPLE = 60


def company(now: datetime, *, visits: bool = True, industries: bool = True) -> dict[str, list[dict[str, Any]]]:
    """Sixty people who visit pages, some more than others, and whose company's industry is known."""
    tables: dict[str, list[dict[str, Any]]] = {"identities": [], "events": [], "attributes": []}
    for number in range(PEOPLE):
        record = {"customer_id": f"c_{number:02d}", "system": "ma", "source_id": str(number)}
        first = datetime(2025, 1, 1, tzinfo=UTC)
        tables["identities"].append({**record, "rule": "new", "probability": 1.0, "linked_at": first, "run": "r"})
        known = {**record, "recorded_assumed": False}
        if industries:
            said = {
                "field": "industry",
                "value": ("it", "food")[number % 2],
                "occurred_at": first,
                "recorded_at": first,
            }
            tables["attributes"].append({**known, **said})
        for visit in range(number % 7 if visits else 0):
            at = now - timedelta(days=1 + 4 * visit, hours=number)
            seen = {"event_id": f"{number}-{visit}", "type": "web_visit", "channel": "web", "is_bot": False}
            tables["events"].append({**known, **seen, "occurred_at": at, "recorded_at": at})
    return tables


Build = Callable[..., Workspace]


@pytest.fixture
def build(publish_tables: Callable[..., Workspace], moments_table: Callable[..., pa.Table], tmp_path: Path) -> Build:
    """Publish a company's tables as of a moment, and build the features of that moment."""

    def make(now: datetime = NOW, validation: dict[str, Any] | None = None, **world: bool) -> Workspace:
        workspace = publish_tables(data_until=now, **company(now, **world))
        asked = moments_table([(f"c_{number:02d}", now) for number in range(PEOPLE)])
        build_features(settings(tmp_path, **(validation or {})), workspace, asked)
        return workspace

    return make


def settings(home: Path, **validation: Any) -> Settings:
    return Settings.model_validate(
        {
            "name": "test",
            "home": home / "home",
            "sources": [{"name": "ma", "system": "ma", "path": "x.csv", "people": {"id": "id"}}],
            "features": {"windows_days": [7, 30], "validation": {"least_rows": 50, **validation}},
            "models": {"lead": {}},
        }
    )


def generation(workspace: Workspace) -> str:
    return str((workspace.manifest("features") or {})["generation"])


def test_a_stopped_source_keeps_the_former_features_in_force(build: Build) -> None:
    workspace = build()
    before = generation(workspace)
    with pytest.raises(
        FeatureQualityError, match=r"web_visit_count_30d: .*stability index \d.*allowed 0.50"
    ) as refused:
        build(NOW + timedelta(days=1), visits=False)
    assert "the former features stay in force" in refused.value.next_step
    assert "events_days_since: 100% of the people to be scored have no value" in refused.value.found
    assert generation(workspace) == before
    assert [path.name for path in workspace.path("features").iterdir() if path.is_dir()] == [before]


def test_a_vanished_field_is_named_with_what_was_there_before(build: Build) -> None:
    build()
    with pytest.raises(
        FeatureQualityError, match=r"industry: 100% of .* the build before had 0% \(allowed: 30% more\)"
    ):
        build(industries=False)


def test_the_same_people_a_day_later_are_published(build: Build) -> None:
    before = generation(build())
    workspace = build(NOW + timedelta(days=1))
    checked = (workspace.manifest("features") or {})["validation"]
    assert generation(workspace) != before == checked["compared_with"]
    assert checked["rows"] == PEOPLE
    assert max(checked["drift"].values()) < 0.5
    assert checked["faults"] == []


@pytest.mark.parametrize(
    "validation",
    [
        {"on_fault": "warn"},
        {"exempt": ["*_count_*", "*_since", "*_share_*", "active*", "distinct*", "momentum*", "activity_heat"]},
        {"max_drift": 100, "max_null_rise": 1},
        {"least_rows": PEOPLE + 1},
        {"compare_within_days": 0},
    ],
)
def test_what_is_allowed_by_configuration_is_published(build: Build, validation: dict[str, Any]) -> None:
    before = generation(build())
    workspace = build(NOW + timedelta(days=1), validation, visits=False)
    assert generation(workspace) != before
    told = (workspace.manifest("features") or {})["validation"]["faults"]
    assert bool(told) is ("on_fault" in validation)


def test_other_windows_are_another_meaning_and_are_not_compared(
    build: Build, moments_table: Callable[..., pa.Table], tmp_path: Path
) -> None:
    workspace = build()
    other = settings(tmp_path)
    other = other.model_copy(update={"features": other.features.model_copy(update={"windows_days": (7, 60)})})
    asked = moments_table([(f"c_{number:02d}", NOW) for number in range(PEOPLE)])
    build_features(other, workspace, asked)
    assert (workspace.manifest("features") or {})["validation"]["drift"] == {}


@pytest.mark.parametrize(
    ("view", "name", "value", "told"),
    [
        ("engagement", "web_visit_count_7d", -1, "values such as -1, which must be from 0"),
        ("engagement", "weekend_share_30d", 1.25, "must be from 0 to 1"),
        ("engagement", "activity_heat", float("inf"), "values such as inf"),
        ("profile", "annual_revenue", float("nan"), "values such as nan, which must be finite"),
    ],
)
def test_impossible_values_are_refused_wherever_they_stand(
    view: str, name: str, value: float, told: str, tmp_path: Path
) -> None:
    rules = settings(tmp_path)
    own = view_features(rules, view)
    schema = view_schema(view, own)
    row = {field.name: None for field in schema} | {
        "customer_id": "c", "as_of": NOW, "built_at": NOW, f"{view}_row_as_of": 0, name: value
    }  # fmt: skip
    write_parquet(tmp_path / f"{view}.parquet", pa.Table.from_pylist([row], schema=schema))
    manifest = {"as_of": NOW.isoformat(), "services": {}}
    with pytest.raises(FeatureQualityError, match=f"{name}: 1 rows hold .*{told}"):
        check_build(rules, Workspace(tmp_path / "none"), tmp_path, {view: own}, manifest)  # type: ignore[dict-item]  # one view


def test_what_a_source_states_has_no_limits(tmp_path: Path) -> None:
    bounds = {
        feature.name: limits(feature)
        for view in ("profile", "deal")
        for feature in view_features(settings(tmp_path), view)
    }
    assert bounds["annual_revenue"] == bounds["deal_amount"] == (None, None)
    assert bounds["days_in_stage"] == (0.0, None)


def test_the_index_sees_a_rare_count_that_stops_and_forgives_chance() -> None:
    rare = pa.chunked_array([[0] * 900 + [1, 2, 3, 4] * 25], pa.int64())
    assert stability_index(rare, pa.chunked_array([[0] * 1000], pa.int64())) > 0.5
    assert stability_index(rare, rare.slice(0, 950)) < 0.1
    kinds = pa.chunked_array([["a", "b", None, "c"] * 250])
    assert stability_index(kinds, kinds) == 0.0
    assert stability_index(kinds, pa.chunked_array([["a", "b", None, "d"] * 250])) > 1
