"""Keras itself, and the way of the notebooks: `predict`, all channels enlarged by a quadratic spline, then the sum.

Prints the median times of one image in microseconds as JSON.
"""

from __future__ import annotations

import json
import sys

import numpy as np
from racing import against


def main() -> None:
    """Race them against the plain call of the Keras file that the command line names."""
    import keras
    import tensorflow as tf
    from scipy import ndimage

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    model = keras.models.load_model(sys.argv[1], compile=False)
    features = model.get_layer("conv_128").output
    both = keras.Model(model.inputs, [features, model.outputs[0]])
    weights = np.asarray(model.layers[-1].kernel)
    image = np.random.default_rng(0).random((1, 28, 28, 1), np.float32)
    compiled = tf.function(lambda pixels: model(pixels, training=False), autograph=False)
    body = keras.Model(model.inputs, features)

    def gradient(pixels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            maps = body(pixels, training=False)
            tape.watch(maps)
            top = tf.reduce_max(model.layers[-1](model.layers[-2](maps)))
        channels = tf.reduce_mean(tape.gradient(top, maps), axis=(1, 2), keepdims=True)
        heat = tf.nn.relu(tf.reduce_sum(maps * channels, axis=-1, keepdims=True))
        return tf.image.resize(heat, (28, 28))

    def classify() -> int:
        return int(np.asarray(compiled(image)).argmax())

    grad_cam = tf.function(gradient, autograph=False)

    def notebook() -> np.ndarray:
        maps, scores = both.predict(image, verbose=0)
        enlarged = ndimage.zoom(maps[0], (28 / maps.shape[1], 28 / maps.shape[2], 1), order=2)
        heatmap: np.ndarray = enlarged.dot(weights[:, scores[0].argmax()])
        return heatmap

    contenders = {
        "Keras, Grad-CAM by a gradient tape": lambda: np.asarray(grad_cam(image)),
        "course notebook": notebook,
    }
    print(json.dumps({name: against(classify, contender) for name, contender in contenders.items()}))


if __name__ == "__main__":
    main()
