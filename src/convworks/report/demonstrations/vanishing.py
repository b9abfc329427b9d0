"""The vanishing gradient, drawn: gradients by layer, and the loss of nets that differ in their activation "
"alone."""

from __future__ import annotations

import math

from convworks.explanation.vanishing import (
    ACTIVATIONS,
    CHANNELS,
    KERNEL,
    RATES,
    VARIANCE,
    Learning,
    Vanishing,
    vanishing,
)
from convworks.report.demonstrations.chart import KINDS, Axis, Series, lines, power, scientific
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.drawing import figure
from convworks.report.markup import Markup, folded, section, table, tag

NAMES = {"sigmoid": "sigmoid", "tanh": "tanh", "relu": "ReLU"}
SHOWN = 16  # layers of the nets that are drawn


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic; it is shown on gratings, not on a picture."""
    found = vanishing()
    deep = {name: found.of(name, SHOWN) for name in ACTIVATIONS}
    learned = {each.activation: each for each in found.learning}
    steps = len(found.learning[0].losses)
    said = [
        f"Plain nets of {SHOWN} convolutions, the same weights in each (variance {VARIANCE['he']:g} / "
        "inputs):",
        *(
            f"  {NAMES[name]:8} the first layer's gradient is {deep[name].reaches:.1e} of the last layer's"
            for name in ACTIVATIONS
        ),
        f"Loss of nets of {found.depth} layers after {steps} steps, each at its best of {len(RATES)} rates "
        f"(guessing: {found.guessing:.2f}):",
        *(
            f"  {NAMES[name]:8} {learned[name].final:.4f} at rate {learned[name].rate:g}, "
            f"{1000 * learned[name].step_seconds:.1f} ms a step"
            for name in ACTIVATIONS
        ),
        "The sigmoid's steps cost as much as ReLU's: what slows it is that it saturates, not its arithmetic.",
        "tanh keeps its gradient too when weights are drawn at this size; with PyTorch's own draw all "
        "three shrink.",
    ]
    return Demonstration(
        title="A sigmoid net’s first layers hear almost nothing.",
        quote="“It also helps to alleviate the vanishing gradient problem, which is the issue where the "
        "lower layers of the network train very slowly because the gradient decreases exponentially "
        "through the layers.”",
        lead=f"In a net of {SHOWN} layers whose activation is a sigmoid, the gradient of the first layer is "
        f"{scientific(deep['sigmoid'].reaches)} of the last layer’s. With tanh it is "
        f"{deep['tanh'].reaches:.1f}, with ReLU {deep['relu'].reaches:.1f}.",
        lines=tuple(said),
        parts={
            "Gradients": _gradients(found),
            "Learning": _learning(found, learned),
            "Drawing": _policies(found),
        },
        document=_document(found),
    )


def _gradients(found: Vanishing) -> Markup:
    series = [
        Series(
            NAMES[name],
            [(place + 1, float(norm)) for place, norm in enumerate(found.of(name, SHOWN).norms)],
            kind,
        )
        for name, kind in zip(ACTIVATIONS, KINDS, strict=False)
    ]
    lowest = min(value for each in series for _, value in each.points)
    said = "; ".join(
        f"{NAMES[name]} {scientific(float(found.of(name, SHOWN).norms[0]))} in the first layer and "
        f"{scientific(float(found.of(name, SHOWN).norms[-1]))} in the last"
        for name in ACTIVATIONS
    )
    chart = figure(
        f"Norm of the gradient by layer: {said}.",
        lines(
            series,
            Axis("layer, the first next to the picture", 1, SHOWN, at=range(1, SHOWN + 1)),
            Axis("norm of the gradient", 10.0 ** math.floor(math.log10(lowest)), 1.0, power, log=True),
            height=340,
        ),
        "Before any learning. The axis is logarithmic: a straight line down is a gradient that shrinks by "
        f"the same factor from layer to layer, {found.of('sigmoid', SHOWN).factor:.2f} for the sigmoid.",
    )
    depths = sorted({each.depth for each in found.gradients})
    rows = [
        [str(depth), *(scientific(found.of(name, depth).reaches) for name in ACTIVATIONS)] for depth in depths
    ]
    listing = table(
        ["Layers", *(NAMES[name] for name in ACTIVATIONS)],
        rows,
        caption="Gradient of the first layer as a share of the last layer's",
        numbers=(1, 2, 3),
    )
    why = (
        "On its way down, a gradient is multiplied by the slope of each activation. A sigmoid's slope is "
        "at most 1/4; tanh's is 1 in its middle, and ReLU's is 1 wherever it lets anything through."
    )
    return section("gradients", "What reaches each layer", tag("p", why), chart, listing)


def _learning(found: Vanishing, learned: dict[str, Learning]) -> Markup:
    steps = len(found.learning[0].losses)
    series = [
        Series(
            NAMES[name],
            [(step, float(value)) for step, value in enumerate(learned[name].losses, 1)],
            kind,
        )
        for name, kind in zip(ACTIVATIONS, KINDS, strict=False)
    ]
    said = ", ".join(f"{NAMES[name]} ends at {learned[name].final:.3f}" for name in ACTIVATIONS)
    chart = figure(
        f"Loss by step: {said}; guessing is {found.guessing:.2f}.",
        lines(
            series,
            Axis("step", 1, steps, at=(1, *range(10, steps + 1, 10))),
            Axis("loss", 0, 1.6),
            dots=False,
            level=f"guessing={found.guessing}",
        ),
        f"Three classes of gratings, 32 images a step, {found.depth} layers. The axis ends at 1.6.",
    )
    rows = [
        [
            NAMES[name],
            f"{learned[name].rate:g}",
            f"{learned[name].final:.4f}",
            f"{1000 * learned[name].step_seconds:.1f} ms",
        ]
        for name in ACTIVATIONS
    ]
    listing = table(
        ["Activation", "Best rate", f"Loss after {steps} steps", "A step takes"], rows, numbers=(1, 2, 3)
    )
    fair = (
        "Each net had its choice of five learning rates. The guide gives “computational efficiency” as the "
        "reason why ReLU nets learn faster; the last column says how little that is. It is the steps that "
        "differ, not their price."
    )
    return section("learning", "How they learn", tag("p", fair), chart, listing)


def _policies(found: Vanishing) -> Markup:
    depths = sorted({each.depth for each in found.gradients})
    rows = [
        [
            str(depth),
            *(
                scientific(float(found.of(name, depth, policy).norms[0]))
                for policy in VARIANCE
                for name in ACTIVATIONS
            ),
        ]
        for depth in depths
    ]
    heads = [
        f"{NAMES[name]}, {'2' if policy == 'he' else '1/3'}" for policy in VARIANCE for name in ACTIVATIONS
    ]
    listing = table(
        ["Layers", *heads],
        rows,
        caption="Norm of the first layer's gradient, by activation and by variance times inputs",
        numbers=range(1, 7),
    )
    said = (
        "How weights are drawn matters as much as the activation. With a variance of 2 / inputs (He et "
        "al., 2015), what ReLU lets through keeps its size. With 1/3 / inputs, which is what PyTorch draws "
        "unless told otherwise, every layer shrinks what passes, and the gradient of a deep ReLU net "
        "vanishes too, in all of its layers alike."
    )
    how = (
        f"Each net: 3x3 convolutions with {CHANNELS} filters and padding {KERNEL // 2}, the activation "
        "after each, the mean of each map, and a linear layer for three classes; biases 0; 96 gratings of "
        "12 x 12 pixels; double precision."
    )
    return section(
        "drawing",
        "The weights they start from",
        tag("p", said),
        listing,
        folded("How it was measured", tag("p", how)),
    )


def _document(found: Vanishing) -> dict[str, object]:
    return {
        "gradients": [
            {
                "activation": each.activation,
                "policy": each.policy,
                "depth": each.depth,
                "norms": each.norms.tolist(),
                "first_over_last": each.reaches,
            }
            for each in found.gradients
        ],
        "learning": [
            {
                "activation": each.activation,
                "rate": each.rate,
                "losses": each.losses.tolist(),
                "final": each.final,
                "step_seconds": each.step_seconds,
            }
            for each in found.learning
        ],
        "depth": found.depth,
        "guessing": found.guessing,
    }
