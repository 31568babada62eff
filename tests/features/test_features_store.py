"""The Feast repository: applied by our own code and by Feast's command, retrieved by service name."""

import os
import runpy
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from feast.repo_operations import get_repo_files

import features
from core.errors import ConfigurationError, ContractError, MissingStageError
from core.settings import load_settings
from features.build import build_features
from features.catalog import VIEWS, row_marker, service_schema
from features.materialise import materialise_online
from features.retrieval import historical_features, online_features
from features.store import apply_definitions, open_store

AT = datetime(2025, 2, 20, tzinfo=UTC)
PEOPLE = [f"c_{n:03d}" for n in range(25)]
ASKED = [(customer, AT - timedelta(days=back)) for customer in PEOPLE for back in (0, 10, 20)]
FOLDER = Path(features.__file__).parent


@pytest.fixture
def built(feature_settings, publish_tables, random_world, moments_table):
    """A workspace with features built for ASKED and applied."""
    workspace = publish_tables(data_until=AT, **random_world(21))
    build_features(feature_settings, workspace, moments_table(ASKED))
    apply_definitions(feature_settings, workspace)
    return workspace


def people_views(store):
    """The views about people by name."""
    return {view.name: view for view in store.list_feature_views() if view.entities == ["customer"]}


def test_history_is_what_was_built_in_the_order_asked(built, feature_settings, view_rows, moments_table, monkeypatch):
    monkeypatch.setattr("features.retrieval.PART_MOMENTS", 20)
    asked = moments_table([*ASKED[::-1], ASKED[4]])
    served = historical_features(feature_settings, built, "lead_v1", asked)
    schema = service_schema(feature_settings, "lead_v1")
    assert served.column_names == ["customer_id", "as_of", *schema.names]
    assert served.select(["customer_id", "as_of"]).equals(asked)
    expected = {}
    for view in VIEWS:
        for row in view_rows(built, view).to_pylist():
            expected.setdefault((row["customer_id"], row["as_of"]), {}).update(row)
    for row in served.to_pylist():
        own = expected[row["customer_id"], row["as_of"]]
        assert row == {name: own[name] for name in row}


def test_no_moments_give_no_rows(built, feature_settings, moments_table):
    served = historical_features(feature_settings, built, "lead_v1", moments_table([]))
    assert served.num_rows == 0
    assert served.schema.field("events_count_7d").type == pa.int64()


def test_a_moment_without_its_own_row_is_refused(built, feature_settings, moments_table):
    stale = moments_table([ASKED[0], (PEOPLE[1], AT + timedelta(days=1))])
    with pytest.raises(ContractError, match="1 of 2 moments have no profile row of their own"):
        historical_features(feature_settings, built, "lead_v1", stale)
    with pytest.raises(ContractError, match="have no profile row"):
        historical_features(feature_settings, built, "lead_v1", moments_table([("c_stranger", AT)]))


def test_a_new_build_must_be_applied(built, feature_settings, moments_table):
    build_features(feature_settings, built, moments_table(ASKED))
    with pytest.raises(MissingStageError, match="belong to another build"):
        historical_features(feature_settings, built, "lead_v1", moments_table(ASKED))
    apply_definitions(feature_settings, built)
    assert historical_features(feature_settings, built, "lead_v1", moments_table(ASKED)).num_rows == len(ASKED)


def test_another_configuration_is_refused(built, feature_settings, moments_table):
    other = feature_settings.model_copy(
        update={"features": feature_settings.features.model_copy(update={"windows_days": (1, 7)})}
    )
    with pytest.raises(ContractError, match=r"registered without .* too many"):
        historical_features(other, built, "lead_v1", moments_table(ASKED))
    with pytest.raises(ContractError, match="registered without"):
        online_features(other, built, "lead_v1", PEOPLE)
    with pytest.raises(ContractError, match="no feature service"):
        historical_features(feature_settings, built, "lead_v9", moments_table(ASKED))


def test_views_that_are_gone_leave_the_registry(built, feature_settings, moments_table):
    source = feature_settings.sources[0]
    plain = source.model_copy(update={"people": source.people.model_copy(update={"custom": {}})})
    fewer = feature_settings.model_copy(update={"sources": (plain,)})
    build_features(fewer, built, moments_table(ASKED))
    store = apply_definitions(fewer, built)
    assert people_views(store).keys() == set(VIEWS) - {"custom"}
    assert historical_features(fewer, built, "lead_v1", moments_table(ASKED)).num_rows == len(ASKED)


def test_registered_time_to_live_entities_and_markers(built, feature_settings):
    store = open_store(feature_settings, built)
    assert {"customer", "account"} <= {entity.name for entity in store.list_entities()}
    for view in people_views(store).values():
        assert view.ttl == timedelta(days=400)
        assert row_marker(view.name) in {field.name for field in view.features}


def test_only_the_definitions_are_imported_by_feast():
    assert [file.name for file in get_repo_files(FOLDER)] == ["definitions.py"]


CONFIGURATION = """
sources:
  - {name: ma, system: ma, path: x.csv, people: {id: id}}
features: {windows_days: [1, 7, 30]}
models: {lead: {}, churn: {}}
"""


def specifications(store):
    """What is registered of each view, without the times of registration."""
    found = {view.name: view.to_proto().spec for view in store.list_feature_views()}
    for specification in found.values():
        specification.batch_source.ClearField("meta")
        specification.stream_source.ClearField("meta")
        specification.stream_source.batch_source.ClearField("meta")
    return found


def test_feasts_own_command_applies_the_same_definitions(tmp_path, publish_tables, random_world, moments_table):
    configuration = tmp_path / "small.yaml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    settings = load_settings(configuration).model_copy(update={"home": tmp_path / "home"})
    workspace = publish_tables(data_until=AT, **random_world(22))
    build_features(settings, workspace, moments_table(ASKED))
    # The command imports the code beside its folder, wherever another copy of it may be installed.
    environment = {
        **os.environ,
        "PYTHONPATH": str(FOLDER.parent),
        "KIZASHI_HOME": str(workspace.home),
        "KIZASHI_CONFIG": str(configuration),
    }
    command = [str(Path(sys.executable).with_name("feast")), "apply"]
    ended = subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    by_command = historical_features(settings, workspace, "lead_v1", moments_table(ASKED))
    registered = specifications(open_store(settings, workspace))
    assert set(VIEWS) - {"custom"} <= registered.keys()
    assert registered == specifications(apply_definitions(settings, workspace))
    assert by_command.equals(historical_features(settings, workspace, "lead_v1", moments_table(ASKED)))
    # What the command registered can be brought online.
    assert materialise_online(settings, workspace, AT).customers == len(PEOPLE)


def test_the_definitions_say_what_they_need(monkeypatch):
    monkeypatch.delenv("KIZASHI_CONFIG", raising=False)
    with pytest.raises(ConfigurationError, match="KIZASHI_CONFIG is not set"):
        runpy.run_path(str(FOLDER / "definitions.py"))
