"""`convworks evaluate`: how a model does on labelled images."""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from convworks.cli.predict import LOOKS

if TYPE_CHECKING:
    from convworks.evaluation.labels import LabelEvaluation
    from convworks.evaluation.scenes import SceneEvaluation
    from convworks.events import Finding

HELP = """\
Measure a model on labelled images, matched to its classes by name: the score with its interval, what chance and
the commonest class would score, and the classes that are mixed up most."""
EXAMPLES = ("convworks evaluate runs/pets test/", "convworks evaluate runs/pets pets/ --part val --json")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the model, the data, and which part of it."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a finished run")
    parser.add_argument("data", metavar="DATA", type=Path, help="a folder of images, or a CSV of path,label")
    parser.add_argument(
        "--part", default="all", choices=("all", "train", "val", "test"), help="(default: all)"
    )
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)"
    )
    parser.add_argument("--looks", type=int, choices=range(1, 7), metavar="N", help=LOOKS)
    parser.add_argument("--to", metavar="FILE", type=Path, help="write every answer there, as JSON")


def run(args: argparse.Namespace) -> int:
    """Evaluate and print."""
    from convworks import api
    from convworks.evaluation.calibration import expected_calibration_error
    from convworks.evaluation.label_verdicts import diagnose_sets
    from convworks.evaluation.labels import LabelEvaluation
    from convworks.evaluation.scenes import SceneEvaluation
    from convworks.evaluation.verdicts import counts_of, diagnose, score
    from convworks.files import write_whole
    from convworks.metrics.confusion import most_confused, recall
    from convworks.report import wording

    model = api.load(args.run, device=args.device)
    model.looks = args.looks or model.looks
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always", UserWarning)
        found = api.evaluate(model, args.data, part=args.part)
    for remark in remarks:
        print(remark.message, file=sys.stderr)
    if isinstance(found, LabelEvaluation):
        return _measured(found, args, list(diagnose_sets(found)))
    if isinstance(found, SceneEvaluation):
        return _measured(found, args, [])
    learned = model.facts.get("counts") or counts_of(found)[1]
    scored = score(found, learned)
    answers, truth = counts_of(found)
    findings = diagnose(answers=answers, truth=truth, scored=scored)
    if args.to:
        write_whole(args.to, found.to_json().encode())
    if args.json:
        print(
            json.dumps(
                {
                    "right": scored.right,
                    "of": scored.of,
                    "accuracy": scored.accuracy,
                    "low": scored.low,
                    "high": scored.high,
                    "chance": scored.chance,
                    "majority": scored.majority,
                    "calibration_error": expected_calibration_error(found),
                    "recall": dict(zip(found.classes, recall(found.confusion).tolist(), strict=True)),
                    "findings": [
                        {"code": one.code, "level": one.level, "said": one.said} for one in findings
                    ],
                },
                ensure_ascii=False,
            )
        )
        return 0
    for event in (scored, *findings):
        for tag, text in wording.entries(event):
            print(f"{tag:<8}{text}")
    mixed = [
        f"{found.classes[true]} for {found.classes[answered]} ({count})"
        for true, answered, count in most_confused(found.confusion)[:3]
    ]
    if mixed:
        print(f"{'Mixed':<8}taken {', '.join(mixed)}.")
    print(f"{'Pace':<8}{found.n / max(found.seconds, 1e-9):.0f} pictures a second, decoding included.")
    return 0


def _measured(
    found: LabelEvaluation | SceneEvaluation, args: argparse.Namespace, findings: list[Finding]
) -> int:
    """Say what was measured where answers are not simply right or wrong."""
    from convworks.files import write_whole
    from convworks.report import wording

    if args.to:
        write_whole(args.to, found.to_json().encode())
    measured = found.measured()
    if args.json:
        numbers = {name: None if math.isnan(value) else value for name, value in measured.measures}
        classes = {name: None if math.isnan(value) else value for name, value in measured.classes}
        interval = {"low": measured.low, "high": measured.high} if math.isfinite(measured.low) else {}
        said = [{"code": one.code, "level": one.level, "said": one.said} for one in findings]
        document = {"of": measured.of, "measures": numbers, "classes": classes, "findings": said}
        print(json.dumps(document | interval, ensure_ascii=False))
        return 0
    for event in (measured, *findings):
        for tag, text in wording.entries(event):
            print(f"{tag:<8}{text}")
    print(f"{'Pace':<8}{found.n / max(found.seconds, 1e-9):.1f} pictures a second, decoding included.")
    return 0
