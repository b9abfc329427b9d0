"""Every knob of a run: its range, its default and what it does; read and written as strict TOML.

A recipe is a value. What only a measurement can settle is `"auto"`; training settles it once and writes it back, so
that a resumed or repeated run measures nothing again.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from convworks.errors import ConvworksError, RecipeError, unknown

Auto = Literal["auto"]
Task = Literal["classification", "multilabel", "localization", "detection", "segmentation", "instances"]
Mode = Literal["finetune", "extract", "full", "gradual", "scratch"]
Resize = Literal["crop", "squash", "letterbox"]
Border = Literal["reflect", "inside", "fill"]
Sampling = Literal["even", "square-root"]
Outlining = Literal["cross-entropy", "focal", "tversky", "lovasz", "boundary"]
Weighting = Literal["even", "square-root", "balanced"]
Decoder = Literal["pyramid", "fcn32", "fcn16", "fcn8", "fcn8-staged"]
Detector = Literal[
    "default",
    "spp",
    "fast_rcnn",
    "faster_rcnn",
    "faster_rcnn_pyramid",
    "rcnn_minus_r",
    "multi_region",
    "multibox",
    "vgg_localizer",
    "vgg_localizer_per_class",
]


def knob(
    default: Any, said: str, *, low: float | None = None, high: float | None = None, unit: str = ""
) -> Any:
    """A field with what it does, its range (both ends included) and its unit."""
    return field(default=default, metadata={"said": said, "low": low, "high": high, "unit": unit})


@dataclass(frozen=True, slots=True, kw_only=True)
class DataOptions:
    """Which images learn, which choose and which measure, and how they are brought to one size."""

    holdout: float = knob(0.25, "share held out to measure, where the data has no val", low=0.02, high=0.9)
    tuning: float = knob(0.2, "share of the training images that chooses", low=0.0, high=0.5)
    input_size: int | Auto = knob(
        "auto", "side of the square that the net sees, or the longer side", low=8, high=4096, unit="pixels"
    )
    crop: int = knob(
        0, "longer side of the part that training sees of a frame; 0 for all", low=0, high=4096, unit="pixels"
    )
    sampling: Sampling = knob(
        "even",
        "even: an epoch shows each image once; square-root: of small classes images more often, of large ones fewer",
    )
    resize: Resize = knob("crop", "crop: short side, then centre; squash: both sides; letterbox: pad")
    source: str = knob("auto", "format of the data; auto takes the first that fits, and says which")
    max_pixels: int = knob(
        64_000_000, "a larger image is set aside unread", low=1, high=10**10, unit="pixels"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """The net and where its weights come from."""

    backbone: str = knob(
        "efficientnet-lite0",
        "a net of ours, `timm/NAME`, one in notation, or the run folder of an earlier model",
    )
    weights: str = knob(
        "default", "default, none, hub, or the path of a safetensors or state-dict file or a run"
    )
    finest: int = knob(8, "stride of the finest map that is searched for objects", low=1, high=128)
    coarsest: int = knob(32, "stride of the coarsest map that is searched for objects", low=1, high=128)
    dropout: float = knob(0.2, "probability of dropping a feature before the last layer", low=0.0, high=0.95)
    detector: Detector = knob(
        "default",
        "what makes boxes of features: the one-stage detector or localizer of today, or one of those before it",
    )
    proposals: str = knob(
        "default",
        "where a detector of two stages looks: selective-search, grid, clusters, whole-image, region-network, "
        "or the path of a CSV of path,x0,y0,x1,y1; default: where it did in its paper",
    )
    decoder: Decoder = knob(
        "pyramid",
        "what makes outlines of features: a light pyramid, or FCN of that stride, all at once or in stages",
    )
    looks: int = knob(
        1,
        "looks at a picture of which its boxes or outlines are the mean: 2 its mirror too; of outlines 4 also larger, "
        "6 also smaller",
        low=1,
        high=6,
    )
    smoothing: float = knob(
        0.0,
        "weight of an edge in the minimum cut that refines outlines, kept where the tuning images gain; 0 for none",
        low=0.0,
        high=100.0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOptions:
    """What is kept of the pretrained net, and what learns."""

    mode: Mode = knob(
        "finetune",
        "finetune: probe, then the stages after the freeze; extract: probe only; full: all stages; "
        "gradual: from the last stage backwards; scratch: random weights",
    )
    freeze: int | Auto = knob(
        "auto", "stages, counted from the input, whose weights stay as they are", low=0, high=99
    )
    views: int = knob(5, "augmented views of an image that the frozen part computes, once", low=1, high=64)


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserOptions:
    """How the part that learns is moved."""

    algorithm: Literal["adamw", "sgd"] = knob("adamw", "adamw or sgd with Nesterov momentum")
    epochs: int = knob(12, "passes over the training images", low=1, high=10_000)
    batch: int = knob(32, "images a step, over all processes", low=1, high=65_536)
    learning_rate: float = knob(3e-4, "peak rate of the last layers", low=1e-8, high=100.0)
    momentum: float = knob(0.9, "of sgd; beta 1 of adamw", low=0.0, high=0.999)
    weight_decay: float = knob(0.05, "decoupled; never on norms and biases", low=0.0, high=10.0)
    layer_decay: float = knob(
        0.8, "each stage nearer to the input learns by this factor slower", low=0.01, high=1.0
    )
    backbone_rate: float = knob(
        1.0,
        "share of the rate that the pretrained stages learn by; the new ones learn by all",
        low=0.0,
        high=1.0,
    )
    warmup: float = knob(0.05, "share of the steps in which the rate rises", low=0.0, high=0.9)
    clip_norm: float = knob(1.0, "largest norm of the gradient; 0 for none", low=0.0, high=1e6)
    outlining: Outlining = knob(
        "cross-entropy",
        "what outlines learn from: cross-entropy, focal or boundary (all with Dice), tversky or lovasz",
    )
    class_weights: Weighting = knob(
        "even",
        "of the pixels of a class, for cross-entropy and focal: even; square-root: more for classes of few pixels; "
        "balanced: for each class the same in all",
    )
    label_smoothing: float = knob(0.1, "probability mass spread evenly over the classes", low=0.0, high=0.9)
    average: float = knob(
        0.99, "decay a step of the moving average that is evaluated; 0 for none", low=0.0, high=0.99999
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentationOptions:
    """What may be done to a training image without changing what it shows: declared invariances."""

    flip_horizontal: bool = knob(True, "mirror left and right, half of the time")
    flip_vertical: bool = knob(False, "mirror up and down, half of the time")
    crop_scale: float = knob(
        0.35, "smallest share of the area that a random crop keeps; 1 for none", low=0.01, high=1.0
    )
    rotate: float = knob(0.0, "largest rotation either way", low=0.0, high=180.0, unit="degrees")
    translate: float = knob(0.0, "largest shift either way, as a share of the side", low=0.0, high=0.9)
    colour: float = knob(0.2, "strength of brightness, contrast, saturation jitter", low=0.0, high=1.0)
    grayscale: float = knob(0.0, "probability of taking the colour away", low=0.0, high=1.0)
    shear: float = knob(0.0, "largest lean of rows or columns either way", low=0.0, high=60.0, unit="degrees")
    scale: float = knob(0.0, "largest zoom either way: 1 is from half the size to twice", low=0.0, high=3.0)
    perspective: float = knob(0.0, "how much a far edge may shrink, as a share of it", low=0.0, high=0.9)
    hue: float = knob(
        0.0, "largest turn of the colour circle either way, as a share of it", low=0.0, high=0.5
    )
    blur: float = knob(0.0, "largest deviation of a Gaussian blur", low=0.0, high=32.0, unit="pixels")
    noise: float = knob(0.0, "largest deviation of Gaussian noise, as a share of white", low=0.0, high=1.0)
    cutout: float = knob(0.0, "side of a grey patch put anywhere, as a share of the side", low=0.0, high=1.0)
    trivial: float = knob(
        0.0, "probability of one more operation of any kind and strength (TrivialAugment)", low=0.0, high=1.0
    )
    mosaic: float = knob(
        0.0, "probability of four images in one frame, but in the last tenth of the epochs", low=0.0, high=1.0
    )
    mixup: float = knob(
        0.0,
        "alpha of the share of a second image that is blended in, and of its class; 0 for none, 0.2 is usual",
        low=0.0,
        high=10.0,
    )
    cutmix: float = knob(
        0.0,
        "alpha of the share that a rectangle of a second image takes, and its class; 0 for none, 1 is usual",
        low=0.0,
        high=10.0,
    )
    border: Border = knob(
        "reflect", "beyond the image: reflect: its mirror; inside: zoom in until none is seen; fill: grey"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeOptions:
    """Where and in which numbers it runs; nothing here should change the result beyond rounding."""

    device: str = knob("auto", "auto, cpu, cuda, cuda:N or mps")
    precision: Literal["auto", "float32", "bfloat16"] = knob("auto", "timed over a few steps when auto")
    channels_last: bool | Auto = knob("auto", "memory order of the images, timed when auto")
    micro_batch: int | Auto = knob(
        "auto", "images computed at once; measured by the memory", low=1, high=65_536
    )
    workers: int | Auto = knob("auto", "threads that decode and augment", low=0, high=256)
    threads: int | Auto = knob(
        "auto", "threads of the processor; part of what makes runs equal", low=1, high=1024
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides a run besides its data. `reasons` says why, by field: "transfer.freeze"."""

    task: Task = knob(
        "classification",
        "what the net is to say of an image; the data decides, and instances can be asked of outlines",
    )
    seed: int = knob(0, "of the split, the weights, the order and the augmentation", low=0, high=2**32 - 1)
    data: DataOptions = field(default_factory=DataOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    transfer: TransferOptions = field(default_factory=TransferOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    augmentation: AugmentationOptions = field(default_factory=AugmentationOptions)
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def why(self, name: str) -> str:
        """The reason for a field, by its full name ("transfer.freeze"); raises RecipeError for no such field."""
        if name not in flat(self):
            raise unknown("option", name, flat(self))
        return self.reasons.get(name, "the default; nothing measured spoke against it")

    def replace(self, **changes: Any) -> Recipe:
        """A copy with some fields changed, by full names with `__` for the dot: `transfer__freeze=3`.

        Raises RecipeError for an unknown name, a wrong type or a value out of range.
        """
        return with_values(self, {name.replace("__", "."): value for name, value in changes.items()})


# Words that people bring along, and ours for them.
ELSEWHERE = {
    "batch_size": "optimiser.batch",
    "bs": "optimiser.batch",
    "imgsz": "data.input_size",
    "img_size": "data.input_size",
    "size": "data.input_size",
    "lr": "optimiser.learning_rate",
    "lr0": "optimiser.learning_rate",
    "base_lr": "optimiser.learning_rate",
    "wd": "optimiser.weight_decay",
    "optimizer": "optimiser.algorithm",
    "num_epochs": "optimiser.epochs",
    "max_epochs": "optimiser.epochs",
    "arch": "model.backbone",
    "model": "model.backbone",
    "pretrained": "model.weights",
    "num_workers": "compute.workers",
    "amp": "compute.precision",
    "fliplr": "augmentation.flip_horizontal",
    "flipud": "augmentation.flip_vertical",
    "degrees": "augmentation.rotate",
    "valid_pct": "data.holdout",
    "unfreeze": "transfer.freeze",
}

SECTIONS = ("data", "model", "transfer", "optimiser", "augmentation", "compute")


def flat(recipe: Recipe) -> dict[str, Any]:
    """Every knob by its full name: {"task": ..., "data.input_size": ...}."""
    values: dict[str, Any] = {}
    for item in fields(recipe):
        if item.name in SECTIONS:
            section = getattr(recipe, item.name)
            values |= {f"{item.name}.{part.name}": getattr(section, part.name) for part in fields(section)}
        elif item.name != "reasons":
            values[item.name] = getattr(recipe, item.name)
    return values


def knobs() -> dict[str, dataclasses.Field[Any]]:
    """The field behind every full name, with its `metadata` (said, low, high, unit) and its default."""
    found: dict[str, dataclasses.Field[Any]] = {}
    for item in fields(Recipe):
        if item.name in SECTIONS:
            kind = typing.get_type_hints(Recipe)[item.name]
            found |= {f"{item.name}.{part.name}": part for part in fields(kind)}
        elif item.name != "reasons":
            found[item.name] = item
    return found


def find(name: str) -> str:
    """The full name of a knob from a short, dashed or foreign one; raises RecipeError with ours for theirs.

    >>> find("learning-rate"), find("transfer.freeze")
    ('optimiser.learning_rate', 'transfer.freeze')
    """
    wanted = name.replace("-", "_")
    names = knobs()
    if wanted in names:
        return wanted
    short = [full for full in names if full.rpartition(".")[2] == wanted]
    if wanted in ELSEWHERE:
        ours = ELSEWHERE[wanted]
        raise RecipeError(
            f'"{name}" is the word of another tool.', fix=f'ours is "{ours.rpartition(".")[2]}" ({ours})'
        )
    if len(short) == 1:
        return short[0]
    raise unknown("option", name, [*names, *(full.rpartition(".")[2] for full in names)])


def checked(name: str, value: Any, where: str = "") -> Any:
    """`value` as the type of the knob `name`, or RecipeError that says what was found and what is allowed."""
    item = knobs()[name]
    owner = Recipe if "." not in name else typing.get_type_hints(Recipe)[name.partition(".")[0]]
    hint = typing.get_type_hints(owner)[item.name]
    kinds = (
        typing.get_args(hint)
        if isinstance(hint, types.UnionType)
        or typing.get_origin(hint)
        in (
            typing.Union,
            Literal,
        )
        else (hint,)
    )
    place = f"{where}: " if where else ""
    words = [word for kind in kinds for word in (typing.get_args(kind) or (kind,)) if isinstance(word, str)]
    plain = [kind for kind in kinds if isinstance(kind, type)]
    if isinstance(value, str) and value in words:
        return value
    if float in plain and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) not in plain:
        allowed = " or ".join([*(f'"{word}"' for word in words), *(_article(kind) for kind in plain)])
        raise RecipeError(
            f"{place}{name} = {value!r} is not {allowed}.", fix=f"{name}: {item.metadata['said']}"
        )
    low, high = item.metadata["low"], item.metadata["high"]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        outside = (low is not None and not value >= low) or (high is not None and not value <= high)
        if outside:
            raise RecipeError(
                f"{place}{name} = {value} is out of range.",
                expected=f"{low} to {high} {item.metadata['unit']}".rstrip(),
            )
    return value


def _article(kind: type) -> str:
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kind]


def with_values(recipe: Recipe, values: Mapping[str, Any], where: str = "") -> Recipe:
    """A copy of `recipe` with the knobs of `values` (full names) set, each checked."""
    known = knobs()
    changed: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        if name not in known:
            raise unknown("option", name, known)
        section, _, part = name.rpartition(".")
        changed.setdefault(section, {})[part] = checked(name, value, where)
    top = changed.pop("", {})
    return dataclasses.replace(
        recipe,
        **top,
        **{name: dataclasses.replace(getattr(recipe, name), **parts) for name, parts in changed.items()},
    )


def parse(text: str) -> Any:
    """The value that a word on the command line means: a number, true, false, or the word itself."""
    lowered = text.strip().lower()
    if lowered in ("true", "yes", "on"):
        return True
    if lowered in ("false", "no", "off"):
        return False
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def read(path: Path) -> Recipe:
    """The recipe in a TOML file; raises RecipeError naming file and field for what it does not know."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RecipeError(f"There is no recipe {path}.") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(
            f"The recipe {path} cannot be read: {error}.", fix="recipes are TOML; see `convworks propose`"
        ) from error
    return from_document(document, str(path))


def from_document(document: Mapping[str, Any], where: str = "") -> Recipe:
    """The recipe in a parsed TOML document."""
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    for name, value in document.items():
        if name == "why" and isinstance(value, Mapping):
            reasons = {str(key): str(said) for key, said in value.items()}
        elif isinstance(value, Mapping):
            values |= {f"{name}.{part}": inner for part, inner in value.items()}
        else:
            values[name] = value
    try:
        recipe = with_values(Recipe(), values, where)
    except ConvworksError as error:
        if where and where not in error.found:
            raise RecipeError(f"{where}: {error.found}", expected=error.expected, fix=error.fix) from None
        raise
    return dataclasses.replace(recipe, reasons=reasons)


def document(recipe: Recipe) -> dict[str, Any]:
    """The recipe as nested plain values, reasons under "why": what TOML and JSON hold."""
    values: dict[str, Any] = {}
    for name, value in flat(recipe).items():
        section, _, part = name.rpartition(".")
        (values.setdefault(section, {}) if section else values)[part] = value
    if recipe.reasons:
        values["why"] = dict(recipe.reasons)
    return values


def write(recipe: Recipe) -> str:
    """The recipe as TOML; `read` gives it back exactly."""
    import tomli_w

    return tomli_w.dumps(document(recipe))
