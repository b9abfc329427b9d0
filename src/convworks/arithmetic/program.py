"""A net as Python: a module of plain PyTorch that one may keep, change and train without Convworks.

Where PyTorch has no such layer, ours is imported. Sizes that depend on the input's, as TensorFlow's "same" padding
does, are written out as they are for this input.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import assert_never

from convworks.arithmetic import spec
from convworks.arithmetic.calls import Call, Code, call, written
from convworks.arithmetic.fold import folded, runs
from convworks.arithmetic.shape import fit, output_of, windows
from convworks.arithmetic.spec import Layer, Net, Pair, Sides, Volume
from convworks.arithmetic.window import slide

WRAPPED = 80
"""Letters on a line of the docstring."""
SAVED = 4
"""Layers that a loop must save to be worth it."""

HOMES = {
    "GlobalL2Pool2d": "convworks.layers.pooling",
    "L2Pool2d": "convworks.layers.pooling",
    "Mlpconv2d": "convworks.layers.mlpconv",
    "NoisyReLU": "convworks.layers.activation",
    "Pool": "convworks.arithmetic.spec",
    "UnevenAveragePool2d": "convworks.layers.pooling",
}
"""Where the names come from that are ours."""

SUM = '''\
class Sum(nn.Module):
    """What the body gives plus what the shortcut gives."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)
'''
STACK = '''\
class Stack(nn.Module):
    """What each branch gives, one behind the other along the channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)
'''


def python(net: Net) -> str:
    """The source of an `nn.Module` named Net that computes this net; raises NetError where it cannot be.

    >>> print(python(Net(layers=(spec.ReLU(),), input=Volume(height=8, width=8, channels=3))).split("class ")[1])
    Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(
                nn.ReLU(),
            )
    <BLANKLINE>
        def forward(self, x: Tensor) -> Tensor:
            return self.layers(x)
    <BLANKLINE>
    """
    output = output_of(net.layers, net.input)
    program = _Program()
    body = written(program.row(net.layers, net.input), 8, before="self.layers = ")
    parts = [
        _said(net, output),
        program.imports(),
        *program.classes(),
        *program.blocks,
        "class Net(nn.Module):\n    def __init__(self) -> None:\n        super().__init__()\n" + body + "\n\n"
        "    def forward(self, x: Tensor) -> Tensor:\n        return self.layers(x)\n",
    ]
    head, rest = "\n".join(parts[:2]), parts[2:]
    return "\n\n".join([head, *rest])


class _Program:
    """What the net's layers ask for beside themselves: imports, small classes, and blocks that repeat."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.blocks: list[str] = []
        self.known: dict[tuple[tuple[Layer, ...], Volume], str] = {}

    def imports(self) -> str:
        """The import lines that are needed."""
        lines = ["import torch"] if "Stack" in self.names else []
        homes: dict[str, list[str]] = {}
        for name in sorted(self.names & set(HOMES)):
            homes.setdefault(HOMES[name], []).append(name)
        lines += [f"from {home} import {', '.join(names)}" for home, names in sorted(homes.items())]
        return "\n".join([*lines, "from torch import Tensor, nn", ""])

    def classes(self) -> list[str]:
        """The definitions of joins that are needed."""
        return [text for name, text in (("Sum", SUM), ("Stack", STACK)) if name in self.names]

    def row(self, layers: Sequence[Layer], volume: Volume) -> Call:
        """Layers one after the other, a line each; what repeats as a loop over a function of its own."""
        if not layers:
            return call("nn.Identity")
        lines: list[Code] = []
        for run in runs(layers, volume):
            if (run.times - 1) * len(run.layers) >= SAVED:
                name = self.block(run.layers, run.input)
                lines.append(f"*({name}() for _ in range({run.times}))")
                continue
            inside = run.input
            for _ in range(run.times):
                for layer in run.layers:
                    found = self.layer(layer, inside)
                    inside, before = fit(layer, inside).output, inside
                    note = str(inside) if inside != before else ""
                    lines += [*found[:-1], found[-1]._replace(note=note)]
        return Call("nn.Sequential", tuple(lines), open=True)

    def branch(self, layers: Sequence[Layer], volume: Volume) -> Call:
        """A row, or its only module."""
        row = self.row(layers, volume)
        only = row.arguments[0] if len(row.arguments) == 1 else None
        return only if isinstance(only, Call) else row

    def block(self, layers: tuple[Layer, ...], volume: Volume) -> str:
        """The name of the function that makes these layers."""
        key = layers, volume
        if key not in self.known:
            body = written(self.row(layers, volume), 4, before="return ")
            name = self.known[key] = f"block{len(self.known) + 1}"
            said = f'    """What repeats on {volume}."""\n'
            self.blocks.append(f"def {name}() -> nn.Sequential:\n{said}{body}\n")
        return self.known[key]

    def ours(self, name: str, *arguments: object, **named: object) -> Call:
        """A call of a name that has to be imported or defined."""
        self.names.add(name)
        return call(name, *arguments, **named)

    def layer(self, layer: Layer, volume: Volume) -> list[Call]:
        """The modules of one layer, most often one."""
        match layer:
            case spec.Conv() | spec.DepthwiseConv() | spec.Mlpconv():
                return self.filters(layer, volume)
            case spec.TransposedConv():
                options = _options(layer, "stride", "padding", "output_padding", "groups", "bias", "dilation")
                head = volume.channels, layer.channels, _short(layer.kernel)
                return [call("nn.ConvTranspose2d", *head, **options)]
            case spec.Pointwise():
                return [call("nn.Conv2d", volume.channels, layer.channels, 1, **_options(layer, "bias"))]
            case spec.Pool():
                return self.pool(layer, volume)
            case spec.AdaptivePool():
                return [call(f"nn.Adaptive{_SHORT[layer.kind]}Pool2d", _short(layer.size))]
            case spec.GlobalPool():
                if layer.kind == "l2":
                    return [self.ours("GlobalL2Pool2d")]
                return [call(f"nn.Adaptive{_SHORT[layer.kind]}Pool2d", 1)]
            case spec.Linear():
                linear = call("nn.Linear", volume.elements, layer.features, **_options(layer, "bias"))
                return [linear] if volume.flat else [call("nn.Flatten"), linear]
            case spec.Flatten():
                return [call("nn.Flatten")]
            case spec.ReLU() | spec.Tanh() | spec.Sigmoid():
                return [call(f"nn.{type(layer).__name__}")]
            case spec.LeakyReLU():
                return [call("nn.LeakyReLU", layer.slope)]
            case spec.NoisyReLU():
                return [self.ours("NoisyReLU")]
            case spec.Dropout():
                return [call("nn.Dropout", layer.probability)]
            case spec.BatchNorm():
                return [call(f"nn.BatchNorm{1 if volume.flat else 2}d", volume.channels)]
            case spec.Upsample():
                bilinear = {"mode": '"bilinear"', "align_corners": False} if layer.mode == "bilinear" else {}
                return [call("nn.Upsample", scale_factor=_short(layer.factor), **bilinear)]
            case spec.Residual():
                return [
                    self.ours("Sum", *(self.branch(part, volume) for part in (layer.body, layer.shortcut)))
                ]
            case spec.Concat():
                return [self.ours("Stack", *(self.branch(branch, volume) for branch in layer.branches))]
            case _:
                assert_never(layer)

    def filters(self, layer: spec.Conv | spec.DepthwiseConv | spec.Mlpconv, volume: Volume) -> list[Call]:
        """A layer of filters, after a padding of its own where PyTorch's is the same at both ends only."""
        padding = _padding(layer, volume)
        even, pads = _even(padding), list[Call]()
        if even is None:
            pads, even = [call("nn.ZeroPad2d", _torch_order(padding))], (0, 0)
        padded = {"padding": _short(even)} if any(even) else {}
        kernel = _short(layer.kernel)
        match layer:
            case spec.Conv():
                options = _options(layer, "stride") | padded | _options(layer, "dilation", "groups", "bias")
                return [*pads, call("nn.Conv2d", volume.channels, layer.channels, kernel, **options)]
            case spec.DepthwiseConv():
                groups = {"groups": volume.channels} if volume.channels > 1 else {}
                options = _options(layer, "stride") | padded | _options(layer, "dilation") | groups
                filters = volume.channels * layer.multiplier
                return [
                    *pads,
                    call("nn.Conv2d", volume.channels, filters, kernel, **options, **_options(layer, "bias")),
                ]
            case spec.Mlpconv():
                options = {"stride": layer.stride} if layer.stride != (1, 1) else {}
                options |= {"padding": even} if any(even) else {}
                return [*pads, self.ours("Mlpconv2d", volume.channels, layer.widths, layer.kernel, **options)]
            case _:
                assert_never(layer)

    def pool(self, layer: spec.Pool, volume: Volume) -> list[Call]:
        """A pooling, after a padding of its own where PyTorch's is the same at both ends only."""
        padding = _padding(layer, volume)
        even = _even(padding)
        if even and any(2 * pad > side for pad, side in zip(even, layer.kernel, strict=True)):
            even = None
        options: dict[str, object] = {} if layer.stride == layer.kernel else {"stride": _short(layer.stride)}
        dilated = {"dilation": _short(layer.dilation)} if layer.dilation != (1, 1) else {}
        kernel = _short(layer.kernel)
        if even is not None:
            padded = {"padding": _short(even)} if any(even) else {}
            ceil = {"ceil_mode": True} if layer.ceil else {}
            match layer.kind:
                case "max":
                    return [call("nn.MaxPool2d", kernel, **options, **padded, **dilated, **ceil)]
                case "average":
                    count = {} if layer.count_padding else {"count_include_pad": False}
                    return [call("nn.AvgPool2d", kernel, **options, **padded, **ceil, **count)]
                case "l2":
                    whole: dict[str, object] = {"padding": even} if any(even) else {}
                    whole |= {"ceil": True} if layer.ceil else {}
                    return [self.ours("L2Pool2d", layer.kernel, layer.stride, **whole)]
        sides = _torch_order(_over(layer, volume, padding))
        match layer.kind:
            case "max":
                pad = call("nn.ConstantPad2d", sides, 'float("-inf")')
                return [pad, call("nn.MaxPool2d", kernel, **options, **dilated)]
            case "average" if layer.count_padding and not layer.ceil:
                return [call("nn.ZeroPad2d", sides), call("nn.AvgPool2d", kernel, **options)]
            case "average":
                fields = {name: _quoted(getattr(layer, name)) for name in layer.FIELDS}
                return [self.ours("UnevenAveragePool2d", self.ours("Pool", **fields))]
            case "l2":
                return [call("nn.ZeroPad2d", sides), self.ours("L2Pool2d", layer.kernel, layer.stride)]
            case _:
                assert_never(layer.kind)


_SHORT = {"max": "Max", "average": "Avg"}


def _said(net: Net, output: Volume) -> str:
    """The docstring of the file."""
    sizes = [output.channels] if output.flat else [output.channels, output.height, output.width]
    volume = net.input
    reads = [volume.channels] if volume.flat else [volume.channels, volume.height, volume.width]
    notation = "\n".join(
        f"    {line}" for line in wrap(folded(net.layers, net.input), WRAPPED, break_on_hyphens=False)
    )
    tensors = (
        f"It reads tensors of (n, {', '.join(map(str, reads))}) and gives (n, {', '.join(map(str, sizes))})."
    )
    return f'"""A ConvNet, written from its notation:\n\n{notation}\n\n{tensors}\n"""\n'


def _padding(layer: spec.Conv | spec.DepthwiseConv | spec.Mlpconv | spec.Pool, volume: Volume) -> Sides:
    """The padding as numbers, for this input."""
    vertical, horizontal = windows(layer, volume)
    return vertical.before, vertical.after, horizontal.before, horizontal.after


def _over(layer: spec.Pool, volume: Volume, padding: Sides) -> Sides:
    """The padding and, at the ends, what the last windows overhang."""
    vertical, horizontal = windows(layer, volume)
    over = [
        max(0, (slid.output - 1) * slid.window.stride + slid.window.reach - slid.room)
        for slid in (slide(volume.height, vertical), slide(volume.width, horizontal))
    ]
    return padding[0], padding[1] + over[0], padding[2], padding[3] + over[1]


def _even(padding: Sides) -> Pair | None:
    """The padding as PyTorch takes it, the same at both ends; None where it is not."""
    top, bottom, left, right = padding
    return (top, left) if top == bottom and left == right else None


def _torch_order(padding: Sides) -> Sides:
    """Left, right, top and bottom, as `nn.ZeroPad2d` takes them."""
    top, bottom, left, right = padding
    return left, right, top, bottom


def _options(layer: Layer, *names: str) -> dict[str, object]:
    """The fields that are not as they are when nothing is said."""
    return {
        name: _short(getattr(layer, name))
        for name in names
        if getattr(layer, name) != type(layer).FIELDS[name]
    }


def _short(value: object) -> object:
    """One number for a pair of equal ones."""
    return value[0] if isinstance(value, tuple) and len(value) == 2 and value[0] == value[1] else value


def _quoted(value: object) -> object:
    return f'"{value}"' if isinstance(value, str) else value
