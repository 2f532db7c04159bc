"""Train the classifier that is to find tanks."""

from __future__ import annotations

from typing import Any

import numpy as np

from tanks import brush
from tanks.scenes import LABELS, Scenes

EPOCHS = 8
_BATCH = 32


def build(name: str) -> Any:
    """Four convolutions; features 8 x 8 x 64, averaged; two classes."""
    import keras
    from keras import layers

    model = keras.Sequential(name=name)
    model.add(keras.Input((brush.SIDE, brush.SIDE, 3), name="image"))
    for filters in (16, 32, 48):
        _convolve(model, filters)
        model.add(layers.MaxPooling2D(2, name=f"pool_{filters}"))
    _convolve(model, 64)
    model.add(layers.GlobalAveragePooling2D(name="average"))
    model.add(layers.Dense(len(LABELS), activation="softmax", name="scores"))
    return model


def _convolve(model: Any, filters: int) -> None:
    from keras import layers

    model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{filters}"))
    model.add(layers.BatchNormalization(momentum=0.9, name=f"norm_{filters}"))
    model.add(layers.ReLU(name=f"relu_{filters}"))


def train(name: str, scenes: Scenes, seed: int, epochs: int = EPOCHS) -> Any:
    """Train from scratch: AdamW with a cosine schedule, pictures mirrored at random."""
    import keras

    keras.utils.set_random_seed(seed)
    model = build(name)
    random = np.random.default_rng(seed)
    pixels = scenes.images.astype(np.float32) / 255
    steps = epochs * -(-len(pixels) // _BATCH)
    rate = keras.optimizers.schedules.CosineDecay(3e-4, steps - 50, warmup_target=3e-3, warmup_steps=50, alpha=1e-2)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.01), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    for _ in range(epochs):
        mirrored = random.random(len(pixels)) < 0.5
        shown = np.where(mirrored[:, None, None, None], pixels[:, :, ::-1], pixels)
        model.fit(shown, scenes.classes, batch_size=_BATCH, verbose=0)
    return model
