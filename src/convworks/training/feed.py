"""What the net is fed: the input of the first stage that learns, for any images of any epoch.

A batch is a pure function of (seed, epoch, positions), whatever came before it and however many threads make it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from convworks.augmentation import mix, plan
from convworks.augmentation.mix import Mixed
from convworks.augmentation.preprocess import Preprocessing
from convworks.data.pixels import PixelStore
from convworks.recipe.options import AugmentationOptions
from convworks.samples import Batch

AHEAD = 3  # parts made while one is computed
Filled = TypeVar("Filled")


class Feed(Protocol):
    """Gives the batches of an epoch, in the order of `parts`, each of the images at some positions."""

    def batches(self, parts: Sequence[Int[np.ndarray, "_"]], epoch: int) -> Iterator[Batch]:
        """One batch for each of `parts`, positions in the feed's own images."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptFeed:
    """Kept features: `views` (v, n, c, h, w) of n images, and which view an epoch shows is drawn."""

    views: Float[Tensor, "v n ..."]
    targets: Mapping[str, Tensor]
    seed: int

    def batches(self, parts: Sequence[Int[np.ndarray, "_"]], epoch: int) -> Iterator[Batch]:
        """One batch for each of `parts`."""
        count = self.views.shape[0]
        shown = np.random.Generator(np.random.Philox(key=[self.seed, epoch])).integers(
            0, count, self.views.shape[1]
        )
        for part in parts:
            rows = torch.from_numpy(part)
            yield Batch(
                images=self.views[torch.from_numpy(shown[part]), rows],
                targets={name: values[rows] for name, values in self.targets.items()},
                indices=rows,
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveFeed:
    """Pictures, augmented anew each epoch, by threads: decoding and resampling run outside Python's lock.

    `augmentation` None gives the fixed view by which a model judges; one that mixes images lets another of these into
    each, and targets tell of both (see `joined`). `rows` are the images' positions in `store`,
    and what the draws are keyed by.
    """

    store: PixelStore
    rows: Sequence[int]
    preprocessing: Preprocessing
    targets: Mapping[str, Tensor]
    seed: int
    workers: int
    augmentation: AugmentationOptions | None = None
    view: int = 0

    def batches(self, parts: Sequence[Int[np.ndarray, "_"]], epoch: int) -> Iterator[Batch]:
        """One batch for each of `parts`, made ahead by the threads."""

        shape = (*self.preprocessing.seen, self.preprocessing.channels)
        for part, images, mixed in filled(parts, shape, partial(self._fill, epoch=epoch), self.workers):
            rows = torch.from_numpy(part)
            targets = {name: values[rows] for name, values in self.targets.items()}
            partners = [one for one in mixed if one is not None]
            if partners:
                targets = joined(targets, self.targets, partners)
            yield Batch(images=images, targets=targets, indices=rows)

    def _fill(self, out: Float[np.ndarray, "h w c"], position: int, epoch: int) -> Mixed | None:
        """Writes what the net is to read of an image; says which other one is in it, if any is."""
        options, row = self.augmentation, self.rows[position]
        if options is None:
            image = self.preprocessing.frame(self.store.get(row))
            out[:] = self.preprocessing.normalise(image).transpose(1, 2, 0)
            return None
        self._augmented(options, out, row, epoch)
        chance = plan.rng(self.seed, epoch, row, mix.VIEW + self.view)
        mixed = mix.draw(options, chance, len(self.rows), self.preprocessing.seen)
        if mixed is not None:
            other = np.empty_like(out)
            self._augmented(options, other, self.rows[mixed.partner], epoch)
            mix.apply(mixed, out, other)
        return mixed

    def _augmented(
        self, options: AugmentationOptions, out: Float[np.ndarray, "h w c"], row: int, epoch: int
    ) -> None:
        image = self.store.get(row)
        size = self.preprocessing.seen
        height, width = image.shape[:2]
        generator = plan.rng(self.seed, epoch, row, self.view)
        drawn = plan.draw(options, generator, (height, width), size, self.preprocessing.resize)
        plan.apply_float(drawn, image, self.preprocessing.mean, self.preprocessing.deviation, out=out)


def joined(
    targets: Mapping[str, Tensor], every: Mapping[str, Tensor], mixed: Sequence[Mixed]
) -> dict[str, Tensor]:
    """The targets of a batch whose images hold another one each, of those that have the targets `every`.

    Classes of whole images get the partner's as "other", and the own one's "share"; of several labels each is shared.
    """
    partners = torch.tensor([one.partner for one in mixed])
    share = torch.tensor([one.share for one in mixed], dtype=torch.float32)
    if "label" in targets:
        return {**targets, "other": every["label"][partners], "share": share}
    shows = share[:, None] * targets["shows"] + (1 - share)[:, None] * every["shows"][partners]
    return {**targets, "shows": shows}


def filled(
    parts: Sequence[Int[np.ndarray, "_"]],
    shape: tuple[int, int, int],
    fill: Callable[[Float[np.ndarray, "h w c"], int], Filled],
    workers: int,
) -> Iterator[tuple[Int[np.ndarray, "n"], Float[Tensor, "n c h w"], list[Filled]]]:
    """Each part with its images, made ahead by threads: `fill(out, position)` writes one, of `shape` (h, w, c).

    What `fill` gives back for each image comes along.
    """
    waiting: deque[tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n h w c"], list[Future[Filled]]]] = deque()

    def finished() -> tuple[Int[np.ndarray, "n"], Float[Tensor, "n c h w"], list[Filled]]:
        part, memory, work = waiting.popleft()
        done = [future.result() for future in work]
        return part, torch.from_numpy(memory).permute(0, 3, 1, 2), done

    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="feed") as pool:
        for part in parts:
            memory = np.empty((len(part), *shape), np.float32)
            work = [pool.submit(fill, memory[place], int(at)) for place, at in enumerate(part)]
            waiting.append((part, memory, work))
            if len(waiting) > AHEAD:
                yield finished()
        while waiting:
            yield finished()
