"""What only a measurement can settle: timed over a few steps, once, then written into the run's recipe."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from convworks import devices
from convworks.geometry.boxes import Size
from convworks.model import Net
from convworks.recipe.options import ComputeOptions, Recipe
from convworks.recipe.propose import with_values_and_reasons
from convworks.training.prepare import free_memory

TRIED = 4  # pictures in a timed step
SHARE = 0.4  # of the free memory that a micro-batch's activations may take
VIRTUAL_BATCH = 32  # pictures over which a batch norm that learns takes its statistics


def machine(options: ComputeOptions) -> tuple[torch.device, int, int]:
    """The device, the threads and the decoding threads that a recipe means on this machine."""
    device = devices.find(options.device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    threads = cores if options.threads == "auto" else options.threads
    workers = max(2, cores) if options.workers == "auto" else options.workers
    return device, threads, workers


def settled(
    recipe: Recipe, net: Net, size: Size, *, device: torch.device, threads: int, workers: int
) -> Recipe:
    """The recipe with every `auto` of its compute section replaced by what is fastest here, with the reason."""
    options = recipe.compute
    values: dict[str, object] = {
        "compute__device": str(device),
        "compute__threads": threads,
        "compute__workers": workers,
    }
    why: dict[str, str] = {}
    if options.precision == "auto" or options.channels_last == "auto":
        precision, last, said = _fastest(net, size, device, options)
        values |= {"compute__precision": precision, "compute__channels_last": last}
        why |= dict.fromkeys(("compute.precision", "compute.channels_last"), said)
    return with_values_and_reasons(recipe, why, **values)


def with_micro_batch(
    recipe: Recipe, net: Net, size: Size, first: int, *, live: bool, processes: int, entry: int | None = None
) -> Recipe:
    """The recipe with its micro-batch settled: as many pictures at once as memory and the team allow.

    `first` is the first stage that learns, `entry` (by default the same) the one that reads the pictures. While batch
    norm learns (`live`) the micro-batch is the virtual batch over which statistics are taken, and the number of
    processes does not change it.
    """
    if recipe.compute.micro_batch != "auto":
        return recipe
    batch = recipe.optimiser.batch
    if live:
        return with_values_and_reasons(
            recipe,
            {"compute.micro_batch": "the images over which batch norm takes its statistics, on any machine"},
            compute__micro_batch=min(batch, VIRTUAL_BATCH),
        )
    device = next(net.parameters()).device
    each = activation_bytes(net, size, first if entry is None else entry)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else free_memory()
    fits = max(1, int(SHARE * free / max(each, 1)))
    share = -(-batch // processes)
    return with_values_and_reasons(
        recipe,
        {
            "compute.micro_batch": f"a picture keeps {each / 1e6:.1f} MB for its gradient; {free / 1e9:.1f} GB are free"
        },
        compute__micro_batch=min(share, fits),
    )


def activation_bytes(net: Net, size: Size, first: int) -> int:
    """The bytes that a picture's forward pass from stage `first` on keeps for the way back, weights not counted."""
    device = next(net.parameters()).device
    weights = {value.untyped_storage().data_ptr() for value in net.parameters()}
    seen: dict[int, int] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        return value

    x = torch.zeros(1, net.backbone.channels, *size, device=device)
    with torch.no_grad():
        for stage in list(net.backbone.stages)[:first]:
            x = stage(x)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value):
        outputs = net(x, first)
    total = sum(seen.values())
    del outputs  # alive until here, so that no storage is used again while they are counted
    return total


def _fastest(net: Net, size: Size, device: torch.device, options: ComputeOptions) -> tuple[str, bool, str]:
    precisions = ("float32", "bfloat16") if options.precision == "auto" else (options.precision,)
    orders = (True, False) if options.channels_last == "auto" else (options.channels_last,)
    if not _has_bfloat16(device) and options.precision == "auto":
        precisions = ("float32",)
    times: dict[tuple[str, bool], float] = {}
    for last in orders:
        placed = torch.channels_last if last else torch.contiguous_format
        net.to(memory_format=placed)  # pyright: ignore[reportCallIssue]
        x = torch.zeros(TRIED, net.backbone.channels, *size, device=device).contiguous(memory_format=placed)
        for precision in precisions:
            times[precision, last] = _timed(_pass(net, x, getattr(torch, precision)), device)
    if len(times) == 1:
        (precision, last), _ = times.popitem()
        return precision, last, "the only choice"
    precision, last = min(times, key=lambda choice: times[choice])
    best, *others = sorted(1000 * seconds / TRIED for seconds in times.values())
    told = f"timed here, {best:.0f} ms a picture; the others {others[0]:.0f} to {others[-1]:.0f}"
    return precision, last, told


def _pass(net: nn.Module, x: torch.Tensor, precision: torch.dtype) -> Callable[[], None]:
    def run() -> None:
        with torch.autocast(x.device.type, precision, enabled=precision != torch.float32):
            outputs = net(x)
        torch.stack([value.float().sum() for value in tree_leaves(outputs)]).sum().backward()
        net.zero_grad(set_to_none=True)

    return run


def _timed(run: Callable[[], None], device: torch.device) -> float:
    run()
    best = float("inf")
    for _ in range(2):
        began = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - began)
    return best


def _has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is more than an emulation on this device."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
