"""Lines over an axis: where a value lies, and what stands at the end of a line."""

import re

import pytest

from convworks.report.demonstrations.chart import Axis, Series, lines, power


def test_a_value_lies_at_its_share_of_a_plain_and_of_a_logarithmic_axis() -> None:
    assert Axis("x", 2, 6).share(3) == 0.25
    log = Axis("y", 1e-8, 1.0, log=True)
    assert log.share(1e-6) == pytest.approx(0.25)
    assert log.share(0.0) == 0


def test_a_logarithmic_axis_is_marked_at_powers_of_ten_with_both_ends() -> None:
    marks = Axis("y", 1e-10, 1.0, log=True).marks()
    assert [power(mark) for mark in marks] == ["10⁻¹⁰", "10⁻⁸", "10⁻⁶", "10⁻⁴", "10⁻²", "1"]


@pytest.mark.parametrize("width", [340, 720])
def test_every_series_is_named_at_its_end_inside_the_drawing(width: int) -> None:
    series = [Series("max", [(0, 1.0), (4, 0.5)], "one"), Series("stride", [(0, 1.0), (4, 0.49)], "other")]
    height, drawn = lines(series, Axis("shift", 0, 4), Axis("same", 0, 1))(width)
    text = "".join(map(str, drawn))
    places = [float(y) for y in re.findall(r'y="([\d.]+)" class="o[a-z]+ label"', text)]
    assert len(places) == 2
    assert abs(places[0] - places[1]) >= 15.9
    assert all(0 < place < height for place in places)
    assert "line one" in text
    assert "line other" in text
