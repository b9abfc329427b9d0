"""Batch norm that learns, with statistics that neither accumulation nor the number of processes changes.

A step's images are cut into parts of one fixed size, the virtual batch. Each part is normalised by its own
statistics, as batch norm does; the running statistics move once a step, by the mean over all parts of all processes.
Source: ghost batch normalisation (1705.08741), section 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from convworks.backbones.contract import NORMS
from convworks.training.team import Team

MOMENTUM = 0.1


class RunningStatistics:
    """The running statistics of all batch norms of a net that are learning, over one step."""

    def __init__(self, net: nn.Module) -> None:
        self.norms = [
            module
            for module in net.modules()
            if isinstance(module, NORMS) and module.training and module.running_mean is not None
        ]
        self.before = [value.clone() for value in self._buffers()]
        self.sums = [torch.zeros_like(value) for value in self.before]
        self.parts = torch.zeros(1)
        for norm in self.norms:
            norm.momentum = 1.0

    def _buffers(self) -> list[Tensor]:
        found: list[Tensor] = []
        for norm in self.norms:
            assert norm.running_mean is not None and norm.running_var is not None
            found += [norm.running_mean, norm.running_var]
        return found

    def note(self) -> None:
        """Take down the statistics of the part that was just computed."""
        for total, value in zip(self.sums, self._buffers(), strict=True):
            total += value
        self.parts += 1

    def settle(self, team: Team) -> None:
        """Move the running statistics by the mean over all parts of the team."""
        if not self.norms:
            return
        team.sum([*self.sums, self.parts])
        with torch.no_grad():
            for value, old, total in zip(self._buffers(), self.before, self.sums, strict=True):
                value.copy_(old + MOMENTUM * (total / self.parts.to(total.device) - old))
        for norm in self.norms:
            norm.momentum = MOMENTUM
