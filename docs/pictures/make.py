"""Makes the pictures of the README from a finished run on synthetic data.

    convworks sample-data creatures --classes 8 --count 280 --size 56x42 --seed 3
    convworks train creatures --run run
    python docs/pictures/make.py run

terminal.svg is what the run said, told again from its events; report.webp is the top of its report, photographed by
Chromium (CONVWORKS_CHROMIUM, or the first on the path).
"""

from __future__ import annotations

import html
import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from convworks.events import decode
from convworks.report.terminal import watch

HERE = Path(__file__).parent
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
LETTER, LINE, EDGE = 7.8, 18, 18  # pixels
SHOWN = (1180, 1560)  # pixels of the report


def told(run: Path) -> str:
    """What a run said on a terminal of 80 columns."""
    os.environ["COLUMNS"] = "80"
    lines = (run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    out = io.StringIO()
    for _ in watch((line.event for text in lines if (line := decode(text))), out):
        pass
    return out.getvalue()


def drawn(command: str, text: str) -> str:
    """A terminal as SVG, for light and dark pages alike."""
    rows = [f"$ {command}", *text.rstrip().splitlines()]
    width = round(2 * EDGE + LETTER * max(map(len, rows)))
    height = 2 * EDGE + LINE * len(rows)
    lines = [
        f'<text x="{EDGE}" y="{EDGE + LINE * (place + 0.75):g}">{html.escape(row, quote=False)}</text>'
        for place, row in enumerate(rows)
    ]
    style = (
        "text{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;"
        "fill:#e8e6df;white-space:pre}"
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="What convworks train prints">',
            f"<style>{style}</style>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#17181c"/>',
            *lines,
            "</svg>",
            "",
        ]
    )


def photographed(page: Path) -> Image.Image:
    """The top of a page as Chromium shows it."""
    named = os.environ.get("CONVWORKS_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not named:
        sys.exit("There is no chromium here, and CONVWORKS_CHROMIUM names none.")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        size = f"--window-size={SHOWN[0]},{SHOWN[1]}"
        profile = f"--user-data-dir={folder}/profile"
        subprocess.run(
            [named, *FLAGS, size, profile, f"--screenshot={shot}", page.resolve().as_uri()],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        return Image.open(shot).convert("RGB")


def main(run: Path) -> None:
    """Writes both pictures beside this script."""
    (HERE / "terminal.svg").write_text(drawn("convworks train creatures", told(run)), encoding="utf-8")
    photographed(run / "report.html").save(HERE / "report.webp", quality=80, method=6)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
