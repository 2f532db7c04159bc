"""Class weights that an artifact does not carry a second time: where they lie in the bytes of its own model."""

from __future__ import annotations

import json
import math
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from camlite.artifact import typed_json

# int8 holds the half that rounding takes at the most, up and down.
REST_STEPS = 254

Stored = Literal["int8", "uint8", "float16", "float32"]
_LAYOUT = {"offset": int, "dtype": str, "classes_first": bool, "scale": float}
_OPTIONAL = {"zero_point": int, "scales_offset": int}


class StoredWeights(NamedTuple):
    """A block of numbers in a model: class weight = (number - zero point) * scale, in float32.

    Attributes:
        offset: of its first byte.
        dtype: of a number, little-endian.
        classes_first: whether it is (K, C); else (C, K).
        scale: the step of integers, and the 1 / (h * w) of the pooling, multiplied.
        zero_point: which number stands for 0.
        scales_offset: where the model has K float32 numbers, a step of each class, which the scale is multiplied with;
            -1 where one step is that of all.
    """

    offset: int
    dtype: Stored
    classes_first: bool
    scale: float
    zero_point: int = 0
    scales_offset: int = -1

    def read(
        self, model: bytes, channels: int, classes: int, rest: NDArray[np.int8] | None = None
    ) -> NDArray[np.float32]:
        """The class weights, float32 (C, K), read-only.

        Args:
            model: what the interpreter is given.
            channels, classes: C and K.
            rest: what rounding took from the numbers, int8 (C, K), in steps of 1 / `REST_STEPS`.

        Raises:
            ValueError: the block is not within the model.
        """
        dtype = np.dtype(self.dtype).newbyteorder("<")
        end = self.offset + channels * classes * dtype.itemsize
        if end > len(model):
            raise ValueError(f"bytes {self.offset} to {end} of a model of {len(model)}")
        block = np.frombuffer(model, dtype, channels * classes, self.offset)
        shaped = block.reshape(classes, channels).T if self.classes_first else block.reshape(channels, classes)
        numbers = shaped.astype(np.float32)
        if self.zero_point:
            numbers -= np.float32(self.zero_point)
        if rest is not None:
            numbers += rest.astype(np.float32) / np.float32(REST_STEPS)
        scale: np.float32 | NDArray[np.float32] = np.float32(self.scale)
        if self.scales_offset >= 0:
            scale = scale * self._scales(model, classes)
        weights = np.asarray(numbers * scale)
        weights.flags.writeable = False
        return weights

    def _scales(self, model: bytes, classes: int) -> NDArray[np.float32]:
        end = self.scales_offset + 4 * classes
        if end > len(model):
            raise ValueError(f"bytes {self.scales_offset} to {end} of a model of {len(model)}")
        return np.frombuffer(model, "<f4", classes, self.scales_offset).astype(np.float32)

    def to_json(self) -> str:
        """The same text for the same block; without what is as it is for most."""
        said = self._asdict()
        usual = self._field_defaults
        return json.dumps({name: said[name] for name in said if name not in usual or said[name] != usual[name]})


def from_json(text: str) -> StoredWeights:
    """Read where they are.

    Raises:
        ValueError: it is no JSON, or a field is missing, unknown, or of the wrong type or range.
    """
    fields = typed_json.parse(text)
    kinds = {name: type(value) for name, value in fields.items()} if isinstance(fields, dict) else {}
    if {**_LAYOUT, **{name: kind for name, kind in _OPTIONAL.items() if name in kinds}} != kinds:
        raise ValueError(f"expected an object of {', '.join(_LAYOUT)}")
    stored = StoredWeights(**fields)
    if (
        stored.offset < 0
        or stored.scales_offset < -1
        or not -128 <= stored.zero_point <= 255
        or stored.dtype not in get_args(Stored)
        or not math.isfinite(stored.scale)
    ):
        raise ValueError(f"offset {stored.offset}, dtype {stored.dtype[:20]!r}, scale {stored.scale}")
    return stored
