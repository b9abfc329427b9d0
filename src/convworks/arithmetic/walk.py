"""A net followed layer by layer: what goes in and out of each, how it fits, what it sees and costs."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple, NoReturn

from convworks.arithmetic.cost import BYTES, kept, multiply_adds, parameters
from convworks.arithmetic.field import PIXEL, Fields, through, union
from convworks.arithmetic.shape import Fit, Grade, fit, joined_stack, joined_sum
from convworks.arithmetic.spec import Concat, Flatten, Join, Layer, Net, Plain, Residual, Volume
from convworks.errors import NetError


class Row(NamedTuple):
    """One layer of a net on its input.

    `place` counts from 1: "4" is the fourth layer, "4.1.2" the second layer of its first branch. A join
    (`res`, `cat`) follows its branches, and its numbers are those of the joining alone. Where the layer is
    impossible `fit` is None and `error` says why. `kept` and `live` are bytes for one image: what training
    keeps because of this layer, and what is alive while it is computed.
    """

    place: str
    layer: Layer
    input: Volume
    fit: Fit | None
    fields: Fields
    parameters: int
    multiply_adds: int
    kept: int
    live: int
    error: NetError | None = None

    @property
    def output(self) -> Volume | None:
        """What comes out; None where the layer is impossible."""
        return self.fit.output if self.fit else None

    @property
    def grade(self) -> Grade:
        """How it fits."""
        return self.fit.grade if self.fit else "impossible"


class Walk(NamedTuple):
    """All rows up to the first impossible layer, and the bytes that training keeps of the input itself."""

    rows: tuple[Row, ...]
    input_kept: int

    @property
    def error(self) -> NetError | None:
        """Why the net is impossible, or None."""
        return self.rows[-1].error if self.rows else None


def walk(net: Net) -> Walk:
    """Follow the net; stops at the first layer that is impossible, with the reason in its row."""
    walker = _Walker(net.input)
    with suppress(_Impossible):
        walker.follow(net.layers, _Point(volume=net.input, fields=PIXEL, tensor=0), "", frozenset())
    return Walk(rows=walker.finished(), input_kept=walker.sizes[0] if 0 in walker.kept else 0)


class _Impossible(Exception):
    """The walk ends here; its last row says why."""


class _Point(NamedTuple):
    """Where the walk is: the volume there, what its units see, and the tensor that holds it."""

    volume: Volume
    fields: Fields
    tensor: int


class _Walker:
    """The rows so far, the bytes of every tensor, and which of them training keeps."""

    def __init__(self, volume: Volume) -> None:
        self.rows: list[Row] = []
        self.wrote: list[int | None] = []
        self.sizes = [BYTES * volume.elements]
        self.kept: set[int] = set()

    def finished(self) -> tuple[Row, ...]:
        """The rows, each with the bytes of its output where training keeps that."""
        return tuple(
            row._replace(kept=row.kept + self.sizes[tensor]) if tensor in self.kept and tensor else row
            for row, tensor in zip(self.rows, self.wrote, strict=True)
        )

    def follow(self, layers: tuple[Layer, ...], point: _Point, prefix: str, held: frozenset[int]) -> _Point:
        """Layers in a row; `held` are the tensors that something else still needs."""
        for number, layer in enumerate(layers, start=1):
            place = f"{prefix}{number}"
            if isinstance(layer, Residual | Concat):
                point = self.join(layer, point, place, held)
            else:
                point = self.step(layer, point, place, held)
        return point

    def step(self, layer: Plain, point: _Point, place: str, held: frozenset[int]) -> _Point:
        """One plain layer."""
        volume = point.volume
        try:
            found = fit(layer, volume)
        except NetError as error:
            self.stop(layer, point, place, error)
        tensor = point.tensor if isinstance(layer, Flatten) else self.tensor(found.output)
        keeps = kept(layer, volume)
        self.kept |= ({point.tensor} if keeps.input else set()) | ({tensor} if keeps.output else set())
        fields = through(layer, volume, point.fields)
        self.rows.append(
            Row(
                place=place,
                layer=layer,
                input=volume,
                fit=found,
                fields=fields,
                parameters=parameters(layer, volume),
                multiply_adds=multiply_adds(layer, volume),
                kept=keeps.extra,
                live=self.alive(held | {point.tensor, tensor}),
            )
        )
        self.wrote.append(None if tensor == point.tensor else tensor)
        return _Point(volume=found.output, fields=fields, tensor=tensor)

    def join(self, layer: Join, point: _Point, place: str, held: frozenset[int]) -> _Point:
        """The branches one after the other, then what joins them."""
        branches = layer.branches if isinstance(layer, Concat) else (layer.body, layer.shortcut)
        ends: list[_Point] = []
        for number, branch in enumerate(branches, start=1):
            last = number == len(branches)
            waiting = held | {end.tensor for end in ends} | (set() if last else {point.tensor})
            ends.append(self.follow(branch, point, f"{place}.{number}.", waiting))
        volumes = [end.volume for end in ends]
        try:
            output = joined_stack(volumes) if isinstance(layer, Concat) else joined_sum(*volumes)
        except NetError as error:
            self.stop(layer, point, place, error)
        fields = union([end.fields for end in ends], (output.height, output.width))
        tensor = self.tensor(output)
        self.rows.append(
            Row(
                place=place,
                layer=layer,
                input=point.volume,
                fit=Fit(output=output),
                fields=fields,
                parameters=0,
                multiply_adds=0,
                kept=0,
                live=self.alive(held | {end.tensor for end in ends} | {tensor}),
            )
        )
        self.wrote.append(tensor)
        return _Point(volume=output, fields=fields, tensor=tensor)

    def tensor(self, volume: Volume) -> int:
        """A new tensor for this volume."""
        self.sizes.append(BYTES * volume.elements)
        return len(self.sizes) - 1

    def alive(self, tensors: frozenset[int]) -> int:
        """The bytes of these tensors together."""
        return sum(self.sizes[tensor] for tensor in tensors)

    def stop(self, layer: Layer, point: _Point, place: str, error: NetError) -> NoReturn:
        """End the walk at a layer that is impossible."""
        self.rows.append(
            Row(
                place=place,
                layer=layer,
                input=point.volume,
                fit=None,
                fields=point.fields,
                parameters=0,
                multiply_adds=0,
                kept=0,
                live=0,
                error=error,
            )
        )
        self.wrote.append(None)
        raise _Impossible
