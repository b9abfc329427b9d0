"""`cw.preview`: one's own images beside what training would make of them, before anything is trained."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from convworks import backbones
from convworks.augmentation import preview as contact
from convworks.data.decode import decode
from convworks.data.glance import glance
from convworks.data.load import load
from convworks.data.pixels import resized
from convworks.data.record import DataSet, Record
from convworks.data.scenes import smaller
from convworks.errors import DataError, RecipeError
from convworks.recipe import options as knobs
from convworks.recipe.options import AugmentationOptions, Recipe
from convworks.recipe.propose import BackboneFacts, propose
from convworks.recipe.scenes import frame_shape, propose_scene
from convworks.report.audit.wall import by_turns
from convworks.report.page import framed, outside, write_outside
from convworks.report.preview.draws import Setting, Shown
from convworks.report.preview.page import build
from convworks.samples import Sample
from convworks.training import prepare
from convworks.training.plan import ROOM, START
from convworks.training.scenes import training_frame

MOST = 32
"""Images, or draws of each, that a page can show."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Preview:
    """Some images of a data set and what training would make of them. In a notebook it is a page."""

    shown: Shown

    @property
    def paths(self) -> tuple[str, ...]:
        """The images, by their paths in the data's folder."""
        return self.shown.paths

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The images with what is marked in them, as training keeps them."""
        return self.shown.samples

    @property
    def setting(self) -> Setting:
        """How a run would draw."""
        return self.shown.setting

    @property
    def options(self) -> AugmentationOptions:
        """What may be done to an image."""
        return self.shown.options

    def html(self) -> str:
        """One page that holds its pictures, and works offline and without scripts."""
        return build(self.shown)

    def write(self, page: str | Path) -> Path:
        """Writes the page, whole or not at all, and returns where it lies.

        Raises RecipeError for a place inside the data's own folder, StorageError where it cannot be written.
        """
        return write_outside(self.html(), Path(page), self.shown.dataset)

    def sheet(self) -> UInt8[np.ndarray, "h w 3"]:
        """A contact sheet: a row an image, first the image itself, then a column a draw."""
        setting = self.setting
        return contact.sheet(
            self.samples,
            self.options,
            setting.frame,
            setting.seed,
            self.shown.draws,
            setting.resize,
            setting.background,
        )

    def _repr_html_(self) -> str:
        return framed(self.html(), "Preview of augmentation")


def preview(
    data: str | Path, *, images: int = 3, draws: int = 8, page: str | Path | None = None, **options: Any
) -> Preview:
    """Some images of a data set beside seeded draws of the augmentation that is proposed for it.

    `options` are any knobs of `Recipe` by their short or full names (`rotate=15`, `seed=1`), which win over what is
    proposed; `page` is where to write the page, if anywhere. Sizes come from file headers and annotations, so that
    nothing but the images shown is decoded.

    Raises a ConvworksError that says what was wrong with the data or an option.
    """
    if not (1 <= images <= MOST and 1 <= draws <= MOST):
        raise RecipeError(f"images = {images}, draws = {draws}.", expected=f"each from 1 to {MOST}")
    given = {knobs.find(name.replace("__", ".")): value for name, value in options.items()}
    given = {name: knobs.checked(name, value) for name, value in given.items()}
    dataset = prepare.read(Path(data), str(given.get("data.source", "auto")), str(given.get("task", "")))
    if page is not None:
        outside(Path(page), dataset)
    recipe, setting, side = _planned(dataset, given)
    chosen = list(islice(_samples(dataset, side, recipe.data.max_pixels), images))
    if not chosen:
        raise DataError(f"No image of {dataset.root} can be read.", fix="`convworks audit` says why of each")
    shown = Shown(
        dataset=dataset,
        recipe=recipe,
        setting=setting,
        paths=tuple(dataset.records[row].path for row, _ in chosen),
        rows=tuple(row for row, _ in chosen),
        samples=tuple(sample for _, sample in chosen),
        draws=draws,
    )
    made = Preview(shown=shown)
    if page is not None:
        made.write(page)
    return made


def _planned(dataset: DataSet, given: dict[str, Any]) -> tuple[Recipe, Setting, int]:
    """The recipe, how a run would draw, and the short side at which it keeps its images."""
    given = {**given, "task": dataset.task}
    base = knobs.with_values(Recipe(), given)
    backbone = backbones.create(base.model.backbone, base.model.weights)
    facts = BackboneFacts(
        name=backbone.name, size=backbone.expects.size, pretrained=bool(backbone.card.sha256)
    )
    named = {name: value for name, value in given.items() if value != "auto" or name not in START}
    seen = glance(dataset)
    if dataset.task in prepare.SCENES:
        recipe = propose_scene(seen, facts, named)
        size = recipe.data.input_size
        assert isinstance(size, int)
        shape = frame_shape(size, seen.widths[1], seen.heights[1])
        frame, side = training_frame(shape, recipe.data.crop), round(ROOM * min(shape))
    else:
        recipe = propose(seen, facts, named)
        size = recipe.data.input_size
        assert isinstance(size, int)
        frame, side = (size, size), round(ROOM * size)
    places = {name.lower(): place for place, name in enumerate(dataset.classes)}
    setting = Setting(
        frame=frame, resize=recipe.data.resize, seed=recipe.seed, background=places.get("background", -1)
    )
    return recipe, setting, side


def _samples(dataset: DataSet, side: int, max_pixels: int) -> Iterator[tuple[int, Sample]]:
    """Samples to learn from, classes by turns, with their positions; what cannot be read is passed over."""
    learned = [record for record in dataset.records if record.split in ("train", "")] or list(dataset.records)
    rows = {record.path: row for row, record in enumerate(dataset.records)}
    ids = {name: place for place, name in enumerate(dataset.classes)}
    for path in by_turns(learned):
        record = dataset.records[rows[path]]
        try:
            yield rows[path], _sample(dataset, record, ids, side, max_pixels)
        except DataError:
            continue


def _sample(dataset: DataSet, record: Record, ids: dict[str, int], side: int, max_pixels: int) -> Sample:
    if dataset.task in prepare.SCENES:
        sample = load(dataset, record, ids, at_least=side, max_pixels=max_pixels)
        return replace(smaller(sample, side), label=-1)
    image = decode(dataset.root / record.path, at_least=side, max_pixels=max_pixels).image
    return Sample(image=resized(image, side))
