"""How it went with people of the past who were alike in one thing, so that a reason can say so."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Of fewer people nothing is said: a handful proves nothing, and might be recognised.
LEAST_PEOPLE = 30


@dataclass(frozen=True)
class Alike:
    """People who were once alike in one thing, and how many of them came to the outcome within the horizon."""

    people: int
    won: int


@dataclass(frozen=True)
class ColumnExperience:
    """People by what they had in one column of the model.

    Attributes:
        edges: the highest number of each group, ascending; of a category the codes.
        people: by group, those without a number last; each person counts once in every group they were ever in.
        won: of these, how many came to the outcome within the horizon from there.
    """

    edges: tuple[float, ...]
    people: tuple[int, ...]
    won: tuple[int, ...]

    def alike(self, number: float) -> Alike:
        """Whoever was in the same group; numbers beyond the highest belong to the last one."""
        group = len(self.edges)
        if not math.isnan(number) and group:
            group = min(bisect_left(self.edges, number), group - 1)
        return Alike(self.people[group], self.won[group])


@dataclass(frozen=True)
class Experience:
    """The people whom a model learned from.

    Attributes:
        everybody: all of them.
        columns: in the order of the model's columns; empty where nothing was kept.
    """

    everybody: Alike
    columns: tuple[ColumnExperience, ...]

    def supporting(self, column: int, number: float, *, raises: bool) -> Alike | None:
        """People who were alike in a column, where they are enough and fared as a reason in that direction says.

        A column's part in a score holds beside all others. On its own it may look the other way round, and whoever
        reads both at once believes neither.
        """
        if column >= len(self.columns):
            return None
        alike = self.columns[column].alike(number)
        if alike.people < LEAST_PEOPLE:
            return None
        lean = alike.won * self.everybody.people - self.everybody.won * alike.people
        return alike if (lean > 0) is raises and lean != 0 else None

    def as_lists(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "everybody": [self.everybody.people, self.everybody.won],
            "columns": [[list(one.edges), list(one.people), list(one.won)] for one in self.columns],
        }

    @staticmethod
    def from_lists(stored: dict[str, Any]) -> "Experience":
        """As it was stored.

        >>> told = Experience(Alike(90, 9), (ColumnExperience((0.0, 5.0), (50, 40, 0), (1, 8, 0)),))
        >>> Experience.from_lists(told.as_lists()) == told
        True
        """
        columns: Sequence[list[list[Any]]] = stored["columns"]
        return Experience(
            Alike(*stored["everybody"]),
            tuple(ColumnExperience(tuple(edges), tuple(people), tuple(won)) for edges, people, won in columns),
        )
