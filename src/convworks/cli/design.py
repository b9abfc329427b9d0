"""`convworks design`: what a net gives, sees and costs, and whether it fits, before anything runs."""

from __future__ import annotations

import argparse
import json

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


def run(args: argparse.Namespace) -> int:
    """Print the table and the findings; 1 where a finding needs attention, else 0. Raises NetError."""
    from convworks.arithmetic.notation import volume
    from convworks.arithmetic.summary import design

    input = volume(args.input)
    net = design(args.notation, (input.height, input.width, input.channels))
    findings = net.check(sizes(args.objects))
    if args.json:
        print(json.dumps(net.document(findings), indent=2))
    else:
        print(net.table())
        for finding in findings:
            print(f"\n{MARKS[finding.level]} {finding}")
    return int(any(finding.level != "note" for finding in findings))


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
