"""How near the data is to what the pretrained net knows (near: freeze more; far: freeze less), and what won."""

from __future__ import annotations

from convworks.evaluation.uncertainty import wilson
from convworks.events import Candidate, DepthProbed
from convworks.report.drawing import meter
from convworks.report.markup import Child, Markup, join, percent, section, table, tag
from convworks.report.story import Story
from convworks.report.wording import count, loss, sentence


def transfer(story: Story) -> Markup:
    """The section, empty where nothing was probed and there was nothing to choose from."""
    parts = [_depth(story.depth, story.chance) if story.depth else "", _candidates(story.candidates)]
    if not any(parts):
        return Markup()
    return section("transfer", "What it took from the pretrained net", *parts)


def _depth(probed: DepthProbed, chance: float) -> Markup:
    blind = 0.5 if probed.measure else chance  # of two images, one that shows a class and one that does not
    scored = f" Scored is the {probed.measure}." if probed.measure else ""
    how = (
        f"A linear model on what each stage of the net gives, cross-validated on {count(probed.n, 'training image')}. "
        "Where the last stages score best, the data is near to what the net was trained on. "
        f"Guessing gives {percent(blind)}.{scored}"
    )
    rows: list[list[Child]] = [
        [
            name,
            "frozen" if index < probed.freeze else "learns",
            percent(share),
            _bar(share, index < probed.freeze),
        ]
        for index, (name, share) in enumerate(probed.stages)
    ]
    frozen = f"{probed.freeze} of {count(len(probed.stages), 'stage')} stayed frozen: {sentence(probed.why)}"
    return join(
        tag("h3", "How near your data is to what the net knows"),
        tag("p", how),
        table(["Stage, from the input on", "", "Score", ""], rows, numbers=(2,)),
        tag("p", frozen),
    )


def _bar(share: float, frozen: bool) -> Markup:
    return meter(share, "one" if frozen else "other")


def _candidates(candidates: list[Candidate]) -> Markup:
    if not candidates:
        return Markup()
    rows: list[list[Child]] = []
    for candidate in candidates:
        low, high = wilson(candidate.right, candidate.of)
        judged = [f"{candidate.right} of {candidate.of}", f"{percent(low)} to {percent(high)}"]
        if candidate.measure:
            judged = [f"{candidate.value:.3f}"]
        name: Child = tag("strong", candidate.name) if candidate.chosen else candidate.name
        rows.append(
            [
                name,
                *judged,
                loss(candidate.loss),
                tag("strong", "chosen") if candidate.chosen else "",
            ]
        )
    measure = candidates[0].measure
    judges = [f"{measure[:1].upper()}{measure[1:]}"] if measure else ["Right", "95 % interval"]
    return join(
        tag("h3", "Which candidate was kept"),
        tag("p", "Compared on the tuning images, which measure nothing afterwards."),
        table(["Candidate", *judges, "Loss", ""], rows, numbers=range(1, len(judges) + 2)),
    )
