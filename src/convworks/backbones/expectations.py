"""Input that is not what the weights were trained on is noticed and said: a reader's "values outside 0..255".

Nothing is refused here: a picture may be dark, or all sky. What is said is what the numbers look like.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from convworks.backbones.contract import Expects

# Ways in which a picture in [0, 1] is commonly prepared: what it is called, the mean, the deviation.
PREPARED = (
    ("values from 0 to 255", (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)),
    ("values from 0 to 1, not normalised", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    ("normalised with mean and deviation 0.5", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ("normalised with ImageNet's mean and deviation", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
)
# A resampling may overshoot, and an 8-bit step is 1/255: within this of [0, 1] counts as inside.
SLACK = 0.02
# Fewer pictures than this may well have no dark pixel among them.
FEW = 4
# Photographs are redder than they are blue, by about 0.1 on average and in three of four; fewer say nothing.
PHOTOGRAPHS, BLUER, SHARE = 8, 0.05, 0.7


def notice(images: Tensor, expects: Expects) -> list[str]:
    """What the weights do not expect of a batch (n, 3, h, w) as the net would get it, a sentence each.

    >>> notice(torch.linspace(0, 255, 300).reshape(1, 10, 10, 3).movedim(3, 1), Expects())[0]
    'The input looks like values from 0 to 255; the weights expect values from -1 to 1.'
    """
    if images.ndim != 4 or images.shape[1] != 3:
        return [f"The input has shape {tuple(images.shape)}; the weights expect (n, 3, height, width)."]
    if not images.is_floating_point():
        return [f"The input is {_plain(images.dtype)}; the weights expect floats, {_range(expects)}."]
    if images.numel() == 0:
        return []
    pictures = images.detach().float()
    if not bool(torch.isfinite(pictures).all()):
        return ["The input has values that are not finite."]
    said = _wrong_range(pictures, expects)
    return said or _wrong_order(_restored(pictures, expects.mean, expects.deviation))


def _wrong_range(pictures: Tensor, expects: Expects) -> list[str]:
    """A sentence where the values do not lie as they should, with the preparation that explains them."""
    expected = _ends(_restored(pictures, expects.mean, expects.deviation))
    fits = _inside(expected)
    others = [
        (name, _ends(_restored(pictures, mean, deviation)))
        for name, mean, deviation in PREPARED
        if (mean, deviation) != (expects.mean, expects.deviation)
    ]
    for name, ends in others:
        if _inside(ends) and _reaches(ends) and not (fits and _reaches(expected)):
            return [f"The input looks like {name}; the weights expect {_range(expects)}."]
    unprepared = next((name for name, ends in others[1:2] if _inside(ends)), None)
    if fits and unprepared and len(pictures) >= FEW:
        return [f"No pixel is dark: the input looks like {unprepared}; the weights expect {_range(expects)}."]
    if fits:
        return []
    likely = next((name for name, ends in reversed(others) if _inside(ends)), None)
    low, high = pictures.min().item(), pictures.max().item()
    looks = f"; it looks like {likely}" if likely else ""
    return [
        f"The input has values from {low:.3g} to {high:.3g}{looks}; the weights expect {_range(expects)}."
    ]


def _wrong_order(pictures: Tensor) -> list[str]:
    """A sentence where the pictures, restored to [0, 1], are so much bluer than red that they may be BGR."""
    difference = (pictures[:, 2] - pictures[:, 0]).mean((1, 2))
    bluer = int((difference > 0).sum())
    if len(pictures) < PHOTOGRAPHS or difference.mean() < BLUER or bluer < SHARE * len(pictures):
        return []
    return [
        f"In {bluer} of {len(pictures)} pictures blue is stronger than red, and in most photographs it is the "
        "other way round: the channels may be in the order BGR; the weights expect RGB."
    ]


def _restored(pictures: Tensor, mean: Sequence[float], deviation: Sequence[float]) -> Tensor:
    """The pictures before they were normalised so."""
    centre, spread = pictures.new_tensor(mean), pictures.new_tensor(deviation)
    return pictures * spread[:, None, None] + centre[:, None, None]


def _ends(pictures: Tensor) -> tuple[list[float], list[float]]:
    """The least and the greatest value of each channel."""
    return pictures.amin((0, 2, 3)).tolist(), pictures.amax((0, 2, 3)).tolist()


def _inside(ends: tuple[list[float], list[float]]) -> bool:
    return min(ends[0]) >= -SLACK and max(ends[1]) <= 1 + SLACK


def _reaches(ends: tuple[list[float], list[float]]) -> bool:
    """Whether every channel goes from black to full, as a handful of pictures almost always do."""
    return max(ends[0]) <= SLACK and min(ends[1]) >= 1 - SLACK


def _range(expects: Expects) -> str:
    """The values that black and white have in every channel, as words."""
    low = min((0 - mean) / deviation for mean, deviation in zip(expects.mean, expects.deviation, strict=True))
    high = max(
        (1 - mean) / deviation for mean, deviation in zip(expects.mean, expects.deviation, strict=True)
    )
    return f"values from {low:.3g} to {high:.3g}"


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
