"""A model: the net, what it is asked, the names of its classes, and what it does to a picture before it looks.

One object for the library, the command line, the server and the export. A saved model is `model.safetensors` and
`model.json` in one folder; nothing else is needed to predict, and loading executes nothing.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from convworks import backbones, devices, model_file, tasks
from convworks.augmentation import plan
from convworks.augmentation.preprocess import Preprocessing
from convworks.backbones import adapt
from convworks.backbones.contract import Backbone, Card
from convworks.data import given
from convworks.data.decode import MAX_PIXELS
from convworks.data.given import Picture
from convworks.data.record import SetAside
from convworks.detectors import tiling
from convworks.detectors.answer import stacked
from convworks.errors import DecodeError, ModelFileError, RecipeError
from convworks.geometry.boxes import Size
from convworks.geometry.move import Move, crop
from convworks.recipe.scenes import blocks_of
from convworks.samples import Detection, Prediction, Segmentation
from convworks.tasks import graph_cut, windows
from convworks.tasks.contract import Finder, Task


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
        self.net.to(devices.find(device))
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
            found = list(self.predictions(given.below(Path(source)), batch=batch, tiles=tiles))
            aside = [one for one in found if isinstance(one, SetAside)]
            if aside:
                names = ", ".join(one.path for one in aside[:5]) + (", ..." if len(aside) > 5 else "")
                warnings.warn(f"{len(aside)} of {len(found)} files set aside: {names}", stacklevel=2)
            return [one for one in found if not isinstance(one, SetAside)]
        several = isinstance(source, Sequence) and not isinstance(source, (str, bytes))
        pictures: Sequence[Picture] = source if several else [source]  # type: ignore[assignment]
        found = list(self.predictions(pictures, batch=batch, strict=True, tiles=tiles))
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
            remaining = iter(sources)
            while group := list(islice(remaining, batch)):
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
        image, _ = given.pixels(picture, prepare.bands, max_pixels)
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
        image, (height, width) = given.pixels(picture, prepare.bands, max_pixels, at_least=prepare.side)
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


def _fill(net: Net, state: dict[str, Tensor], place: Path) -> None:
    own = net.state_dict()
    wrong = [name for name in own if name not in state or state[name].shape != own[name].shape]
    if wrong or len(own) != len(state):
        raise ModelFileError(
            f"{place / model_file.WEIGHTS} does not fit the net that {model_file.FACTS} describes: "
            f"{len(wrong) or abs(len(state) - len(own))} tensors differ{f' ({wrong[0]})' if wrong else ''}."
        )
    net.load_state_dict(state)
