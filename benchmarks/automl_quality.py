"""LeadScorer beside AutoML on open lead and customer data, on the same splits in one run: AUC and log-loss.

The peer lives in an environment of its own, made by uv beside the figures; it belongs to no dependency of ours.
Where it cannot be installed, or the data sets are not there, that is said and nothing is measured. No split is used to
choose anything about the estimator.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from sklearn.metrics import log_loss, roc_auc_score

from training import LeadScorer

OURS_SECONDS = 30
# What each peer is installed from, and its seconds.
PEERS: dict[str, tuple[tuple[str, ...], int]] = {
    "flaml": (("flaml[automl]", "pandas<3", "pyarrow"), 120),
    "autogluon": (("autogluon.tabular[lightgbm,catboost,xgboost]", "pyarrow"), 300),
}


@dataclass(frozen=True)
class Figure:
    """One player on one split."""

    data: str
    split: int
    player: str
    auc: float
    logloss: float
    seconds: float


def telco(data: Path) -> pd.DataFrame:
    table = pd.read_csv(next((data / "ibm_telco_churn").glob("*.csv")))
    table["y"] = (table.pop("Churn") == "Yes").astype(int)
    table["TotalCharges"] = pd.to_numeric(table["TotalCharges"], errors="coerce")
    return table.drop(columns="customerID")


def x_education(data: Path) -> pd.DataFrame:
    """Without the columns that are filled in after contact, as the leakage gate leaves them out."""
    table = pd.read_csv(next((data / "x_education_leads").glob("*.csv"))).sort_values("Lead Number")
    leaks = ["Tags", "Lead Quality", "Lead Profile", "Last Activity", "Last Notable Activity"]
    leaks += [name for name in table.columns if "Asymmetrique" in name]
    table = table.rename(columns={"Converted": "y"}).drop(columns=[*leaks, "Prospect ID", "Lead Number"])
    return table.dropna(axis=1, how="all")


def hillstrom(data: Path) -> pd.DataFrame:
    return pd.read_csv(data / "hillstrom" / "hillstrom.csv").rename(columns={"visit": "y"}).drop(
        columns=["conversion", "spend"]
    )  # fmt: skip


DATA: dict[str, Callable[[Path], pd.DataFrame]] = {
    "telco": telco,
    "x_education": x_education,
    "hillstrom": hillstrom,
}


def run(out: Path, splits: int = 3, peers: tuple[str, ...] = ("flaml",), only: tuple[str, ...] = ()) -> list[Figure]:
    """Measure, print a line a player and split, then the means and whether the bars hold."""
    console = Console(width=120)
    data = Path(os.environ.get("KIZASHI_REAL_DATA", "../shared/data"))
    if not data.is_dir():
        console.print(f"AutoML: left out, {data} holds no data sets (KIZASHI_REAL_DATA names their folder).")
        return []
    pythons = {peer: _environment(out / "peers" / peer, PEERS[peer][0], console) for peer in peers}
    figures: list[Figure] = []
    for name in only or DATA:
        table = DATA[name](data)
        for split in range(splits):
            order = np.random.default_rng(split).permutation(len(table))
            cut = int(0.7 * len(table))
            train, test = (table.iloc[rows].reset_index(drop=True) for rows in (order[:cut], order[cut:]))
            players: dict[str, Callable[[], np.ndarray]] = {"ours": lambda train=train, test=test: _ours(train, test)}
            for peer, python in pythons.items():
                if python is not None:
                    players[peer] = lambda train=train, test=test, peer=peer, python=python: _peer(
                        peer, python, train, test, out / "automl"
                    )
            for player, play in players.items():
                began = time.perf_counter()
                chance = np.clip(play(), 1e-6, 1 - 1e-6)
                seconds = round(time.perf_counter() - began, 1)
                figure = Figure(
                    name, split, player, roc_auc_score(test.y, chance), log_loss(test.y, chance), seconds
                )  # fmt: skip
                figures.append(figure)
                console.print(json.dumps(asdict(figure)), highlight=False, soft_wrap=True)
    console.print(_table(figures))
    out.mkdir(parents=True, exist_ok=True)
    (out / "automl_quality.json").write_text(json.dumps([asdict(figure) for figure in figures], indent=2))
    return figures


def _ours(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    scorer = LeadScorer(time_budget=OURS_SECONDS, random_state=0).fit(train.drop(columns="y"), train.y)
    return scorer.predict_proba(test.drop(columns="y"))[:, 1]


def _peer(peer: str, python: Path, train: pd.DataFrame, test: pd.DataFrame, folder: Path) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    train.to_parquet(folder / "train.parquet")
    test.to_parquet(folder / "test.parquet")
    script = Path(__file__).with_name("automl_peer.py")
    subprocess.run([python, script, peer, folder, str(PEERS[peer][1])], check=True, capture_output=True)
    return np.load(folder / "chance.npy")


def _environment(folder: Path, packages: tuple[str, ...], console: Console) -> Path | None:
    """The peer's interpreter, installed when it is first asked for; None where that cannot be done."""
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python.absolute()
    try:
        subprocess.run(["uv", "venv", "--quiet", "--clear", folder], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *packages], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        console.print(f"AutoML: {packages[0]} is absent and could not be installed ({error}); ours alone is shown.")
        return None
    (folder / "ready").touch()
    return python.absolute()


def _table(figures: list[Figure]) -> Table:
    table = Table(title="LeadScorer beside AutoML, means over the splits", title_justify="left")
    for name in ("data", "player", "auc", "logloss", "seconds", "auc - ours", "logloss / ours"):
        table.add_column(name, justify="right" if name not in ("data", "player") else "left")
    frame = pd.DataFrame([asdict(figure) for figure in figures])
    means = frame.groupby(["data", "player"], sort=False)[["auc", "logloss", "seconds"]].mean()
    for (data, player), row in means.iterrows():
        ours = means.loc[(data, "ours")]
        table.add_row(
            data,
            player,
            f"{row.auc:.4f}",
            f"{row.logloss:.4f}",
            f"{row.seconds:.0f}",
            f"{row.auc - ours.auc:+.4f}",
            f"{row.logloss / ours.logloss:.4f}",
        )
    return table


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/bench"))
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--peers", nargs="*", default=["flaml"], choices=list(PEERS))
    parser.add_argument("--only", nargs="*", default=[], choices=list(DATA))
    given = parser.parse_args()
    run(given.out, given.splits, tuple(given.peers), tuple(given.only))
