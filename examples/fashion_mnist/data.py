"""Fashion-MNIST (Xiao et al., 2017) as four IDX files, from wherever this machine has them.

``python -m fashion_mnist.data OUT.npz`` writes the 10,000 test images for ``camlite parity --data``.
"""

from __future__ import annotations

import argparse
import gzip
import io
import math
import os
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError
from camlite_export import output_folder

LABELS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

_IDX_UINT8 = 0x08
_MOST_BYTES = 1 << 26  # 60,000 images have 47 MB


class Split(NamedTuple):
    """Images uint8 (N, 28, 28, 1) and their class indices int64 (N,)."""

    images: NDArray[np.uint8]
    classes: NDArray[np.int64]


def load(split: str) -> Split:
    """Read the ``train`` (60,000) or ``t10k`` (10,000) split.

    Looks in ``$FASHION_MNIST_DIR``, then lets Keras look in its cache and download.

    Raises:
        CamliteError: none of the three has the files; the message says how to get them.
    """
    folder = os.environ.get("FASHION_MNIST_DIR")
    if folder:
        images = _read_idx(Path(folder) / f"{split}-images-idx3-ubyte.gz")
        classes = _read_idx(Path(folder) / f"{split}-labels-idx1-ubyte.gz")
    else:
        images, classes = _from_keras(split)
    return Split(images[..., np.newaxis], classes.astype(np.int64))


def _from_keras(split: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    import keras

    try:
        train, test = keras.datasets.fashion_mnist.load_data()
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise CamliteError(
            f"Fashion-MNIST: not in $FASHION_MNIST_DIR (unset) nor in Keras's cache, and Keras could not "
            f"download it ({error}); put the four files *-ubyte.gz of "
            f"github.com/zalandoresearch/fashion-mnist into a folder and set FASHION_MNIST_DIR to it"
        ) from error
    images, classes = train if split == "train" else test
    return images, classes


def _read_idx(path: Path) -> NDArray[np.uint8]:
    """The array of one IDX file (yann.lecun.com/exdb/mnist): magic, big-endian sizes, then bytes."""
    try:
        with gzip.open(path) as file:
            raw = file.read(_MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise CamliteError(
            f"Fashion-MNIST: cannot read {path} ({error}); $FASHION_MNIST_DIR must hold the four "
            f"files *-ubyte.gz of github.com/zalandoresearch/fashion-mnist"
        ) from error
    rank = raw[3] if len(raw) >= 4 else 0
    start = 4 + 4 * rank
    if rank not in (1, 3) or raw[2] != _IDX_UINT8 or len(raw) < start:
        raise CamliteError(f"Fashion-MNIST: {path} is no IDX file of unsigned bytes; download it again")
    shape = [int(side) for side in np.frombuffer(raw, ">u4", rank, offset=4)]
    if math.prod(shape) != len(raw) - start:
        raise CamliteError(
            f"Fashion-MNIST: {path} declares {shape} bytes and holds {len(raw) - start}; download it again"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def main() -> int:
    """Write ``images`` and ``classes`` of the test split into an ``.npz``."""
    parser = argparse.ArgumentParser(description="Write the test images of Fashion-MNIST and their classes.")
    parser.add_argument("output", type=Path, metavar="OUT.npz")
    output: Path = parser.parse_args().output
    try:
        test = load("t10k")
        packed = io.BytesIO()
        np.savez_compressed(packed, images=test.images, classes=test.classes)
        output_folder.write_all(output.parent, {output.name: packed.getvalue()})
    except CamliteError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{output}: {len(test.images):,} images")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
