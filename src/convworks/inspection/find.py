"""A net by what stands on the command line: a notation, a part of a Python file, or a name of timm's."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from convworks.errors import ConvworksError, NetError, nearest, unknown

if TYPE_CHECKING:
    from torch import nn

    from convworks.arithmetic.spec import Layer

Size = tuple[int, int, int]
"""Height, width and channels."""
LOOKS_LIKE_A_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*[0-9_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)?")
OWN = "_convworks_users_file"


class Found(NamedTuple):
    """The layers of a notation, or a module and the input that it was made for (None where it does not say)."""

    layers: tuple[Layer, ...] | None = None
    module: nn.Module | None = None
    input: Size | None = None


def find(text: str) -> Found:
    """The net that `text` names: a notation, FILE.py:NAME, timm:NAME, or a bare name of timm's.

    A Python file is run, as importing it would; a net of timm's has no weights. Raises NetError.
    """
    path, colon, name = text.rpartition(":")
    if text.startswith(("timm:", "timm/")):
        return of_timm(text[5:])
    if text.endswith(".py") or (colon and path.endswith(".py")):
        return Found(
            module=of_file(Path(path if colon and path.endswith(".py") else text), name if colon else "")
        )
    from convworks.arithmetic.notation import parse

    try:
        return Found(layers=parse(text))
    except NetError:
        if not LOOKS_LIKE_A_NAME.fullmatch(text) or not is_like_timm(text):
            raise
    return of_timm(text)


def is_like_timm(name: str) -> bool:
    """Whether timm has a net of this name, or of one that is nearly the same."""
    import timm

    architecture = name.partition(".")[0]
    return timm.is_model(architecture) or nearest(architecture, timm.list_models()) is not None


def of_timm(name: str) -> Found:
    """A net of timm's without weights, on no device, and its own input; raises NetError for no such name."""
    import timm
    import torch

    architecture = name.partition(".")[0]
    if not timm.is_model(architecture):
        raise unknown("net in timm", architecture, timm.list_models(), NetError)
    with torch.device("meta"):
        try:
            module: Any = timm.create_model(name, pretrained=False)
        except (RuntimeError, ValueError) as error:
            raise NetError(f"timm cannot make {name}: {error}") from None
    size: Any = getattr(module, "pretrained_cfg", {}).get("input_size")
    return Found(module=module, input=(size[1], size[2], size[0]) if size else None)


def of_file(path: Path, name: str) -> nn.Module:
    """The module called `name` in a Python file: a class called without arguments, what a function gives, or itself.

    The file is run. Without a name, it is the only `nn.Module` that the file defines. Raises NetError, which names
    the line of the file where it fails.
    """
    from torch import nn

    if not path.is_file():
        raise NetError(f"There is no file {path}.", expected="FILE.py:NAME, as in net.py:Net")
    space = run_file(path)
    own = {
        key: value
        for key, value in vars(space).items()
        if (isinstance(value, nn.Module) or (_is_net(value) and value.__module__ == OWN)) and key[:1] != "_"
    }
    if not name:
        if len(own) != 1:
            some = ", ".join(own) or "none"
            raise NetError(
                f"{path} defines {len(own)} nets ({some}).",
                expected="the name of one of them, or of a function that gives one",
                fix=f"{path}:{next(iter(own), 'Net')}",
            )
        name = next(iter(own))
    if not hasattr(space, name):
        names = list(dict.fromkeys([*own, *_functions(space)]))
        guess = nearest(name, names)
        raise NetError(
            f'{path} defines no "{name}".',
            expected=f"one of {', '.join(names)}" if names else "a class, a function or a module",
            fix=f"did you mean {path}:{guess}?" if guess else "",
        )
    made = getattr(space, name)
    if not isinstance(made, nn.Module):
        if not callable(made):
            raise NetError(
                f"{name} in {path} is a {type(made).__name__}.", expected="a module or what makes one"
            )
        with theirs(path, f"{name}()", Path(path).resolve().parent):
            made = made()
    if not isinstance(made, nn.Module):
        raise NetError(f"{name}() in {path} gives a {type(made).__name__}.", expected="a torch.nn.Module")
    return made


def run_file(path: Path) -> ModuleType:
    """The module of a Python file, run as importing it would; nothing is written beside it."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(OWN, path)
    if spec is None or spec.loader is None:
        raise NetError(f"{path} cannot be read as Python.")
    space = module_from_spec(spec)
    sys.modules[OWN] = space
    with theirs(path, "", path.resolve().parent):
        spec.loader.exec_module(space)
    return space


@contextmanager
def theirs(path: Path, call: str, folder: Path) -> Generator[None]:
    """The user's code runs: what it imports lies beside it, what it prints is no answer, what it raises is said."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    sys.path.insert(0, str(folder))
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ConvworksError:
        raise
    except (Exception, SystemExit) as error:
        raise _said(path, call, error) from None
    finally:
        sys.dont_write_bytecode = before
        if str(folder) in sys.path:
            sys.path.remove(str(folder))


def _said(path: Path, call: str, error: BaseException) -> NetError:
    """What the user's code raised, with the line of their file where it did."""
    words = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, SyntaxError):
        where = f"{Path(error.filename or path).name}:{error.lineno}"
        return NetError(f"{where}: {error.msg}.", fix=f"look at that line of {path}")
    lines = [
        line
        for frame, line in walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).resolve() == path.resolve()
    ]
    where = f"{path}:{lines[-1]}" if lines else str(path)
    fix = ""
    if isinstance(error, TypeError) and call and not lines:
        fix = f"write a function without arguments that gives the net, and name it: {path}:FUNCTION"
    return NetError(f"{where}: {type(error).__name__}: {words}.".replace("..", "."), fix=fix)


def _is_net(value: Any) -> bool:
    from torch import nn

    return isinstance(value, type) and issubclass(value, nn.Module)


def _functions(space: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(space).items()
        if callable(value) and getattr(value, "__module__", "") == OWN
    ]
