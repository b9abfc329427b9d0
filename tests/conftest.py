"""What every test shares: one thread a process, shapes checked in every signature, the real-image packs."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import runtime_checkable

# Two test processes on two cores: each keeps to one thread. Said before anything loads numpy or torch.
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402
from beartype import BeartypeConf, beartype  # noqa: E402
from hypothesis import settings  # noqa: E402
from jaxtyping import jaxtyped  # noqa: E402

settings.register_profile("convworks", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("convworks")

# The rooms through which arrays pass; the others are held by the type checker.
ROOMS = (
    *("samples", "geometry", "layers", "metrics", "augmentation", "regions", "backbones", "transfer"),
    *("detectors", "tasks", "model", "evaluation", "training", "explanation", "export"),
)
CHECK = jaxtyped(typechecker=beartype(conf=BeartypeConf(is_pep484_tower=True)))


def name(word: str, node: ast.AST) -> ast.expr:
    """The expression `word`, placed where `node` is."""
    return ast.copy_location(ast.Name(word, ast.Load()), node)


class Decorated(ast.NodeTransformer):
    """The source with CHECK around every function and class that is not inside a function."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list.append(name("CHECK", node))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        protocol = any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
        node.decorator_list.insert(0, name("RUNTIME_CHECKABLE" if protocol else "CHECK", node))
        return node if protocol else self.generic_visit(node)


class CheckedLoader(SourceFileLoader):
    """Loads a module with its shapes checked at every call.

    jaxtyping's own import hook does the same, but recompiles all that the module imports, torch included.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        tree = Decorated().visit(ast.parse(self.get_data(path), path))
        return compile(tree, path, "exec", dont_inherit=True)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(CHECK=CHECK, RUNTIME_CHECKABLE=runtime_checkable)
        super().exec_module(module)


class CheckedFinder:
    """Finds the modules of ROOMS for the loader above."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, rest = name.partition(".")
        if package != "convworks" or rest.partition(".")[0] not in ROOMS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin:
            spec.loader = CheckedLoader(name, spec.origin)
        return spec


sys.meta_path.insert(0, CheckedFinder)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for the packs carries their mark."""
    for item in items:
        if "packs" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.packs)


@pytest.fixture(scope="session")
def packs() -> Path:
    """The folder of real-image packs that CONVWORKS_PACKS names; the test is skipped where it is unset."""
    named = os.environ.get("CONVWORKS_PACKS")
    if not named:
        pytest.skip("CONVWORKS_PACKS is not set: it names the folder of real-image packs")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"CONVWORKS_PACKS names {folder}, which is not a folder")
    return folder
