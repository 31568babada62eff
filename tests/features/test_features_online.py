"""Online values: equal to the historical ones, corrected, blanked and removed as they should be."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from core.clock import FixedClock
from core.errors import ContractError, MissingStageError
from features.build import build_features
from features.materialise import materialise_online
from features.online_writer import OnlineWriter
from features.retrieval import OnlineFeatures, historical_features, online_features
from features.store import FeatureStore, apply_definitions, online_store

AT = datetime(2025, 2, 20, tzinfo=UTC)
PEOPLE = [f"c_{n:03d}" for n in range(25)]
# Online rows have a time to live; these tests are not about it.
CLOCK = FixedClock(AT)


@pytest.fixture
def run(feature_settings, moments_table):
    """Build, apply and bring online the rows of these people at `at`."""

    def go(workspace, people=PEOPLE, at=AT):
        build_features(feature_settings, workspace, moments_table([(customer, at) for customer in people]))
        apply_definitions(feature_settings, workspace)
        return materialise_online(feature_settings, workspace, at)

    return go


@pytest.mark.parametrize("seed", [31, 32, 33])
def test_online_equals_history(seed, run, feature_settings, publish_tables, random_world, moments_table, monkeypatch):
    monkeypatch.setattr("features.retrieval.PART_CUSTOMERS", 7)
    monkeypatch.setattr("features.materialise.PART_CUSTOMERS", 4)
    workspace = publish_tables(data_until=AT, **random_world(seed))
    summary = run(workspace)
    assert (summary.customers, summary.cleared, summary.as_of) == (25, 0, AT)
    history = historical_features(
        feature_settings, workspace, "lead_v1", moments_table([(customer, AT) for customer in PEOPLE])
    )
    online = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK)
    # Equal bit for bit, floats included.
    assert online.combine_chunks().equals(history)


def test_unknown_people_and_order(run, feature_settings, publish_tables, random_world):
    workspace = publish_tables(data_until=AT, **random_world(31))
    run(workspace)
    asked = ["c_003", "nobody", "c_001", "c_003"]
    rows = online_features(feature_settings, workspace, "lead_v1", asked, CLOCK).to_pylist()
    assert [row["customer_id"] for row in rows] == asked
    assert [row["as_of"] for row in rows] == [AT, None, AT, AT]
    assert rows[0] == rows[3]
    assert all(value is None for name, value in rows[1].items() if name != "customer_id")
    assert online_features(feature_settings, workspace, "lead_v1", [], CLOCK).num_rows == 0


def test_feast_alone_reads_the_same_by_the_file_in_the_workspace(run, feature_settings, publish_tables, random_world):
    workspace = publish_tables(data_until=AT, **random_world(31))
    run(workspace)
    store = FeatureStore(fs_yaml_file=workspace.path("feast", "feature_store.yaml"))
    online_store(store).clock = CLOCK
    asked = store.get_online_features(
        store.get_feature_service("lead_v1"), [{"customer_id": customer} for customer in PEOPLE]
    ).to_dict()
    own = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK)
    assert {name: asked[name] for name in own.column_names if name != "as_of"} == own.drop_columns("as_of").to_pydict()


def test_corrections_blanks_and_departures(run, feature_settings, publish_tables, random_world, moments_table):
    world = random_world(32)
    workspace = publish_tables(data_until=AT, **{table: list(rows) for table, rows in world.items()})
    run(workspace)
    before = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK).to_pylist()
    # The same moment again: attributes were deleted at the source, half of the events were corrected away.
    world["attributes"] = []
    world["events"] = world["events"][::2]
    workspace = publish_tables(data_until=AT, **world)
    summary = run(workspace, PEOPLE[:20])
    assert (summary.customers, summary.cleared) == (20, 5)
    after = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK).to_pylist()
    assert any(row["industry"] for row in before[:20])
    assert not any(row["industry"] for row in after)
    assert sum(row["events_count_30d"] for row in after[:20]) < sum(row["events_count_30d"] for row in before[:20])
    assert all(row["as_of"] is None and row["events_count_30d"] is None for row in after[20:])
    history = historical_features(
        feature_settings, workspace, "lead_v1", moments_table([(customer, AT) for customer in PEOPLE[:20]])
    )
    assert after[:20] == history.to_pylist()
    # Whoever comes back is there again.
    assert run(workspace).cleared == 0
    assert online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK).to_pylist()[24]["as_of"] == AT


def test_an_earlier_moment_replaces_a_later_one(run, feature_settings, publish_tables, random_world):
    workspace = publish_tables(data_until=AT, **random_world(33))
    run(workspace)
    earlier = AT - timedelta(days=9)
    run(workspace, at=earlier)
    rows = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK)
    assert set(rows["as_of"].to_pylist()) == {earlier}


@pytest.fixture
def killed_after_writing(monkeypatch):
    """End the process, so to speak, once so many parts of people were written online."""

    def interrupted(parts, workspace, settings, at):
        written = []
        real = OnlineWriter.write

        def write(*arguments):
            if len(written) == parts:
                raise KeyboardInterrupt
            written.append(real(*arguments))

        with monkeypatch.context() as patched:
            patched.setattr(OnlineWriter, "write", write)
            with pytest.raises(KeyboardInterrupt):
                materialise_online(settings, workspace, at)

    return interrupted


@pytest.fixture
def written_people(monkeypatch):
    """Whom materialisation writes, in parts of ten."""
    monkeypatch.setattr("features.materialise.PART_CUSTOMERS", 10)
    people = []
    real = OnlineWriter.write

    def write(self, tables, *arguments):
        people.extend(tables["profile"]["customer_id"].to_pylist())
        real(self, tables, *arguments)

    monkeypatch.setattr(OnlineWriter, "write", write)
    return people


def test_a_killed_run_leaves_whole_people_and_goes_on(
    run, killed_after_writing, written_people, feature_settings, publish_tables, random_world, moments_table
):
    workspace = publish_tables(data_until=AT, **random_world(33))
    run(workspace)
    later = AT + timedelta(days=3)
    build_features(feature_settings, workspace, moments_table([(customer, later) for customer in PEOPLE]))
    apply_definitions(feature_settings, workspace)
    killed_after_writing(1, workspace, feature_settings, later)
    rows = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK)
    # Everybody is there with all views of one moment: the first ten of the new one.
    assert rows["as_of"].to_pylist() == [later] * 10 + [AT] * 15
    del written_people[:]
    materialise_online(feature_settings, workspace, later)
    assert written_people == PEOPLE[10:]
    rows = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK)
    assert set(rows["as_of"].to_pylist()) == {later}
    # Once it has come to its end, the same again writes everybody.
    del written_people[:]
    materialise_online(feature_settings, workspace, later)
    assert written_people == PEOPLE


def test_an_interrupted_run_leaves_nobody_forgotten(
    run, killed_after_writing, feature_settings, publish_tables, random_world, moments_table, monkeypatch
):
    monkeypatch.setattr("features.materialise.PART_CUSTOMERS", 10)
    workspace = publish_tables(data_until=AT, **random_world(33))
    run(workspace, PEOPLE[:5])
    build_features(feature_settings, workspace, moments_table([(customer, AT) for customer in PEOPLE[5:]]))
    apply_definitions(feature_settings, workspace)
    killed_after_writing(1, workspace, feature_settings, AT)
    # Of the twenty new ones those who were written are whole, the others are not there.
    rows = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK)
    assert [at is not None for at in rows["as_of"].to_pylist()] == [False] * 5 + [True] * 10 + [False] * 10
    assert run(workspace, PEOPLE[:2]).cleared == 23
    rows = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK)
    assert [at is not None for at in rows["as_of"].to_pylist()] == [True, True, *[False] * 23]


def test_moments_that_were_not_built_are_refused(run, feature_settings, publish_tables, random_world, moments_table):
    workspace = publish_tables(data_until=AT, **random_world(31))
    with pytest.raises(MissingStageError):
        materialise_online(feature_settings, workspace, AT)
    run(workspace)
    with pytest.raises(ContractError, match="no features were built"):
        materialise_online(feature_settings, workspace, AT + timedelta(days=1))


def test_one_open_store_serves_several_threads(run, feature_settings, publish_tables, random_world):
    workspace = publish_tables(data_until=AT, **random_world(31))
    run(workspace)
    online = OnlineFeatures(feature_settings, workspace, CLOCK)
    expected = online_features(feature_settings, workspace, "lead_v1", PEOPLE, CLOCK)
    answers, faults = [], []

    def ask() -> None:
        try:
            answers.append(online.read("lead_v1", PEOPLE))
        except Exception as fault:  # a fault in a thread would otherwise go unseen
            faults.append(fault)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert all(answer.equals(expected) for answer in answers)
    assert len(answers) == 4
