"""`convworks predict`: what a model says of pictures."""

from __future__ import annotations

import argparse
import csv
import io
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convworks.data.record import SetAside
    from convworks.samples import Classification, MultiLabel

HELP = """\
Ask a model what pictures show: files, or folders with all that is in them. One line a picture on screen, or a CSV
or JSON file with every class's probability. Files that cannot be read are named and counted at the end."""
EXAMPLES = ("convworks predict runs/pets cat.jpg", "convworks predict runs/pets photos/ --to answers.csv")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the model, the pictures, and where the answers go."""
    parser.add_argument("run", metavar="RUN", type=Path, help="the folder of a finished run")
    parser.add_argument("pictures", metavar="PICTURE", type=Path, nargs="+", help="image files and folders")
    parser.add_argument("--to", metavar="FILE", type=Path, help="write the answers there: .csv or .json")
    parser.add_argument(
        "--top", type=int, default=1, metavar="N", help="classes shown on screen (default: 1)"
    )
    parser.add_argument("--batch", type=int, default=32, metavar="N", help="pictures at once (default: 32)")
    parser.add_argument(
        "--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: auto)"
    )


def run(args: argparse.Namespace) -> int:
    """Predict; 0 where every picture was answered, 1 where some were set aside, DataError where none was there."""
    from convworks import api
    from convworks.data.record import SetAside
    from convworks.errors import DataError, RecipeError

    if args.to and args.to.suffix.lower() not in (".csv", ".json"):
        raise RecipeError(f"--to {args.to} is neither .csv nor .json.", fix="answers.csv or answers.json")
    if args.batch < 1 or args.top < 1:
        raise RecipeError("--batch and --top are at least 1.")
    files = list(_files(args.pictures))
    if not files:
        raise DataError(
            f"There are no pictures in {', '.join(map(str, args.pictures))}.",
            fix="name image files, or folders that hold some",
        )
    model = api.load(args.run, device=args.device)
    answers: list[Classification | MultiLabel] = []
    aside: list[SetAside] = []
    on_screen = not (args.json or args.to)
    for answer in _watched(
        model.predictions(files, batch=args.batch), len(files), quiet=on_screen or args.json
    ):
        if isinstance(answer, SetAside):
            aside.append(answer)
            continue
        answers.append(answer)
        if on_screen:
            print(f"{answer.path}: {_shown(answer, args.top)}", flush=True)
    if args.to or args.json:
        _deliver(args, model.classes, answers, aside)
    for one in aside:
        print(f"set aside: {one.reason}", file=sys.stderr)
    if aside:
        print(f"{len(aside)} of {len(files)} pictures could not be read.", file=sys.stderr)
    return 1 if aside else 0


def _shown(answer: Classification | MultiLabel, top: int) -> str:
    """An answer in a line: the `top` most probable classes, or all that are named where there may be several."""
    from convworks.samples import MultiLabel

    if isinstance(answer, MultiLabel):
        return str(answer)
    first = zip(answer.names[:top], answer.probabilities, strict=False)
    return ", ".join(f"{name} {probability:.2f}" for name, probability in first)


def _files(pictures: Iterable[Path]) -> Iterator[Path]:
    from convworks.errors import DataError
    from convworks.model import pictures_in

    for picture in pictures:
        if picture.is_dir():
            yield from pictures_in(picture)
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
    from convworks.files import write_whole

    document = {
        "answers": [answer.to_dict() for answer in answers],
        "set_aside": [{"path": one.path, "reason": one.reason} for one in aside],
    }
    if args.json:
        print(json.dumps(document, ensure_ascii=False))
    if not args.to:
        return
    if args.to.suffix.lower() == ".json":
        content = json.dumps(document, ensure_ascii=False, indent=1)
    else:
        content = _table(classes, answers)
    write_whole(args.to, content.encode())
    if not args.json:
        print(f"{len(answers):,} answers in {args.to}")


def _table(classes: tuple[str, ...], answers: list[Any]) -> str:
    """A CSV: path, class, probability, then each class's probability; path, classes, ... where there may be several."""
    from convworks.data.sources.csv_labels import cell
    from convworks.samples import MultiLabel

    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    if answers and isinstance(answers[0], MultiLabel):
        table.writerow(["path", "classes", *classes])
        for answer in answers:
            named = cell(name for name, _ in answer.shown)
            table.writerow([answer.path, named, *(f"{one:.6f}" for one in answer.probabilities)])
        return out.getvalue()
    table.writerow(["path", "class", "probability", *classes])
    for answer in answers:
        by_name = dict(zip(answer.names, answer.probabilities, strict=True))
        table.writerow(
            [
                answer.path,
                answer.name,
                f"{answer.probability:.6f}",
                *(f"{by_name[name]:.6f}" for name in classes),
            ]
        )
    return out.getvalue()
