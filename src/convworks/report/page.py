"""One HTML page that holds everything it shows: it works offline and without scripts, and asks for nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources

from convworks import __version__
from convworks.report.markup import Child, Markup, join, tag


def page(
    title: str, head: Markup, parts: Mapping[str, Markup], *, of: str, skip: str, more_style: str = ""
) -> str:
    """The page: `head`, then the parts, each a section that is linked under its name; `of` says parts of what.

    `skip` says where the first link leads, for those who read without eyes; `more_style` is CSS beside page.css.
    """
    style = resources.files("convworks.report").joinpath("page.css").read_text(encoding="utf-8") + more_style
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
