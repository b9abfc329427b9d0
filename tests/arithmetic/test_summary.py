"""The table, the totals, and the plain values."""

import json
import time

import pytest

from convworks.arithmetic import Net, Volume, design, parse
from convworks.arithmetic.formula import formula
from convworks.arithmetic.summary import designed
from convworks.errors import NetError

TABLE = """\
       layer               out  parameters  mult-adds  predict    train   sees  step  start  fit
       input           32x28x3                                  10.8 kB      1     1      0
    1  conv5-16       28x24x16       1,216       806k  53.8 kB               5     1      0  fits
    2  relu           28x24x16                           86 kB    43 kB      5     1      0
    3  pool2          14x12x16                         53.8 kB  32.3 kB      6     2      0  fits
4.1.1    conv3-16 p1  14x12x16       2,320       387k  21.5 kB              10     2     -2  fits
4.1.2    relu         14x12x16                         32.3 kB  10.8 kB     10     2     -2
    4  sum of both    14x12x16                         32.3 kB  10.8 kB     10     2     -2
    5  fc10                 10      26,890      26.9k  10.8 kB           36x32           -2

30,426 parameters (122 kB), 1.22M multiply-adds an image.
Activations an image: at most 86 kB at once while predicting, 108 kB kept while training.
A unit of the last map (layer 4) sees 10 px of 32x28; its neighbour's view is 2 px further on.
Layer 1: height: O = (W - K + 2P)/S + 1 = (32 - 5 + 2*0)/1 + 1 = 28; \
width: O = (W - K + 2P)/S + 1 = (28 - 5 + 2*0)/1 + 1 = 24.
O is the output's height or width, W the input's, K the filter's, P the padding on each side, S the stride."""


def test_the_guides_filters_on_the_guides_volume() -> None:
    net = design("conv5-3", input=(32, 32, 3))
    assert str(net.output) == "28x28x3"
    assert "O = (W - K + 2P)/S + 1 = (32 - 5 + 2*0)/1 + 1 = 28" in net.table()
    assert str(design("conv5-3 p2", input=(32, 32, 3)).output) == "32x32x3"


def test_the_table_in_full() -> None:
    table = design("conv5-16 relu pool2 res(conv3-16 p1 relu) fc10", input=(32, 28, 3)).table()
    assert table == TABLE


def test_the_table_ends_where_the_net_does() -> None:
    net = design("conv5-4 relu conv9-4 fc10", input=(8, 8, 1))
    assert net.output is None
    assert [row.place for row in net.rows] == ["1", "2", "3"]
    assert "x impossible" in net.table()


def test_plain_values_are_json() -> None:
    net = design("conv3-8 s3 up2 bilinear fc10", input=(7, 7, 1))
    document = net.document(net.check())
    assert json.loads(json.dumps(document)) == document
    first = document["layers"][0]
    assert (first["grade"], first["exact"], first["unread"]) == ("unread", ["7/3", "7/3"], [1, 1])
    assert document["findings"][0]["fixes"][0]["notation"] == "conv3-8 s2 up2 bilinear fc10"


def test_formulas_of_uneven_padding_dilation_ceil_and_transposition() -> None:
    def first(text: str) -> str:
        return formula(design(text, input=(9, 9, 1)).rows[0])

    assert first("conv3-4 s2 tfsame") == "O = (W - K + 2P)/S + 1 = (9 - 3 + 2*1)/2 + 1 = 5"
    assert first("conv3-4 p0+1") == "O = (W - K + P)/S + 1 = (9 - 3 + (0 + 1))/1 + 1 = 8"
    assert first("conv3-4 d2").endswith("(9 - 5 + 2*0)/1 + 1 = 5 (K: 3 taps, 2 apart)")
    assert first("pool2 ceil").endswith("= 4.50, rounded up to 5")
    assert (
        first("tconv3-4 s2 op1") == "O = (W - 1)*S - 2P + K = (9 - 1)*2 - 2*0 + 3 + 1 of output padding = 20"
    )
    assert first("relu") == ""


def test_a_hundred_layers_are_checked_in_five_milliseconds() -> None:
    layers = parse("2*(conv3-64 p1 relu pool2) 23*(conv3-64 p1 bn relu conv1-64 relu) fc10")
    assert len(layers) > 100
    best = 1.0
    for _ in range(5):
        start = time.process_time()
        designed(Net(layers=layers, input=Volume(height=224, width=224, channels=3))).check()
        best = min(best, time.process_time() - start)
    assert best < 0.02  # 2.5 ms alone on a core; a loaded machine gets room.


def test_what_cannot_be_read_is_an_error() -> None:
    with pytest.raises(NetError, match="at least 1"):
        design("relu", input=(0, 32, 3))
    with pytest.raises(NetError, match="Character 1"):
        design("rely", input=(32, 32, 3))
