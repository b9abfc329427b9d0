"""Dropout, drawn: what its scaling stands for over every mask there is, and answers with it left on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from convworks.explanation.dropout import Identities, Redrawn, identities, redrawn
from convworks.report.demonstrations.chart import scientific
from convworks.report.demonstrations.frame import Demonstration, Picture
from convworks.report.drawing import dot, figure, line, text
from convworks.report.markup import Child, Markup, section, table, tag

PASSES = 300


def demonstrate(image: Picture | None = None) -> Demonstration:
    """The topic; answers with dropout left on are of a picture."""
    exact = identities()
    drawn = redrawn(image, passes=PASSES)
    mean, deviation = drawn.mean[0], drawn.deviation[0]
    said = (
        f"Over all {exact.masks:,} masks of {exact.inputs} inputs, probability 1/2, against the input "
        "times 1/2:",
        f"  mean of a linear layer: {exact.linear:.0e} apart (exact)",
        f"  geometric mean of a softmax: {exact.geometric:.0e} apart (exact)",
        f"  arithmetic mean of a softmax: {exact.arithmetic:.2f} apart (an approximation)",
        f"  mean of a net with a ReLU: {exact.relu:.2f} apart (an approximation)",
        f"Classic and inverted dropout, once one is divided by 1 - p: {exact.forms:.0e} apart (the same).",
        f"The pretrained net on the picture, dropout {drawn.probability:g} left on, {PASSES} passes:",
        *(
            f"  {name:20} {100 * plain:.0f} % with dropout off; {100 * middle:.0f} ± {100 * spread:.0f} % "
            "with it on"
            for name, plain, middle, spread in zip(
                drawn.names, drawn.plain, drawn.mean, drawn.deviation, strict=True
            )
        ),
    )
    return Demonstration(
        title="Scaling by 1 - p is exact for a linear layer, and a good guess beyond.",
        quote="“During the test time, dropout layers are used to multiply (1-drop_rate) to the input.” (a "
        "reader of the guide)",
        lead="True of the classic form; the inverted one, PyTorch’s, divides while training instead. With "
        f"dropout left on, the pretrained net says “{drawn.names[0]}” in {drawn.agreed} of {PASSES} "
        f"passes, with {100 * mean:.0f} ± {100 * deviation:.0f} %.",
        lines=said,
        parts={"Identities": _identities(exact), "Left on": _left_on(drawn)},
        document={
            "identities": {name: getattr(exact, name) for name in Identities.__slots__},
            "answers": [
                {"name": name, "plain": plain, "mean": middle, "deviation": spread}
                for name, plain, middle, spread in zip(
                    drawn.names,
                    drawn.plain.tolist(),
                    drawn.mean.tolist(),
                    drawn.deviation.tolist(),
                    strict=True,
                )
            ],
            "passes": PASSES,
            "agreed": drawn.agreed,
        },
    )


def _identities(exact: Identities) -> Markup:
    rows = [
        ["Mean of a linear layer", "the layer, its input times 1 - p", scientific(exact.linear), "exact"],
        ["Geometric mean of its softmax", "the softmax of that", scientific(exact.geometric), "exact"],
        ["Arithmetic mean of its softmax", "the same", scientific(exact.arithmetic), "not the same"],
        [
            "Mean of a net with a ReLU inside",
            "that net, its input times 1 - p",
            scientific(exact.relu),
            "not the same",
        ],
        [
            "Classic dropout over 1 - p",
            "inverted dropout",
            scientific(exact.forms),
            "the same, in training and testing",
        ],
    ]
    listing = table(
        ["What", "Against", "Largest difference", ""],
        rows,
        caption=f"Over all {exact.masks:,} masks of {exact.inputs} inputs",
        numbers=(2,),
    )
    said = (
        "Dropout trains very many nets at once, one a mask, that share their weights. At test time all of "
        "them should vote; scaling by 1 - p is that vote where the net is linear up to its softmax (and "
        "the votes are multiplied, not added), and an approximation that works well in practice where it "
        "is not. Multiplying and dividing, or neither, is the mistake."
    )
    return section("identities", "What the factor stands for", tag("p", said), listing)


def _left_on(drawn: Redrawn) -> Markup:
    said = "; ".join(
        f"{name} {mean:.2f}, give or take {deviation:.2f}"
        for name, mean, deviation in zip(drawn.names, drawn.mean, drawn.deviation, strict=True)
    )
    chart = figure(
        f"Answers in {len(drawn.draws)} passes with dropout on: {said}.",
        lambda width: _strips(drawn, width),
        "Each dot is one pass; the dark line their mean; the orange ring the answer with dropout off.",
    )
    why = (
        f"With dropout of {drawn.probability:g} before the last layer left on, the same picture gets "
        "another answer in every pass. How far they lie apart says how much the answer hangs on few "
        "features (Gal and Ghahramani, 2016). It does not say that the net is right: one that is wrong for "
        "a reason that all its features share is sure of it."
    )
    return section("left-on", "Left on: one picture, many answers", tag("p", why), chart)


def _strips(drawn: Redrawn, width: int) -> tuple[int, list[Child]]:
    row, left = 58, 12
    right = width - 20

    def x(share: float) -> float:
        return left + share * (right - left)

    height = row * len(drawn.names) + 34
    children: list[Child] = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        children += [
            line(x(tick), 8, x(tick), height - 30, "grid"),
            text(x(tick), height - 12, f"{tick:g}", "tick", "middle"),
        ]
    for number, name in enumerate(drawn.names):
        children += _strip(drawn.draws[:, number].tolist(), float(drawn.plain[number]), name, number * row, x)
    return height, children


def _strip(
    draws: Sequence[float], plain: float, name: str, top: float, x: Callable[[float], float]
) -> list[Child]:
    mean = sum(draws) / len(draws)
    middle = top + 38
    # Spread up and down by a fixed pattern, so that dots on one value can be told apart.
    dots: list[Child] = [
        dot(x(value), middle + (index * 0.618 % 1 - 0.5) * 20, 2.6, "draw")
        for index, value in enumerate(draws)
    ]
    return [
        text(x(0), top + 20, name, "label"),
        *dots,
        line(x(mean), middle - 14, x(mean), middle + 14, "mean"),
        dot(x(plain), middle, 6, "plain"),
    ]
