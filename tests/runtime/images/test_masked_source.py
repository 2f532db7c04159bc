"""Images and masks in every form they come in, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from camlite.errors import ImageError
from camlite.images import picture_files
from camlite.images.masked_source import Source
from support.striped_patches import LABELS, patches, write_folder

VOC = """<annotation><filename>x.jpg</filename>
<object><name>vertical</name><bndbox><xmin>3</xmin><ymin>2.0</ymin><xmax>10</xmax><ymax>5</ymax></bndbox></object>
<object><name>horizontal</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object>
<object><name>vertical</name><bndbox><xmin>20</xmin><ymin>15</ymin><xmax>24</xmax><ymax>16</ymax></bndbox></object>
</annotation>"""
BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><annotation>&b;</annotation>'


@pytest.fixture
def voc(tmp_path: Path) -> Path:
    for name in ("Annotations", "JPEGImages"):
        (tmp_path / name).mkdir()
    (tmp_path / "Annotations" / "1.xml").write_text(VOC)
    picture_files.write(tmp_path / "JPEGImages" / "1.png", np.zeros((16, 24), np.uint8))
    return tmp_path


def refusal(path: Path) -> str:
    def first_mask() -> None:
        data = Source(path).open(LABELS)
        data.mask(0, data.images[0])

    with pytest.raises(ImageError) as raised:
        first_mask()
    return str(raised.value)


def test_a_folder_holds_images_and_masks_of_the_same_names(tmp_path: Path):
    data = Source(write_folder(tmp_path, 6, beside=False)).open(LABELS)
    images, classes, masks = patches(6, beside=False)

    order = np.argsort(classes, kind="stable")
    assert data.images.classes is not None
    assert data.images.classes.tolist() == classes[order].tolist()
    for place, index in enumerate(order):
        assert (data.images[place][..., 0] == images[index]).all()
        assert (data.mask(place, data.images[place]) == masks[index]).all()


def test_a_label_without_a_folder_of_masks_shows_no_objects(tmp_path: Path):
    folder = write_folder(tmp_path, 4, beside=False)
    for file in (folder / "masks" / "horizontal").iterdir():
        file.unlink()
    (folder / "masks" / "horizontal").rmdir()
    data = Source(folder).open(LABELS)

    assert [data.mask(i, data.images[i]) is None for i in range(4)] == [True, True, False, False]


def test_a_mask_that_is_missing_among_others_is_named(tmp_path: Path):
    folder = write_folder(tmp_path, 4, beside=False)
    missing = folder / "masks" / "vertical" / "3.png"
    missing.unlink()

    assert (
        refusal(folder)
        == f"{missing}: no mask for 1 of 4 images; expected masks/LABEL/STEM.png for images/LABEL/STEM.jpg"
    )


def test_a_mask_of_another_size_is_named(tmp_path: Path):
    folder = write_folder(tmp_path, 4, beside=False)
    picture_files.write(folder / "masks" / "horizontal" / "0.png", np.ones((8, 8), np.uint8))

    assert refusal(folder).endswith("0.png: the mask is (8, 8), its image (16, 24); expected the same size")


def test_a_folder_of_images_alone_has_no_masks(tmp_path: Path):
    folder = write_folder(tmp_path, 4, beside=False)

    assert Source(folder / "images").open(LABELS).read_mask is None


def test_an_npz_may_hold_masks(tmp_path: Path):
    images, classes, masks = patches(4, beside=True)
    np.savez(tmp_path / "a.npz", images=images, classes=classes, masks=masks)
    np.savez(tmp_path / "b.npz", images=images, classes=classes)
    np.savez(tmp_path / "c.npz", images=images, classes=classes, masks=masks[:2])
    data = Source(tmp_path / "a.npz").open(LABELS)

    assert (data.mask(1, data.images[1]) == masks[1]).all()
    assert Source(tmp_path / "b.npz").open(LABELS).read_mask is None
    assert "expected `masks` bool or uint8 (4, H, W), received bool (2, 16, 24)" in refusal(tmp_path / "c.npz")


def test_pascal_voc_counts_pixels_from_1_and_the_largest_class_names_the_image(voc: Path):
    data = Source(voc).open(LABELS)

    expected = np.zeros((16, 24), np.bool_)
    expected[1:5, 2:10] = expected[14:16, 19:24] = True
    assert data.images.classes is not None
    assert data.images.classes.tolist() == [1]
    assert (data.mask(0, data.images[0]) == expected).all()


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (BOMB, "declares a document type; expected plain XML"),
        (BOMB.encode("utf-16"), "declares a document type; expected plain XML"),
        ("<annotation>", "cannot read it as XML ("),
        ("", "cannot read it as XML ("),
        (VOC.replace("<xmin>3<", "<xmin>three<"), "an object's bndbox is no four numbers"),
        (VOC.replace("<xmin>3<", "<xmin>inf<"), "an object's bndbox is no four numbers"),
    ],
)
def test_xml_that_is_no_annotation_is_refused(voc: Path, content: str | bytes, part: str):
    file = voc / "Annotations" / "1.xml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    assert refusal(voc).startswith(f"{file}: ")
    assert part in refusal(voc)


def test_annotations_without_a_picture_or_of_other_labels_are_refused(voc: Path):
    (voc / "Annotations" / "2.xml").write_text(VOC)
    assert "2.xml: no picture of this name in" in refusal(voc)
    (voc / "Annotations" / "2.xml").unlink()
    (voc / "Annotations" / "1.xml").write_text(VOC.replace("vertical", "cat").replace("horizontal", "dog"))
    assert refusal(voc).endswith("horizontal, vertical; it has cat, dog; rename one or the other")
    (voc / "Annotations" / "1.xml").unlink()
    assert "no .xml in it" in refusal(voc)


def test_masks_without_images_are_told(tmp_path: Path):
    (tmp_path / "masks").mkdir()

    assert refusal(tmp_path).endswith("has a folder masks but none named images; expected both")
