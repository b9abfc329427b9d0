"""The figure of what a unit sees: one file, two panels, the fields where they are."""

import base64
import io
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from convworks.arithmetic.notation import parse, volume
from convworks.arithmetic.spec import Net
from convworks.errors import DecodeError, NetError
from convworks.report.fields import see

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    values = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path


def made(notation: str = "conv3-4 p1 tanh conv3-4 p1", size: str = "24x36x3") -> Net:
    return Net(layers=parse(notation), input=volume(size))


@pytest.mark.parametrize("width", [340, 720, 1200])
def test_both_panels_lie_within_and_hold_pictures(photo: Path, width: int) -> None:
    figure, _ = see(made(), photo, width=width)
    root = ElementTree.fromstring(figure)
    images = list(root.iter(f"{SVG}image"))
    assert len(images) == 2
    for image in images:
        assert float(image.get("x", 0)) + float(image.get("width", 0)) <= float(root.get("width", 0))
        ratio = float(image.get("width", 0)) / float(image.get("height", 1))
        assert ratio == pytest.approx(1.5, rel=0.01)
        data = (image.get("href") or "").removeprefix("data:image/webp;base64,")
        assert Image.open(io.BytesIO(base64.b64decode(data))).format == "WEBP"
    assert root.get("role") == "img"
    assert "http" not in figure.replace("http://www.w3.org/2000/svg", "")


def test_the_box_lies_where_the_field_does(photo: Path) -> None:
    figure, found = see(made(), photo, unit=(10, 20))
    root = ElementTree.fromstring(figure)
    image = next(root.iter(f"{SVG}image"))
    box = next(part for part in root.iter(f"{SVG}rect") if part.get("class") == "box")
    scale = float(image.get("width", 0)) / 36
    assert found.clipped == (18, 8, 23, 13)
    assert float(box.get("x", 0)) - float(image.get("x", 0)) == pytest.approx(18 * scale, abs=0.2)
    assert float(box.get("width", 0)) == pytest.approx(5 * scale, abs=0.2)


def test_a_grey_net_sees_a_grey_picture(photo: Path) -> None:
    assert see(made(size="24x36x1"), photo)[1].effective.any()


def test_what_cannot_be_is_said(photo: Path) -> None:
    with pytest.raises(NetError, match="reads 5 channels"):
        see(made(size="24x36x5"), photo)
    with pytest.raises(DecodeError):
        see(made(), photo.with_name("none.png"))
