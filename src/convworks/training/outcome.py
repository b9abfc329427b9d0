"""What a finished run measured, on images that chose nothing of it, and what is written beside the model."""

from __future__ import annotations

import platform
import time
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from convworks import __version__
from convworks.evaluation import calibration
from convworks.evaluation.labels import LabelEvaluation
from convworks.evaluation.result import Evaluation
from convworks.events import Measured, Scored
from convworks.model import Model
from convworks.recipe import options as knobs
from convworks.recipe.options import Recipe
from convworks.training import settle
from convworks.training.features import in_turn
from convworks.training.feed import LiveFeed
from convworks.training.prepare import Prepared
from convworks.training.team import Team


def measured(made: Model, prepared: Prepared, recipe: Recipe, team: Team) -> Evaluation:
    """The measured images through the finished model, shared over the team, exact."""
    began = time.monotonic()
    logits = _logits(made, prepared, recipe, team)
    rows = prepared.measure
    return Evaluation(
        root=str(prepared.dataset.root),
        classes=made.classes,
        paths=prepared.paths(rows),
        truth=prepared.labels[rows],
        probabilities=calibration.probabilities(logits).astype(np.float32),
        chosen_on="nothing",
        seconds=time.monotonic() - began,
    )


def measured_sets(made: Model, prepared: Prepared, recipe: Recipe, team: Team) -> LabelEvaluation:
    """The same, where an image may show several classes."""
    began = time.monotonic()
    logits = _logits(made, prepared, recipe, team)
    rows = prepared.measure
    assert prepared.shows is not None
    return LabelEvaluation.of(
        root=str(prepared.dataset.root),
        classes=made.classes,
        paths=prepared.paths(rows),
        truth=prepared.shows[rows],
        probabilities=calibration.set_probabilities(logits).astype(np.float32),
        thresholds=made.cuts,
        chosen_on="nothing",
        seconds=time.monotonic() - began,
    )


def _logits(made: Model, prepared: Prepared, recipe: Recipe, team: Team) -> Float[np.ndarray, "m k"]:
    """The model's logits for the measured images, shared over the team."""
    rows = prepared.measure
    feed = LiveFeed(
        store=prepared.store,
        rows=rows.tolist(),
        preprocessing=made.preprocessing,
        targets=prepared.targets(rows),
        seed=recipe.seed,
        workers=settle.machine(recipe.compute)[2],
    )
    parts = in_turn(len(rows))
    mine = [parts[place] for place in team.share(len(parts))]
    found = [made.logits(batch.images) for batch in feed.batches(mine, 0)]
    own = torch.cat(found) if found else torch.zeros(0, len(made.classes))
    return team.rows(own, [int(row) for part in mine for row in part], len(rows)).numpy()


def facts(
    made: Model, recipe: Recipe, prepared: Prepared, scored: Scored | Measured, command: str
) -> dict[str, Any]:
    """What `model.json` holds for people and reports beside what the model needs: how it came to be."""
    return {
        "versions": _versions(),
        "created": time.strftime("%Y-%m-%d %H:%M"),
        "command": command,
        "environment": {
            "device": recipe.compute.device,
            "cpu": platform.processor() or platform.machine(),
            "threads": recipe.compute.threads,
            "precision": recipe.compute.precision,
        },
        "recipe": knobs.document(recipe),
        "counts": prepared.counts(prepared.learn),
        "network": [
            {
                "layer": stage.name,
                "output": f"{stage.channels} channels, stride {stage.stride}",
                "parameters": sum(value.numel() for value in module.parameters()),
            }
            for stage, module in zip(made.net.backbone.info, made.net.backbone.stages, strict=True)
        ]
        + [
            {
                "layer": "head",
                "output": f"{len(made.classes)} classes",
                "parameters": sum(value.numel() for value in made.net.head.parameters()),
            }
        ],
        "score": {"right": scored.right, "of": scored.of, "low": scored.low, "high": scored.high}
        if isinstance(scored, Scored)
        else {
            "measure": scored.measure,
            "value": scored.value,
            "of": scored.of,
            "low": scored.low,
            "high": scored.high,
        },
    }


def _versions() -> dict[str, str]:
    """The versions that a model was made with."""
    return {
        "convworks": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "made": time.strftime("%Y-%m-%d"),
    }
