"""Every timm ConvNet that gives feature maps, as a row of stages under the contract.

A net is run once on a small picture to see which modules it calls. Where they form a chain, the chain is cut
into stages, and the stages together give what timm's own `forward_features` gives, bit for bit; that is
checked. A net that is no chain is one stage. Where a map's size is not a whole share of the picture's, timm's
nets round either way.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from convworks.arithmetic.alignment import middle
from convworks.backbones.chain import Call, calls_of, expanded, filters_of, grouped, is_chain
from convworks.backbones.contract import Backbone, Expects, Stage
from convworks.backbones.reach import field_of, fields_of
from convworks.backbones.rows import RANDOM
from convworks.errors import RecipeError, unknown

# The sides of the small picture: 64 apart, so that every stride up to 64 comes out of how two maps differ.
SIDES = (96, 160)


class Whole(nn.Module):
    """A net that cannot be cut: its feature maps in one step."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.whole: Any = net

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """The last feature map."""
        return self.whole.forward_features(x)


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """What a net did with one picture: the calls that it made of its parts, and the map that it gave."""

    picture: Tensor
    calls: list[Call]
    result: Tensor


def build(name: str) -> Backbone:
    """The timm net `name`, "resnet18" or "resnet18.a1_in1k", with random weights and without its head.

    Raises RecipeError where timm has no such net, or it gives no feature maps (n, channels, height, width).
    """
    net = _made(name)
    trial = _tried(name, net)
    parts = _cut(net, trial)
    if parts is None:
        _drop_unused(net, trial)
        last = Stage(
            name="whole", channels=trial.result.shape[1], stride=_stride(trial.picture, trial.result)
        )
        stages, info = [Whole(net)], [last]
    else:
        stages = [_stage(group) for group in parts]
        info = [_described(group, trial.picture) for group in parts]
    backbone = Backbone(f"timm/{name}", list(stages), info, _expected(net), RANDOM)
    return backbone.requires_grad_(True)


def their_key(key: str) -> str:
    """The name in timm's own net of a tensor of a backbone made here.

    >>> their_key("stages.2.layer1.0.conv1.weight"), their_key("stages.3.blocks__2.0.bn1.bias")
    ('layer1.0.conv1.weight', 'blocks.2.0.bn1.bias')
    """
    inside = key.split(".", 2)[2]
    return inside.removeprefix("whole.").replace("__", ".")


def _made(name: str) -> Any:
    """timm's net without classifier and last pooling, in evaluation mode, fixed for the trial."""
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise unknown("net in timm", name, timm.list_models())
    tags = timm.list_pretrained(f"{architecture}.*")
    if tag and name not in tags:
        raise unknown("set of weights in timm", name, tags)
    options: list[dict[str, Any]] = [{"num_classes": 0, "global_pool": ""}, {"num_classes": 0}]
    for option in options:
        try:
            return timm.create_model(name, pretrained=False, **option).eval().requires_grad_(False)
        except (AssertionError, TypeError, ValueError):
            continue
    raise RecipeError(f"timm/{name} cannot be made without its head.", fix="choose another backbone")


def _tried(name: str, net: Any) -> Trial:
    """A run of the net on a small picture, or on one of its own size where it takes no other."""
    refused = RecipeError(
        f"timm/{name} gives no feature maps, so it is no backbone here.",
        expected="a ConvNet: its features have channels, a height and a width",
        fix='choose one such as "timm/resnet18" or "timm/convnext_tiny"',
    )
    if not hasattr(net, "forward_features"):
        raise refused
    native = int(net.pretrained_cfg.get("input_size", (3, 224, 224))[-1])
    failure: Exception | None = None
    for height, width in (SIDES, (native, native)):
        picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
        picture.requires_grad_(True)
        try:
            with torch.enable_grad():
                calls, result = calls_of(net, net.forward_features, picture)
        except Exception as error:  # each net refuses a picture in its own way
            failure = error
            continue
        if not isinstance(result, Tensor) or result.ndim != 4 or _is_channels_last(picture, result):
            raise refused
        return Trial(picture, calls, result)
    raise refused from failure


def _is_channels_last(picture: Tensor, result: Tensor) -> bool:
    """Whether the map is (n, height, width, channels): its last two sides are not in the picture's ratio."""
    height, width = result.shape[2:]
    ratio = picture.shape[3] / picture.shape[2]
    return abs(width - ratio * height) > ratio + 1


def _cut(net: nn.Module, trial: Trial) -> list[list[Call]] | None:
    """The net's calls, grouped into stages; None where a row of them would not give what the net gives."""
    owned = [*net.parameters(recurse=False), *net.buffers(recurse=False)]
    if owned or not is_chain(trial.calls, trial.picture, trial.result):
        return None
    chain = [part for call in trial.calls for part in expanded(call)]
    x = trial.picture
    for call in chain:
        x = call.module(x)
    return _ending_in_maps(grouped(chain), trial.picture) if torch.equal(x, trial.result) else None


def _ending_in_maps(groups: list[list[Call]], picture: Tensor) -> list[list[Call]]:
    """The groups, each that ends in another layout than (n, channels, height, width) joined to the next."""
    joined: list[list[Call]] = [[]]
    for group in groups:
        joined[-1] = [*joined[-1], *group]
        last = group[-1].result
        if last is not None and not _is_channels_last(picture, last):
            joined.append([])
    return joined[:-1]


def _stage(group: list[Call]) -> nn.Module:
    return nn.Sequential(OrderedDict((call.name.replace(".", "__"), call.module) for call in group))


def _described(group: list[Call], picture: Tensor) -> Stage:
    """The stage's name is that of its part with the most filters."""
    result = group[-1].result
    assert result is not None
    name = max(group, key=lambda call: filters_of(call.module)).name
    stride = _stride(picture, result)
    fields = fields_of(result)
    return Stage(
        name=name,
        channels=result.shape[1],
        stride=stride,
        field=field_of(result, picture),
        centre=float(middle(fields[0])) if fields else None,
    )


def _stride(picture: Tensor, result: Tensor) -> int:
    """Pixels between two cells: exact where the picture's sides differ, else the nearest power of two."""
    (height, width), (rows, columns) = picture.shape[2:], result.shape[2:]
    if width > height and columns > rows:
        return round((width - height) / (columns - rows))
    return 2 ** round(torch.tensor(height / rows).log2().item())


def _drop_unused(net: nn.Module, trial: Trial) -> None:
    """Take out the parts that the features do not need: they would be saved and counted with the rest."""
    used = {call.name.split(".")[0] for call in trial.calls}
    for name, part in list(net.named_children()):
        if name not in used and next(part.parameters(), None) is not None:
            setattr(net, name, nn.Identity())


def _expected(net: Any) -> Expects:
    settings = net.pretrained_cfg
    return Expects(
        mean=tuple(settings["mean"]),
        deviation=tuple(settings["std"]),
        size=int(settings["input_size"][-1]),
        interpolation="bilinear" if settings["interpolation"] == "bilinear" else "bicubic",
    )
