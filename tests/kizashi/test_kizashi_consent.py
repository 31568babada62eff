"""Whoever refuses profiling leaves every list with the next run, and comes back with a later permission."""

from collections.abc import Callable
from datetime import timedelta

import pandas as pd

from features.retrieval import online_features
from kizashi.export import export_scores, export_segment
from serving.availability import Database
from serving.directory import Directory, Reference
from serving.online import OnlineStore
from tests.kizashi.conftest import Ran
from training.training_set import load_training_set


def decide(ran: Ran, email: str, granted: str, days: int) -> None:
    at = (ran.workspace.as_of() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    with ran.workspace.path("exports", "consents", "consents.csv").open("a", encoding="utf-8") as file:
        file.write(f'"{email}","profiling","{granted}","{at}","privacy_desk"\n')


def lists(ran: Ran, customer: str) -> dict[str, bool]:
    """Where the person appears."""
    folder = ran.workspace.path("out")
    folder.mkdir(exist_ok=True)
    export_scores(ran.workspace, "lead", folder / "scores.parquet")
    export_segment(ran.settings, ran.workspace, "best", folder / "best.parquet")
    trained = load_training_set(ran.settings, ran.workspace, "lead").spine
    online = online_features(ran.settings, ran.workspace, "lead_v1", [customer]).to_pylist()
    scores = pd.read_parquet(ran.workspace.current("scores/lead") / "scores.parquet")
    members = pd.read_parquet(ran.workspace.current("segments/best") / "members.parquet")
    return {
        "trained on": customer in set(trained["person"]),
        "online": online[0]["as_of"] is not None,
        "scored": customer in set(scores["customer_id"]),
        "in the segment": customer in set(members["customer_id"]),
        "scores exported": customer in set(pd.read_parquet(folder / "scores.parquet")["customer_id"]),
        "segment exported": customer in set(pd.read_parquet(folder / "best.parquet")["customer_id"]),
    }


def state(ran: Ran, customer: str) -> str:
    database = Database(ran.settings, ran.workspace)
    (person,) = (
        Directory(database, OnlineStore(ran.settings, ran.workspace)).find([Reference("kizashi", customer)]).values()
    )
    database.close()
    return person.state


def test_a_refusal_reaches_every_list_and_a_later_permission_too(own_ran: Callable[..., Ran]) -> None:
    ran = own_ran()
    customer = next(person for person in ran.people() if lists(ran, person)["trained on"])
    keys = ran.workspace.read_table("identities").to_pylist()
    (email, *_) = [row["source_id"] for row in keys if (row["customer_id"], row["system"]) == (customer, "email")]
    assert set(lists(ran, customer).values()) == {True}
    assert state(ran, customer) == "known"
    decide(ran, email, "false", 1)
    ran.run()
    assert set(lists(ran, customer).values()) == {False}
    assert state(ran, customer) == "excluded"
    decide(ran, email, "true", 1)
    ran.run()
    again = lists(ran, customer)
    assert again["scored"]
    assert again["segment exported"]
    assert again["online"]


def test_exports_of_older_scores_heed_a_refusal_of_today(own_ran: Callable[..., Ran]) -> None:
    from core.clock import SystemClock
    from core.progress import SilentProgress
    from kizashi.pipeline import unify_stage

    ran = own_ran()
    customer = ran.people()[0]
    keys = ran.workspace.read_table("identities").to_pylist()
    (email, *_) = [row["source_id"] for row in keys if (row["customer_id"], row["system"]) == (customer, "email")]
    decide(ran, email, "false", 1)
    unify_stage(ran.settings, ran.workspace, clock=SystemClock(), progress=SilentProgress())
    out = ran.workspace.path("list.parquet")
    export_scores(ran.workspace, "lead", out)
    assert customer not in set(pd.read_parquet(out)["customer_id"])
    export_segment(ran.settings, ran.workspace, "best", out)
    assert customer not in set(pd.read_parquet(out)["customer_id"])
