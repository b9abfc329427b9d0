"""The notation: both ways, and every mistake said with its place."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convworks.arithmetic import spec
from convworks.arithmetic.grammar import FORMS
from convworks.arithmetic.notation import parse, volume, write
from convworks.arithmetic.spec import Layer
from convworks.arithmetic.walk import walk
from convworks.errors import NetError

counts = st.integers(1, 9_999_999)
pairs = st.tuples(counts, counts) | counts.map(lambda side: (side, side))
naughts = st.integers(0, 99)
sides = st.tuples(naughts, naughts, naughts, naughts) | naughts.map(lambda n: (n, n, n, n))
paddings = sides | st.sampled_from(["same", "tfsame"])
shares = st.floats(0, 1, exclude_max=True).filter(lambda share: len(repr(share)) < 20)

FIELDS: dict[str, st.SearchStrategy[object]] = {
    "channels": counts,
    "kernel": pairs,
    "stride": pairs,
    "dilation": pairs,
    "groups": counts,
    "bias": st.booleans(),
    "padding": paddings,
}


def layers() -> st.SearchStrategy[Layer]:
    filters = {name: FIELDS[name] for name in ("kernel", "stride", "padding", "dilation", "bias")}
    plain = st.one_of(
        st.builds(spec.Conv, **FIELDS),
        st.builds(spec.DepthwiseConv, multiplier=counts, **filters),
        st.builds(
            spec.TransposedConv,
            **{
                **FIELDS,
                "padding": st.tuples(naughts, naughts),
                "output_padding": st.tuples(naughts, naughts),
            },
        ),
        st.builds(spec.Pointwise, channels=counts, bias=st.booleans()),
        st.builds(
            spec.Mlpconv,
            widths=st.lists(counts, min_size=1, max_size=4).map(tuple),
            kernel=pairs,
            stride=pairs,
            padding=paddings,
        ),
        st.builds(
            spec.Pool,
            kind=st.just("max"),
            kernel=pairs,
            stride=pairs,
            padding=paddings,
            dilation=pairs,
            ceil=st.booleans(),
        ),
        st.builds(
            spec.Pool,
            kind=st.just("average"),
            kernel=pairs,
            stride=pairs,
            padding=paddings,
            ceil=st.booleans(),
            count_padding=st.booleans(),
        ),
        st.builds(spec.Pool, kind=st.just("l2"), kernel=pairs, stride=pairs, padding=paddings),
        st.builds(spec.AdaptivePool, kind=st.sampled_from(["max", "average"]), size=pairs),
        st.builds(spec.GlobalPool, kind=st.sampled_from(["max", "average", "l2"])),
        st.builds(spec.Linear, features=counts, inputs=naughts, bias=st.booleans()),
        st.builds(spec.LeakyReLU, slope=shares),
        st.builds(spec.Dropout, probability=shares),
        st.builds(spec.Upsample, factor=pairs, mode=st.sampled_from(["nearest", "bilinear"])),
        st.sampled_from(
            [spec.Flatten(), spec.ReLU(), spec.NoisyReLU(), spec.Tanh(), spec.Sigmoid(), spec.BatchNorm()]
        ),
    )
    return st.recursive(
        plain,
        lambda inner: st.one_of(
            st.builds(
                spec.Residual,
                body=st.lists(inner, max_size=3).map(tuple),
                shortcut=st.lists(inner, max_size=2).map(tuple),
            ),
            st.builds(
                spec.Concat,
                branches=st.lists(st.lists(inner, max_size=2).map(tuple), min_size=1, max_size=3).map(tuple),
            ),
        ),
        max_leaves=6,
    )


@given(st.lists(layers(), min_size=1, max_size=4).map(tuple))
@settings(deadline=None, max_examples=80)
def test_what_is_written_reads_as_what_it_was(net: tuple[Layer, ...]) -> None:
    assert parse(write(net)) == net


def test_every_kind_has_a_form() -> None:
    assert {form.kind for form in FORMS} == set(spec.Layer.__args__)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("CONV5-16  ReLU\nmaxpool2", "conv5-16 relu pool2"),
        ("conv3-8s2p1", "conv3-8 s2 p1"),
        ("conv3-8, p1, relu", "conv3-8 p1 relu"),
        ("pool3 s3", "pool3"),
        ("2*(conv3-8 relu) gap linear10", "conv3-8 relu conv3-8 relu globalavg fc10"),
        ("2*(2*(relu))", "relu relu relu relu"),
        ("dropout batchnorm", "dropout0.5 bn"),
        ("conv3-8 p1+1x1+1 d1 g1", "conv3-8 p1"),
        ("res(conv3-8 p1|)", "res(conv3-8 p1)"),
    ],
)
def test_there_are_several_ways_to_write_and_one_way_to_print(written: str, canonical: str) -> None:
    assert write(parse(written)) == canonical


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("conv5-16 rellu pool2", 10, 'did you mean "relu"?'),
        ("conv5-16 relu pol2", 15, 'did you mean "pool"?'),
        ("conv5 relu", 1, "conv3-16"),
        ("conv5-16 relu fc", 15, "fc10"),
        ("conv5-16 q3", 10, "there is no layer"),
        ("conv5-16 s2 s3", 13, "twice"),
        ("conv5-16s2 s3", 12, "twice"),
        ("conv5-16 s0", 1, "at least 1"),
        ("fc10 s2", 6, "fc takes from (inputs), nobias"),
        ("s2 conv3-8", 1, "follows no layer"),
        ("res(conv3-8", 1, "no closing bracket"),
        ("relu )", 6, "nothing to close"),
        ("cat(relu | tanh relu2)", 17, "followed by"),
        ("res(relu | relu | relu)", 1, "at most one shortcut"),
        ("3*relu", 3, "brackets"),
        ("0*(relu)", 1, "at least 1"),
        ("conv3-123456789", 1, "seven digits"),
        ("dropout1.5", 1, "below 1"),
        ("avgpool2 d2", 1, "max pool only"),
        ("conv3-8 same3", 9, "is no option"),
    ],
)
def test_a_mistake_is_pointed_at(text: str, place: int, said: str) -> None:
    with pytest.raises(NetError) as caught:
        parse(text)
    message = str(caught.value)
    assert f"Character {place}:" in message
    assert said in message
    assert len(message.splitlines()) <= 6
    shown, pointer = message.splitlines()[1:3]
    assert shown[pointer.index("^") :].startswith(text[place - 1])


def test_an_error_never_carries_what_a_terminal_would_obey() -> None:
    with pytest.raises(NetError) as caught:
        parse("conv3-8 \x1b[31mred relu\x00")
    assert "\x1b" not in str(caught.value)
    assert "\x00" not in str(caught.value)


def test_nothing_and_too_much_are_refused() -> None:
    for text in (
        "",
        "   ",
        "100*(100*(10*(relu)))",
        "(" * 50,
        "res(" * 60 + "relu" + ")" * 60,
        "9999999*(relu)",
    ):
        with pytest.raises(NetError):
            parse(text)


SEEDS = (
    "conv5-16 relu pool2 conv5-32 relu pool2 fc10",
    "conv7-64 s2 p3 nobias bn relu pool3 s2 p1 ceil res(conv3-64 p1 | conv1-64 s2x1) gap fc10 from64",
    "3*(conv3x5-8 p1x2+3 relu) conv2-8 tfsame cat(tconv4-8 s2 p1 op1|up2x3 bilinear|l2pool2) dropout0.2 mlpconv3-8-8",
)
LETTERS = "abcdefgsxp0123456789 -+*()|.,^\n\t\x00é٣×²٪"


@pytest.mark.parametrize("seed", SEEDS)
def test_only_net_errors_escape_from_mutated_notations(seed: str) -> None:
    draw = random.Random(seed)
    read = 0
    for _ in range(3400):
        text = seed
        for _ in range(draw.randint(1, 6)):
            at, until = sorted((draw.randrange(len(text) + 1), draw.randrange(len(text) + 1)))
            mutation = draw.randrange(4)
            if mutation == 0:
                text = text[:at] + draw.choice(LETTERS) + text[at:]
            elif mutation == 1:
                text = text[:at] + text[at + 1 :]
            elif mutation == 2:
                text = text[:at] + text[at:until][:8] * 2 + text[until:]
            else:
                text = text[:at] + draw.choice(LETTERS) + text[at + 1 :]
        try:
            layers = parse(text)
        except NetError:
            continue
        read += 1
        assert parse(write(layers)) == layers
        if len(layers) < 50:
            walk(spec.Net(layers=layers, input=spec.Volume(height=32, width=32, channels=3)))
    assert read


def test_an_input_is_height_by_width_by_channels() -> None:
    assert str(volume("32x48x3")) == "32x48x3"
    assert str(volume("224")) == "224x224x3"
    assert str(volume("64×48")) == "64x48x3"
    for text in ("", "axbxc", "0x3x3", "1x2x3x4", "-3", "3.5", "٣"):
        with pytest.raises(NetError, match="height x width x channels"):
            volume(text)
