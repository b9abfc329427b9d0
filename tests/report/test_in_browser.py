"""The report in a real browser: no accessibility violations, no request, no sideways scroll, in both themes.

Slow, and only where it can run: needs playwright, a Chromium (CONVWORKS_CHROMIUM, or `chromium` on the path) and
axe-core 4.14 (CONVWORKS_AXE names its axe.min.js).
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from convworks.report.html import write

pytestmark = pytest.mark.slow

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = importlib.util.spec_from_file_location("written_run_for_browser", HERE / "written_run.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return write(module.write_run(tmp_path_factory.mktemp("browser")))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = os.environ.get("CONVWORKS_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        pytest.skip("there is no chromium here, and CONVWORKS_CHROMIUM names none")
    with playwright.sync_playwright() as started:
        yield started.chromium.launch(executable_path=chromium, args=FLAGS)


@pytest.fixture(scope="module")
def axe() -> str:
    named = os.environ.get("CONVWORKS_AXE")
    if not named:
        pytest.skip("CONVWORKS_AXE is not set: it names axe.min.js")
    return Path(named).read_text(encoding="utf-8")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_axe_finds_nothing(report: Path, browser: Any, axe: str, scheme: str, width: int) -> None:
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True
    )
    page = context.new_page()
    page.goto(f"{report.as_uri()}#cell-1-3")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.add_script_tag(content=axe)
    found = page.evaluate(
        "axe.run().then(result => result.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html]))"
    )
    context.close()
    assert found == []


@pytest.mark.parametrize("width", [1200, 768, 360])
def test_nothing_is_fetched_complained_of_or_scrolled_sideways(
    report: Path, browser: Any, width: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, java_script_enabled=True)
    page = context.new_page()
    requests: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(report.as_uri())
    page.wait_for_load_state("networkidle")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    assert [url for url in requests if not url.startswith("data:")] == [report.as_uri()]
    assert said == []
    assert wide <= 0


def test_a_number_of_the_confusion_table_opens_its_images_without_scripts(report: Path, browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    cell = page.locator("#cell-1-3")
    assert not cell.is_visible()
    page.locator("a[href='#cell-1-3']").focus()
    page.keyboard.press("Enter")
    cell.wait_for(state="visible")
    assert "“square” called “triangle”" in cell.inner_text()
    context.close()
