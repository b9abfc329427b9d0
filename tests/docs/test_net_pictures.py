"""The pictures of nets in docs/ are the ones that are drawn today."""

from pathlib import Path

import pytest

import convworks as cw

PICTURES = Path(__file__).parent.parent.parent / "docs" / "pictures"
DRAWN = {
    "net.svg": cw.design("conv5-16 relu pool2 conv5-32 relu pool2 fc10", input=(32, 32, 3)).svg(720),
    "windows.svg": cw.design("conv3-1 s3", input=(7, 7, 1)).windows(1, 560),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_picture_is_up_to_date(name: str) -> None:
    kept = (PICTURES / name).read_text(encoding="utf-8").rstrip("\n")
    assert kept == DRAWN[name], f"write Design's picture to docs/pictures/{name} again"
