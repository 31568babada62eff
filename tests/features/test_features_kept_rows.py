"""A second build counts only what changed, and makes the same rows as a build from nothing."""

import copy
import random
from datetime import UTC, datetime, timedelta

import pytest

from core.erasure import ForgottenPerson
from features.build import build_features
from features.erasure import count_in_features, erase_from_features
from features.person_marks import PERIOD

AT = datetime(2025, 3, 20, tzinfo=UTC)
TABLES = (
    "events",
    "attributes",
    "identities",
    "deal_stages",
    "deal_people",
    "deals",
    "contracts",
    "consents",
    "proofs",
)


def changed(world, rng, how_many):
    """The world after some rows were added, removed or altered, of any table and at any time."""
    after = copy.deepcopy(world)
    for number in range(how_many):
        rows = after[rng.choice(TABLES)]
        if not rows:
            continue
        place = rng.randrange(len(rows))
        row = rows[place]
        deed = rng.choice(["remove", "add", "move", "alter"])
        if deed == "remove" and "deal_id" not in row:
            del rows[place]
        elif deed == "add" and "deal_id" not in row and "linked_at" not in row:
            again = {**row, "recorded_at": row["recorded_at"] + timedelta(hours=rng.choice([0, 900]))}
            for key in {"event_id", "contract_id"} & again.keys():
                again[key] += f"-{number}"
            rows.append(again)
        elif deed == "move":
            key = rng.choice([key for key in row if key.endswith("_at") and row[key] is not None])
            row[key] += timedelta(days=rng.choice([-40, -1, 1, 40]))
        else:
            key = rng.choice(
                sorted({"value", "amount", "type", "stage", "outcome", "granted", "plan"} & row.keys()) or ["x"]
            )
            donor = rng.choice(rows)
            if key in row and row[key] is not None and donor.get(key) is not None:
                row[key] = donor[key]
    return after


@pytest.fixture
def months(moments_table):
    """Each of the world's people at the beginning of some months, as far as they are known then or not."""
    firsts = [datetime(2025, month, 1, tzinfo=UTC) for month in (1, 2, 3)]
    return lambda extra=(): moments_table([(f"c_{n:03d}", at) for n in range(26) for at in (*firsts, *extra)])


@pytest.mark.parametrize("seed", range(4))
def test_equal_to_a_build_from_nothing(
    seed, feature_settings, publish_tables, random_world, view_rows, months, tmp_path, monkeypatch
):
    monkeypatch.setattr("features.people_as_of.BATCH_MOMENTS", 60)
    rng = random.Random(seed)  # noqa: S311 - a seeded test world needs no secrecy
    world, kept = random_world(seed), []
    for day in range(3):
        workspace = publish_tables(home=tmp_path / "daily", **dict(world))
        daily = build_features(feature_settings, workspace, months([AT + timedelta(days=day)]))
        kept.append(daily.kept)
        anew = publish_tables(home=tmp_path / f"anew {day}", **dict(world))
        build = build_features(feature_settings, anew, months([AT + timedelta(days=day)]))
        assert build.kept == 0
        for view in daily.views:
            assert view_rows(workspace, view).equals(view_rows(anew, view)), view
        world = changed(world, rng, rng.choice([1, 5]))
    assert kept[0] == 0
    assert max(kept) > 26


def test_nothing_new_counts_nothing_and_other_settings_count_everything(
    feature_settings, publish_tables, random_world, months
):
    workspace = publish_tables(**random_world(3))
    asked = months()
    assert build_features(feature_settings, workspace, asked).kept == 0
    assert build_features(feature_settings, workspace, asked).kept == 78
    # A new moment is counted, one that nobody asks for any more is left out.
    assert build_features(feature_settings, workspace, asked.slice(1)).kept == 77
    assert build_features(feature_settings, workspace, asked).kept == 77
    other = feature_settings.model_copy(update={"timezone": "UTC"})
    assert build_features(other, workspace, asked).kept == 0


def test_what_is_recorded_later_leaves_earlier_moments_alone(feature_settings, publish_tables, random_world, months):
    world = random_world(5)
    build_features(feature_settings, publish_tables(**dict(world)), months([AT]))
    node = {key: world["events"][0][key] for key in ("system", "source_id", "customer_id")}
    later = datetime.fromtimestamp((AT.timestamp() * 1e6 // PERIOD + 1) * PERIOD / 1e6, UTC)
    visit = {**world["events"][0], **node, "event_id": "later", "occurred_at": later, "recorded_at": later}
    world["events"].append({**visit, "is_bot": False, "bot_since": None, "duplicate_of": None})
    assert build_features(feature_settings, publish_tables(**dict(world)), months([AT])).kept == 104


def test_a_killed_build_keeps_what_was_kept(feature_settings, publish_tables, random_world, months, monkeypatch):
    world = random_world(6)
    workspace = publish_tables(**dict(world))
    build_features(feature_settings, workspace, months())
    in_force = workspace.current("features")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("features.kept_rows.KeptRows.save", killed)
        with pytest.raises(KeyboardInterrupt):
            build_features(feature_settings, workspace, months([AT]))
    assert workspace.current("features") == in_force
    assert build_features(feature_settings, workspace, months([AT])).kept == 78


def test_marks_of_the_forgotten_are_erased(feature_settings, publish_tables, random_world, months):
    workspace = publish_tables(**random_world(7))
    build_features(feature_settings, workspace, months())
    gone = ForgottenPerson(("c_007",), ())
    assert count_in_features(feature_settings, workspace, gone)["person_marks"] > 0
    erase_from_features(feature_settings, workspace, gone)
    assert count_in_features(feature_settings, workspace, gone)["person_marks"] == 0
    assert all(b"c_007" not in path.read_bytes() for path in workspace.path("features").rglob("*.parquet"))
    # The others' rows still count as kept.
    assert build_features(feature_settings, workspace, months()).kept == 75
