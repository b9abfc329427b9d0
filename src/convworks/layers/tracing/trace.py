"""`trace`: any module, operator by operator, as a table, as findings, and as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from convworks.arithmetic.advice import Finding
from convworks.arithmetic.cost import BYTES
from convworks.arithmetic.field import Fields
from convworks.arithmetic.formula import LETTERS, fit_words
from convworks.arithmetic.spec import Volume
from convworks.arithmetic.summary import finding_document
from convworks.arithmetic.wording import byte_words, count_words, laid_out, of_axes, sizes
from convworks.layers.tracing.advice import advise
from convworks.layers.tracing.follow import Followed, follow
from convworks.layers.tracing.recorder import Operator
from convworks.layers.tracing.words import formula_of, label, row_of

HEADINGS = (
    "",
    "module",
    "layer",
    "out",
    "parameters",
    "mult-adds",
    "predict",
    "train",
    "sees",
    "step",
    "start",
    "fit",
)
LEFT = {1, 2, 11}


class Traced(Followed):
    """A module as it was followed: its totals, its table, and what is to be said of it."""

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
        return max(self.memory.live, default=0)

    @property
    def training(self) -> int:
        """Bytes of activations that training keeps of one image until the way back, where it is known what is kept.

        Weights, gradients and what the optimiser remembers come on top, once for all images of a step.
        """
        return self.memory.input_kept + sum(kept or 0 for kept in self.memory.kept)

    def check(self, objects: Sequence[float] = ()) -> list[Finding]:
        """What does not fit and what would mend it; `objects` are sizes of objects in pixels of the input."""
        return advise(self, objects)

    def table(self) -> str:
        """The module operator by operator, its totals, and the formula with its own numbers, as plain text."""
        return "\n".join([*laid_out(self.cells(), LEFT), "", *self.totals()])

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text cells: headings, the input, then a row an operator."""
        kept = byte_words(self.memory.input_kept) if self.memory.input_kept else ""
        first = ("", "", "input", str(self.input), "", "", "", kept, "1", "1", "0", "")
        return [HEADINGS, first, *map(_cells, self.operators, self.memory.live, self.memory.kept)]

    def totals(self) -> list[str]:
        """What the whole net costs and sees, a sentence a line, and one size worked out."""
        unknown = [operator for operator in self.operators if operator.multiply_adds is None]
        lines = [
            f"{self.parameters:,} parameters ({byte_words(BYTES * self.parameters)}), "
            f"{count_words(self.multiply_adds)} multiply-adds an image"
            + (f", without those of {len(unknown)} operators that are unknown." if unknown else "."),
            f"Activations an image: at most {byte_words(self.predicting)} at once while predicting, "
            f"{byte_words(self.training)} kept while training{self._unknown_kept()}.",
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
        if any(operator.sees_beyond for operator in self.operators):
            lines.append("* and the whole input besides, through pooling, a gate or attention.")
        worked = next((operator for operator in self.operators if formula_of(operator)), None)
        if worked is not None:
            lines += [f"Layer {worked.place}: {formula_of(worked)}.", LETTERS]
        return lines

    def _unknown_kept(self) -> str:
        """How many operators keep nobody knows what, in words."""
        unknown = self.memory.kept.count(None)
        if not unknown:
            return ""
        who = "1 operator keeps" if unknown == 1 else f"{unknown} operators keep"
        return f", without what {who}: that is unknown"

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
            "training_bytes": self.training,
            "layers": list(map(_document, self.operators, self.memory.live, self.memory.kept)),
            "findings": [finding_document(finding) for finding in findings],
        }


def trace(module: nn.Module, input: tuple[int, int, int]) -> Traced:
    """The module followed on one image of (height, width, channels), as it is when it predicts.

    Its code runs once, on tensors without numbers: nothing is computed, and neither weights nor statistics change.
    A net that cannot be is no error here: the operator where it ends says why.

    >>> net = nn.Sequential(nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(3136, 10))
    >>> traced = trace(net, input=(32, 32, 3))
    >>> print(traced.output, traced.parameters, [operator.call for operator in traced.operators])
    10 32586 ['conv2d', 'relu', 'max_pool2d', 'flatten', 'linear']
    """
    height, width, channels = input
    return Traced(*follow(module, Volume(height=height, width=width, channels=channels)))


def _shape(operator: Operator) -> str:
    if operator.error is not None:
        return "-"
    return (
        str(operator.output) if operator.output else "x".join(map(str, operator.shape[1:] or operator.shape))
    )


def _cells(operator: Operator, live: int, kept: int | None) -> tuple[str, ...]:
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
        byte_words(live),
        "?" if kept is None else byte_words(kept) if kept else "",
        size + ("*" if operator.sees_beyond else ""),
        of_axes(fields, "jump") if fields is not None and not flat else "",
        of_axes(fields, "start") if fields is not None else "",
        fit_words(row) if row is not None else "",
    )


def _document(operator: Operator, live: int, kept: int | None) -> dict[str, Any]:
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
        "predicting_bytes": live,
        "training_bytes": kept,
        "sees": operator.reach,
        "field": [
            {"size": float(field.size), "jump": float(field.jump), "start": float(field.start)}
            for field in operator.fields
        ]
        if operator.fields is not None
        else None,
    }
