"""What a net is fed whose answers have a place in the picture: frames, with everything in them moved along.

A batch is a pure function of (seed, epoch, positions), whatever came before it and however many threads make it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int

from convworks.augmentation import mix, plan
from convworks.augmentation.plan import Drawn
from convworks.augmentation.preprocess import Preprocessing
from convworks.data.scenes import SceneStore
from convworks.geometry.boxes import Size
from convworks.recipe.options import AugmentationOptions
from convworks.samples import Batch, Sample
from convworks.tasks.contract import Finder, Task
from convworks.training.feed import filled

TRIES = 10  # draws of a frame, of which the first that shows a rare class is taken where one is asked for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SceneFeed:
    """Samples of the images at `rows` of a store, augmented anew each epoch by threads, as batches of a task.

    `augmentation` None gives the fixed view by which a model judges; else frames of `frame` (height, width) are
    drawn. An epoch below `mosaic_until` may put four images into one frame. `rare` holds the classes that a third of
    the frames have to show where their image does. `finder` finds the regions of an image that the net is to read.
    """

    store: SceneStore
    rows: Sequence[int]
    task: Task
    preprocessing: Preprocessing
    frame: Size
    seed: int
    workers: int
    augmentation: AugmentationOptions | None = None
    mosaic_until: int = 0
    rare: tuple[int, ...] = ()
    finder: Finder | None = None

    def batches(self, parts: Sequence[Int[np.ndarray, "_"]], epoch: int) -> Iterator[Batch]:
        """One batch for each of `parts`, made ahead by the threads."""
        fill = partial(self._fill, epoch=epoch)
        for part, images, samples in filled(
            parts, (*self.frame, self.preprocessing.channels), fill, self.workers
        ):
            yield Batch(images=images, targets=self.task.targets(samples), indices=torch.from_numpy(part))

    def sample(self, row: int) -> Sample:
        """The sample at a position of the store, with the regions that are to be read in it."""
        found = self.store.get(row)
        if self.finder is None:
            return found
        path = self.store.dataset.root / self.store.dataset.records[row].path
        return replace(found, regions=self.finder(found.image, str(path)))

    def _fill(self, out: Float[np.ndarray, "h w c"], position: int, epoch: int) -> Sample:
        """The sample in its frame; `out` becomes the numbers that the net reads of it."""
        prepare, sample = self.preprocessing, self.sample(self.rows[position])
        if self.augmentation is None:
            done = plan.apply(prepare.drawn(sample.image.shape[:2]), sample)
        else:
            done = self._augmented(self.augmentation, sample, position, epoch)
        out[:] = prepare.normalise(done.image).transpose(1, 2, 0)
        return done

    def _augmented(self, options: AugmentationOptions, sample: Sample, position: int, epoch: int) -> Sample:
        generator = plan.rng(self.seed, epoch, self.rows[position], 0)
        if epoch < self.mosaic_until and generator.random() < options.mosaic:
            others = generator.integers(0, len(self.rows), 3).tolist()
            company = [sample, *(self.sample(self.rows[other]) for other in others)]
            return mix.mosaic(company, options, generator, self.frame)
        wanted = self._wanted(sample, generator)
        drawn = self._drawn(options, sample, generator)
        for _ in range(TRIES):
            if wanted < 0 or bool((_seen(drawn, sample) == wanted).any()):
                break
            drawn = self._drawn(options, sample, generator)
        return plan.apply(drawn, sample)

    def _drawn(self, options: AugmentationOptions, sample: Sample, generator: np.random.Generator) -> Drawn:
        size = (sample.image.shape[0], sample.image.shape[1])
        return plan.draw(options, generator, size, self.frame, self.preprocessing.resize)

    def _wanted(self, sample: Sample, generator: np.random.Generator) -> int:
        """A rare class of the sample that its frame is to show, in a third of all draws; else -1."""
        if not self.rare or generator.random() >= 1 / 3:
            return -1
        there = [one for one in self.rare if bool((sample.class_map == one).any())]
        return there[int(generator.integers(len(there)))] if there else -1


def _seen(drawn: Drawn, sample: Sample) -> np.ndarray:
    """The class map that a draw shows."""
    blank = np.zeros((*sample.class_map.shape, 3), np.uint8)
    quiet = replace(drawn, colour=None, table=None, blur=0.0, sharpen=0.0, noise=0.0)
    return plan.apply(quiet, Sample(image=blank, class_map=sample.class_map)).class_map
