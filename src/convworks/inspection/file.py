"""A module from a Python file of the user's: the file is run, and what goes wrong in it is said with its line."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from torch import nn

from convworks.errors import ConvworksError, NetError, nearest

OWN = "_convworks_users_file"
"""What the user's file is called while it is run."""


def of_file(path: Path, name: str) -> nn.Module:
    """The module called `name` in a Python file: a class called without arguments, what a function gives, or itself.

    The file is run. Without a name, it is the only `nn.Module` that the file defines. Raises NetError, which names
    the line of the file where it fails.
    """
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
    return isinstance(value, type) and issubclass(value, nn.Module)


def _functions(space: ModuleType) -> list[str]:
    return [
        name
        for name, value in vars(space).items()
        if callable(value) and getattr(value, "__module__", "") == OWN
    ]
