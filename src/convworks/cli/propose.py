"""`convworks propose`: the recipe for a data set, with a reason for each choice."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from convworks.cli.train import add_knobs, knobs_of

HELP = """\
Measure a data set and propose how to train on it: each choice with its reason. Nothing is trained. The recipe is
TOML; change it and give it to `convworks train --recipe`."""
EXAMPLES = ("convworks propose pets/", "convworks propose pets/ --to pets.toml")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the data, where to write, and the knobs that are decided already."""
    parser.usage = "convworks propose DATA [--to FILE] [--OPTION VALUE ...]"
    parser.add_argument("data", metavar="DATA", type=Path, help="a folder of images, or a CSV of path,label")
    parser.add_argument("--to", metavar="FILE", type=Path, help="write the recipe there")
    add_knobs(parser)


def run(args: argparse.Namespace) -> int:
    """Propose, print, and write where asked."""
    from convworks import api
    from convworks.data import sources
    from convworks.data.glance import glance
    from convworks.files import write_whole
    from convworks.recipe import options
    from convworks.recipe.rules import rules

    recipe = api.propose(args.data, **knobs_of(args))
    if args.to:
        write_whole(args.to, options.write(recipe).encode())
    if args.json:
        print(json.dumps(options.document(recipe), ensure_ascii=False))
        return 0
    values = options.flat(recipe)
    for name, reason in recipe.reasons.items():
        print(f"{name} = {values[name]}\n    {reason}")
    rest = [name for name, value in values.items() if name not in recipe.reasons and value == "auto"]
    print(f"Settled once by training: {', '.join(rest)}.")
    print("\nThe rules behind them, with your numbers:")
    for rule in rules(glance(sources.read(args.data))):
        print(f"{rule.cause}\n    -> {rule.choice}: {rule.reason}")
    if args.to:
        print(f"Written to {args.to}; follow it with: convworks train {args.data} --recipe {args.to}")
    return 0
