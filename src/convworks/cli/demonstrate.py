"""`convworks demonstrate TOPIC`: a claim of the guide, measured on this machine, as lines and as a page."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = (
    "Show a claim of the guide: measured here, in a few lines and as one HTML file. Without TOPIC, list them."
)
EXAMPLES = ("convworks demonstrate pooling", "convworks demonstrate relu --image cat.jpg --out relu.html")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the topic, the picture and the file."""
    parser.add_argument("topic", nargs="?", metavar="TOPIC", help="what to show; without it, what there is")
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="show it on this picture, where the topic can be"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the page (TOPIC.html here)")


def run(args: argparse.Namespace) -> int:
    """Show the topic, write its page and say where it lies; returns 0. Raises RecipeError, DecodeError."""
    from convworks.report.demonstrations import TOPICS

    if args.topic is None:
        _list(args.json)
        return 0
    from convworks.data.decode import decode
    from convworks.files import write_whole
    from convworks.report.demonstrations.frame import demonstrate

    image = None if args.image is None else decode(args.image, at_least=512).image
    shown = demonstrate(args.topic, image)
    path: Path = args.out or Path(f"{args.topic}.html")
    write_whole(path, shown.html().encode("utf-8"))
    if args.json:
        print(
            json.dumps(
                {"topic": args.topic, "said": TOPICS[args.topic].said, **shown.document, "page": str(path)}
            )
        )
    else:
        print(
            "\n".join(
                [shown.title, "", *shown.lines, "", f"{path}: open it in a browser; it needs no network."]
            )
        )
    return 0


def _list(for_machines: bool) -> None:
    from convworks.report.demonstrations import TOPICS

    if for_machines:
        print(
            json.dumps(
                {name: {"said": each.said, "image": each.takes_image} for name, each in TOPICS.items()}
            )
        )
        return
    width = max(map(len, TOPICS))
    for name, each in TOPICS.items():
        print(f"{name:<{width}}  {each.said}{' (--image)' if each.takes_image else ''}")
