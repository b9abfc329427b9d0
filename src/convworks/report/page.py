"""One HTML page that holds everything it shows: it works offline and without scripts, and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from convworks import __version__
from convworks.data.record import DataSet
from convworks.errors import RecipeError
from convworks.files import write_whole
from convworks.report.markup import Child, Markup, join, tag


def page(
    title: str,
    head: Markup,
    parts: Mapping[str, Markup],
    *,
    of: str,
    skip: str,
    styles: Sequence[str] = (),
) -> str:
    """The page: `head`, then the parts, each a section that is linked under its name; `of` says parts of what.

    `skip` says where the first link leads, for those who read without eyes; `styles` are files beside page.css.
    """
    folder = resources.files("convworks.report")
    style = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", *styles))
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    ids = {label: part.partition('id="')[2].partition('"')[0] for label, part in parts.items()}
    links = [tag("li", tag("a", label, href=f"#{where}")) for label, where in ids.items()]
    written: Child = f"Written by Convworks {__version__}. This file holds everything it shows."
    body = tag(
        "body",
        tag("a", skip, href="#main", class_="skip"),
        tag("nav", tag("ul", links), aria_label=f"Parts of this {of}"),
        tag("main", head, *parts.values(), id="main"),
        tag("footer", tag("p", written)),
    )
    meta = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(style)),
    )
    return join(Markup("<!doctype html>\n"), tag("html", meta, body, lang="en"), Markup("\n"))


def framed(html: str, title: str) -> str:
    """A page in a frame of its own, for a notebook."""
    return tag("iframe", srcdoc=html, width="100%", height="900", title=title)


def write_outside(html: str, target: Path, dataset: DataSet) -> Path:
    """Writes a page about a data set, whole or not at all, and returns where it lies.

    Raises RecipeError for a place inside the data's own folder, StorageError where it cannot be written.
    """
    outside(target, dataset)
    write_whole(target, html.encode("utf-8"))
    return target


def outside(target: Path, dataset: DataSet) -> None:
    """Raises RecipeError where `target` lies in the folder of a data set: what is the owner's is not written to."""
    root = dataset.root.resolve()
    if target.resolve().is_relative_to(root):
        raise RecipeError(
            f"{target} would lie in the data's own folder, which is not written to.",
            fix=f"name a place outside it, such as {root.parent / target.name}",
        )
