"""`convworks predict`: what a model says of pictures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convworks.data.record import SetAside
    from convworks.samples import Prediction

HELP = """\
Ask a model what pictures show: files, or folders with all that is in them. One line a picture on screen, or a CSV
or JSON file with every class's probability; where objects lie, in pixels of the picture itself, and drawn into copies
of the pictures. Files that cannot be read are named and counted at the end."""
EXAMPLES = (
    "convworks predict runs/pets cat.jpg",
    "convworks predict runs/cells photos/ --to answers.csv --draw drawn/",
)

LOOKS = "boxes and outlines as the mean of so many looks, 2: at its mirror too (default: as it was trained)"


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the model, the pictures, and where the answers go."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a finished run")
    parser.add_argument("pictures", metavar="PICTURE", type=Path, nargs="+", help="image files and folders")
    parser.add_argument(
        "--to", metavar="FILE", type=Path, help="write the answers there: .csv, .json, or .coco.json"
    )
    parser.add_argument(
        "--top", type=int, default=1, metavar="N", help="classes shown on screen (default: 1)"
    )
    parser.add_argument(
        "--above",
        type=float,
        default=0.3,
        metavar="P",
        help="objects from this probability on (default: 0.3)",
    )
    parser.add_argument("--draw", metavar="DIR", type=Path, help="write the pictures there, answers drawn in")
    parser.add_argument(
        "--masks", metavar="DIR", type=Path, help="write outlines there: the class of every pixel, as PNG"
    )
    parser.add_argument(
        "--tiles",
        action="store_true",
        help="pictures that show more than those it learned from, not the same from nearer: look piece by piece",
    )
    parser.add_argument(
        "--windows",
        type=float,
        metavar="SCALE",
        help="the same, at this share of the picture's size instead of the one at which it learned",
    )
    parser.add_argument("--looks", type=int, choices=range(1, 7), metavar="N", help=LOOKS)
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="pictures at once (default: 32)")
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)"
    )


def run(args: argparse.Namespace) -> int:
    """Predict; 0 where every picture was answered, 1 where some were set aside, DataError where none was there."""
    from convworks import api
    from convworks.cli import answers as forms
    from convworks.cli import masks
    from convworks.cli.coco_answers import ENDING
    from convworks.data.record import SetAside
    from convworks.errors import DataError, RecipeError
    from convworks.samples import Segmentation

    if args.to and args.to.suffix.lower() not in (".csv", ".json"):
        raise RecipeError(
            f"--to {args.to} is neither .csv nor .json.", fix="answers.csv, answers.json or answers.coco.json"
        )
    if args.batch < 1 or args.top < 1:
        raise RecipeError("--batch and --top are at least 1.")
    if not 0 <= args.above <= 1:
        raise RecipeError(f"--above {args.above} is no probability.", expected="0 to 1")
    files = list(_files(args.pictures))
    if not files:
        raise DataError(
            f"There are no pictures in {', '.join(map(str, args.pictures))}.",
            fix="name image files, or folders that hold some",
        )
    model = api.load(args.run, device=args.device)
    model.looks = args.looks or model.looks
    if (
        args.to
        and args.to.name.lower().endswith(ENDING)
        and model.task.name not in ("detection", "instances")
    ):
        raise RecipeError(f"{args.to} holds objects, but this model is for {model.task.name}.")
    answers: list[Prediction] = []
    taken: set[str] = set()
    aside: list[SetAside] = []
    on_screen = not (args.json or args.to)
    if args.masks:
        masks.write_classes(_of_outlines(model, "--masks"), args.masks)
    tiles = args.tiles or args.windows is not None
    said = model.predictions(files, batch=args.batch, tiles=tiles, scale=args.windows)
    masked: set[str] = set()
    for answer in _watched(said, len(files), quiet=on_screen or args.json):
        if isinstance(answer, SetAside):
            aside.append(answer)
            continue
        answer = forms.sure(answer, args.above)
        answers.append(answer)
        if args.draw:
            forms.draw(answer, model.classes, args.draw, taken)
        if args.masks and isinstance(answer, Segmentation):
            masks.write_mask(answer, args.masks, masked)
        if on_screen:
            print(f"{answer.path}: {forms.shown(answer, args.top)}", flush=True)
    if args.draw and not args.json:
        print(f"{len(taken):,} pictures drawn in {args.draw}")
    if args.masks and not args.json:
        print(f"{len(masked):,} masks and classes.txt in {args.masks}")
    if args.to or args.json:
        _deliver(args, model.classes, answers, aside)
    for one in aside:
        print(f"set aside: {one.reason}", file=sys.stderr)
    if aside:
        print(f"{len(aside)} of {len(files)} pictures could not be read.", file=sys.stderr)
    return 1 if aside else 0


def _of_outlines(model: Any, option: str) -> tuple[str, ...]:
    """The classes of a model that outlines them; raises RecipeError for any other."""
    from convworks.errors import RecipeError

    if model.task.name != "segmentation":
        raise RecipeError(f"{option} asks for outlines, but this model is for {model.task.name}.")
    return model.classes


def _files(pictures: Iterable[Path]) -> Iterator[Path]:
    from convworks.data import given
    from convworks.errors import DataError

    for picture in pictures:
        if picture.is_dir():
            yield from given.below(picture)
        elif picture.exists():
            yield picture
        else:
            raise DataError(
                f"There is no file or folder {picture}.", fix="a folder is read with all that is in it"
            )


def _watched(answers: Iterator[Any], total: int, *, quiet: bool) -> Iterator[Any]:
    """The answers, with a line that counts them on a real terminal that is not written to otherwise."""
    lively = not quiet and sys.stderr.isatty()
    for number, answer in enumerate(answers, 1):
        if lively:
            print(
                f"\r{number:,} of {total:,}", end="\n" if number == total else "", file=sys.stderr, flush=True
            )
        yield answer


def _deliver(
    args: argparse.Namespace, classes: tuple[str, ...], answers: list[Any], aside: list[Any]
) -> None:
    from convworks.cli import coco_answers
    from convworks.cli.answers import table
    from convworks.cli.masks import described
    from convworks.files import write_whole

    document = {
        "answers": [described(answer) for answer in answers],
        "set_aside": [{"path": one.path, "reason": one.reason} for one in aside],
    }
    if args.json:
        print(json.dumps(document, ensure_ascii=False))
    if not args.to:
        return
    if args.to.name.lower().endswith(coco_answers.ENDING):
        content = json.dumps(coco_answers.document(answers, classes, args.to.parent), ensure_ascii=False)
    elif args.to.suffix.lower() == ".json":
        content = json.dumps(document, ensure_ascii=False, indent=1)
    else:
        content = table(classes, answers)
    write_whole(args.to, content.encode())
    if not args.json:
        print(f"{len(answers):,} answers in {args.to}")
