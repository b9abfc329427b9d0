"""`check`: any net, however it is given, followed and judged; with pictures, beside what they show."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from convworks.arithmetic.advice import Finding, gravest_first, last_map, where
from convworks.arithmetic.spec import Net, Volume
from convworks.arithmetic.summary import Design, designed
from convworks.errors import NetError
from convworks.inspection.find import Found, Size, find

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from convworks.inspection.scale import Pictures
    from convworks.layers.tracing.trace import Traced

MARKS = {"error": "x", "warning": "!", "note": "-"}


class Checked(NamedTuple):
    """A net followed, what is to be said of it, the gravest first, and the pictures that it was compared with."""

    net: Design | Traced
    findings: tuple[Finding, ...]
    pictures: Pictures | None = None

    @property
    def fits(self) -> bool:
        """Whether nothing needs attention: there may be notes, but neither warnings nor errors."""
        return all(finding.level == "note" for finding in self.findings)

    @property
    def input(self) -> Volume:
        """What goes into the net."""
        return self.net.net.input if isinstance(self.net, Design) else self.net.input

    def table(self) -> str:
        """The net layer by layer, and its totals, as plain text."""
        return self.net.table()

    def document(self) -> dict[str, Any]:
        """Everything as plain values for JSON."""
        pictures = {"data": self.pictures.document()} if self.pictures is not None else {}
        return self.net.document(self.findings) | {"fits": self.fits} | pictures

    def _repr_html_(self) -> str:
        """What a notebook shows: the net's picture where it is a notation, the table, the totals and the findings."""
        from convworks.arithmetic import notebook, summary

        if isinstance(self.net, Design):
            drawn, left = (self.net.svg(960), self.net.svg(360)), summary.LEFT
        else:
            from convworks.layers.tracing.trace import LEFT

            drawn, left = None, LEFT
        said = self.pictures.lines(self.input) if self.pictures is not None else []
        found = [f"{MARKS[finding.level]} {finding}" for finding in self.findings]
        return notebook.page(drawn, self.net.cells(), left, [*self.net.totals(), *said], found)

    def __str__(self) -> str:
        said = [self.table()]
        if self.pictures is not None:
            said.append("\n".join(self.pictures.lines(self.input)))
        said += [f"{MARKS[finding.level]} {finding}" for finding in self.findings]
        return "\n\n".join(said)


def check(
    net: str | nn.Module | Net,
    *,
    input: Size | None = None,
    data: str | Path | None = None,
    objects: Sequence[float] = (),
) -> Checked:
    """What a net gives, sees and costs layer by layer, what of it does not fit, and what would mend it.

    `net` is a `torch.nn.Module`, a notation, FILE.py:NAME (the file is run), or a name of timm's. `input` is (height,
    width, channels); it may be left out for nets of timm's, which have their own, and with `data`, whose pictures
    propose one. `data` is anything that `train` takes: its pictures and objects are compared with the net's strides,
    field and input. `objects` are sizes of objects in pixels of the input, where there is no data.

    Raises NetError for a net that cannot be read or made, DataError for data that cannot. A net that can be made and
    does not fit is no error: the findings say so.

    >>> checked = check("conv3-1 s3", input=(7, 7, 1))
    >>> print(checked.fits, checked.findings[0].fixes[0])
    False stride 2 gives 3x3x1
    """
    found = _found(net)
    pictures = None
    if data is not None:
        from convworks.inspection.scale import measured

        pictures = measured(data)
    size = input or found.input or _proposed(pictures)
    if size is None:
        raise NetError(
            "It is unknown what goes into the net.",
            expected="height x width x channels, as in 32x32x3",
            fix="give the input, or data to propose one from",
        )
    volume = Volume(height=size[0], width=size[1], channels=size[2])
    if found.layers is not None:
        followed: Design | Traced = designed(Net(layers=found.layers, input=volume))
    else:
        from convworks.layers.tracing.trace import trace

        assert found.module is not None
        followed = trace(found.module, size)
    findings = followed.check(objects)
    if pictures is not None:
        findings = gravest_first([*findings, *_beside(followed, volume, pictures)])
    return Checked(net=followed, findings=tuple(findings), pictures=pictures)


def _found(net: str | nn.Module | Net) -> Found:
    if isinstance(net, str):
        return find(net)
    if isinstance(net, Net):
        return Found(layers=net.layers, input=(net.input.height, net.input.width, net.input.channels))
    # A module can only come from where torch has been imported.
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(net, torch.nn.Module):
        raise NetError(
            f"A {type(net).__name__} is no net.", expected="a torch.nn.Module, a notation or a name"
        )
    return Found(module=net, input=_own_input(net))


def _own_input(module: nn.Module) -> Size | None:
    """The input of a net of timm's; None for others."""
    own: Any = getattr(module, "pretrained_cfg", None)
    size = own.get("input_size") if isinstance(own, dict) else None
    return (size[1], size[2], size[0]) if size else None


def _proposed(pictures: Pictures | None) -> Size | None:
    if pictures is None:
        return None
    wanted = pictures.wanted().input
    return wanted.height, wanted.width, wanted.channels


def _beside(net: Design | Traced, input: Volume, pictures: Pictures) -> list[Finding]:
    """The net's last map beside the pictures."""
    from convworks.inspection.scale import compared

    if isinstance(net, Design):
        row = last_map(net.walk)
        if row is None:
            return []
        return compared(pictures, input, where(row), row.fields, whole=net.rows[-1] is not row)
    from convworks.layers.tracing.words import where as place

    last = net.last_map
    if last is None or last.fields is None:
        return []
    gathered = last.reach == "all" or last.place != len(net.operators)
    return compared(pictures, input, place(last), last.fields, whole=gathered)
