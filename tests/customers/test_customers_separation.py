"""What people decided holds against every link, from the moment of the decision on, in any order of arrival."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from customers.cleansing.name import comparable_name
from customers.identity import Link, NameFact, intervals_of, resolve_identities
from customers.separation import Ruling, Split, rulings_of, separate_people, strength_of

NODES = 7
TARO, HANAKO = comparable_name("山田", "太郎"), comparable_name("佐藤", "花子")
RULES = (("email", True, 1.0), ("cookie", True, 1.0), ("lead_conversion", False, 1.0), ("similar", True, 0.96))


def told(known_at, links, names, rulings, published=None):
    """The intervals of all nodes, and what became of the decisions."""
    for ruling in rulings:
        since = max(ruling.time, known_at[ruling.left], known_at[ruling.right])
        if ruling.same and since < ruling.ended:
            links = [*links, Link(since, ruling.left, ruling.right, "decision", False, 1.0, ruling.ended)]
    resolution = resolve_identities(known_at, links, names, published)
    separation = separate_people(known_at, links, resolution, names, rulings, published)
    intervals = [row for row in intervals_of(known_at, resolution.merges) if row.node not in separation.nodes]
    return [*intervals, *separation.intervals], separation, links


def owners(intervals, time):
    found = {}
    for interval in intervals:
        if interval.linked_at < time and (interval.ended_at is None or interval.ended_at >= time):
            assert interval.node not in found, "a node belongs to two people at once"
            found[interval.node] = interval.founder
    return found


def partition(owned):
    groups = {}
    for node, founder in owned.items():
        groups.setdefault(founder, set()).add(node)
    return {frozenset(group) for group in groups.values()}


@st.composite
def worlds(draw, names=True):
    known_at = draw(st.lists(st.integers(0, 20), min_size=NODES, max_size=NODES))
    two = st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)).filter(lambda pair: pair[0] != pair[1])
    drawn = draw(st.lists(st.tuples(two, st.integers(0, 30), st.sampled_from(RULES)), max_size=14))
    links = {(a, b, rule[0]): Link(max(time, known_at[a], known_at[b]), a, b, *rule) for (a, b), time, rule in drawn}
    history = {}
    for (a, b), time, verdict in draw(
        st.lists(st.tuples(two, st.integers(0, 30), st.sampled_from(["same", "different", "withdrawn"])), max_size=6)
    ):
        history.setdefault((min(a, b), max(a, b)), {})[time] = verdict
    rulings = rulings_of({pair: sorted(at.items()) for pair, at in history.items()})
    facts = []
    if names:
        for node, time, name in draw(
            st.lists(
                st.tuples(st.integers(0, NODES - 1), st.integers(0, 30), st.sampled_from([TARO, HANAKO])), max_size=4
            )
        ):
            facts.append(NameFact(max(time, known_at[node]), node, name))
    return known_at, list(links.values()), facts, rulings


def obvious(known_at, links, rulings, time):
    """The slow obvious way, without names: the strongest link first, looking at all pairs that were told apart."""
    apart = [(r.left, r.right) for r in rulings if not r.same and r.time < time <= r.ended]
    group = {node: {node} for node in range(NODES) if known_at[node] < time}
    for link in sorted((link for link in links if link.time < time <= link.until), key=strength_of):
        left, right = group[link.left], group[link.right]
        both = left | right
        if left is not right and not any(a in both and b in both for a, b in apart):
            for node in both:
                group[node] = both
    return {frozenset(nodes) for nodes in group.values()}


@settings(max_examples=400)
@given(worlds(names=False))
def test_people_are_what_the_strongest_links_make_of_them(world):
    intervals, _, links = told(*world)
    known_at, _, _, rulings = world
    for time in range(33):
        assert partition(owners(intervals, time)) == obvious(known_at, links, rulings, time)


@settings(max_examples=400)
@given(worlds())
def test_who_was_told_apart_is_never_one_person_and_who_was_joined_always_is(world):
    known_at, _, _, rulings = world
    intervals, _, _ = told(*world)
    for time in range(33):
        owned = owners(intervals, time)
        assert set(owned) == {node for node in range(NODES) if known_at[node] < time}
        in_force = [r for r in rulings if r.time < time <= r.ended and {r.left, r.right} <= set(owned)]
        apart = [(r.left, r.right) for r in in_force if not r.same]
        joined = {node: {node} for node in owned}
        for ruling in in_force:
            if ruling.same:
                both = joined[ruling.left] | joined[ruling.right]
                joined |= dict.fromkeys(both, both)
        for ruling in in_force:
            one = owned[ruling.left] == owned[ruling.right]
            if not ruling.same:
                assert not one
            elif not any(a in joined[ruling.left] and b in joined[ruling.left] for a, b in apart):
                assert one


@settings(max_examples=300)
@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(world, random):
    known_at, links, names, rulings = world
    shuffled = [list(rows) for rows in (links, names, rulings)]
    for rows in shuffled:
        random.shuffle(rows)
    intervals, separation, _ = told(known_at, links, names, rulings)
    again, other, _ = told(known_at, *shuffled)
    assert set(intervals) == set(again)
    assert set(separation.splits) == set(other.splits)
    assert separation.states == other.states


@settings(max_examples=300)
@given(worlds(), st.integers(0, 31))
def test_what_is_decided_later_changes_nothing_before(world, time):
    known_at, links, names, rulings = world
    intervals, _, _ = told(known_at, links, names, rulings)
    early = [
        Ruling(r.left, r.right, r.same, r.time, r.ended if r.ended < time else math.inf)
        for r in rulings
        if r.time < time
    ]
    before, _, _ = told(
        known_at, [link for link in links if link.time < time], [fact for fact in names if fact.time < time], early
    )
    assert owners(intervals, time) == owners(before, time)


@settings(max_examples=300)
@given(worlds())
def test_merges_and_splits_lead_from_the_people_of_one_moment_to_those_of_the_next(world):
    """Whoever follows the log of ids from the beginning knows who exists at the end."""
    known_at, _, _, _ = world
    intervals, separation, links = told(*world)
    resolution = resolve_identities(known_at, links, world[2])
    merges = [merge for merge in resolution.merges if merge.younger not in separation.nodes] + separation.merges
    alive = set(range(NODES))
    steps = [(merge.time, 0, merge.younger) for merge in merges]
    steps += [(split.time, 1, split.new) for split in separation.splits]
    for _, kind, node in sorted(steps):
        if kind == 0:
            alive.remove(node)
        else:
            alive.add(node)
    assert alive == set(owners(intervals, 99).values())


@settings(max_examples=400)
@given(worlds())
def test_whom_no_decision_divides_is_what_links_alone_make_of_them(world):
    known_at, _, names, rulings = world
    intervals, _, links = told(*world)
    alone = intervals_of(known_at, resolve_identities(known_at, links, names).merges)
    # Who is cut off from a name that contradicted may be joined by others: with names, whatever is linked plays a part.
    ends = [(link.left, link.right) for link in links]
    shape = (len(known_at), len(known_at))
    linked = connected_components(coo_array((np.ones(len(ends)), tuple(zip(*ends, strict=True)) or ((), ())), shape))[1]
    for time in range(33):
        owned = owners(intervals, time)
        troubles = [r for r in rulings if (r.ended if r.same else r.time) < time]
        for group in partition(owners(alone, time)):
            near = set(np.flatnonzero(linked == linked[min(group)]).tolist()) if names else group
            if not any({r.left, r.right} <= near for r in troubles):
                assert len({owned[node] for node in group}) == 1


def test_the_weakest_link_on_every_path_is_cut():
    # 0 and 1 share a browser (2) and a mailbox (3); 1 has its own login (4).
    links = [
        Link(1, 0, 2, "cookie"),
        Link(2, 1, 2, "cookie"),
        Link(3, 0, 3, "email"),
        Link(2, 1, 3, "email"),
        Link(2, 1, 4, "login"),
    ]
    intervals, separation, _ = told([0] * 5, links, [], [Ruling(0, 1, False, 10)])
    assert partition(owners(intervals, 10)) == {frozenset(range(5))}
    # The mailbox was known to be 1's first; the browser, which ties less, goes with whoever used it first.
    assert partition(owners(intervals, 11)) == {frozenset({0, 2}), frozenset({1, 3, 4})}
    assert separation.splits == [Split(0, 1, 10)]
    assert separation.states[0, 3, "email"] == separation.states[1, 2, "cookie"] == "decision"
    assert separation.states[0, 2, "cookie"] == separation.states[1, 4, "login"] == "joined"


def test_a_decision_that_was_taken_back_divides_again():
    intervals, separation, _ = told([1, 2], [], [], [Ruling(0, 1, True, 5, 8)])
    assert [partition(owners(intervals, time)) for time in (5, 6, 8, 9)] == [
        {frozenset({0}), frozenset({1})},
        {frozenset({0, 1})},
        {frozenset({0, 1})},
        {frozenset({0}), frozenset({1})},
    ]
    assert separation.splits == [Split(0, 1, 8)]


def test_names_are_asked_anew_once_people_are_divided():
    # Mailbox 2 was 0's and 1's; 1 turned out to be Hanako. Taro's new record 3 at the mailbox is 0's, not hers.
    names = [NameFact(5, 1, HANAKO), NameFact(20, 3, TARO)]
    links = [Link(1, 0, 2, "email"), Link(2, 1, 2, "email"), Link(20, 3, 2, "email")]
    intervals, _, _ = told([0, 0, 0, 20], links, names, [])
    assert partition(owners(intervals, 21)) == {frozenset({0, 1, 2}), frozenset({3})}
    intervals, _, _ = told([0, 0, 0, 20], links, names, [Ruling(0, 1, False, 10)])
    assert partition(owners(intervals, 21)) == {frozenset({0, 2, 3}), frozenset({1})}


def test_the_older_id_stays_with_the_side_that_founded_it():
    links = [Link(5, 0, 1, "email")]
    intervals, separation, _ = told([3, 1], links, [], [Ruling(0, 1, False, 9)])
    assert owners(intervals, 9) == {0: 1, 1: 1}
    assert owners(intervals, 10) == {0: 0, 1: 1}
    assert separation.splits == [Split(1, 0, 9)]


def test_untouched_people_are_left_to_their_links():
    links = [Link(5, 0, 1, "email"), Link(5, 2, 3, "email")]
    _, separation, _ = told([0] * 4, links, [], [Ruling(0, 1, False, 9), Ruling(1, 2, False, 9)])
    assert separation.nodes == {0, 1}
