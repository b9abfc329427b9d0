"""`design`: a net on one line, followed through, as a table, as findings, and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from convworks.arithmetic.advice import Finding, advise, last_map
from convworks.arithmetic.cost import BYTES
from convworks.arithmetic.formula import LETTERS, fit_words, formula
from convworks.arithmetic.notation import parse, write, write_layer
from convworks.arithmetic.spec import Concat, Net, Residual, Volume
from convworks.arithmetic.walk import Row, Walk, walk
from convworks.arithmetic.wording import byte_words, count_words, laid_out, of_axes, sizes

HEADINGS = ("", "layer", "out", "parameters", "mult-adds", "predict", "train", "sees", "step", "start", "fit")
LEFT = {1, 10}


class Design(NamedTuple):
    """A net, and what is known of it before anything runs: `walk` is it followed layer by layer."""

    net: Net
    walk: Walk

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row a layer, up to the first that is impossible."""
        return self.walk.rows

    @property
    def output(self) -> Volume | None:
        """What the net gives; None where it is impossible."""
        return self.rows[-1].output if self.rows else self.net.input

    @property
    def parameters(self) -> int:
        """Learned numbers."""
        return sum(row.parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition, for one image."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def predicting(self) -> int:
        """Bytes of activations that are alive at once, at most, while one image is predicted."""
        return max((row.live for row in self.rows), default=0)

    @property
    def training(self) -> int:
        """Bytes of activations that training keeps of one image until the way back."""
        return self.walk.input_kept + sum(row.kept for row in self.rows)

    def check(self, objects: Sequence[float] = ()) -> list[Finding]:
        """What does not fit and what would mend it; `objects` are sizes of objects in pixels of the input."""
        return advise(self.net, self.walk, objects)

    def table(self) -> str:
        """The net layer by layer, its totals, and the formula with its own numbers, as plain text."""
        return "\n".join([*laid_out(self.cells(), LEFT), "", *self.totals()])

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text cells: headings, the input, then a row a layer."""
        return [HEADINGS, _input_cells(self.net.input, self.walk.input_kept), *map(_cells, self.rows)]

    def totals(self) -> list[str]:
        """What the whole net costs and sees, a sentence a line, and one size worked out."""
        lines = [
            f"{self.parameters:,} parameters ({byte_words(BYTES * self.parameters)}), "
            f"{count_words(self.multiply_adds)} multiply-adds an image.",
            f"Activations an image: at most {byte_words(self.predicting)} at once while predicting, "
            f"{byte_words(self.training)} kept while training.",
        ]
        last = last_map(self.walk)
        if last is not None:
            size, step = of_axes(last.fields, "size"), of_axes(last.fields, "jump")
            height, width = self.net.input.height, self.net.input.width
            lines.append(
                f"A unit of the last map (layer {last.place}) sees {size} px of {height}x{width}; "
                f"its neighbour's view is {step} px further on."
            )
        worked = next((row for row in self.rows if formula(row)), None)
        if worked is not None:
            lines += [f"Layer {worked.place}: {formula(worked)}.", LETTERS]
        return lines

    def svg(self, width: int = 960) -> str:
        """A picture of the net as SVG, `width` pixels wide at most: volumes in perspective, as the guide draws them."""
        from convworks.arithmetic.volumes import net_svg

        return net_svg(self.net, self.walk, width)

    def strip(self, width: int = 960) -> str:
        """A picture of the net as SVG, `width` pixels wide at most: a small cell a layer."""
        from convworks.arithmetic.strip import strip_svg

        return strip_svg(self.net, self.walk, width)

    def windows(self, layer: int | str, width: int = 720) -> str:
        """A picture, as SVG, of the windows of one layer on its input: what they read, skip and never reach.

        `layer` is a place of the table, 3 or "4.1.2". Raises NetError where it has no window that slides.
        """
        from convworks.arithmetic.sliding import windows_svg

        return windows_svg(self.rows, layer, width)

    def windows_text(self, layer: int | str) -> str:
        """The same as letters for a terminal, with the formula and its numbers. Raises NetError.

        >>> print(design("conv2-1 s2 p0+1", input=(3, 3, 1)).windows_text(1))
        Layer 1, conv2-1 s2 p0+1: 3x3x1 -> 2x2x1, fits.
        <BLANKLINE>
        [o o]o .
        [o o]o .
         o o o .
         . . . .
        <BLANKLINE>
        [ ] the first window, the next is 2 rows or 2 columns further on
         o  read by one window
         .  padding
        <BLANKLINE>
        O = (W - K + P)/S + 1 = (3 - 2 + (0 + 1))/2 + 1 = 2
        O is the output's height or width, W the input's, K the filter's, P the padding on each side, S the stride.
        """
        from convworks.arithmetic import grid

        row = grid.find(self.rows, layer)
        cells = grid.text(*grid.axes(row, self.rows))
        fits = fit_words(row).removeprefix("! ")
        head = f"Layer {row.place}, {write_layer(row.layer)}: {row.input} -> {row.output}, {fits}."
        return "\n".join([head, "", cells, "", formula(row), LETTERS])

    def python(self) -> str:
        """The net as the source of an `nn.Module`: plain PyTorch, and ours where PyTorch has no such layer.

        Given the same weights in the same order it computes what `layers.build` does. Raises NetError where the net
        is impossible.
        """
        from convworks.arithmetic.program import python

        return python(self.net)

    def _repr_html_(self) -> str:
        """What a notebook shows: the picture, the table, the totals and the findings, without scripts."""
        from convworks.arithmetic.notebook import page

        drawn = self.svg(960), self.svg(360)
        return page(drawn, self.cells(), LEFT, self.totals(), list(map(str, self.check())))

    def document(self, findings: Sequence[Finding]) -> dict[str, Any]:
        """Everything as plain values for JSON, with the findings of a check."""
        return {
            "notation": write(self.net.layers),
            "input": sizes(self.net.input),
            "output": sizes(self.output),
            "parameters": self.parameters,
            "multiply_adds": self.multiply_adds,
            "predicting_bytes": self.predicting,
            "training_bytes": self.training,
            "layers": [_row_document(row) for row in self.rows],
            "findings": [finding_document(finding) for finding in findings],
        }


def design(notation: str, input: tuple[int, int, int]) -> Design:
    """The net of a notation on an input of (height, width, channels); raises NetError for what is unreadable.

    A net that reads well but cannot be, such as a filter larger than its input, is no error: `check` says so.

    >>> net = design("conv5-16 relu pool2 conv5-32 relu pool2 fc10", input=(32, 32, 3))
    >>> print(net.output, net.parameters, net.check())
    10 22058 []
    """
    height, width, channels = input
    volume = Volume(height=height, width=width, channels=channels)
    return designed(Net(layers=parse(notation), input=volume))


def designed(net: Net) -> Design:
    """The net followed through."""
    return Design(net=net, walk=walk(net))


def _input_cells(volume: Volume, kept: int) -> tuple[str, ...]:
    return ("", "input", str(volume), "", "", "", byte_words(kept) if kept else "", "1", "1", "0", "")


def _cells(row: Row) -> tuple[str, ...]:
    depth = row.place.count(".") // 2
    label = "  " * depth + _label(row)
    if row.output is None:
        return (row.place, label, "-", "", "", "", "", "", "", "", "x impossible")
    return (
        row.place,
        label,
        str(row.output),
        f"{row.parameters:,}" if row.parameters else "",
        count_words(row.multiply_adds) if row.multiply_adds else "",
        byte_words(row.live),
        byte_words(row.kept) if row.kept else "",
        of_axes(row.fields, "size"),
        "" if row.output.flat else of_axes(row.fields, "jump"),
        of_axes(row.fields, "start"),
        fit_words(row),
    )


def _label(row: Row) -> str:
    if isinstance(row.layer, Residual):
        return "sum of both"
    return "stack of all" if isinstance(row.layer, Concat) else write_layer(row.layer)


def _row_document(row: Row) -> dict[str, Any]:
    slides = row.fit.slides if row.fit is not None else None
    return {
        "place": row.place,
        "layer": write_layer(row.layer),
        "input": sizes(row.input),
        "output": sizes(row.output),
        "exact": [str(slid.exact) for slid in slides] if slides else None,
        "unread": [slid.unread for slid in slides] if slides else None,
        "skipped": [slid.skipped for slid in slides] if slides else None,
        "padding_unread": [slid.padding_unread for slid in slides] if slides else None,
        "grade": row.grade,
        "formula": formula(row),
        "parameters": row.parameters,
        "multiply_adds": row.multiply_adds,
        "predicting_bytes": row.live,
        "training_bytes": row.kept,
        "field": [
            {"size": float(field.size), "jump": float(field.jump), "start": float(field.start)}
            for field in row.fields
        ],
    }


def finding_document(finding: Finding) -> dict[str, Any]:
    """A finding as plain values for JSON."""
    return {
        "level": finding.level,
        "code": finding.code,
        "where": finding.where,
        "what": finding.what,
        "why": finding.why,
        "fix": finding.remedy,
        "fixes": [
            {"change": fix.change, "output": sizes(fix.output), "downstream": fix.downstream}
            | ({"notation": write(fix.net.layers), "input": sizes(fix.net.input)} if fix.net else {})
            for fix in finding.fixes
        ],
    }
