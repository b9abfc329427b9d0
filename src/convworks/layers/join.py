"""Where branches of a net meet: sums and stacks."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Sum(nn.Module):
    """What the body gives plus what the shortcut gives."""

    def __init__(self, body: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """The sum, element by element."""
        return self.body(x) + self.shortcut(x)


class Stack(nn.Module):
    """What each branch gives, one behind the other along the channels."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """All channels of all branches."""
        return torch.cat([branch(x) for branch in self.branches], dim=1)
