"""`check`: one answer for every kind of net, and beside pictures what of it has another scale."""

from pathlib import Path

import pytest
from PIL import Image
from torch import nn

import convworks as cw
from convworks.arithmetic import Design, Net, Volume, parse
from convworks.errors import NetError
from convworks.inspection.scale import measured
from convworks.layers.build import build

NOTATION = "conv3-4 s3 relu pool2 fc5"


def test_a_notation_its_specs_and_its_module_get_the_same_answer() -> None:
    net = Net(layers=parse(NOTATION), input=Volume(height=32, width=32, channels=3))
    answers = [cw.check(NOTATION, input=(32, 32, 3)), cw.check(net), cw.check(build(net), input=(32, 32, 3))]
    assert [type(answer.net) is Design for answer in answers] == [True, True, False]
    assert not any(answer.fits for answer in answers)
    found = [
        [(finding.level, finding.code, finding.what) for finding in answer.findings] for answer in answers
    ]
    assert found[0] == found[1] == found[2]
    fixes = [[str(fix).partition(";")[0] for fix in answer.findings[0].fixes] for answer in answers]
    assert fixes[0] == fixes[2]


def test_printing_it_shows_the_table_and_the_findings() -> None:
    said = str(cw.check("conv3-1 s3", input=(7, 7, 1)))
    assert "1  conv3-1 s3  2x2x1" in said
    assert "! layer 1 (conv3-1 s3): 1 of 7 rows" in said


def test_a_net_whose_input_nobody_says_is_asked_for_it() -> None:
    with pytest.raises(NetError, match="unknown what goes into the net"):
        cw.check(nn.Conv2d(3, 4, 3))


def test_what_is_no_net_is_refused() -> None:
    with pytest.raises(NetError, match="A int is no net"):
        cw.check(7, input=(8, 8, 3))  # type: ignore[arg-type]


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    """Twenty pictures of 128x96 with a coin of 6 px and a plate of 60 px in each."""
    rows = ["path,label,xmin,ymin,xmax,ymax"]
    for number in range(20):
        Image.new("RGB", (128, 96), (number, 90, 30)).save(tmp_path / f"{number}.png")
        rows += [f"{number}.png,coin,10,10,16,16", f"{number}.png,plate,40,20,100,80"]
    (tmp_path / "boxes.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "boxes.csv"


def test_pictures_and_objects_are_measured(boxes: Path) -> None:
    pictures = measured(boxes)
    assert (pictures.fingerprint.images, pictures.short_side, len(pictures.objects)) == (20, 96, 40)
    assert {(one.name, one.size) for one in pictures.objects} == {("coin", 6.0), ("plate", 60.0)}


def test_objects_smaller_than_a_stride_and_larger_than_the_field_are_named(boxes: Path) -> None:
    checked = cw.check("pool2 pool2 pool2 conv3-8 p1", input=(96, 128, 3), data=boxes)
    found = {finding.code: finding for finding in checked.findings}
    assert "its stride of 8 px exceeds 20 of 40 objects (coin 20)" in found["smaller-than-stride"].what
    assert found["smaller-than-stride"].level == "warning"
    assert "its field of 24 px is smaller than 20 of 40 objects (plate 20)" in found["larger-than-field"].what
    assert not checked.fits
    assert "40 objects measured" in str(checked)
    assert checked.document()["data"]["pictures"] == 20


def test_the_same_is_said_of_a_module(boxes: Path) -> None:
    net = nn.Sequential(nn.MaxPool2d(8), nn.Conv2d(3, 8, 3, padding=1))
    codes = {finding.code for finding in cw.check(net, input=(96, 128, 3), data=boxes).findings}
    assert {"smaller-than-stride", "larger-than-field"} <= codes


def test_data_proposes_the_input(boxes: Path) -> None:
    assert cw.check("conv3-8 p1", data=boxes).input == measured(boxes).wanted().input


def test_an_input_that_hides_or_enlarges_the_pictures_is_noted(boxes: Path) -> None:
    small = {finding.code for finding in cw.check("conv3-8 p1", input=(16, 16, 3), data=boxes).findings}
    large = {finding.code for finding in cw.check("conv3-8 p1", input=(256, 256, 3), data=boxes).findings}
    assert "input-small" in small
    assert "input-large" in large


def test_pictures_without_boxes_are_compared_by_size_alone(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (64, 48)).save(tmp_path / name / "1.png")
    checked = cw.check("conv3-8 p1 relu gap fc2", input=(48, 64, 3), data=tmp_path)
    assert checked.fits
    assert "Nobody drew boxes" in str(checked)


@pytest.mark.packs
def test_blood_cells_beside_resnet18(packs: Path) -> None:
    checked = cw.check("resnet18", data=packs / "bccd")
    (finding,) = [finding for finding in checked.findings if finding.code == "smaller-than-stride"]
    assert finding.level == "note"
    assert "Platelets" in finding.what
    assert checked.fits


def test_a_notebook_shows_a_module_as_table_and_findings_and_a_notation_with_its_picture() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3, stride=3), nn.Flatten(), nn.Linear(99, 2))
    shown = cw.check(module, input=(7, 7, 3))._repr_html_()
    assert "<svg" not in shown and "Linear(99, 2)" in shown and "Linear(16, 2) gives 2" in shown
    assert "1 of 7 rows and 1 of 7 columns never read" in shown
    assert cw.check("conv3-1 s3", input=(7, 7, 1))._repr_html_().count("<svg") == 2
