"""The known causal model: hidden intent and deal stage of a buying unit, day by day.

A buying unit is one department of one company: usually a single person, sometimes with a colleague. Each day the unit
moves between states by a matrix that depends on its fit class and the month; each member of the unit then leaves a
Poisson number of traces of each kind, at rates that depend on the state alone. Days are business days of record: what
happens on a day is the moment at which some system *records* it. A trace that is said to have occurred earlier is
backdated by an independent delay, so that the record day is all the evidence there is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

HORIZON_DAYS: Final = 90

STATES: Final = (
    "dormant",
    "curious",
    "evaluating",
    "qualified_weak",
    "qualified_strong",
    "proposal_weak",
    "proposal_strong",
    "negotiation_weak",
    "negotiation_strong",
    "won",
)
WON: Final = STATES.index("won")
STATE_COUNT: Final = len(STATES)

NO_DEAL, QUALIFIED, PROPOSAL, NEGOTIATION, CLOSED_WON = range(5)
"""What a CRM shows of a state: the open stage, but not how strong the wish behind it is."""
STAGE_OF_STATE: Final[NDArray[np.int8]] = np.array([0, 0, 0, 1, 1, 2, 2, 3, 3, 4], dtype=np.int8)

TRACES: Final = ("page", "pricing", "compare", "form", "open", "click", "webinar", "trial", "call")
"""Kinds of traces, in the order of the rows of `TRACE_RATES`."""

WEB, KNOWN, MAIL = range(3)
EXPOSURE_OF_TRACE: Final[NDArray[np.int8]] = np.array(
    [WEB, WEB, WEB, KNOWN, MAIL, MAIL, KNOWN, KNOWN, KNOWN], dtype=np.int8
)
"""Which condition opens a kind of trace: being there at all, being known, or receiving newsletters."""

TRACE_RATES: Final[NDArray[np.float64]] = np.array(
    [
        # dorm   curious  eval    q-weak   q-strong p-weak   p-strong n-weak   n-strong won
        [0.0080, 0.0400, 0.0800, 0.0300, 0.0700, 0.0250, 0.0650, 0.0200, 0.0600, 0.0200],  # page
        [0.0004, 0.0030, 0.0180, 0.0040, 0.0180, 0.0040, 0.0200, 0.0040, 0.0200, 0.0010],  # pricing
        [0.0006, 0.0050, 0.0140, 0.0040, 0.0120, 0.0030, 0.0100, 0.0020, 0.0080, 0.0010],  # compare
        [0.0005, 0.0050, 0.0110, 0.0020, 0.0060, 0.0015, 0.0040, 0.0010, 0.0030, 0.0010],  # form
        [0.0070, 0.0220, 0.0300, 0.0150, 0.0250, 0.0120, 0.0220, 0.0120, 0.0220, 0.0150],  # open
        [0.0010, 0.0070, 0.0130, 0.0040, 0.0100, 0.0030, 0.0080, 0.0030, 0.0080, 0.0030],  # click
        [0.0004, 0.0040, 0.0070, 0.0020, 0.0050, 0.0010, 0.0030, 0.0010, 0.0020, 0.0010],  # webinar
        [0.0003, 0.0030, 0.0300, 0.0080, 0.0400, 0.0080, 0.0500, 0.0080, 0.0600, 0.1200],  # trial
        [0.0004, 0.0020, 0.0070, 0.0250, 0.0500, 0.0250, 0.0500, 0.0250, 0.0600, 0.0060],  # call
    ]
)
"""Expected traces of one member on an average day, by kind and state."""

WEEKDAY_WEIGHT: Final = 1.25
WEEKEND_WEIGHT: Final = 0.375

SEASON: Final[NDArray[np.float64]] = np.array(
    [0.94, 1.00, 1.14, 0.88, 0.94, 1.00, 0.97, 0.90, 1.13, 0.97, 1.01, 1.04], dtype=np.float64
)
"""January to December: fiscal years end in March, half-years in September."""

FIT_CLASSES: Final = 9
FIT_LIMIT: Final = 1.6
"""Fit is quantised to this many classes on [-FIT_LIMIT, FIT_LIMIT], so that one matrix serves a whole class."""

INITIAL: Final[NDArray[np.float64]] = np.array(
    [
        [0.86, 0.11, 0.03],  # in the database before the history starts
        [0.62, 0.31, 0.07],  # gave the address in a form
        [0.76, 0.20, 0.04],  # business card, list, referral
    ]
)
"""Chance of dormant, curious, evaluating on the first day, by the way of arrival."""


@dataclass(frozen=True)
class Dynamics:
    """Daily transition matrices.

    Attributes:
        known: shape (12 months, fit classes, states, states); rows sum to one.
        anonymous: the same before a unit is known, when no deal can open.
    """

    known: NDArray[np.float64]
    anonymous: NDArray[np.float64]


def fit_effect_of_class() -> NDArray[np.float64]:
    """Fit, in log-odds-like units, at the middle of each class."""
    return np.linspace(-FIT_LIMIT, FIT_LIMIT, FIT_CLASSES)


def fit_class(fit: NDArray[np.float64]) -> NDArray[np.int8]:
    """The class of a fit score, clipped to the known range."""
    step = 2 * FIT_LIMIT / (FIT_CLASSES - 1)
    return np.clip(np.rint((fit + FIT_LIMIT) / step), 0, FIT_CLASSES - 1).astype(np.int8)


def build_dynamics() -> Dynamics:
    """Transition matrices for every month and fit class.

    Returns:
        Matrices whose row is the state of yesterday and whose column is the state of today.
    """
    known = np.zeros((12, FIT_CLASSES, STATE_COUNT, STATE_COUNT))
    anonymous = np.zeros_like(known)
    for month in range(12):
        for index, fit in enumerate(fit_effect_of_class()):
            known[month, index] = _matrix(float(fit), float(SEASON[month]), deals_open=True)
            anonymous[month, index] = _matrix(float(fit), float(SEASON[month]), deals_open=False)
    return Dynamics(known, anonymous)


def _matrix(fit: float, season: float, *, deals_open: bool) -> NDArray[np.float64]:
    wish = float(np.exp(0.45 * fit))
    power = float(np.exp(0.30 * fit))
    opening = season * power if deals_open else 0.0
    close = season * power
    rates = {
        ("dormant", "curious"): 0.0060 * wish,
        ("curious", "dormant"): 0.030,
        ("curious", "evaluating"): 0.0130 * wish,
        ("evaluating", "curious"): 0.0200,
        ("evaluating", "dormant"): 0.0150,
        ("dormant", "qualified_weak"): 0.00025 * opening,
        ("curious", "qualified_weak"): 0.0020 * opening,
        ("evaluating", "qualified_strong"): 0.0240 * opening,
        ("qualified_weak", "qualified_strong"): 0.012,
        ("qualified_weak", "proposal_weak"): 0.040,
        ("qualified_weak", "dormant"): 0.026,
        ("qualified_weak", "curious"): 0.012,
        ("qualified_strong", "qualified_weak"): 0.015,
        ("qualified_strong", "proposal_strong"): 0.080,
        ("qualified_strong", "curious"): 0.018,
        ("proposal_weak", "proposal_strong"): 0.012,
        ("proposal_weak", "negotiation_weak"): 0.040,
        ("proposal_weak", "dormant"): 0.026,
        ("proposal_weak", "curious"): 0.010,
        ("proposal_strong", "proposal_weak"): 0.015,
        ("proposal_strong", "negotiation_strong"): 0.080,
        ("proposal_strong", "curious"): 0.018,
        ("negotiation_weak", "negotiation_strong"): 0.012,
        ("negotiation_weak", "won"): 0.0080 * close,
        ("negotiation_weak", "dormant"): 0.030,
        ("negotiation_weak", "curious"): 0.010,
        ("negotiation_strong", "negotiation_weak"): 0.015,
        ("negotiation_strong", "won"): 0.055 * close,
        ("negotiation_strong", "curious"): 0.018,
    }
    matrix = np.zeros((STATE_COUNT, STATE_COUNT))
    for (source, target), rate in rates.items():
        matrix[STATES.index(source), STATES.index(target)] = rate
    np.fill_diagonal(matrix, 1.0 - matrix.sum(axis=1))
    return matrix
