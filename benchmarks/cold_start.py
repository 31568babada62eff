"""Forty won and forty lost leads: the estimator beside the base rate and beside counting of field values.

From a simulated company's training set as many leads of each outcome are drawn as a beginner may have, one row a
person, and as many won as lost rows of other people to judge on. All sides learn from the same eighty rows.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import log_loss

from core.clock import SystemClock
from core.model_settings import ModelsSettings
from core.progress import SilentProgress
from core.settings import load_settings
from core.storage import Workspace
from kizashi.pipeline import run_pipeline
from simulator import simulate_company
from training import LeadScorer
from training.naive_bayes import count_values
from training.training_set import TrainingSet, load_training_set

CUSTOMERS = 5_000
LEADS, DRAWS, JUDGED = 40, 20, 400
_SIDES = ("ours", "base rate", "naive Bayes")


@dataclass(frozen=True)
class Losses:
    """Mean log-loss of each side on the same rows, by draw; shape (draws, sides)."""

    values: NDArray[np.float64]

    def better(self, side: str) -> int:
        """In how many draws ours is lower."""
        return int((self.values[:, 0] < self.values[:, _SIDES.index(side)]).sum())


def company(out: Path, customers: int) -> TrainingSet:
    """The training set of a simulated company."""
    home = out / f"cold_start_{customers}"
    demo = load_settings(Path("conf/demo.yaml"))
    settings = demo.model_copy(update={"home": home, "models": ModelsSettings(lead=demo.models.lead), "segments": {}})
    if not (home / "exports").exists():
        simulate_company(home / "exports", customers=customers, seed=21)
    run_pipeline(settings, Workspace(home), clock=SystemClock(), progress=SilentProgress())
    return load_training_set(settings, Workspace(home), "lead")


def measure(data: TrainingSet, draws: int = DRAWS) -> Losses:
    """Each draw on its own people."""
    categories = [feature.name for feature in data.schema.features if feature.type == "category"]
    rows, label = data.features.select(list(data.schema.names)), data.outcomes.label
    found = []
    for draw in range(draws):
        learned, judged = _drawn(data, np.random.default_rng(draw))
        past, known, new, truth = rows.take(learned), label[learned], rows.take(judged), label[judged]
        scorer = LeadScorer(random_state=draw, time_budget=10).fit(past, known)
        chances = (
            scorer.predict_proba(new)[:, 1],
            np.full(len(judged), known.mean()),
            count_values(past, known, categories).probability(new),
        )
        found.append([log_loss(truth, chance) for chance in chances])
    return Losses(np.array(found))


def _drawn(data: TrainingSet, rng: np.random.Generator) -> tuple[pa.Array, pa.Array]:
    """Rows to learn from and rows of other people to judge on, half of each won."""
    order = rng.permutation(len(data))
    person = data.outcomes.person[order]
    order = order[np.sort(np.unique(person, return_index=True)[1])]
    won, lost = order[data.outcomes.label[order]], order[~data.outcomes.label[order]]
    count = min(JUDGED, len(won) - LEADS)
    learned = np.concatenate([won[:LEADS], lost[:LEADS]])
    judged = np.concatenate([won[LEADS : LEADS + count], lost[LEADS : LEADS + count]])
    return pa.array(learned), pa.array(judged)


def run(out: Path, customers: int = CUSTOMERS, console: Console | None = None) -> Losses:
    """Measure and print all sides."""
    console = console or Console(width=100)
    losses = measure(company(out, customers))
    printed = Table("side", "mean log-loss", "ours is better in", title=f"{LEADS} won and {LEADS} lost leads")
    for place, side in enumerate(_SIDES):
        better = "" if place == 0 else f"{losses.better(side)} of {len(losses.values)} draws"
        printed.add_row(side, f"{losses.values[:, place].mean():.4f}", better)
    console.print(printed)
    return losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold_start", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("data/bench"))
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    arguments = parser.parse_args()
    run(arguments.out, arguments.customers)
