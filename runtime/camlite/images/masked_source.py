"""Open images with masks, for an audit or a measurement of faithfulness.

Folders, an ``.npz``, Pascal VOC; COCO where pycocotools is installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camlite.errors import ImageError
from camlite.images import labelled_images, pascal_voc, picture_files, preprocessing
from camlite.images.labelled_images import LabelledImages
from camlite.images.masked_images import Mask, MaskedImages
from camlite.images.preprocessing import Pixels
from camlite.system.extensions import extension
from camlite.texts import counted


@dataclass(frozen=True)
class Source:
    """Where images and masks come from, so that another process can open them, too.

    Attributes:
        path: of the data; see `open`.
        pictures: with COCO, the folder of its pictures; by default that of the annotations, or ``images`` in it.
        masks: a folder of masks for a folder of images: the same names below it, but ``.png``.
    """

    path: Path
    pictures: Path | None = None
    masks: Path | None = None

    def open(self, labels: Sequence[str]) -> MaskedImages:
        """Open images and masks. In every form a mask of 0 alone is a picture that shows no object.

        ========================================  =============================================================
        path                                      holds
        ========================================  =============================================================
        folder with ``images`` and ``masks``      ``images/LABEL/STEM.jpg`` and ``masks/LABEL/STEM.png``; where a
                                                  mask is not 0 is the object. A label without a folder in
                                                  ``masks`` shows no objects.
        folder with ``Annotations``               Pascal VOC; its pictures in ``JPEGImages``
        any other folder                          images, in subfolders named after the labels; no masks
        ``.npz``                                  ``images``, perhaps ``classes``, perhaps ``masks`` (N, H, W)
        ``.json``                                 COCO
        ========================================  =============================================================

        Raises:
            ImageError: nothing there, or not in one of these forms.
        """
        path = self.path
        if self.masks is not None:
            return _folder(path, self.masks, labels)
        if path.suffix == ".json":
            coco: MaskedImages = extension("coco").load(path, self.pictures, labels)
            return coco
        if path.is_dir() and (path / pascal_voc.ANNOTATIONS).is_dir():
            return pascal_voc.load(path, labels)
        if path.is_dir() and (path / "masks").is_dir():
            if not (path / "images").is_dir():
                raise ImageError(f"{path}: has a folder masks but none named images; expected both")
            return _folder(path / "images", path / "masks", labels)
        images = labelled_images.load(path / "images" if (path / "images").is_dir() else path, labels)
        return _npz(path, images) if path.suffix == ".npz" else MaskedImages(images, None)


def check_mask(mask: Mask, pixels: Pixels, where: str) -> Mask:
    """Raise `ImageError` where a mask is not of its image's size."""
    if mask.shape != pixels.shape[:2]:
        raise ImageError(f"{where}: the mask is {mask.shape}, its image {pixels.shape[:2]}; expected the same size")
    return mask


def _folder(path: Path, masks: Path, labels: Sequence[str]) -> MaskedImages:
    if not path.is_dir() or not masks.is_dir():
        missing_folder = masks if path.is_dir() else path
        raise ImageError(f"{missing_folder}: no such folder; expected one of images and one of their masks")
    images = labelled_images.load(path, labels)
    files = [masks / Path(name).relative_to(path).with_suffix(".png") for name in images.names]
    masked = {file.parent for file in files if file.parent.is_dir()}
    missing = [file for file in files if file.parent in masked and not file.is_file()]
    if missing or not masked:
        raise ImageError(
            f"{missing[0] if missing else masks}: no mask for {len(missing) or len(files)} of "
            f"{counted(len(files), 'image')}; expected {masks.name}/LABEL/STEM.png for {path.name}/LABEL/STEM.jpg"
        )

    def read(index: int, pixels: Pixels) -> Mask:
        file = files[index]
        if file.parent not in masked:
            return np.zeros(pixels.shape[:2], np.bool_)
        return check_mask(preprocessing.check(picture_files.read_image(file)).any(axis=2), pixels, str(file))

    return MaskedImages(images, read)


def _npz(path: Path, images: LabelledImages) -> MaskedImages:
    masks = labelled_images.read_npz(path, "masks").get("masks")
    if masks is None:
        return MaskedImages(images, None)
    if masks.ndim != 3 or len(masks) != len(images) or masks.dtype not in (np.bool_, np.uint8):
        raise ImageError(
            f"{path}: expected `masks` bool or uint8 ({len(images)}, H, W), received {masks.dtype} {masks.shape}"
        )
    return MaskedImages(images, lambda i, pixels: check_mask(masks[i] != 0, pixels, images.names[i]))
