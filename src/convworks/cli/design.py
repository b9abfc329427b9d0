"""`convworks design`: what a net gives, sees and costs, and whether it fits, before anything runs."""

from __future__ import annotations

import argparse
import json

TYPE_CHECKING = False  # as type checkers read it; importing `typing` would cost more than this verb does

if TYPE_CHECKING:
    from convworks.arithmetic.summary import Design

HELP = "Say what each layer of a net gives, sees and costs before anything runs, and what does not fit."
EXAMPLES = (
    'convworks design "conv5-16 relu pool2 conv5-32 relu pool2 fc10" --input 32x32x3',
    'convworks design "conv7-64 s2 p3 relu res(conv3-64 p1 relu) gap fc10" --input 224x224x3 --objects 24,80',
)

MARKS = {"error": "x", "warning": "!", "note": "-"}


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the layers and what goes into them."""
    parser.add_argument(
        "notation",
        help="the layers: conv5-16 is 16 filters of 5x5, with s2 stride, p1 padding, d2 dilation, g4 groups; pool2, "
        "avgpool3 s2, relu, bn, dropout0.5, gap, fc10; res(A | B) is A plus B, cat(A | B) stacks them, 3*(A) repeats",
    )
    parser.add_argument(
        "--input", required=True, metavar="HxWxC", help="height x width x channels, as in 32x32x3"
    )
    parser.add_argument(
        "--objects",
        default="",
        metavar="PIXELS",
        help="sizes of your objects, as in 12,40: is one smaller than a stride, or larger than what a unit sees?",
    )
    parser.add_argument(
        "--layer", metavar="N", help="show the windows of one layer on its input: 3, or 4.1.2"
    )
    parser.add_argument(
        "--picture",
        metavar="FILE.svg",
        help="draw the net as volumes into this file; with --layer, that layer's windows",
    )
    parser.add_argument(
        "--strip", metavar="FILE.svg", help="draw the net as a strip of its layers into this file"
    )
    parser.add_argument(
        "--width",
        type=int,
        default=960,
        metavar="PIXELS",
        help="draw for this width; 360 is a phone's (default 960)",
    )


def run(args: argparse.Namespace) -> int:
    """Print the table and the findings; 1 where a finding needs attention, else 0. Raises NetError."""
    from convworks.arithmetic.notation import volume
    from convworks.arithmetic.summary import design

    input = volume(args.input)
    net = design(args.notation, (input.height, input.width, input.channels))
    findings = net.check(sizes(args.objects))
    files = pictures(args, net)
    if args.json:
        print(json.dumps(net.document(findings) | {"files": list(files)}, indent=2))
    else:
        print(net.table() if args.layer is None else net.windows_text(args.layer))
        for finding in findings:
            print(f"\n{MARKS[finding.level]} {finding}")
        for number, (file, said) in enumerate(files.items()):
            print(f"{'' if number else chr(10)}Wrote {file}: {said}")
    return int(any(finding.level != "note" for finding in findings))


def pictures(args: argparse.Namespace, net: Design) -> dict[str, str]:
    """Write what was asked for; returns the files and what each shows. Raises RecipeError and NetError."""
    from convworks.errors import RecipeError

    if not 240 <= args.width <= 10_000:
        raise RecipeError(f"--width is {args.width}.", expected="from 240 to 10,000 pixels")
    drawn: dict[str, tuple[str, str]] = {}
    if args.picture and args.layer is not None:
        drawn[args.picture] = f"the windows of layer {args.layer}", net.windows(args.layer, args.width)
    elif args.picture:
        drawn[args.picture] = "the net as volumes", net.svg(args.width)
    if args.strip:
        drawn[args.strip] = "the net as a strip", net.strip(args.width)
    for file in drawn:
        if not file.lower().endswith(".svg"):
            raise RecipeError(f'"{file}" is no name for a picture here.', fix=f'"{file}.svg"')
    for file, (_, content) in drawn.items():
        from pathlib import Path

        from convworks.files import write_whole

        write_whole(Path(file), content.encode())
    return {file: said for file, (said, _) in drawn.items()}


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
