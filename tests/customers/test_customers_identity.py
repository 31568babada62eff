"""Union-find in time, held against the obvious way to do it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from customers.cleansing.name import comparable_name
from customers.identity import Interval, Link, NameFact, intervals_of, resolve_identities

NODES = 8
TARO, HANAKO = comparable_name("山田", "太郎"), comparable_name("佐藤", "花子")


@st.composite
def worlds(draw):
    known_at = draw(st.lists(st.integers(0, 20), min_size=NODES, max_size=NODES))
    pairs = draw(
        st.lists(st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1), st.integers(0, 30)), max_size=12)
    )
    links = [Link(max(time, known_at[a], known_at[b]), a, b, "email") for a, b, time in pairs]
    return known_at, links


def components(count, links):
    """The slow obvious way: spread the lowest number until nothing changes."""
    group = list(range(count))
    changed = True
    while changed:
        changed = False
        for link in links:
            low = min(group[link.left], group[link.right])
            for node in (link.left, link.right):
                if group[node] != low:
                    group[node], changed = low, True
    return group


def owners(intervals: list[Interval], time: int) -> dict[int, int]:
    """Whom each node belongs to at a time, by the rule linked_at < t and (ended_at is blank or ended_at >= t)."""
    found: dict[int, int] = {}
    for interval in intervals:
        if interval.linked_at < time and (interval.ended_at is None or interval.ended_at >= time):
            assert interval.node not in found, "a node belongs to two people at once"
            found[interval.node] = interval.founder
    return found


def partition(owned: dict[int, int]) -> set[frozenset[int]]:
    groups: dict[int, set[int]] = {}
    for node, founder in owned.items():
        groups.setdefault(founder, set()).add(node)
    return {frozenset(group) for group in groups.values()}


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_people_are_the_connected_components_of_what_was_known(world):
    known_at, links = world
    intervals = intervals_of(known_at, resolve_identities(known_at, links, []).merges)
    for time in range(32):
        owned = owners(intervals, time)
        assert set(owned) == {node for node in range(NODES) if known_at[node] < time}
        group = components(NODES, [link for link in links if link.time < time])
        expected: dict[int, set[int]] = {}
        for node in owned:
            expected.setdefault(group[node], set()).add(node)
        assert partition(owned) == {frozenset(nodes) for nodes in expected.values()}


@settings(max_examples=200, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(world, random):
    known_at, links = world
    shuffled = list(links)
    random.shuffle(shuffled)
    names = [NameFact(known_at[node], node, (TARO, HANAKO)[node % 2]) for node in range(0, NODES, 3)]
    assert (
        resolve_identities(known_at, links, names).merges
        == resolve_identities(known_at, shuffled, list(reversed(names))).merges
    )


@settings(max_examples=200, deadline=None)
@given(worlds(), st.integers(0, 30))
def test_what_becomes_known_later_changes_nothing_before(world, time):
    known_at, links = world
    names = [NameFact(known_at[node], node, (TARO, HANAKO)[node % 2]) for node in range(0, NODES, 3)]
    all_known = intervals_of(known_at, resolve_identities(known_at, links, names).merges)
    early = resolve_identities(
        known_at, [link for link in links if link.time < time], [fact for fact in names if fact.time < time]
    )
    assert owners(all_known, time) == owners(intervals_of(known_at, early.merges), time)


def test_a_person_keeps_the_name_of_the_node_that_was_known_first():
    merges = resolve_identities([5, 2, 9], [Link(10, 0, 1, "email"), Link(11, 2, 0, "cookie")], []).merges
    assert [(merge.younger, merge.elder) for merge in merges] == [(0, 1), (2, 1)]


def test_an_id_that_was_given_away_wins_over_one_that_was_not():
    merges = resolve_identities([5, 2], [Link(10, 0, 1, "email")], [], published=[True, False]).merges
    assert [(merge.younger, merge.elder) for merge in merges] == [(1, 0)]


def test_contradicting_names_keep_the_holders_of_a_mailbox_apart():
    names = [NameFact(1, 0, TARO), NameFact(2, 1, HANAKO)]
    links = [Link(1, 0, 2, "email"), Link(2, 1, 2, "email")]
    resolution = resolve_identities([1, 2, 1], links, names)
    assert [(merge.younger, merge.elder) for merge in resolution.merges] == [(2, 0)]
    assert resolution.refused == [links[1]]


def test_a_name_known_only_later_does_not_speak_against_a_link():
    names = [NameFact(1, 0, TARO), NameFact(3, 1, HANAKO)]
    links = [Link(1, 0, 2, "email"), Link(2, 1, 2, "email")]
    assert len(resolve_identities([1, 2, 1], links, names).merges) == 2


def test_a_system_s_own_link_is_believed_against_names():
    names = [NameFact(1, 0, TARO), NameFact(1, 1, HANAKO)]
    assert len(resolve_identities([1, 1], [Link(2, 0, 1, "lead_conversion", guarded=False)], names).merges) == 1
