"""The notes that are taken while a module runs: every operator, what its tensors are, which weights it used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from traceback import walk_tb
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from convworks.arithmetic.field import Fields
from convworks.arithmetic.shape import Fit
from convworks.arithmetic.spec import Plain, Volume
from convworks.arithmetic.window import Grade
from convworks.errors import NetError
from convworks.layers.tracing.value import Reach, Value, volume_of

if TYPE_CHECKING:
    from convworks.layers.tracing.call import Call

PASS_ON = ("convworks", "torch", "jaxtyping", "beartype")
"""Packages whose code lies between a line of the user's and the operator that it calls."""
PASSING: dict[str, bool] = {}
"""Whether a file of code is of these packages, as far as it was asked."""
START = "run_without_numbers"
"""The function that runs the user's code."""


class Operator(NamedTuple):
    """One operator that a module called.

    `place` counts from 1; `path` is the innermost module and `location` the user's line that called it ("" where
    it is none of theirs). `layer` is the operator as the arithmetic knows it, None where it has no word for it;
    `input` and `output` are volumes where the tensors are such. `multiply_adds` is None where they are unknown.
    `bytes` is what its output holds, `live` what is alive while it runs, `kept` what training keeps because of it
    until the way back, None where that is unknown. `odd` is what is unusual about it. Where it is impossible `error`
    says why.
    """

    place: int
    path: str
    call: str
    location: str
    layer: Plain | None
    input: Volume | None
    output: Volume | None
    shape: tuple[int, ...]
    fit: Fit | None
    fields: Fields | None
    reach: Reach
    parameters: int
    multiply_adds: int | None
    bytes: int
    live: int = 0
    kept: int | None = 0
    odd: str = ""
    error: NetError | None = None

    @property
    def grade(self) -> Grade:
        """How it fits."""
        return "impossible" if self.error else self.fit.grade if self.fit else "fits"

    @property
    def sees_a_part(self) -> bool:
        """Whether its units have places in the picture, and a field around them."""
        output = self.output
        many = output is not None and (output.height > 1 or output.width > 1)
        return many and self.fields is not None and self.reach != "unknown"

    @property
    def sees_beyond(self) -> bool:
        """Whether its units have places in the picture, and yet see all of it in some other way."""
        return self.sees_a_part and self.reach == "all"


class Stopped(Exception):
    """Following ends at an operator; `error` says why. `known` where the net cannot be, else it is only unknown."""

    def __init__(self, error: NetError, *, known: bool, layer: Plain | None = None) -> None:
        super().__init__(error.found)
        self.error, self.known, self.layer = error, known, layer


class Recorder:
    """Values of tensors by identity, and the operators so far; keeps all tensors, so that none shares an identity.

    `changed` puts another layer in place of an operator's own, by its place; `lenient` takes every linear layer
    and convolution as if it were written for what it gets. `fault` is an error of ours, not of the module's.
    """

    def __init__(
        self, module: nn.Module, changed: Mapping[int, Plain] | None = None, *, lenient: bool = False
    ) -> None:
        self.changed, self.lenient = dict(changed or {}), lenient
        self.operators: list[Operator] = []
        self.steps: dict[int, tuple[Call, Tensor]] = {}
        self.values: dict[int, Value] = {}
        self.roots: dict[int, int] = {}
        self.tensors: dict[int, Tensor] = {}
        self.uses: list[tuple[int, int]] = []
        self.names: dict[int, frozenset[str]] = {}
        self.frozen: set[str] = set()
        self.unused: dict[str, int] = {}
        self.modules: dict[int, str] = {}
        self.stack: list[str] = []
        self.fault: Exception | None = None
        for path, part in module.named_modules():
            self.modules[id(part)] = path
            for own, parameter in vars(part)["_parameters"].items():
                if parameter is not None and id(parameter) not in self.names:
                    name = f"{path}.{own}" if path else own
                    self.names[id(parameter)] = frozenset((name,))
                    self.unused[name] = _count(parameter)
                    if not parameter.requires_grad:
                        self.frozen.add(name)

    @property
    def ended(self) -> bool:
        """Whether following has ended at an operator that cannot be, or cannot be followed."""
        return bool(self.operators) and self.operators[-1].error is not None

    @property
    def place(self) -> int:
        """The place of the next operator."""
        return len(self.operators) + 1

    def root(self, tensor: Tensor) -> int:
        """What stands for the memory that a tensor lies in."""
        return self.roots.get(id(tensor), id(tensor))

    def is_learned(self, tensor: Tensor) -> bool:
        """Whether a tensor is a parameter that learns, or made of such."""
        return not self.names.get(id(tensor), frozenset()) <= self.frozen

    def put(self, tensor: Tensor, value: Value, root: Tensor | None = None) -> None:
        """Say what a tensor is; `root` is the tensor whose memory it shares."""
        key = id(tensor)
        self.tensors[key] = tensor
        self.values[key] = value
        if root is not None:
            self.roots[key] = self.roots.get(id(root), id(root))

    def use(self, tensors: Iterable[Tensor]) -> int:
        """Note the tensors that the next operator reads; how many of their parameters no operator read before."""
        fresh = 0
        for tensor in tensors:
            key = id(tensor)
            if key in self.values:
                self.uses.append((self.roots.get(key, key), len(self.operators)))
            for name in self.names.get(key, ()):
                fresh += self.unused.pop(name, 0)
        return fresh

    def add(
        self,
        name: str,
        call: Call,
        result: Tensor,
        value: Value,
        *,
        layer: Plain | None = None,
        input: Volume | None = None,
        fit: Fit | None = None,
        multiply_adds: int | None = 0,
        odd: str = "",
    ) -> None:
        """Note an operator, what it is called, and its result."""
        self.steps[len(self.operators)] = call, result
        fresh = self.use(call.tensors)
        self.put(result, value)
        key = id(result)
        self.uses.append((self.roots.get(key, key), len(self.operators)))
        shape = tuple(result.shape)
        self.operators.append(
            Operator(
                place=len(self.operators) + 1,
                path=self.stack[-1] if self.stack else "",
                call=name,
                location=location(),
                layer=layer,
                input=input,
                output=fit.output if fit else volume_of(value, shape),
                shape=shape,
                fit=fit,
                fields=value.fields,
                reach=value.reach,
                parameters=fresh,
                multiply_adds=multiply_adds,
                bytes=0 if key in self.roots else result.numel() * result.element_size(),
                odd=odd,
            )
        )

    def add_constant(self, call: str, read: Iterable[Tensor], result: Tensor, multiply_adds: int) -> None:
        """Note an operator that costs something and does not depend on the input."""
        self.operators.append(
            Operator(
                place=len(self.operators) + 1,
                path=self.stack[-1] if self.stack else "",
                call=call,
                location=location(),
                layer=None,
                input=None,
                output=None,
                shape=tuple(result.shape),
                fit=None,
                fields=None,
                reach="local",
                parameters=self.use(read),
                multiply_adds=multiply_adds,
                bytes=result.numel() * result.element_size(),
            )
        )

    def stop(self, call: str, tensors: Iterable[Tensor], stopped: Stopped, at: str | None = None) -> None:
        """Note the operator at which following ends, `at` a line of the user's code."""
        traced = next((tensor for tensor in tensors if id(tensor) in self.values), None)
        value = self.values[id(traced)] if traced is not None else None
        self.operators.append(
            Operator(
                place=len(self.operators) + 1,
                path=self.stack[-1] if self.stack else "",
                call=call,
                location=location() if at is None else at,
                layer=stopped.layer,
                input=volume_of(value, traced.shape) if value is not None and traced is not None else None,
                output=None,
                shape=(),
                fit=None,
                fields=value.fields if value is not None else None,
                reach=value.reach if value is not None else "unknown",
                parameters=0,
                multiply_adds=0,
                bytes=0,
                error=stopped.error,
            )
        )

    def finished(self) -> tuple[Operator, ...]:
        """The operators, each with the bytes that are alive while it runs."""
        sizes = {key: _count(tensor) * tensor.element_size() for key, tensor in self.tensors.items()}
        spans: dict[int, tuple[int, int]] = {}
        for root, at in self.uses:
            first, last = spans.get(root, (at, at))
            spans[root] = min(first, at), max(last, at)
        change = [0] * (len(self.operators) + 2)
        for root, (first, last) in spans.items():
            change[first] += sizes.get(root, 0)
            change[last + 1] -= sizes.get(root, 0)
        alive, found = 0, list[Operator]()
        for operator, more in zip(self.operators, change, strict=False):
            alive += more
            found.append(operator._replace(live=alive))
        return tuple(found)


def _count(tensor: Tensor) -> int:
    """How many numbers a tensor holds; none where that is settled only when it first runs."""
    return 0 if is_lazy(tensor) else tensor.numel()


def location() -> str:
    """The file and line of the user's code that is calling now; "" where there is none between PyTorch and us."""
    frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_name != START:
        if not (PASSING.get(frame.f_code.co_filename) or _passes_on(frame)):
            return _written(frame, frame.f_lineno)
        frame = frame.f_back
    return ""


def raised_at(error: BaseException) -> str:
    """The file and line of the innermost code of the user's that an error came through; "" where there is none."""
    theirs = [(frame, line) for frame, line in walk_tb(error.__traceback__) if not _passes_on(frame)]
    return _written(*theirs[-1]) if theirs else ""


def _passes_on(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    known = PASSING.get(file)
    if known is None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        known = PASSING[file] = package in PASS_ON
    return known


def _written(frame: FrameType, line: int) -> str:
    return f"{frame.f_code.co_filename.rpartition(os.sep)[2]}:{line}"
