"""The arrays that belong to a card: class weights, bias and golden samples; their dtypes, shapes and ``.npy`` files."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Card
from camlite.artifact.map_choice import Guide, MapChoice
from camlite.artifact.weights_in_model import StoredWeights
from camlite.errors import ArtifactError


class Arrays(NamedTuple):
    """The arrays that belong to a card. K classes, features (h, w, C), N golden samples.

    Attributes:
        weights: class weights float32, (C, K) where they are the same at every place, else (h, w, C, K); None
            where the model itself gives evidence.
        bias: float32 (K,), in logits; None where evidence does not add up to them. `Head.evidence_traits` says
            which of the two are there.
        golden_images: uint8 (N, H, W, channels); of any size, resized as any image is.
        golden_scores: the Keras reference's scores for them, float32 (N, K).
        golden_evidence: the reference's evidence of its own top class, float32 (N, h, w), in logits.
        golden_errors: how far the artifact was from those where it was exported, float32 (N, 3): score difference,
            evidence error and completeness (0 where there is none), see `camlite.self_check.Sample`; None where no
            interpreter was installed there.
        stored_weights: where the model has the class weights, so that they are not carried a second time; None where
            it has them in another way.
        weights_rest: what rounding took from the weights, int8 (C, K), see `StoredWeights.read`; None where they are
            as the model has them.
        golden_fine: the reference's fine evidence of its own top class, float32 (N, h', w'), in logits; there where
            `maps` has a guide.
        maps: the guide of fine evidence and what the candidates were measured at; None where nothing is said of maps,
            which then are those of the features.
        label_file: whether a TFLite artifact has the labels in a file of their own, too, and packs none of its files:
            programs that read TFLite's metadata find it there.
    """

    weights: NDArray[np.float32] | None
    bias: NDArray[np.float32] | None
    golden_images: NDArray[np.uint8]
    golden_scores: NDArray[np.float32]
    golden_evidence: NDArray[np.float32]
    golden_errors: NDArray[np.float32] | None = None
    stored_weights: StoredWeights | None = None
    weights_rest: NDArray[np.int8] | None = None
    golden_fine: NDArray[np.float32] | None = None
    maps: MapChoice | None = None
    label_file: bool = False

    @property
    def guide(self) -> Guide | None:
        """The guide of fine evidence; None where there is none."""
        return None if self.maps is None else self.maps.guide


ARRAY_DTYPES: Mapping[str, type[np.generic]] = {
    "weights": np.float32,
    "bias": np.float32,
    "golden_images": np.uint8,
    "golden_scores": np.float32,
    "golden_evidence": np.float32,
    "golden_errors": np.float32,
    "weights_rest": np.int8,
    "golden_fine": np.float32,
}


OPTIONAL_ARRAYS = frozenset({"weights", "bias", "golden_errors", "weights_rest", "golden_fine"})


def check_arrays(card: Card, arrays: Arrays, where: str) -> None:
    """Check that each array has the shape that the card implies, and holds finite numbers.

    Raises:
        ArtifactError: the first array that does not fit.
    """
    head, image, classes = card.head, card.preprocessing, len(card.labels)
    traits, guide = head.evidence_traits, arrays.guide
    samples, *sides = np.atleast_1d(arrays.golden_images).shape
    place = (head.height, head.width)
    per_place = place if arrays.weights is not None and arrays.weights.ndim == 4 else ()
    expected: dict[str, tuple[int, ...] | None] = {
        "weights": (*per_place, head.channels, classes) if traits.has_weights else None,
        "bias": (classes,) if traits.adds_up else None,
        "golden_images": (samples, *(max(1, side) for side in sides[:2]), image.channels),
        "golden_scores": (samples, classes),
        "golden_evidence": (samples, *place),
        "golden_errors": None if arrays.golden_errors is None else (samples, 3),
        "weights_rest": None if arrays.weights_rest is None else (head.channels, classes),
        "golden_fine": None if guide is None else (samples, guide.height, guide.width),
    }
    for name, shape in expected.items():
        array = getattr(arrays, name)
        received = None if array is None else array.shape
        if received != shape:
            raise ArtifactError(f"{where}: {name} has shape {received}, the card implies {shape}; export again")
        if array is not None and not np.isfinite(array).all():
            raise ArtifactError(f"{where}: {name} holds numbers that are not finite; export again")


def to_npy(array: NDArray[np.generic]) -> bytes:
    """The bytes of an .npy, the same for the same numbers."""
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def from_npy(npy: bytes, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A read-only view of an .npy. `np.load` would allocate what the header claims before it looks at the bytes.

    Raises:
        ValueError: it is no .npy of this dtype in C order, or has more or fewer bytes than its header says.
    """
    stream = io.BytesIO(npy)
    try:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        if version != (1, 0):
            raise ValueError(f"version {version}, expected (1, 0)")
        shape, fortran_order, received = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    except Exception as error:  # numpy lets the tokenizer's and the literal parser's own errors through
        raise ValueError(f"no .npy header ({error})") from None
    if fortran_order or received != dtype:
        order = "Fortran" if fortran_order else "C"
        raise ValueError(f"dtype {received} in {order} order, expected {dtype} in C order")
    values = memoryview(npy)[stream.tell() :]
    if math.prod(shape) * dtype.itemsize != len(values):
        raise ValueError(f"shape {shape} does not fit its {len(values)} bytes")
    return np.frombuffer(values, dtype).reshape(shape)
