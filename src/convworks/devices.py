"""Where a net computes."""

from __future__ import annotations

import torch

from convworks.errors import DeviceError


def find(device: str | torch.device) -> torch.device:
    """The device of a name; "auto" is the first GPU where there is one. Raises DeviceError.

    >>> find("cpu")
    device(type='cpu')
    """
    if isinstance(device, torch.device):
        return device
    have = ["cpu"]
    if torch.cuda.is_available():
        have += [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        have.append("mps")
    name = have[min(1, len(have) - 1)] if device == "auto" else "cuda:0" if device == "cuda" else device
    if name not in have:
        raise DeviceError(
            f'There is no device "{device}" on this machine.', expected=f"one of auto, {', '.join(have)}"
        )
    return torch.device(name)
