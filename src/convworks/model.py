"""A model: the net, what it is asked, the names of its classes, and what it does to a picture before it looks.

One object for the library, the command line, the server and the export. A saved model is `model.safetensors` and
`model.json` in one folder; nothing else is needed to predict, and loading executes nothing.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from convworks import backbones, model_file, tasks
from convworks.augmentation import plan
from convworks.augmentation.preprocess import Preprocessing
from convworks.backbones import adapt
from convworks.backbones.contract import Backbone, Card
from convworks.data import bands
from convworks.data.decode import MAX_PIXELS, decode, from_pil
from convworks.data.names import shown
from convworks.data.record import SetAside
from convworks.data.sources.suffixes import READ
from convworks.detectors import tiling
from convworks.detectors.answer import stacked
from convworks.errors import DataError, DecodeError, DeviceError, ModelFileError, RecipeError
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move, crop
from convworks.recipe.scenes import blocks_of
from convworks.samples import Detection, Prediction, Segmentation
from convworks.tasks import graph_cut, windows
from convworks.tasks.contract import Finder, Task

Picture = str | Path | Image.Image | np.ndarray


class Net(nn.Module):
    """A backbone and the head that reads the outputs of its first `reads` stages."""

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.reads = int(getattr(head, "reads", len(backbone.stages)))

    def forward(self, x: Tensor, start: int = 0, targets: Mapping[str, Tensor] | None = None) -> Any:
        """The head's outputs; `x` is the input of stage `start`, or the last map where no stage is left.

        A head that reads regions takes them, and while it learns what is in them, from `targets`.
        """
        maps = self.backbone(x, start, self.reads) or [x]
        return self.head(maps) if targets is None else self.head(maps, targets)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Looked:
    """A picture as the net sees it, the way there, the picture's own size (height, width), and regions of the frame."""

    frame: Float[np.ndarray, "c h w"]
    move: Move
    size: Size
    regions: Float[np.ndarray, "r 4"]


@dataclass(kw_only=True, eq=False)
class Model:
    """A net that predicts, and everything that this needs.

    `temperature` divides the logits, so that a probability of .8 is right 8 times in 10. `thresholds`, one a class,
    say from which probability on a class is named, where an image may show several. Boxes and outlines are the mean
    of so many `looks` (the task's `averaged`); outlines are refined by a minimum cut of the weight `smoothing`, 0 for
    none. `facts` are for people and reports: versions, environment, command, recipe.
    """

    net: Net
    task: Task
    classes: tuple[str, ...]
    preprocessing: Preprocessing
    name: str = "model"
    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    looks: int = 1
    smoothing: float = 0.0
    dropout: float = 0.0
    channels_last: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    @staticmethod
    def create(
        backbone: Backbone,
        classes: Sequence[str],
        preprocessing: Preprocessing,
        *,
        task: Task | None = None,
        dropout: float = 0.0,
        name: str = "model",
        settings: Mapping[str, Any] | None = None,
    ) -> Model:
        """A model with a new head on `backbone`; `settings` are what the task's head takes besides."""
        chosen = task or tasks.find("classification")
        head = chosen.head(backbone.info, len(classes), dropout, **(settings or {}))
        return Model(
            net=Net(backbone, head),
            task=chosen,
            classes=tuple(classes),
            preprocessing=preprocessing,
            name=name,
            dropout=dropout,
            settings=dict(settings or {}),
        )

    @property
    def cuts(self) -> tuple[float, ...]:
        """From which probability on each class is named, where an image may show several: 1/2 unless chosen."""
        return self.thresholds or (0.5,) * len(self.classes)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.net.parameters()).device

    def to(self, device: str | torch.device) -> Model:
        """Move the weights; raises DeviceError for a device that this machine does not have."""
        self.net.to(find_device(device))
        return self

    @cached_property
    def finder(self) -> Finder | None:
        """What finds the regions that the head is to read; None for one that finds its own."""
        return self.task.finder(self.settings) if self.task.finder else None

    def outputs(
        self,
        frames: Float[np.ndarray, "n c h w"] | Tensor,
        regions: Sequence[Float[np.ndarray, "_ 4"]] | None = None,
    ) -> Any:
        """What the net gives for normalised pictures: a tensor, or several, of float32 on the CPU.

        `regions` of each frame are read where the head asks for any.
        """
        self.net.eval()
        x = torch.as_tensor(frames, device=self.device)
        if self.channels_last:
            x = x.contiguous(memory_format=torch.channels_last)
        shown = None
        if self.finder is not None and regions is not None:
            shown = {"regions": stacked(regions).to(self.device)}
        with torch.inference_mode():
            return tree_map(lambda value: value.float().cpu(), self.net(x, targets=shown))

    def logits(self, frames: Float[np.ndarray, "n c h w"] | Tensor) -> Float[Tensor, "n k"]:
        """A classifier's outputs for normalised pictures, over the temperature; float32, on the CPU."""
        return self.outputs(frames) / self.temperature

    def predict(self, source: Picture | Sequence[Picture], *, batch: int = 32, tiles: bool = False) -> Any:
        """What the model says of a picture, or of each of several.

        `source` is a file, a PIL image, or an HWC uint8 RGB array, which gives one prediction; or a folder
        (read with its subfolders) or a list of those, which gives a list. Of a folder, files that cannot be
        read are left out and named in a warning. A JPEG file much larger than the net's input is decoded at a
        part of its size, so that its numbers differ a little from those of the same picture given as an
        array. With `tiles`, pictures that show more than those that the model learned from, not the same from
        nearer, are looked at piece by piece (`predict_in_windows`). Raises DecodeError or DataError for anything
        else that is not a picture.
        """
        if isinstance(source, (str, Path)) and Path(source).is_dir():
            found = list(self.predictions(pictures_in(Path(source)), batch=batch, tiles=tiles))
            aside = [one for one in found if isinstance(one, SetAside)]
            if aside:
                names = ", ".join(one.path for one in aside[:5]) + (", ..." if len(aside) > 5 else "")
                warnings.warn(f"{len(aside)} of {len(found)} files set aside: {names}", stacklevel=2)
            return [one for one in found if not isinstance(one, SetAside)]
        several = isinstance(source, Sequence) and not isinstance(source, (str, bytes))
        given: Sequence[Picture] = source if several else [source]  # type: ignore[assignment]
        found = list(self.predictions(given, batch=batch, strict=True, tiles=tiles))
        return found if several else found[0]

    def predictions(
        self,
        sources: Iterable[Picture],
        *,
        batch: int = 32,
        strict: bool = False,
        workers: int = 2,
        max_pixels: int = MAX_PIXELS,
        tiles: bool = False,
        scale: float | None = None,
    ) -> Iterator[Prediction | SetAside]:
        """One answer a picture, in order, as they are ready; a SetAside for a file that cannot be read.

        With `strict`, the first that cannot be read is raised as a DecodeError. With `tiles`, each is looked at
        through windows, at `scale` (`predict_in_windows`).
        """
        if tiles:
            yield from self._in_windows(sources, scale, strict=strict, max_pixels=max_pixels)
            return

        def look(picture: Picture) -> Looked | DecodeError:
            try:
                return self._looked(picture, max_pixels)
            except DecodeError as error:
                return error

        with ThreadPoolExecutor(workers, thread_name_prefix="predict") as pool:
            for group in _groups(sources, batch):
                every = list(pool.map(look, group))
                for one in every:
                    if strict and isinstance(one, DecodeError):
                        raise one
                answers = iter(self._answers([one for one in every if not isinstance(one, DecodeError)]))
                for picture, one in zip(group, every, strict=True):
                    path = Path(picture) if isinstance(picture, (str, Path)) else None
                    if isinstance(one, DecodeError):
                        yield SetAside(path=str(path), reason=one.found)
                    else:
                        yield replace(next(answers), path=path)

    def _in_windows(
        self, sources: Iterable[Picture], scale: float | None, *, strict: bool, max_pixels: int
    ) -> Iterator[Segmentation | Detection | SetAside]:
        for picture in sources:
            try:
                yield self.predict_in_windows(picture, scale=scale, max_pixels=max_pixels)
            except DecodeError as error:
                if strict:
                    raise
                yield SetAside(path=str(picture), reason=error.found)

    def _answers(self, looked: Sequence[Looked]) -> list[Any]:
        """What the net says of some pictures, in their own pixels."""
        if not looked:
            return []
        frames = np.stack([one.frame for one in looked])
        scenes = self.task.scenes
        if scenes is None:
            said = self.task.decode(self.logits(frames), self.classes)
            return [replace(one, thresholds=self.cuts) for one in said] if self.task.several else said
        answers = self.task.decode(self._scores(frames, [one.regions for one in looked]), self.classes)
        if self.smoothing:
            answers = [
                graph_cut.refined(one, frame, self.smoothing)
                for one, frame in zip(answers, frames, strict=True)
            ]
        pairs = zip(answers, looked, strict=True)
        return [scenes.restore(answer, one.move, one.size, self.classes) for answer, one in pairs]

    def _scores(
        self, frames: Float[np.ndarray, "n c h w"], regions: Sequence[Float[np.ndarray, "_ 4"]] | None = None
    ) -> Any:
        """What the net gives for normalised pictures over all the looks that it takes."""
        average = self.task.scenes.averaged if self.task.scenes else None
        if self.looks == 1 or average is None:
            return self.outputs(frames, regions)
        return average(self.outputs, torch.as_tensor(frames), self.looks)

    def predict_in_windows(
        self, picture: Picture, *, scale: float | None = None, max_pixels: int = MAX_PIXELS
    ) -> Segmentation | Detection:
        """What is in one large picture, seen through overlapping windows instead of shrunk as a whole.

        `scale` is the share of its own size at which the picture is looked at: by default that of the pictures that
        the net learned from, so that things keep their size in pixels. A picture of objects that is not larger than a
        window is answered as a whole. Raises RecipeError for a model of another task, or for no scale.
        """
        prepare = self.preprocessing
        chosen = prepare.scale if scale is None else scale
        if self.task.name not in ("segmentation", "detection") or not 0 < chosen <= 4:
            raise RecipeError(
                f"A model for {self.task.name} does not look through windows at scale {chosen:g}.",
                expected="a model for segmentation or detection, and a scale above 0 and up to 4",
            )
        path = Path(picture) if isinstance(picture, (str, Path)) else None
        image = self._whole(picture, max_pixels)
        size = (image.shape[0], image.shape[1])
        small = (max(1, round(chosen * size[0])), max(1, round(chosen * size[1])))
        boxed = self.task.name == "detection"
        if boxed and small[0] <= prepare.seen[0] and small[1] <= prepare.seen[1]:
            return replace(self._answers([self._looked(picture, max_pixels)])[0], path=path)
        way = plan.fixed(size, small, "squash", prepare.interpolation if boxed else "bilinear")
        seen, move = plan.apply_image(way, image), crop((0, 0, size[1], size[0]), small)
        if boxed:
            answer: Any = tiling.found(self._tiles, seen, prepare.seen, math.ceil(chosen * prepare.common))
        else:
            window = (blocks_of(prepare.seen[0]), blocks_of(prepare.seen[1]))
            answer, inner = windows.blended(self._scores, prepare.normalise, seen, window)
            move = move.then(inner)
        assert self.task.scenes is not None
        return replace(self.task.scenes.restore(answer, move, size, self.classes), path=path)

    def _tiles(self, tiles: Sequence[UInt8[np.ndarray, "h w c"]]) -> list[Any]:
        frames = np.stack([self.preprocessing.normalise(tile) for tile in tiles])
        regions = [self.finder(tile, "") for tile in tiles] if self.finder else None
        return self.task.decode(self._scores(frames, regions), self.classes)

    def _looked(self, picture: Picture, max_pixels: int) -> Looked:
        """A picture as the net sees it, and the way there from the picture's own pixels."""
        prepare = self.preprocessing
        if isinstance(picture, (str, Path)):
            image, (height, width) = self._read(Path(picture), max_pixels, at_least=prepare.side)
        else:
            image = self._whole(picture, max_pixels)
            height, width = image.shape[:2]
        kept = prepare.kept(image)
        drawn = prepare.drawn((kept.shape[0], kept.shape[1]))
        shrunk = crop((0, 0, width, height), (kept.shape[0], kept.shape[1]))
        frame = prepare.normalise(plan.apply_image(drawn, kept))
        regions = np.zeros((0, 4), np.float32)
        if self.finder is not None:
            path = str(picture) if isinstance(picture, (str, Path)) else ""
            moved, seen = plan.kept(drawn.move, self.finder(kept, path))
            regions = moved[seen]
        return Looked(frame=frame, move=shrunk.then(drawn.move), size=(height, width), regions=regions)

    def _whole(self, picture: Picture, max_pixels: int) -> UInt8[np.ndarray, "h w c"]:
        """The pixels of a picture, all of them."""
        if isinstance(picture, (str, Path)):
            return self._read(Path(picture), max_pixels, at_least=0)[0]
        ranges = self.preprocessing.bands
        return _banded(picture, ranges) if ranges else _pixels(picture)

    def _read(self, path: Path, max_pixels: int, *, at_least: int) -> tuple[UInt8[np.ndarray, "h w c"], Size]:
        """The pixels of a file, and its whole height and width; raises DecodeError for other bands than the net's.

        A JPEG may come smaller, its short side `at_least` that.
        """
        prepare = self.preprocessing
        if prepare.bands:
            image = bands.picture(path, prepare.bands, max_pixels)
            return image, (image.shape[0], image.shape[1])
        decoded = decode(path, at_least=at_least, max_pixels=max_pixels)
        if decoded.bands:
            raise DecodeError(
                f"{shown(str(path))}: {decoded.mode}, where the model reads red, green and blue",
                fix="give files like those that it learned from",
            )
        return decoded.image, (decoded.size[1], decoded.size[0])

    def save(self, folder: Path) -> None:
        """Write `model.safetensors`, then `model.json` with its hash; each whole or not at all."""
        model_file.write(folder, self.net.state_dict(), self.described())

    def described(self) -> dict[str, Any]:
        """What `model.json` holds, besides its format and its hashes."""
        backbone = self.net.backbone
        return {
            **self.facts,
            "name": self.name,
            "task": self.task.name,
            **({"decoder": self.task.decoder} if self.task.decoder else {}),
            "classes": list(self.classes),
            "backbone": backbone.name,
            "dropout": self.dropout,
            "settings": dict(self.settings),
            "temperature": self.temperature,
            **({"thresholds": list(self.thresholds)} if self.thresholds else {}),
            **({"looks": self.looks} if self.looks > 1 else {}),
            **({"smoothing": self.smoothing} if self.smoothing else {}),
            "channels_last": self.channels_last,
            "input": asdict(self.preprocessing),
            "weights": asdict(backbone.card),
        }


def load(folder: str | Path, *, device: str = "auto") -> Model:
    """The model in a run folder, ready to predict.

    Raises ModelFileError where it is missing, damaged or from a later version, DeviceError for a device that is
    not here.
    """
    place = Path(folder)
    facts, state = model_file.read(place)
    expects = facts["input"]
    backbone = backbones.create(facts["backbone"], "none")
    if scaled := expects.get("bands"):
        adapt.first_filters(backbone, len(scaled), coloured=False)
    backbone.card = Card(**facts["weights"])
    model = Model.create(
        backbone,
        facts["classes"],
        Preprocessing(
            **expects
            | {
                name: tuple(expects[name])
                for name in ("mean", "deviation", "shape", "learned")
                if name in expects
            }
            | {"bands": tuple((low, high) for low, high in expects.get("bands", ()))},
        ),
        task=tasks.find(facts["task"], facts.get("decoder", "")),
        dropout=facts["dropout"],
        name=facts["name"],
        settings=facts.get("settings", {}),
    )
    _fill(model.net, state, place)
    model.temperature, model.channels_last = facts["temperature"], facts["channels_last"]
    model.thresholds = tuple(facts.get("thresholds", ()))
    model.looks, model.smoothing = facts.get("looks", 1), facts.get("smoothing", 0.0)
    model.facts = facts
    model.net.eval().requires_grad_(False)
    if model.channels_last:
        model.net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return model.to(device)


def find_device(device: str | torch.device) -> torch.device:
    """The device of a name; "auto" is the first GPU where there is one. Raises DeviceError.

    >>> find_device("cpu")
    device(type='cpu')
    """
    if isinstance(device, torch.device):
        return device
    have = ["cpu"]
    if torch.cuda.is_available():
        have += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        have.append("mps")
    name = have[min(1, len(have) - 1)] if device == "auto" else "cuda:0" if device == "cuda" else device
    if name not in have:
        raise DeviceError(
            f'There is no device "{device}" on this machine.', expected=f"one of auto, {', '.join(have)}"
        )
    return torch.device(name)


def pictures_in(folder: Path) -> list[Path]:
    """The image files below a folder, by name; hidden ones and links that lead out of it are left out."""
    root = folder.resolve()
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in READ
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
        and path.resolve().is_relative_to(root)
    )


def described_versions() -> dict[str, str]:
    """The versions that a model was made with."""
    import platform

    from convworks import __version__

    return {
        "convworks": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "made": time.strftime("%Y-%m-%d"),
    }


def _fill(net: Net, state: dict[str, Tensor], place: Path) -> None:
    own = net.state_dict()
    wrong = [name for name in own if name not in state or state[name].shape != own[name].shape]
    if wrong or len(own) != len(state):
        raise ModelFileError(
            f"{place / model_file.WEIGHTS} does not fit the net that {model_file.FACTS} describes: "
            f"{len(wrong) or abs(len(state) - len(own))} tensors differ{f' ({wrong[0]})' if wrong else ''}."
        )
    net.load_state_dict(state)


def _pixels(picture: Image.Image | np.ndarray) -> UInt8[np.ndarray, "h w 3"]:
    """HWC uint8 RGB of a picture that is in memory; raises DataError for an array that is none."""
    if isinstance(picture, Image.Image):
        return from_pil(picture).image
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise DataError(
            f"This array is {picture.dtype} {picture.shape}, not a picture.",
            expected="uint8, height x width x 3, red first",
            fix="(255 * array).astype(np.uint8) for numbers in 0 to 1; array[..., ::-1] for blue first",
        )
    return np.ascontiguousarray(picture)


def _banded(picture: Image.Image | np.ndarray, ranges: bands.Ranges) -> UInt8[np.ndarray, "h w c"]:
    """The bands of an array, in the units of the files that the net learned from; raises DataError for any other."""
    if isinstance(picture, Image.Image) or picture.ndim != 3 or picture.shape[2] != len(ranges):
        what = "a PIL image" if isinstance(picture, Image.Image) else f"an array {picture.shape}"
        raise DataError(
            f"This is {what}; the model reads {len(ranges)} bands.",
            expected=f"an array of height x width x {len(ranges)}, in the units of the training images",
        )
    return bands.scaled(picture, ranges)


def _groups(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    group: list[Any] = []
    for item in items:
        group.append(item)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
