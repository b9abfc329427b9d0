"""The nets that come with weights or learn from scratch, by name: the guide's "pretrained model"."""

from __future__ import annotations

from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from convworks.errors import RecipeError, unknown

if TYPE_CHECKING:
    from convworks.backbones.contract import Backbone

# name -> "module:function"; the function takes nothing and gives a Backbone with random weights.
NETS = {
    "efficientnet-lite0": "convworks.backbones.efficientnet_lite:efficientnet_lite0",
    "efficientnet-lite1": "convworks.backbones.efficientnet_lite:efficientnet_lite1",
    "efficientnet-lite2": "convworks.backbones.efficientnet_lite:efficientnet_lite2",
    "nin": "convworks.backbones.nin:nin",
    "residual-small": "convworks.backbones.residual:residual_small",
    "vgg-small": "convworks.backbones.plain:vgg_small",
    "vgg16": "convworks.backbones.plain:vgg16",
}
GROUP = "convworks.backbones"


def names() -> list[str]:
    """The nets that come with Convworks; besides them there is `timm/NAME`, and what other packages add.

    >>> names()[:2]
    ['efficientnet-lite0', 'efficientnet-lite1']
    """
    return sorted(NETS)


def create(name: str, weights: str | Path = "default", *, channels: int = 3) -> Backbone:
    """The net `name` with its weights, in evaluation mode.

    `name` is one of `names()`, `timm/NAME`, a name that another package adds under the entry points
    "convworks.backbones", a net in notation ("conv3-16 p1 bn relu pool2 ..."), or the folder of an earlier
    run. `weights` is "default" (the published ones, where the net has some), "none" (random), "hub", or the
    path of a safetensors or state-dict file or of a run folder. `channels` are those of the input; where there
    are not three, the first filters are changed to read them.

    Raises RecipeError for a name that does not exist, NetError for a notation that cannot be, WeightsError for
    weights that cannot be had or do not fit.
    """
    from convworks.backbones import notation, runs
    from convworks.backbones import weights as loading

    if not notation.is_notation(name) and runs.is_run(Path(name)):
        name, weights = runs.net_of(Path(name)), Path(name) if str(weights) == "default" else weights
    backbone = _build(name)
    loading.load(backbone, weights)
    if channels != 3:
        loading.change_channels(backbone, channels)
    return backbone.eval()


def _build(name: str) -> Backbone:
    if name.startswith("timm/"):
        from convworks.backbones import timm

        return timm.build(name.removeprefix("timm/"))
    if name in NETS:
        module, _, function = NETS[name].partition(":")
        return getattr(import_module(module), function)()
    from convworks.backbones import notation

    return notation.build(name) if notation.is_notation(name) else _added(name)


def _added(name: str) -> Backbone:
    """The net that another package adds under `name`; raises RecipeError where none does."""
    from convworks.backbones.contract import Backbone

    points = {point.name: point for point in metadata.entry_points(group=GROUP)}
    if name in points:
        backbone = points[name].load()()
        if not isinstance(backbone, Backbone):
            raise RecipeError(
                f'The entry point "{name}" ({points[name].value}) gives a {type(backbone).__name__}.',
                expected="a convworks.backbones.contract.Backbone",
            )
        return backbone
    if _is_timm(name):
        raise RecipeError(f'There is no backbone "{name}" of ours.', fix=f'timm has it: "timm/{name}"')
    raise unknown("backbone", name, [*NETS, *points])


def _is_timm(name: str) -> bool:
    import timm

    return timm.is_model(name)
