"""COCO's annotations, read with pycocotools."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from camlite.errors import ImageError
from camlite.images.boxed_images import Object, masked_images
from camlite.images.masked_images import Mask, MaskedImages
from camlite.system import files as opening
from camlite.texts import counted

_MOST_BYTES = 1 << 30  # those of COCO itself are 450 MB
_MOST_SIDES_AWAY = 2  # a corner of a polygon from that of its picture


def load(path: Path, pictures: Path | None, labels: Sequence[str]) -> MaskedImages:
    """Open COCO's object annotations: polygons, run lengths, or boxes where an object has no segmentation.

    Args:
        path: the ``.json``.
        pictures: folder of the pictures; by default that of the annotations, or ``images`` in it.
        labels: the classifier's; categories are found by their names.

    Raises:
        ImageError: no such file, no COCO, a picture is missing, or no object is of one of the labels.
    """
    from pycocotools.coco import COCO

    try:
        with opening.regular(path) as file:  # pycocotools would wait for a pipe
            size = os.fstat(file.fileno()).st_size
        if size > _MOST_BYTES:
            raise ImageError(f"{path}: {size} bytes, expected at most {_MOST_BYTES} of annotations")
        with contextlib.redirect_stdout(io.StringIO()):  # it reports how long reading takes
            coco = COCO(str(path))
        names = {category["id"]: str(category["name"]) for category in coco.dataset["categories"]}
        images = [coco.imgs[key] for key in sorted(coco.imgs)]
        folder = pictures or (path.parent / "images" if (path.parent / "images").is_dir() else path.parent)
        files = [_inside(folder, str(one["file_name"])) for one in images]
        objects = [
            [Object(names[one["category_id"]], float(one["area"]), (coco, one)) for one in coco.imgToAnns[image["id"]]]
            for image in images
        ]
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(f"{path}: cannot read it ({error.strerror}); check the path") from None
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError, OverflowError) as error:
        raise ImageError(
            f"{path}: no annotations of COCO ({type(error).__name__}: {error}); "
            f"expected images, annotations and categories"
        ) from None
    missing = [file for file in files if not file.is_file()]
    if missing:
        count = f"{len(missing)} of {counted(len(files), 'picture')}"
        raise ImageError(f"{missing[0]}: no such file; missing are {count}; give --images DIR")
    return masked_images(path, files, objects, labels, _draw)


def _inside(folder: Path, name: str) -> Path:
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise ImageError(f"{file}: lies outside of {folder}; expected names of pictures in that folder")
    return file


def _draw(shape: tuple[Any, dict[str, Any]], mask: Mask) -> None:
    coco, annotation = shape
    if annotation.get("segmentation"):
        _check_segmentation(coco, annotation, mask)
        try:
            drawn = coco.annToMask(annotation).astype(bool)
        except Exception as error:  # its parser in C raises whatever it meets
            raise ImageError(f"annotation {annotation.get('id')}: its segmentation cannot be drawn ({error})") from None
        mask |= drawn
        return
    try:
        left, top, width, height = map(float, annotation["bbox"])
        rows, columns = slice(round(top), round(top + height)), slice(round(left), round(left + width))
    except (KeyError, ValueError, TypeError, OverflowError):
        raise ImageError(f"annotation {annotation.get('id')}: neither segmentation nor bbox of four numbers") from None
    mask[rows, columns] = True


def _check_segmentation(coco: Any, annotation: dict[str, Any], mask: Mask) -> None:
    """Refuse what pycocotools' C would take memory for, or write outside of: a polygon at 1e9 ends the process."""
    where = f"annotation {annotation.get('id')}"
    image = coco.imgs[annotation["image_id"]]
    size = (image.get("height"), image.get("width"))
    if size != mask.shape:
        raise ImageError(f"{where}: for an image of {size}, its picture is {mask.shape}")
    parts = annotation["segmentation"]
    if isinstance(parts, dict):
        if parts.get("size") != list(mask.shape):
            raise ImageError(f"{where}: run lengths for an image of {parts.get('size')}, its picture is {mask.shape}")
        return
    most = _MOST_SIDES_AWAY * max(mask.shape)
    if not isinstance(parts, list) or not all(_is_polygon(part, most) for part in parts):
        raise ImageError(f"{where}: its segmentation cannot be drawn; expected polygons in the picture, x, y, x, y ...")


def _is_polygon(part: Any, most: int) -> bool:
    return (
        isinstance(part, list)
        and len(part) >= 6
        and len(part) % 2 == 0
        and all(isinstance(one, (int, float)) and -most <= one <= most for one in part)
    )
