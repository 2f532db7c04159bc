"""Whether a classifier that was rebuilt says what the original says: on which images, and how exactly.

Images are tried over the whole range that pixels may have become, by every usual convention: a classifier that holds
a Normalization saturates on the one range, and hides on it what it does on another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from camlite.artifact.card import Preprocessing
from camlite.images import preprocessing as pixels
from camlite_export.sources import changed_tensors
from camlite_export.sources.changed_tensors import ChangeTensor
from camlite_export.sources.pixel_conventions import NAMED, Named
from camlite_export.sources.source import Floats

Outputs = Mapping[str, Floats]
"""Float32 arrays by their names; each begins with the axis of the images."""

# Of 24: sums of thousands of terms come in another order, and kernels are fused otherwise.
_BITS_OF_FLOAT32 = 20
# A float32 copy has none of the original's rounding, which comes inside of layers, too; the noise is that of what they
# are given. Of MobileNetV2 and small classifiers in 16 bits, copies differed by 0.1 to 10 times what rounding in front
# of kernels moves.
_TIMES_NOISE = 16.0


def probes(image_shape: Sequence[int]) -> Floats:
    """One random image by each convention of `pixel_conventions.NAMED`: float32 (N, *image_shape)."""
    random = np.random.default_rng(0)
    return np.stack([_by(named, random.integers(0, 256, tuple(image_shape))) for named in NAMED.values()])


def _by(named: Named, image: NDArray[Any]) -> Floats:
    """Whatever axes it has: one number for all where the last is not a convention's channels."""
    channels = image.shape[-1]
    mean, std = (np.array(one) if len(one) in (1, channels) else np.mean(one) for one in (named.mean, named.std))
    return np.asarray((image - mean) / std, np.float32)


def probes_of(target: Preprocessing) -> Floats:
    """The ends of the range, a ramp between them, and noise, as one convention makes them of pixels 0..255.

    Float32 (5, height, width, channels).
    """
    shape = (target.height, target.width, target.channels)
    random = np.random.default_rng(0)
    ramp = np.broadcast_to(np.linspace(0, 255, target.width).astype(np.uint8)[:, np.newaxis], shape)
    noise = [random.integers(0, 256, shape, np.uint8) for _ in range(2)]
    images = [np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), ramp, *noise]
    return np.stack([pixels.prepare(np.ascontiguousarray(image), target) for image in images])


_T = TypeVar("_T")


def answered(answer: Callable[[Floats], _T], inputs: Floats) -> tuple[Floats, _T]:
    """The inputs that a classifier answers, and its answer: of pixels that it was not made for, some layers refuse
    to compute anything, such as an Embedding.

    Raises:
        Exception: of the last input, where it answers none.
    """
    try:
        return inputs, answer(inputs)
    except Exception:  # which one, Keras does not say
        taken = [one for one in inputs[:-1] if _answers(answer, one)]
        kept = np.stack([*taken, *([] if taken and not _answers(answer, inputs[-1]) else [inputs[-1]])])
        return kept, answer(kept)


def _answers(answer: Callable[[Floats], object], one: Floats) -> bool:
    try:
        answer(one[np.newaxis])
    except Exception:  # as above
        return False
    return True


def rounding_to(dtype: str) -> ChangeTensor:
    """Gives tensors the precision of a dtype; of float32, a little less, see above."""
    if dtype == "float16":
        return _to_float16
    return _to_bits(8 if dtype == "bfloat16" else _BITS_OF_FLOAT32)


def worst_difference(
    expected: Outputs, received: Outputs, rounding: float, noise: Callable[[], Outputs]
) -> tuple[str, float] | None:
    """The first output that differs by more than rounding explains, and by how much; None where there is none.

    Args:
        expected: of the original; received: of what was rebuilt.
        rounding: what may differ always, of 1 or of an image's largest number.
        noise: called where that is not enough: how far rounding alone moves each number. An image may differ by its
            largest, times a factor: some classifiers are steep, and magnify the last bits.
    """
    moved: Outputs | None = None
    for name, whole in expected.items():
        if received[name].shape != whole.shape:
            return name, float("nan")
        axes = tuple(range(1, whole.ndim))
        known = np.isfinite(whole).all(axis=axes)  # of pixels that it was not made for, 16 bits may overflow
        difference = np.abs(received[name] - whole).max(axis=axes)
        bad = known & ~(difference <= rounding * np.maximum(1, np.abs(whole).max(axis=axes)))
        if not bad.any():
            continue
        moved = noise() if moved is None else moved
        bad &= ~(difference <= _TIMES_NOISE * np.abs(moved[name]).max(axis=axes))
        if bad.any():
            return name, float(difference[bad].max())
    return None


def moved_by_rounding(model: Any, inputs: Floats, dtype: str) -> dict[str, Floats]:
    """How far each output of a model is moved when what its layers are given is rounded.

    Args:
        model: of Keras 3, with its outputs in a dict, or one that has no name.
        inputs: float32 (N, ...).
        dtype: of `rounding_to`.
    """
    plain, rounded = (_named(one) for one in (model(inputs, training=False), _changed(model, inputs, dtype)))
    return {name: rounded[name] - plain[name] for name in plain}


def _changed(model: Any, inputs: Floats, dtype: str) -> Any:
    return changed_tensors.run(model, inputs, rounding_to(dtype), everywhere=True)


def _named(outputs: Any) -> dict[str, Floats]:
    found = outputs if isinstance(outputs, dict) else {"scores": outputs}
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def _to_float16(tensor: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return tensor.astype(np.float16).astype(np.float32)


def _to_bits(bits: int) -> ChangeTensor:
    def rounded(tensor: Floats) -> Floats:
        mantissa, exponent = np.frexp(tensor)
        return np.ldexp(np.rint(mantissa * 2.0**bits) / np.float32(2.0**bits), exponent).astype(np.float32)

    return rounded


def finite(outputs: Mapping[str, NDArray[Any]]) -> bool:
    """Whether there is an image whose numbers are all finite."""
    shares = [np.isfinite(value).all(axis=tuple(range(1, value.ndim))) for value in outputs.values()]
    return bool(np.logical_and.reduce(shares).any())
