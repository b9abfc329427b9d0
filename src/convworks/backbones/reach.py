"""The theoretical receptive field of a map, read off the graph that autograd keeps of how it was computed.

A cell of a map at index i reads the input from i * jump - before to i * jump + after. A convolution or a pooling
widens that, branches that meet take the wider of each side; an operation that is not known to read only its own
place (a gate that averages the whole map, a linear layer over a reshaped one) makes the field unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

# Operations whose output at a place depends on their inputs at that place only, by the names of autograd's nodes.
POINTWISE = frozenset(
    """Add Sub Mul Div Neg Pow Relu LeakyRelu PreluKernel Elu Hardtanh Hardswish Hardsigmoid Silu Gelu Mish Softplus
    Sigmoid Tanh Clamp ClampMin Clone ToCopy Alias NativeBatchNorm CudnnBatchNorm ChannelShuffle""".split()
)
# Operations that are so where the dimension that they work on is that of the channels, counted from either end.
ALONG = frozenset(("Cat", "Split", "SplitWithSizes", "Slice"))
CHANNELS = (1, 2**64 - 3)


@dataclass(frozen=True, slots=True)
class Reach:
    """What a cell reads along one side of the picture, in pixels: `before` and `after` its own, and the jump."""

    jump: int = 1
    before: int = 0
    after: int = 0

    def filtered(self, kernel: int, stride: int, padding: int, dilation: int) -> Reach:
        """The reach behind a filter over this map."""
        after = (kernel - 1) * dilation - padding
        return Reach(self.jump * stride, self.before + padding * self.jump, self.after + after * self.jump)


Sides = tuple[Reach, ...]


def field_of(result: Tensor, source: Tensor) -> int:
    """How many pixels of `source` a cell of `result` reads in a row or a column, the larger; 0 where unknown.

    `source` is a leaf that needs gradients, and the only one that `result` was computed from.
    """
    known: dict[Any, Sides | None] = {}
    waiting: list[Any] = [result.grad_fn]
    while waiting:
        node = waiting[-1]
        inputs = [parent for parent, _ in node.next_functions if parent is not None]
        missing = [parent for parent in inputs if parent not in known]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        known[node] = _through(node, [known[parent] for parent in inputs])
    sides = known[result.grad_fn]
    return max(side.before + side.after + 1 for side in sides) if sides else 0


def _through(node: Any, inputs: list[Sides | None]) -> Sides | None:
    """The reach of what an operation gives, from those of its inputs; None where it is unknown."""
    operation = node.name().rpartition("Backward")[0]
    if not inputs:
        return (Reach(), Reach())
    together = _joined(inputs)
    if together is None or operation in POINTWISE:
        return together
    if operation in ALONG:
        return together if node._saved_dim in CHANNELS else None
    if operation == "Convolution" and not node._saved_transposed:
        settings = (
            node._saved_weight.shape[2:], node._saved_stride, node._saved_padding, node._saved_dilation
        )  # fmt: skip
    elif operation in ("MaxPool2DWithIndices", "AvgPool2D"):
        kernel = node._saved_kernel_size
        dilation = node._saved_dilation if operation == "MaxPool2DWithIndices" else (1, 1)
        settings = (kernel, node._saved_stride or kernel, node._saved_padding, dilation)
    elif operation == "ConstantPadNd" and len(node._saved_pad) in (2, 4):
        left, top = node._saved_pad[0], (*node._saved_pad, 0, 0)[2]
        settings = ((1, 1), (1, 1), (top, left), (1, 1))
    else:
        return None
    return tuple(side.filtered(*values) for side, *values in zip(together, *settings, strict=True))


def _joined(inputs: list[Sides | None]) -> Sides | None:
    """What a cell reads that is computed from cells of several maps; None where one is unknown or of another jump."""
    first, *others = inputs
    if first is None:
        return None
    sides = first
    for other in others:
        if other is None or [side.jump for side in other] != [side.jump for side in sides]:
            return None
        sides = tuple(
            Reach(one.jump, max(one.before, two.before), max(one.after, two.after))
            for one, two in zip(sides, other, strict=True)
        )
    return sides
