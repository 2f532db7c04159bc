"""From pixels to the classifier's input, and from a heatmap to a picture. Pure numpy; files are `camlite.picture`'s."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.backends.interpreter import Tensor
from camlite.cam import resize_matrix
from camlite.card import Preprocessing
from camlite.errors import ImageError

Pixels = NDArray[np.uint8]

# ITU-R BT.601 luma, as Pillow and most training pipelines turn colour to grey.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)

# Inferno (van der Walt and Smith, 2015; CC0): perceptually uniform, readable without colour vision.
# 33 of its 256 colours, evenly spaced; linear interpolation between them stays within 1.5 of 255 of the whole.
_INFERNO = (
    np.frombuffer(
        bytes.fromhex(
            "0000040403120b0724150b37210c4a2e0a5a3c09654a0c6b57106d63146e70196e"
            "7d1e6d89226a962766a32b61af315cbb3755c63e4dd14644db4f3be35932eb6528"
            "f1711ef67f14f98d0afb9c06fcab0ffbba1ff9ca32f5d949f2e865f3f586fcffa4"
        ),
        np.uint8,
    )
    .reshape(-1, 3)
    .astype(np.float32)
)


def check(image: NDArray[Any]) -> Pixels:
    """Return the image as uint8 (H, W, channels) with 1 or 3 channels; an alpha channel is dropped.

    Raises:
        ImageError: another dtype, rank or number of channels, or no pixels.
    """
    if image.dtype != np.uint8:
        raise ImageError(f"image: dtype {image.dtype}, expected uint8 pixels 0..255; convert it first")
    pixels = image[..., np.newaxis] if image.ndim == 2 else image
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise ImageError(f"image: shape {image.shape}, expected (H, W) or (H, W, channels) with 1, 3 or 4 channels")
    if pixels.size == 0:
        raise ImageError(f"image: shape {image.shape} holds no pixels")
    return pixels[..., :3] if pixels.shape[2] == 4 else pixels


def window(height: int, width: int, target: Preprocessing) -> tuple[slice, slice]:
    """The rows and columns of an image (height, width) that the classifier sees."""
    if target.fit == "stretch":
        return slice(0, height), slice(0, width)
    rows = min(height, max(1, round(width * target.height / target.width)))
    columns = min(width, max(1, round(height * target.width / target.height)))
    top, left = (height - rows) // 2, (width - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)


def prepare(image: Pixels, target: Preprocessing) -> NDArray[np.float32]:
    """The classifier's input for a checked image: float32 (height, width, channels)."""
    rows, columns = window(image.shape[0], image.shape[1], target)
    pixels = _resize(image[rows, columns], target.height, target.width)
    if target.channels == 1 and pixels.shape[2] == 3:
        pixels = (pixels @ _LUMA)[..., np.newaxis]
    elif target.channels == 3 and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if target.order == "bgr":
        pixels = pixels[..., ::-1]
    return np.asarray(pixels * np.array(target.scale, np.float32) + np.array(target.offset, np.float32))


class Preparation:
    """`prepare`, written straight into the memory of an interpreter's input.

    An image of the input's own size and channels takes a short way, with the same numbers as the long one.
    """

    def __init__(self, target: Preprocessing, tensor: Tensor, memory: NDArray[Any]) -> None:
        self._target, self._tensor, self._memory = target, tensor, memory
        self._shape = (target.height, target.width, target.channels)
        self._scale, self._offset = np.array(target.scale, np.float32), np.array(target.offset, np.float32)
        self._short = None
        if target.channels == 1 or target.order == "rgb":
            self._short = self._look_up if tensor.scale else self._multiply
        pixels = np.arange(256, dtype=np.float32)[:, np.newaxis]
        self._table = tensor.quantize(pixels * self._scale + self._offset)

    def __call__(self, pixels: Pixels) -> None:
        """Prepare a checked image."""
        if pixels.shape == self._shape and self._short:
            self._short(pixels)
        else:
            self._memory[...] = self._tensor.quantize(prepare(pixels, self._target))

    def _multiply(self, pixels: Pixels) -> None:
        np.multiply(pixels, self._scale, out=self._memory)
        if self._offset.any():
            self._memory += self._offset

    def _look_up(self, pixels: Pixels) -> None:
        for channel in range(pixels.shape[2]):
            self._memory[..., channel] = self._table[:, channel][pixels[..., channel]]


def colourize(heatmap: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours of a heatmap (h, w) in 0..1: float32 (h, w, 3) in 0..255, from dark to bright."""
    places = heatmap * (len(_INFERNO) - 1)
    below = np.minimum(places.astype(np.intp), len(_INFERNO) - 2)
    share = (places - below.astype(np.float32))[..., np.newaxis]
    colours: NDArray[np.float32] = _INFERNO[below] * (1 - share) + _INFERNO[below + 1] * share
    return colours


def overlay(image: Pixels, heatmap: NDArray[np.float32], opacity: float) -> Pixels:
    """Lay the colours of a heatmap (H, W) over a checked image (H, W, channels): uint8 (H, W, 3).

    The image is drawn in grey, so that all colour is evidence; the colours are the more opaque the hotter.

    Args:
        opacity: of the hottest place, 0..1.
    """
    grey = image @ _LUMA if image.shape[2] == 3 else image[..., 0].astype(np.float32)
    share = (opacity * np.sqrt(heatmap))[..., np.newaxis]
    blended = grey[..., np.newaxis] * (1 - share) + colourize(heatmap) * share
    return np.rint(blended).astype(np.uint8)


def _resize(pixels: Pixels, height: int, width: int) -> NDArray[np.float32]:
    """Bilinear, as `tf.image.resize`: float32 (height, width, channels), not rounded."""
    resized = pixels.astype(np.float32)
    if pixels.shape[0] != height:
        resized = np.tensordot(resize_matrix(pixels.shape[0], height), resized, axes=1)
    if pixels.shape[1] != width:
        resized = resize_matrix(pixels.shape[1], width) @ resized
    return resized
