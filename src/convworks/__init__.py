"""Convworks: from a folder of labelled images to a ConvNet that its owner can trust and understand.

The public names are loaded when they are first used, so that `import convworks` costs next to nothing.
"""

TYPE_CHECKING = False  # as type checkers read it; importing `typing` would double an empty Python's start

if TYPE_CHECKING:
    from convworks.api import evaluate as evaluate
    from convworks.api import load as load
    from convworks.api import propose as propose
    from convworks.api import resume as resume
    from convworks.api import train as train
    from convworks.arithmetic.summary import design as design
    from convworks.data.convert import convert as convert
    from convworks.data.glance import propose_net as propose_net
    from convworks.inspection.check import check as check
    from convworks.recipe.options import Recipe as Recipe
    from convworks.report.audit.audited import audit as audit
    from convworks.report.demonstrations.frame import demonstrate as demonstrate
    from convworks.report.ladder.climbed import ladder as ladder
    from convworks.report.preview.previewed import preview as preview

__version__ = "0.1.0"

_HOMES = {
    "Recipe": "convworks.recipe.options",
    "audit": "convworks.report.audit.audited",
    "check": "convworks.inspection.check",
    "convert": "convworks.data.convert",
    "demonstrate": "convworks.report.demonstrations.frame",
    "design": "convworks.arithmetic.summary",
    "evaluate": "convworks.api",
    "ladder": "convworks.report.ladder.climbed",
    "load": "convworks.api",
    "preview": "convworks.report.preview.previewed",
    "propose": "convworks.api",
    "propose_net": "convworks.data.glance",
    "resume": "convworks.api",
    "train": "convworks.api",
}

__all__ = [
    "Recipe",
    "__version__",
    "audit",
    "check",
    "convert",
    "demonstrate",
    "design",
    "evaluate",
    "ladder",
    "load",
    "preview",
    "propose",
    "propose_net",
    "resume",
    "train",
]


def __getattr__(name: str) -> object:
    """A public name from its home, on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"convworks has no {name!r}; it has {', '.join(sorted(_HOMES))}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
