"""What the losses of the epochs say: overfitting, or a loss still falling when the epochs ended.

The guide: overfitting is "when a model is so tuned to the training examples that it is not able to
generalize well".

Pure Python on lists of numbers, so that training asks after every epoch and the report shades what was
found. Levels are compared as logarithms, in units of the noise from epoch to epoch; the constants were
chosen on simulated curves of known kind (`tests/evaluation/test_curves.py`), which hold the rates of false
alarms and of curves named in time.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

USUAL_NOISE = 0.02  # relative noise of a tuning loss, believed until the curve itself has shown its own
BELIEF = 4  # epochs of evidence that the usual noise is worth
STEP = 3.0  # the mean of two epochs counts as risen from this many noises on,
CLIMB = 2.5  # and three rises in a row from this many on,
LENGTH = 0.4  # each more by this for every e-fold of epochs, as a long curve has more chances to err;
RISE = 0.05  # and never below this share of the lowest loss
LEVEL = 0.01  # a tuning loss that falls by less than this share an epoch is level
FALL = 0.03  # training must have fallen by this share meanwhile
TINY = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfitting:
    """`since` is the epoch, from 1, with the lowest tuning loss; losses there and at the latest epoch.

    `noises` is the rise of the tuning loss in units of its noise from epoch to epoch.
    """

    since: int
    train_then: float
    train_now: float
    tuning_then: float
    tuning_now: float
    noises: float


def noise(levels: Sequence[float]) -> float:
    """The deviation of one level about a smooth curve, from third differences and what is usual.

    A parabola has none of its own, so only what is believed beforehand remains:

    >>> round(noise([0.0, 1.0, 4.0, 9.0, 16.0, 25.0]), 4)
    0.0151
    """
    bends = [
        abs(a - 3 * b + 3 * c - d)
        for a, b, c, d in zip(levels, levels[1:], levels[2:], levels[3:], strict=False)
    ]
    own = statistics.fmean(bends) / (math.sqrt(20) * math.sqrt(2 / math.pi)) if bends else 0.0
    return math.sqrt((len(bends) * own**2 + BELIEF * USUAL_NOISE**2) / (len(bends) + BELIEF))


def overfitting(train: Sequence[float], tuning: Sequence[float]) -> Overfitting | None:
    """Whether the training loss fell while the tuning loss rose, as of the latest of at least three epochs.

    >>> found = overfitting([1.1, 0.6, 0.4, 0.3, 0.2, 0.12], [1.1, 0.6, 0.41, 0.48, 0.55, 0.63])
    >>> found.since, found.train_then, found.train_now
    (3, 0.4, 0.12)
    """
    if not all(map(math.isfinite, (*train, *tuning))):
        return None
    levels = _logarithms(tuning)
    best = min(range(len(levels)), key=lambda epoch: levels[epoch], default=0)
    if len(levels) - best < 3:
        return None
    unit = noise(levels)
    longer = LENGTH * math.log(len(levels))
    rise = statistics.fmean(levels[-2:]) - levels[best]
    climb = levels[-1] - levels[best]
    last = levels[max(best, len(levels) - 4) :]
    climbing = len(last) == 4 and all(before < after for before, after in itertools.pairwise(last))
    risen = rise >= max((STEP + longer) * unit, RISE)
    climbed = climbing and climb >= max((CLIMB + longer) * unit, RISE)
    fell = train[best] - train[-1] >= FALL * train[best]
    if not (fell and (risen or climbed)):
        return None
    return Overfitting(
        since=best + 1,
        train_then=train[best],
        train_now=train[-1],
        tuning_then=tuning[best],
        tuning_now=tuning[-1],
        noises=max(rise, climb) / unit,
    )


def still_falling(tuning: Sequence[float]) -> float | None:
    """The share of the tuning loss that an epoch still took off at the end; None where it was level.

    Judged on the last third, four epochs at least, of six or more; below 1 % an epoch, or within the noise,
    is level.

    >>> still_falling([2.0, 1.8, 1.62, 1.46, 1.31, 1.18, 1.06, 0.96])
    0.0987...
    >>> still_falling([2.0, 1.0, 0.7, 0.61, 0.60, 0.60, 0.60, 0.60])
    """
    if len(tuning) < 6 or not all(map(math.isfinite, tuning)):
        return None
    levels = _logarithms(tuning)
    last = levels[-max(4, len(levels) // 3) :]
    slope = statistics.linear_regression(range(len(last)), last).slope
    spread = math.sqrt((len(last) ** 3 - len(last)) / 12)
    falling = slope + 2 * noise(levels) / spread < 0 and min(levels) >= min(levels[-2:])
    share = 1 - math.exp(slope)
    return share if falling and share >= LEVEL else None


def _logarithms(losses: Sequence[float]) -> list[float]:
    return [math.log(max(loss, TINY)) for loss in losses]
