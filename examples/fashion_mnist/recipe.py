"""Train the reference classifier on Fashion-MNIST and draw its calibration set: ``make train``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.errors import CamliteError
from fashion_mnist import data

SEED = 20240229
EPOCHS = 30
BATCH = 128
PROTOTYPES_A_CLASS = 20

# So that activations on the prototypes reach as far as on the training images: the largest of each of the four
# convolutions is 1.2, 6.9, 13.5, 37 on these prototypes, 1.2, 6.3, 11.4, 34 on the training images (99th percentile
# of the images' largest), and 1.0, 5.4, 9.7, 24 on the prototypes as they are, whose int8 ranges would cut off.
SHARPENING = 2.0


def build() -> Any:
    """The architecture: four 3x3 convolutions, the last of which (layer -3) gives 3x3x128 features."""
    import keras
    from keras import layers

    model = keras.Sequential(name="fashion_mnist")
    model.add(keras.Input((28, 28, 1), name="image"))
    for filters in (16, 32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv_{filters}"))
        model.add(layers.MaxPooling2D(2, name=f"pool_{filters}"))
    model.add(layers.Conv2D(128, 3, padding="same", activation="relu", name="conv_128"))
    model.add(layers.GlobalAveragePooling2D(name="average"))
    model.add(layers.Dense(len(data.LABELS), activation="softmax", name="scores"))
    return model


def train(images: NDArray[np.uint8], classes: NDArray[np.int64], epochs: int) -> Any:
    """Train from scratch: AdamW, cosine schedule with a warm-up, horizontal flips, weights averaged."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(SEED)
    model = build()
    flip = keras.layers.RandomFlip("horizontal", seed=SEED)
    pixels = images.astype(np.float32) / 255
    batches = (
        tf.data.Dataset.from_tensor_slices((pixels, classes))
        .shuffle(len(pixels), seed=SEED, reshuffle_each_iteration=True)
        .batch(BATCH, drop_remainder=True)
        .map(lambda image, label: (flip(image, training=True), label))
        .prefetch(4)
    )
    steps = epochs * (len(pixels) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(1e-4, steps - 1000, warmup_target=3e-3, warmup_steps=1000, alpha=1e-3)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.02, use_ema=True, ema_momentum=0.999, global_clipnorm=5.0)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(batches, epochs=epochs, verbose=2)
    optimizer.finalize_variable_values(model.trainable_variables)
    trained = build()  # without the optimizer, whose state would be saved and is twice the size of the weights
    trained.set_weights(model.get_weights())
    return trained


def prototypes(images: NDArray[np.uint8], classes: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """k-means centres of each class's images, sharpened: uint8 (N, 28, 28, 1) and their classes (N,).

    A centre is the mean of the images nearest to it, so no image of the data set is among them; and being a mean
    it is blurred, so that a network answers it more faintly than any image.
    """
    from sklearn.cluster import KMeans

    centres = []
    for k in range(len(data.LABELS)):
        of_class = images[classes == k].reshape(-1, 28 * 28).astype(np.float32)
        found = KMeans(PROTOTYPES_A_CLASS, n_init=1, random_state=SEED).fit(of_class).cluster_centers_
        centres.append(_sharpen(found[np.argsort(found.mean(axis=1))].reshape(-1, 28, 28, 1)))
    return np.concatenate(centres), np.repeat(np.arange(len(data.LABELS)), PROTOTYPES_A_CLASS)


def _sharpen(blurred: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Unsharp mask: what a 3x3 mean takes away is added SHARPENING times."""
    from scipy.ndimage import uniform_filter

    detail = blurred - uniform_filter(blurred, size=(0, 3, 3, 0))
    return np.asarray(np.rint(blurred + SHARPENING * detail).clip(0, 255).astype(np.uint8))


def main() -> int:
    """Write ``fashion_mnist.keras``, its calibration set and its labels, and print the test accuracy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("artifacts"))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    arguments = parser.parse_args()
    try:
        training, test = data.load("train"), data.load("t10k")
    except CamliteError as error:
        print(error, file=sys.stderr)
        return 2
    model = train(training.images, training.classes, arguments.epochs)
    found = model.predict(test.images.astype(np.float32) / 255, batch_size=500, verbose=0).argmax(axis=1)
    print(f"{(found == test.classes).mean():.2%} of the {len(found):,} test images")
    arguments.output.mkdir(parents=True, exist_ok=True)
    model.save(arguments.output / "fashion_mnist.keras")
    images, classes = prototypes(training.images, training.classes)
    np.savez_compressed(arguments.output / "fashion_mnist.calibration.npz", images=images, classes=classes)
    (arguments.output / "fashion_mnist.labels.txt").write_text("\n".join(data.LABELS) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
