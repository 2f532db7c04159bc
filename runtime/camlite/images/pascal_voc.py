"""Pascal VOC: one XML file of boxes a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from camlite.errors import ImageError
from camlite.images import picture_files
from camlite.images.boxed_images import Object, masked_images
from camlite.images.masked_images import Mask, MaskedImages
from camlite.system import files

ANNOTATIONS, _PICTURES = "Annotations", "JPEGImages"

_FURTHEST = 1 << 31  # pixel
_MOST_BYTES = 1 << 26  # of a file of boxes

_Box = tuple[int, int, int, int]


def load(path: Path, labels: Sequence[str]) -> MaskedImages:
    """Open ``Annotations/STEM.xml`` and ``JPEGImages/STEM.jpg``; an object's mask is its box.

    Raises:
        ImageError: a file is missing, is no such XML, or no object bears one of the labels.
    """
    pictures = {
        file.stem: file for file in sorted((path / _PICTURES).glob("*")) if picture_files.has_picture_name(file)
    }
    found = sorted((path / ANNOTATIONS).glob("[!.]*.xml"))
    missing = [file for file in found if file.stem not in pictures]
    expected = f"expected {ANNOTATIONS}/STEM.xml and {_PICTURES}/STEM.jpg"
    if not found:
        raise ImageError(f"{path / ANNOTATIONS}: no .xml in it; {expected}")
    if missing:
        raise ImageError(f"{missing[0]}: no picture of this name in {path / _PICTURES}; {expected}")
    objects = [_objects(file) for file in found]
    return masked_images(path, [pictures[file.stem] for file in found], objects, labels, _draw)


def _objects(file: Path) -> list[Object[_Box]]:
    found = []
    for element in _parse(file).iter("object"):
        try:
            label = (element.findtext("name") or "").strip()
            left, top, right, bottom = (
                round(float(element.findtext(f"bndbox/{side}") or "")) for side in ("xmin", "ymin", "xmax", "ymax")
            )
            if not all(abs(side) <= _FURTHEST for side in (left, top, right, bottom)):
                raise ValueError
        except (ValueError, OverflowError):
            raise ImageError(
                f"{file}: an object's bndbox is no four numbers; expected xmin, ymin, xmax, ymax"
            ) from None
        # Pixels are counted from 1, and the last one belongs to the box.
        box = (max(0, left - 1), max(0, top - 1), right, bottom)
        found.append(Object(label, float(max(0, box[2] - box[0]) * max(0, box[3] - box[1])), box))
    return found


def _draw(box: _Box, mask: Mask) -> None:
    left, top, right, bottom = box
    mask[top : max(top, bottom), left : max(left, right)] = True


def _parse(file: Path) -> Element:
    """Parse XML that declares nothing: entities can grow without bounds, or name other files."""
    builder, parser = TreeBuilder(), expat.ParserCreate()

    def refuse(*_: object) -> NoReturn:
        raise ImageError(f"{file}: declares a document type; expected plain XML as Pascal VOC has it")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(files.read(file, _MOST_BYTES), True)
    except ImageError:
        raise
    except (OSError, LookupError, ValueError, expat.ExpatError) as error:  # of codecs that a file names, too
        raise ImageError(f"{file}: cannot read it as XML ({error})") from None
    return builder.close()
