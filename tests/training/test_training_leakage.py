"""Columns that know the outcome are found by what they look like; honest ones are left in peace."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import ContractError, EvidenceError
from training import LeadScorer, find_leaks
from training.evaluation import area_under_curve

REAL_DATA = Path(os.environ.get("KIZASHI_REAL_DATA", Path(__file__).parents[3] / "shared" / "data"))
ROWS = 4000


def world(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Honest signs of an outcome: visits, an industry, days since the last visit (blank without one), a source."""
    rng = np.random.default_rng(seed)
    visits = rng.poisson(rng.gamma(1.0, 2.0, ROWS))
    industry = rng.choice(["製造業", "小売業", "建設業"], ROWS)
    chance = 1 / (1 + np.exp(2.2 - 0.35 * visits - 0.5 * (industry == "製造業")))
    won = rng.random(ROWS) < chance
    frame = pd.DataFrame(
        {
            "visits": visits,
            "days_since_visit": np.where(visits > 0, rng.exponential(40 / (1 + visits)), np.nan),
            "industry": industry,
            "source": rng.choice(["web", "fair", "mail"], ROWS),
            "employees": rng.lognormal(4, 1, ROWS).round(),
        }
    )
    return frame, won


@pytest.mark.parametrize("seed", range(5))
def test_honest_columns_are_never_strongly_accused(seed: int) -> None:
    frame, won = world(seed)
    assert find_leaks(frame, won, np.arange(ROWS)).strong == ()


def test_columns_that_know_the_outcome_are_caught_under_any_name() -> None:
    frame, won = world()
    rng = np.random.default_rng(1)
    honest = list(frame.columns)
    leaks = {
        "z1": np.where(rng.random(ROWS) < 0.05, ~won, won).astype(float),  # the outcome, noted with some mistakes
        "z2": pd.Series(np.where(~won & (rng.random(ROWS) < 0.6), rng.choice(["price", "timing"], ROWS), None)),
        "z3": np.where(won, rng.lognormal(10, 1, ROWS), 0.0),  # a closing value
        "z4": np.where(won & (rng.random(ROWS) < 0.1), 1, 0),  # a flag that only some of the won have
    }
    report = find_leaks(frame.assign(**leaks), won)
    assert set(report.strong) == set(leaks)
    assert not set(report.weak) & set(honest)
    for field in leaks:
        assert find_leaks(frame.assign(**{field: leaks[field]}), won).strong == (field,), field
    for language in ("ja", "en"):
        told = "\n".join(report.lines(language))
        assert all(field in told for field in leaks)
        assert "known_at: export" in told


def test_what_was_declared_decides_what_is_examined() -> None:
    frame, won = world()
    rng = np.random.default_rng(1)
    # Filled in on the way to the outcome, and telling where it is filled in.
    filled = rng.random(ROWS) < np.where(won, 0.8, 0.4)
    quality = np.where(rng.random(ROWS) < 0.85, np.where(won, "high", "low"), np.where(won, "low", "high"))
    frame = frame.assign(quality=pd.Series(quality).where(filled))
    assert find_leaks(frame, won).strong == ("quality",)
    created = dict.fromkeys(frame.columns, "created")
    assert find_leaks(frame, won, availability=created).strong == ("quality",)
    assert find_leaks(frame, won, availability={**created, "quality": "history"}).strong == ()
    after = find_leaks(frame, won, availability={**created, "quality": "after"})
    assert (after.strong, after.left_out, after.undeclared) == ((), ("quality",), ())
    assert find_leaks(frame, won, availability={"visits": "history"}).undeclared == tuple(frame.columns[1:])
    trusted = find_leaks(frame, won, trusted={"quality": "asked before any contact"})
    assert trusted.strong == ()
    assert trusted.trusted == {"quality": "asked before any contact"}
    assert "asked before any contact" in str(trusted)


def test_calendars_tell_what_was_filled_in_afterwards() -> None:
    frame, won = world()
    rng = np.random.default_rng(1)
    start = pd.Timestamp("2025-01-01", tz="UTC")
    asked = start + pd.to_timedelta(rng.uniform(0, 300, ROWS), unit="D")
    closed = asked + pd.to_timedelta(rng.uniform(1, 60, ROWS), unit="D")
    frame = frame.assign(visited_at=asked - pd.Timedelta(days=3), met_at=closed)
    filled_at = {"industry": asked - pd.Timedelta(days=9), "source": closed + pd.Timedelta(days=1)}
    report = find_leaks(frame, won, asked, filled_at=filled_at, outcome_at=closed)
    kinds = {suspect.field: [sign.kind for sign in suspect.signs] for suspect in report.suspects}
    assert kinds == {"source": ["after_outcome"], "met_at": ["later"]}
    assert report.strong == ("source",)


def test_strength_that_vanishes_on_newer_rows_is_told() -> None:
    frame, won = world()
    later = np.arange(ROWS) > 0.6 * ROWS
    noted = np.where(later, np.random.default_rng(2).random(ROWS), won + np.random.default_rng(3).normal(0, 0.6, ROWS))
    report = find_leaks(frame.assign(noted=noted), won, np.arange(ROWS))
    assert ("drifting", "noted") in {(sign.kind, one.field) for one in report.suspects for sign in one.signs}


def test_people_with_many_rows_count_once() -> None:
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(400), 30)
    won = np.repeat(rng.random(400) < 0.3, 30)
    # Three people who were all won share a value on ninety rows: chance, not knowledge.
    shared = np.isin(person, np.unique(person[won])[:3])
    frame = pd.DataFrame({"club": np.where(shared, "golf", "other"), "noise": rng.random(len(won))})
    assert find_leaks(frame, won).strong == ("club",)
    assert find_leaks(frame, won, circle=person).strong == ()


def test_a_rating_written_at_the_closing_does_not_hide_behind_earlier_rows() -> None:
    rng = np.random.default_rng(0)
    people, rows = 1500, 8
    ever = rng.random(people) < 0.2
    # Those who will be won have seven rows before the one whose horizon holds the closing.
    won = np.zeros((people, rows), dtype=bool)
    won[ever, -1] = True
    rating = np.where(ever ^ (rng.random(people) < 0.05), "A", "C")
    visits = rng.poisson(1 + won)
    frame = pd.DataFrame({"rating": np.repeat(rating, rows), "visits": visits.ravel()})
    person, time = np.repeat(np.arange(people), rows), np.tile(np.arange(rows), people)
    declared = {"rating": "created", "visits": "history"}
    report = find_leaks(frame, won.ravel(), time, availability=declared, person=person)
    assert report.strong == ("rating",)


def test_too_little_or_crooked_input_is_refused() -> None:
    frame, won = world()
    with pytest.raises(EvidenceError, match="at least 20 of both"):
        find_leaks(frame[:30], won[:30] & False)
    with pytest.raises(ContractError, match="4000 rows and 10 outcomes"):
        find_leaks(frame, won[:10])


@pytest.fixture(scope="module")
def lead_table() -> pd.DataFrame:
    file = REAL_DATA / "x_education_leads" / "Leads.csv"
    if not file.exists():
        pytest.skip(f"{file} is not on this machine; KIZASHI_REAL_DATA names the folder of data sets")
    return pd.read_csv(file).iloc[:, :37].sort_values("Lead Number")


# What the set's own description says of them: filled in by sales, or measured at the moment of the export.
BY_SALES = {"Tags", "Lead Quality", "Lead Profile"}
AT_EXPORT = {"Last Activity", "Last Notable Activity", *(f"Asymmetrique {kind}" for kind in
             ("Activity Index", "Profile Index", "Activity Score", "Profile Score"))}  # fmt: skip


@pytest.mark.realdata
def test_evidence_alone_finds_what_sales_filled_in_on_nameless_columns(lead_table: pd.DataFrame) -> None:
    won = lead_table["Converted"].to_numpy()
    frame = lead_table.drop(columns=["Converted", "Prospect ID", "Lead Number"])
    names = {f"c{place}": column for place, column in enumerate(frame.columns, start=1)}
    nameless = frame.set_axis(list(names), axis=1)
    for time in (None, lead_table["Lead Number"].to_numpy()):
        report = find_leaks(nameless, won, time)
        assert {names[field] for field in report.strong} == BY_SALES
        accused = {names[suspect.field] for suspect in report.suspects}
        assert len(accused - BY_SALES - AT_EXPORT) <= 2


@pytest.mark.realdata
def test_with_declared_availability_the_honest_quality_is_left(lead_table: pd.DataFrame) -> None:
    won = lead_table["Converted"].to_numpy().astype(bool)
    frame = lead_table.drop(columns=["Converted", "Prospect ID", "Lead Number"])
    declared = {name: "after" if name in BY_SALES | AT_EXPORT else "created" for name in frame.columns}
    report = find_leaks(frame, won, availability=declared)
    assert report.strong == ()
    assert set(report.left_out) == BY_SALES | AT_EXPORT
    known = frame.drop(columns=list(report.left_out)).dropna(axis=1, how="all")
    cut = int(0.75 * len(known))
    scorer = LeadScorer(random_state=0).fit(known[:cut], won[:cut])
    assert 0.85 <= area_under_curve(won[cut:], scorer.predict_proba(known[cut:])[:, 1]) <= 0.92


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("file", "outcome", "dropped", "separator"),
    [
        ("ibm_telco_churn/WA_Fn-UseC_-Telco-Customer-Churn.csv", "Churn=Yes", ["customerID"], ","),
        ("hillstrom/hillstrom.csv", "visit=1", ["conversion", "spend"], ","),
        ("b2b_sales_salvirt/Salvirt_B2B_ML_dataset.csv", "Status=Won", [], ";"),
        ("maven_crm_opportunities/sales_pipeline.csv", "deal_stage=Won", ["close_value", "opportunity_id"], ","),
    ],
)
def test_real_tables_without_leaks_are_not_accused(file: str, outcome: str, dropped: list[str], separator: str) -> None:
    if not (REAL_DATA / file).exists():
        pytest.skip(f"{REAL_DATA / file} is not on this machine; KIZASHI_REAL_DATA names the folder of data sets")
    table = pd.read_csv(REAL_DATA / file, sep=separator)
    column, _, won = outcome.partition("=")
    if column == "deal_stage":
        table = table[table[column].isin(["Won", "Lost"])]
    report = find_leaks(table.drop(columns=[column, *dropped]), table[column].astype(str) == won)
    assert report.suspects == ()
