"""What pooling saves and what it loses: "how can you know you're not losing something important?"

The guide: "the amount of parameters or weights is reduced by 75%". It is the activations that 2x2 pooling reduces by
75 %; it has no weights itself, and the convolution behind it has as many as without it. A fully connected layer
behind it does need a quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from convworks.arithmetic.summary import design
from convworks.explanation.material import patterned, pretrained
from convworks.layers.conv_norm import ConvNorm
from convworks.layers.pooling import L2Pool2d, l2_pool

Kind = Literal["max", "average", "L2", "stride"]
KINDS: tuple[Kind, ...] = ("max", "average", "L2", "stride")
"""The guide's three poolings, and the plainest way to be as small: keep every n-th activation of every n-th row."""

SIDE, MARGIN = 32, 4  # of the trained nets' input, and how far it can be moved to either side, in pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """One layer of a net with a 2x2 pooling before it, and of the same net without: numbers of each."""

    layer: str
    without: int
    pooled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """What a 2x2 pooling saves in `notation`: activations that it lets through, and the layers behind it.

    `activations` is before and after it; `weights` and `multiply_adds` are of the layers that come later.
    """

    notation: str
    activations: Saving
    weights: tuple[Saving, ...]
    multiply_adds: tuple[Saving, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shifted:
    """How much pooled maps change when the picture moves by 0, 1, 2, ... pixels to the left.

    `change` is the distance between the maps before and after, over what it would be between two unrelated maps: 0
    is no change, 1 is as unlike as another picture.
    """

    kind: Kind
    window: int
    change: Float[np.ndarray, "shifts"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rebuilt:
    """A picture from what a pooling let through; `lost` is the share of its variance that does not come back."""

    kind: str
    window: int
    image: UInt8[np.ndarray, "h w 3"]
    lost: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """A small net with this pooling, on pictures that it did not learn from, moved by -4 to 4 pixels.

    `right` is the share answered right, `same` the share answered as before the move, which is the middle.
    """

    kind: Kind
    right: Float[np.ndarray, "moves"]
    same: Float[np.ndarray, "moves"]
    images: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wobble:
    """What the pretrained net says of a picture that moves to the left, pixel by pixel.

    `probability` is of `name`, its answer before the move; `agreed` counts the places where that is its answer.
    """

    name: str
    probability: Float[np.ndarray, "shifts"]
    agreed: int


def pooled(maps: Float[Tensor, "n c h w"], kind: Kind, window: int) -> Float[Tensor, "n c h2 w2"]:
    """The maps, pooled in windows of `window` pixels with a stride of the same length."""
    if kind == "max":
        return F.max_pool2d(maps, window)
    if kind == "average":
        return F.avg_pool2d(maps, window)
    if kind == "L2":
        return l2_pool(maps, (window, window), (window, window))
    return maps[:, :, ::window, ::window]


def savings() -> Savings:
    """The guide's claim, counted: 2x2 pooling in front of a convolution and a fully connected layer."""
    without = design("conv3-16 p1 relu conv3-32 p1 relu fc10", input=(32, 32, 3))
    pooled = design("conv3-16 p1 relu pool2 conv3-32 p1 relu fc10", input=(32, 32, 3))
    behind = [(0, 0, "conv3-16, before it"), (2, 3, "conv3-32, behind it"), (4, 5, "fc10, the last")]

    def counted(number: str) -> tuple[Saving, ...]:
        return tuple(
            Saving(
                layer=name, without=getattr(without.rows[a], number), pooled=getattr(pooled.rows[b], number)
            )
            for a, b, name in behind
        )

    sizes = [pooled.rows[place].output for place in (1, 2)]
    before, after = (0 if size is None else size.height * size.width * size.channels for size in sizes)
    return Savings(
        notation="conv3-16 p1 relu pool2 conv3-32 p1 relu fc10",
        activations=Saving(layer="pool2", without=before, pooled=after),
        weights=counted("parameters"),
        multiply_adds=counted("multiply_adds"),
    )


def shifted(
    image: UInt8[np.ndarray, "h w 3"], *, windows: Sequence[int] = (2, 4, 8), most: int = 8
) -> list[Shifted]:
    """The change of pooled maps as `image` moves by 0 to `most` pixels, for every kind and window.

    The maps are those of the pretrained net's first layer, taken at every pixel.
    """
    maps = _first_maps(image)
    side = min(maps.shape[2:]) - most
    side -= side % max(windows)
    found: list[Shifted] = []
    for window in windows:
        for kind in KINDS:
            moved = [
                pooled(maps[:, :, :side, shift : shift + side], kind, window) for shift in range(most + 1)
            ]
            still = moved[0]
            apart = (2 * (still - still.mean((2, 3), keepdim=True)).square().sum()).sqrt()
            change = [float((one - still).square().sum().sqrt() / apart) for one in moved]
            found.append(Shifted(kind=kind, window=window, change=np.array(change)))
    return found


def rebuilt(image: UInt8[np.ndarray, "h w 3"], window: int) -> list[Rebuilt]:
    """The picture built again from each pooling; "max, placed" also knows where in its window each value was.

    Every other kind fills the window with its one value (for L2 the root mean square).
    """
    height, width = (side - side % window for side in image.shape[:2])
    pixels = torch.from_numpy(image[:height, :width] / 255).permute(2, 0, 1)[None].float()
    spread = F.interpolate

    def filled(kind: Kind) -> Float[Tensor, "1 3 h w"]:
        small = pooled(pixels, kind, window) / (window if kind == "L2" else 1)
        return spread(small, scale_factor=window, mode="nearest")

    highest, places = F.max_pool2d(pixels, window, return_indices=True)
    placed = F.max_unpool2d(highest, places, [window, window], output_size=[height, width])
    total = (pixels - pixels.mean((2, 3), keepdim=True)).square().sum()
    built = [*((kind, filled(kind)) for kind in KINDS), ("max, placed", placed)]
    return [
        Rebuilt(
            kind=kind,
            window=window,
            image=(again[0].permute(1, 2, 0).clamp(0, 1) * 255).round().byte().numpy(),
            lost=float((again - pixels).square().sum() / total),
        )
        for kind, again in built
    ]


def answers(*, steps: int = 120, count: int = 700, tests: int = 200, seed: int = 0) -> list[Answers]:
    """A small net a kind learns patterned shapes that lie anywhere, and then sees other ones before and after a move.

    3 convolutions, 2 poolings, 1 fully connected layer; each learns from the same weights and the same pictures in
    the same order. The moves are of -MARGIN to MARGIN pixels; at 0 the picture is where it was learned.
    """
    images, labels, _ = patterned(count, SIDE + 2 * MARGIN, seed)
    unseen, truth, _ = patterned(tests, SIDE + 2 * MARGIN, seed + 1)
    found: list[Answers] = []
    for kind in KINDS:
        net = _taught(kind, images[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN], labels, steps, seed)
        with torch.no_grad():
            said = [
                net(unseen[:, :, MARGIN:-MARGIN, move : move + SIDE]).argmax(1)
                for move in range(2 * MARGIN + 1)
            ]
        right = [float((one == truth).float().mean()) for one in said]
        same = [float((one == said[MARGIN]).float().mean()) for one in said]
        found.append(Answers(kind=kind, right=np.array(right), same=np.array(same), images=tests))
    return found


def wobble(image: UInt8[np.ndarray, "h w 3"], most: int = 16) -> Wobble:
    """What the pretrained net says as the picture moves to the left, by up to `most` pixels of its input.

    It is shown windows of the picture with a short side of 256 pixels, so that what comes in at the right is real.
    """
    model = pretrained()
    side = model.preprocessing.size
    kept = model.preprocessing.kept(image)
    top = (kept.shape[0] - side) // 2
    left = max((kept.shape[1] - side - most) // 2, 0)
    frames = [
        kept[top : top + side, left + shift : left + shift + side]
        for shift in range(min(most, kept.shape[1] - side) + 1)
    ]
    x = np.stack([model.preprocessing.normalise(frame) for frame in frames])
    probabilities = model.logits(x).softmax(1)
    said = probabilities.argmax(1)
    return Wobble(
        name=model.classes[int(said[0])],
        probability=probabilities[:, said[0]].double().numpy(),
        agreed=int((said == said[0]).sum()),
    )


def _first_maps(image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "1 c h2 w2"]:
    """The first layer's maps of the whole picture at every pixel, without its stride."""
    model = pretrained()
    first = next(part for part in model.net.modules() if isinstance(part, ConvNorm))
    x = torch.from_numpy(model.preprocessing.normalise(model.preprocessing.frame(image)))[None]
    with torch.no_grad():
        return F.relu6(first.norm(F.conv2d(x, first.conv.weight)))


def _taught(
    kind: Kind, images: Float[Tensor, "n 3 s s"], labels: Int[Tensor, "n"], steps: int, seed: int
) -> nn.Module:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        net = _small_net(kind)
    optimiser = torch.optim.AdamW(net.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        chosen = torch.randint(len(images), (24,), generator=generator)
        loss = F.cross_entropy(net(images[chosen]), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def _small_net(kind: Kind) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs, stride in ((3, 12, 1), (12, 24, 2), (24, 24, 2)):
        if stride > 1:
            layers.append(_reducing(kind))
        layers.append(ConvNorm(inputs, outputs, 3))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(24 * (SIDE // 4) ** 2, 3))


def _reducing(kind: Kind) -> nn.Module:
    if kind == "max":
        return nn.MaxPool2d(2)
    if kind == "average":
        return nn.AvgPool2d(2)
    return L2Pool2d((2, 2), (2, 2)) if kind == "L2" else nn.MaxPool2d(1, stride=2)
