"""What repeats in a net is found, and put together again it is the net."""

import random

from hypothesis import given
from hypothesis import strategies as st

from convworks.arithmetic.fold import RIDERS, runs
from convworks.arithmetic.notation import parse, volume, write
from convworks.arithmetic.shape import output_of


def test_the_longest_saving_is_taken() -> None:
    layers = parse("conv3-8 p1 relu 4*(conv3-8 p1 relu conv1-8 relu) pool2")
    found = [(run.times, write(run.layers)) for run in runs(layers, volume("16"))]
    assert found == [(1, "conv3-8 p1 relu"), (4, "conv3-8 p1 relu conv1-8 relu"), (1, "pool2")]


def test_what_changes_its_volume_does_not_repeat() -> None:
    assert [run.times for run in runs(parse("3*(conv3-3 relu)"), volume("16"))] == [1]
    assert [run.times for run in runs(parse("2*(conv3-8 p1 relu)"), volume("16"))] == [1]


def test_a_rider_stays_with_what_it_follows() -> None:
    layers = parse("conv3-8 p1 5*(relu conv3-8 p1)")
    for run in runs(layers, volume("16"))[1:]:
        assert not isinstance(run.layers[0], RIDERS)


@given(st.integers(0, 10_000))
def test_runs_put_together_are_the_net(seed: int) -> None:
    drawn = random.Random(seed)
    words = ["conv3-3 p1", "relu", "conv1-3", "res(conv3-3 p1)", "bn", "pool3 s1 p1"]
    layers = parse(" ".join(drawn.choice(words[: drawn.randint(1, 6)]) for _ in range(drawn.randint(1, 40))))
    found = runs(layers, volume("8"))
    assert tuple(layer for run in found for _ in range(run.times) for layer in run.layers) == layers
    place = 0
    for run in found:
        assert run.first == place
        assert run.input == output_of(layers[:place], volume("8"))
        place += run.times * len(run.layers)
