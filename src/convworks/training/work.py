"""What the stages of one training share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from convworks.model import Model
from convworks.recipe.options import Recipe
from convworks.recipe.propose import with_values_and_reasons
from convworks.training.feed import LiveFeed
from convworks.training.prepare import Prepared
from convworks.training.run import Run
from convworks.training.signals import Stop
from convworks.training.team import Team


@dataclass(kw_only=True, eq=False)
class Work:
    """What the stages of one training share. `recipe` is replaced as `auto` values are settled."""

    model: Model
    data: Prepared
    recipe: Recipe
    team: Team
    run: Run | None
    stop: Stop
    workers: int
    candidates: dict[str, tuple[dict[str, Tensor], Float[np.ndarray, "t k"]]] = field(default_factory=dict)
    pretrained: dict[str, Tensor] = field(default_factory=dict)

    @property
    def precision(self) -> torch.dtype:
        """The dtype that is computed in."""
        return getattr(torch, self.recipe.compute.precision)

    @property
    def stages(self) -> int:
        """How many stages the backbone has."""
        return len(self.model.net.backbone.stages)

    def settle(self, reasons: dict[str, str], **values: Any) -> None:
        """Replace an `auto` by what was found, and keep it: a resumed run measures nothing again."""
        self.recipe = with_values_and_reasons(self.recipe, reasons, **values)
        if self.run and self.team.leads:
            self.run.write_recipe(self.recipe)

    def live(self, rows: Int[np.ndarray, "n"], *, augmented: bool, view: int = 0) -> LiveFeed:
        """The pictures at some rows, with their labels, augmented or as they are judged."""
        return LiveFeed(
            store=self.data.store,
            rows=rows.tolist(),
            preprocessing=self.model.preprocessing,
            targets=self.data.targets(rows),
            seed=self.recipe.seed,
            workers=self.workers,
            augmentation=self.recipe.augmentation if augmented else None,
            view=view,
        )
