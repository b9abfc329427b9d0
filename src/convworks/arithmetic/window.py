"""One axis of a filter: sliding it over so many pixels, and what of them is never read."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from convworks.errors import NetError

if TYPE_CHECKING:
    from fractions import Fraction

Grade: TypeAlias = Literal["fits", "padding unread", "skips", "unread", "impossible"]
"""From best to worst. The first three are no fault: all of the input is read, or the stride means to skip."""
GRADES: tuple[Grade, ...] = ("fits", "padding unread", "skips", "unread", "impossible")


class Window(NamedTuple):
    """One axis of a filter: its size, step, spread, and the padding before and after the input."""

    kernel: int
    stride: int
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil: bool = False

    @property
    def reach(self) -> int:
        """Pixels from its first tap to its last, both included."""
        return self.dilation * (self.kernel - 1) + 1


class Slide(NamedTuple):
    """One axis of a layer on an input of `size` pixels.

    `unread` real pixels lie beyond the last window, `skipped` ones between the taps; `padding_unread` counts
    the padding beyond the last window.
    """

    size: int
    window: Window
    output: int
    unread: int
    skipped: int
    padding_unread: int

    @property
    def exact(self) -> Fraction:
        """The output size before rounding.

        >>> slide(7, Window(kernel=3, stride=3)).exact
        Fraction(7, 3)
        """
        from fractions import Fraction

        return Fraction(self.room - self.window.reach, self.window.stride) + 1

    @property
    def room(self) -> int:
        """Pixels that the window can slide over: the input and its padding."""
        return self.size + self.window.before + self.window.after

    @property
    def remainder(self) -> int:
        """Pixels left over after the last whole step; 0 where the size is whole."""
        return (self.room - self.window.reach) % self.window.stride

    def counts(self) -> list[int]:
        """How many windows read each real pixel.

        >>> slide(7, Window(kernel=3, stride=2)).counts()
        [1, 1, 2, 1, 2, 1, 1]
        """
        counts = [0] * self.size
        for output in range(self.output):
            for pixel in taps(self.window, output, self.size):
                counts[pixel] += 1
        return counts

    @property
    def twice(self) -> int:
        """How many real pixels more than one window reads: the overlap."""
        return sum(count > 1 for count in self.counts())

    @property
    def grade(self) -> Grade:
        """How well the window fits; a stride that is larger than the filter skips on purpose."""
        if self.unread > max(0, self.window.stride - self.window.reach):
            return "unread"
        if self.unread or self.skipped:
            return "skips"
        return "padding unread" if self.padding_unread else "fits"


def taps(window: Window, output: int, size: int) -> list[int]:
    """The real pixels that output pixel number `output` reads."""
    first = output * window.stride - window.before
    return [pixel for pixel in range(first, first + window.reach, window.dilation) if 0 <= pixel < size]


@lru_cache(maxsize=4096)
def slide(size: int, window: Window) -> Slide:
    """The window over `size` pixels; raises NetError where it is larger than input and padding together.

    >>> slide(7, Window(kernel=3, stride=3)).output, slide(7, Window(kernel=3, stride=3)).unread
    (2, 1)
    """
    reach, stride, before = window.reach, window.stride, window.before
    room = size + before + window.after
    if room <= reach - (stride if window.ceil else 1):
        raise NetError(
            f"a filter {reach} long does not fit into {described_room(size, window)}",
            fix="a smaller filter, more padding, less pooling before it, or a larger input",
        )
    steps, remainder = divmod(room - reach, stride)
    output = steps + 1
    if window.ceil and remainder and output * stride < size + before:
        output += 1
    end = (output - 1) * stride + reach
    unread = min(size, max(0, before + size - end))
    if window.dilation > 1 or window.kernel < stride:
        skipped = _skipped(size, window, output, min(before + size, end))
    else:
        skipped = 0
    return Slide(
        size=size,
        window=window,
        output=output,
        unread=unread,
        skipped=skipped,
        padding_unread=max(0, room - end - unread),
    )


def _skipped(size: int, window: Window, output: int, stop: int) -> int:
    """Real pixels before padded position `stop` that no tap ever meets.

    Tap t meets the positions t * dilation + q * stride. Taps with the same remainder by the stride walk the same
    track of pixels, each along one stretch of it.
    """
    stride, start = window.stride, window.before
    if stop <= start:
        return 0
    tracks: dict[int, list[int]] = {}
    for tap in range(window.kernel):
        offset, track = divmod(tap * window.dilation, stride)
        tracks.setdefault(track, []).append(offset)
    read = 0
    for track, offsets in tracks.items():
        free, last = -((track - start) // stride), (stop - 1 - track) // stride
        for offset in offsets:
            first, until = max(offset, free), min(offset + output - 1, last)
            if until >= first:
                read += until - first + 1
                free = until + 1
    return stop - start - read


def described_room(size: int, window: Window) -> str:
    """The pixels that a window can slide over, in words: "5 pixels and 2 of padding"."""
    padding = window.before + window.after
    return f"{size} pixel{'s' if size > 1 else ''}" + (f" and {padding} of padding" if padding else "")


def same(
    size: int, kernel: int, stride: int, dilation: int, kind: Literal["same", "tfsame"]
) -> tuple[int, int]:
    """The padding before and after that keeps the size (`same`) or gives ceil(size / stride) (`tfsame`).

    >>> same(224, 3, 2, 1, "tfsame"), same(225, 3, 2, 1, "tfsame"), same(10, 4, 1, 1, "same")
    ((0, 1), (1, 1), (1, 2))
    """
    reach = dilation * (kernel - 1) + 1
    total = reach - 1 if kind == "same" else max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2
