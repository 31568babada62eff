"""From signals to stages: who moves where, taken in the order in which the signals became known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.lifecycle_settings import NO_STAGE, StageSettings
from customers.lifecycle.lives import EVER

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Ways:
    """Which moves there are, from stage (row; the last row: no stage yet) to stage (column).

    Attributes:
        by_deal: moves that deals may cause.
        otherwise: moves that everything else may cause.
        back: moves out of a side stage, or to a stage listed earlier: only what occurred afterwards causes them.
    """

    by_deal: Flags
    otherwise: Flags
    back: Flags


def ways_between(stages: Sequence[StageSettings]) -> Ways:
    """The moves that the configured stages allow."""
    names = [stage.name for stage in stages]
    mains = [place for place, stage in enumerate(stages) if not stage.side]
    nowhere, shape = len(stages), (len(stages) + 1, len(stages))
    by_deal, otherwise, back = (np.zeros(shape, dtype=np.bool_) for _ in range(3))
    for target, stage in enumerate(stages):
        if stage.after is None:
            origins = [place for place in mains[:-1] if place < target]
            origins += [place for place, other in enumerate(stages) if other.side]
            by_deal[:, target] = True
            otherwise[[*origins, nowhere], target] = True
        else:
            origins = [nowhere if name == NO_STAGE else names.index(name) for name in stage.after]
            by_deal[origins, target] = otherwise[origins, target] = True
        by_deal[target, target] = otherwise[target, target] = False
        back[:nowhere, target] = [other.side or target < place for place, other in enumerate(stages)]
    return Ways(by_deal, otherwise, back)


@dataclass(frozen=True)
class Signals:
    """What could move people, sorted by life and within it by when it became known; all columns equally long.

    Attributes:
        life: whose life, as a number.
        stage: the place of the stage that it leads into.
        by_deal: whether a deal is the cause.
        entered: when the stage would be entered, in microseconds.
        since: when the first of the facts behind it occurred.
    """

    life: Ints
    stage: Ints
    by_deal: Flags
    entered: Ints
    since: Ints


@dataclass(frozen=True)
class Moves:
    """The signals that moved somebody, by their places, and when each stage was entered (never before the last one)."""

    places: Ints
    entered: Ints


def follow(signals: Signals, ways: Ways) -> Moves:
    """Take every life through its signals, all lives at once and signal by signal.

    A signal that becomes known later is taken later, whenever it occurred: so nothing recorded later changes where
    somebody was believed to be before.
    """
    total = len(signals.life)
    if not total:
        return Moves(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    starts = np.flatnonzero(np.concatenate([[True], signals.life[1:] != signals.life[:-1]]))
    lengths = np.diff(np.append(starts, total))
    # The longest first: those that go on are always the first so many.
    longest = np.argsort(-lengths, kind="stable")
    starts, shortening = starts[longest], -lengths[longest]
    stage = np.full(len(starts), len(ways.back) - 1)
    entered, fresh_from = np.full(len(starts), EVER), np.full(len(starts), EVER)
    moved, told = np.zeros(total, dtype=np.bool_), np.zeros(total, dtype=np.int64)
    for step in range(-int(shortening[0])):
        going = slice(0, int(np.searchsorted(shortening, -step, side="left")))
        row = starts[going] + step
        here, target, deal, since = stage[going], signals.stage[row], signals.by_deal[row], signals.since[row]
        back = ways.back[here, target]
        way = np.where(deal, ways.by_deal[here, target], ways.otherwise[here, target])
        fresh = (since >= fresh_from[going]) & (~back | (since > entered[going]))
        moves = way & (deal | fresh)
        told[row] = np.maximum(signals.entered[row], entered[going])
        moved[row] = moves
        stage[going] = np.where(moves, target, here)
        entered[going] = np.where(moves, told[row], entered[going])
        fresh_from[going] = np.where(moves & back, told[row], fresh_from[going])
    places: Any = np.flatnonzero(moved)
    return Moves(places, told[places])
