"""A notebook gives the answers that the product gives elsewhere, to the last digit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import kizashi as kz
from core.settings import load_settings
from core.storage import Workspace
from scoring.explain import explain_customer
from scoring.flat_answer import empty_answer
from simulator import simulate_company

ROOT = Path(__file__).parents[2]
if not hasattr(kz, "open"):
    pytest.skip("this version has no notebook front door (`kizashi.open`)", allow_module_level=True)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a small company that was run once."""
    folder = tmp_path_factory.mktemp("notebook")
    simulate_company(folder / "home" / "exports", customers=800, months=24, seed=5)
    path = folder / "company.yaml"
    path.write_text(f"extends: {ROOT / 'conf' / 'demo.yaml'}\nhome: {folder / 'home'}\n", encoding="utf-8")
    command = [str(Path(sys.executable).with_name("kizashi")), "run", "--json", "--config", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["models"]["lead"]["promotion"] == "promoted"
    return path


def listed(config: Path) -> list[dict[str, Any]]:
    """Two hundred people of the published list."""
    home = load_settings(config).home
    rows: list[dict[str, Any]] = pq.read_table(Workspace(home).current("scores/lead") / "scores.parquet").to_pylist()
    return rows[:: len(rows) // 200][:200]


def test_a_notebook_scores_as_published(config: Path) -> None:
    rows = listed(config)
    ids = [row["customer_id"] for row in rows]
    frame = kz.open(config).score("lead", ids=ids)
    assert list(frame["customer_id"]) == ids
    columns = list(empty_answer("ok", "lead", "", rows[0]["as_of"], "-"))
    assert set(frame.columns) >= set(columns)
    for name in set(columns) - {"system", "id", "scored_at", "features_as_of"}:
        assert list(frame[name]) == [row[name] for row in rows], name


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_notebook_explains_as_the_product_does(config: Path, language: Any) -> None:
    settings = load_settings(config)
    opened = kz.open(config)
    for row in listed(config)[::20]:
        told = explain_customer(settings, Workspace(settings.home), "lead", row["customer_id"], language)
        assert opened.explain("lead", row["customer_id"], language) == told
        assert told.probability == row["probability"]
