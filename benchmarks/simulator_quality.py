"""The lead model beside the simulator's oracle, the base rate and the points rules, on the same rows.

The oracle knows the model that made the data and everything that could be observed before each as-of moment, so its
AUC is the limit. The truth is read here and in tests only.
"""

import json
import shutil
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.metrics import log_loss, roc_auc_score

from core.clock import SystemClock
from core.errors import EvidenceError
from core.model_settings import ModelsSettings
from core.progress import SilentProgress
from core.settings import Settings, load_settings
from core.storage import Workspace, connect_duckdb
from features.catalog import service_schema
from features.retrieval import historical_features
from kizashi.pipeline import run_pipeline
from scoring.registry import CHAMPION, Registry
from simulator import simulate_company
from training.spine import build_spine
from training.split import gap_of, split_off_newest

# Probabilities, and whether it happened.
ExpectedAndSeen = tuple[NDArray[np.float64], NDArray[np.bool_]]
# A segment is judged from so many wins on, and by whether expected over observed lies within these limits.
_SEGMENT_WINS = 50
_LOW, _HIGH = 0.75, 1.33
_COUNTED = ("deals", "people", "expected", "labelled", "chances", "won")


@dataclass(frozen=True)
class Quality:
    """One company: our figures on the test part, and the oracle's on the same rows.

    `auc`, `oracle_auc` and `reached` are judged by what really happened to the true person, which also charges us for
    wins that our identity resolution hangs on another id; the `labelled_` ones by the labels that a company would have.
    `logloss` is of all test rows, as the baselines' are; `matched_logloss` of those that the oracle knows.

    `segments` are category values in which 50 deals were won, `outside` those in which expected over observed lies
    outside 0.75 to 1.33. The oracle knows every chance: what of its own lies outside is luck, of which so many parts
    hold some. `outside_of_chances` are those in which what we expect lies outside these limits of what the oracle
    expects, where there is no luck, with its `extremes`. Several people have a part in a deal: `named` tells the values
    with 50 people won, which are more, in which ours lies outside.
    """

    seed: int
    rows: int
    won: int
    matched: float
    auc: float
    oracle_auc: float
    reached: float
    labelled_auc: float
    labelled_oracle_auc: float
    labelled_reached: float
    points_auc: float
    logloss: float
    matched_logloss: float
    oracle_logloss: float
    base_logloss: float
    points_logloss: float
    naive_bayes_logloss: float
    logistic_logloss: float
    slope: float
    expected_observed: float
    segments: int
    outside: int
    oracle_outside: int
    outside_of_chances: int
    extremes: tuple[float, float]
    named: list[str]
    verdict: str
    seconds: float


@dataclass(frozen=True)
class Segment:
    """A part of the market: rows that we and the oracle expect to be won, and that were won, by label and in truth."""

    column: str
    value: str
    deals: int
    people: int
    expected: float
    labelled: int
    chances: float
    won: int

    @property
    def ours(self) -> float:
        """Ours expected over observed."""
        return self.expected / self.labelled

    @property
    def oracle(self) -> float:
        """The oracle's expected over observed."""
        return self.chances / self.won

    @property
    def of_chances(self) -> float:
        """Ours expected over what the oracle expects."""
        return self.expected / self.chances

    def __add__(self, other: "Segment") -> "Segment":
        """The same part of two companies' markets."""
        sums = (getattr(self, name) + getattr(other, name) for name in _COUNTED)
        return Segment(self.column, self.value, *sums)

    def __str__(self) -> str:
        return (
            f"{self.column} {self.value}, {self.deals} deals and {self.people} people won: {self.ours:.2f}, "
            f"oracle {self.oracle:.2f}, of its chances {self.of_chances:.2f}"
        )


@dataclass(frozen=True)
class SameRows:
    """Outcomes and both sides' probabilities of the rows that both know, and the share that these are of all.

    `label` is the outcome as our labels tell it, `truth` what happened to the true person.
    """

    label: NDArray[np.bool_]
    truth: NDArray[np.bool_]
    ours: NDArray[np.float64]
    oracle: NDArray[np.float64]
    matched: float
    segments: list[Segment]


def run(customers: int, seeds: list[int], out: Path) -> list[Quality]:
    """Measure each company, print a table and write the figures beside it."""
    console = Console(width=200)
    results = []
    pooled: dict[tuple[str, str], Segment] = {}
    for seed in seeds:
        result, segments = measure(customers, seed, out)
        results.append(result)
        for segment in segments:
            place = (segment.column, segment.value)
            pooled[place] = pooled[place] + segment if place in pooled else segment
        console.print(json.dumps(asdict(result), ensure_ascii=False), highlight=False, soft_wrap=True)
    console.print(_table(customers, results))
    for result in results:
        for segment in result.named:
            console.print(f"seed {result.seed}: {segment}", highlight=False)
    _print_pooled([segment for segment in pooled.values() if segment.deals >= _SEGMENT_WINS], console)
    out.mkdir(parents=True, exist_ok=True)
    (out / "simulator_quality.json").write_text(json.dumps([asdict(result) for result in results], indent=2))
    return results


def _print_pooled(segments: Sequence[Segment], console: Console) -> None:
    """Print how the parts of all companies' markets together fare, where five times the wins leave less to luck."""
    for kind, whose in (
        ("ours", "ours"),
        ("oracle", "the oracle's"),
        ("of_chances", "ours over the oracle's expected"),
    ):
        ratios = [getattr(segment, kind) for segment in segments]
        outside = ", ".join(str(segment) for segment in segments if _outside([getattr(segment, kind)]))
        console.print(
            f"all companies together, {len(ratios)} parts with {_SEGMENT_WINS} deals won, {whose}: "
            f"{min(ratios):.2f} to {max(ratios):.2f}, outside {_LOW} to {_HIGH}: {outside or 'none'}",
            highlight=False,
        )


def measure(customers: int, seed: int, out: Path) -> tuple[Quality, list[Segment]]:
    """Simulate one company in a fresh workspace, do the whole job, compare on the test rows and part by part."""
    home = out / f"company-{seed}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    simulate_company(home / "exports", customers=customers, seed=seed)
    demo = load_settings(Path("conf/demo.yaml"))
    only = ModelsSettings(lead=demo.models.lead)
    settings = demo.model_copy(update={"home": home, "models": only, "segments": {}})
    workspace = Workspace(home)
    result = run_pipeline(settings, workspace, clock=SystemClock(), progress=SilentProgress())
    trained = result.models["lead"]
    same = same_rows(settings, workspace)
    label, ours, oracle = same.label, same.ours, same.oracle
    ours_in, oracle_in, of_chances = (
        [getattr(segment, kind) for segment in same.segments if segment.deals >= _SEGMENT_WINS]
        for kind in ("ours", "oracle", "of_chances")
    )
    auc, oracle_auc = roc_auc_score(same.truth, ours), roc_auc_score(same.truth, oracle)
    labelled_auc, labelled_oracle_auc = roc_auc_score(label, ours), roc_auc_score(label, oracle)
    quality = Quality(
        seed=seed,
        rows=len(label),
        won=int(label.sum()),
        matched=same.matched,
        auc=auc,
        oracle_auc=oracle_auc,
        reached=(auc - 0.5) / (oracle_auc - 0.5),
        labelled_auc=labelled_auc,
        labelled_oracle_auc=labelled_oracle_auc,
        labelled_reached=(labelled_auc - 0.5) / (labelled_oracle_auc - 0.5),
        points_auc=trained.baselines["points"]["auc"],
        logloss=trained.logloss,
        matched_logloss=log_loss(label, ours),
        oracle_logloss=log_loss(label, np.clip(oracle, 1e-9, 1 - 1e-9)),
        base_logloss=trained.baselines["base_rate"]["logloss"],
        points_logloss=trained.baselines["points"]["logloss"],
        naive_bayes_logloss=trained.baselines["naive_bayes"]["logloss"],
        logistic_logloss=trained.baselines["logistic"]["logloss"],
        slope=trained.calibration_slope,
        expected_observed=trained.expected_observed,
        segments=len(ours_in),
        outside=_outside(ours_in),
        oracle_outside=_outside(oracle_in),
        outside_of_chances=_outside(of_chances),
        extremes=(min(of_chances, default=float("nan")), max(of_chances, default=float("nan"))),
        named=[
            str(segment) for segment in same.segments if segment.people >= _SEGMENT_WINS and _outside([segment.ours])
        ],
        verdict=trained.verdict,
        seconds=sum(result.seconds.values()),
    )
    shutil.rmtree(home)
    return quality, same.segments


def same_rows(settings: Settings, workspace: Workspace) -> SameRows:
    """The test rows that the oracle knows, with both sides' probabilities.

    The champion's probabilities are computed anew from what Feast serves. A row is a customer as known at its moment;
    it stands for the true person whom most of its records belong to.
    """
    rules = settings.models["lead"]
    spine = build_spine(settings, workspace, "lead")
    gap = gap_of(rules.split, timedelta(days=rules.label.maturity_days))
    later = split_off_newest(spine.as_of, rules.split.test_share, gap).later.rows
    test = spine.table.filter(pa.array(later))
    champion = Registry(settings, workspace).find("lead", CHAMPION)
    if champion is None:
        raise EvidenceError("nothing was promoted", "a champion to measure", "see the run's `why`")
    bundle = champion.bundle
    names = [one.name for one in service_schema(settings, bundle.service).features if one.type == "category"]
    served = historical_features(settings, workspace, bundle.service, test.select(["customer_id", "as_of"]))
    ours = bundle.predict_probability(bundle.encode(served))
    connection = connect_duckdb()
    workspace.tables(connection)
    connection.register("test", test.append_column("place", pa.array(np.arange(test.num_rows))))
    answers = workspace.path("exports", "truth")
    # Step by step: as one query the planner joins the inequalities first.
    connection.execute(
        """
        CREATE TEMP TABLE nodes AS
        SELECT t.place, i.system, i.source_id
        FROM test t JOIN identities i USING (customer_id)
        WHERE i.linked_at < t.as_of AND (i.ended_at IS NULL OR i.ended_at >= t.as_of)
        """
    )
    connection.execute(
        """
        CREATE TEMP TABLE persons AS
        WITH votes AS (
            SELECT place, person_id, count(*) AS records
            FROM nodes JOIN (
                SELECT source_id, person_id, CASE system
                    WHEN 'salesforce_lead' THEN 'salesforce' WHEN 'salesforce_contact' THEN 'salesforce'
                    WHEN 'web' THEN 'cookie' WHEN 'product' THEN 'email' WHEN 'tradefair' THEN 'trade_fair' ELSE system
                END AS system
                FROM read_parquet(?)
            ) USING (system, source_id)
            GROUP BY place, person_id
        )
        SELECT place, arg_max(person_id, (records, person_id)) AS person_id FROM votes GROUP BY place
        """,
        [str(answers / "records.parquet")],
    )
    connection.execute(
        """
        CREATE TEMP TABLE chances AS
        SELECT person_id, as_of, probability, won_in_horizon FROM read_parquet(?) WHERE eligible
        """,
        [str(answers / "oracle.parquet")],
    )
    found = connection.execute(
        """
        SELECT place, probability, won_in_horizon
        FROM persons JOIN (SELECT place, as_of FROM test) USING (place) JOIN chances USING (person_id, as_of)
        ORDER BY place
        """
    ).fetchnumpy()
    place = np.asarray(found["place"])
    label, ours = spine.label[later][place], ours[place]
    truth, oracle = np.asarray(found["won_in_horizon"]), np.asarray(found["probability"])
    known = served.take(pa.array(place))
    outcomes = spine.table.filter(pa.array(later)).take(pa.array(place))
    return SameRows(
        label=label,
        truth=truth,
        ours=ours,
        oracle=oracle,
        matched=len(place) / test.num_rows,
        segments=[
            segment
            for name in names
            for segment in _segments(
                name,
                np.asarray(known[name].fill_null("-").to_pylist(), dtype=np.str_),
                outcomes,
                (ours, label),
                (oracle, truth),
            )
        ],
    )


def _segments(
    column: str, values: NDArray[np.str_], spine: pa.Table, ours: ExpectedAndSeen, oracle: ExpectedAndSeen
) -> Iterator[Segment]:
    """Every value of a category."""
    for value in np.unique(values):
        inside = values == value
        won = spine.filter(pa.array(inside & ours[1]))
        people, deals = (pc.count_distinct(won[name]).as_py() for name in ("person", "outcome_id"))
        yield Segment(
            column,
            str(value),
            deals,
            people,
            expected=float(ours[0][inside].sum()),
            labelled=int(ours[1][inside].sum()),
            chances=float(oracle[0][inside].sum()),
            won=int(oracle[1][inside].sum()),
        )


def _outside(ratios: Sequence[float]) -> int:
    return sum(not _LOW <= ratio <= _HIGH for ratio in ratios)


def _table(customers: int, results: list[Quality]) -> Table:
    table = Table(title=f"Lead model beside the oracle, {customers:,} people a company", title_justify="left")
    shown = (
        "seed",
        "rows",
        "won",
        "auc",
        "oracle_auc",
        "points_auc",
        "reached",
        "labelled_reached",
        "logloss",
        "matched_logloss",
        "oracle_logloss",
        "base_logloss",
        "points_logloss",
        "naive_bayes_logloss",
        "logistic_logloss",
        "slope",
        "expected_observed",
        "segments",
        "outside",
        "oracle_outside",
        "outside_of_chances",
    )
    for name in shown:
        table.add_column(name.replace("_", " "), justify="right", overflow="fold")
    for result in results:
        values = (getattr(result, name) for name in shown)
        table.add_row(*(f"{value:.4f}" if isinstance(value, float) else f"{value:,}" for value in values))
    means = (statistics.mean(getattr(result, name) for result in results) for name in shown[3:])
    table.add_section()
    table.add_row("mean", "", "", *(f"{mean:.4f}" for mean in means))
    return table
