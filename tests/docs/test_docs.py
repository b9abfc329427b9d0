"""Every page of docs/ is true: its Python blocks run, in order, and print what the page says they print.

A block of `python` is followed, where it prints something, by a block of `text` with exactly that. A block of
`console` shows a command after `$ ` and what it prints; it is run from an empty folder.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": page.stem}
    printed = ""
    for kind, body in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "text":
            assert printed.rstrip() == body.rstrip()
        assert kind == "text" or not printed, f"the page does not show what was printed: {printed}"
        printed = ""
        if kind == "python":
            output = io.StringIO()
            with contextlib.redirect_stdout(output):
                exec(compile(body, str(page), "exec"), names)
            printed = output.getvalue()
        elif kind == "console":
            assert shown(body) == body.rstrip()
    assert not printed, f"the page does not show what was printed: {printed}"


def shown(session: str) -> str:
    """The commands of a console session with what they print now."""
    lines: list[str] = []
    for line in session.splitlines():
        if line.startswith("$ "):
            words = shlex.split(line[2:])
            assert words[0] == "convworks", "a page runs nothing but convworks"
            done = subprocess.run(
                [sys.executable, "-m", "convworks", *words[1:]], capture_output=True, text=True, check=False
            )
            lines += [line, *(done.stdout + done.stderr).rstrip().splitlines()]
    return "\n".join(line.rstrip() for line in lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_reached_from_the_index() -> None:
    linked = set(LINK.findall((DOCS / "index.md").read_text(encoding="utf-8")))
    assert {page.name for page in PAGES} - {"index.md"} <= linked
