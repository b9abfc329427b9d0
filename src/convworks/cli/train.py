"""`convworks train`: a folder of labelled images becomes a trained, measured model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

HELP = """\
Train a model on labelled images and measure it on images that chose nothing of it. The data is one folder a
class, train/ and val/ (and test/) of such folders, or a CSV of path,label. Every option has a default that is
chosen from the data, with its reason; the run folder keeps the recipe that repeats the run."""
EXAMPLES = ("convworks train pets/", "convworks train --resume runs/pets")


FROM_DATA = {
    "data.input_size",
    "transfer.mode",
    "transfer.freeze",
    "optimiser.epochs",
    "optimiser.batch",
    "optimiser.learning_rate",
}
"""Knobs whose default is a start only: the data, or the net, decides."""


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the data, the run folder, and every knob of the recipe by its short name."""
    parser.usage = (
        "convworks train DATA [--run RUN] [--recipe FILE] [--OPTION VALUE ...]\n"
        "       convworks train --resume RUN [--accept-change]"
    )
    parser.add_argument(
        "data", metavar="DATA", type=Path, nargs="?", help="a folder of images, or a CSV of path,label"
    )
    parser.add_argument(
        "--run",
        "--run-folder",
        metavar="RUN",
        type=Path,
        help="the folder to write (default: runs/ and the data's name); under torchrun, which takes --run for its own "
        "word, --run-folder",
    )
    parser.add_argument(
        "--recipe", metavar="FILE", type=Path, help="a recipe.toml to follow; options below win over it"
    )
    parser.add_argument("--resume", metavar="RUN", type=Path, help="go on with a run that was stopped")
    parser.add_argument(
        "--accept-change", action="store_true", help="with --resume: go on although the data changed since"
    )
    add_knobs(parser)


def add_knobs(parser: argparse.ArgumentParser) -> None:
    """Declare every knob, by its short name where that is one of a kind, else by its full one."""
    from convworks.recipe.options import knobs

    found = knobs()
    shorts = [full.rpartition(".")[2] for full in found]
    section = ""
    group = parser.add_argument_group("recipe")
    for full, item in found.items():
        head, _, short = full.rpartition(".")
        if head != section:
            group, section = parser.add_argument_group(head), head
        option = "--" + (short if shorts.count(short) == 1 else full).replace("_", "-")
        said = str(item.metadata["said"]).replace("%", "%%")
        unit = f", in {item.metadata['unit']}" if item.metadata["unit"] else ""
        default = "the data decides" if full in FROM_DATA else f"default: {_word(item.default)}"
        group.add_argument(
            option,
            dest=f"knob:{full}",
            metavar="VALUE",
            help=f"{said}{unit} ({default})",
        )


def knobs_of(args: argparse.Namespace) -> dict[str, Any]:
    """The knobs that were given, by full name; raises RecipeError for a value that is not one."""
    from convworks.recipe.options import checked, parse

    given = {
        name.removeprefix("knob:"): text
        for name, text in vars(args).items()
        if name.startswith("knob:") and text is not None
    }
    return {name: checked(name, text if _is_text(name) else parse(text)) for name, text in given.items()}


def run(args: argparse.Namespace) -> int:
    """Train or resume; 0 when it ended, 130 or 143 when it was interrupted with everything saved."""
    from convworks.errors import RecipeError

    if (args.data is None) == (args.resume is None):
        raise RecipeError(
            "convworks train takes either DATA or --resume RUN.",
            fix="convworks train pets/, or convworks train --resume runs/pets",
        )
    given = knobs_of(args)
    if args.resume and (given or args.run or args.recipe):
        raise RecipeError(
            "A resumed run follows its own recipe; --resume takes no other option than --accept-change.",
            fix="start a new run for other options: convworks train DATA --recipe RUN/recipe.toml ...",
        )
    from convworks import api
    from convworks.events import Interrupted
    from convworks.report import terminal

    if args.resume:
        stream = api.resumed(args.resume, accept_change=args.accept_change)
    else:
        stream = api.events(args.data, run=args.run, recipe=args.recipe, **given)
    if not _leads():
        show = _silent
    else:
        show = terminal.json_lines if args.json else terminal.watch
    code = 0
    for event in show(stream):
        if isinstance(event, Interrupted):
            code = 143 if event.signal == "SIGTERM" else 130
    return code


def _silent(stream: Any) -> Any:
    yield from stream


def _leads() -> bool:
    """Whether this is the process that speaks; torchrun says which one of several it is."""
    import os

    return os.environ.get("RANK", "0") == "0"


def _is_text(name: str) -> bool:
    return name in ("data.source", "model.backbone", "model.weights", "compute.device")


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
