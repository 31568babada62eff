"""`bentoml serve` and a built Bento as processes of their own, as an operator starts them."""

import ast
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).parents[2]
BENTOML = [sys.executable, "-W", "ignore", "-m", "bentoml"]


def environment(served: Any, bentos: Path) -> dict[str, str]:
    """Nothing of this process but what a clean machine has, and the two variables that name the company."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "BENTOML_DO_NOT_TRACK": "true",
        "BENTOML_HOME": str(bentos),
        "KIZASHI_CONFIG": str(served.config),
        "KIZASHI_HOME": str(served.workspace.home),
    }


@contextmanager
def serving(target: str, folder: Path, variables: Mapping[str, str]) -> Iterator[str]:
    """A running server; its address."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = int(taken.getsockname()[1])
    command = [*BENTOML, "serve", target, "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=dict(variables), stdout=log, stderr=log)
        try:
            wait_until_ready(f"http://127.0.0.1:{port}/readyz", process, folder / "serve.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError(log.read_text(encoding="utf-8"))


def test_a_built_bento_answers_in_a_clean_process(served: Any, tmp_path: Path) -> None:
    variables = environment(served, tmp_path / "bentos")
    built = subprocess.run(
        [*BENTOML, "build", "-f", "bentofile.yaml", "-o", "tag", "."],
        cwd=ROOT, env=variables, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    tag = re.search(r"__tag__:(\S+)", built.stdout)
    assert tag
    source = tmp_path / "bentos" / "bentos" / tag[1].replace(":", "/") / "src"
    assert (source / "serving" / "templates" / "hot_leads.html").exists()
    assert not [path for path in source.rglob("*") if path.suffix in (".parquet", ".db", ".txt")]
    best = served.scores[0]
    with serving(tag[1], tmp_path, variables) as address:
        headers = {"Authorization": f"Bearer {served.keys['score']}"}
        path = f"{address}/v1/score/lead/marketo/{served.record_of(best['customer_id'])}"
        answer = httpx.get(path, headers=headers).json()
        same = ("status", "score", "probability", "grade", "reason_1", "model_version")
        assert {key: answer[key] for key in same} == {key: best[key] for key in same}
        assert httpx.get(path).status_code == 401
        too_large = httpx.post(f"{address}/v1/score", content=b"x" * 10_000_000, headers=headers)
        wrong_method = httpx.put(f"{address}/v1/score", headers=headers)
        not_there = httpx.get(f"{address}/nothing")
        assert [reply.status_code for reply in (too_large, wrong_method, not_there)] == [413, 405, 404]
        for reply in (too_large, wrong_method, not_there):
            assert reply.headers["content-type"] == "application/problem+json"
        assert "kizashi_http_requests_total" in httpx.get(f"{address}/metrics").text
        assert "ログイン" in httpx.get(f"{address}/").text
    log = (tmp_path / "serve.log").read_text(encoding="utf-8")
    assert served.record_of(best["customer_id"]) not in log.split()


def test_a_champion_of_other_features_ends_the_start_in_one_sentence(served: Any, tmp_path: Path) -> None:
    variables = {**environment(served, tmp_path / "bentos"), "KIZASHI_FEATURES__WINDOWS_DAYS": "[7, 60]"}
    started = subprocess.run(
        [*BENTOML, "serve", "serving.service:Kizashi", "--host", "127.0.0.1", "--port", "0"],
        cwd=ROOT, env=variables, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert started.returncode == 1
    said = [line for line in started.stderr.splitlines() if "lead model" in line]
    assert len(said) == 1
    assert "train the model again" in said[0]
    assert "Traceback" not in started.stderr + started.stdout


def test_the_bento_asks_for_nothing_that_the_project_does_not() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = [package for extra in project["optional-dependencies"].values() for package in extra]
    assert set(bentofile()["python"]["packages"]) <= {*project["dependencies"], *optional}


def test_the_bento_asks_for_all_that_its_code_imports() -> None:
    asked = {re.split(r"[\[<>=]", package)[0] for package in bentofile()["python"]["packages"]}
    owners = packages_distributions()
    shipped = [path for pattern in bentofile()["include"] if pattern.endswith(".py") for path in ROOT.glob(pattern)]
    own = {path.relative_to(ROOT).parts[0] for path in shipped}
    foreign = {name for path in shipped for name in imported(path)} - own - sys.stdlib_module_names
    assert len(foreign) > 10
    # Starlette is the part of FastAPI that it builds on; BentoML and FastAPI both bring it.
    assert {name for name in foreign if not asked & {owner.lower().replace("_", "-") for owner in owners[name]}} <= {
        "starlette"
    }


def bentofile() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "bentofile.yaml").read_text(encoding="utf-8"))
    return content


def imported(path: Path) -> set[str]:
    """The top-level names of all modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names
