"""Images with or without their classes, from a folder or an ``.npz``; read one at a time, so memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from camlite.errors import ImageError
from camlite.images import class_folders, picture_files, preprocessing
from camlite.system import files

Pixels = NDArray[np.uint8]

UNKNOWN = -1
"""In place of a class: that of this image is not known."""


@dataclass(frozen=True)
class LabelledImages(Sequence[Pixels]):
    """A sequence of uint8 images (H, W, channels).

    Attributes:
        names: the name of each in messages: its path, or its index in the ``.npz``.
        classes: index of the class of each, int64 (N,), `UNKNOWN` if it is not known; None if no class is known.
        read: gives the image at an index.
        notes: which folders and labels did not match, one line each, see `camlite.images.class_folders`.
    """

    names: Sequence[str]
    classes: NDArray[np.int64] | None
    read: Callable[[int], Pixels]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Pixels: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pixels]: ...

    def __getitem__(self, index: int | slice) -> Pixels | list[Pixels]:
        if isinstance(index, slice):
            return [self.read(i) for i in range(*index.indices(len(self)))]
        return self.read(range(len(self))[index])

    def __iter__(self) -> Iterator[Pixels]:
        return map(self.read, range(len(self)))

    def only(self, indices: Sequence[int]) -> LabelledImages:
        """The images at these indices, in this order."""
        kept = [int(index) for index in indices]
        classes = None if self.classes is None else self.classes[kept]
        return LabelledImages([self.names[i] for i in kept], classes, lambda i: self.read(kept[i]), self.notes)

    def spread(self, most: int) -> LabelledImages:
        """At most so many of them, evenly spaced: folders are sorted by class. All of them where they are no more."""
        return self if len(self) <= most else self.only(_evenly(len(self), most))

    def readable(self) -> tuple[LabelledImages, tuple[str, ...]]:
        """The images that can be read, and a line for each that cannot; each is read once.

        Raises:
            ImageError: none can be read.
        """
        bad: dict[int, str] = {}
        for index in range(len(self)):
            try:
                self.read(index)
            except ImageError as error:  # noqa: PERF203 - reading takes longer
                bad[index] = str(error)
        return self.without(bad), tuple(bad.values())

    def without(self, bad: Mapping[int, str]) -> LabelledImages:
        """All but those at some indices.

        Args:
            bad: index -> why it cannot be read.

        Raises:
            ImageError: nothing is left.
        """
        if not bad:
            return self
        if len(bad) == len(self):
            raise ImageError(next(iter(bad.values())))
        return self.only([index for index in range(len(self)) if index not in bad])

    def of_each_class(self, classes: int, images: int) -> list[list[int]]:
        """Indices of the first images of some classes, which are spread evenly over all that have images.

        Where classes are not known, of one image each, spread evenly over all images: folders are sorted by name, and
        names often by class.
        """
        known = self._known_classes()
        if self.classes is None or not len(known):
            return [[i] for i in _evenly(len(self), classes)]
        return [np.flatnonzero(self.classes == known[k])[:images].tolist() for k in _evenly(len(known), classes)]

    def _known_classes(self) -> NDArray[np.int64]:
        return np.array([], np.int64) if self.classes is None else np.unique(self.classes[self.classes != UNKNOWN])


def _evenly(count: int, most: int) -> list[int]:
    """At most so many of the indices below a count, evenly spaced, the first and the last among them."""
    indices: list[int] = np.linspace(0, count - 1, min(count, most)).astype(int).tolist()
    return indices


Images: TypeAlias = "str | Path | Pixels | LabelledImages"
"""Images as callers have them: a folder, an ``.npz``, an array uint8 (N, H, W) or (N, H, W, channels), or those that
are open.
"""


def of(images: Images, labels: Sequence[str]) -> LabelledImages:
    """Images as callers have them, opened; the classes of an array are not known.

    Raises:
        ImageError: see `load`; or an array of another shape or dtype.
    """
    if isinstance(images, LabelledImages):
        return images
    if isinstance(images, str | Path):
        return load(Path(images), labels)
    return of_arrays(images)


def of_arrays(images: Pixels, classes: NDArray[Any] | None = None, class_count: int | None = None) -> LabelledImages:
    """Images, uint8 (N, H, W) or (N, H, W, channels), and their classes, integers (N,), where they are known.

    Args:
        class_count: how many classes there are; by default as many as are there.

    Raises:
        ImageError: another shape or dtype, or a class that there is none of.
    """
    return _checked(images, classes, class_count, "the array of images", "images")


def load(path: Path, labels: Sequence[str]) -> LabelledImages:
    """Open a folder of images, or an ``.npz``.

    A folder is searched with its subfolders. Of images in subfolders named after the labels the classes are
    known, see `camlite.images.class_folders`; what did not match stands in the notes. An ``.npz`` holds
    ``images``, uint8 (N, H, W) or (N, H, W, channels), and may hold ``classes``, integers (N,).

    Raises:
        ImageError: nothing there, no images in it, or arrays of another name, shape or dtype.
    """
    check_there(path)
    return _folder(path, labels) if path.is_dir() else _npz(path, len(labels))


def check_there(path: Path) -> None:
    """See that a folder or an ``.npz`` is there, before anything that takes longer.

    Raises:
        ImageError: it is not.
    """
    if not (path.is_dir() or (path.suffix == ".npz" and path.exists())):
        what = "neither a folder nor an .npz" if path.exists() else "no such file or folder"
        raise ImageError(f"{path}: {what}; expected a folder of images or an .npz with `images`")


def _folder(path: Path, labels: Sequence[str]) -> LabelledImages:
    found = picture_files.below(path)
    if not found:
        raise ImageError(f"{path}: no images in this folder; expected files such as {', '.join(('.png', '.jpg'))}")
    matched = class_folders.match([file.relative_to(path) for file in found], labels, str(path))
    known = [UNKNOWN if k is None else k for k in matched.classes]
    classes = np.array(known, np.int64) if max(known) != UNKNOWN else None
    return LabelledImages(
        [str(file) for file in found],
        classes,
        lambda i: preprocessing.check(picture_files.read_image(found[i])),
        matched.notes,
    )


def read_npz(path: Path, only: str | None = None) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz``, or the one of this name, if it is there.

    Raises:
        ImageError: it cannot be read, or holds something else than arrays.
    """
    try:
        # numpy would leave the file open where it is damaged.
        with files.regular(path) as file, np.load(file, allow_pickle=False) as arrays:
            content = {name: arrays[name] for name in arrays if only in (None, name)}
    except Exception as error:  # zipfile, zlib, ast and tokenize let their own errors through
        raise ImageError(f"{path}: cannot read it as .npz ({error}); make it with numpy.savez_compressed") from None
    odd = [name for name, array in content.items() if not isinstance(array, np.ndarray)]  # files of the zip are bytes
    if odd:
        raise ImageError(f"{path}: {odd[0]!r:.100} is no array; make it with numpy.savez_compressed")
    return content


def _npz(path: Path, class_count: int) -> LabelledImages:
    content = read_npz(path)
    if "images" not in content:
        received = {name: (array.dtype.name, array.shape) for name, array in content.items()}
        raise ImageError(f"{path}: expected `images` uint8 (N, H, W) or (N, H, W, channels), received {received}")
    return _checked(content["images"], content.get("classes"), class_count, str(path), str(path))


def _checked(
    images: NDArray[Any], classes: NDArray[Any] | None, class_count: int | None, where: str, name: str
) -> LabelledImages:
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim not in (3, 4) or not len(images):
        received = (images.dtype.name, images.shape) if isinstance(images, np.ndarray) else type(images).__name__
        raise ImageError(f"{where}: expected `images` uint8 (N, H, W) or (N, H, W, channels), received {received}")
    if classes is not None:
        most = class_count or np.iinfo(np.int64).max
        fits = classes.shape == images.shape[:1] and np.issubdtype(classes.dtype, np.integer)
        if not fits or classes.min() < 0 or classes.max() >= most:
            raise ImageError(
                f"{where}: expected `classes` integers ({len(images)},) from 0 to {most - 1}, "
                f"received {classes.dtype} {classes.shape}"
            )
        classes = classes.astype(np.int64)
    preprocessing.check(images[0])
    names = [f"{name}[{i}]" for i in range(len(images))]
    return LabelledImages(names, classes, lambda i: preprocessing.check(images[i]))
