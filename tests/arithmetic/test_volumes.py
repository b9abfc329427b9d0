"""The pictures of a net: well formed, wholly labelled, nothing over anything else."""

import random
from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convworks.arithmetic.summary import Design, design
from convworks.arithmetic.svg import LETTER

SVG = "{http://www.w3.org/2000/svg}"
VGG16 = (
    "2*(conv3-64 p1 relu) pool2 2*(conv3-128 p1 relu) pool2 3*(conv3-256 p1 relu) pool2 "
    "3*(conv3-512 p1 relu) pool2 3*(conv3-512 p1 relu) pool2 2*(fc4096 relu dropout) fc1000"
)
NETS = {
    "guide": ("conv5-16 relu pool2 conv5-32 relu pool2 fc10", (32, 32, 3)),
    "vgg16": (VGG16, (224, 224, 3)),
    "hundred": (
        "conv3-16 p1 bn relu 33*(res(conv3-16 p1 bn relu conv3-16 p1 bn) relu) "
        "res(conv3-32 s2 p1 bn relu conv3-32 p1 bn | conv1-32 s2 bn) relu gap fc10",
        (32, 32, 3),
    ),
    "broken lines": (
        "conv7-64 s2 p3 bn relu pool3 s2 p1 2*(res(conv3-64 p1 bn relu conv3-64 p1 bn) relu) "
        "res(conv3-128 s2 p1 bn relu conv3-128 p1 bn | conv1-128 s2 bn) relu res(conv3-128 p1 bn relu) relu gap fc10",
        (224, 224, 3),
    ),
    "one layer": ("conv3-1 s3", (7, 7, 1)),
    "not square": ("conv3x7-8 s1x2 relu pool2x4 conv3-16 s3 relu fc4", (20, 120, 1)),
    "branches": (
        "conv3-32 p1 relu cat(conv1-16 relu | conv1-16 relu conv3-32 p1 relu | pool3 s1 p1 conv1-16 relu) "
        "cat(conv3-16 p1 bn relu |) up2 tconv2-4 s2 sigmoid",
        (32, 48, 3),
    ),
    "stairs": (
        "conv3-8 p1 cat(pool2 conv3-16 p1 cat(pool2 conv3-32 p1 up2 | ) up2 | ) pointwise-2",
        (64, 64, 3),
    ),
    "nothing but riders": ("relu dropout res(relu | tanh) bn", (8, 8, 1)),
    "impossible": ("conv5-16 relu pool2 res(conv3-16 p1 | conv1-8) fc2", (32, 32, 3)),
    "impossible inside": ("conv3-4 res(conv9-4) relu", (8, 8, 1)),
}


def made(name: str) -> Design:
    notation, size = NETS[name]
    return design(notation, input=size)


def labels(root: ElementTree.Element) -> list[tuple[float, float, float, str]]:
    """Left, right and baseline of every text, at the least that its letters take."""
    found: list[tuple[float, float, float, str]] = []
    for text in root.iter(f"{SVG}text"):
        said = text.text or ""
        width = 0.85 * LETTER * len(said)
        x = float(text.get("x", 0)) - (width / 2 if text.get("text-anchor") == "middle" else 0)
        found.append((x, x + width, float(text.get("y", 0)), said))
    return found


@pytest.mark.parametrize("width", [340, 960, 1200])
@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("kind", ["svg", "strip"])
def test_no_label_lies_on_another_or_leaves_the_picture(name: str, width: int, kind: str) -> None:
    root = ElementTree.fromstring(getattr(made(name), kind)(width))
    real, height = float(root.get("width", 0)), float(root.get("height", 0))
    assert real <= width
    found = labels(root)
    for left, right, y, said in found:
        assert left >= 0 and right <= real and 0 < y < height, said
    for one, other in combinations(found, 2):
        apart = one[1] <= other[0] or other[1] <= one[0] or abs(one[2] - other[2]) >= 11
        assert apart, (one, other)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("kind", ["svg", "strip"])
def test_a_picture_says_all_of_it_in_words_and_runs_nothing(name: str, kind: str) -> None:
    net = made(name)
    picture = getattr(net, kind)()
    root = ElementTree.fromstring(picture)
    said = root.findtext(f"{SVG}desc") or ""
    assert root.get("role") == "img"
    assert root.findtext(f"{SVG}title")
    assert all(f"{row.place} " in said and (str(row.output) in said or row.error) for row in net.rows[:200])
    assert "<script" not in picture and "href" not in picture
    assert "prefers-color-scheme:dark" in picture


def drawn(seed: int) -> str:
    """A random net, possible or not."""
    dice = random.Random(seed)

    def row(depth: int) -> str:
        words = [
            f"conv3-{dice.choice([2, 4])} p1", "relu", "bn relu", f"conv{dice.choice([1, 9])}-4", "dropout",
            "pool2", "conv3-4 s2", "pointwise-4", "up2", "l2pool3 s2 p1+0", "dwconv3 s3 m2",
        ]  # fmt: skip
        parts = [dice.choice(words) for _ in range(dice.randint(0 if depth else 1, 5))]
        if depth < 3 and dice.random() < 0.7:
            forms = (
                "{n}*(conv3-4 p1 {a})",
                "cat({a} | {b} | conv1-2)",
                "cat({a} |)",
                "res({a} | {b})",
                "res(conv3-4 p1)",
            )
            form = dice.choice(forms)
            parts.insert(0, form.format(a=row(depth + 1), b=row(depth + 1), n=dice.randint(2, 9)))
        return " ".join(parts)

    return f"conv3-4 p1 {row(0)} fc3"


@settings(max_examples=15)
@given(st.integers(0, 10**9), st.sampled_from([300, 960]))
def test_a_picture_of_any_net_is_sound(seed: int, width: int) -> None:
    sound(seed, width)


@pytest.mark.slow
@settings(max_examples=1000)
@given(st.integers(0, 10**9), st.sampled_from([300, 960]))
def test_a_thousand_pictures_are_sound(seed: int, width: int) -> None:
    sound(seed, width)


def sound(seed: int, width: int) -> None:
    """Assert that the pictures of a random net can be read, by programs and by people."""
    net = design(drawn(seed), input=(17, 24, 3))
    for picture in (net.svg(width), net.strip(width)):
        found = labels(ElementTree.fromstring(picture))
        for one, other in combinations(found, 2):
            apart = one[1] <= other[0] or other[1] <= one[0] or abs(one[2] - other[2]) >= 11
            assert apart, (one, other)
    assert ("x impossible" in net.svg()) == (net.output is None)
    ElementTree.fromstring(f"<div>{net._repr_html_()}</div>".replace("&#8203;", ""))


def test_every_size_of_a_short_net_and_its_grades_are_on_the_picture() -> None:
    net = made("not square")
    shown = [text for *_, text in labels(ElementTree.fromstring(net.svg()))]
    for row in net.rows:
        assert str(row.output).replace("x", "×") in shown
    assert "! 1 column" in shown
    assert "✓ fits" in [text for *_, text in labels(ElementTree.fromstring(made("guide").svg()))]


def test_what_repeats_is_drawn_once_in_a_long_net() -> None:
    shown = [text for *_, text in labels(ElementTree.fromstring(made("hundred").svg()))]
    assert "33 times" in shown
    assert len(shown) < 60


def test_boxes_are_as_high_as_their_maps() -> None:
    def heights(net: Design) -> list[float]:
        polygons = [
            p
            for p in ElementTree.fromstring(net.svg()).iter(f"{SVG}polygon")
            if "wash2" in p.get("class", "")
        ]
        corners = [[float(point.split(",")[1]) for point in p.get("points", "").split()] for p in polygons]
        return [max(found) - min(found) for found in corners]

    tall = heights(design("pool2 pool2 conv3-8 s2 p1", input=(64, 64, 3)))
    assert tall == sorted(tall, reverse=True)
    assert tall[0] / tall[1] == pytest.approx(2**0.5, abs=0.01)


def test_a_notebook_shows_picture_table_and_findings_escaped() -> None:
    shown = design("conv3-1 s3", input=(7, 7, 1))._repr_html_()
    assert shown.count("<svg") == 2
    assert "1 of 7 rows and 1 of 7 columns never read" in shown
    assert "<td" in shown and "<script" not in shown
