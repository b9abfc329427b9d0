"""The pages of an audit and of a preview in a real browser: accessible, offline, no sideways scroll, in both themes.

Slow, and only where it can run: see test_in_browser.py for what it needs.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convworks as cw

pytestmark = pytest.mark.slow

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Masks, a copy across the split, and a file that cannot be read."""
    place, chance = tmp_path_factory.mktemp("pages"), np.random.default_rng(0)
    for split in ("train", "val"):
        for folder in ("images", "masks"):
            (place / "set" / split / folder).mkdir(parents=True)
        for number in range(4):
            coarse = Image.fromarray(chance.integers(0, 256, (6, 8, 3), np.uint8))
            coarse.resize((160, 120), Image.Resampling.BICUBIC).save(
                place / "set" / split / "images" / f"{number}.png"
            )
            mask = np.zeros((120, 160), np.uint8)
            mask[20 : 60 + number, 30:90] = 1
            Image.fromarray(mask).save(place / "set" / split / "masks" / f"{number}.png")
    copy = place / "set/train/images/0.png"
    (place / "set/val/images/0.png").write_bytes(copy.read_bytes())
    (place / "set/train/images/3.png").write_bytes(b"x")
    cw.audit(place / "set", page=place / "audit.html")
    cw.preview(place / "set", page=place / "preview.html", backbone="conv3-8 relu pool2")
    return {name: place / f"{name}.html" for name in ("audit", "preview")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = os.environ.get("CONVWORKS_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        pytest.skip("there is no chromium here, and CONVWORKS_CHROMIUM names none")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=chromium, args=FLAGS)


@pytest.mark.parametrize("name", ["audit", "preview"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_a_page_is_accessible_fetches_nothing_and_fits(
    pages: dict[str, Path], browser: Any, name: str, scheme: str, width: int
) -> None:
    named = os.environ.get("CONVWORKS_AXE")
    if not named:
        pytest.skip("CONVWORKS_AXE is not set: it names axe.min.js")
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page = context.new_page()
    requests: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(pages[name].as_uri())
    page.wait_for_load_state("networkidle")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.add_script_tag(content=Path(named).read_text(encoding="utf-8"))
    found = page.evaluate(
        "axe.run().then(result => result.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html]))"
    )
    context.close()
    assert found == [] and said == [] and wide <= 0
    assert [url for url in requests if not url.startswith("data:")] == [pages[name].as_uri()]
