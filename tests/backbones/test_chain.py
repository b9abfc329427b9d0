"""What is called in which order, and where it may be cut."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from convworks.backbones.chain import Call, calls_of, expanded, grouped, is_chain


class Fed(nn.Module):
    """Two convolutions, with whatever is between them."""

    def __init__(self, between: str) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        self.between = between

    def forward(self, x: Tensor) -> Tensor:
        y = self.one(x)
        if self.between == "function":
            y = y * 2
        if self.between == "skip":
            return self.two(y) + y
        return self.one(self.two(y)) if self.between == "again" else self.two(y)


def chained(net: nn.Module) -> bool:
    picture = torch.randn(1, 3, 8, 8)
    calls, result = calls_of(net, net.forward, picture)
    return is_chain(calls, picture, result)


def test_modules_that_feed_each_other_are_a_chain() -> None:
    assert chained(Fed("nothing"))


def test_a_function_a_skip_or_a_second_call_breaks_it() -> None:
    assert not any(chained(Fed(between)) for between in ("function", "skip", "again"))


def test_hooks_are_taken_off_also_where_the_net_fails() -> None:
    net = Fed("nothing")
    with pytest.raises(RuntimeError):
        calls_of(net, net.forward, torch.randn(1, 5, 8, 8))
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in net.modules())


def names(net: nn.Sequential) -> list[list[str]]:
    picture = torch.randn(1, 3, 32, 32)
    outer = nn.ModuleDict({"net": net})
    calls, _ = calls_of(outer, net, picture)
    chain = [part for call in calls for part in expanded(call)]
    return [[call.name.removeprefix("net").lstrip(".") for call in group] for group in grouped(chain)]


def block(inputs: int, outputs: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.Conv2d(outputs, outputs, 3, 1, 1))


def test_a_pooling_goes_with_the_block_that_follows_it() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        block(4, 4, 1),
        block(4, 8, 2),
        nn.BatchNorm2d(8),
    )
    assert names(net) == [["0", "1"], ["2", "3"], ["4", "5"]]


def test_convolutions_go_together_until_the_map_shrinks() -> None:
    net = nn.Sequential(
        *(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, 1, 1), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 8, 3, 1, 1), nn.MaxPool2d(2)),
    )
    assert names(net) == [["0", "1", "2"], ["3", "4"], ["5"]]


def test_equal_blocks_are_one_stage_and_wider_ones_another() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, 2, 1), block(4, 4, 2), block(4, 4, 1), block(4, 8, 1), nn.Conv2d(8, 16, 1)
    )
    assert names(net) == [["0"], ["1", "2"], ["3"], ["4"]]


def test_many_stages_become_one_a_resolution() -> None:
    wider = [block(channels, channels + 1, 1) for channels in range(4, 20)]
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), block(4, 4, 2), *wider)
    assert [len(group) for group in names(net)] == [1, 17]


def test_a_sequential_at_one_resolution_stays_whole() -> None:
    net = nn.Sequential(block(3, 4, 2), block(4, 4, 1))
    assert names(net) == [[""]]
    assert isinstance(Call("", net, None).inside, list)
