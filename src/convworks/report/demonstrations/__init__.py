"""The guide's claims shown: a topic each, as a page that holds its figures, as lines, and as plain values.

A topic is a module of this room with `demonstrate(image)`; `image` is the user's picture, or None for a drawn one.
"""

from typing import NamedTuple


class Topic(NamedTuple):
    """What a topic shows, and whether it can be shown on a picture of the user's."""

    said: str
    takes_image: bool = False


TOPICS = {
    "boxes": Topic("what the four numbers of a box are relative to"),
    "collapse": Topic("convolutions without a nonlinearity between them are one convolution"),
    "colour": Topic("whether RGB survives the layers, and why no value is void"),
    "dropout": Topic("what dropout's scaling stands for, and what a net says with it left on", True),
    "nin": Topic("the maps of a network in network say where, though nobody told it", True),
    "pointwise": Topic("what a 1x1 convolution computes", True),
    "pooling": Topic("what pooling saves, and what it loses", True),
    "region": Topic("a filter on the first 3 of 10 columns, in three senses"),
    "relu": Topic("where negative activations come from, and where they go", True),
    "vanishing": Topic("the vanishing gradient of sigmoid, tanh and ReLU nets, and how they learn"),
}
