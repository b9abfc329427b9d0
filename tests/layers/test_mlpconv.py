"""Network in network: a small perceptron slid over the map."""

import pytest
import torch
import torch.nn.functional as F

from convworks.errors import NetError
from convworks.layers.mlpconv import Mlpconv2d


def test_it_is_a_perceptron_at_every_window() -> None:
    layer = Mlpconv2d(3, (5, 4, 2), (3, 2), stride=(2, 1), padding=(1, 0))
    x = torch.randn(1, 3, 7, 6)
    output = layer(x)
    assert output.shape == (1, 2, 4, 5)
    windows = F.unfold(x, (3, 2), padding=(1, 0), stride=(2, 1))[0].T
    values = windows
    for part in layer.layers:
        if isinstance(part, torch.nn.Conv2d):
            values = torch.relu(values @ part.weight.flatten(1).T + part.bias)
    torch.testing.assert_close(output[0].flatten(1).T, values, atol=1e-5, rtol=1e-5)


def test_one_by_one_is_a_linear_map_of_the_channels_at_each_pixel() -> None:
    conv = torch.nn.Conv2d(4, 3, 1)
    x = torch.randn(2, 4, 5, 6)
    linear = torch.einsum("oc,nchw->nohw", conv.weight[:, :, 0, 0], x) + conv.bias[:, None, None]
    torch.testing.assert_close(conv(x), linear)


def test_no_widths_is_refused() -> None:
    with pytest.raises(NetError, match="no widths"):
        Mlpconv2d(3, (), (3, 3))
