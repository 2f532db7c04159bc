"""`camlite_export.sources.keras2`: files of Keras 2, made by Keras 2 in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from camlite.errors import ClassifierError
from camlite.maps import cam
from camlite_export.cutting import cutter, two_output
from camlite_export.sources import keras2, keras_errors, keras_files
from camlite_export.sources.opening import open_source
from camlite_export.sources.untrusted import model_file

# Keras 2 and 3 call the same kernels in another order: 6e-7 was measured, of scores up to 3.
ROUNDING = 5e-6

EXPLAINED = {
    # file: layer, method, classes, default preprocessing
    "sequential": ("normalized", "device", 3, "unit"),
    "teachable_machine": ("out_relu", "gradient", 4, "unit"),
    "arithmetic": (None, "device", 3, "raw"),
    "bgr": ("conv", "device", 3, "raw"),
    "augmented": ("conv", "device", 2, "raw"),
    "many_layers": ("Conv_last", "gradient", 3, "unit"),
    "mixed_precision": ("normalized", "device", 3, "unit"),
}

AS_FUNCTIONS = {
    "softmax_of_tensorflow": "softmax",
    "softmax_of_keras": "softmax",
    "sigmoid_of_tensorflow": "sigmoid",
    "named_output": "softmax",
    "batch_of_one": "softmax",
}


@pytest.fixture(scope="session")
def keras2_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the files of keras2_files.py."""
    folder = tmp_path_factory.mktemp("keras2")
    script = Path(__file__).parents[2] / "support" / "keras2_files.py"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, str(script), str(folder)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert finished.returncode == 0, finished.stderr
    return folder


def refusal(path: Path, trusted: bool = False) -> str:
    with pytest.raises(ClassifierError) as raised:
        keras_files.open_classifier(path, trusted)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("name", [*EXPLAINED, "any_size"])
def test_scores_are_those_of_keras_2(keras2_files: Path, name: str) -> None:
    model = keras_files.open_classifier(keras2_files / f"{name}.h5")
    assert isinstance(model, keras.Model)
    expected = np.load(keras2_files / f"{name}.npz")
    received = np.asarray(model(expected["images"], training=False))
    # Keras 2 computed the one in 16 bits, Keras 3 computes it in 32.
    np.testing.assert_allclose(
        received, expected["scores"], rtol=ROUNDING, atol=5e-3 if name == "mixed_precision" else ROUNDING
    )


@pytest.mark.parametrize("name", EXPLAINED)
def test_it_is_cut_like_any_other(keras2_files: Path, name: str) -> None:
    layer, method, classes, preprocess = EXPLAINED[name]
    cut = two_output.cut(keras_files.open_classifier(keras2_files / f"{name}.h5"))
    assert (cut.evidence_method, cut.classes, cut.default_preprocessing) == (method, classes, preprocess)
    assert layer in (None, cut.layer)


@pytest.mark.parametrize("name", AS_FUNCTIONS)
def test_what_is_written_as_a_function_is_taken_off_as_the_layer_would_be(keras2_files: Path, name: str) -> None:
    source = open_source(keras2_files / f"{name}.h5")
    cut = cutter.cut(source)
    assert (source.activation, cut.layer, cut.evidence_method) == (AS_FUNCTIONS[name], "conv", "device")
    expected = np.load(keras2_files / f"{name}.npz")
    scores = expected["scores"]
    if scores.shape[1] == 1:
        scores = np.concatenate([1 - scores, scores], axis=1)
    answer = cut.answer(expected["images"])
    np.testing.assert_allclose(answer.scores, scores, atol=ROUNDING)
    activated = cam.activate(source.logits(answer.features, cut.step), source.activation)
    np.testing.assert_allclose(activated, scores, atol=ROUNDING)


def test_shared_layers_stay_shared(keras2_files: Path) -> None:
    model = keras_files.open_classifier(keras2_files / "many_layers.h5")
    convolutions = [layer for layer in model.layers if type(layer) is keras.layers.Conv2D]
    assert len(convolutions) == 3
    assert max(len(layer._inbound_nodes) for layer in convolutions) == 3


def test_the_keras_format_of_keras_2_is_opened(keras2_files: Path) -> None:
    model = keras_files.open_classifier(keras2_files / "keras2.keras")
    expected = np.load(keras2_files / "sequential.npz")
    np.testing.assert_allclose(np.asarray(model(expected["images"])), expected["scores"], atol=ROUNDING)


def test_the_keras_format_of_keras_2_13_is_opened(keras2_files: Path) -> None:
    """Later versions of Keras 2 find none of its layers, and Keras 3 finds others under their names."""
    expected = np.load(keras2_files / "keras2_13.npz")
    for trusted in (False, True):
        model = keras_files.open_classifier(keras2_files / "keras2_13.keras", trusted)
        np.testing.assert_allclose(np.asarray(model(expected["images"])), expected["scores"], atol=ROUNDING)


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("weights", ["weights_alone.h5", "weights_alone.weights.h5", "sequential.h5", "keras2.keras"])
def test_weights_are_opened_beside_their_structure(keras2_files: Path, weights: str, trusted: bool) -> None:
    model = keras_files.open_classifier(keras2_files / weights, trusted, keras2_files / "structure.json")
    expected = np.load(keras2_files / "sequential.npz")
    np.testing.assert_allclose(np.asarray(model(expected["images"])), expected["scores"], atol=ROUNDING)


def test_weights_alone_are_refused(keras2_files: Path) -> None:
    assert "holds weights only" in refusal(keras2_files / "weights_alone.h5")


def test_a_saved_model_is_opened_only_where_it_is_trusted(keras2_files: Path) -> None:
    assert "a SavedModel of Keras 2, which carries code" in refusal(keras2_files / "saved_model")
    model = keras_files.open_classifier(keras2_files / "saved_model", trusted=True)
    expected = np.load(keras2_files / "sequential.npz")
    np.testing.assert_allclose(np.asarray(model(expected["images"])), expected["scores"], atol=ROUNDING)


def test_a_lambda_layer_runs_only_where_the_file_is_trusted(keras2_files: Path) -> None:
    marker = keras2_files / "code_has_run"
    marker.unlink(missing_ok=True)
    assert "carries code (a Lambda layer)" in refusal(keras2_files / "lambda.h5")
    assert not marker.exists()
    model = keras_files.open_classifier(keras2_files / "lambda.h5", trusted=True)
    assert marker.exists(), "the code would not have run at all"
    assert two_output.cut(model).layer == "normalized"


def test_functions_of_tensorflow_that_are_not_known_to_be_harmless_do_not_run(keras2_files: Path) -> None:
    assert "a call of tf.quantization.fake_quant_with_min_max_args" in refusal(keras2_files / "forbidden.h5")


def test_functions_that_touch_files_do_not_run_while_keras_2_builds_the_graph(
    keras2_files: Path, tmp_path: Path
) -> None:
    """Keras 2 calls them with the arguments in the file as it opens it, before anybody could look at the layers."""
    path, victim = tmp_path / "model.h5", tmp_path / "victim"
    victim.mkdir()
    path.write_bytes((keras2_files / "forbidden.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        (layer,) = (one for one in config["config"]["layers"] if one["class_name"] == "TFOpLambda")
        layer["config"]["function"] = "io.gfile.rmtree"
        layer["inbound_nodes"] = [["_CONSTANT_VALUE", -1, str(victim), {}]]
        file.attrs["model_config"] = json.dumps(config)

    assert "carries code (a call of tf.io.gfile.rmtree)" in refusal(path)
    assert victim.exists()


def test_a_file_that_keras_2_cannot_open_either(keras2_files: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    path.write_bytes((keras2_files / "sequential.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1]["class_name"] = "Conv9D"
        file.attrs["model_config"] = json.dumps(config)
    assert "Keras 2 (tf_keras" in refusal(path, trusted=True)
    assert "holds a Conv9D, which is on no list" in refusal(path)


@pytest.mark.parametrize("layer", ["first", "last"])
@pytest.mark.parametrize("name", ["sequential.h5", "keras2.keras"])
def test_layers_that_declare_far_more_than_the_file_has_get_no_memory(
    name: str, layer: str, keras2_files: Path, tmp_path: Path, little_memory: Callable[[], int]
) -> None:
    def enlarge(config: dict) -> None:
        parts = [part["config"] for part in config["config"]["layers"] if part["class_name"] in ("Conv2D", "Dense")]
        if layer == "first":
            parts[0]["kernel_size"] = [20_000, 20_000]
            parts[0]["padding"] = "same"
        else:
            parts[-1]["units"] = 1_000_000_000

    message = refusal(with_config(keras2_files / name, enlarge, tmp_path / name))

    # Refused at the kernel, with what came before it.
    assert f"declares {7_200_000_000 if layer == 'first' else 6_000_000_192} parameters" in message
    assert little_memory() < 64 << 20


def test_each_parameter_of_a_file_is_counted_once(keras2_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers that are shared, too: what the last variable brings the count to is what the model has."""
    counts: list[int] = []
    file = keras_files.examine(keras2_files / "many_layers.h5")
    monkeypatch.setattr(model_file, "refuse_bomb", lambda _, parameters: counts.append(parameters))
    keras2.open_keras2(file, False)
    with h5py.File(keras2_files / "many_layers.h5") as file:
        sizes: list[int] = []
        file["model_weights"].visititems(lambda _, one: sizes.append(getattr(one, "size", 0)))

    assert max(counts) == sum(sizes)


def with_config(path: Path, change: Callable[[dict], None], changed: Path) -> Path:
    """A copy of a file of Keras 2 whose layers are changed."""
    if path.suffix == ".h5":
        changed.write_bytes(path.read_bytes())
        with h5py.File(changed, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            change(config)
            file.attrs["model_config"] = json.dumps(config)
        return changed
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(changed, "w") as copy:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            copy.writestr(name, content)
    return changed


def test_a_layer_that_keras_3_does_not_have_is_named() -> None:
    import tf_keras

    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((8, 8, 3)),
            layers.LocallyConnected2D(2, 3, name="local"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    with pytest.raises(ClassifierError, match="layer 'local' is a LocallyConnected2D, which Keras 3 does not have"):
        keras2.rebuild(model, "model.h5")


@pytest.mark.parametrize("inputs", [0, 2])
def test_one_image_goes_in(inputs: int) -> None:
    import tf_keras

    layers = tf_keras.layers
    if inputs:
        images = [tf_keras.Input((8, 8, 3)) for _ in range(inputs)]
        model = tf_keras.Model(images, layers.Add()(images))
    else:
        model = tf_keras.Sequential([layers.Conv2D(2, 3)])
    with pytest.raises(ClassifierError, match=f"with {inputs} inputs, expected a Sequential or functional model"):
        keras2.rebuild(model, "model.h5")


def test_a_model_that_comes_out_different_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof can fail: here a layer of Keras 3 does something else."""
    import tf_keras

    model = tf_keras.Sequential(
        [tf_keras.Input((8, 8, 3)), tf_keras.layers.ReLU(), tf_keras.layers.Flatten(), tf_keras.layers.Dense(2)]
    )
    monkeypatch.setattr(keras.layers, "ReLU", keras.layers.ELU)
    with pytest.raises(ClassifierError, match="its scores differ by"):
        keras2.rebuild(model, "model.h5")


@pytest.mark.parametrize("said", ["Could not locate class 'Mine'. Make sure", "Unknown layer: 'Mine'. Please ensure"])
def test_an_unknown_class_is_named_with_what_to_do(said: str) -> None:
    file = model_file.ModelFile(Path("mine.h5"), False, None, "2")
    reason = keras_errors.reason(ValueError(said), file, True, "tf_keras")
    assert reason.startswith("'Mine' is no class or function of Keras's own; in Python, import it")


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("suffix", [".h5", ".keras"])
def test_layers_of_keras_applications_are_found(suffix: str, trusted: bool, tmp_path: Path) -> None:
    """ConvNeXt's LayerScale is exported by neither Keras; trust does not make less open."""
    from tf_keras.src.applications import convnext

    small = {"input_shape": (32, 32, 3), "weights": None, "classes": 3}
    model = convnext.ConvNeXt([1] * 4, [4, 4, 8, 8], drop_path_rate=0.1, **small)
    model.save(tmp_path / f"model{suffix}")
    opened = keras_files.open_classifier(tmp_path / f"model{suffix}", trusted)
    assert any(type(layer).__name__ == "LayerScale" for layer in opened.layers)
