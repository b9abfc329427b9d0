"""What every test shares: one thread a process, shapes checked in every signature, the real-image packs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, runtime_checkable

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


TINY = """
import os

from torch import nn

from convworks.backbones.contract import Backbone, Card, Expects, Stage
from convworks.layers.conv_norm import ConvNorm


def tiny() -> Backbone:
    stages = [
        ConvNorm(3, 8, 3, stride=2),
        nn.Sequential(ConvNorm(8, 8, 5, groups=8, activation="relu6", same=True), ConvNorm(8, 16, 1)),
        ConvNorm(16, 16, 3, stride=2),
        nn.Sequential(ConvNorm(16, 32, 3, stride=2), nn.Dropout(0.1)),
    ]
    info = [
        Stage(name=f"stage{number}", channels=channels, stride=stride)
        for number, (channels, stride) in enumerate([(8, 2), (16, 2), (16, 4), (32, 8)])
    ]
    card = Card(name="tiny", source="drawn from the seed", licence="none needed")
    return Backbone("tiny", stages, info, Expects(size=32), card)


class Faulty(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        if os.environ.get("RANK") == "1" and self.calls > 40:
            raise RuntimeError("a fault of this process alone")
        return x


def faulty() -> Backbone:
    made = tiny()
    made.stages[3].append(Faulty())
    return made
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that, on Python's path, adds the backbone "tiny" as another package would; here it is on it.

    "faulty" is the same, but fails after a while in process 1 of a team.
    """
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "tiny_net.py").write_text(TINY)
    described = folder / "tiny_net-1.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny-net\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text(
        "[convworks.backbones]\ntiny = tiny_net:tiny\nfaulty = tiny_net:faulty\n"
    )
    sys.path.append(str(folder))
    return folder


@pytest.fixture(scope="session")
def patterns() -> Callable[..., Path]:
    """Writes `count` pictures of each of three textures into a folder a class; the same seed, the same bytes."""
    import numpy as np
    from PIL import Image

    def write(root: Path, count: int = 12, *, side: int = 32, seed: int = 0) -> Path:
        draw = np.random.default_rng(seed)
        y, x = np.mgrid[:side, :side]
        for name in ("bars", "dots", "rings"):
            (root / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                a, b = draw.uniform(0, 6, 2)
                wave = {
                    "bars": np.sin(0.9 * x + a),
                    "dots": np.sin(0.9 * x + a) * np.sin(0.9 * y + b),
                    "rings": np.sin(0.9 * np.hypot(x - side / 2 + a, y - side / 2 + b)),
                }[name]
                noisy = (
                    128 + 70 * wave[..., None] * draw.uniform(0.5, 1, 3) + draw.normal(0, 12, (side, side, 3))
                )
                picture = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
                picture.save(root / name / f"{number:03}.png")
        return root

    return write


@pytest.fixture(scope="session")
def seen_of() -> Callable[..., Any]:
    """Builds what findings are drawn from out of records whose files need not exist.

    `facts(row)` gives what of a record's facts differs from a plain photo of 640 x 480, `groups` which are copies.
    """
    import numpy as np

    from convworks.data.crops import Crops
    from convworks.data.duplicates import Hashes
    from convworks.data.facts import Facts
    from convworks.data.findings import Copies, Seen
    from convworks.data.record import DataSet, Record, classes_of
    from convworks.data.traces import Traces

    def build(
        records: Sequence[Record],
        facts: Callable[[int], dict[str, Any]] = lambda row: {},
        *,
        task: Any = "detection",
        masks: Any = None,
        groups: Any = None,
    ) -> Seen:
        chance = np.random.default_rng(0)
        plain: dict[str, Any] = {
            "width": 640,
            "height": 480,
            "bytes": 50_000,
            "mode": "RGB",
            "format": "JPEG",
        }
        plain |= {"gray": False, "notes": (), "border": 0.0, "traces": Traces(quality=90)}
        found = [
            Facts(
                **{
                    **plain,
                    "hashes": Hashes(
                        file=row.to_bytes(32, "big"),
                        signs=0,
                        mirrored=0,
                        thumbnail=np.zeros((16, 16), np.uint8),
                    ),
                    "thumbnail": chance.integers(0, 256, (32, 32), np.uint8),
                    **facts(row),
                }
            )
            for row in range(len(records))
        ]
        own = np.arange(len(records)) if groups is None else np.asarray(groups, np.int64)
        none = np.zeros(0, np.int64)
        crops = Crops(part=none, whole=none, mirrored=none.astype(bool), kept=none.astype(float))
        classes = tuple(sorted({name for record in records for name in classes_of(record)}))
        return Seen(
            dataset=DataSet(
                root=Path("nowhere"), source="test", task=task, classes=classes, records=records, masks=masks
            ),
            records=records,
            facts=found,
            unreadable=(),
            copies=Copies(same=own, alike=own, near=own, groups=own, crops=crops),
        )

    return build


class Child:
    """A process that the nursery started, with what of `subprocess.Popen` the tests use."""

    def __init__(
        self, server: subprocess.Popen[str], words: Sequence[str], folder: Path, env: dict[str, str]
    ) -> None:
        self._server = server
        handles = [tempfile.mkstemp() for _ in range(2)]
        self._files = [Path(name) for _, name in handles]
        for handle, _ in handles:
            os.close(handle)
        out, err = map(str, self._files)
        asked = {"words": words, "folder": str(folder), "env": env, "out": out, "err": err}
        self.pid = int(self._ask(asked) or 0)
        self.returncode: int | None = None

    def _ask(self, request: dict[str, object]) -> int | None:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return json.loads(self._server.stdout.readline())

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._ask({"wait": self.pid})
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(9)

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """What it wrote, when it has ended."""
        until = time.monotonic() + timeout
        while self.poll() is None:
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"still running after {timeout} s: {self._files[1].read_text()[-2000:]}")
            time.sleep(0.01)
        said = [file.read_text() for file in self._files]
        for file in self._files:
            file.unlink()
        return said[0], said[1]


@pytest.fixture(scope="session")
def start(tiny: Path) -> Iterator[Callable[..., Child]]:
    """Starts `convworks ...` as a process of its own, which knows the backbone "tiny" and saves after every step.

    Settings go to its environment; `folder` is where it runs.
    """
    path = os.pathsep.join(filter(None, [str(tiny), os.environ.get("PYTHONPATH", "")]))
    server = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("nursery.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "CONVWORKS_CHECKPOINT_SECONDS": "0"},
    )

    def begin(*words: str | Path, folder: Path | None = None, **settings: str) -> Child:
        return Child(server, [str(word) for word in words], folder or Path.cwd(), settings)

    yield begin
    assert server.stdin
    assert server.stdout
    server.stdin.close()
    server.stdout.close()
    server.wait(10)
