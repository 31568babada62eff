"""One simulated company, written once for all tests of the simulator."""

from pathlib import Path

import pandas as pd
import pytest

from simulator import SimulationSummary, simulate_company

CUSTOMERS = 700
SEED = 11


class Company:
    """The files of one simulated company, read as text."""

    def __init__(self, directory: Path, summary: SimulationSummary) -> None:
        self.directory = directory
        self.summary = summary
        self._read: dict[str, pd.DataFrame] = {}

    def csv(self, name: str) -> pd.DataFrame:
        """An export file with all cells as text, empty cells as empty text."""
        if name not in self._read:
            encoding = "cp932" if name == "shop/pos.csv" else "utf-8-sig"
            self._read[name] = pd.read_csv(self.directory / name, dtype=str, keep_default_na=False, encoding=encoding)
        return self._read[name].copy()

    def truth(self, name: str) -> pd.DataFrame:
        """A table of the truth."""
        return pd.read_parquet(self.directory / "truth" / f"{name}.parquet")


@pytest.fixture(scope="session")
def company(tmp_path_factory: pytest.TempPathFactory) -> Company:
    directory = tmp_path_factory.mktemp("simulated") / "exports"
    return Company(directory, simulate_company(directory, customers=CUSTOMERS, seed=SEED))
