"""One process or many: the same code, with no special case for a team of one.

`torchrun` starts the processes; each joins the team by the environment that torchrun sets. Every number that
decides something is reduced over the team first, so that all decide alike.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from convworks.errors import TeamError

TIMEOUT = timedelta(seconds=float(os.environ.get("CONVWORKS_TEAM_TIMEOUT", "60")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """This process among its peers: its `rank` in 0 .. size - 1, and how many there are."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks to the user."""
        return self.rank == 0

    @staticmethod
    def join(device: torch.device | None = None) -> Team:
        """The team that torchrun's environment describes; a team of one without it.

        Raises TeamError where the others cannot be reached.
        """
        size = int(os.environ.get("WORLD_SIZE", "1"))
        place = device or torch.device("cpu")
        if size == 1:
            return Team(device=place)
        if place.type == "cuda":
            place = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
            torch.cuda.set_device(place)
        if not dist.is_initialized():
            try:
                dist.init_process_group("nccl" if place.type == "cuda" else "gloo", timeout=TIMEOUT)
            except (RuntimeError, ValueError) as error:
                raise TeamError(
                    f"This process could not join the other {size - 1}: {str(error).splitlines()[0]}",
                    fix="start all of them with the same torchrun command",
                ) from error
        return Team(rank=dist.get_rank(), size=dist.get_world_size(), device=place)

    @staticmethod
    def leave() -> None:
        """Close the connections; harmless for a team of one."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def share(self, n: int) -> list[int]:
        """Which of n pieces of work are this process's: every `size`-th."""
        return list(range(self.rank, n, self.size))

    def places(self) -> Iterator[int]:
        """The numbers of this process's pieces, without end: the first is its rank."""
        return count(self.rank, self.size)

    def sum(self, values: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over the team, in place, in one message a dtype."""
        if self.size == 1:
            return
        by_kind: dict[torch.dtype, list[Tensor]] = {}
        for value in values:
            by_kind.setdefault(value.dtype, []).append(value)
        for kind, tensors in sorted(by_kind.items(), key=lambda item: str(item[0])):
            flat = torch.cat([tensor.reshape(-1).to(self.device) for tensor in tensors])
            self._guarded(lambda flat=flat: dist.all_reduce(flat))
            place = 0
            for tensor in tensors:
                tensor.copy_(flat[place : place + tensor.numel()].view_as(tensor).to(kind))
                place += tensor.numel()

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, in order of rank; anything that can be sent between our own processes."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        self._guarded(lambda: dist.all_gather_object(found, value))
        return found

    def from_leader(self, value: Any) -> Any:
        """Rank 0's value."""
        if self.size == 1:
            return value
        held = [value]
        self._guarded(lambda: dist.broadcast_object_list(held, src=0))
        return held[0]

    def rows(self, mine: Tensor, places: Sequence[int], n: int) -> Tensor:
        """All n rows from each process's own (`mine[i]` belongs at `places[i]`): exact, nothing counted twice."""
        if self.size == 1:
            whole = torch.empty((n, *mine.shape[1:]), dtype=mine.dtype)
            whole[list(places)] = mine.cpu()
            return whole
        whole = torch.zeros((n, *mine.shape[1:]), dtype=mine.dtype)
        whole[list(places)] = mine.cpu()
        self.sum([whole])
        return whole

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        seen = torch.tensor([int(flag)])
        self.sum([seen])
        return bool(seen.item())

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except RuntimeError as error:
            raise TeamError(
                f"Rank {self.rank} lost another process: {str(error).splitlines()[0][:160]}",
                fix="the first error above, or in that process's log, is the cause; `--resume` goes on",
            ) from error


@contextlib.contextmanager
def joined(device: torch.device) -> Generator[Team]:
    """The team of this process, left in the end."""
    team = Team.join(device)
    try:
        yield team
    finally:
        Team.leave()
