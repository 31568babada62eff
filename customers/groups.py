"""Union-find in which some pairs never come together."""

from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Node = TypeVar("Node", bound=Hashable)


class Groups(Generic[Node]):
    """Nodes in groups; two groups that hold the two sides of a forbidden pair are never united.

    Args:
        apart: the forbidden pairs.

    >>> groups = Groups([("a", "c")])
    >>> groups.unite("a", "b"), groups.unite("b", "c")
    (None, ('a', 'c'))
    >>> groups.root("a") == groups.root("b"), groups.root("c")
    (True, 'c')
    """

    def __init__(self, apart: Iterable[tuple[Node, Node]]) -> None:
        self._parent: dict[Node, Node] = {}
        # By root: the forbidden companions of the group's members, each with the members that forbid it.
        self._enemies: dict[Node, dict[Node, set[Node]]] = {}
        self._fighters: dict[Node, set[Node]] = {}
        for one, other in apart:
            for node, enemy in ((one, other), (other, one)):
                self._enemies.setdefault(node, {}).setdefault(enemy, set()).add(node)
                self._fighters.setdefault(node, set()).add(node)

    def root(self, node: Node) -> Node:
        """The node that stands for the group."""
        parent = self._parent
        root = node
        while (above := parent.get(root, root)) != root:
            root = above
        while (above := parent.get(node, node)) != root:
            parent[node] = root
            node = above
        return root

    def forbidden(self, left: Node, right: Node) -> tuple[Node, Node] | None:
        """The first forbidden pair that the groups of two nodes would bring together; None where they may unite."""
        one, other = self.root(left), self.root(right)
        enemies, members = self._enemies.get(one), self._fighters.get(other)
        if not enemies or not members or one == other:
            return None
        met = enemies.keys() & members if len(enemies) <= len(members) else members & enemies.keys()
        if not met:
            return None
        found = [(theirs, enemy) for enemy in met for theirs in enemies[enemy]]
        return min(found, key=lambda pair: (str(pair[0]), str(pair[1])))

    def unite(self, left: Node, right: Node) -> tuple[Node, Node] | None:
        """Unite two groups under the left one's root, unless that is forbidden: then the pair that forbids it."""
        pair = self.forbidden(left, right)
        if pair is not None:
            return pair
        one, other = self.root(left), self.root(right)
        if one != other:
            self._parent[other] = one
            if gained := self._enemies.pop(other, None):
                own = self._enemies.setdefault(one, {})
                for enemy, theirs in gained.items():
                    own.setdefault(enemy, set()).update(theirs)
            if fighters := self._fighters.pop(other, None):
                self._fighters.setdefault(one, set()).update(fighters)
        return None
