"""`camlite.images.labelled_images`: images from a folder or an .npz, with their classes where they are known."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camlite.errors import ImageError
from camlite.images import labelled_images, picture_files

LABELS = ("cat", "dog")


def write(path: Path, value: int = 7, shape: tuple[int, ...] = (4, 5, 3)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture_files.write(path, np.full(shape, value, np.uint8))


def npz(tmp_path: Path, **arrays: np.ndarray) -> Path:
    path = tmp_path / "images.npz"
    np.savez(path, **arrays)
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as raised:
        labelled_images.load(path, LABELS)
    assert str(raised.value).startswith(str(path))
    return str(raised.value)


def test_a_folder_is_searched_with_its_subfolders_in_order_of_the_names(tmp_path: Path) -> None:
    write(tmp_path / "b.png", 2)
    write(tmp_path / "a" / "z.png", 1)
    (tmp_path / "notes.txt").write_text("not an image")
    images = labelled_images.load(tmp_path, LABELS)
    assert images.names == [str(tmp_path / "a" / "z.png"), str(tmp_path / "b.png")]
    assert [int(image[0, 0, 0]) for image in images] == [1, 2]
    assert images.classes is None


def test_what_is_hidden_is_no_picture(tmp_path: Path) -> None:
    write(tmp_path / "cat" / "a.png")
    write(tmp_path / "cat" / ".ipynb_checkpoints" / "a-checkpoint.png")
    (tmp_path / "cat" / "._a.png").write_bytes(b"what macOS keeps beside a file")
    write(tmp_path / ".trash" / "b.png")

    assert labelled_images.load(tmp_path, LABELS).names == [str(tmp_path / "cat" / "a.png")]


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    write(tmp_path / "grey.png", shape=(4, 5))
    assert labelled_images.load(tmp_path, LABELS)[0].shape == (4, 5, 1)


@pytest.mark.parametrize("names", [LABELS, ("0", "1")], ids=["labels", "indices"])
def test_subfolders_named_after_the_classes_tell_the_classes(tmp_path: Path, names: tuple[str, ...]) -> None:
    write(tmp_path / names[1] / "a.png")
    write(tmp_path / names[0] / "deep" / "b.jpg.png")
    write(tmp_path / names[0] / "c.PNG")
    images = labelled_images.load(tmp_path, LABELS)
    assert images.classes is not None
    assert images.classes.tolist() == [0, 0, 1]
    assert images.classes.dtype == np.int64


def test_one_image_outside_those_subfolders_and_the_classes_of_the_others_are_known(tmp_path: Path) -> None:
    write(tmp_path / "cat" / "a.png")
    write(tmp_path / "b.png")
    images = labelled_images.load(tmp_path, LABELS)
    assert images.classes is not None
    assert images.classes.tolist() == [labelled_images.UNKNOWN, 0]
    assert images.of_each_class(5, 5) == [[1]]
    assert "accuracy is measured on the 1 of 2 pictures whose class is known" in images.notes[-1]


def test_an_npz_of_grey_images_gets_an_axis_of_channels(tmp_path: Path) -> None:
    pixels = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)
    images = labelled_images.load(npz(tmp_path, images=pixels), LABELS)
    np.testing.assert_array_equal(images[1], pixels[1][..., np.newaxis])
    assert images.names[1].endswith("images.npz[1]")


def test_an_npz_may_know_the_classes(tmp_path: Path) -> None:
    path = npz(tmp_path, images=np.zeros((3, 4, 5, 3), np.uint8), classes=np.array([1, 0, 1], np.int8))
    images = labelled_images.load(path, LABELS)
    assert images.classes is not None
    assert images.classes.tolist() == [1, 0, 1]


def test_it_is_a_sequence(tmp_path: Path) -> None:
    pixels = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) + np.zeros((5, 2, 2, 1), np.uint8)
    images = labelled_images.load(npz(tmp_path, images=pixels), LABELS)
    assert len(images) == len(list(images)) == 5
    assert images[-1][0, 0, 0] == 4
    assert [int(image[0, 0, 0]) for image in images[1::2]] == [1, 3]
    with pytest.raises(IndexError):
        images[5]


def test_the_first_images_of_each_class(tmp_path: Path) -> None:
    path = npz(tmp_path, images=np.zeros((5, 2, 2), np.uint8), classes=np.array([1, 1, 0, 0, 1]))
    images = labelled_images.load(path, LABELS)
    assert images.of_each_class(9, 2) == [[2, 3], [0, 1]]
    assert images.of_each_class(1, 9) == [[2, 3]]


def test_where_classes_are_many_those_are_taken_that_are_spread_over_all(tmp_path: Path) -> None:
    labels = [f"class {k}" for k in range(9)]
    images = labelled_images.load(npz(tmp_path, images=np.zeros((9, 2, 2), np.uint8), classes=np.arange(9)), labels)
    assert images.of_each_class(3, 2) == [[0], [4], [8]]


def test_images_spread_over_all_where_no_class_is_known(tmp_path: Path) -> None:
    images = labelled_images.load(npz(tmp_path, images=np.zeros((5, 2, 2), np.uint8)), LABELS)
    assert images.of_each_class(3, 2) == [[0], [2], [4]]
    assert images.of_each_class(9, 2) == [[0], [1], [2], [3], [4]]


def test_pictures_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    """Memory stays bounded, and a damaged picture is named."""
    write(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    images = labelled_images.load(tmp_path, LABELS)
    assert images[0].shape == (4, 5, 3)
    with pytest.raises(ImageError, match=r"b\.png"):
        images[1]


def test_nothing_there(tmp_path: Path) -> None:
    assert "no such file or folder" in refusal(tmp_path / "nowhere")


def test_another_file(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    path.write_bytes(b"PK")
    assert "neither a folder nor an .npz" in refusal(path)


def test_a_folder_without_images(tmp_path: Path) -> None:
    assert "no images in this folder" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + bytes(40)])
def test_a_damaged_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "images.npz"
    path.write_bytes(content)
    assert "cannot read it as .npz" in refusal(path)


def test_an_npz_with_flipped_bytes(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (9, 8, 8), np.uint8))
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 4, len(content) // 2, 5):
        content[place] ^= 0xFF
    path.write_bytes(content)
    assert "cannot read it as .npz" in refusal(path)


def test_one_array_under_the_name_of_an_npz(tmp_path: Path) -> None:
    path = tmp_path / "images.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros((2, 4, 5), np.uint8))
    assert "cannot read it as .npz" in refusal(path)


@pytest.mark.parametrize(
    "arrays",
    [
        {"x_train": np.zeros((2, 4, 5), np.uint8)},
        {"images": np.zeros((2, 4, 5), np.float32)},
        {"images": np.zeros((4, 5), np.uint8)},
        {"images": np.zeros((0, 4, 5), np.uint8)},
        {"images": np.array([object()])},
    ],
    ids=["another name", "another dtype", "another shape", "no images", "objects"],
)
def test_an_npz_of_something_else(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    message = refusal(npz(tmp_path, **arrays))
    assert "expected `images` uint8" in message or "cannot read it as .npz" in message


def test_an_npz_of_five_channels(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="channels"):
        labelled_images.load(npz(tmp_path, images=np.zeros((2, 4, 4, 5), np.uint8)), LABELS)


@pytest.mark.parametrize(
    "classes",
    [np.array([0, 2]), np.array([-1, 0]), np.array([0.0, 1.0]), np.array([0, 1, 1]), np.array([[0], [1]])],
    ids=["too large", "negative", "not integers", "too many", "another shape"],
)
def test_classes_that_do_not_fit(tmp_path: Path, classes: np.ndarray) -> None:
    path = npz(tmp_path, images=np.zeros((2, 4, 5), np.uint8), classes=classes)
    assert "expected `classes` integers (2,) from 0 to 1" in refusal(path)


def lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody read a folder; root, who runs some of these tests, may read all of them."""
    scandir = os.scandir

    def refuse(path: Any) -> Any:
        if Path(path) == folder:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)


def test_a_class_folder_that_may_not_be_read_is_refused_and_not_passed_over(tmp_path, monkeypatch):
    for name in ("a", "b"):
        write(tmp_path / name / "1.png")
    lock(tmp_path / "b", monkeypatch)

    with pytest.raises(ImageError) as refused:
        labelled_images.load(tmp_path, ("a", "b"))

    assert str(refused.value) == (
        f"{tmp_path / 'b'}: cannot read this folder (Permission denied); check its permissions, or move it elsewhere"
    )


@pytest.mark.parametrize("name", ["lost+found", ".Trash-0"])
def test_a_folder_of_the_system_is_not_looked_into(name, tmp_path, monkeypatch):
    write(tmp_path / "a" / "1.png")
    write(tmp_path / name / "1.png")
    lock(tmp_path / name, monkeypatch)

    assert [Path(one).parent.name for one in labelled_images.load(tmp_path, ("a", "b")).names] == ["a"]
