"""Write models as Keras 2 saved them: ``python keras2_files.py FOLDER``.

With tf_keras, which is Keras 2; in a process of its own, so that what opens the files has never seen the models.
Beside each file NAME.h5 stands NAME.npz: images, and the scores of the model before it was saved.
"""

from __future__ import annotations

import io
import json
import re
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SIDE = 16


def main(folder: Path) -> None:
    """Write all of them."""
    import tf_keras

    layers = tf_keras.layers
    for name, build in BUILDERS.items():
        tf_keras.utils.set_random_seed(0)
        model = build(tf_keras, layers)
        _make_lively(model)
        _save(model, folder / f"{name}.h5")
    plain = sequential(tf_keras, layers)
    plain.save(folder / "keras2.keras")
    _save_as_keras_2_13(many_convolutions(tf_keras, layers), folder / "keras2_13.keras")
    plain.save_weights(folder / "weights_alone.h5")
    plain.save_weights(folder / "weights_alone.weights.h5")  # the same in the layout of a .keras
    (folder / "structure.json").write_text(plain.to_json())
    plain.save(folder / "saved_model", save_format="tf")
    marker = str(folder / "code_has_run")
    touch = tf_keras.layers.Lambda(lambda x, marker=marker: (open(marker, "w").close(), x)[1])  # noqa: PTH123
    tf_keras.Sequential([tf_keras.Input((SIDE, SIDE, 3)), plain, touch]).save(folder / "lambda.h5")
    Path(marker).unlink()


def sequential(k: Any, ls: Any) -> Any:
    return k.Sequential(
        [
            k.Input((SIDE, SIDE, 3)),
            ls.Conv2D(6, 3, activation="relu", name="conv"),
            ls.BatchNormalization(name="normalized"),
            ls.GlobalAveragePooling2D(),
            ls.Dense(3, activation="softmax"),
        ]
    )


def teachable_machine(k: Any, ls: Any) -> Any:
    """Nested as Teachable Machine nests: a functional backbone and pooling, then two Dense."""
    image = k.Input((SIDE, SIDE, 3))
    x = ls.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="Conv1")(image)
    x = ls.ReLU(6.0)(ls.BatchNormalization(epsilon=1e-3, momentum=0.999)(x))
    y = ls.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = ls.Add()([x, ls.BatchNormalization()(y)])
    x = ls.ReLU(6.0, name="out_relu")(x)
    backbone = k.Model(image, x, name="model1")
    first = k.Sequential([backbone, ls.GlobalAveragePooling2D()], name="sequential_1")
    second = k.Sequential(
        [k.Input((6,)), ls.Dense(8, activation="relu"), ls.Dense(4, activation="softmax", use_bias=False)],
        name="sequential_3",
    )
    return k.Sequential([first, second], name="sequential_4")


def arithmetic(k: Any, ls: Any) -> Any:
    """`preprocess_input` inside the model, and a swish that is written out."""
    image = k.Input((SIDE, SIDE, 3))
    x = k.applications.mobilenet_v2.preprocess_input(image)
    x = ls.Conv2D(6, 3, name="conv")(x)
    x = x * ls.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)
    x = ls.GlobalAveragePooling2D()(x[:, 1:, 1:])
    return k.Model(image, ls.Dense(3, activation="softmax")(x))


def bgr(k: Any, ls: Any) -> Any:
    """The preprocessing of VGG inside the model: channels turned around, their means taken off."""
    image = k.Input((SIDE, SIDE, 3))
    x = ls.Conv2D(6, 3, activation="relu", name="conv")(k.applications.vgg16.preprocess_input(image))
    return k.Model(image, ls.Dense(3)(ls.GlobalAveragePooling2D()(x)))


def augmented(k: Any, ls: Any) -> Any:
    return k.Sequential(
        [
            k.Input((SIDE, SIDE, 3)),
            *(ls.RandomFlip(), ls.RandomRotation(0.1), ls.RandomHeight(0.1), ls.RandomContrast(0.2)),
            *(ls.Resizing(SIDE, SIDE), ls.Rescaling(1 / 255), ls.GaussianNoise(0.1)),
            *(ls.Conv2D(6, 3, name="conv"), ls.GlobalAveragePooling2D(), ls.Dropout(0.2)),
            ls.Dense(1, activation="sigmoid"),
        ]
    )


def many_layers(k: Any, ls: Any) -> Any:
    image = k.Input((SIDE, SIDE, 3))
    shared = ls.Conv2D(6, 3, padding="same", activation="relu")
    x = shared(ls.Conv2D(6, 3, padding="same")(image))
    x = ls.Concatenate()([ls.Add()([x, shared(x)]), ls.Maximum()([x, shared(x)])])
    x = ls.LeakyReLU(0.3)(ls.PReLU()(ls.LayerNormalization()(ls.SeparableConv2D(5, 3)(x))))
    x = ls.Conv2DTranspose(4, 3)(ls.ZeroPadding2D(1)(ls.UpSampling2D()(ls.ELU()(x))))
    x = ls.Cropping2D(1)(ls.SpatialDropout2D(0.1)(ls.GroupNormalization(2)(x)))
    x = ls.Conv2D(4, 1, name="Conv/last")(x)  # Keras 3 allows no slash in a name
    return k.Model(image, ls.Dense(3, activation="sigmoid")(ls.GlobalMaxPooling2D()(x)))


def mixed_precision(k: Any, ls: Any) -> Any:
    k.mixed_precision.set_global_policy("mixed_float16")
    try:
        return sequential(k, ls)
    finally:
        k.mixed_precision.set_global_policy("float32")


def softmax_of_tensorflow(k: Any, ls: Any) -> Any:
    import tensorflow as tf

    return _with_output(k, ls, 3, tf.nn.softmax)


def softmax_of_keras(k: Any, ls: Any) -> Any:
    return _with_output(k, ls, 3, k.activations.softmax)


def sigmoid_of_tensorflow(k: Any, ls: Any) -> Any:
    import tensorflow as tf

    return _with_output(k, ls, 1, tf.nn.sigmoid)


def named_output(k: Any, ls: Any) -> Any:
    return _with_output(k, ls, 3, lambda logits: {"scores": ls.Softmax()(logits)})


def batch_of_one(k: Any, ls: Any) -> Any:
    import tensorflow as tf

    image = k.Input((SIDE, SIDE, 3), batch_size=1)
    x = tf.reshape(ls.Conv2D(6, 3, activation="relu", name="conv")(image), (1, -1))
    return k.Model(image, ls.Dense(3, activation="softmax")(x))


def many_convolutions(k: Any, ls: Any) -> Any:
    """Several layers of one class, in a model and in one inside it."""
    inner = k.Sequential([k.Input((8, 8, 4)), ls.Conv2D(4, 1), ls.BatchNormalization(), ls.Conv2D(5, 1)], name="inner")
    image = k.Input((8, 8, 3))
    x = ls.BatchNormalization()(ls.Conv2D(4, 3, padding="same")(image))
    x = ls.ReLU()(ls.BatchNormalization()(inner(x)))
    x = ls.Conv2D(6, 1, name="conv")(ls.Conv2D(6, 3)(x))
    return k.Model(image, ls.Dense(3, activation="softmax")(ls.Dense(4)(ls.GlobalAveragePooling2D()(x))))


def _with_output(k: Any, ls: Any, units: int, output: Any) -> Any:
    image = k.Input((SIDE, SIDE, 3))
    x = ls.GlobalAveragePooling2D()(ls.Conv2D(6, 3, activation="relu", name="conv")(image))
    return k.Model(image, output(ls.Dense(units)(x)))


def any_size(k: Any, ls: Any) -> Any:
    parts = [ls.Conv2D(6, 3, name="conv"), ls.GlobalAveragePooling2D(), ls.Dense(3, activation="softmax")]
    return k.Sequential([k.Input((None, None, 1)), *parts])


def forbidden(k: Any, ls: Any) -> Any:
    """A function of TensorFlow that is not known to be harmless."""
    import tensorflow as tf

    image = k.Input((SIDE, SIDE, 3))
    x = ls.Conv2D(6, 3)(tf.quantization.fake_quant_with_min_max_args(image))
    return k.Model(image, ls.Dense(3)(ls.GlobalAveragePooling2D()(x)))


BUILDERS = {
    build.__name__: build
    for build in (
        *(sequential, teachable_machine, arithmetic, bgr, augmented, many_layers, mixed_precision, any_size),
        *(softmax_of_tensorflow, softmax_of_keras, sigmoid_of_tensorflow, named_output, batch_of_one, forbidden),
    )
}


def _make_lively(model: Any) -> None:
    random = np.random.default_rng(0)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if "variance" in weight.name or "gamma" in weight.name:
            weight.assign(random.uniform(0.5, 1.5, shape))
        elif weight.dtype.is_floating:
            weight.assign(random.normal(0, 0.2 if len(shape) < 2 else 1.5 / np.sqrt(np.prod(shape[:-1])), shape))


def _save_as_keras_2_13(model: Any, path: Path) -> None:
    """As Keras 2.13.1 was seen to save: under other names, for which a layer with weights counts twice."""
    _make_lively(model)
    _write_answers(model, path)
    model.save(path)
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        _write_layers(file, model)
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    metadata = {**json.loads(entries["metadata.json"]), "keras_version": "2.13.1"}
    entries |= {"metadata.json": json.dumps(metadata).encode(), "model.weights.h5": weights.getvalue()}
    with zipfile.ZipFile(path, "w") as new:
        for name, content in entries.items():
            new.writestr(name, content)


def _write_layers(group: Any, model: Any) -> None:
    counts: dict[str, int] = {}
    for layer in model.layers:
        kind = re.sub("([a-z0-9])([A-Z])", r"\1_\2", type(layer).__name__).lower().replace("conv2_d", "conv2d")
        count = counts.get(kind, 0)
        counts[kind] = count + (2 if layer.weights else 1)
        name = f"{kind}_{count}" if count else kind
        inside = group.create_group(f"_layer_checkpoint_dependencies/{name}")
        if hasattr(layer, "layers"):
            _write_layers(inside, layer)
        else:
            for index, value in enumerate(layer.get_weights()):
                inside[f"vars/{index}"] = value


def _save(model: Any, path: Path) -> None:
    _write_answers(model, path)
    model.save(path)


def _write_answers(model: Any, path: Path) -> None:
    shape = [side or SIDE for side in model.inputs[0].shape[1:]]
    brightest = 1 if path.stem == "mixed_precision" else 255  # float16 ends at 65,504
    images = np.random.default_rng(1).uniform(0, brightest, (4, *shape)).astype(np.float32)
    if model.inputs[0].shape[0] == 1:
        given = np.concatenate([model(image[np.newaxis], training=False) for image in images])
    else:
        given = model(images, training=False)
    scores = given["scores"] if isinstance(given, dict) else given
    np.savez(path.with_suffix(".npz"), images=images, scores=np.asarray(scores, np.float32))


if __name__ == "__main__":
    # Keras 2 warns that HDF5 is its old format: that is why it is written.
    warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
    main(Path(sys.argv[1]))
