"""The per-user folder in which converted weights are kept."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """Where weights are kept: CONVWORKS_CACHE, else convworks/ under XDG_CACHE_HOME, else under ~/.cache."""
    chosen = os.environ.get("CONVWORKS_CACHE")
    if chosen:
        return Path(chosen).expanduser() / "weights"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "convworks" / "weights"
