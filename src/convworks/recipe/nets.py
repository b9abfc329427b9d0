"""The net that some pictures ask for: asked for the next layer until there is none, each step with its reason.

One that was begun by hand goes on by the same rules (`following`).
"""

from __future__ import annotations

from dataclasses import dataclass

from convworks.arithmetic.notation import write
from convworks.arithmetic.spec import Conv, Flatten, GlobalPool, Layer, Linear, Net, Pool
from convworks.arithmetic.summary import Design, designed
from convworks.errors import NetError
from convworks.recipe.aims import Aims, Choice
from convworks.recipe.following import DEAR, FILTERS, PLAIN, Candidate, next_layers

MOST_LAYERS = 400  # more than any proposal needs


@dataclass(frozen=True, slots=True, kw_only=True)
class NetProposal:
    """A net, the candidate that was taken at each step beyond `begun` layers, and what was chosen for the whole."""

    net: Net
    begun: int
    steps: tuple[Candidate, ...]
    choices: tuple[Choice, ...]
    aims: Aims

    @property
    def notation(self) -> str:
        """The net on one line."""
        return write(self.net.layers)

    @property
    def body(self) -> str:
        """The net without its head, on one line: the name of the backbone that `train` takes."""
        heads = [
            place
            for place, layer in enumerate(self.net.layers)
            if isinstance(layer, GlobalPool | Flatten | Linear)
        ]
        return write(self.net.layers[: heads[0] if heads else None])

    @property
    def following(self) -> tuple[Candidate, ...]:
        """What may come next behind the layers that were begun, the best first."""
        return next_layers(self.net.layers[: self.begun], self.aims)

    @property
    def design(self) -> Design:
        """The net followed through."""
        return designed(self.net)

    def why(self, name: str) -> str:
        """The reason for a choice, by its name; raises NetError for no such choice."""
        for choice in self.choices:
            if choice.name == name:
                return f"{choice.cause}: {choice.reason}"
        raise NetError(
            f'Nothing was chosen that is called "{name}".',
            expected=f"one of {', '.join(choice.name for choice in self.choices)}",
        )


def net_for(aims: Aims, begun: tuple[Layer, ...] = ()) -> NetProposal:
    """The net for what the pictures ask; `begun` layers stay as they are and the rest follows.

    Raises NetError where the layers that were begun cannot be.
    """
    layers, steps = begun, list[Candidate]()
    while len(steps) < MOST_LAYERS and (found := next_layers(layers, aims)):
        steps.append(found[0])
        layers = (*layers, found[0].layer)
    net = Net(layers=layers, input=aims.input)
    return NetProposal(
        net=net,
        begun=len(begun),
        steps=tuple(steps),
        choices=(*aims.choices, *_choices(net, aims)),
        aims=aims,
    )


def _choices(net: Net, aims: Aims) -> list[Choice]:
    """What was chosen for the whole net, from the net that came of it."""
    filters = [layer for layer in net.layers if isinstance(layer, FILTERS)]
    shapes = dict.fromkeys(f"{layer.kernel[0]}x{layer.kernel[1]}" for layer in filters)
    steps = sum(layer.stride[0] > 1 for layer in net.layers if isinstance(layer, Conv | Pool))
    spread = any(isinstance(layer, Conv) and layer.dilation[0] > 1 for layer in filters)
    found = [
        Choice(
            name="layers",
            value=f"{len(filters)} of filters, {steps} halvings",
            cause=f"stride {aims.stride} and a field of {aims.field} px are wanted",
            reason=f"a halving doubles what the next filters see; {PLAIN} layers of filters at each scale, one "
            f"where they cost most (full resolution, {DEAR} rows or more), and at the last what the field asks",
        ),
        Choice(
            name="filters",
            value=", ".join(shapes) or "none",
            cause="every scale is looked at by its own layers",
            reason="two 3x3 see 5x5 px with 18 weights where one 5x5 has 25, and have one more ReLU"
            + ("; the last are spread out, to see further without a coarser map" if spread else ""),
        ),
        Choice(
            name="padding",
            value="(K - 1)/2",
            cause="stride 1 within a scale",
            reason="the map keeps its size, so every halving comes out whole and no row is left unread",
        ),
        Choice(
            name="norm and activation",
            value="bn, relu",
            cause="the net learns from random weights",
            reason="batch norm keeps what passes at one scale so that it learns at a high rate, ReLU does not saturate",
        ),
    ]
    if aims.classes:
        found.append(
            Choice(
                name="head",
                value=f"gap dropout{aims.dropout:g} fc{aims.classes}",
                cause=f"{aims.classes} classes",
                reason="the mean over the map has no weights, so the last layer alone knows the classes; dropout "
                "against learning by heart",
            )
        )
    return found
