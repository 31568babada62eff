import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from core.errors import BusyError, MissingStageError
from core.storage import Workspace, connect_duckdb, write_atomically, write_parquet


def test_a_failed_write_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomically(path, b"old")
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")  # type: ignore[arg-type] # the failure is what is tested
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_generation_comes_into_force_as_a_whole(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    manifest = {"rows": 0}
    with workspace.publish("stage", "one", manifest) as folder:
        (folder / "table.txt").write_text("first")
        manifest["rows"] = 1
    assert (workspace.current("stage") / "table.txt").read_text() == "first"
    assert (workspace.manifest("stage") or {})["rows"] == 1


def test_an_interrupted_generation_changes_nothing(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with workspace.publish("stage", "one", {}) as folder:
        (folder / "table.txt").write_text("first")

    def interrupted() -> None:
        with workspace.publish("stage", "one", {}) as folder:
            (folder / "table.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (workspace.current("stage") / "table.txt").read_text() == "first"
    assert not list(tmp_path.glob("stage/.*"))


def test_older_generations_are_removed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for content in ("first", "second", "third"):
        with workspace.publish("stage", "same", {}) as folder:
            (folder / "table.txt").write_text(content)
    assert (workspace.current("stage") / "table.txt").read_text() == "third"
    assert len([path for path in (tmp_path / "stage").iterdir() if path.is_dir()]) == 1


def test_a_stage_that_never_ran_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingStageError, match="kizashi run"):
        Workspace(tmp_path).current("customers")


def test_two_commands_do_not_work_on_one_workspace(tmp_path: Path) -> None:
    with Workspace(tmp_path).lock():
        script = (
            "import sys; from pathlib import Path\n"
            "from core.errors import BusyError; from core.storage import Workspace\n"
            "try:\n    with Workspace(Path(sys.argv[1])).lock(): print('entered')\n"
            "except BusyError: print('busy')\n"
        )
        other = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert other.stdout.strip() == "busy"
    with Workspace(tmp_path).lock():
        pass


def test_a_killed_command_neither_blocks_nor_leaves_anything(tmp_path: Path) -> None:
    killed = (
        "import os, signal, sys; from pathlib import Path\n"
        "from core.storage import Workspace\n"
        "workspace = Workspace(Path(sys.argv[1]))\n"
        "publishing = workspace.publish('scores/lead', 'one', {})\n"
        "with workspace.lock(), workspace.scratch() as scratch, publishing as folder:\n"
        "    (scratch / 'copy.csv').touch(); (folder / 'half.parquet').touch()\n"
        "    workspace.path('runs').mkdir(); workspace.path('runs', f'.unify.json.{os.getpid()}.tmp').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed, str(tmp_path)], check=False).returncode == -9
    assert (tmp_path / ".lock").exists()
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 4
    with Workspace(tmp_path).lock():
        assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [".lock"]
        assert not list((tmp_path / "scores" / "lead").iterdir())


def test_what_others_are_writing_is_left_alone(tmp_path: Path) -> None:
    kept = [tmp_path / "exports" / ".ours.1.tmp", tmp_path / "champions" / "lead" / ".3-abc.77.tmp"]
    for path in kept:
        path.parent.mkdir(parents=True)
        path.touch()
    with Workspace(tmp_path).lock():
        assert all(path.exists() for path in kept)


def test_scratch_vanishes_with_the_block(tmp_path: Path) -> None:
    with Workspace(tmp_path).scratch() as scratch:
        (scratch / "copy.csv").touch()
        assert scratch.is_relative_to(tmp_path)
    assert not scratch.exists()


def test_busy_error_is_not_wrong_use() -> None:
    assert BusyError.exit_code == 1


def test_parquet_times_are_microseconds_in_utc(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_parquet(path, pa.table({"moment": pa.array([0], pa.timestamp("ns", tz="UTC"))}))
    stored = connect_duckdb().execute(f"DESCRIBE SELECT * FROM '{path}'").fetchall()
    assert stored[0][1] == "TIMESTAMP WITH TIME ZONE"
