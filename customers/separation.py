"""People whom somebody's decision keeps apart: who is who from that decision on.

Links unite for good (`customers.identity`); a decision that two records are different people, or that one for the same
person was wrong, divides again. From then on the people concerned are made anew at each moment at which that may change
anything, from the links of that moment, the strongest first: a link that would bring together two who were told apart
is left out. So on every path between the two the weakest link is cut, and each record stays on the side that it is
tied to more strongly, whatever the order in which rows arrive. Nobody else is touched.

Whether names forbid a link is decided once, at its own time, by the names of the people as they are then.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from customers.cleansing.name import PersonName, names_agree
from customers.groups import Groups
from customers.identity import Interval, Link, Merge, NameFact, Resolution

DECISION = "decision"
# What ties more strongly comes first: what people decided, what systems say themselves, then keys by how seldom people
# share them, then likeness. A link between two keys that a source knows of lies between.
_STRENGTH = {DECISION: 0, "login": 2, "email": 3, "cookie": 5, "similar": 6}
_OF_SYSTEM, _OF_SOURCE = 1, 4


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision about two nodes, in force from `time` until `ended` (microseconds)."""

    left: int
    right: int
    same: bool
    time: int
    ended: float = math.inf


@dataclass(frozen=True, slots=True)
class Split:
    """The person founded by node `new` left the one founded by `old`."""

    old: int
    new: int
    time: int


@dataclass
class Separation:
    """What becomes of the nodes that decisions touch: it stands in the place of what links alone say of them.

    `states` says of their links, by nodes and rule, how they fare today.
    """

    nodes: set[int] = field(default_factory=set)
    intervals: list[Interval] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    splits: list[Split] = field(default_factory=list)
    states: dict[tuple[int, int, str], str] = field(default_factory=dict)


def strength_of(link: Link) -> tuple[int, float, int, int, int, str]:
    """Sorts the strongest link first; of two that are equally strong the one known longer."""
    told = _OF_SOURCE if link.guarded else _OF_SYSTEM
    return _STRENGTH.get(link.rule, told), -link.probability, link.time, link.left, link.right, link.rule


def separate_people(
    known_at: Sequence[int],
    links: Sequence[Link],
    resolution: Resolution,
    names: Sequence[NameFact],
    rulings: Sequence[Ruling],
    published: Sequence[bool] | None = None,
) -> Separation:
    """Divide the people whom links unite although a decision keeps them apart.

    People whom no such decision touches are passed over, however many they are.

    Args:
        known_at: for each node since when it is known, in microseconds.
        links: all that unites nodes, decisions for one person among them (rule `decision`).
        resolution: what the links alone make of the nodes.
        names: names of records, in any order; a link heeds those known at its own time.
        rulings: all decisions about nodes that exist.
        published: for each node whether its id was given away before.
    """
    separation = Separation()
    troubles = [ruling for ruling in rulings if not ruling.same or ruling.ended < math.inf]
    if not troubles:
        return separation
    final = _final_founders(len(known_at), resolution.merges)
    starts = _starts(troubles, final, resolution.refused)
    if not starts:
        return separation
    refused = {id(link) for link in resolution.refused}
    circles = {circle: _Circle(start, known_at, published) for circle, start in set(starts.values())}
    circle_of = [circles[starts[founder][0]] if founder in starts else None for founder in final]
    for node, circle in enumerate(circle_of):
        if circle is not None:
            circle.nodes.append(node)
    for link in links:
        circle = circle_of[link.left]
        # What names forbade before the first decision stays forbidden; later links meet other people than before.
        if circle is None or circle is not circle_of[link.right]:
            continue
        if id(link) not in refused or link.time > circle.start:
            circle.links.append(link)
    for merge in resolution.merges:
        if (circle := circle_of[merge.younger]) is not None:
            circle.merges.append(merge)
    for fact in names:
        if (circle := circle_of[fact.node]) is not None:
            circle.names.setdefault(fact.node, []).append(fact)
    for ruling in troubles:
        if (circle := circle_of[ruling.left]) is not None and circle is circle_of[ruling.right]:
            circle.troubles.append(ruling)
    for circle in circles.values():
        circle.tell(separation)
    return separation


def _final_founders(count: int, merges: Sequence[Merge]) -> list[int]:
    """For each node the founder of the person that it ends in."""
    final = list(range(count))
    for merge in reversed(merges):
        final[merge.younger] = final[merge.elder]
    return final


def _starts(troubles: Iterable[Ruling], final: Sequence[int], refused: Sequence[Link]) -> dict[int, tuple[int, int]]:
    """By founder of a person concerned: which circle of people it belongs to, and when its first trouble begins.

    Where names forbade a link after that, the person on its other side belongs to the circle as well: the names may
    have been those of somebody who is another person now.
    """
    first: dict[int, float] = {}
    for ruling in troubles:
        founder = final[ruling.left]
        if founder == final[ruling.right]:
            begins = _begins(ruling)
            first[founder] = min(begins, first.get(founder, math.inf))
    circles: Groups[int] = Groups(())
    concerned = set(first)
    for link in refused:
        sides = (final[link.left], final[link.right])
        if any(link.time > first.get(side, math.inf) for side in sides):
            circles.unite(*sides)
            concerned.update(sides)
    begins_at: dict[int, float] = {}
    for founder, begins in first.items():
        circle = circles.root(founder)
        begins_at[circle] = min(begins, begins_at.get(circle, math.inf))
    return {founder: (circles.root(founder), int(begins_at[circles.root(founder)])) for founder in concerned}


def _begins(ruling: Ruling) -> float:
    """Since when a decision divides: one against one person when it is made, one for it when it is taken back."""
    return ruling.ended if ruling.same else ruling.time


class _Circle:
    """Nodes that links tie together, from the first decision that divides them on."""

    def __init__(self, start: int, known_at: Sequence[int], published: Sequence[bool] | None) -> None:
        self.start = start
        self.nodes: list[int] = []
        self.links: list[Link] = []
        self.merges: list[Merge] = []
        self.troubles: list[Ruling] = []
        self.names: dict[int, list[NameFact]] = {}
        self._known_at = known_at
        self._published = published
        self._accepted: set[int] = set()
        self._agreement: dict[tuple[PersonName, PersonName], bool | None] = {}
        self._open: dict[int, tuple[int, str, int, float]] = {}

    def tell(self, separation: Separation) -> None:
        """Add what becomes of the circle's nodes."""
        self._begin(separation)
        self._strongest = sorted(self.links, key=strength_of)
        # In the order in which links alone are heard: whom no decision touches, they treat as ever.
        arriving = sorted(self.links, key=lambda link: (link.time, -link.probability, link))
        turns = {moment for ruling in self.troubles for moment in (ruling.time, ruling.ended)}
        turns |= {self.start, *(link.until for link in self.links)}
        marks = sorted(moment for moment in turns | {link.time for link in arriving} if self.start <= moment < math.inf)
        place = bisect_right(arriving, self.start - 1, key=lambda link: link.time)
        self._accepted.update(id(link) for link in arriving[:place])
        for moment in marks:
            behind, place = place, bisect_right(arriving, moment, key=lambda link: link.time)
            self._moved: list[int] = []
            if moment in turns:
                self._resolve(moment)
            forbidden = False
            for link in arriving[behind:place]:
                if not link.guarded or not self._contradict(link):
                    self._accepted.add(id(link))
                    forbidden |= moment < link.until and not self._unite(link)
            if forbidden:
                self._resolve(moment)
            self._note(int(moment), separation)
        separation.nodes.update(self.nodes)
        for node in self.nodes:
            founder, rule, since, sure = self._open[node]
            separation.intervals.append(Interval(node, founder, rule, since, None, sure))
        self._judge(separation)

    def _begin(self, separation: Separation) -> None:
        """What links alone said until the start."""
        before = [merge for merge in self.merges if merge.time < self.start]
        next_merge = {merge.younger: merge for merge in before}
        separation.merges.extend(before)
        for node in self.nodes:
            founder, rule, since, sure = node, "record", self._known_at[node], 1.0
            while (merge := next_merge.get(founder)) is not None:
                until = max(merge.time, since)
                if until > since:
                    separation.intervals.append(Interval(node, founder, rule, since, until, sure))
                founder, rule, since, sure = merge.elder, merge.rule, until, min(sure, merge.probability)
            self._open[node] = (founder, rule, since, sure)

    def _resolve(self, moment: float) -> None:
        """Who is who by all that is in force at a moment, the strongest link first."""
        self._groups: Groups[int] = Groups(
            (ruling.left, ruling.right)
            for ruling in self.troubles
            if not ruling.same and ruling.time <= moment < ruling.ended
        )
        self._members = {node: [node] for node in self.nodes}
        self._called = {node: list(facts) for node, facts in self.names.items()}
        self._tied: dict[int, tuple[str, float]] = {}
        for link in self._strongest:
            if id(link) in self._accepted and moment < link.until:
                self._unite(link)
        self._moved = list(self.nodes)

    def _unite(self, link: Link) -> bool:
        """Let a link unite two people unless a decision forbids it."""
        groups = self._groups
        left, right = groups.root(link.left), groups.root(link.right)
        if left == right:
            return True
        if groups.forbidden(left, right) is not None:
            return False
        elder, younger = sorted((left, right), key=self._rank)
        groups.unite(elder, younger)
        followers = self._members.pop(younger)
        for node in followers:
            self._tied[node] = (link.rule, min(link.probability, self._tied.get(node, ("", 1.0))[1]))
        self._members[elder].extend(followers)
        self._moved.extend(followers)
        if gained := self._called.pop(younger, None):
            self._called.setdefault(elder, []).extend(gained)
        return True

    def _rank(self, node: int) -> tuple[bool, int, int]:
        return not (self._published and self._published[node]), self._known_at[node], node

    def _contradict(self, link: Link) -> bool:
        """Of the names known at a link's time some speak against one person and none for it."""
        left, right = self._groups.root(link.left), self._groups.root(link.right)
        if left == right:
            return False
        names, theirs = (
            {fact.name for fact in self._called.get(side, ()) if fact.time <= link.time} for side in (left, right)
        )
        doubt = False
        for name in names:
            for other in theirs:
                pair = (name, other)
                if pair not in self._agreement:
                    self._agreement[pair] = names_agree(name, other)
                if self._agreement[pair]:
                    return False
                doubt = doubt or self._agreement[pair] is False
        return doubt

    def _note(self, moment: int, separation: Separation) -> None:
        """Write down who belongs to somebody else since a moment, and which ids came and went."""
        for node in dict.fromkeys(self._moved):
            founder, rule, since, sure = self._open[node]
            now = self._groups.root(node)
            if now == founder:
                continue
            if moment > since:
                separation.intervals.append(Interval(node, founder, rule, since, moment, sure))
            tied_by, tied = self._tied.get(node, (DECISION, 1.0)) if now != node else (DECISION, 1.0)
            self._open[node] = (now, tied_by, moment, tied)
            if founder == node:
                separation.merges.append(Merge(node, now, moment, tied_by, tied))
            elif now == node:
                separation.splits.append(Split(founder, node, moment))

    def _judge(self, separation: Separation) -> None:
        """How each link fares today."""
        tree: Groups[int] = Groups(())
        for link in self._strongest:
            if link.until < math.inf:
                continue
            if id(link) not in self._accepted:
                state = "names"
            elif self._groups.root(link.left) != self._groups.root(link.right):
                state = DECISION
            elif tree.root(link.left) == tree.root(link.right):
                state = "further"
            else:
                tree.unite(link.left, link.right)
                state = "joined"
            separation.states[link.left, link.right, link.rule] = state


def rulings_of(history: Mapping[tuple[int, int], Sequence[tuple[int, str]]]) -> list[Ruling]:
    """For each pair of nodes its decisions as times in which each is in force.

    Args:
        history: by pair the moments and verdicts, in the order of time; of several at one moment the last one holds.

    >>> rulings_of({(0, 1): [(5, "same"), (9, "different"), (9, "withdrawn")]})
    [Ruling(left=0, right=1, same=True, time=5, ended=9)]
    """
    found = []
    for (left, right), told in history.items():
        at = dict(told)
        moments = sorted(at)
        for moment, ended in zip(moments, [*moments[1:], math.inf], strict=True):
            if at[moment] != "withdrawn":
                found.append(Ruling(left, right, at[moment] == "same", moment, ended))
    return found
