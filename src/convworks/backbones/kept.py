"""The per-user folder in which converted weights are kept."""

from __future__ import annotations

from pathlib import Path

from convworks.files import kept


def folder() -> Path:
    """Where weights are kept."""
    return kept("weights")
