"""Pretrained weights from the model hub: fetched once, then read from the hub's own cache."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import sys
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import timm
from torch import Tensor

from convworks.backbones import tensors
from convworks.backbones.contract import Card
from convworks.errors import WeightsError
from convworks.files import refusal

FILE = "model.safetensors"
PATIENCE = 5.0


def state(net: str) -> tuple[dict[str, Tensor], Card]:
    """The published weights of timm's `net` under timm's names, and where they come from.

    Raises WeightsError where nobody published any, or they are neither in the cache nor within reach.
    """
    settings: Any = timm.get_pretrained_cfg(net)
    if settings is None or not settings.hf_hub_id:
        url = settings.url if settings is not None else ""
        raise WeightsError(
            f"There are no weights of timm's {net} on the hub.",
            fix=f"fetch {url} and give the file" if url else 'use weights "none", or another net',
        )
    path = fetched(settings.hf_hub_id)
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    _refuse_damaged(path, digest)
    card = Card(
        name=f"{settings.architecture}.{settings.tag}",
        source=f"https://huggingface.co/{settings.hf_hub_id}",
        licence=settings.license or "not stated",
        sha256=digest,
    )
    return tensors.parsed(content, str(path)), card


def fetched(repository: str) -> Path:
    """The file of weights of a repository of the hub, from the cache or else from the network."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    with contextlib.suppress(LocalEntryNotFoundError):
        return Path(hf_hub_download(repository, FILE, local_files_only=True))
    _check_network(repository)
    _draw_no_bars_in_files()
    try:
        return Path(hf_hub_download(repository, FILE, etag_timeout=PATIENCE))
    except HfHubHTTPError as error:
        raise WeightsError(
            f"The hub does not give {FILE} of {repository}: {type(error).__name__}.", fix="choose another net"
        ) from error
    except Exception as error:  # the hub's client lets those of whatever it sends with through
        if isinstance(error, OSError) and error.errno:
            raise refusal(Path(constants.HF_HUB_CACHE), error) from error
        raise _absent(repository, f"fetching it failed ({type(error).__name__})") from error


def _check_network(repository: str) -> None:
    """Raises WeightsError at once where the hub cannot be reached: its client tries for half a minute."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise _absent(repository, "HF_HUB_OFFLINE is set")
    proxy = urllib.request.getproxies().get("https")
    place = urllib.parse.urlsplit(proxy or constants.ENDPOINT)
    try:
        port = place.port or (80 if place.scheme == "http" else 443)
        socket.create_connection((place.hostname or "", port), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:
        raise _absent(repository, f"{place.hostname} cannot be reached") from error


def _absent(repository: str, cause: str) -> WeightsError:
    return WeightsError(
        f"No weights and no network: {repository} is not in the cache, and {cause}.",
        fix="connect once; or --backbone efficientnet-lite0, whose weights are here; or --weights none",
    )


def _refuse_damaged(path: Path, digest: str) -> None:
    """Raises WeightsError where the hub's cache names a file by a sha256 that is not the file's own."""
    blob = path.resolve().name
    if len(blob) == 64 and blob != digest:
        raise WeightsError(
            f"The cached weights {path} are damaged: their sha256 is not what was fetched.",
            fix=f"delete {path.resolve()} and {path}, and run again",
        )


def _draw_no_bars_in_files() -> None:
    """Progress bars are for a terminal; a log would fill with them."""
    from huggingface_hub.utils import disable_progress_bars

    if not sys.stderr.isatty() and "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ:
        disable_progress_bars()
