"""COCO's annotations: polygons, run lengths and boxes become masks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from camlite.errors import ImageError
from camlite.images import picture_files
from camlite.images.masked_source import Source

LABELS = ("cat", "dog")


def dataset(folder: Path, **changes: Any) -> Path:
    """Two pictures: a dog as a polygon beside a small cat, and a cat as run lengths and as a box."""
    (folder / "images").mkdir(exist_ok=True)
    for name in ("a.png", "b.png"):
        picture_files.write(folder / "images" / name, np.zeros((20, 30), np.uint8))
    square = [[5, 5, 15, 5, 15, 10, 5, 10]]
    runs = {"counts": [0, 40, 560], "size": [20, 30]}
    common = {"iscrowd": 0}
    content = {
        "images": [
            {"id": 7, "file_name": "a.png", "height": 20, "width": 30},
            {"id": 3, "file_name": "b.png", "height": 20, "width": 30},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 5, "name": "dog"}],
        "annotations": [
            {
                "id": 1,
                "image_id": 7,
                "category_id": 5,
                "segmentation": square,
                "area": 50,
                "bbox": [5, 5, 10, 5],
                **common,
            },
            {"id": 2, "image_id": 7, "category_id": 1, "area": 4, "bbox": [0, 0, 2, 2], **common},
            {
                "id": 3,
                "image_id": 3,
                "category_id": 1,
                "segmentation": runs,
                "area": 40,
                "bbox": [0, 0, 2, 20],
                "iscrowd": 1,
            },
            {"id": 4, "image_id": 3, "category_id": 1, "area": 9, "bbox": [20, 10, 3, 3], **common},
        ],
        **changes,
    }
    path = folder / "instances.json"
    path.write_text(json.dumps(content))
    return path


def test_polygons_run_lengths_and_boxes_become_masks_of_the_largest_class(tmp_path: Path) -> None:
    data = Source(dataset(tmp_path)).open(LABELS)
    cat, dog = (data.mask(i, data.images[i]) for i in (0, 1))

    expected = np.zeros((20, 30), np.bool_)
    expected[:, :2] = expected[10:13, 20:23] = True
    assert data.images.classes is not None
    assert data.images.classes.tolist() == [0, 1]
    assert cat is not None
    assert dog is not None
    assert (cat == expected).all()
    assert dog[5:10, 5:15].all()
    assert dog.sum() == 50


def test_pictures_may_lie_elsewhere(tmp_path: Path) -> None:
    path = dataset(tmp_path)
    moved = (tmp_path / "images").rename(tmp_path / "photos")
    with pytest.raises(ImageError, match="missing are 2 of 2 pictures; give --images DIR"):
        Source(path).open(LABELS)

    assert len(Source(path, moved).open(LABELS)) == 2


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"images": "none"}, "no annotations of COCO ("),
        ({"categories": []}, "no annotations of COCO (KeyError"),
        ({"images": [{"id": 7, "file_name": "../../a.png"}]}, "lies outside of"),
        ({"annotations": []}, "no object of the classifier's labels, cat, dog; it has none"),
    ],
)
def test_what_is_no_coco_is_refused(tmp_path: Path, changes: dict[str, Any], part: str) -> None:
    with pytest.raises(ImageError) as raised:
        Source(dataset(tmp_path, **changes)).open(LABELS)
    assert part in str(raised.value)


def test_text_that_is_no_json_is_refused_and_so_is_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    for name in ("a.json", "b.json"):
        with pytest.raises(ImageError, match=name):
            Source(tmp_path / name).open(LABELS)


def test_a_mask_of_another_size_than_its_picture_is_refused(tmp_path: Path) -> None:
    images = [
        {"id": 7, "file_name": "a.png", "height": 40, "width": 60},
        {"id": 3, "file_name": "b.png", "height": 20, "width": 30},
    ]
    data = Source(dataset(tmp_path, images=images)).open(LABELS)

    with pytest.raises(ImageError, match=r"for an image of \(40, 60\), its picture is \(20, 30\)"):
        [data.mask(i, data.images[i]) for i in range(2)]


@pytest.mark.parametrize(
    "segmentation",
    [
        [[0, 0, 1e9, 0, 1e9, 1e9]],  # pycocotools 2.0.11 ends the process for it
        [[0, 0, float("nan"), 0, 5, 5]],
        [[1, 2]],
        [["0", 0, 1, 0, 1, 1]],
        [5],
        "x",
        {"counts": [0, 1 << 40], "size": [1 << 20, 1 << 20]},
        {"counts": [0, 100_000], "size": [20, 30]},
    ],
    ids=str,
)
def test_segmentations_that_would_end_the_process_or_fill_memory(tmp_path: Path, segmentation: Any) -> None:
    annotation = {"id": 1, "image_id": 7, "category_id": 5, "segmentation": segmentation, "area": 50, "iscrowd": 0}
    data = Source(dataset(tmp_path, annotations=[annotation])).open(LABELS)
    with pytest.raises(ImageError, match="annotation 1: "):
        data.mask(0, data.images[0])


def test_an_image_that_is_said_to_be_gigantic_takes_no_memory(tmp_path: Path) -> None:
    image = {"id": 7, "file_name": "a.png", "height": 1 << 20, "width": 1 << 20}
    annotation = {"id": 1, "image_id": 7, "category_id": 5, "segmentation": [[5, 5, 15, 5, 15, 10]], "area": 50}
    data = Source(dataset(tmp_path, images=[image], annotations=[annotation])).open(LABELS)
    with pytest.raises(ImageError, match=r"for an image of \(1048576, 1048576\), its picture is \(20, 30\)"):
        data.mask(0, data.images[0])
