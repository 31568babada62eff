"""Who is who without labels: rules, Splink at 0.95 and `link_records` on the same tables, against the truth.

Rules are the better of two, which is more than a user without labels could choose. Real tables lie in
KIZASHI_REAL_DATA (default ../shared/data) and are left out where that is absent.
"""

import argparse
import logging
import os
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import splink.comparison_library as cl
from rich.console import Console
from rich.table import Table
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from benchmarks.identity_people import Register, registers
from benchmarks.identity_quality_measure import Clusters, pairwise
from customers.matching import Field, link_records

_SPLINK_THRESHOLD = 0.95
_WIDEST_BLOCKING = 3_000_000


def real_registers(folder: Path) -> Iterator[Register]:
    """The public tables with a truth that lie in the folder."""
    febrl = [
        Field("given_name", "given_name"), Field("surname", "family_name"), Field("street_number", "code"),
        Field("address_1", "address"), Field("address_2", "address"), Field("suburb", "place"),
        Field("postcode", "code"), Field("state", "code"), Field("date_of_birth", "date"),
        Field("soc_sec_id", "identifier"),
    ]  # fmt: skip
    for number in (1, 2, 3):
        path = folder / "er_febrl" / f"dataset{number}.csv"
        if path.exists():
            table = pd.read_csv(path, dtype=str, skipinitialspace=True)
            yield Register(f"febrl {number}", table, table["rec_id"].str.extract(r"rec-(\d+)")[0], febrl)
    path = folder / "er_splink" / "fake_1000.csv"
    if path.exists():
        table = pd.read_csv(path, dtype=str)
        people = [
            Field("first_name", "given_name"), Field("surname", "family_name"), Field("dob", "date"),
            Field("city", "place"), Field("email", "email"),
        ]  # fmt: skip
        yield Register("fake_1000", table, table["cluster"], people)
    path = folder / "er_dedupe_examples" / "csv_example_input_with_true_ids.csv"
    if path.exists():
        table = pd.read_csv(path, dtype=str)
        sites = [
            Field("Site name", "company"),
            Field("Address", "address"),
            Field("Zip", "code"),
            Field("Phone", "phone"),
        ]
        yield Register("Chicago sites", table, table["True Id"], sites)


def by_rules(register: Register) -> Clusters:
    """The better of two usual rules: one strong key is equal, or two telling values are equal."""
    table = register.table
    strong = [[f.name] for f in register.fields if f.kind in ("email", "identifier")]
    person = [f.name for f in register.fields if f.kind in ("given_name", "family_name", "date")]
    strong.append(person if len(person) > 1 else [f.name for f in register.fields if f.kind in ("company", "phone")])
    telling = [f.name for f in register.fields if table[f.name].nunique() > 0.05 * len(table)]
    rules = (strong, [list(pair) for pair in combinations(telling, 2)])
    truth = pd.factorize(register.truth)[0]
    return max((_united(table, keys) for keys in rules), key=lambda found: pairwise(found, truth)[2])


def _united(table: pd.DataFrame, keys: list[list[str]]) -> Clusters:
    left, right = [], []
    for columns in keys:
        told = table[columns].apply(lambda column: column.str.lower().str.strip()).dropna()
        numbers = told.groupby(columns).ngroup().to_numpy()
        first = told.index.to_series().groupby(numbers).transform("min").to_numpy()
        left.append(told.index.to_numpy())
        right.append(first)
    a, b = np.concatenate(left), np.concatenate(right)
    graph = coo_matrix((np.ones(len(a)), (a, b)), shape=(len(table), len(table)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def by_splink(register: Register) -> Clusters:
    """Splink as its tutorial trains it, connected components at a match probability of 0.95."""
    table = register.table[[field.name for field in register.fields]].copy()
    table.columns = [f"field_{place}" for place in range(len(register.fields))]
    table.insert(0, "unique_id", np.arange(len(table)))
    comparisons = [_comparison(field.kind, f"field_{place}") for place, field in enumerate(register.fields)]
    columns = list(table.columns[1:])
    widths = {
        column: int((sizes * (sizes - 1) // 2).sum()) for column in columns for sizes in [table[column].value_counts()]
    }
    rules = [block_on(column) for column in columns if widths[column] <= 20 * len(table)]
    rules += [block_on(*pair) for pair in combinations([c for c in columns if widths[c] > 20 * len(table)], 2)]
    settings = SettingsCreator(
        link_type="dedupe_only", comparisons=comparisons, blocking_rules_to_generate_predictions=rules
    )
    logging.getLogger("splink").setLevel(logging.ERROR)
    linker = Linker(DuckDBAPI().register(table, dataset_display_name="people"), settings)
    deterministic = [block_on(*pair) for pair in combinations(sorted(columns, key=lambda c: widths[c])[:4], 2)]
    linker.training.estimate_probability_two_random_records_match(deterministic, recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1_000_000, seed=1)
    for column in sorted(columns, key=lambda c: widths[c])[:3]:
        if 0 < widths[column] <= _WIDEST_BLOCKING:
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(column))
    predictions = linker.inference.predict(threshold_match_probability=0.01)
    clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(
        predictions, threshold_match_probability=_SPLINK_THRESHOLD
    ).as_pandas_dataframe()
    return pd.factorize(clustered.sort_values("unique_id")["cluster_id"])[0]


def _comparison(kind: str, column: str) -> object:
    if kind in ("given_name", "family_name"):
        return cl.NameComparison(column).configure(term_frequency_adjustments=True)
    if kind == "email":
        return cl.EmailComparison(column)
    if kind in ("date", "phone", "identifier", "code"):
        return cl.LevenshteinAtThresholds(column, [1, 2])
    return cl.JaroWinklerAtThresholds(column, [0.92, 0.8]).configure(term_frequency_adjustments=True)


def by_us(register: Register) -> Clusters:
    """`link_records` as it is."""
    table = pa.Table.from_pandas(register.table, preserve_index=False)
    return link_records(table, register.fields).clusters.astype(np.int64)


METHODS: dict[str, Callable[[Register], Clusters]] = {"rules": by_rules, "Splink 0.95": by_splink, "Kizashi": by_us}


def run(out: Console | None = None) -> None:
    """Measure all three on every register and print one table."""
    folder = Path(os.environ.get("KIZASHI_REAL_DATA", "../shared/data"))
    printed = Table("register", "records", "method", "precision", "recall", "F1", "largest", "seconds",
                    title="Who is who, without labels (pairs of records)")  # fmt: skip
    for register in [*real_registers(folder), *registers()]:
        truth = pd.factorize(register.truth)[0]
        for name, method in METHODS.items():
            began = time.perf_counter()
            found = method(register)
            seconds = time.perf_counter() - began
            figures = [f"{figure:.4f}" for figure in pairwise(found, truth)]
            largest = int(np.unique(found, return_counts=True)[1].max())
            labels = (register.name, f"{len(truth):,}") if name == "rules" else ("", "")
            printed.add_row(*labels, name, *figures, str(largest), f"{seconds:.1f}")
        printed.add_section()
    (out or Console(width=110)).print(printed)


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m benchmarks.identity_quality", description=__doc__).parse_args()
    run()
