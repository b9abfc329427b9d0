"""A recipe follows from what was measured, each choice with its reason; what the user says wins."""

from __future__ import annotations

import pytest

from convworks.errors import RecipeError
from convworks.recipe import options
from convworks.recipe.fingerprint import Fingerprint
from convworks.recipe.options import flat
from convworks.recipe.propose import BackboneFacts, input_size, propose, with_values_and_reasons

KNOWS = BackboneFacts(name="net", size=224, pretrained=True)
NEW = BackboneFacts(name="net", size=224, pretrained=False)


def print_of(*counts: int, short: float = 300, gray: float = 0.0) -> Fingerprint:
    sizes = (short, short, short)
    return Fingerprint(
        task="classification",
        counts={f"class {number}": count for number, count in enumerate(counts)},
        widths=sizes,
        heights=sizes,
        short_sides=sizes,
        gray=gray,
    )


def test_few_images_get_a_linear_model_more_are_fine_tuned_and_no_weights_are_learned() -> None:
    assert propose(print_of(100, 19), KNOWS).transfer.mode == "extract"
    assert propose(print_of(100, 20), KNOWS).transfer.mode == "finetune"
    assert propose(print_of(5, 5), NEW).transfer.mode == "scratch"


@pytest.mark.parametrize("images", [10, 50, 200, 1_000, 20_000, 1_000_000])
@pytest.mark.parametrize("facts", [KNOWS, NEW])
def test_every_proposal_is_within_its_ranges_and_says_why(images: int, facts: BackboneFacts) -> None:
    recipe = propose(print_of(images // 2, images // 2), facts)
    assert flat(options.with_values(recipe, flat(recipe))) == flat(recipe)
    for name in ("transfer.mode", "data.input_size", "optimiser.epochs", "optimiser.batch"):
        assert recipe.why(name) != "the default; nothing measured spoke against it"
    assert 8 <= recipe.optimiser.batch <= 64
    assert images < 160 or recipe.optimiser.batch <= images / 20


@pytest.mark.parametrize(
    ("side", "facts", "size"),
    [
        (300, KNOWS, 288),
        (245, KNOWS, 288),
        (244, KNOWS, 224),
        (32, KNOWS, 224),
        (32, NEW, 32),
        (500, NEW, 224),
    ],
)
def test_the_input_follows_the_pictures_and_what_the_net_learned_at(
    side: float, facts: BackboneFacts, size: int
) -> None:
    found, why = input_size(side, facts)
    assert found == size
    assert f"{side:.0f}" in why


def test_what_the_user_says_wins_and_is_called_so() -> None:
    recipe = propose(print_of(100, 100), KNOWS, {"optimiser.epochs": 3, "transfer.mode": "full"})
    assert recipe.optimiser.epochs == 3
    assert recipe.transfer.mode == "full"
    assert recipe.why("optimiser.epochs") == "you said so"
    with pytest.raises(RecipeError, match="no option"):
        propose(print_of(100, 100), KNOWS, {"optimiser.epoch": 3})
    with pytest.raises(RecipeError, match="out of range"):
        propose(print_of(100, 100), KNOWS, {"optimiser.epochs": 0})


def test_pictures_without_colour_get_no_colour_changed() -> None:
    assert propose(print_of(50, 50, gray=1.0), KNOWS).augmentation.colour == 0
    assert propose(print_of(50, 50, gray=0.5), KNOWS).augmentation.colour > 0


def test_what_is_settled_keeps_the_other_reasons() -> None:
    recipe = propose(print_of(100, 100), KNOWS)
    settled = with_values_and_reasons(recipe, {"transfer.freeze": "measured"}, transfer__freeze=3)
    assert settled.transfer.freeze == 3
    assert settled.why("transfer.freeze") == "measured"
    assert settled.why("transfer.mode") == recipe.why("transfer.mode")
