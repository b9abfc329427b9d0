"""`convworks report RUN`: a run as one HTML file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = "Writes a run as one HTML file that works offline: verdict, score, mistakes, curves, recipe, limits."
EXAMPLES = ("convworks report runs/pets", "convworks report runs/pets --to pets.html")


def add(parser: argparse.ArgumentParser) -> None:
    """Declares what the verb takes."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run, such as runs/pets")
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="where to write (report.html in the run folder)"
    )


def run(args: argparse.Namespace) -> int:
    """Writes the report, says where it lies, and returns 0; raises RunError where there is no run."""
    from convworks.report.html import write

    path = write(args.run, args.to)
    size = path.stat().st_size
    if args.json:
        print(json.dumps({"report": str(path), "bytes": size}))
    else:
        print(f"{path} ({size / 1e6:.1f} MB): open it in a browser; it needs no network.")
    return 0
