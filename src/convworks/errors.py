"""What went wrong, where, and what would mend it: every error that Convworks raises on purpose.

    ConvworksError            what was found, what was expected, what would fix it
    ├── DataError             a folder, a CSV, an annotation, a split
    │   └── DecodeError       one image that cannot be read
    ├── RecipeError           a knob that does not exist or is out of range
    ├── NetError              a layer or a notation that cannot be
    ├── ModelFileError        a model, a checkpoint or an export that is not what it should be
    ├── WeightsError          pretrained weights that cannot be had or do not fit
    ├── RunError              a run folder that is taken, missing, or does not match
    ├── DeviceError           a device that this machine does not have
    ├── StorageError          a disk that is full, a folder that cannot be written
    ├── DivergedError         a loss, gradient or weight that is not finite
    └── TeamError             a rank that died, hung, or disagreed

The command line exits with the error's own code: 2 for what the user can mend, 3 for what failed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConvworksError",
    "DataError",
    "DecodeError",
    "DeviceError",
    "DivergedError",
    "ModelFileError",
    "NetError",
    "RecipeError",
    "RunError",
    "StorageError",
    "TeamError",
    "WeightsError",
    "nearest",
    "unknown",
]


class ConvworksError(Exception):
    """A mistake or a misfortune, said in words.

    `found` is one sentence that names the thing and the place (file, line, field); `expected` and `fix` are each
    a sentence or empty. The command line prints the three and exits with `exit_code`.
    """

    exit_code = 2

    def __init__(self, found: str, *, expected: str = "", fix: str = "") -> None:
        self.found, self.expected, self.fix = found, expected, fix
        lines = [found]
        if expected:
            lines.append(f"Expected: {expected}")
        if fix:
            lines.append(f"Fix: {fix}")
        super().__init__("\n".join(lines))


class DataError(ConvworksError):
    """A folder, a table, an annotation or a split that cannot be used as it is."""


class DecodeError(DataError):
    """One image that cannot be read; it is set aside, named and counted, and the others go on."""


class RecipeError(ConvworksError):
    """A knob that does not exist, has the wrong type, or lies outside its range."""


class NetError(ConvworksError):
    """A layer whose sizes are impossible, or a notation that cannot be parsed."""


class ModelFileError(ConvworksError):
    """A model, checkpoint or export that is damaged, foreign, or from another version."""


class WeightsError(ConvworksError):
    """Pretrained weights that cannot be had here, or that do not fit the net."""


class RunError(ConvworksError):
    """A run folder that is taken, missing, or does not match what was asked."""


class DeviceError(ConvworksError):
    """A device that this machine does not have."""


class StorageError(ConvworksError):
    """A disk that is full, or a folder that cannot be written."""

    exit_code = 3


class DivergedError(ConvworksError):
    """A loss, gradient or weight that is not finite, and stayed so at smaller learning rates."""

    exit_code = 3


class TeamError(ConvworksError):
    """One of several processes died, hung, or disagreed with the others."""

    exit_code = 3


def nearest(name: str, options: Iterable[str]) -> str | None:
    """The option most like `name`, or None where none is near.

    >>> nearest("resnet5o", ["resnet18", "resnet50"])
    'resnet50'
    """
    known = list(options)
    exact = [option for option in known if option.lower() == name.lower()]
    return exact[0] if exact else next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.6)), None)


def unknown(
    kind: str, name: str, options: Iterable[str], error: type[ConvworksError] = RecipeError
) -> ConvworksError:
    """The error for a name that is not among `options`: names the nearest, or lists what there is.

    >>> print(unknown("pooling", "maxx", ["max", "average", "l2"]))
    There is no pooling "maxx".
    Expected: one of average, l2, max
    Fix: did you mean "max"?
    """
    known = sorted(options)
    guess = nearest(name, known)
    shown = ", ".join(known[:12]) + (f", and {len(known) - 12} more" if len(known) > 12 else "")
    return error(
        f'There is no {kind} "{name}".',
        expected=f"one of {shown}" if shown else "",
        fix=f'did you mean "{guess}"?' if guess else "",
    )
