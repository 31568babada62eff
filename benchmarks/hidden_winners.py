"""The lookalike model on simulated companies: how many hidden future winners stand in the top tenth of the list.

Everybody of the test part who had not been won yet is ranked by a model that learned from earlier months only, visitors
without a name included; it reads nothing but what such visitors show. Chance puts a tenth of the later winners into
the top tenth.
"""

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from core.clock import SystemClock
from core.model_settings import ModelsSettings
from core.progress import SilentProgress
from core.settings import load_settings
from core.storage import Workspace
from features.catalog import service_of
from features.retrieval import historical_features
from kizashi.pipeline import run_pipeline
from scoring.registry import CHAMPION, Registry
from simulator import simulate_company
from training.evaluation import lift
from training.spine import build_spine
from training.split import gap_of, split_off_newest

_TOP = 0.1


@dataclass(frozen=True)
class HiddenWinners:
    """One company's people who had not been won yet, those of them who were later, and the share in the top tenth."""

    seed: int
    people: int
    winners: int
    recall: float


def run(customers: int, seeds: list[int], out: Path) -> list[HiddenWinners]:
    """Measure each company and print a table."""
    results = [measure(customers, seed, out) for seed in seeds]
    table = Table(
        "company", "people", "later winners", "recall in top 10 %", "chance", "times chance",
        title=f"Hidden future winners found by the lookalike model ({customers:,} people a company)",
    )  # fmt: skip
    for found in results:
        figures = (f"{found.people:,}", f"{found.winners:,}", f"{found.recall:.3f}", f"{_TOP:.3f}")
        table.add_row(str(found.seed), *figures, f"{found.recall / _TOP:.2f}")
    Console(width=110).print(table)
    return results


def measure(customers: int, seed: int, out: Path) -> HiddenWinners:
    """Simulate one company in a fresh workspace, learn its lookalike model, look for the winners of the test part."""
    home = out / f"lookalike-{seed}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    simulate_company(home / "exports", customers=customers, seed=seed)
    demo = load_settings(Path("conf/demo.yaml"))
    only = ModelsSettings(lookalike=demo.models.lookalike)
    settings = demo.model_copy(update={"home": home, "models": only, "segments": {}})
    workspace = Workspace(home)
    run_pipeline(settings, workspace, clock=SystemClock(), progress=SilentProgress())
    champion = Registry(settings, workspace).find("lookalike", CHAMPION)
    if champion is None:
        raise SystemExit(f"company {seed}: the lookalike model was not promoted")
    rules = settings.models["lookalike"]
    spine = build_spine(settings, workspace, "lookalike")
    gap = gap_of(rules.split, timedelta(days=rules.label.maturity_days))
    later = split_off_newest(spine.as_of, rules.split.test_share, gap).later.rows
    # One row a person: the first one, so that nobody is found twice.
    people, first = np.unique(spine.person[later], return_index=True)
    rows = spine.table.filter(pa.array(later)).take(first)
    features = historical_features(settings, workspace, service_of("lookalike"), rows)
    chance = champion.bundle.predict_probability(champion.bundle.encode(features))
    label = np.asarray(rows["label"].to_numpy(), dtype=np.bool_)
    shutil.rmtree(home)
    return HiddenWinners(seed, len(people), int(label.sum()), _TOP * lift(label, chance, _TOP))
