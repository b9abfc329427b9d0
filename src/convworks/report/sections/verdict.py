"""The verdict first: one sentence, what it rests on, and what the owner should know or do."""

from __future__ import annotations

import math

from convworks.events import Finding, Finished, Interrupted, Measured, Scored
from convworks.report.markup import Child, Markup, join, percent, tag
from convworks.report.story import Story
from convworks.report.wording import count, duration, sentence

WORDS = {"error": "Error", "warning": "Warning", "note": "Note"}


def header(story: Story) -> Markup:
    """The head of the page."""
    name = str(story.model.get("name") or story.run.name)
    task = str(story.model.get("task") or "classification")
    kicker = tag(
        "p", f"{name} · {task} into {count(len(story.classes), 'class', 'classes')}", class_="kicker"
    )
    headline, lead = _sentences(story)
    return tag(
        "header", kicker, tag("h1", headline), tag("p", lead, class_="lead"), _made(story), _findings(story)
    )


def _sentences(story: Story) -> tuple[str, Child]:
    measured = story.measured
    if measured is not None and measured.of:
        whose = "it has never seen" if measured.chosen_on == "nothing" else "that also chose it"
        what = f"{measured.measure[:1].upper()}{measured.measure[1:]}"
        headline = f"{what} {measured.value:.3f} on {count(measured.of, 'image')} {whose}."
        return headline, _expected(measured)
    scored = story.scored
    if scored is None or scored.of == 0:
        stopped = story.last(Interrupted)
        if stopped:
            return "This run was interrupted before it was measured.", join(
                "Go on with ", tag("code", stopped.command)
            )
        return (
            "This run has not been measured.",
            "There is no score yet: what follows is what it had done so far.",
        )
    whose = "it has never seen" if scored.chosen_on == "nothing" else "that also chose it"
    headline = f"Right on {scored.right:,} of {scored.of:,} images {whose}."
    return headline, _lead(scored)


def _expected(measured: Measured) -> str:
    """What to expect of the measure on other images, and which class is the hardest."""
    said = measured.said
    if math.isfinite(measured.low):
        said = f"On images like these, expect between {measured.low:.2f} and {measured.high:.2f}. {said}"
    known = sorted((value, name) for name, value in measured.classes if math.isfinite(value))
    if len(known) > 1:
        said += f" Hardest is {known[0][1]} ({known[0][0]:.2f}), easiest {known[-1][1]} ({known[-1][0]:.2f})."
    return said


def _lead(scored: Scored) -> str:
    blind = max(scored.chance, scored.majority)
    if blind > scored.chance + 0.005:
        knowing_nothing = f"always answering “{scored.majority_class}” gives {percent(blind)}"
    else:
        knowing_nothing = f"guessing gives {percent(scored.chance)}"
    between = f"between {percent(scored.low)} and {percent(scored.high)}"
    if scored.low > blind:
        said = (
            f"That is {percent(scored.accuracy)}. On images like these, expect {between} to be right; "
            f"{knowing_nothing}."
        )
    elif scored.high < blind:
        said = f"That is worse than knowing nothing: {knowing_nothing}."
    else:
        said = (
            f"It has not been shown to know anything: its true score may lie anywhere {between}, "
            f"and {knowing_nothing}."
        )
    if scored.chosen_on == "tuning":
        said += " These images chose the model, so the figure flatters: expect less on new ones."
    return said


def _made(story: Story) -> Markup:
    done = story.last(Finished)  # not said yet when the run itself writes its report
    spent = done.seconds if done else story.seconds if story.scored else 0.0
    facts = [
        f"Made {story.model['created']}" if story.model.get("created") else "",
        f"trained in {duration(spent)}" if spent else "",
        f"on {story.model['environment']['device']}"
        if "device" in story.model.get("environment", {})
        else "",
    ]
    said = " · ".join(fact for fact in facts if fact)
    return tag("p", said, class_="made") if said else Markup()


def _findings(story: Story) -> Markup:
    if not story.findings:
        return Markup()
    items = [_finding(finding) for finding in story.findings]
    return tag(
        "section",
        tag("h2", "What to know", id="findings-title"),
        tag("ul", *items, class_="findings"),
        id="findings",
        aria_labelledby="findings-title",
    )


def _finding(finding: Finding) -> Markup:
    when = f" (epoch {finding.epoch})" if finding.epoch else ""
    parts = [tag("p", tag("strong", f"{WORDS[finding.level]}{when}. "), sentence(finding.said))]
    if finding.evidence:
        parts.append(tag("p", sentence(finding.evidence), class_="evidence"))
    if finding.action:
        step: Child = (
            tag("code", finding.action) if finding.action.startswith("-") else sentence(finding.action)
        )
        parts.append(tag("p", "Next step: ", step, class_="step"))
    return tag("li", *parts, class_=finding.level)
