"""The notes that are taken while a module runs: every operator, what its tensors are, which weights it used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from convworks.arithmetic.field import Fields
from convworks.arithmetic.shape import Fit
from convworks.arithmetic.spec import Plain, Volume
from convworks.arithmetic.window import Grade
from convworks.errors import NetError
from convworks.layers.tracing.call import Call
from convworks.layers.tracing.calling import caller
from convworks.layers.tracing.value import Reach, Value, volume_of


class Operator(NamedTuple):
    """One operator that a module called.

    `place` counts from 1; `path` is the innermost module and `location` the user's line that called it ("" where
    it is none of theirs). `layer` is the operator as the arithmetic knows it, None where it has no word for it;
    `input` and `output` are volumes where the tensors are such. `multiply_adds` is None where they are unknown.
    `bytes` is what its output holds. `sources` are the places of the operators whose results it reads, 0 for the
    image. `odd` is what is unusual about it. Where it is impossible `error` says why.
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
    sources: tuple[int, ...] = ()
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

    `parts` are the module and all within it, each with its path; `learned` are the parameters that learn, and what is
    made of such. `changed` puts another layer in place of an operator's own, by its place; `lenient` takes every
    linear layer and convolution as if it were written for what it gets. `fault` is an error of ours, not of the
    module's.
    """

    def __init__(
        self,
        parts: Sequence[tuple[str, nn.Module]],
        changed: Mapping[int, Plain] | None = None,
        *,
        lenient: bool = False,
    ) -> None:
        self.changed, self.lenient = dict(changed or {}), lenient
        self.operators: list[Operator] = []
        self.steps: dict[int, tuple[Call, Tensor]] = {}
        self.values: dict[int, Value] = {}
        self.roots: dict[int, int] = {}
        self.volumes: dict[int, Volume | None] = {}
        self.makers: dict[int, int] = {}
        self.tensors: dict[int, Tensor] = {}
        self.uses: list[tuple[int, int]] = []
        self.names: dict[int, frozenset[str]] = {}
        self.learned: set[int] = set()
        self.unused: dict[str, int] = {}
        self.paths = {id(part): path for path, part in parts}
        self.fault: Exception | None = None
        for path, part in parts:
            for own, parameter in vars(part)["_parameters"].items():
                key = id(parameter)
                if parameter is not None and key not in self.names:
                    name = f"{path}.{own}" if path else own
                    self.names[key] = frozenset((name,))
                    self.unused[name] = 0 if is_lazy(parameter) else parameter.numel()
                    if parameter.requires_grad:
                        self.learned.add(key)

    @property
    def ended(self) -> bool:
        """Whether following has ended at an operator that cannot be, or cannot be followed."""
        return bool(self.operators) and self.operators[-1].error is not None

    @property
    def place(self) -> int:
        """The place of the next operator."""
        return len(self.operators) + 1

    def put(self, tensor: Tensor, value: Value, root: Tensor | None = None) -> None:
        """Say what a tensor is; `root` is the tensor whose memory it shares."""
        key = id(tensor)
        self.tensors[key] = tensor
        self.values[key] = value
        self.volumes.pop(key, None)
        if root is not None:
            self.roots[key] = self.roots.get(id(root), id(root))

    def use(self, tensors: Iterable[Tensor]) -> None:
        """Note tensors that the next operator reads beyond its own."""
        at = len(self.operators)
        self.uses += [(self.roots.get(id(x), id(x)), at) for x in tensors if id(x) in self.values]

    def fresh(self, tensors: Iterable[Tensor]) -> int:
        """How many of the parameters in these tensors no operator read before."""
        count = 0
        for tensor in tensors:
            if id(tensor) in self.names:
                for name in self.names[id(tensor)]:
                    count += self.unused.pop(name, 0)
        return count

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
        at, key, shape = len(self.operators), id(result), tuple(result.shape)
        self.steps[at] = call, result
        read = [self.roots.get(id(x), id(x)) for x in call.tensors if id(x) in self.values]
        sources = tuple([self.makers.get(root, 0) for root in read])
        self.put(result, value)
        self.makers[self.roots.get(key, key)] = at + 1
        output = self.volumes[key] = fit.output if fit else volume_of(value, shape)
        path, location = caller(self.paths)
        self.operators.append(
            Operator(
                place=at + 1,
                path=path,
                call=name,
                location=location,
                layer=layer,
                input=input,
                output=output,
                shape=shape,
                fit=fit,
                fields=value.fields,
                reach=value.reach,
                parameters=self.fresh(call.tensors),
                multiply_adds=multiply_adds,
                bytes=0 if key in self.roots else result.nbytes,
                sources=sources,
                odd=odd,
            )
        )

    def add_constant(self, call: str, read: Iterable[Tensor], result: Tensor, multiply_adds: int) -> None:
        """Note an operator that costs something and does not depend on the input."""
        path, location = caller(self.paths)
        self.operators.append(
            Operator(
                place=len(self.operators) + 1,
                path=path,
                call=call,
                location=location,
                layer=None,
                input=None,
                output=None,
                shape=tuple(result.shape),
                fit=None,
                fields=None,
                reach="local",
                parameters=self.fresh(read),
                multiply_adds=multiply_adds,
                bytes=result.nbytes,
            )
        )

    def stop(self, call: str, tensors: Iterable[Tensor], stopped: Stopped, at: str | None = None) -> None:
        """Note the operator at which following ends, `at` a line of the user's code."""
        path, location = caller(self.paths) if at is None else ("", at)
        traced = next((tensor for tensor in tensors if id(tensor) in self.values), None)
        value = self.values[id(traced)] if traced is not None else None
        self.operators.append(
            Operator(
                place=len(self.operators) + 1,
                path=path,
                call=call,
                location=location,
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


Rule: TypeAlias = Callable[[Recorder, Call], Any]
"""Notes a call and gives its result."""
