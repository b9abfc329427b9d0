"""Which layer comes next, and the nets that follow from it: what they promise for any data."""

from __future__ import annotations

import random
from typing import Any

import pytest

from convworks.arithmetic.notation import parse
from convworks.arithmetic.spec import Layer
from convworks.errors import NetError, RecipeError
from convworks.recipe.aims import Aims, aims, percentiles
from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.following import next_layers
from convworks.recipe.nets import net_for
from convworks.recipe.scales import CELLS

NONE = (0.0, 0.0, 0.0)


def seen(
    short: float, *, images: int = 240, classes: int = 4, objects: tuple[float, float, float] = NONE
) -> Fingerprint:
    sides = (0.8 * short, short, 1.5 * short)
    return Fingerprint(
        task="classification",
        counts={f"class {number}": images // classes for number in range(classes)},
        widths=sides,
        heights=sides,
        short_sides=sides,
        objects=objects,
    )


def drawn(draw: random.Random) -> Aims:
    """What random data asks of a net: pictures of 16 to 4,000 px, objects of any size in them, or none known."""
    short = 2 ** draw.uniform(4, 12)
    small = short * 2 ** draw.uniform(-7, 0)
    middle = min(short, small * 2 ** draw.uniform(0, 4))
    large = min(short, middle * 2 ** draw.uniform(0, 3))
    known = draw.random() < 0.6
    given = seen(
        short,
        images=int(10 ** draw.uniform(1, 6)),
        classes=draw.randint(2, 9),
        objects=(small, middle, large) if known else NONE,
    )
    input = None if draw.random() < 0.7 else (draw.randint(32, 400), draw.randint(32, 400))
    return aims(given, input=input)


def check_promises(asked: Aims) -> None:
    found = net_for(asked)
    design = found.design
    whole = [size for size in asked.objects if size >= 1]
    assert all(finding.level == "note" for finding in design.check(whole)), found.notation
    last = design.rows[-4] if asked.dropout else design.rows[-3]
    assert last.output is not None and not last.output.flat
    assert min(last.output.height, last.output.width) >= CELLS
    assert min(axis.size for axis in last.fields) >= asked.field
    assert str(design.output) == str(asked.classes)
    assert all(choice.reason and choice.cause and choice.name and choice.value for choice in found.choices)


def test_every_proposal_keeps_its_promises_for_any_data() -> None:
    draw = random.Random(0)
    for _ in range(40):
        check_promises(drawn(draw))


@pytest.mark.slow
def test_a_thousand_more_proposals_keep_their_promises() -> None:
    draw = random.Random(1)
    for _ in range(1_000):
        check_promises(drawn(draw))


def test_objects_smaller_than_a_pixel_of_the_largest_input_are_said() -> None:
    asked = aims(seen(1_000), objects=[2.0])
    found = net_for(asked)
    assert [finding.code for finding in found.design.check(asked.objects)] == ["smaller-than-stride"]
    assert "tiles" in found.why("input")


def test_the_cost_grows_with_the_input_and_with_the_images() -> None:
    inputs = [net_for(aims(seen(300), input=(side, side))).design for side in range(32, 257, 32)]
    amounts = [net_for(aims(seen(96, images=images))).design for images in (100, 2_000, 40_000)]
    for designs in (inputs, amounts):
        costs = [design.multiply_adds for design in designs]
        assert costs == sorted(costs)


def test_more_classes_change_nothing_but_the_last_layer() -> None:
    few, many = (net_for(aims(seen(96, classes=classes))) for classes in (2, 10))
    assert few.body == many.body
    assert many.notation.endswith("fc10")


def test_what_is_said_of_objects_wins_over_what_is_measured_and_assumed() -> None:
    assumed = aims(seen(100))
    measured = aims(seen(100, objects=(20, 20, 20)))
    said = aims(seen(100, objects=(20, 20, 20)), objects=[90.0])
    assert [asked.objects[1] * 100 / asked.input.height for asked in (assumed, measured, said)] == [
        50,
        20,
        90,
    ]
    assert "assumed" in assumed.choices[1].cause
    assert "you said" in said.choices[1].cause


def test_smaller_objects_ask_for_a_larger_input() -> None:
    sides = [aims(seen(1_000), objects=[size]).input.height for size in (1_000, 500, 250, 100, 10)]
    assert sides == sorted(sides)
    assert sides[0] == 32 and sides[-1] == 224


def test_a_net_for_another_task_has_no_head_and_ends_at_its_field() -> None:
    asked = aims(Fingerprint(**{**vars_of(seen(200, objects=(30, 60, 90))), "task": "detection"}))
    found = net_for(asked)
    assert found.body == found.notation
    assert next_layers(found.net.layers, asked) == ()
    assert "levels" in [choice.name for choice in found.choices]
    assert "head" not in [choice.name for choice in found.choices]


def test_where_answers_have_a_place_the_input_has_the_shape_of_the_pictures() -> None:
    wide = {"widths": (640.0,) * 3, "heights": (480.0,) * 3, "short_sides": (480.0,) * 3}
    cells = {**vars_of(seen(480, objects=(82, 103, 123))), **wide}
    asked = aims(Fingerprint(**{**cells, "task": "detection"}))
    assert (asked.input.height, asked.input.width) == (192, 256)
    square = aims(Fingerprint(**cells))
    assert (square.input.height, square.input.width) == (192, 192)


def vars_of(fingerprint: Fingerprint) -> dict[str, Any]:
    return {name: getattr(fingerprint, name) for name in fingerprint.__slots__}


@pytest.mark.parametrize(
    ("begun", "best"),
    [
        ("", "conv3-16 p1 nobias"),
        ("conv5-16 p2", "relu"),
        ("conv5-16 p2 nobias", "bn"),
        ("conv5-16 p2 nobias bn", "relu"),
        ("conv5-16 p2 relu", "pool2"),
        ("pool2 conv5-16 p2 relu", "conv3-16 p1 nobias"),
        ("conv5-16 p2 relu pool2", "conv3-32 p1 nobias"),
        ("conv5-16 p2 relu pool2 conv3-32 p1", "relu"),
        ("conv5-16 p2 relu pool2 conv3-32 p1 relu", "conv3-32 p1 nobias"),
        ("3*(conv3-32 p1 relu) pool2 4*(conv3-64 p1 relu) pool2 4*(conv3-64 p1 relu) gap", "dropout0.3"),
        ("conv3-16 p1 relu gap dropout0.5", "fc4"),
        ("conv3-16 p1 relu fc100", "relu"),
    ],
)
def test_the_layer_that_comes_next(begun: str, best: str) -> None:
    layers = parse(begun) if begun else ()
    assert next_layers(layers, aims(seen(64)))[0].notation == best


def test_a_whole_net_needs_nothing_more() -> None:
    assert next_layers(parse("conv3-16 p1 relu gap fc4"), aims(seen(64))) == ()


@pytest.mark.parametrize(
    "begun",
    [
        "conv3-8 p1 relu up2",
        "conv3-8 p1 relu adaptiveavg7",
        "tconv2-8 s2",
        "cat(conv3-8 p1 relu | pointwise-8 relu)",
        "mlpconv3-8-8 p1",
        "res(conv3-3 p1)",
        "conv3x5-8 p1x2 s1x2 tanh",
        "flatten",
        "conv3-8 p1 relu globalmax",
    ],
)
def test_any_layers_that_can_be_go_on_to_a_whole_net(begun: str) -> None:
    found = net_for(aims(seen(64)), parse(begun))
    assert str(found.design.output) == "4"
    assert next_layers(found.net.layers, found.aims) == ()


def test_an_odd_map_is_halved_without_a_row_that_is_never_read() -> None:
    asked = aims(seen(300), input=(61, 61))
    pools = next_layers(parse("conv3-16 p1 relu conv3-16 p1 relu"), asked)
    assert pools[0].notation == "pool3 s2 p1"
    assert pools[0].output.height == 31


def test_every_candidate_has_a_reason_and_fits() -> None:
    draw = random.Random(2)
    asked = aims(seen(96))
    layers: tuple[Layer, ...] = ()
    for _ in range(60):
        found = next_layers(layers, asked)
        if not found:
            break
        assert all(one.reason and one.field >= 1 for one in found)
        layers = (*layers, draw.choice(found).layer)


def test_what_was_begun_stays_and_the_rest_follows() -> None:
    asked = aims(seen(96))
    found = net_for(asked, parse("conv7-24 s2 p3 relu"))
    assert found.notation.startswith("conv7-24 s2 p3 relu ")
    assert found.begun == 2
    assert found.following == next_layers(parse("conv7-24 s2 p3 relu"), asked)
    assert found.steps[0] == found.following[0]


def test_layers_that_cannot_be_are_said_so() -> None:
    with pytest.raises(NetError, match="does not fit"):
        net_for(aims(seen(64)), parse("conv99-3"))
    with pytest.raises(RecipeError, match="No picture was measured"):
        aims(seen(0))
    with pytest.raises(NetError, match="Nothing was chosen"):
        net_for(aims(seen(64))).why("colour")


def test_the_reason_of_a_choice_has_the_numbers_of_the_data() -> None:
    found = net_for(aims(seen(180)))
    assert "180" in found.why("input")
    assert "240 pictures" in found.why("channels")


def test_percentiles_are_those_of_numpy() -> None:
    import numpy as np

    draw = random.Random(3)
    for count in (1, 2, 3, 10, 101):
        values = [draw.uniform(1, 100) for _ in range(count)]
        assert percentiles(values) == pytest.approx(np.percentile(values, (10, 50, 90)))
