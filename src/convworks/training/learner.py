"""The part of a net that learns, one step at a time: the whole of the training step on one screen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import functional_call

from convworks.backbones.contract import NORMS
from convworks.model import Net
from convworks.recipe.options import OptimiserOptions
from convworks.samples import Batch
from convworks.tasks.contract import Task
from convworks.training import optimiser as optimisers
from convworks.training import randomness
from convworks.training.schedule import average_decay
from convworks.training.statistics import RunningStatistics
from convworks.training.team import Team


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step did: the sum of the losses and its weight, over the team; what was not finite, "" if nothing."""

    total: float
    weight: float
    broken: str = ""
    stop: bool = False


class Learner:
    """A net from stage `first` on, its optimiser, and the moving average of its weights.

    `entry` is the stage that reads what is fed, by default `first`. `precision` is the dtype of autocast; weights,
    sums and the optimiser are float32.
    """

    def __init__(
        self,
        net: Net,
        task: Task,
        options: OptimiserOptions,
        team: Team,
        *,
        first: int,
        precision: torch.dtype,
        seed: int,
        entry: int | None = None,
    ) -> None:
        self.net, self.task, self.options, self.team = net, task, options, team
        self.first, self.precision, self.seed = first, precision, seed
        self.entry = first if entry is None else entry
        self.optimiser = optimisers.build(net, options, first)
        self.parameters = {name: value for name, value in net.named_parameters() if self._is_ours(name)}
        self.average = {name: value.detach().clone() for name, value in self.parameters.items()}

    def _is_ours(self, name: str) -> bool:
        if not name.startswith("backbone.stages."):
            return True
        return self.first <= int(name.split(".")[2]) < self.net.reads

    @property
    def buffers(self) -> dict[str, Tensor]:
        """The running statistics of what learns."""
        return {name: value for name, value in self.net.named_buffers() if self._is_ours(name)}

    def step(
        self, parts: Sequence[Batch], epoch: int, step: int, rate: float, progress: float, stop: bool
    ) -> Step:
        """One update from this process's parts of the batch. Nothing is changed where a number is not finite."""
        self.net.train()
        self.optimiser.zero_grad(set_to_none=True)
        statistics = RunningStatistics(self.net)
        device = self.team.device
        tally = torch.zeros(3, dtype=torch.float64)
        for place, part in zip(self.team.places(), parts, strict=False):
            randomness.seed_layers(self.seed, epoch, step, place)
            targets = {name: value.to(device) for name, value in part.targets.items()}
            with torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32):
                outputs = self.net(self._placed(part.images), self.entry, self._shown(targets))
            loss = self.task.loss(outputs, targets, progress)
            loss.total.backward()
            statistics.note()
            tally += torch.stack(
                [loss.total.detach().double().cpu(), loss.weight.double().cpu(), torch.zeros(()).double()]
            )
        tally[2] = float(stop)
        learning = [value for value in self.parameters.values() if value.requires_grad]
        for value in learning:
            if value.grad is None:
                value.grad = torch.zeros_like(value)
        gradients = [value.grad for value in learning if value.grad is not None]
        self.team.sum([*gradients, tally])
        total, weight, asked = tally.tolist()
        for gradient in gradients:
            gradient /= weight
        norm = float(torch.nn.utils.get_total_norm(gradients))
        statistics.settle(self.team)
        if not (math.isfinite(total) and math.isfinite(norm)):
            broken = "loss" if not math.isfinite(total) else "gradient"
            return Step(total=total, weight=weight, broken=broken, stop=asked > 0)
        if self.options.clip_norm and norm > self.options.clip_norm:
            for gradient in gradients:
                gradient *= self.options.clip_norm / norm
        optimisers.set_rate(self.optimiser, rate)
        self.optimiser.step()
        self._follow(epoch, step)
        return Step(total=total, weight=weight, stop=asked > 0)

    def ripen(self, progress: float) -> None:
        """Let in what of the head is to learn from a share of the training on."""
        if self.task.ripen:
            self.task.ripen(self.net.head, progress)

    def _shown(self, targets: Mapping[str, Tensor]) -> Mapping[str, Tensor] | None:
        """The targets, where the net takes them too."""
        return targets if self.task.scenes and self.task.scenes.guided else None

    def _placed(self, images: Tensor) -> Tensor:
        return images.to(self.team.device, non_blocking=True)

    @torch.no_grad()
    def _follow(self, epoch: int, step: int) -> None:
        """Move the average towards the weights."""
        if not self.options.average:
            for name, value in self.parameters.items():
                self.average[name].copy_(value)
            return
        decay = average_decay(step, self.options.average)
        for name, value in self.parameters.items():
            self.average[name].lerp_(value, 1 - decay)

    @torch.no_grad()
    def outputs(self, batches: Iterator[Batch], weights: Mapping[str, Tensor] | None = None) -> list[Tensor]:
        """The net's outputs for some batches, with the averaged weights or with `weights`; float32, on the CPU."""
        return [given.float().cpu() for _, given in self.judged(batches, weights)]

    @torch.no_grad()
    def judged(
        self, batches: Iterator[Batch], weights: Mapping[str, Tensor] | None = None
    ) -> Iterator[tuple[Batch, Any]]:
        """Each batch with what the net gives for it, with the averaged weights or with `weights`."""
        self.net.eval()
        chosen = {
            name: value.to(self.team.device)
            for name, value in (self.average if weights is None else weights).items()
        }
        for batch in batches:
            with torch.autocast(
                self.team.device.type, self.precision, enabled=self.precision != torch.float32
            ):
                targets = {name: value.to(self.team.device) for name, value in batch.targets.items()}
                shown = (self._placed(batch.images), self.entry, self._shown(targets))
                given = functional_call(self.net, chosen, shown)
            yield batch, given

    @torch.no_grad()
    def is_finite(self) -> bool:
        """Whether all that would be saved of the net is finite."""
        kept = [*self.parameters.values(), *self.average.values(), *self.buffers.values()]
        return all(bool(torch.isfinite(value).all()) for value in kept)

    def broken_parameter(self, quantity: str) -> str:
        """The name of the first parameter that is not finite, or whose gradient is not; "" where all are."""
        for name, value in self.parameters.items():
            looked_at = value.grad if quantity == "gradient" else value.detach()
            if looked_at is not None and not bool(torch.isfinite(looked_at).all()):
                return name
        return ""

    def first_broken_layer(self, part: Batch, epoch: int, step: int, place: int) -> str:
        """The name of the first module whose output for a part is not finite; "" where all are.

        It is "the input" where that is not finite already. The innermost module ends first and is named.
        """
        if not bool(torch.isfinite(part.images).all()):
            return "the input"
        found: list[str] = []

        def look(name: str) -> Any:
            def hook(module: torch.nn.Module, given: Any, out: Any) -> None:
                if not found and isinstance(out, Tensor) and not bool(torch.isfinite(out).all()):
                    found.append(name)

            return hook

        handles = [module.register_forward_hook(look(name)) for name, module in self.net.named_modules()]
        randomness.seed_layers(self.seed, epoch, step, place)
        try:
            with torch.no_grad():
                self.net(self._placed(part.images), self.entry)
        finally:
            for handle in handles:
                handle.remove()
        return (found[0] or "the net") if found else ""

    def state(self) -> dict[str, Tensor]:
        """Everything that changes while it learns, as tensors by name."""
        found = {f"net/{name}": value for name, value in {**self.parameters, **self.buffers}.items()}
        found |= {f"average/{name}": value for name, value in self.average.items()}
        for number, values in self.optimiser.state_dict()["state"].items():
            for name, value in values.items():
                found[f"optimiser/{number}/{name}"] = torch.as_tensor(value)
        return {name: value.detach().cpu().clone() for name, value in found.items()}

    @torch.no_grad()
    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to a `state`."""
        own: dict[str, Tensor] = {**self.parameters, **self.buffers}
        kept: dict[int, dict[str, Tensor]] = {}
        for name, value in state.items():
            kind, _, rest = name.partition("/")
            if kind == "net":
                own[rest].copy_(value)
            elif kind == "average":
                self.average[rest].copy_(value)
            elif kind == "optimiser":
                number, _, part = rest.partition("/")
                kept.setdefault(int(number), {})[part] = value.clone()
        document = self.optimiser.state_dict()
        self.optimiser.load_state_dict({**document, "state": kept})


def has_live_statistics(net: Net) -> bool:
    """Whether some batch norm of the net takes new statistics while it learns."""
    net.train()
    return any(isinstance(module, NORMS) and module.training for module in net.modules())
