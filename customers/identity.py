"""Who is who, and since when: union-find over links in the order in which they became known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from customers.cleansing.name import PersonName, names_agree


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """Two nodes are one person, known since `time` (microseconds); a `guarded` link yields to contradicting names.

    `probability` is 1 for what a system or a shared key says, and lower for records that are merely alike. `until` is
    when somebody took back a decision for one person; everything else holds for good.
    """

    time: int
    left: int
    right: int
    rule: str
    guarded: bool = True
    probability: float = 1.0
    until: float = math.inf


@dataclass(frozen=True, slots=True)
class NameFact:
    """Since `time` a record is known to bear a name."""

    time: int
    node: int
    name: PersonName


@dataclass(frozen=True, slots=True)
class Merge:
    """The person founded by node `younger` became part of the one founded by node `elder`."""

    younger: int
    elder: int
    time: int
    rule: str
    probability: float = 1.0


@dataclass
class Resolution:
    """All merges in the order of time, the links that made them, and those that contradicting names forbade."""

    merges: list[Merge] = field(default_factory=list)
    joined: list[Link] = field(default_factory=list)
    refused: list[Link] = field(default_factory=list)


def resolve_identities(
    known_at: Sequence[int], links: Sequence[Link], names: Sequence[NameFact], published: Sequence[bool] | None = None
) -> Resolution:
    """Unite nodes into people, deciding each link only by what was known at its time.

    A person is named by its founder, the node that was known first. When two people turn out to be one, the elder
    keeps the name: first the one whose id an earlier generation `published`, then the one known longer, then the one
    whose founder has the lower number (number nodes in a stable order).

    Args:
        known_at: for each node since when it is known, in microseconds.
        links: what unites nodes, in any order.
        names: names of records, in any order; those known at a link's own time count.
        published: for each node whether its id was given away before.

    >>> resolution = resolve_identities([1, 2, 5], [Link(5, 1, 2, "email"), Link(9, 0, 2, "cookie")], [])
    >>> [(merge.younger, merge.elder, merge.time) for merge in resolution.merges]
    [(2, 1, 5), (1, 0, 9)]
    """
    parent = list(range(len(known_at)))
    founder = list(range(len(known_at)))
    known_names: dict[int, list[PersonName]] = {}
    agreement: dict[tuple[PersonName, PersonName], bool | None] = {}
    resolution = Resolution()

    def root_of(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    def contradict(left: int, right: int) -> bool:
        """Some names speak against one person and none for it."""
        doubt = False
        for left_name in known_names.get(left, ()):
            for right_name in known_names.get(right, ()):
                pair = (left_name, right_name)
                if pair not in agreement:
                    agreement[pair] = names_agree(left_name, right_name)
                if agreement[pair]:
                    return False
                doubt = doubt or agreement[pair] is False
        return doubt

    ordered_names = sorted(names, key=lambda fact: (fact.time, fact.node))
    position = 0
    # Of links known at the same moment the surest speaks first.
    for link in sorted(links, key=lambda link: (link.time, -link.probability, link)):
        while position < len(ordered_names) and ordered_names[position].time <= link.time:
            fact = ordered_names[position]
            owned = known_names.setdefault(root_of(fact.node), [])
            if fact.name not in owned:
                owned.append(fact.name)
            position += 1
        left, right = root_of(link.left), root_of(link.right)
        if left == right:
            continue
        if link.guarded and contradict(left, right):
            resolution.refused.append(link)
            continue
        elder, younger = sorted(
            (left, right),
            key=lambda root: (not (published and published[founder[root]]), known_at[founder[root]], founder[root]),
        )
        resolution.merges.append(Merge(founder[younger], founder[elder], link.time, link.rule, link.probability))
        resolution.joined.append(link)
        parent[younger] = elder
        if gained := known_names.pop(younger, None):
            owned = known_names.setdefault(elder, [])
            owned.extend(name for name in gained if name not in owned)
    return resolution


@dataclass(frozen=True, slots=True)
class Interval:
    """A node belonged to the person founded by `founder` from `linked_at` until `ended_at` (None: still).

    `probability` is that of the weakest link which led there.
    """

    node: int
    founder: int
    rule: str
    linked_at: int
    ended_at: int | None
    probability: float = 1.0


def intervals_of(known_at: Sequence[int], merges: Sequence[Merge]) -> list[Interval]:
    """For each node the people that it belonged to, one after the other, without gap or overlap.

    >>> for interval in intervals_of([1, 2], [Merge(1, 0, 9, "cookie")]):
    ...     print(interval.node, interval.founder, interval.linked_at, interval.ended_at)
    0 0 1 None
    1 1 2 9
    1 0 9 None
    """
    next_merge = {merge.younger: merge for merge in merges}
    # The founder of the person that a node joined when it became known: itself, unless a merge took it over before.
    intervals = []
    for node, first_known in enumerate(known_at):
        founder, since, rule, sure = node, first_known, "record", 1.0
        while (merge := next_merge.get(founder)) is not None:
            until = max(merge.time, since)
            # Belonging to nobody else for no time at all was never visible.
            if until > since:
                intervals.append(Interval(node, founder, rule, since, until, sure))
            founder, since, rule, sure = merge.elder, until, merge.rule, min(sure, merge.probability)
        intervals.append(Interval(node, founder, rule, since, None, sure))
    return intervals
