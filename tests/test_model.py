"""A saved model is the model: same numbers for the same picture however it comes, and no change goes unnoticed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from convworks import backbones, model, model_file
from convworks.augmentation.preprocess import Preprocessing
from convworks.errors import DataError, DecodeError, DeviceError, ModelFileError
from convworks.model import Model

CLASSES = ("bars", "dots", "rings")


@pytest.fixture(scope="module")
def saved(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights and statistics, as a run leaves it."""
    torch.manual_seed(3)
    made = Model.create(
        backbones.create("tiny", "none"),
        CLASSES,
        Preprocessing(size=32, side=40, resize="crop", mean=(0.5, 0.4, 0.3), deviation=(0.2, 0.3, 0.4)),
        dropout=0.2,
        name="patterns",
    )
    for name, value in made.net.named_buffers():
        if "running_mean" in name:
            value.normal_(0, 0.1)
        elif "running_var" in name:
            value.uniform_(0.05, 0.2)
    made.temperature = 1.3
    made.facts = {"counts": {"bars": 3}, "created": "today"}
    folder = tmp_path_factory.mktemp("saved")
    made.save(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def noise(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A picture with large shapes and fine grain."""
    draw = np.random.default_rng(seed)
    coarse = Image.fromarray(draw.integers(0, 256, (4, 5, 3), np.uint8)).resize((width, height))
    return np.clip(np.asarray(coarse, np.int64) + draw.integers(-20, 20, (height, width, 3)), 0, 255).astype(
        np.uint8
    )


def odd_pictures(folder: Path) -> list[Path]:
    """One file of each kind that people have."""
    folder.mkdir(parents=True)
    rgb = Image.fromarray(noise(60, 45))
    exif = Image.Exif()
    exif[0x0112] = 6
    rgb.save(folder / "plain.png")
    rgb.save(folder / "turned.jpg", exif=exif, quality=95)
    rgb.convert("L").save(folder / "gray.png")
    rgb.convert("RGBA").save(folder / "alpha.png")
    rgb.quantize(16).save(folder / "palette.png")
    rgb.convert("CMYK").save(folder / "print.jpg", quality=95)
    Image.fromarray(noise(3, 2)).save(folder / "small.png")
    Image.fromarray(noise(1, 1)).save(folder / "one.bmp")
    Image.fromarray(noise(700, 9)).save(folder / "strip.png")
    Image.fromarray(noise(9, 300)).save(folder / "tower.gif")
    Image.fromarray(noise(900, 700)).save(folder / "large.jpg", quality=95)
    Image.fromarray(noise(64, 64)).save(folder / "snow.webp", lossless=True)
    return sorted(folder.iterdir())


def rows(answers: Any) -> np.ndarray:
    """Probabilities by class in the model's order, one row an answer."""
    return np.array(
        [[dict(zip(a.names, a.probabilities, strict=True))[name] for name in CLASSES] for a in answers]
    )


def logits(answers: Any) -> np.ndarray:
    logs = np.log(rows(answers))
    return logs - logs.mean(1, keepdims=True)


def test_what_is_loaded_is_what_was_saved_to_the_bit(saved: Path, tmp_path: Path) -> None:
    first = model.load(saved)
    first.save(tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == (saved / "model.safetensors").read_bytes()
    assert json.loads((tmp_path / "model.json").read_text()) == json.loads((saved / "model.json").read_text())
    second = model.load(tmp_path)
    assert second.classes == CLASSES
    assert second.temperature == 1.3
    assert second.preprocessing == first.preprocessing
    frames = np.stack([first.preprocessing(noise(50, 40, seed)) for seed in range(4)])
    assert torch.equal(first.logits(frames), second.logits(frames))
    assert second.facts["counts"] == {"bars": 3}


def test_the_temperature_divides_the_logits(saved: Path) -> None:
    loaded = model.load(saved)
    frames = loaded.preprocessing(noise(50, 40))[None]
    warm = loaded.logits(frames)
    loaded.temperature = 2.6
    torch.testing.assert_close(loaded.logits(frames), warm / 2)


def test_a_file_a_folder_a_picture_and_the_command_line_say_the_same(
    saved: Path, tmp_path: Path, start: Callable[..., Any]
) -> None:
    files = odd_pictures(tmp_path / "pictures")
    loaded = model.load(saved)
    one_by_one = [loaded.predict(file) for file in files]
    expected = logits(one_by_one)
    assert np.ptp(expected, axis=0).max() > 0.05, "all pictures look alike to this net, so it shows nothing"
    batched = loaded.predict(files, batch=5)
    folder = loaded.predict(tmp_path / "pictures")
    opened: list[Any] = []
    for file in files:
        with Image.open(file) as picture:
            opened.append(loaded.predict(picture))
    assert [answer.path for answer in folder] == files
    process = start("predict", saved, tmp_path / "pictures", "--to", tmp_path / "answers.json")
    _, said = process.communicate()
    assert process.returncode == 0, said
    told = json.loads((tmp_path / "answers.json").read_text())["answers"]
    told_rows = np.array([[each["probabilities"][name] for name in CLASSES] for each in told])
    told_logits = np.log(told_rows) - np.log(told_rows).mean(1, keepdims=True)
    for found in (logits(batched), logits(folder)):
        assert np.abs(found - expected).max() <= 1e-4
    # a large JPEG file is decoded at a part of its size, which a Pillow image that holds all of it is not
    exact = np.array([file.name != "large.jpg" for file in files])
    assert np.abs(logits(opened) - expected)[exact].max() <= 1e-4
    assert np.abs(logits(opened) - expected).max() <= 0.1
    assert [answer.name for answer in opened] == [answer.name for answer in one_by_one]
    assert np.abs(told_logits - expected).max() <= 1e-4
    assert [each["class"] for each in told] == [answer.name for answer in one_by_one]


def test_an_array_is_the_picture_that_it_holds(saved: Path, tmp_path: Path) -> None:
    loaded = model.load(saved)
    for size in ((60, 45), (3, 2), (700, 9), (900, 700)):
        array = noise(*size)
        file = tmp_path / f"{size[0]}.png"
        Image.fromarray(array).save(file)
        answers = [loaded.predict(array), loaded.predict(file), loaded.predict(Image.fromarray(array))]
        assert np.abs(logits(answers) - logits(answers)[0]).max() <= 1e-4


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((3, 4, 4), np.uint8),
    ],
)
def test_an_array_that_is_no_picture_is_refused_in_words(wrong: np.ndarray, saved: Path) -> None:
    with pytest.raises(DataError, match="not a picture"):
        model.load(saved).predict(wrong)


def test_a_bad_file_is_set_aside_and_the_others_are_answered(saved: Path, tmp_path: Path) -> None:
    files = odd_pictures(tmp_path / "pictures")
    bad = tmp_path / "pictures" / "broken.png"
    bad.write_bytes(files[0].read_bytes()[:40])
    loaded = model.load(saved)
    with pytest.warns(UserWarning, match=r"1 of 13 files set aside: .*broken.png"):
        answers = loaded.predict(tmp_path / "pictures")
    assert [answer.path for answer in answers] == files
    with pytest.raises(DecodeError, match=r"broken.png"):
        loaded.predict([files[0], bad])
    with pytest.raises(DecodeError, match=r"none.png"):
        loaded.predict(tmp_path / "none.png")
    assert loaded.predict([]) == []


def edited(copy: Path, **changes: Any) -> None:
    facts = json.loads((copy / "model.json").read_text())
    for name, value in changes.items():
        section, _, part = name.rpartition("__")
        place = facts[section] if section else facts
        if value is None:
            del place[part]
        else:
            place[part] = value
    (copy / "model.json").write_text(json.dumps(facts))


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["dots", "bars", "rings"]},
        {"classes": ["bars", "dots"]},
        {"input__mean": [0.4, 0.5, 0.3]},
        {"input__deviation": [0.3, 0.2, 0.4]},
        {"input__size": 64},
        {"input__side": 64},
        {"input__resize": "squash"},
        {"input__interpolation": "bilinear"},
        {"temperature": 1.0},
        {"temperature": float("nan")},
        {"channels_last": False},
        {"backbone": "nin"},
        {"dropout": 0.5},
        {"task": "detection"},
        {"input": None},
        {"seal": None},
        {"format": 2},
        {"format": None},
    ],
    ids=str,
)
def test_a_description_that_was_changed_is_refused(changes: dict[str, Any], copy: Path) -> None:
    edited(copy, **changes)
    with pytest.raises(ModelFileError, match=r"model.json") as caught:
        model.load(copy)
    assert len(str(caught.value).splitlines()) <= 6


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"{}"])
def test_a_description_that_is_none_is_refused(content: bytes, copy: Path) -> None:
    (copy / "model.json").write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model.json"):
        model.load(copy)


def test_files_that_are_missing_are_named(copy: Path, tmp_path: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match=r"model.safetensors cannot be read"):
        model.load(copy)
    with pytest.raises(ModelFileError, match=r"there is no model.json(.|\n)*--resume"):
        model.load(tmp_path / "nothing")


def test_weights_that_were_changed_are_refused(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["head.linear.bias"][0] += 1e-3
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(ModelFileError, match="damaged"):
        model.load(copy)


def resealed(copy: Path, content: bytes) -> None:
    """Other weights under a description that fits them: someone who means it."""
    import hashlib

    (copy / "model.safetensors").write_bytes(content)
    facts = json.loads((copy / "model.json").read_text())
    facts.pop("seal")
    facts["sha256"] = hashlib.sha256(content).hexdigest()
    (copy / "model.json").write_text(json.dumps({**facts, "seal": model_file.seal(facts)}))


def test_a_pickle_in_place_of_the_weights_is_not_run(copy: Path, tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "executed"),))

    (copy / "model.safetensors").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(ModelFileError, match="damaged"):
        model.load(copy)
    resealed(copy, pickle.dumps(Payload()))
    with pytest.raises(ModelFileError, match="no safetensors file"):
        model.load(copy)
    torch.save({"x": Payload()}, tmp_path / "x.pt")
    resealed(copy, (tmp_path / "x.pt").read_bytes())
    with pytest.raises(ModelFileError):
        model.load(copy)
    assert not (tmp_path / "executed").exists()


def test_weights_of_another_net_are_refused(copy: Path, tmp_path: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["head.linear.weight"] = torch.zeros(4, 32)
    save_file(weights, tmp_path / "other.safetensors")
    resealed(copy, (tmp_path / "other.safetensors").read_bytes())
    with pytest.raises(ModelFileError, match=r"does not fit the net(.|\n)*head.linear.weight"):
        model.load(copy)


def test_a_device_that_is_not_here_is_refused_by_name(saved: Path) -> None:
    with pytest.raises(DeviceError, match=r'no device "cuda:9"(.|\n)*cpu'):
        model.load(saved, device="cuda:9")
