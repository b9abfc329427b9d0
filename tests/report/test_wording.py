"""Each event in words: what is said, and what a person need not see."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convworks import events
from convworks.report.wording import classes, duration, entries, epoch, harmless, loss, problem, sentence


def found(counts: dict[str, int]) -> events.DataFound:
    return events.DataFound(
        root="x",
        source="folder",
        task="classification",
        counts=counts,
        short_sides=(32, 32, 32),
        notes=("odd",),
    )


def test_small_sets_of_classes_are_named_and_large_ones_are_ranged() -> None:
    assert classes({"ant": 123, "bee": 1210}) == "2 classes (ant 123, bee 1,210)"
    assert classes({f"{index}": 20 + index for index in range(9)}) == "9 classes (20 to 28 each)"
    assert classes({}) == "0 classes"


def test_images_of_one_size_are_said_in_one_number() -> None:
    lines = entries(found({"a": 1, "b": 1}))
    assert lines[0] == ("Data", "2 usable images, 2 classes (1 each); short side 32 pixels.")
    assert lines[1] == ("", "odd.")


def test_chance_is_said_only_where_an_answer_can_be_guessed_right() -> None:
    split = events.SplitMade(
        train=3, tuning=2, held_out=1, how="drawn", chance=0.5, majority=0.75, majority_class="ant"
    )
    assert entries(split)[1:] == [("Chance", '0.50, always answering "ant" 0.75.')]
    placed = dataclasses.replace(split, chance=math.nan, majority=math.nan, majority_class="")
    assert entries(placed) == [("Split", "3 learn, 2 choose, 1 measure: drawn.")]


def test_what_was_noticed_of_the_weights_is_marked() -> None:
    loaded = events.WeightsLoaded(
        backbone="small", source="none", licence="", parameters=1234, notes=("the input looks like 0 to 255",)
    )
    assert entries(loaded) == [
        ("Net", "small, 1,234 parameters."),
        ("", "Weights: none."),
        ("", "! the input looks like 0 to 255."),
    ]


def test_the_choices_that_matter_stand_with_their_reasons_and_the_owners_in_one_line() -> None:
    settled = events.RecipeSettled(
        values={
            "transfer.freeze": 3,
            "optimiser.epochs": 12,
            "optimiser.batch": 8,
            "augmentation.flip_vertical": True,
        },
        why={
            "transfer.freeze": "near data",
            "optimiser.epochs": "few images",
            "optimiser.batch": "you said so",
            "augmentation.flip_vertical": "you said so",
        },
    )
    assert entries(settled) == [
        ("Recipe", "12 epochs: few images."),
        ("", "you said: batch 8, flip vertical on."),
        ("", "Every choice with its reason: recipe.toml."),
    ]


def test_of_the_candidates_the_one_that_is_kept_is_said() -> None:
    probe = events.Candidate(name="probe", right=19, of=25, loss=0.52, chosen=False)
    tuned = events.Candidate(name="fine-tuned", right=21, of=25, loss=0.41, chosen=True)
    assert entries(probe) == []
    assert entries(tuned) == [("Kept", "fine-tuned: 21 of 25 right on the images that choose.")]


def test_how_far_the_stages_moved_is_said_as_it_was_measured() -> None:
    moved = events.DriftMeasured(
        candidate="fine-tuned", stages=(("stem", 0.0, 1.0),), n=40, said="No stage moved."
    )
    assert entries(moved) == [("Drift", "No stage moved.")]


def test_an_epoch_without_tuning_images_is_still_a_line() -> None:
    ended = events.EpochEnded(
        stage="train",
        epoch=3,
        epochs=3,
        train_loss=0.5,
        tuning_loss=math.nan,
        right=0,
        of=0,
        learning_rate=0.1,
        seconds=0.2,
        remaining=0.0,
        best=False,
    )
    assert epoch(ended) == "epoch 3/3  train 0.50  not judged  0.2 s"


def test_a_score_of_nothing_is_not_a_number() -> None:
    scored = events.Scored(
        right=0,
        of=0,
        accuracy=math.nan,
        low=0.0,
        high=1.0,
        chance=0.5,
        majority=math.nan,
        majority_class="a",
        chosen_on="nothing",
        said="",
    )
    assert entries(scored) == [("Score", "nothing was measured: no image was held out.")]


@pytest.mark.parametrize(
    "quiet",
    [
        events.Progress(stage="a", done=1, total=2),
        events.CheckpointSaved(stage="a", epoch=1, step=1, path="x"),
    ],
)
def test_some_events_are_not_for_people(quiet: events.Event) -> None:
    assert entries(quiet) == []
    assert problem(quiet) is None


def test_times_are_said_as_people_say_them() -> None:
    assert [duration(value) for value in (0.0, 59.6, 60, 3599, 7200, math.nan)] == [
        "0.0 s",
        "1 min",
        "1 min",
        "59 min 59 s",
        "2 h 0 min",
        "?",
    ]


def test_losses_keep_three_digits_at_most() -> None:
    assert [loss(value) for value in (0.0994, 0.0996, 1.234, 0.0)] == ["0.099", "0.10", "1.23", "0.000"]


@given(st.text())
def test_no_text_steers_a_terminal(text: str) -> None:
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in harmless(text))
    harmless(text).encode("utf-8")


def test_a_sentence_ends_once() -> None:
    assert [sentence(text) for text in ("a", "a.", "a?", "")] == ["a.", "a.", "a?", ""]
