"""A module as it was followed: its operators, totals and table, and what is to be said of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from convworks.arithmetic.advice import Finding
from convworks.arithmetic.cost import BYTES
from convworks.arithmetic.field import PIXEL, Fields
from convworks.arithmetic.formula import LETTERS, fit_words, formula
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.shape import Fit
from convworks.arithmetic.spec import Dropout, Flatten, Linear, Volume
from convworks.arithmetic.summary import finding_document
from convworks.arithmetic.walk import Row
from convworks.arithmetic.wording import byte_words, count_words, laid_out, of_axes, sizes
from convworks.layers.tracing.recorder import Operator

HEADINGS = (
    "",
    "module",
    "layer",
    "out",
    "parameters",
    "mult-adds",
    "predict",
    "sees",
    "step",
    "start",
    "fit",
)
LEFT = {1, 2, 10}


class Traced(NamedTuple):
    """A module followed on one image of `input`, up to where it ends or cannot be.

    `outputs` are the shapes of what it gives, for one image; `unused` are parameters that no operator read, and
    how many numbers each holds; `unfinished` says that following ended before the net did.
    """

    module: nn.Module
    input: Volume
    operators: tuple[Operator, ...]
    outputs: tuple[tuple[int, ...], ...]
    unused: dict[str, int]
    unfinished: bool

    @property
    def output(self) -> Volume | None:
        """What the last operator gives, where that is a map or a row of numbers."""
        return self.operators[-1].output if self.operators else self.input

    @property
    def parameters(self) -> int:
        """Learned numbers, those that several layers share counted once."""
        return sum(operator.parameters for operator in self.operators) + sum(self.unused.values())

    @property
    def multiply_adds(self) -> int:
        """Multiplications, each with its addition, for one image, of all operators for which they are known."""
        return sum(operator.multiply_adds or 0 for operator in self.operators)

    @property
    def predicting(self) -> int:
        """Bytes of activations that are alive at once, at most, while one image is predicted."""
        return max((operator.live for operator in self.operators), default=0)

    @property
    def last_map(self) -> Operator | None:
        """The last operator whose result still has height or width, and a field; None where there is none."""
        return next((operator for operator in reversed(self.operators) if _is_seeing(operator)), None)

    def check(self, objects: Sequence[float] = ()) -> list[Finding]:
        """What does not fit and what would mend it; `objects` are sizes of objects in pixels of the input."""
        from convworks.layers.tracing.advice import advise

        return advise(self, objects)

    def table(self) -> str:
        """The module operator by operator, its totals, and the formula with its own numbers, as plain text."""
        return "\n".join([*laid_out(self.cells(), LEFT), "", *self.totals()])

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text cells: headings, the input, then a row an operator."""
        first = ("", "", "input", str(self.input), "", "", "", "1", "1", "0", "")
        return [HEADINGS, first, *map(_cells, self.operators)]

    def totals(self) -> list[str]:
        """What the whole net costs and sees, a sentence a line, and one size worked out."""
        unknown = [operator for operator in self.operators if operator.multiply_adds is None]
        lines = [
            f"{self.parameters:,} parameters ({byte_words(BYTES * self.parameters)}), "
            f"{count_words(self.multiply_adds)} multiply-adds an image"
            + (f", without those of {len(unknown)} operators that are unknown." if unknown else "."),
            f"Activations an image: at most {byte_words(self.predicting)} at once while predicting.",
        ]
        last = self.last_map
        if last is not None and last.fields is not None:
            everything = (
                " and, through pooling, gates or attention, the whole input" if last.reach == "all" else ""
            )
            lines.append(
                f"A unit of the last map (layer {last.place}) sees {of_axes(last.fields, 'size')} px of "
                f"{self.input.height}x{self.input.width}{everything}; "
                f"its neighbour's view is {of_axes(last.fields, 'jump')} px further on."
            )
        if any(is_partly_seen(operator) for operator in self.operators):
            lines.append("* and the whole input besides, through pooling, a gate or attention.")
        worked = next((operator for operator in self.operators if formula_of(operator)), None)
        if worked is not None:
            lines += [f"Layer {worked.place}: {formula_of(worked)}.", LETTERS]
        return lines

    def document(self, findings: Sequence[Finding]) -> dict[str, Any]:
        """Everything as plain values for JSON, with the findings of a check."""
        return {
            "module": type(self.module).__name__,
            "input": sizes(self.input),
            "output": sizes(self.output),
            "outputs": [list(shape) for shape in self.outputs],
            "finished": not self.unfinished and not (self.operators and self.operators[-1].error),
            "parameters": self.parameters,
            "unused_parameters": self.unused,
            "multiply_adds": self.multiply_adds,
            "predicting_bytes": self.predicting,
            "layers": [_document(operator) for operator in self.operators],
            "findings": [finding_document(finding) for finding in findings],
        }


def row_of(operator: Operator) -> Row | None:
    """The operator as a row of the arithmetic; None where the arithmetic has no word for it."""
    if operator.layer is None or operator.input is None:
        return None
    return Row(
        place=str(operator.place),
        layer=operator.layer,
        input=operator.input,
        fit=None if operator.error else operator.fit or Fit(output=operator.input),
        fields=operator.fields or PIXEL,
        parameters=operator.parameters,
        multiply_adds=operator.multiply_adds or 0,
        kept=0,
        live=operator.live,
        error=operator.error,
    )


def label(operator: Operator) -> str:
    """What an operator is: in the notation where it has a word for it, else by PyTorch's name."""
    if operator.layer is None:
        return operator.call or "the module's own code"
    layer = operator.layer
    if isinstance(layer, Linear):
        return f"Linear({layer.inputs}, {layer.features})"
    if isinstance(layer, Dropout | Flatten):
        return operator.call
    return write_layer(layer)


def formula_of(operator: Operator) -> str:
    """The guide's formula with this operator's numbers; empty for one that does not slide."""
    row = row_of(operator)
    return formula(row) if row is not None and operator.error is None else ""


def is_partly_seen(operator: Operator) -> bool:
    """Whether its units have a place in the picture, and yet see all of it in some other way."""
    return operator.reach == "all" and operator.fields is not None and _is_seeing(operator)


def _is_seeing(operator: Operator) -> bool:
    output = operator.output
    return (
        operator.fields is not None
        and operator.reach != "unknown"
        and output is not None
        and (output.height > 1 or output.width > 1)
    )


def _shape(operator: Operator) -> str:
    if operator.error is not None:
        return "-"
    return (
        str(operator.output) if operator.output else "x".join(map(str, operator.shape[1:] or operator.shape))
    )


def _cells(operator: Operator) -> tuple[str, ...]:
    head = str(operator.place), operator.path or operator.location, label(operator), _shape(operator)
    row = row_of(operator)
    if operator.error is not None:
        return (
            *head,
            "",
            "",
            "",
            "",
            "",
            "",
            "? unknown from here" if operator.call and not row and not operator.input else "x impossible",
        )
    fields: Fields | None = operator.fields if operator.reach != "unknown" else None
    costs = operator.multiply_adds
    flat = operator.output is not None and operator.output.flat
    size = of_axes(fields, "size") if fields is not None else "all" if operator.reach == "all" else "?"
    return (
        *head,
        f"{operator.parameters:,}" if operator.parameters else "",
        "?" if costs is None else count_words(costs) if costs else "",
        byte_words(operator.live),
        size + ("*" if is_partly_seen(operator) else ""),
        of_axes(fields, "jump") if fields is not None and not flat else "",
        of_axes(fields, "start") if fields is not None else "",
        fit_words(row) if row is not None else "",
    )


def _document(operator: Operator) -> dict[str, Any]:
    slides = operator.fit.slides if operator.fit is not None else None
    return {
        "place": operator.place,
        "module": operator.path,
        "location": operator.location,
        "operator": operator.call,
        "layer": label(operator),
        "input": sizes(operator.input),
        "output": sizes(operator.output),
        "shape": list(operator.shape),
        "exact": [str(slid.exact) for slid in slides] if slides else None,
        "unread": [slid.unread for slid in slides] if slides else None,
        "skipped": [slid.skipped for slid in slides] if slides else None,
        "padding_unread": [slid.padding_unread for slid in slides] if slides else None,
        "grade": operator.grade,
        "formula": formula_of(operator),
        "parameters": operator.parameters,
        "multiply_adds": operator.multiply_adds,
        "bytes": operator.bytes,
        "predicting_bytes": operator.live,
        "sees": operator.reach,
        "field": [
            {"size": float(field.size), "jump": float(field.jump), "start": float(field.start)}
            for field in operator.fields
        ]
        if operator.fields is not None
        else None,
    }
