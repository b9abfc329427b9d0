"""Findings: graded fairly, explained, and mended by changes that really fit."""

import random
import time

import pytest

from convworks.arithmetic.advice import Finding
from convworks.arithmetic.mend import Fix
from convworks.arithmetic.notation import parse, write
from convworks.arithmetic.shape import fit
from convworks.arithmetic.spec import Volume
from convworks.arithmetic.summary import Design, design, designed
from convworks.errors import NetError


def only(found: list[Finding]) -> Finding:
    assert len(found) == 1
    return found[0]


def test_the_guides_own_case_is_explained_with_its_three_smallest_fixes() -> None:
    finding = only(design("conv3-1 s3", (7, 7, 1)).check())
    assert finding.level == "warning"
    assert finding.what == "1 of 7 rows and 1 of 7 columns never read, 27% of its input"
    assert "(7 - 3 + 2*0)/3 + 1 = 2.33, rounded down to 2" in finding.why
    assert [str(fix) for fix in finding.fixes] == [
        "stride 2 gives 3x3x1",
        "padding 1 gives 3x3x1",
        "filter 4 gives 2x2x1",
    ]


def test_a_fix_says_what_it_does_downstream() -> None:
    net = design("conv5-16 p2 relu pool2 conv3-32 s3 relu pool2 fc10 from128", (32, 32, 3))
    first, second = net.check()
    assert (first.where, second.where) == ("layer 4 (conv3-32 s3)", "layer 6 (pool2)")
    assert str(first.fixes[0]) == (
        "padding 1 gives 6x6x32; then layer 6 (pool2) fits; then layer 7 is Linear(288, 10)"
    )
    assert "36% of its input" in second.what
    mended = designed(first.fixes[0].net)
    assert write(mended.net.layers).endswith("conv3-32 s3 p1 relu pool2 fc10 from288")
    assert mended.check() == []


def test_a_linear_written_for_another_number_is_one_line() -> None:
    finding = only(design("conv5-16 relu pool2 fc10 from2048", (32, 32, 3)).check())
    assert finding.level == "error"
    assert "it gets 3136 numbers and was written for 2048" in finding.what
    assert str(finding.fixes[0]) == "Linear(3136, 10) gives 10"


@pytest.mark.parametrize(
    ("notation", "level", "code"),
    [
        ("conv3-4 s2 p1", "note", "padding-unread"),
        ("conv1-4 s2", "note", "skips"),
        ("pool2 s3", "note", "skips"),
        ("conv9-4", "error", "impossible"),
        ("flatten conv3-4", "error", "impossible"),
        ("conv4-4 g3", "error", "impossible"),
        ("conv3-4 s2 same", "error", "impossible"),
        ("pool2 p2", "error", "impossible"),
        ("tconv3-4 op1", "error", "impossible"),
        ("res(conv3-3)", "error", "impossible"),
        ("cat(conv3-4 | relu)", "error", "impossible"),
        ("tconv3-4 s2", "note", "checkerboard"),
        ("conv4-4 same", "note", "even-filter"),
        ("conv3-4 conv3-4", "note", "no-nonlinearity"),
        ("conv3-4 s3 d2", "note", "skips"),
    ],
)
def test_each_kind_of_finding(notation: str, level: str, code: str) -> None:
    finding = only(design(notation, (8, 8, 3)).check())
    assert (finding.level, finding.code) == (level, code)
    if level == "error":
        assert finding.remedy
        assert finding.where in str(finding)


@pytest.mark.parametrize(
    "notation",
    [
        "conv3-4 relu",
        "dwconv3 p1 pointwise-8 relu fc10",
        "pointwise-8 dwconv3 p1 relu fc10",
        "conv3-4 pool2 conv3-4",
        "conv3-32 relu pointwise-4 bn pointwise-32 relu",
    ],
)
def test_nothing_is_said_where_nothing_is_wrong(notation: str) -> None:
    assert design(notation, (8, 8, 3)).check() == []


def resnet18() -> str:
    text = "conv7-64 s2 p3 nobias bn relu pool3 s2 p1 "
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(2):
            down = stage > 0 and block == 0
            body = f"conv3-{width}{' s2' if down else ''} p1 nobias bn relu conv3-{width} p1 nobias bn"
            text += f"res({body}{f' | conv1-{width} s2 nobias bn' if down else ''}) relu "
    return text + "gap fc1000"


def test_resnet18_gets_notes_only() -> None:
    net = design(resnet18(), (224, 224, 3))
    slid = [row for row in net.rows if row.fit and row.fit.slides]
    assert len(slid) == 21
    assert {row.grade for row in slid} == {"fits", "padding unread", "skips"}
    assert sum(row.fit.slides[0].remainder > 0 for row in slid if row.fit and row.fit.slides) == 8
    assert {finding.level for finding in net.check()} == {"note"}
    assert (net.parameters, net.multiply_adds) == (11_689_512, 1_814_073_344)


def random_net(draw: random.Random) -> Design:
    """A net that may be anything from sound to impossible."""
    words: list[str] = []
    for _ in range(draw.randint(1, 5)):
        k, s, p, c = draw.randint(1, 7), draw.randint(1, 4), draw.randint(0, 3), draw.choice((4, 6, 8))
        words.append(
            draw.choice(
                (
                    f"conv{k}-{c} s{s} p{p} relu",
                    f"conv{k}x{s}-{c} s{s}x2 relu",
                    f"conv{k}-{c} g{s} relu",
                    f"pool{k} s{s}",
                    "pool2",
                    f"avgpool{k} s{s} p{min(p, k // 2)}",
                    f"res(conv{k}-{c} p{p} s{s} relu)",
                    f"cat(conv{k}-4 p{p} relu | conv1-4 relu)",
                    f"tconv{k}-4 s{s} p{p} relu",
                    f"dwconv{k} s{s} relu",
                )
            )
        )
    tail = draw.choice(("", " fc10", " fc10 from128", " gap fc10"))
    side = draw.randint(5, 40)
    return design(" ".join(words) + tail, (side, side + draw.choice((0, 0, 3)), 4))


@pytest.mark.parametrize(
    ("seed", "nets"), [(0, 150), pytest.param(1, 1000, marks=pytest.mark.slow)], ids=["quick", "slow"]
)
def test_each_fix_offered_for_random_nets_really_fits(seed: int, nets: int) -> None:
    draw = random.Random(seed)
    faulty = mended = 0
    for _ in range(nets):
        net = random_net(draw)
        for finding in net.check():
            if finding.code not in ("unread", "impossible"):
                continue
            assert finding.remedy or finding.why
            assert finding.fixes or finding.code == "impossible"
            faulty += 1
            mended += bool(finding.fixes)
            for fix in finding.fixes:
                fits_after(net, finding, fix)
    assert faulty > nets / 2
    assert mended / faulty > 0.85  # The rest are joins whose branches differ in more than one number.


def fits_after(net: Design, finding: Finding, fix: Fix) -> None:
    """The fixed net, built anew from what it prints, has the layer that the fix promised."""
    again = design(write(fix.net.layers), shape(fix.net.input))
    assert again.net == fix.net
    place = finding.where.split()[1]
    if fix.change.startswith("leaving out"):
        first, dot, rest = place.partition(".")
        place = f"{int(first) - 1}{dot}{rest}"
    row = next(row for row in again.rows if row.place == place)
    assert row.output == fix.output
    assert row.grade in ("fits", "skips") or (finding.code == "impossible" and row.grade != "unread")
    if net.walk.error is None:
        assert again.walk.error is None


def shape(volume: Volume) -> tuple[int, int, int]:
    return volume.height, volume.width, volume.channels


def test_objects_are_compared_with_stride_and_field() -> None:
    net = design("4*(conv3-8 p1 relu pool2)", (64, 64, 3))
    small, large = net.check(objects=[8, 12, 40, 100])
    assert small.code == "smaller-than-stride"
    assert "its stride of 16 px exceeds 2 of 4 object sizes (8 to 12 px)" in small.what
    assert large.code == "larger-than-field"
    assert "its field of 46 px is smaller than 1 of 4 object sizes (100 px)" in large.what
    assert {finding.level for finding in (small, large)} == {"warning"}
    gathered = design("4*(conv3-8 p1 relu pool2) gap fc3", (64, 64, 3)).check(objects=[100])
    assert only(gathered).level == "note"
    assert net.check(objects=[30]) == []


def test_what_a_mistyped_number_makes_huge_is_still_answered_at_once() -> None:
    start = time.process_time()
    for text in (
        "up9999999 conv3-8 s2 d2",
        "conv3-9999998 g9999999",
        "conv9999999-4",
        "up999999 pool2 s999999",
    ):
        design(text, (7, 7, 3)).check()
    assert time.process_time() - start < 1


def test_impossible_says_what_was_found_and_what_is_expected() -> None:
    with pytest.raises(NetError, match="a filter 9 long does not fit into 8 pixels"):
        fit(parse("conv9-4")[0], Volume(height=8, width=8, channels=3))
