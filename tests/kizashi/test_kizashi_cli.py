import subprocess
import sys

import pytest

from kizashi.cli import app
from kizashi.launch import run_guarded
from kizashi.texts import TEXTS


def test_help_imports_no_heavy_library() -> None:
    script = (
        "import sys; from kizashi.cli import app; from kizashi.launch import run_guarded\n"
        "run_guarded(app, ['--help'])\n"
        "names = {'feast', 'mlflow', 'lightgbm', 'duckdb', 'pandas', 'sklearn', 'numpy', 'bentoml'}\n"
        "heavy = names & set(sys.modules)\n"
        "sys.exit(f'imported {sorted(heavy)}' if heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "demo" in finished.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["simulate"], ["run", "--wrong"], ["explain", "lead"]])
def test_wrong_use_has_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(app, arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_guarded(app, ["--version"]) == 0
    assert capsys.readouterr().out.startswith("kizashi ")


def test_every_text_takes_the_same_values_in_both_languages() -> None:
    import string

    for key, label in TEXTS.items():
        names = [
            {name for _, name, _, _ in string.Formatter().parse(sentence) if name} for sentence in (label.ja, label.en)
        ]
        assert names[0] == names[1], key
        assert label.ja
        assert label.en
