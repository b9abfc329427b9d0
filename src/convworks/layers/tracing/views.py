"""Other views of the same numbers: reshaped, transposed, sliced, repeated. One rule follows them all.

The view is taken of a contiguous stand-in. The strides of what comes out then say which atoms of the old dimensions
make up each new one, and which part of them: nothing is guessed, and no view needs a rule of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from torch import Tensor

from convworks.arithmetic.field import Field, Fields, slid
from convworks.arithmetic.spec import NO_PADDING
from convworks.layers.tracing.call import Call, empty, without_numbers
from convworks.layers.tracing.recorder import Recorder, Rule
from convworks.layers.tracing.value import Axes, Letter, Value, dimension, scattered


class Laid(NamedTuple):
    """An atom and how far apart its steps lie in memory."""

    letter: Letter
    size: int
    stride: int


class Part(NamedTuple):
    """Some of an atom's steps: `size` of them, every `step`-th."""

    atom: int
    size: int
    step: int


def view(recorder: Recorder, call: Call) -> Any:
    """Any operator that gives other views of its first argument."""
    x = call.args[0]
    value = recorder.values[id(x)]
    result = taken(call, call.args[0])
    probe = call.operator(empty(x.shape, x), *call.args[1:], **call.kwargs)
    many = isinstance(result, list | tuple)
    for out, seen in zip(result if many else (result,), probe if many else (probe,), strict=True):
        after = viewed(value, seen.shape, seen.stride(), seen.storage_offset())
        if _flattened(value, after):
            recorder.put(out, after, root=x)
            recorder.add("flatten", call, out, after)
        else:
            recorder.put(out, after, root=x)
    recorder.use([x])
    return result


def taken(call: Call, x: Tensor) -> Any:
    """The view itself; raises Stopped, in PyTorch's words, where it cannot be."""
    from convworks.layers.tracing.kernels import refused

    try:
        return call.operator(x, *call.args[1:], **call.kwargs)
    except (RuntimeError, IndexError, ValueError) as error:
        raise refused(call, error) from None


def _flattened(before: Value, after: Value) -> bool:
    """Whether a map became a row of numbers, which is worth a line of its own."""
    return before.is_map and len(after.axes) == 2 and bool(before.letters)


def viewed(value: Value, shape: Sequence[int], strides: Sequence[int], offset: int) -> Value:
    """The value seen through other strides over its contiguous memory.

    >>> from convworks.arithmetic.spec import Volume
    >>> from convworks.layers.tracing.value import entering
    >>> value = entering(Volume(height=4, width=6, channels=3))
    >>> viewed(value, (1, 24, 3), (72, 1, 24), 0).axes
    ((), (('h', 4), ('w', 6)), (('', 3),))
    """
    laid = _laid(value.axes)
    found = [_parts(laid, size, stride) for size, stride in zip(shape, strides, strict=True)]
    if any(parts is None for parts in found):
        return scattered(value, shape)
    rows = [parts or [] for parts in found]
    after, letters = value, dict[Part, Letter]()
    for place, atom in enumerate(laid):
        parts = sorted(
            (part for row in rows for part in row if part.atom == place), key=lambda part: -part.step
        )
        after = _kept(after, atom, parts, offset)
        # Rows of patches: a patch has the place, and what lies within it is more to know of that place.
        patches = len(parts) == 2 and atom.letter in ("h", "w") and after.reach != "unknown"
        for number, part in enumerate(parts):
            torn: Letter = ("" if number else atom.letter) if patches else "?"
            letters[part] = atom.letter if len(parts) == 1 or not atom.letter else torn
    axes = tuple(
        tuple((letters[part], part.size) for part in row) if row or size == 1 else dimension("", size)
        for size, row in zip(shape, rows, strict=True)
    )
    return after._replace(axes=axes)


def _laid(axes: Axes) -> list[Laid]:
    """The atoms in the order in which they lie in memory, outermost first, with their strides."""
    found: list[Laid] = []
    stride = 1
    for letter, size in reversed([atom for axis in axes for atom in axis]):
        found.insert(0, Laid(letter, size, stride))
        stride *= size
    return found


def _parts(laid: Sequence[Laid], size: int, stride: int) -> list[Part] | None:
    """The parts of atoms that a dimension walks over, outermost first; None where it walks across them."""
    parts: list[Part] = []
    if stride == 0:
        return parts
    while size > 1:
        place = next((place for place, atom in enumerate(laid) if atom.stride <= stride), None)
        if place is None:
            return None
        atom = laid[place]
        step, rest = divmod(stride, atom.stride)
        if rest or step >= atom.size:
            return None
        if step == 1 and size % atom.size == 0:
            parts.insert(0, Part(place, atom.size, 1))
            size //= atom.size
            stride *= atom.size
        elif (size - 1) * step < atom.size:
            parts.insert(0, Part(place, size, step))
            size = 1
        else:
            inner, uneven = divmod(atom.size, step)
            if uneven or size % inner:
                return None
            parts.insert(0, Part(place, inner, step))
            size //= inner
            stride *= inner
    return parts


def _kept(value: Value, atom: Laid, parts: Sequence[Part], offset: int) -> Value:
    """The value after only these parts of one atom were kept; the one with the longest steps first."""
    if not atom.letter or (len(parts) == 1 and parts[0].size == atom.size):
        return value
    whole = prod(part.size for part in parts) == atom.size and parts[-1].step == 1
    if len(parts) > 2 or (len(parts) == 2 and not whole) or atom.letter == "?" or any(value.margin):
        reach = "all" if value.reach == "all" else "unknown"
        return value._replace(fields=None, reach=reach, margin=NO_PADDING)
    along = 0 if atom.letter == "h" else 1
    size = parts[0].size if parts else 1
    extent = (size, value.extent[1]) if along == 0 else (value.extent[0], size)
    if value.fields is None:
        return value._replace(extent=extent)
    old = value.fields[along]
    if len(parts) == 2:
        new = slid(old, parts[1].size, parts[1].size, 0)
    else:
        start, step = offset // atom.stride % atom.size, parts[0].step if parts else 1
        new = Field(size=old.size, jump=old.jump * step, start=old.start + start * old.jump)
    fields: Fields = (new, value.fields[1]) if along == 0 else (value.fields[0], new)
    return value._replace(extent=extent, fields=fields)


def same_place(recorder: Recorder, call: Call) -> Any:
    """An operator that copies or casts its input: nothing moves."""
    x = call.args[0]
    recorder.use([x])
    result = taken(call, x) if call.name not in ("to", "_to_copy") else _cast(call, x)
    if result is not x:
        recorder.put(result, recorder.values[id(x)], root=x)
    return result


def _cast(call: Call, x: Tensor) -> Tensor:
    """The tensor with another type; it stays where it is, whatever device was asked for."""
    import torch

    asked = [*call.args[1:], *call.kwargs.values()]
    kinds = [value for value in asked if isinstance(value, torch.dtype)]
    others = [value for value in asked if isinstance(value, Tensor)]
    kind = kinds[0] if kinds else others[0].dtype if others else x.dtype
    return x if kind == x.dtype else without_numbers(x, kind)


COPIES = ("alias", "clone", "contiguous", "detach", "lift_fresh", "to", "_to_copy", "type_as")
RULES: dict[str, Rule] = dict.fromkeys(COPIES, same_place)
