"""Stride and padding: exact arithmetic for every layer of a net, before anything runs.

Neither torch nor numpy is ever imported here. `design` is the way in; `spec` holds the layers, `notation`
reads and prints them, `shape`, `field` and `cost` compute, `advice` says what does not fit and what would
mend it. `volumes`, `strip` and `sliding` draw as SVG, `grid` as letters, `program` writes Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convworks.arithmetic.notation import parse, write
    from convworks.arithmetic.spec import Net, Volume
    from convworks.arithmetic.summary import Design, design

__all__ = ["Design", "Net", "Volume", "design", "parse", "write"]

HOMES = {
    "Design": "summary",
    "Net": "spec",
    "Volume": "spec",
    "design": "summary",
    "parse": "notation",
    "write": "notation",
}


def __getattr__(name: str) -> Any:
    """Public names are loaded when they are first asked for."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
