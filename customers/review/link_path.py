"""Links between records as a graph: what holds a person together, and the strongest path between two records."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from customers.decisions import Decision
from customers.identity import Link
from customers.linking import KEY_SYSTEMS
from customers.separation import strength_of
from customers.suppression import Key


@dataclass(frozen=True)
class Agreement:
    """What one field of two records that are alike says: `equal`, `close`, `alike` or `different`, in bits."""

    field: str
    agreement: str
    bits: float


@dataclass(frozen=True)
class Step:
    """A link between two records or keys; `decision` says whose it is, where somebody decided it."""

    left: Key
    right: Key
    rule: str
    probability: float
    linked_at: datetime
    state: str
    agreements: tuple[Agreement, ...] = ()
    decision: Decision | None = None


def _as_links(steps: Sequence[Step]) -> list[tuple[Link, Step]]:
    """The steps with links that say how strong each is, the strongest first."""
    number: dict[Key, int] = {}
    for key in sorted({key for step in steps for key in (step.left, step.right)}):
        number[key] = len(number)
    linked = [
        (
            Link(
                int(step.linked_at.timestamp() * 1e6), number[step.left], number[step.right], step.rule,
                step.rule == "similar" or not {step.left.system, step.right.system}.isdisjoint(KEY_SYSTEMS),
                step.probability,
            ),
            step,
        )
        for step in steps
    ]  # fmt: skip
    return sorted(linked, key=lambda pair: strength_of(pair[0]))


def spanning_links(steps: Sequence[Step]) -> list[Step]:
    """The strongest links that suffice to hold everything together."""
    root: dict[Key, Key] = {}

    def root_of(key: Key) -> Key:
        while (above := root.get(key, key)) != key:
            key = above
        return key

    found = []
    for _, step in _as_links(steps):
        left, right = root_of(step.left), root_of(step.right)
        if left != right:
            root[right] = left
            found.append(step)
    return found


def strongest_path(steps: Sequence[Step], start: Key, goal: Key) -> tuple[Step, ...]:
    """From one record to the other along the strongest links: the weakest on the way is as strong as can be.

    Of such paths the one with the fewest steps.
    """
    needed = {_name(step) for step in _along(spanning_links(steps), start, goal)}
    ordered = [step for _, step in _as_links(steps)]
    weakest = max((place for place, step in enumerate(ordered) if _name(step) in needed), default=-1)
    return tuple(_along(ordered[: weakest + 1], start, goal))


def _name(step: Step) -> tuple[frozenset[Key], str]:
    """The link whichever way it is walked."""
    return frozenset((step.left, step.right)), step.rule


def _along(steps: Iterable[Step], start: Key, goal: Key) -> list[Step]:
    """The fewest steps from one record to the other, by breadth-first search, each as it is walked."""
    doors: dict[Key, list[tuple[Key, Step]]] = {}
    for step in steps:
        doors.setdefault(step.left, []).append((step.right, step))
        doors.setdefault(step.right, []).append((step.left, step))
    came: dict[Key, tuple[Key, Step] | None] = {start: None}
    queue = [start]
    for key in queue:
        for onward, step in doors.get(key, ()):
            if onward not in came:
                came[onward] = (key, step)
                queue.append(onward)
    found: list[Step] = []
    back, onward = came.get(goal), goal
    while back is not None:
        found.append(replace(back[1], left=back[0], right=onward))
        onward, back = back[0], came[back[0]]
    return found[::-1]
