"""Options that several of the exporter's commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from camlite.artifact.card import ChannelOrder, Fit
from camlite.errors import ClassifierError
from camlite_export.sources import pixel_conventions


def add_classifier(parser: argparse.ArgumentParser) -> None:
    """``--layer``, ``--structure`` and ``--trust``."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="run Python code that the file carries (Lambda layers, classes of your own)",
    )
    parser.add_argument(
        "--structure",
        type=Path,
        metavar="JSON",
        help="the layers, as model.to_json() writes them, if the file holds weights only",
    )
    parser.add_argument(
        "--layer", help="take the map after this layer: a name, or an index such as -3 (default: camlite finds it)"
    )


def add_size(parser: argparse.ArgumentParser) -> None:
    """``--size``."""
    parser.add_argument(
        "--size",
        type=size,
        metavar="HEIGHTxWIDTH",
        help="size of the pictures, if the classifier takes any size, such as 224 or 240x320",
    )


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """``--preprocess``, ``--mean``, ``--std``, ``--order``, ``--fit``."""
    parser.add_argument(
        "--preprocess",
        choices=list(pixel_conventions.NAMED),
        help="the pixels that the classifier was trained on. unit: 0..1; signed: -1..1; imagenet: ImageNet's mean and "
        "deviation; caffe: ImageNet's mean, BGR; raw: 0..255 (default: camlite finds out from layers and pictures)",
    )
    parser.add_argument(
        "--mean",
        type=numbers,
        metavar="M[,M,M]",
        help="instead of --preprocess: mean of the pixels on 0..255, or on 0..1 as in PyTorch",
    )
    parser.add_argument(
        "--std", type=numbers, metavar="S[,S,S]", help="standard deviation of the pixels, on the scale of --mean"
    )
    parser.add_argument(
        "--order",
        choices=get_args(ChannelOrder),
        help="order of the colour channels; bgr if OpenCV read the training pictures (default: camlite finds out; rgb "
        "if nothing tells)",
    )
    parser.add_argument(
        "--fit",
        choices=get_args(Fit),
        help="how to fit pictures of another shape: stretch, or crop the middle (default: stretch; crop for Teachable "
        "Machine)",
    )


def layer(text: str | None) -> int | str | None:
    """``-3`` is an index, ``conv_128`` a name."""
    if text is None:
        return None
    return int(text) if re.fullmatch(r"-?[0-9]{1,9}", text) else text


def size(text: str) -> tuple[int, int]:
    """``240x320`` is a height and a width, ``224`` both."""
    sides = text.split("x") if "x" in text else [text, text]
    if len(sides) != 2 or not all(re.fullmatch(r"0*[1-9][0-9]{0,5}", side) for side in sides):
        raise ClassifierError(f"--size {text}: expected one side or two, from 1 to 999999, such as 224 or 240x320")
    return int(sides[0]), int(sides[1])


def numbers(text: str) -> Sequence[float]:
    """``72.9`` or ``123.7,116.3,103.5``."""
    return tuple(map(float, text.split(",")))


# argparse puts these into its messages
size.__name__ = "size, such as 224 or 240x320"
numbers.__name__ = "list of numbers"
