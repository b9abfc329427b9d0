"""Each step of the history in two sentences and a drawing, with what it saved against the one before."""

from __future__ import annotations

from convworks.report.ladder import diagram as parts
from convworks.report.ladder import words
from convworks.report.ladder.diagram import Part, diagram
from convworks.report.markup import Markup, section, tag
from convworks.studies.rows import Climb, Row


def steps(ladder: Climb) -> Markup:
    """The section that tells and draws each step that was measured, and says what it saved."""
    drawn: list[Markup] = []
    before: Row | None = None
    for row in ladder.rows:
        rung = words.BY_NAME[row.rung]
        what, why = words.sentences(row.rung)
        source = tag(
            "a", f"arXiv {rung.source}", href=f"https://arxiv.org/abs/{rung.source}", rel="noreferrer"
        )
        measured = words.measured(row)
        if before is not None:
            measured += f" {words.times(before.seconds, row.seconds).capitalize()}"
            measured += f": {words.seconds(before.seconds)} before." if before.seconds else ""
        caption = (
            "Blue runs once a picture, orange and dashed once for each region." if before is None else ""
        )
        drawn.append(
            tag(
                "div",
                tag("h3", f"{rung.title} ", tag("span", f"({rung.year})", class_="path")),
                tag("p", source, class_="figures"),
                tag("p", f"{what} {why}"),
                diagram(_parts(row, ladder), f"{rung.title}: {what}", caption),
                tag("p", measured, class_="figures"),
                class_="rung",
            )
        )
        before = row
    return section("steps", "Step by step", *drawn)


def _parts(row: Row, ladder: Climb) -> list[Part]:
    """What is drawn of a step, with how often each part ran for a picture."""
    each = words.a_picture(row.looking, ladder.settled.measure)
    regions = f"{each['crops'] or each['reads']:,.0f} times"
    picture = Part(glyph=parts.picture, said="the picture", often="", kind="given")
    search = Part(
        glyph=parts.proposals,
        said="selective search",
        often=f"once, {words.seconds(row.proposing)}" if row.proposing else "once",
        kind="once",
    )
    net = Part(glyph=parts.net, said="the net", often="once", kind="once")
    machine = Part(glyph=parts.machines, said="machines", often=regions, kind="each")
    answer = Part(glyph=parts.layers, said="class and box", often=regions, kind="each")
    grid = Part(glyph=parts.grid, said="one grid", often=regions, kind="each")
    found: dict[str, list[Part]] = {
        "rcnn": [
            picture,
            search,
            Part(glyph=parts.crops, said="crops", often=regions, kind="each"),
            Part(glyph=parts.net, said="the net", often=regions, kind="each"),
            machine,
        ],
        "spp": [
            picture,
            search,
            net,
            Part(glyph=parts.grids, said="grids", often=regions, kind="each"),
            machine,
        ],
        "fast": [picture, search, net, grid, answer],
        "faster": [
            picture,
            net,
            Part(glyph=parts.sliding, said="region network", often="once", kind="once"),
            grid,
            answer,
        ],
        "default": [
            picture,
            net,
            Part(glyph=parts.levels, said="maps of two strides", often="once", kind="once"),
            Part(glyph=parts.cells, said="each cell answers", often="once", kind="once"),
        ],
    }
    return found[row.rung]
