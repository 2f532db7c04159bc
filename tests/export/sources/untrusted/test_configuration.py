"""`camlite_export.sources.untrusted.configuration`: what stays of a structure, and what is refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from keras import layers

from camlite.errors import ClassifierError
from camlite_export.sources import journey, keras_files
from camlite_export.sources.untrusted import configuration
from support import damaged_keras

Fields = dict[str, Any]
SMALL = keras.Input((8, 8, 3))


def with_layer(kind: str, **config: Any) -> Fields:
    structure = copy.deepcopy(damaged_keras.STRUCTURE)
    structure["config"]["layers"].insert(1, {"class_name": kind, "config": {"name": "extra", **config}})
    return structure


def refusal(structure: Fields, keras2: bool = False) -> str:
    with pytest.raises(ClassifierError) as raised:
        configuration.read(structure, "model.keras", keras2)
    assert str(raised.value).startswith("model.keras: ")
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("structure", "named"),
    [
        (with_layer("ClassMethod", cls_symbol="io.write_file"), "layer 'extra' holds a ClassMethod"),
        (with_layer("StringLookup", vocabulary="words.txt"), "layer 'extra' holds a StringLookup"),
        (with_layer("Dense", units=3, activation="exec"), "activation is 'exec'"),
        (with_layer("Dense", units="3"), "units is '3'"),
        (with_layer("Dense", units=1 << 40), "units is '1099511627776'"),
        (with_layer("Dense", units=3, weights=[[1.0]]), "has the argument 'weights'"),
        (with_layer("Dense", units=3, secret=1), "layer 'extra' (Dense) has the argument 'secret'"),
        (with_layer("Dense", units=3, name="a\x1b[2J"), "a layer is named 'a\\x1b[2J'"),
        (with_layer("Conv2D", filters=3, kernel_size=[3], padding="/etc/passwd"), "padding is '/etc/passwd'"),
        (with_layer("Dense", units=3, kernel_initializer={"class_name": "Mine", "config": {}}), "holds a Mine"),
        (with_layer("Unstack", num=1025), "num is '1025', 1024 at the most"),
        (with_layer("Split", indices_or_sections=1 << 30, axis=1), "indices_or_sections is '1073741824'"),
        (with_layer("GRU", units=3, implementation=1 << 30), "implementation is '1073741824'"),
        (with_layer("InputLayer", batch_shape=[1 << 20, 8, 9, 1]), "batch_shape is '[1048576, 8, 9, 1]'"),
        (with_layer("Reshape", target_shape=[1 << 20, 1 << 20]), "target_shape is '[1048576, 1048576]'"),
        (with_layer("LocallyConnected2D", filters=1, kernel_size=[1, 1]), "holds a LocallyConnected2D"),
        (with_layer("Normalization", axis=[1, 2], mean=[[0.0, 1.0]], variance=1.0), "of several axes"),
        ({"class_name": "Dense", "config": {}}, "holds a Dense"),
        ([], "holds a list"),
    ],
)
def test_what_is_on_no_list_is_refused_by_its_name(structure: Any, named: str) -> None:
    message = refusal(structure)
    assert named in message
    assert message.endswith("where you trust whoever made it, say so with --trust")


def test_models_in_models_that_repeat_each_other_are_not_made() -> None:
    """Thirty models of a kilobyte, each of which calls the one inside it twice: 2**30 calls."""
    structure: Fields = {"class_name": "Dense", "config": {"name": "dense", "units": 3}}
    for depth in range(15):
        node = [["image", 0, 0, {}]]
        parts = [{**structure, "name": f"inner{depth}", "inbound_nodes": [node] * 4}]
        ends = {"input_layers": [["image", 0, 0]], "output_layers": [["image", 0, 0]]}
        structure = {"class_name": "Functional", "config": {"name": "model", "layers": parts, **ends}}
    assert "more than 20000 calls of layers" in refusal(structure, keras2=True)


def test_models_nested_deeper_than_anybody_nests_them() -> None:
    structure: Fields = with_layer("Dense", units=3)
    for _ in range(40):
        structure = {"class_name": "Sequential", "config": {"name": "model", "layers": [structure]}}
    assert "more than 16 deep" in refusal(structure)


def test_what_only_training_needs_is_left_out() -> None:
    regularized = with_layer(
        "Conv2D", filters=3, kernel_size=[3, 3], kernel_initializer={"class_name": "HeNormal", "config": {"seed": 1}},
        kernel_regularizer={"class_name": "L2", "config": {"l2": 0.1}}, bias_constraint="non_neg",
    )  # fmt: skip
    config = configuration.read(regularized, "model.keras", False)["config"]["layers"][1]["config"]
    assert config["kernel_initializer"] == "zeros"
    assert config["kernel_regularizer"] is None
    assert config["bias_constraint"] is None


@keras.saving.register_keras_serializable(package="laboratory")
class Slower(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of somebody's own."""

    def __call__(self, step: Any) -> Any:
        return 0.1 / (step + 1)

    def get_config(self) -> dict[str, Any]:
        return {}


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras", "tf_keras"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_a_classifier_compiled_with_a_loss_and_a_metric_of_its_own_is_opened(
    library: Any, suffix: str, tmp_path: Path
) -> None:
    def loss(truth: Any, scores: Any) -> Any:
        return (truth - scores) ** 2

    def metric(truth: Any, scores: Any) -> Any:
        return truth * scores

    parts = [library.Input((8, 8, 3)), library.layers.Conv2D(4, 3), library.layers.GlobalAveragePooling2D()]
    model = library.Sequential([*parts, library.layers.Dense(3, activation="softmax")])
    rate = Slower() if library is keras else 0.1
    model.compile(library.optimizers.Adam(rate), loss=loss, metrics=[metric])
    model.save(tmp_path / f"model{suffix}")

    opened = keras_files.open_classifier(tmp_path / f"model{suffix}")

    images = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(np.asarray(opened(images)), np.asarray(model(images)), atol=1e-6)
    assert not opened.compiled


def test_operations_of_keras_3_are_opened_from_hdf5_too(tmp_path: Path) -> None:
    """Keras 3.15 itself cannot: there are no modules in the file."""
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(image / 127.5 - 1)
    model = keras.Model(image, keras.ops.softmax(keras.ops.mean(x[:, 1:, ...] + x[:, :-1], axis=(1, 2))))
    model.save(tmp_path / "model.h5")
    images = np.random.default_rng(0).uniform(0, 255, (2, 8, 8, 3)).astype(np.float32)
    opened = keras_files.open_classifier(tmp_path / "model.h5")
    np.testing.assert_array_equal(np.asarray(opened(images)), np.asarray(model(images)))


def test_a_layer_that_is_called_twice_stays_one(tmp_path: Path) -> None:
    shared = layers.Conv2D(3, 3, padding="same")
    model = keras.Model(SMALL, layers.GlobalAveragePooling2D()(shared(shared(SMALL))))
    model.save(tmp_path / "model.keras")
    opened = keras_files.open_classifier(tmp_path / "model.keras")
    assert len(opened.weights) == 2


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        (
            [keras.Input((1 << 15, 1 << 15, 3)), layers.Conv2D(2, 3, strides=64)],
            "an image has 32768 x 32768 x 3 numbers",
        ),
        ([keras.Input((64, 64, 3)), layers.UpSampling2D(1000), layers.Conv2D(2, 3)], "numbers of one image"),
        ([keras.Input((64, 64, 3)), layers.ZeroPadding2D(100_000), layers.Conv2D(2, 3)], "numbers of one image"),
        ([keras.Input((2048, 2048, 3)), layers.MaxPooling2D(2000, 1, "same"), layers.Conv2D(2, 3)], "multiplications"),
    ],
    ids=["a giant image", "a giant enlargement", "a giant border", "giant windows"],
)
def test_what_one_image_asks_for_is_bounded_before_anything_computes(parts: list[Any], why: str) -> None:
    model = keras.Sequential([*parts, layers.GlobalAveragePooling2D(), layers.Dense(2)])
    with pytest.raises(ClassifierError, match=why):
        journey.walk(model)


def test_so_it_is_for_keras_2(tmp_path: Path) -> None:
    ls = tf_keras.layers
    parts = [ls.Conv2D(2, 3), ls.UpSampling2D(1000, name="large"), ls.GlobalAveragePooling2D(), ls.Dense(2)]
    tf_keras.Sequential([tf_keras.Input((64, 64, 3)), *parts]).save(tmp_path / "model.keras")
    with pytest.raises(ClassifierError, match=r"model\.keras: layer 'large' makes 7688000000 numbers"):
        keras_files.open_classifier(tmp_path / "model.keras")


@pytest.mark.parametrize("mean", [0.5, [0.5], [[0.5]]])
def test_one_mean_for_all_is_given_without_axes_for_which_keras_would_make_as_many(mean: Any) -> None:
    made = configuration.read(with_layer("Normalization", axis=[1, 2], mean=mean, variance=1.0), "model.keras", False)
    assert made["config"]["layers"][1]["config"]["axis"] is None


@pytest.mark.parametrize(("axis", "mean"), [(-1, 0.5), (-1, [0.5]), (None, 0.5), ([1, 2, 3], 0.5)])
def test_it_normalizes_the_same_without_axes(axis: Any, mean: Any, tmp_path: Path) -> None:
    variance = [4.0] if isinstance(mean, list) else 4.0
    chain = [layers.Normalization(axis=axis, mean=mean, variance=variance), layers.Conv2D(2, 3), layers.Flatten()]
    model = keras.Sequential([keras.Input((8, 8, 1)), *chain, layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    images = np.random.default_rng(0).random((3, 8, 8, 1), np.float32)

    opened = keras_files.open_classifier(tmp_path / "model.keras")

    np.testing.assert_allclose(np.asarray(opened(images)), np.asarray(model(images)), rtol=0, atol=1e-6)


def test_states_are_not_kept_and_steps_not_unrolled() -> None:
    made = configuration.read(with_layer("LSTM", units=3, stateful=True, unroll=True), "model.keras", False)
    config = made["config"]["layers"][1]["config"]
    assert (config["stateful"], config["unroll"]) == (False, False)
