"""`convworks preview`: one's own images beside what training would make of them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from convworks.cli.train import add_knobs, knobs_of

if TYPE_CHECKING:
    from convworks.report.preview.previewed import Preview

HELP = """\
Show some of your images beside seeded draws of the augmentation that is proposed for them: boxes, masks and points
move along, and a box that leaves the frame is struck out. A row for each operation alone says what it claims, and how
to switch it off. Nothing is trained, and your files are not written to."""
EXAMPLES = ("convworks preview pets/", "convworks preview boxes/ --rotate 15 --draws 12 --page turned.html")


def add(parser: argparse.ArgumentParser) -> None:
    """Declare the data, the page, how much it shows, and every knob of the recipe."""
    parser.usage = (
        "convworks preview DATA [--page FILE] [--images N] [--draws N] [--png FILE] [--OPTION VALUE ...]"
    )
    parser.add_argument(
        "data", metavar="DATA", type=Path, help="a folder of images with their annotation, or a table"
    )
    parser.add_argument(
        "--page",
        metavar="FILE",
        type=Path,
        default=Path("preview.html"),
        help="where to write (preview.html here)",
    )
    parser.add_argument("--png", metavar="FILE", type=Path, help="write a contact sheet there too")
    parser.add_argument(
        "--images", type=int, default=3, metavar="N", help="images that are shown (default: 3)"
    )
    parser.add_argument("--draws", type=int, default=8, metavar="N", help="draws of each (default: 8)")
    add_knobs(parser)


def run(args: argparse.Namespace) -> int:
    """Draw, write the page, say what may be done to an image, and return 0."""
    from convworks.augmentation.plan import RULE
    from convworks.recipe.options import knobs
    from convworks.report.choices import knob, setting
    from convworks.report.preview.draws import active
    from convworks.report.preview.previewed import preview

    if args.png and args.png.suffix.lower() != ".png":
        from convworks.errors import RecipeError

        raise RecipeError(f'"{args.png}" is no name for a PNG file.', fix=str(args.png.with_suffix(".png")))
    made = preview(args.data, images=args.images, draws=args.draws, page=args.page, **knobs_of(args))
    if args.png:
        _write_png(args.png, made)
    on = {name: getattr(made.options, name) for name in active(made.options)}
    if args.json:
        files = {"page": str(args.page)} | ({"png": str(args.png)} if args.png else {})
        print(json.dumps({"images": list(made.paths), "seed": made.setting.seed, "operations": on, **files}))
        return 0
    for name, value in on.items():
        print(f"{knob(name)} {setting(value)}: {knobs()[f'augmentation.{name}'].metadata['said']}")
    if not on:
        print("No operation is on: training would see the images as they are.")
    if any(len(sample.boxes) for sample in made.samples):
        print(f"Struck out is what training drops: {RULE}.")
    print(
        f"{args.page} ({args.page.stat().st_size / 1e6:.1f} MB): open it in a browser; it needs no network."
    )
    return 0


def _write_png(path: Path, made: Preview) -> None:
    import io

    from PIL import Image

    from convworks.files import write_whole
    from convworks.report.page import outside

    outside(path, made.shown.dataset)
    out = io.BytesIO()
    Image.fromarray(made.sheet()).save(out, "PNG")
    write_whole(path, out.getvalue())
