"""The notebook front door on a small made-up company, and the notebooks themselves, executed."""

import ast
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

import kizashi as kz
import training.canvas
from core.clock import SystemClock
from core.errors import BusyError, ConfigurationError, EvidenceError, MissingStageError, NotFoundError
from kizashi.notebook import OpenWorkspace
from notebooks.execute import FOLDER, executed
from serving.directory import Reference
from serving.runtime import Runtime
from tests.kizashi.conftest import Ran

NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
JAPANESE = re.compile(r"[぀-ヿ一-鿿]")


@pytest.fixture(scope="module")
def config(copy_of: Callable[..., Ran], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of a finished run, in a folder `conf`."""
    ran = copy_of(tmp_path_factory.mktemp("company"))
    path = ran.config.parent / "conf" / "small.yaml"
    path.parent.mkdir()
    return ran.config.rename(path)


@pytest.fixture(scope="module")
def ws(config: Path) -> OpenWorkspace:
    return kz.open(config)


def test_the_import_is_light() -> None:
    code = (
        "import kizashi, sys; print(sorted({'pandas', 'feast', 'lightgbm', 'matplotlib', 'duckdb'} & set(sys.modules)))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout == "[]\n"


def test_a_workspace_without_a_run_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIZASHI_HOME", str(tmp_path / "nothing"))
    with pytest.raises(MissingStageError, match="run `make demo` first"):
        kz.open("conf/demo.yaml")
    with pytest.raises(ConfigurationError, match="does not exist"):
        kz.open("conf/dema.yaml")


def test_notebooks_in_a_folder_below_find_configuration_and_workspace(
    ws: OpenWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "conf" / "mine.yaml").write_text(f"extends: {Path('conf/demo.yaml').resolve()}\nname: mine\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine").symlink_to(ws.settings.home)
    monkeypatch.chdir(tmp_path / "notebooks")
    assert len(kz.open("conf/mine.yaml").deals()) == len(ws.deals()) > 100


def test_it_introduces_itself(ws: OpenWorkspace) -> None:
    assert f"{len(ws.customers(['customer_id'])):,} people" in repr(ws)
    assert str(ws.settings.home) not in repr(ws)
    champion = ws.model("lead")
    parts = r"\d+ trees and \d+ curves over \d+ columns"
    assert re.fullmatch(rf"version 1 of the lead model: {parts} of lead_v1, .*", repr(champion))
    assert ws.model("lead", 1).bundle.content == ws.model("lead", "champion").bundle.content
    for nothing in ("challenger", "7"):
        with pytest.raises(NotFoundError, match=f"no version '{nothing}'"):
            ws.model("lead", nothing)
    with pytest.raises(ConfigurationError, match="'leads' is not configured"):
        ws.training_set("leads")


def test_scores_are_the_published_ones_and_those_of_a_lookup(ws: OpenWorkspace) -> None:
    scores = ws.score("lead")
    published = ws.sql("SELECT * FROM scores_lead ORDER BY probability DESC, customer_id")
    same = ["customer_id", "probability", "score", "grade", "hot", "reason_1", "reason_5", "model_version"]
    pd.testing.assert_frame_equal(scores[same], published[same])
    refused = ws.customers(["customer_id"], where={"consent_profiling": False}, limit=1)["customer_id"]
    anonymous = ws.customers(["customer_id"], where={"kind": "anonymous"}, limit=1)["customer_id"]
    record = ws.table(
        "identities", where={"customer_id": scores["customer_id"][3], "system": "marketo", "ended_at": None}
    )
    asked = [
        *(Reference("kizashi", customer) for customer in scores["customer_id"][:5]),
        Reference("marketo", record["source_id"].iloc[0]),
        *(Reference("kizashi", customer) for customer in [*refused, *anonymous]),
        Reference("marketo", "nobody"),
    ]
    runtime = Runtime.open(ws.settings, ws.workspace, SystemClock())
    try:
        looked_up = pd.DataFrame(runtime.lookup.answer("lead", asked, "ja"))
    finally:
        runtime.close()
    told = ws.score("lead", [f"{system}:{number}" for system, number in asked])
    assert list(told["status"]) == ["ok"] * 6 + ["excluded", "insufficient", "unknown"]
    pd.testing.assert_frame_equal(told.drop(columns="scored_at"), looked_up[told.columns].drop(columns="scored_at"))
    plain = ws.score("lead", scores["customer_id"][0])
    assert plain["probability"].item() == scores["probability"][0]


def test_explanations_give_the_same_probability(ws: OpenWorkspace) -> None:
    scores = ws.score("lead")
    for row in scores.iloc[[0, len(scores) // 2, -1]].itertuples():
        explanation = ws.explain("lead", row.customer_id)
        assert (explanation.probability, explanation.score) == (row.probability, row.score)
        assert explanation.reasons[0] == row.reason_1
    assert not JAPANESE.search(ws.explain("lead", scores["customer_id"][0], "en").contributions[0][0])
    with pytest.raises(NotFoundError, match="nobody is known as 'c_nobody'"):
        ws.explain("lead", "c_nobody")
    with pytest.raises(ConfigurationError, match="the language 'fr'"):
        ws.explain("lead", scores["customer_id"][0], "fr")  # type: ignore[arg-type]  # wrong on purpose


def test_a_record_finds_its_person(ws: OpenWorkspace) -> None:
    person = next(row for row in ws.customers().itertuples() if isinstance(row.email, str) and row.records > 1)
    found = ws.find({"email": person.email.upper()})
    assert list(found.columns) == ["customer_id", "rule", "probability", "joins"]
    assert found.iloc[0].to_dict() == {
        "customer_id": person.customer_id, "rule": "email", "probability": 1.0, "joins": True,
    }  # fmt: skip
    assert ws.find({"email": "nobody@example.org"}).empty


def test_features_are_those_that_were_scored(ws: OpenWorkspace) -> None:
    scores, rows, bundle = ws.score("lead"), ws.features("lead"), ws.model("lead").bundle
    assert list(rows["customer_id"]) == list(scores["customer_id"])
    np.testing.assert_array_equal(bundle.predict_probability(bundle.encode(rows)), scores["probability"])
    assert len(ws.features("lead", [scores["customer_id"][0]])) == 1


def test_the_training_set_is_what_the_model_was_trained_on(ws: OpenWorkspace) -> None:
    data = ws.training_set("lead")
    recorded = json.loads(ws.workspace.path("runs", "train-lead.json").read_text())["result"]
    assert data.fingerprint == recorded["data"]
    earlier, later = data.split()
    for part, name in ((earlier, "development"), (later, "test")):
        assert (len(part), part.y.sum()) == (recorded["parts"][name]["rows"], recorded["parts"][name]["positives"])
    assert earlier.time.max() + np.timedelta64(data.gap) <= later.time.min()
    assert len(data.X) == len(data.y) == len(data.spine) == recorded["rows"]
    assert list(data.X.columns) == list(data.catalog()["name"])
    assert set(data.X.dtypes.astype(str)) == {"int64", "float64", "category"}
    assert ws.training_set("lead", version="champion").fingerprint == recorded["data"]
    data.X.iloc[:, -1] = None
    assert ws.training_set("lead").fingerprint == recorded["data"], "what one reader changes is another's"


def test_a_model_is_never_judged_on_what_it_learned_from(ws: OpenWorkspace) -> None:
    data, bundle = ws.training_set("lead"), ws.model("lead").bundle
    assert len(data.unseen_by(bundle)) == len(data.split()[1])
    newest = pd.Timestamp(data.time.max(), tz="UTC").isoformat()
    with pytest.raises(EvidenceError, match="was developed on rows up to"):
        data.unseen_by(dataclasses.replace(bundle, trained_until=newest))


def test_training_waits_for_nobody(ws: OpenWorkspace) -> None:
    with ws.workspace.lock(), pytest.raises(BusyError):
        ws.train("lead")


@pytest.fixture
def plots(ws: OpenWorkspace) -> dict[str, Callable[[], Figure]]:
    best = ws.score("lead")["customer_id"][0]
    return {
        "scores": lambda: ws.plot_scores("lead"),
        "importance": lambda: ws.plot_importance("lead"),
        "explanation": lambda: ws.plot_explanation("lead", best),
        "timeline": lambda: ws.plot_timeline(best),
        "gains": lambda: ws.plot_gains("lead"),
        "reliability": lambda: ws.plot_reliability("lead"),
    }


@pytest.mark.parametrize("name", ["scores", "importance", "explanation", "timeline", "gains", "reliability"])
def test_figures_are_drawn_with_letters_that_exist(
    plots: dict[str, Callable[[], Figure]], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A missing glyph is a warning, and so an error here.
    figure = plots[name]()
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert sum(len(axes.lines) + len(axes.patches) + len(axes.collections) for axes in figure.axes) >= 3
    monkeypatch.setattr(training.canvas, "japanese_font", lambda: None)
    plain = plots[name]()
    assert plain._repr_png_() != b""
    assert [text.get_text() for text in plain.findobj(Text) if JAPANESE.search(text.get_text())] == []


def run_cells(folder: Path, *sources: str) -> list[nbformat.NotebookNode]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, allow_errors=True).execute()
    return [cell.outputs for cell in notebook.cells]


def test_progress_and_errors_look_right_in_a_kernel(tmp_path: Path) -> None:
    progress, fault = run_cells(
        tmp_path,
        "from kizashi.notebook_progress import surrounding_progress\n"
        "with surrounding_progress('ja').task('train lead', 3) as advance:\n    advance(2)",
        "import kizashi as kz\nkz.open('conf/nothing.yaml')",
    )
    assert [output["data"]["text/plain"] for output in progress] == ["✓ 受注の見込みを学習"]
    (shown,) = (output["traceback"] for output in fault if output["output_type"] == "error")
    assert len(shown) == 1
    assert shown[0].startswith("ConfigurationError: the configuration conf/nothing.yaml does not exist")


def test_the_notebooks_run(ws: OpenWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them in one kernel that forgets in between: importing the libraries takes longer than the cells."""
    monkeypatch.setenv("KIZASHI_HOME", str(ws.settings.home))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    read = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
    together = nbformat.v4.new_notebook()
    for notebook in read.values():
        together.cells += [*notebook.cells, nbformat.v4.new_code_cell("%reset -f")]
    for number, cell in enumerate(together.cells):
        cell.id = f"cell-{number:03d}"
    try:
        done = iter(executed(together, FOLDER).cells)
    except CellExecutionError as error:
        pytest.fail(str(error))
    for name, notebook in read.items():
        cells = [next(done) for _ in notebook.cells]
        assert sum(bool(cell.outputs) for cell in cells if cell.cell_type == "code") >= 5, name
        next(done)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_is_clean(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "execute it from its first cell on"
    shown = [output for cell in code for output in cell.outputs]
    assert [output for output in shown if output.output_type == "error" or output.get("name") == "stderr"] == []
    assert [cell.id for cell in notebook.cells] == [f"cell-{n:02d}" for n in range(1, len(notebook.cells) + 1)]
    text = json.dumps([{**output.get("data", {}), "image/png": "", "text": output.get("text")} for output in shown])
    for private in (str(Path.home()), str(Path.cwd()), "/tmp/", "/home/", "0x7f"):  # noqa: S108 - looked for
        assert private not in text, f"{private} stands in an output"
    ours = {"core", "customers", "features", "scoring", "serving", "activation", "simulator"}
    for node in ast.walk(ast.parse("\n".join(cell.source for cell in code))):
        if isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] not in ours | {"kizashi"}
            assert node.module != "training" or [name.name for name in node.names] == ["LeadScorer"]
        if isinstance(node, ast.Import):
            assert not {name.name.split(".")[0] for name in node.names} & (ours | {"training"})


def test_the_notebooks_are_small() -> None:
    assert len(NOTEBOOKS) == 4
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 1_500_000
