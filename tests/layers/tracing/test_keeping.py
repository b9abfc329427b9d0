"""What training keeps of each operator, beside what autograd really keeps."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from convworks.arithmetic import Net, Volume, parse
from convworks.arithmetic.summary import designed
from convworks.layers.build import build
from convworks.layers.tracing.call import Call
from convworks.layers.tracing.keeping import asked
from convworks.layers.tracing.trace import trace

NETS = [
    "resnet10t",
    "efficientnet_lite0",
    "mobilenetv3_small_050",
    "convnext_atto",
    "regnety_002",
    "semnasnet_050",
]
MANY = [
    "densenet121",
    "hrnet_w18_small",
    "resnest14d",
    "xception41",
    "dla34",
    "mobilevit_xxs",
    "vit_tiny_patch16_224",
]


def remembered(module: nn.Module, images: Tensor) -> int:
    """Bytes of the tensors that autograd keeps in a step, weights and statistics apart."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*module.parameters(), *module.buffers())}
    found: dict[int, int] = {}
    alive: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in own:
            found[memory.data_ptr()] = memory.nbytes()
            alive.append(tensor)
        return tensor

    module.train()
    with saved_tensors_hooks(note, lambda tensor: tensor):
        module(images)
    return sum(found.values())


def an_image_more(module: nn.Module, side: int) -> int:
    """The bytes that one more image takes; what is kept once for all of them is left out."""
    torch.manual_seed(0)
    images = torch.randn(3, 3, side, side)
    return remembered(module, images) - remembered(module, images[:2].clone())


def made(name: str) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return timm.create_model(name)


@pytest.mark.parametrize("name", NETS)
def test_a_net_keeps_what_autograd_keeps(name: str) -> None:
    net = made(name)
    assert trace(net, (48, 48, 3)).training == pytest.approx(an_image_more(net, 48), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", MANY)
def test_nets_of_other_families_keep_what_autograd_keeps(name: str) -> None:
    net, side = made(name), 224 if name.startswith("vit") else 64
    assert trace(net, (side, side, 3)).training == pytest.approx(an_image_more(net, side), rel=0.02)


@pytest.mark.parametrize(
    "notation",
    [
        "conv3-8 s2 p1 bn relu avgpool3 s2 conv1-4 dwconv3 p1 sigmoid gap fc5",
        "conv5-4 p2 leakyrelu pool2 conv3-6 tanh dropout0.3 up2 tconv2-4 s2 globalmax flatten fc7",
    ],
)
def test_a_built_net_keeps_what_its_notation_says(notation: str) -> None:
    net = Net(layers=parse(notation), input=Volume(height=24, width=20, channels=3))
    followed, said = trace(build(net), (24, 20, 3)), designed(net)
    assert followed.training == said.training
    assert followed.memory.input_kept == said.walk.input_kept == 24 * 20 * 3 * 4
    assert f"{followed.training / 1000:.1f} kB kept while training." in followed.table()


class Given(nn.Module):
    """A convolution, and a function of what it gives."""

    def __init__(self, run: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.before, self.run = nn.Conv2d(3, 8, 1), run

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self.before(x))


OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "add": lambda x: x + x.mean(),
    "attention": lambda x: F.scaled_dot_product_attention(x, x * 2, x * 3),
    "cat": lambda x: torch.cat([x, x[:, :2]], 1),
    "clamp": lambda x: x.clamp(0, 6),
    "division": lambda x: x / (1 + x.exp()),
    "elu": F.elu,
    "gate": lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "gelu": F.gelu,
    "group norm": lambda x: F.group_norm(x, 2),
    "hard sigmoid": F.hardsigmoid,
    "hard swish": F.hardswish,
    "interpolation": lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear"),
    "layer norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "matrix product": lambda x: x @ x.transpose(2, 3),
    "max": lambda x: x.amax(1),
    "mean": lambda x: x.mean((2, 3)),
    "power": lambda x: x**3,
    "relu in place": lambda x: F.relu(x * 2, inplace=True),
    "silu": F.silu,
    "silu in place": lambda x: F.silu(x * 2, inplace=True),
    "softmax": lambda x: x.softmax(1),
    "softplus": F.softplus,
    "square root": lambda x: (x * x).sqrt(),
    "standard deviation": lambda x: x.std((2, 3)),
    "subtraction": lambda x: x - x[:, :1],
}


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_keeps_what_autograd_keeps(name: str) -> None:
    module = Given(OPERATORS[name])
    # Means and deviations, a number a row or map, are not counted.
    assert trace(module, (16, 16, 3)).training == pytest.approx(an_image_more(module, 16), rel=0.03)


def test_what_is_frozen_keeps_nothing_before_the_first_part_that_learns() -> None:
    net = made("resnet10t")
    whole = trace(net, (48, 48, 3))
    for part in net.children():
        if part is net.get_submodule("layer4"):
            break
        part.requires_grad_(False)
    frozen = trace(net, (48, 48, 3))
    assert frozen.training == pytest.approx(an_image_more(net, 48), rel=0.01)
    assert frozen.memory.input_kept == 0 < whole.memory.input_kept
    assert frozen.training < 0.1 * whole.training


def test_a_frozen_linear_layer_needs_its_input_no_more_but_a_convolution_keeps_it() -> None:
    module = Given(lambda x: x)
    linear, filters = nn.Linear(16, 4).requires_grad_(False), nn.Conv2d(8, 4, 3).requires_grad_(False)
    for layer in (linear, filters):
        module.run = layer
        assert trace(module, (16, 16, 3)).training == an_image_more(module, 16)


def test_what_cannot_be_known_is_said_to_be_unknown() -> None:
    x = torch.empty(2, 3, device="meta")
    assert asked(Call(torch.ops.aten.nonzero.default, "nonzero", (x,), {}, (x,)), (True,)) is None
    traced = trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), (8, 8, 3))
    traced.memory.kept[1] = None
    assert traced.training == 8 * 8 * 3 * 4
    assert "768 B kept while training, without what 1 operator keeps: that is unknown." in traced.table()


def test_what_is_written_into_a_parameter_is_followed() -> None:
    class Memory(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = nn.Parameter(torch.zeros(2, 3, 4, 4), requires_grad=False)

        def forward(self, x: Tensor) -> Tensor:
            self.rows[:1].copy_(x)
            return self.rows.sum() + x

    assert trace(Memory(), (4, 4, 3)).training == 0
