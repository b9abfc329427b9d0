"""A module followed: as the arithmetic says, as its gradients say, and without a trace left on it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from convworks.arithmetic import Net, Volume, parse
from convworks.arithmetic.walk import walk
from convworks.layers.build import build
from convworks.layers.tracing.trace import Traced, trace


class Given(nn.Module):
    """A module whose forward is a function of itself and the picture."""

    def __init__(self, run: Callable[[Given, Tensor], Tensor], **parts: nn.Module | nn.Parameter) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def positive(module: nn.Module) -> nn.Module:
    """All weights above zero, so that no two paths cancel."""
    for weight in module.parameters():
        weight.data.uniform_(0.1, 1.0, generator=torch.Generator().manual_seed(0))
    return module


NOTATIONS = [
    "conv5-16 relu pool2 conv5-32 relu pool2 fc10",
    "conv3-8 s2 p1 bn relu avgpool3 s2 conv1-4 dwconv3 p1 sigmoid gap fc5",
    "conv7-8 s2 p3 relu pool3 s2 p1 res(conv3-8 p1 bn relu conv3-8 p1) relu globalmax flatten fc7",
    "res(conv3-6 s2 p1 relu conv3-6 p1 | conv1-6 s2) relu cat(conv1-4 | conv3-5 p1 | pool3 s1 p1) tanh",
    "conv3-6 s3 pool2 conv3-4 d2 p2 conv4-4 g2 leakyrelu up2 conv3-2 p1",
    "tconv4-8 s2 p1 conv3x5-4 s2x1 dropout0.3 pool2 s3 adaptiveavg3 fc4",
    "pool3 s2 ceil conv3-4 p0+1x1 relu adaptivemax2x3 tconv3-4 s2 op1 up3 pointwise-3",
]


@pytest.mark.parametrize("notation", NOTATIONS)
def test_what_is_built_from_a_notation_is_followed_as_the_notation_is(notation: str) -> None:
    net = Net(layers=parse(notation), input=Volume(height=37, width=45, channels=6))
    traced = trace(build(net), (37, 45, 6))
    followed = walk(net)
    assert traced.parameters == sum(row.parameters for row in followed.rows)
    assert traced.multiply_adds == sum(row.multiply_adds for row in followed.rows)
    assert traced.output == followed.rows[-1].output
    # A 1x1 filter that steps by one is known as pointwise here, and slides there.
    rows = [
        row for row in followed.rows if row.fit and row.fit.slides and row.fit.slides[0].window[:2] != (1, 1)
    ]
    assert [(o.fit and o.fit.slides, o.grade) for o in traced.operators if o.fit and o.fit.slides] == [
        (row.fit and row.fit.slides, row.grade) for row in rows
    ]
    maps = [row for row in followed.rows if row.output and not row.output.flat]
    last = next(
        operator for operator in reversed(traced.operators) if operator.output and not operator.output.flat
    )
    assert last.fields == maps[-1].fields


def space_to_depth(self: Given, x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, c, h // 4, 4, w // 4, 4).permute(0, 3, 5, 1, 2, 4).reshape(n, 16 * c, h // 4, w // 4) + 1


def tokens(self: Given, x: Tensor) -> Tensor:
    """Out of the map's layout and back into it, with a layer on the channels between."""
    x = self.conv(x)
    n, _, h, w = x.shape
    x = self.line(x.flatten(2).transpose(1, 2))
    return F.avg_pool2d(x.transpose(1, 2).reshape(n, -1, h, w), 3, 2)


def focus(self: Given, x: Tensor) -> Tensor:
    parts = [x[..., a::2, b::2] for a in (0, 1) for b in (0, 1)]
    return self.conv(torch.cat(parts, 1))


FUNCTIONS: dict[str, Given] = {
    "explicit padding": Given(lambda s, x: s.conv(F.pad(x, (1, 0, 2, 1))), conv=nn.Conv2d(2, 3, 4, 2)),
    "cropped": Given(lambda s, x: s.conv(x[:, :, 3:-2, 1:]), conv=nn.Conv2d(2, 3, 3, 2)),
    "negative padding": Given(lambda s, x: s.conv(F.pad(x, (-1, 1, -2, 0))), conv=nn.Conv2d(2, 3, 3, 2)),
    "channels last": Given(
        lambda s, x: s.line(s.conv(x).permute(0, 2, 3, 1)), conv=nn.Conv2d(2, 3, 3), line=nn.Linear(3, 4)
    ),
    "tokens and back": Given(tokens, conv=nn.Conv2d(2, 3, 3, 2), line=nn.Linear(3, 4)),
    "space to depth": Given(space_to_depth),
    "focus": Given(focus, conv=nn.Conv2d(8, 3, 3)),
    "shuffled": Given(lambda s, x: F.pixel_unshuffle(s.conv(x), 2), conv=nn.Conv2d(2, 3, 3, padding=1)),
    "two paths": Given(
        lambda s, x: s.conv(x) + s.far(x),
        conv=nn.Conv2d(2, 3, 3, padding=1),
        far=nn.Conv2d(2, 3, 9, padding=4),
    ),
    "stacked": Given(lambda s, x: torch.cat([s.conv(x), x[:, :1]], 1), conv=nn.Conv2d(2, 3, 5, padding=2)),
    "split and joined": Given(
        lambda s, x: torch.cat([s.conv(x.chunk(2, 1)[0]), x], 1), conv=nn.Conv2d(1, 1, 3, padding=1)
    ),
    "einsum": Given(
        lambda s, x: torch.einsum("nchw,dc->ndhw", s.conv(x), s.line.weight),
        conv=nn.Conv2d(2, 3, 3),
        line=nn.Linear(3, 4),
    ),
    "one axis at a time": Given(
        lambda s, x: s.down(s.across(x)), down=nn.Conv2d(3, 3, (5, 1), (2, 1)), across=nn.Conv2d(2, 3, (1, 7))
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_field_is_where_the_gradient_is_not_zero(name: str) -> None:
    module = positive(FUNCTIONS[name])
    traced = trace(module, (20, 24, 2))
    last = traced.operators[-1]
    assert last.error is None
    assert last.fields is not None
    assert last.reach == "local"
    picture = torch.ones(1, 2, 20, 24, requires_grad=True)
    output = module(picture)
    if name == "channels last":
        output = output.permute(0, 3, 1, 2)
    assert last.output is not None
    assert tuple(output.shape[2:]) == (last.output.height, last.output.width)
    for row, column in ((0, 0), (1, 2), (output.shape[2] // 2, output.shape[3] // 2), (-1, -1)):
        (gradient,) = torch.autograd.grad(output[0, :, row, column].sum(), picture, retain_graph=True)
        read = gradient[0].abs().sum(0)
        unit = row % output.shape[2], column % output.shape[3]
        for axis, sums in enumerate((read.sum(1), read.sum(0))):
            field = last.fields[axis]
            start = int(field.start + unit[axis] * field.jump)
            wanted = range(max(0, start), min(len(sums), start + int(field.size)))
            seen = sums.nonzero().flatten().tolist()
            assert (seen[0], seen[-1]) == (wanted[0], wanted[-1])


@pytest.mark.parametrize("seed", range(12))
def test_unread_rows_and_columns_have_no_gradient_and_all_others_do(seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)

    def one(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=draw))

    kernel, stride = (one(1, 4), one(1, 4)), (one(1, 4), one(1, 4))
    padding = one(0, min(kernel) // 2)
    conv = nn.Conv2d(1, 1, kernel, stride, padding, dilation=one(1, 2))
    size = one(9, 16), one(9, 16)
    traced = trace(positive(conv), (*size, 1))
    fit = traced.operators[0].fit
    assert fit is not None
    assert fit.slides is not None
    picture = torch.ones(1, 1, *size, requires_grad=True)
    (gradient,) = torch.autograd.grad(conv(picture).sum(), picture)
    for axis, slid in enumerate(fit.slides):
        lines = gradient[0, 0].abs().sum(1 - axis)
        assert int((lines == 0).sum()) == slid.unread + slid.skipped


def test_a_gate_reads_the_whole_input_besides_the_field() -> None:
    module = Given(
        lambda s, x: s.conv(x) * s.conv(x).mean((2, 3), keepdim=True).sigmoid(), conv=nn.Conv2d(2, 3, 3)
    )
    last = trace(module, (9, 9, 2)).operators[-1]
    assert last.fields is not None
    assert (last.fields[0].size, last.reach) == (3, "all")


def test_attention_over_all_tokens_reads_the_whole_input() -> None:
    def attend(self: Given, x: Tensor) -> Tensor:
        line = self.patch(x).flatten(2).transpose(1, 2)
        return line + F.scaled_dot_product_attention(line, line, line)

    traced = trace(Given(attend, patch=nn.Conv2d(3, 8, 4, 4)), (16, 16, 3))
    last = traced.operators[-1]
    assert last.fields is not None
    assert (last.fields[0].size, last.reach) == (4, "all")
    assert traced.multiply_adds == 16 * 8 * 48 + 2 * 16 * 16 * 8


@pytest.mark.parametrize(
    "run",
    [
        lambda s, x: torch.roll(x, 1, 2),
        lambda s, x: x + x.transpose(2, 3),
        lambda s, x: F.avg_pool2d(x.reshape(1, 3, 12, 3, 4).transpose(3, 4).reshape(1, 3, 12, 12), 2),
        lambda s, x: F.pad(x, (1, 1, 1, 1), mode="circular"),
        lambda s, x: F.grid_sample(x, torch.zeros(1, 4, 4, 2), align_corners=False),
        lambda s, x: F.interpolate(x, size=(17, 5), mode="bicubic"),
        lambda s, x: x.cumsum(3),
    ],
)
def test_what_cannot_be_followed_is_unknown_and_its_size_is_right(
    run: Callable[[Given, Tensor], Tensor],
) -> None:
    module = Given(run)
    traced = trace(module, (12, 12, 3))
    assert traced.operators[-1].reach == "unknown"
    assert traced.outputs == (tuple(module(torch.zeros(1, 3, 12, 12)).shape),)
    assert "unknown" in " ".join(finding.code for finding in traced.check())


def test_writing_into_a_part_of_a_map_makes_the_whole_unknown() -> None:
    def write(self: Given, x: Tensor) -> Tensor:
        x = self.conv(x)
        x[:, :, :3] += x[:, :, 3:6]
        return x.relu()

    assert trace(Given(write, conv=nn.Conv2d(1, 2, 3)), (9, 9, 1)).operators[-1].reach == "unknown"


def test_what_depends_on_numbers_ends_the_trace_with_its_line() -> None:
    def branch(self: Given, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x

    traced = trace(Given(branch), (4, 4, 1))
    assert traced.unfinished
    (finding,) = traced.check()
    assert (finding.level, finding.code) == ("warning", "unknown")
    assert "test_trace.py:" in finding.where


def test_constants_that_the_module_reads_are_there() -> None:
    def stepped(self: Given, x: Tensor) -> Tensor:
        for width in torch.arange(1, 3).tolist():
            x = F.avg_pool2d(x, width)
        return x[:, torch.tensor([0, 1])]

    assert trace(Given(stepped), (8, 8, 3)).outputs == ((1, 2, 4, 4),)


def test_a_shared_layer_is_counted_once_and_an_unused_one_is_named() -> None:
    shared = nn.Conv2d(4, 4, 3, padding=1)
    module = Given(lambda s, x: s.twice(s.twice(x)), twice=shared, idle=nn.Linear(10, 10))
    traced = trace(module, (8, 8, 4))
    assert traced.parameters == sum(weight.numel() for weight in module.parameters())
    assert [operator.parameters for operator in traced.operators] == [148, 0]
    assert traced.multiply_adds == 2 * 8 * 8 * 4 * 36
    (unused,) = [finding for finding in traced.check() if finding.code == "unused"]
    assert "110 parameters" in unused.what
    assert "idle.weight" in unused.where


def test_weights_made_of_weights_are_counted_where_they_are_used() -> None:
    def standardised(self: Given, x: Tensor) -> Tensor:
        weight = self.conv.weight
        return F.conv2d(x, (weight - weight.mean()) / weight.std(), self.conv.bias)

    traced = trace(Given(standardised, conv=nn.Conv2d(3, 4, 3)), (8, 8, 3))
    assert [(operator.call, operator.parameters) for operator in traced.operators] == [("conv2d", 112)]


def test_nothing_of_the_module_changes() -> None:
    def count(self: Given, x: Tensor) -> Tensor:
        self.calls += 1
        self.calls.data.add_(1)
        return self.norm(self.drop(x)) * self.calls

    module = Given(count, norm=nn.BatchNorm2d(3), drop=nn.Dropout(0.5))
    module.register_buffer("calls", torch.zeros((), dtype=torch.int64))
    module.norm.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    calls = module.calls
    trace(module, (8, 8, 3))
    assert (module.training, module.norm.training, module.drop.training) == (True, False, True)
    assert calls.item() == 0
    assert all(
        torch.equal(value, before[name]) for name, value in module.state_dict().items() if name != "calls"
    )
    assert not nn.modules.module._global_forward_hooks
    assert not nn.modules.module._global_forward_pre_hooks
    module(torch.zeros(2, 3, 8, 8))


def test_nothing_is_computed() -> None:
    module = nn.Sequential(nn.Conv2d(3, 64, 7, padding=3), nn.ReLU(), nn.Conv2d(64, 64, 7, padding=3))
    began = time.process_time()
    traced = trace(module, (8192, 8192, 3))
    assert time.process_time() - began < 1
    assert traced.multiply_adds > 10**13
    assert traced.predicting == 2 * 4 * 64 * 8192**2


def test_a_net_in_half_precision_and_one_without_weights_are_followed() -> None:
    half = trace(nn.Conv2d(1, 2, 3).to(torch.bfloat16), (8, 8, 1)).operators[0]
    assert half.bytes == 2 * 2 * 36
    assert trace(nn.Flatten(), (4, 4, 2)).outputs == ((1, 32),)


def test_live_memory_is_what_is_still_needed() -> None:
    def kept(self: Given, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + x

    module = Given(kept, first=nn.Conv2d(1, 8, 1), second=nn.Conv2d(8, 1, 1))
    lives = trace(module, (10, 10, 1)).memory.live
    assert lives == [4 * 100 * 9, 4 * 100 * 10, 4 * 100 * 3]


def only_error(traced: Traced) -> str:
    (error,) = [finding for finding in traced.check() if finding.level == "error"]
    return str(error)


class Wrong(nn.Module):
    """The fourth layer leaves a row unread, and the last was written for another size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 5, padding=2), nn.Conv2d(16, 32, 3, stride=3)
        self.fc = nn.Linear(2048, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc(torch.flatten(x, 1))


def test_a_linear_written_for_another_number_is_one_line_with_the_rows_before_it() -> None:
    traced = trace(Wrong(), (32, 32, 3))
    assert [str(operator.output) for operator in traced.operators[:4]] == [
        "32x32x16",
        "32x32x16",
        "16x16x16",
        "5x5x32",
    ]
    assert "it gets 128 numbers and was written for 2048" in only_error(traced)
    error, conv, pool = traced.check()
    assert [str(fix) for fix in error.fixes] == ["Linear(128, 10) gives 10"]
    assert "layer 8, fc (Linear(2048, 10), test_trace.py:" in error.where
    assert (
        str(conv.fixes[0])
        == "padding 1 gives 6x6x32; then layer 6 (pool2) fits; then layer 8 is Linear(288, 10)"
    )
    assert "36% of its input" in pool.what


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (lambda s, x: s.conv(x), "it gets 3 channels and was written for 5"),
        (lambda s, x: s.deep(x), "Conv2d(3, 12, ..., groups=3)"),
        (lambda s, x: s.line(x), "put a flatten before it: 8x8x3 is 192 numbers"),
        (lambda s, x: s.big(x), "a filter 9 long does not fit into 8 pixels"),
        (lambda s, x: x + x[:, :, 1:], "one side is 8x8x3 and the other 7x8x3"),
        (lambda s, x: torch.cat([x, x[..., 1:]], 1), "branch 1 gives 8x8x3 and branch 2 gives 8x7x3"),
        (lambda s, x: x.view(1, 5, -1), "shape '[1, 5, -1]' is invalid"),
        (lambda s, x: x[:, 7], "index"),
        (lambda s, x: s.missing(x), "AttributeError"),
    ],
)
def test_a_mismatch_is_said_in_words(run: Callable[[Given, Tensor], Tensor], said: str) -> None:
    parts = {"conv": nn.Conv2d(5, 2, 3), "deep": nn.Conv2d(4, 16, 3, groups=4), "line": nn.Linear(192, 2)}
    module = Given(run, **parts, big=nn.Conv2d(3, 2, 9))
    assert said in only_error(trace(module, (8, 8, 3)))


def test_a_fix_of_a_layer_that_is_used_twice_changes_it_in_both_places() -> None:
    module = Given(lambda s, x: s.conv(s.conv(x)), conv=nn.Conv2d(2, 2, 3, stride=2))
    traced = trace(module, (8, 8, 2))
    first = next(finding for finding in traced.check() if finding.code == "unread")
    assert str(first.fixes[0]) == "stride 1 gives 6x6x2"
    mended = Given(lambda s, x: s.conv(s.conv(x)), conv=nn.Conv2d(2, 2, 3))
    assert all(operator.grade != "unread" for operator in trace(mended, (8, 8, 2)).operators)


def test_every_fix_of_a_random_net_really_fits() -> None:
    for seed in range(8):
        draw = torch.Generator().manual_seed(seed)
        kernel, stride = (int(torch.randint(2, 5, (), generator=draw)) for _ in range(2))
        module = nn.Sequential(
            nn.Conv2d(3, 4, kernel, stride), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(3)
        )
        module(torch.zeros(1, 3, 23, 26))
        traced = trace(module, (23, 26, 3))
        for finding in traced.check():
            for fix in finding.fixes:
                word, _, value = fix.change.partition(" ")
                if word in ("stride", "filter", "padding") and value.isdecimal() and "0 (" in finding.where:
                    numbers = {
                        "kernel_size": kernel,
                        "stride": stride,
                        {"filter": "kernel_size"}.get(word, word): int(value),
                    }
                    changed = nn.Conv2d(3, 4, **numbers)
                    operator = trace(changed, (23, 26, 3)).operators[0]
                    assert operator.grade in ("fits", "skips")
                    assert operator.output == fix.output


def test_a_table_is_plain_text_with_a_line_an_operator() -> None:
    traced = trace(Wrong(), (32, 32, 3))
    lines = traced.table().splitlines()
    assert lines[9].split() == ["8", "fc", "Linear(2048,", "10)", "-", "x", "impossible"]
    assert "26,346 parameters" in traced.table()
    document = traced.document(traced.check())
    assert document["finished"] is False
    assert document["layers"][3]["unread"] == [1, 1]
    assert document["findings"][0]["fixes"][0]["change"] == "Linear(128, 10)"


def test_two_linear_layers_of_which_nothing_else_reads_are_said_to_be_one() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3),
        nn.ReLU(),
        nn.Conv2d(8, 8, 1),
        nn.AvgPool2d(2),
    )
    tail = nn.Sequential(nn.Flatten(), nn.Linear(8 * 14 * 14, 4))
    found = trace(nn.Sequential(net, tail), (32, 32, 3)).check()
    assert [(finding.code, finding.where.partition(" (")[0]) for finding in found] == [
        ("no-nonlinearity", "layer 3, 0.2"),
        ("no-nonlinearity", "layer 8, 1.1"),
    ]
    assert found[0].remedy == "put a relu before layer 3"


def test_a_bottleneck_a_depthwise_convolution_and_a_gate_need_nothing_nonlinear() -> None:
    narrow = nn.Sequential(nn.Conv2d(3, 32, 1), nn.ReLU(), nn.Conv2d(32, 4, 1), nn.Conv2d(4, 32, 1))
    depthwise = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1))

    def gate(self: Given, x: Tensor) -> Tensor:
        x = self.get_submodule("before")(x)
        return x * self.get_submodule("gate")(x.mean((2, 3), keepdim=True)).sigmoid()

    gated = Given(gate, before=nn.Conv2d(3, 8, 1), gate=nn.Conv2d(8, 8, 1))
    for net in (narrow, depthwise, gated):
        assert [finding.code for finding in trace(net, (16, 16, 3)).check()] == []
