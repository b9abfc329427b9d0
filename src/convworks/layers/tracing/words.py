"""What an operator is called, where it is, and how it looks to the arithmetic."""

from __future__ import annotations

from convworks.arithmetic.field import PIXEL
from convworks.arithmetic.formula import formula
from convworks.arithmetic.notation import write_layer
from convworks.arithmetic.shape import Fit
from convworks.arithmetic.spec import Dropout, Flatten, Linear
from convworks.arithmetic.walk import Row
from convworks.layers.tracing.recorder import Operator


def where(operator: Operator) -> str:
    """An operator's place, its module and line, and what it is."""
    name = f", {operator.path}" if operator.path else ""
    at = f", {operator.location}" if operator.location else ""
    return f"layer {operator.place}{name} ({label(operator)}{at})"


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
        live=0,
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
