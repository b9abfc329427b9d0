"""Every verdict has a run that earns it and one that does not; each comes with evidence and one next step."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace

import numpy as np
import pytest

from convworks.evaluation.result import Evaluation
from convworks.evaluation.uncertainty import wilson
from convworks.evaluation.verdicts import CODES, counts_of, diagnose, score
from convworks.events import Chooser, EpochEnded, Finding, Scored


def epochs_of(train: list[float], tuning: list[float], right: list[int] | None = None) -> list[EpochEnded]:
    best = tuning.index(min(tuning))
    return [
        EpochEnded(
            stage="finetune",
            epoch=number,
            epochs=len(train),
            train_loss=losses[0],
            tuning_loss=losses[1],
            right=right[number - 1] if right else 40,
            of=54,
            learning_rate=3e-4,
            seconds=4.0,
            remaining=0.0,
            best=number - 1 <= best,
        )
        for number, losses in enumerate(zip(train, tuning, strict=True), 1)
    ]


def scored_of(right: int, of: int, *, classes: int = 3, chosen_on: Chooser = "nothing") -> Scored:
    low, high = wilson(right, of)
    return Scored(
        right=right,
        of=of,
        accuracy=right / of,
        low=low,
        high=high,
        chance=1 / classes,
        majority=1 / classes,
        majority_class="circle",
        chosen_on=chosen_on,
        said="",
    )


def evaluation_of(table: list[list[int]], chosen_on: Chooser = "nothing") -> Evaluation:
    """An evaluation with the given confusion table."""
    classes = tuple("abcdefgh"[: len(table)])
    pairs = [(t, a) for t, row in enumerate(table) for a, count in enumerate(row) for _ in range(count)]
    probabilities = np.full((len(pairs), len(classes)), 0.1 / (len(classes) - 1), np.float32)
    for index, (_, answer) in enumerate(pairs):
        probabilities[index, answer] = 0.9
    return Evaluation(
        root="pets",
        classes=classes,
        paths=tuple(f"{index}.png" for index in range(len(pairs))),
        truth=np.array([truth for truth, _ in pairs], np.int64),
        probabilities=probabilities,
        chosen_on=chosen_on,
    )


def only(findings: tuple[Finding, ...], code: str) -> Finding:
    found = [finding for finding in findings if finding.code == code]
    assert len(found) == 1, [finding.code for finding in findings]
    return found[0]


OVERFITTED = epochs_of([1.1, 0.8, 0.6, 0.44, 0.30, 0.20, 0.12], [1.1, 0.7, 0.5, 0.41, 0.46, 0.55, 0.63])
HEALTHY = epochs_of(
    [1.1, 0.7, 0.5, 0.4, 0.35, 0.33, 0.32, 0.32], [1.1, 0.75, 0.6, 0.52, 0.5, 0.49, 0.49, 0.49]
)


def test_a_healthy_run_on_many_images_is_left_in_peace() -> None:
    many = {"circle": 400, "square": 390, "triangle": 410}
    assert diagnose(HEALTHY, answers=many, truth=many, scored=scored_of(1100, 1200)) == ()


def test_overfitting_is_said_with_both_losses_and_the_epoch_kept() -> None:
    found = only(diagnose(OVERFITTED), "overfitting")
    assert found.said == (
        "Overfitting since epoch 4: training loss fell 0.44 to 0.12 while tuning rose 0.41 to 0.63. "
        "Kept epoch 4."
    )
    assert "times the noise" in found.evidence
    assert found.epoch == 7


def test_what_is_kept_so_far_is_said_differently_from_what_was_kept() -> None:
    running = [dataclasses.replace(epoch, epochs=20) for epoch in OVERFITTED]
    assert only(diagnose(running), "overfitting").said.endswith("Epoch 4 is kept.")


def test_a_slight_rise_is_said_with_less_confidence() -> None:
    slight = epochs_of([1.1, 0.8, 0.6, 0.44, 0.3, 0.2, 0.1], [1.1, 0.7, 0.5, 0.41, 0.44, 0.46, 0.47])
    assert only(diagnose(slight), "overfitting").said.startswith("Probably overfitting since epoch 4")


def test_the_step_against_overfitting_is_one_that_the_recipe_does_not_take_yet() -> None:
    tried = {"augmentation.rotate": 15.0, "model.dropout": 0.2}
    assert only(diagnose(OVERFITTED), "overfitting").action == "--rotate 15 --translate 0.1"
    assert only(diagnose(OVERFITTED, options=tried), "overfitting").action == "--dropout 0.5"
    assert (
        only(diagnose(OVERFITTED, options=tried | {"model.dropout": 0.5}), "overfitting").action
        == "--mode extract"
    )


def test_one_answer_for_everything_is_said_with_what_it_scores() -> None:
    truth = {"circle": 18, "square": 18, "triangle": 18}
    findings = diagnose(
        HEALTHY[:3],
        answers={"circle": 0, "square": 0, "triangle": 54},
        truth=truth,
        options={"optimiser.learning_rate": 0.003},
    )
    found = only(findings, "one-answer")
    assert found.said == (
        'It answers "triangle" for every image; 0.33 is what that scores. Likely: learning rate too high.'
    )
    assert found.action == "--learning-rate 0.0003"
    assert found.epoch == 3


def test_one_answer_is_not_said_after_the_first_epoch_nor_where_it_is_the_truth() -> None:
    one = {"a": 54, "b": 0}
    balanced = {"a": 27, "b": 27}
    assert diagnose(HEALTHY[:1], answers=one, truth=balanced) == ()
    ended = diagnose(HEALTHY[:1], answers=one, truth=balanced, scored=scored_of(27, 54, classes=2))
    assert only(ended, "one-answer").epoch == 0
    assert diagnose(HEALTHY[:3], answers=one, truth={"a": 53, "b": 1}) == ()


def test_one_answer_takes_the_place_of_what_follows_from_it() -> None:
    evaluation = evaluation_of([[100, 0], [100, 0]])
    answers, truth = counts_of(evaluation)
    codes = [found.code for found in diagnose(answers=answers, truth=truth, scored=score(evaluation, truth))]
    assert codes == ["one-answer"]


def test_nothing_learned_is_certain_on_many_images_and_a_doubt_on_few() -> None:
    doubt = only(diagnose(HEALTHY, scored=scored_of(21, 54)), "nothing-learned")
    assert doubt.said.startswith("It may have learned nothing: 0.39 (0.27-0.52)")
    certain = only(diagnose(HEALTHY, scored=scored_of(340, 1000)), "nothing-learned")
    assert certain.said.startswith("Nothing was learned: 0.34")
    assert "labels" in certain.action


def test_nothing_learned_by_a_loss_that_did_not_move_asks_for_a_larger_rate() -> None:
    flat = epochs_of([1.1] * 8, [1.1] * 8)
    options = {"optimiser.learning_rate": 1e-5}
    found = only(diagnose(flat, scored=scored_of(340, 1000), options=options), "nothing-learned")
    assert found.action == "--learning-rate 3e-05"


def test_a_loss_that_was_still_falling_asks_for_more_epochs() -> None:
    falling = epochs_of([2.0 * 0.9**n for n in range(10)], [2.0 * 0.92**n for n in range(10)])
    found = only(diagnose(falling), "still-improving")
    assert found.action == "--epochs 20"
    assert "8% an epoch" in found.evidence
    assert diagnose(falling[:8]) == (), "the epochs are not over yet"
    assert diagnose(HEALTHY) == ()


def test_what_is_judged_every_fourth_epoch_falls_by_so_much_an_epoch() -> None:
    tuning = [2.0 * 0.92 ** (n / 4) for n in range(40)]
    every = epochs_of([2.0 * 0.98**n for n in range(40)], tuning)
    some = [epoch if epoch.epoch % 4 == 0 else replace(epoch, of=0, tuning_loss=math.nan) for epoch in every]
    assert "2% an epoch" in only(diagnose(some), "still-improving").evidence
    slow = [
        replace(epoch, tuning_loss=epoch.tuning_loss ** (1 / 4) if epoch.of else math.nan) for epoch in some
    ]
    assert diagnose(slow) == (), "half a percent an epoch is level"


def test_a_small_set_says_how_well_a_score_is_known() -> None:
    found = only(diagnose(scored=scored_of(50, 54)), "small-set")
    assert found.said == "54 images: a score is known to about ±13 points."
    assert "380" in found.action
    assert diagnose(scored=scored_of(190, 200)) == ()


def test_a_class_that_is_never_the_answer_is_named() -> None:
    evaluation = evaluation_of([[80, 0, 20], [60, 0, 40], [10, 0, 90]])
    answers, truth = counts_of(evaluation)
    found = only(
        diagnose(answers=answers, truth=truth, scored=score(evaluation, truth)), "class-never-answered"
    )
    assert found.said == 'Never answered: "b" (100).'
    assert found.level == "warning"


def test_a_rare_class_that_is_never_the_answer_is_a_note() -> None:
    evaluation = evaluation_of([[98, 0], [2, 0]])
    answers, truth = counts_of(evaluation)
    found = only(
        diagnose(answers=answers, truth=truth, scored=score(evaluation, truth)), "class-never-answered"
    )
    assert found.level == "note"
    assert "chance" in found.evidence


def test_a_score_on_images_that_chose_is_marked() -> None:
    found = only(diagnose(scored=scored_of(180, 200, chosen_on="tuning")), "same-images")
    assert "200 images that also chose" in found.said
    assert "convworks evaluate" in found.action


def test_every_finding_has_a_known_code_evidence_and_a_next_step() -> None:
    everything = [
        *diagnose(OVERFITTED),
        *diagnose(HEALTHY, scored=scored_of(21, 54, chosen_on="tuning")),
        *diagnose(epochs_of([2.0 * 0.9**n for n in range(10)], [2.0 * 0.92**n for n in range(10)])),
        *diagnose(answers={"a": 50, "b": 0}, truth={"a": 30, "b": 20}),
        *diagnose(
            answers={"a": 25, "b": 25, "c": 0}, truth={"a": 20, "b": 20, "c": 10}, scored=scored_of(40, 50)
        ),
    ]
    assert {found.code for found in everything} == set(CODES)
    assert all(found.said and found.evidence and found.action for found in everything)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([[90, 10], [10, 90]], 'Above chance (0.50) and above always answering "a" (0.50).'),
        ([[11, 9], [9, 11]], "Not shown to be above "),
        ([[10, 90], [90, 10]], "Below "),
    ],
)
def test_a_score_says_what_it_means(table: list[list[int]], said: str) -> None:
    evaluation = evaluation_of(table)
    scored = score(evaluation, {"a": 60, "b": 40})
    assert scored.said.startswith(said)
    assert scored.said.endswith("Measured on images that chose nothing.")
    assert (scored.low, scored.high) == wilson(evaluation.right, evaluation.n)


def test_a_score_on_images_that_chose_says_that_it_flatters() -> None:
    assert "flatters" in score(evaluation_of([[9, 1], [1, 9]], "tuning"), {"a": 1, "b": 1}).said
