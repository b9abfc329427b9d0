"""The optimiser, with a rate for each depth and no decay where decay does not belong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from convworks.model import Net
from convworks.recipe.options import OptimiserOptions


def build(net: Net, options: OptimiserOptions, first: int) -> torch.optim.Optimizer:
    """AdamW (1711.05101) or SGD over all that may learn from stage `first` on.

    The head learns at the full rate, the last stage at `backbone_rate` of it, each stage before at `layer_decay` times
    the rate of the next (ULMFiT 1801.06146, section 3.2). Weight decay acts on filters alone, not on norms and biases.
    """
    groups = list(_groups(net, options, first))
    if options.algorithm == "sgd":
        return torch.optim.SGD(
            groups, lr=options.learning_rate, momentum=options.momentum, nesterov=options.momentum > 0
        )
    fused = next(net.parameters()).device.type in ("cpu", "cuda")
    return torch.optim.AdamW(groups, lr=options.learning_rate, betas=(options.momentum, 0.999), fused=fused)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Sets the peak rate times each group's own factor."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["factor"]


def _groups(net: Net, options: OptimiserOptions, first: int) -> Iterator[dict[str, Any]]:
    last = net.reads - 1
    parts: list[tuple[float, nn.Module]] = [(1.0, net.head)]
    for number in range(last, first - 1, -1):
        rate = options.backbone_rate * options.layer_decay ** (last - number)
        parts.append((rate, net.backbone.stages[number]))
    for factor, module in parts:
        filters = [parameter for parameter in module.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in module.parameters() if parameter.ndim <= 1]
        for parameters, decay in ((filters, options.weight_decay), (others, 0.0)):
            if parameters:
                yield {"params": parameters, "weight_decay": decay, "factor": factor}
