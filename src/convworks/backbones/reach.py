"""The theoretical receptive field of a map, read off the graph that autograd keeps of how it was computed.

A convolution or a pooling widens what a cell sees, and branches that meet see what either sees. An operation
that is not known to read only its own place (a gate that averages the whole map, a linear layer over a
reshaped one) makes the field unknown.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from convworks.arithmetic.field import PIXEL, Fields, slid, union

# Operations whose output at a place depends on their inputs at that place only, by autograd's names.
POINTWISE = {
    "Add", "Sub", "Mul", "Div", "Neg", "Pow", "Relu", "LeakyRelu", "PreluKernel", "Elu", "Hardtanh",
    "Hardswish", "Hardsigmoid", "Silu", "Gelu", "Mish", "Softplus", "Sigmoid", "Tanh", "Clamp", "ClampMin",
    "Clone", "ToCopy", "Alias", "NativeBatchNorm", "CudnnBatchNorm", "ChannelShuffle",
}  # fmt: skip
# Operations that are so where they work on the dimension of the channels, counted from either end.
ALONG = {"Cat", "Split", "SplitWithSizes", "Slice"}
CHANNELS = (1, 2**64 - 3)


def field_of(result: Tensor, source: Tensor) -> int:
    """How many pixels of `source` a cell of `result` sees in a row or a column, the larger; 0 where unknown.

    `source` is a leaf that needs gradients, and the only one that `result` was computed from.
    """
    fields = fields_of(result)
    return max(side.pixels for side in fields) if fields else 0


def fields_of(result: Tensor) -> Fields | None:
    """What the cells of `result` see of the only leaf that it was computed from; None where that is unknown."""
    if result.grad_fn is None:
        return None
    known: dict[Any, Fields | None] = {}
    waiting: list[Any] = [result.grad_fn]
    while waiting:
        node = waiting[-1]
        inputs = [parent for parent, _ in node.next_functions if parent is not None]
        missing = [parent for parent in inputs if parent not in known]
        waiting += missing
        if not missing:
            known[waiting.pop()] = _through(node, [known[parent] for parent in inputs])
    return known[result.grad_fn]


def _through(node: Any, inputs: list[Fields | None]) -> Fields | None:
    """The fields behind an operation, from those of what it reads; None where they are unknown."""
    operation = node.name().rpartition("Backward")[0]
    if not inputs:
        return PIXEL
    fields = _joined(inputs)
    if fields is None or operation in POINTWISE:
        return fields
    if operation in ALONG:
        return fields if node._saved_dim in CHANNELS else None
    windows = _windows(node, operation)
    if windows is None:
        return None
    return slid(fields[0], *windows[0]), slid(fields[1], *windows[1])


def _windows(node: Any, operation: str) -> list[tuple[int, int, int]] | None:
    """What slides over rows and over columns: how long it is, its stride, and the padding in front."""
    if operation == "Convolution" and not node._saved_transposed:
        kernel, stride = node._saved_weight.shape[2:], node._saved_stride
        padding, dilation = node._saved_padding, node._saved_dilation
    elif operation in ("MaxPool2DWithIndices", "AvgPool2D"):
        kernel = node._saved_kernel_size
        stride, padding = node._saved_stride or kernel, node._saved_padding
        dilation = node._saved_dilation if operation == "MaxPool2DWithIndices" else (1, 1)
    elif operation == "ConstantPadNd":
        left, _, top, _ = (*node._saved_pad, 0, 0, 0, 0)[:4]
        return [(1, 1, top), (1, 1, left)]
    else:
        return None
    reach = [(taps - 1) * gap + 1 for taps, gap in zip(kernel, dilation, strict=True)]
    return list(zip(reach, stride, padding, strict=True))


def _joined(inputs: list[Fields | None]) -> Fields | None:
    """What a cell sees that is computed from several maps; None where one is unknown or of another jump."""
    known = [fields for fields in inputs if fields is not None]
    jumps = {tuple(side.jump for side in fields) for fields in known}
    return union(known, (1, 1)) if len(known) == len(inputs) and len(jumps) == 1 else None
