"""The rules that a recipe starts from, said with the numbers of the data."""

from __future__ import annotations

import pytest

from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.rules import rules


def seen(*counts: int, objects: tuple[float, float, float] = (0, 0, 0), gray: float = 0.0) -> Fingerprint:
    sides = (300.0, 480.0, 500.0)
    return Fingerprint(
        task="classification",
        counts={f"class {number}": count for number, count in enumerate(counts)},
        widths=sides,
        heights=sides,
        short_sides=sides,
        objects=objects,
        gray=gray,
    )


@pytest.mark.parametrize(
    ("smallest", "choice"),
    [(19, "linear model"), (20, "probe, then fine-tune"), (1_000, "fine-tune"), (1_001, "from scratch")],
)
def test_how_much_learns_follows_from_the_smallest_class(smallest: int, choice: str) -> None:
    found = rules(seen(2_000, smallest))
    said = next(rule for rule in found if "smallest of 2 classes" in rule.cause)
    assert choice in said.choice
    assert f"{smallest:,}" in said.cause


def test_classes_of_very_different_size_are_said() -> None:
    assert any("class by class" in rule.choice for rule in rules(seen(1_100, 100)))
    assert not any("class by class" in rule.choice for rule in rules(seen(1_000, 100)))


def test_mixing_pictures_is_for_many() -> None:
    assert any("no mixup" in rule.choice for rule in rules(seen(10_000, 9_999)))
    assert not any("no mixup" in rule.choice for rule in rules(seen(10_000, 10_000)))


def test_measured_objects_give_strides_input_and_field() -> None:
    found = rules(seen(100, 100, objects=(81, 102, 122)))
    assert found[0].choice == "finest stride 16, an input of 384 px for 480"
    assert "coarsest stride 8" in found[1].choice
    assert len(rules(seen(100, 100))) == len(found) - 2


def test_small_objects_in_large_pictures_ask_for_tiles() -> None:
    found = rules(seen(100, 100, objects=(6, 9, 20)))
    assert found[2].choice == "tiles of 160 px that overlap by 20"


def test_pictures_without_colour_are_not_jittered() -> None:
    assert any("no colour jitter" in rule.choice for rule in rules(seen(100, gray=1.0)))
    assert not any("no colour jitter" in rule.choice for rule in rules(seen(100)))


def test_every_rule_is_whole() -> None:
    for rule in rules(seen(100, 3, objects=(6, 9, 20), gray=1.0)):
        assert rule.cause and rule.choice and rule.reason
