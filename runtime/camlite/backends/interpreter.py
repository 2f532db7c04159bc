"""What every backend offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Tensor(NamedTuple):
    """An input or output: ``real = (stored - zero_point) * scale`` where scale is not 0.

    Attributes:
        name: its name in the signature (``features``, ``scores``).
        shape: of one image, without the batch axis.
        dtype: what the interpreter stores.
        scale, zero_point: the quantization; scale 0.0 where there is none.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero_point: int = 0

    def quantize(self, real: NDArray[np.float32]) -> NDArray[Any]:
        """Real numbers to stored ones: rounded half to even, clipped to the dtype's range.

        Integers without a scale stand for themselves.
        """
        if self.dtype.kind == "f":
            return real.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        steps = real / self.scale + self.zero_point if self.scale else real
        stored: NDArray[Any] = np.rint(steps).clip(limits.min, limits.max)
        return stored.astype(self.dtype)

    def dequantize(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Stored numbers to real ones, float32, always a copy."""
        real = stored.astype(np.float32)
        if self.scale:
            real -= self.zero_point
            real *= np.float32(self.scale)
        return real


class Interpreter(Protocol):
    """A loaded model, and the memory that its native code reads and writes: nothing is copied in or out.

    To add a backend: a module ``NAME_backend.py`` beside this one with

        def open_model(model: bytes, threads: int) -> Interpreter

    and its line in `camlite.backends`. The module is imported only when its interpreter runs, and imports the
    interpreter inside `open_model`. The model has passed `camlite.soundness` before; `threads` is how many threads one
    run may use. If loading fails, raise RuntimeError, ValueError or ImportError; the text becomes a BackendError.

    - Tensors are found by their names, never by their positions: one input, ``image``, and the outputs ``features``,
      ``scores`` and, where the model gives them, ``evidence`` and ``guide``.
    - Arrays are of one image, without the batch axis, C-contiguous, in the order of axes that the model has. Where
      the card says that this is (channels, height, width), `camlite.backends.open_interpreter` puts views
      (height, width, channels) of `image` and of the features in their place.
    - `image` and `results` are the interpreter's own memory, or bound to it, and stay where they are for as long as
      this lives. An array that outlives it must keep the memory alive.
    - One thread at a time calls it; Python's lock should be released while the model runs.

    Attributes:
        input: the image's tensor; `image` is its memory, to be filled before `invoke`.
        outputs: the outputs' tensors, by name; `results` is their memory, valid until `invoke` is called again.
    """

    input: Tensor
    image: NDArray[Any]
    outputs: Mapping[str, Tensor]
    results: Mapping[str, NDArray[Any]]

    def invoke(self) -> None:
        """Run the model on what is in `image`, and leave the answer in `results`.

        The same image gives the same answer, whatever was answered before.

        Raises:
            RuntimeError: the interpreter fails; then nothing is said of `results`.
        """
        ...
