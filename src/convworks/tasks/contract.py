"""What a task is: a frozen value of functions, so that `replace(task, loss=mine)` is how an expert changes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from convworks.geometry.boxes import Size
from convworks.geometry.move import Move
from convworks.recipe.options import ModelOptions
from convworks.samples import Sample

Finder = Callable[[UInt8[np.ndarray, "h w 3"], str], Float[np.ndarray, "r 4"]]
"""A picture and its path ("" where it has none) to boxes (xyxy, pixels of the picture) in which something may be."""
Evidence = Mapping[str, np.ndarray]
"""What one picture says for or against a net: arrays by name, from which measures are summed up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A sum and what to divide it by: `total / weight` is the mean over a batch, however it was cut into parts."""

    total: Tensor
    weight: Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a set of pictures measured: each measure by name, the one that counts first, then by class.

    Values lie in [0, 1], higher is better, NaN where nothing was there to measure.
    """

    measures: Mapping[str, float]
    classes: Mapping[str, float]

    @property
    def measure(self) -> str:
        """The name of the measure that counts."""
        return next(iter(self.measures))

    @property
    def value(self) -> float:
        """Its value."""
        return self.measures[self.measure]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenes:
    """What a task needs besides where its answers have a place in the picture: boxes, outlines.

    - `restore(answer, move, size, names)` brings an answer of `decode`, in the net's frame, into the original picture
      of `size` (height, width), from which `move` led to the frame; it gives the prediction.
    - `observe(prediction, sample, names)` compares it with the truth, both in the original picture.
    - `summarise(evidence, names)` adds up what some pictures say.
    - `study(prediction, sample, names)` is what else a finished model is asked, for a report: it may take longer.
    - `averaged(outputs, frames, looks)` is the mean of what `outputs` gives for so many looks at some frames.
    - `guided`: the net takes the targets too while it learns or is judged, as a detector does that learns on chosen
      regions; what it gives then holds its losses.
    """

    restore: Callable[[Any, Move, Size, Sequence[str]], Any]
    observe: Callable[[Any, Sample, Sequence[str]], Evidence]
    summarise: Callable[[Sequence[Evidence], Sequence[str]], Summary]
    study: Callable[[Any, Sample, Sequence[str]], Evidence] | None = None
    averaged: Callable[[Any, Any, int], Any] | None = None
    guided: bool = False


def no_settings(options: ModelOptions) -> dict[str, Any]:
    """Of a head that takes nothing besides."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a net is to say of an image, as functions.

    - `head(info, classes, dropout, **settings)` is the module that reads the outputs of all stages.
    - `targets(samples)` are the tensors of a batch, by name, from samples in the frame that the net sees.
    - `loss(outputs, targets, progress)` with `progress` in [0, 1] of the training.
    - `decode(outputs, names)` gives one answer an image.
    - `scenes` is there where answers have a place in the picture.
    - `decoder` names the head where the task has several, as `tasks.find(name, decoder)` gives it. A head that reads
      only the first stages says how many, as `reads`.
    - `ripen(head, progress)` lets in what of the head is to learn from that share of the training on.
    - `settings(options)` are what the head takes besides: plain values, kept with the model. `fitted(settings, boxes,
      size)` changes those that the training boxes (xyxy, pixels of frames of `size`) decide.
    - `finder(settings)` gives what finds the regions of a picture that the head is to read besides the maps.
    - `several`: an image may show several classes, or none; each is named from a threshold of its own on.
    """

    name: str
    head: Callable[..., nn.Module]
    targets: Callable[[Sequence[Sample]], Mapping[str, Tensor]]
    loss: Callable[[Any, Mapping[str, Tensor], float], Loss]
    decode: Callable[[Any, Sequence[str]], list[Any]]
    scenes: Scenes | None = None
    settings: Callable[[ModelOptions], Mapping[str, Any]] = no_settings
    fitted: Callable[[Mapping[str, Any], Float[np.ndarray, "n 4"], Size], Mapping[str, Any]] | None = None
    finder: Callable[[Mapping[str, Any]], Finder | None] | None = None
    several: bool = False
    decoder: str = ""
    ripen: Callable[[nn.Module, float], None] | None = None
