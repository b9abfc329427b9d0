"""Where every operator that a module calls comes by: the one rule for each kind, or what PyTorch says of its sizes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from convworks.layers.tracing import convolutions, mixing, pointwise, pooling, views
from convworks.layers.tracing.call import Call, tensors_in
from convworks.layers.tracing.kernels import BY_NUMBERS, kernel, refused
from convworks.layers.tracing.recorder import Recorder, Rule, Stopped

RULES: dict[str, Rule] = {
    **views.RULES,
    **pointwise.RULES,
    **mixing.RULES,
    **convolutions.RULES,
    **pooling.RULES,
}
SMALL = 1 << 16
"""Constants of up to so many numbers are computed, so that what a module reads off them is there."""


@lru_cache(maxsize=4096)
def known(operator: Any) -> tuple[str, Rule | None]:
    """An operator's name, without namespace and overload, and its rule, None where it has none of its own.

    >>> known(torch.ops.aten.max_pool2d.default)[0]
    'max_pool2d'
    """
    name = operator._schema.name.partition("::")[2]
    if name in RULES:
        return name, RULES[name]
    if operator.is_view:
        return name, views.view
    pointwise_too = pointwise.is_pointwise(Call(operator, name, (), {}))
    return name, pointwise.pointwise if pointwise_too else None


class Watching(TorchDispatchMode):
    """While it is on, tensors have sizes and no numbers, and the recorder notes what is done with them."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder
        self.twins: dict[int, tuple[Tensor, Tensor]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """No: to keep its compiler away from the calls below, PyTorch would first load it, which takes seconds."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Note one call, and give what it gives."""
        tensors = tensors_in(args)
        if kwargs:
            tensors += tensors_in(kwargs.values())
        name, rule = known(func)
        call = Call(func, name, args, kwargs or {}, tensors)
        values = self.recorder.values
        try:
            for tensor in tensors:
                if id(tensor) in values:
                    return self.followed(call, rule)
            return self.constant(call, tensors)
        except Stopped as stopped:
            if not self.recorder.ended:
                self.recorder.stop(call.name.rstrip("_"), tensors, stopped)
            raise
        except Exception as error:
            self.recorder.fault = error
            raise

    def followed(self, call: Call, rule: Rule | None) -> Any:
        """A call that depends on the input."""
        if rule is not None and (rule is not views.view or id(call.args[0]) in self.recorder.values):
            return rule(self.recorder, call)
        if call.name not in BY_NUMBERS and call.operator._can_decompose():
            with self:
                parts = call.operator.decompose(*call.args, **call.kwargs)
            if parts is not NotImplemented:
                return parts
        return kernel(self.recorder, call)

    def constant(self, call: Call, tensors: list[Tensor]) -> Any:
        """A call that does not depend on the input: computed where it is small, on twins of the module's tensors."""
        kwargs = dict(call.kwargs)
        small = all(tensor.device.type == "cpu" and tensor.numel() <= SMALL for tensor in tensors)
        if not small or torch.device(kwargs.get("device") or "cpu").type not in ("cpu", "meta"):
            kwargs["device"] = "meta"
        if "device" not in call.kwargs:
            kwargs.pop("device", None)
        with torch.inference_mode(False), torch.no_grad():
            args = [self.twin(value, small) for value in call.args]
            kwargs = {name: self.twin(value, small) for name, value in kwargs.items()}
        try:
            # What PyTorch would give outside of inference, where views of parameters are parameters' views.
            with torch.inference_mode(False), torch.no_grad():
                result = call.operator(*args, **kwargs)
        except (RuntimeError, NotImplementedError, IndexError, ValueError) as error:
            raise refused(call, error) from None
        self.inherit(call, tensors, result)
        if call.name in convolutions.FILTERS or call.name in mixing.PRODUCTS:
            inner = prod(tensors[1].shape[1:]) if call.name in convolutions.FILTERS else tensors[0].shape[-1]
            self.recorder.add_constant(call.name, tensors, result, result.numel() * inner)
        return result

    def inherit(self, call: Call, tensors: list[Tensor], result: Any) -> None:
        """What is made of parameters alone stands for them."""
        recorder = self.recorder
        names = frozenset[str]().union(*(recorder.names.get(id(tensor), ()) for tensor in tensors))
        learned = any(id(tensor) in recorder.learned for tensor in tensors)
        for made in result if isinstance(result, list | tuple) else (result,):
            if isinstance(made, Tensor):
                recorder.tensors[id(made)] = made
                if names:
                    recorder.names[id(made)] = names | recorder.names.get(id(made), frozenset())
                if learned:
                    recorder.learned.add(id(made))
                if call.operator.is_view and tensors:
                    recorder.roots[id(made)] = recorder.roots.get(id(tensors[0]), id(tensors[0]))

    def twin(self, value: Any, small: bool) -> Any:
        """What stands for a tensor that was there before: a copy of a small one, the size of a large one."""
        if isinstance(value, list | tuple):
            return type(value)([self.twin(item, small) for item in value])
        if isinstance(value, torch.device):
            return value if small else torch.device("meta")
        if not isinstance(value, Tensor):
            return value
        key = id(value)
        if key in self.recorder.tensors:
            return value if small or value.is_meta else self.hollow(value)
        if key not in self.twins or (not small and not self.twins[key][1].is_meta):
            self.twins[key] = value, value.detach().clone() if small else self.hollow(value)
        made = self.twins[key][1]
        self.recorder.tensors[id(made)] = made
        return made

    def hollow(self, value: Tensor) -> Tensor:
        """A tensor of the same kind without numbers."""
        return torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
