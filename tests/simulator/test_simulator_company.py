"""The job as a whole: reproducible, whole or absent, polite to foreign files, fast to import."""

import hashlib
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest

from simulator import OccupiedDirectoryError, simulate_company


def fingerprints(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    simulate_company(tmp_path / "one", customers=120, months=8, seed=3)
    arguments = [sys.executable, "-m", "simulator", str(tmp_path / "two"), "--customers", "120", "--months", "8"]
    subprocess.run([*arguments, "--seed", "3"], check=True, capture_output=True, cwd=Path(__file__).parents[2])
    first = fingerprints(tmp_path / "one")
    assert len(first) == 24
    assert first == fingerprints(tmp_path / "two")


def test_another_seed_gives_another_company(tmp_path: Path) -> None:
    simulate_company(tmp_path / "one", customers=60, months=6, seed=3)
    simulate_company(tmp_path / "two", customers=60, months=6, seed=4)
    one, two = fingerprints(tmp_path / "one"), fingerprints(tmp_path / "two")
    assert one["marketo/leads.csv"] != two["marketo/leads.csv"]
    assert one["truth/oracle.parquet"] != two["truth/oracle.parquet"]


@pytest.mark.parametrize(
    ("customers", "months", "locale", "until"),
    [(20, 6, "en", date(2024, 2, 29)), (25, 7, "ja", date(2026, 5, 17)), (40, 30, "en", date(2026, 9, 30))],
)
def test_small_and_odd_histories_are_whole(
    tmp_path: Path, customers: int, months: int, locale: Literal["ja", "en"], until: date
) -> None:
    summary = simulate_company(tmp_path / "c", customers=customers, months=months, seed=2, locale=locale, until=until)
    assert summary.people == customers
    people = pd.read_parquet(tmp_path / "c" / "truth" / "people.parquet")
    assert people["is_known"].sum() == customers
    activities = pd.read_csv(tmp_path / "c" / "marketo" / "activities.csv")
    last = pd.to_datetime(activities["activityDate"]).dt.tz_convert("Asia/Tokyo").max()
    assert last.date() <= until
    assert last.date() >= date(until.year, until.month, 1)


def test_english_companies_have_no_japanese_in_leads(tmp_path: Path) -> None:
    simulate_company(tmp_path / "c", customers=40, months=6, seed=2, locale="en")
    leads = pd.read_csv(tmp_path / "c" / "marketo" / "leads.csv", dtype=str)
    text = "".join(leads[["lastName", "company", "title", "industry", "state"]].fillna("").to_numpy().ravel())
    assert not any("\u3040" <= letter <= "\u9fff" for letter in text)


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(OccupiedDirectoryError, match="already holds other files"):
        simulate_company(tmp_path, customers=40, months=6)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_earlier_simulation_is_replaced(tmp_path: Path) -> None:
    simulate_company(tmp_path / "c", customers=40, months=6, seed=1)
    (tmp_path / "c" / "stray.csv").write_text("x")
    simulate_company(tmp_path / "c", customers=40, months=6, seed=2)
    assert not (tmp_path / "c" / "stray.csv").exists()


def test_an_interrupted_run_leaves_the_earlier_files_untouched(tmp_path: Path) -> None:
    simulate_company(tmp_path / "c", customers=40, months=6, seed=1)
    before = fingerprints(tmp_path / "c")

    def interrupt(step: str, share: float) -> None:
        if step == "salesforce":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_company(tmp_path / "c", customers=40, months=6, seed=2, progress=interrupt)
    assert fingerprints(tmp_path / "c") == before
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


@pytest.mark.parametrize(
    ("customers", "months", "message"), [(3, 24, "customers is 3"), (50, 2, "months is 2"), (50, 999, "months is 999")]
)
def test_numbers_out_of_range_are_refused_before_anything_is_written(
    tmp_path: Path, customers: int, months: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        simulate_company(tmp_path / "c", customers=customers, months=months)
    assert not list(tmp_path.iterdir())


def test_progress_only_grows(tmp_path: Path) -> None:
    told: list[float] = []
    simulate_company(tmp_path / "c", customers=40, months=6, progress=lambda step, share: told.append(share))
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = "import sys, simulator; print([name for name in ('numpy', 'pandas', 'pyarrow') if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout.strip() == "[]"
