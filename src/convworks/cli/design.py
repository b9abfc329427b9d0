"""`convworks design`: what a net gives, sees and costs, and whether it fits, before anything runs."""

from __future__ import annotations

import argparse
import json

TYPE_CHECKING = False  # as type checkers read it; importing `typing` would cost more than this verb does

if TYPE_CHECKING:
    from typing import Any

    from convworks.arithmetic.summary import Design

HELP = "Say what each layer of a net gives, sees and costs before anything runs, and what does not fit."
EXAMPLES = (
    'convworks design "conv5-16 relu pool2 conv5-32 relu pool2 fc10" --input 32x32x3',
    'convworks design "conv7-64 s2 p3 relu res(conv3-64 p1 relu) gap fc10" --input 224x224x3 --objects 24,80',
)

STANDARD_OUTPUT = "-"
MARKS = {"error": "x", "warning": "!", "note": "-"}


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the layers and what goes into them."""
    parser.add_argument(
        "notation",
        nargs="?",
        default="",
        help="the layers: conv5-16 is 16 filters of 5x5, with s2 stride, p1 padding, d2 dilation, g4 groups; pool2, "
        "avgpool3 s2, relu, bn, dropout0.5, gap, fc10; res(A | B) is A plus B, cat(A | B) stacks them, 3*(A) repeats",
    )
    parser.add_argument(
        "--input", default="", metavar="HxWxC", help="height x width x channels, as in 32x32x3"
    )
    parser.add_argument(
        "--for",
        dest="data",
        metavar="DATA",
        help="propose the net for these pictures, with a reason for each choice; a notation is what you began with",
    )
    parser.add_argument(
        "--objects",
        default="",
        metavar="PIXELS",
        help="sizes of your objects, as in 12,40: is one smaller than a stride, or larger than what a unit sees?",
    )
    parser.add_argument(
        "--layer", metavar="N", help="show the windows of one layer on its input: 3, or 4.1.2 in a branch"
    )
    parser.add_argument(
        "--picture",
        metavar="FILE.svg",
        help="draw the net as volumes into this file; with --layer that layer's windows, with --see what a unit sees",
    )
    parser.add_argument(
        "--strip", metavar="FILE.svg", help="draw the net as a strip of its layers into this file"
    )
    parser.add_argument(
        "--width", type=int, default=960, metavar="PIXELS", help="draw for this width; 360 is a phone's (960)"
    )
    parser.add_argument(
        "--see",
        metavar="IMAGE",
        help="measure what a unit of the last map, or of --layer, sees of this picture: all that can reach it, and "
        "where most of what moves it lies",
    )
    parser.add_argument("--unit", metavar="ROW,COL", help="the unit that --see is about (the middle one)")
    parser.add_argument(
        "--python",
        nargs="?",
        const=STANDARD_OUTPUT,
        metavar="FILE",
        help="write the net as a PyTorch module into this file, or alone on the screen",
    )


def run(args: argparse.Namespace) -> int:
    """Print the table and the findings, and the reasons of a net that is proposed.

    Returns 1 where a finding needs attention, else 0. Raises NetError, and DataError for data that cannot be read.
    """
    from convworks.arithmetic.notation import volume
    from convworks.arithmetic.summary import design

    objects = sizes(args.objects)
    if args.data:
        from convworks.cli import designing

        found = designing.proposal(args.data, args.notation, args.input, objects)
        net, findings = found.design, found.design.check(found.aims.objects)
        more, before, after = (
            designing.document(found),
            designing.before(found),
            designing.after(found, args.data),
        )
    else:
        needed(args)
        input = volume(args.input)
        net = design(args.notation, (input.height, input.width, input.channels))
        findings = net.check(objects)
        more, before, after = {}, "", ""
    files, seen = drawn(args, net)
    if args.json:
        print(
            json.dumps(
                net.document(findings) | more | {"files": list(files)} | ({"seen": seen} if seen else {}),
                indent=2,
            )
        )
    elif args.python == STANDARD_OUTPUT:
        print(net.python(), end="")
    else:
        print(before + (net.table() if args.layer is None or seen else net.windows_text(args.layer)) + after)
        if seen:
            print(f"\n{seen['said']}")
        for finding in findings:
            print(f"\n{MARKS[finding.level]} {finding}")
        for number, (file, shows) in enumerate(files.items()):
            print(f"{'' if number else chr(10)}Wrote {file}: {shows}")
    return int(any(finding.level != "note" for finding in findings))


def drawn(args: argparse.Namespace, net: Design) -> tuple[dict[str, str], dict[str, Any]]:
    """The files that were asked for, written, and what is said of a unit; loads nothing where nothing was."""
    if not any((args.picture, args.strip, args.python, args.see, args.unit)):
        return {}, {}
    from convworks.cli.pictures import written

    return written(args, net)


def needed(args: argparse.Namespace) -> None:
    """Raise RecipeError unless there is a net and what goes into it."""
    missing = [name for name, given in (("notation", args.notation), ("--input", args.input)) if not given]
    if missing:
        from convworks.errors import RecipeError

        raise RecipeError(
            f"convworks design needs {' and '.join(missing)}.",
            fix='as in "conv5-16 relu pool2 fc10" --input 32x32x3; or --for DATA proposes a net for your pictures',
        )


def sizes(text: str) -> list[float]:
    """Numbers of pixels apart by commas; raises NetError where one is none."""
    from convworks.errors import NetError

    found: list[float] = []
    for word in filter(None, text.replace(" ", "").split(",")):
        try:
            size = float(word)
        except ValueError:
            size = 0.0
        if not 0 < size < 1e9:
            raise NetError(
                f'The object size "{word[:40]}" is none.', expected="pixels above 0, as in 12,40,200"
            )
        found.append(size)
    return found
