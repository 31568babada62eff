"""Feast's own commands in the folder `features/`: what they show is what the product itself registers."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import features
from core.settings import Settings, load_settings
from core.storage import Workspace
from features.build import build_features
from features.catalog import SERVICES, VIEW_NOTES, feature_catalog, row_marker, used_views
from features.store import open_store

AT = datetime(2025, 2, 20, tzinfo=UTC)
FOLDER = Path(features.__file__).parent
FEAST = str(Path(sys.executable).with_name("feast"))
CONFIGURATION = """
timezone: Asia/Tokyo
sources:
  - {name: ma, system: ma, path: x.csv, people: {id: id}}
features: {windows_days: [1, 7, 30]}
models: {lead: {}, churn: {}, revival: {}, lookalike: {}}
"""
Repository = tuple[Settings, Workspace, dict[str, str]]


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory,
    publish_at: Callable[..., Workspace],
    random_world: Callable[[int], Any],
) -> Repository:
    """A workspace with features of all four models, and the environment that Feast's commands need."""
    folder = tmp_path_factory.mktemp("feast")
    configuration = folder / "small.yaml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    settings = load_settings(configuration).model_copy(update={"home": folder / "home"})
    workspace = publish_at(folder / "home", data_until=AT, **random_world(22))
    moments = {"customer_id": pa.array(["c_001"]), "as_of": pa.array([AT], pa.timestamp("us", "UTC"))}
    build_features(settings, workspace, pa.table(moments))
    # The command imports the code beside its folder, wherever another copy of it may be installed.
    own = {"PYTHONPATH": str(FOLDER.parent), "KIZASHI_HOME": str(workspace.home), "KIZASHI_CONFIG": str(configuration)}
    return settings, workspace, {**os.environ, **own}


def feast(environment: dict[str, str], *words: str) -> str:
    ended = subprocess.run([FEAST, *words], cwd=FOLDER, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


def test_plan_tells_what_apply_then_registers(repository: Repository) -> None:
    settings, workspace, environment = repository
    planned = feast(environment, "plan")
    assert open_store(settings, workspace).list_feature_views() == []
    names = [*used_views(settings), *SERVICES, "customer", "record"]
    assert [name for name in names if name not in planned] == []
    feast(environment, "apply")
    store = open_store(settings, workspace)
    assert {service.name for service in store.list_feature_services()} == set(SERVICES)
    # Once registered, nothing is left to be done.
    assert "Created" not in feast(environment, "plan")


def test_everything_registered_explains_itself(repository: Repository) -> None:
    settings, workspace, environment = repository
    feast(environment, "apply")
    store = open_store(settings, workspace)
    known = {feature.name: feature for feature in feature_catalog(settings)}
    for view in store.list_feature_views():
        assert view.description
        if view.name not in VIEW_NOTES:
            continue
        assert view.ttl.days == settings.features.ttl_days
        assert view.tags["kind"] in ("fit", "engagement")
        for field in view.features:
            assert field.description
            if field.name != row_marker(view.name):
                assert field.tags["subject"] == known[field.name].subject
                assert field.tags["label_ja"] == known[field.name].label.ja
    for service in store.list_feature_services():
        assert service.description
        assert len(service.tags["fingerprint"]) == 16


def test_the_user_interface_shows_the_project(repository: Repository) -> None:
    _, _, environment = repository
    feast(environment, "apply")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [FEAST, "ui", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=FOLDER, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as started:
        try:
            projects = json.loads(asked(f"http://127.0.0.1:{port}/projects-list.json", started))
            assert [project["id"] for project in projects["projects"]] == ["kizashi"]
            shown = asked(f"http://127.0.0.1:{port}/api/v1/feature_services?project=kizashi", started)
            assert {service["spec"]["name"] for service in json.loads(shown)["featureServices"]} == set(SERVICES)
        finally:
            started.terminate()


def asked(url: str, server: "subprocess.Popen[str]") -> bytes:
    """What the server answers, once it does; whatever it said instead, if it ended."""
    while server.poll() is None:
        try:
            with urllib.request.urlopen(url) as answer:  # noqa: S310  # an address of our own
                body: bytes = answer.read()
                return body
        except urllib.error.HTTPError:
            raise
        except urllib.error.URLError:
            time.sleep(0.2)
    pytest.fail(f"the server ended: {server.stderr.read()[-2000:] if server.stderr else ''}")
