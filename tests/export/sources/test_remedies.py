"""Every refusal of a classifier names a remedy, and the remedy works: here each is carried out as it stands."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import support.classifier_kinds as kinds
from camlite.errors import ClassifierError
from camlite_export.cutting import cutter
from camlite_export.sources import labels
from camlite_export.sources.opening import open_source

SIDE = 16


class Doubling(layers.Layer):
    """A layer that is not Keras's own, and not registered."""

    def call(self, inputs: Any) -> Any:
        return inputs * 2


def doubled(logits: Any) -> Any:
    return logits * 2


def backbone(image: Any) -> Any:
    return layers.Conv2D(4, 3, activation="relu", name="conv")(image)


def classifier(*front: Any, last: Any = None) -> keras.Model:
    image = x = keras.Input((SIDE, SIDE, 3), name="photo")
    for layer in front:
        x = layer(x)
    x = layers.GlobalAveragePooling2D()(backbone(x))
    return keras.Model(image, (last or layers.Dense(3, activation="softmax"))(x), name="small")


def refusal(given: Any, **options: Any) -> str:
    with pytest.raises(ClassifierError) as raised:
        cutter.cut(open_source(given, **{name: options[name] for name in options.keys() - {"layer"}}), _layer(options))
    assert "\n" not in str(raised.value)
    return str(raised.value)


def works(given: Any, **options: Any) -> None:
    source = open_source(given, **{name: options[name] for name in options.keys() - {"layer"}})
    cut = cutter.cut(source, _layer(options))
    images = np.random.default_rng(0).uniform(0, 1, (2, *source.image_shape)).astype(np.float32)
    assert np.isfinite(cut.answer(images).scores).all()


def _layer(options: dict[str, Any]) -> Any:
    return options.get("layer")


def saved(model: keras.Model, path: Path) -> Path:
    model.save(path)
    return path


@pytest.mark.parametrize("name", ["code.keras", "code.h5"])
@pytest.mark.parametrize(
    "code",
    [
        lambda: layers.Lambda(lambda x: x / 127.5 - 1),
        lambda: layers.Lambda(lambda x: ops.flip(x, axis=-1), output_shape=(SIDE, SIDE, 3)),
        lambda: layers.Lambda(lambda x: x * np.float32(2)),
    ],
)
def test_trust(tmp_path: Path, code: Callable[[], Any], name: str) -> None:
    path = saved(classifier(code()), tmp_path / name)
    assert refusal(path).endswith("where you trust whoever made it, say so with --trust")
    works(path, trusted=True)


def test_trust_in_what_is_on_no_list(tmp_path: Path) -> None:
    path = saved(classifier(layers.Pipeline([layers.Rescaling(1 / 255)])), tmp_path / "unlisted.keras")
    assert "on no list" in (message := refusal(path))
    assert message.endswith("say so with --trust")
    works(path, trusted=True)


@pytest.mark.parametrize("name", ["own.keras", "own.h5"])
def test_custom_objects_and_the_model_itself(tmp_path: Path, name: str) -> None:
    for part, what in ((classifier(Doubling()), "Doubling"), (classifier(last=layers.Dense(3, doubled)), "doubled")):
        path = saved(part, tmp_path / name)
        assert refusal(path).endswith("--trust")
        message = refusal(path, trusted=True)
        call = re.search(r"keras\.models\.load_model\(FILE, (.*?safe_mode=False)\)", message)
        assert call is not None, message
        assert f"{{'{what}': {what}}}" in message
        options = eval(f"dict({call[1]})", {"Doubling": Doubling, "doubled": doubled})
        works(keras.models.load_model(path, **options))


def test_the_model_itself_where_code_was_defined(tmp_path: Path) -> None:
    model = classifier(last=layers.Lambda(lambda x: doubled(x)))
    path = saved(model, tmp_path / "names.keras")
    message = refusal(path, trusted=True)
    assert "the name 'doubled'" in message
    assert "give the model itself to camlite_export.export" in message
    works(model)


def test_the_structure_or_the_whole_model(tmp_path: Path) -> None:
    model = classifier()
    model.save_weights(tmp_path / "small.weights.h5")
    message = refusal(tmp_path / "small.weights.h5")
    assert "--structure FILE.json, which model.to_json() gives" in message
    assert "save the whole model there with model.save()" in message
    (tmp_path / "small.json").write_text(model.to_json())
    works(tmp_path / "small.weights.h5", structure=tmp_path / "small.json")
    works(saved(model, tmp_path / "small.keras"))


def test_a_structure_is_given_beside_its_weights(tmp_path: Path) -> None:
    model, structure = classifier(), tmp_path / "small.json"
    structure.write_text(model.to_json())
    model.save_weights(tmp_path / "small.weights.h5")
    assert f"--structure {structure}" in refusal(structure)
    works(tmp_path / "small.weights.h5", structure=structure)


def test_the_file_in_a_folder(tmp_path: Path) -> None:
    path = saved(classifier(), tmp_path / "small.keras")
    assert f"give the classifier's file in it, as {path}" in refusal(tmp_path)
    works(path)


def test_another_name(tmp_path: Path) -> None:
    path = saved(classifier(), tmp_path / "small.keras").rename(tmp_path / "small.pb")
    assert "rename it" in refusal(path)
    works(path.rename(tmp_path / "small.h5"))


def test_a_saved_model_of_keras_3_is_saved_again_where_it_was_trained(tmp_path: Path) -> None:
    model = classifier()
    model.export(tmp_path / "exported", verbose=False)
    assert "save it with model.save('classifier.keras')" in refusal(tmp_path / "exported")
    works(saved(model, tmp_path / "classifier.keras"))


def test_the_size_is_chosen_or_left_out() -> None:
    parts = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    assert "choose the size with --size" in refusal(keras.Sequential([keras.Input((None, None, 3)), *parts]))
    works(keras.Sequential([keras.Input((None, None, 3)), *parts]), size=(20, 24))
    assert "leave --size out" in refusal(classifier(), size=(20, 24))
    works(classifier())


def test_an_input_in_front_of_a_model_that_was_never_built() -> None:
    parts = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    assert "begin it with keras.Input" in refusal(keras.Sequential(parts))
    works(keras.Sequential([keras.Input((SIDE, SIDE, 3)), *parts]))


def test_a_subclassed_model_is_rebuilt_with_the_functional_api() -> None:
    (subclassed,) = (kind for kind in kinds.REFUSALS if kind.title == "a subclassed model")
    model = subclassed.build(keras, layers)
    assert "rebuild it with the functional API" in refusal(model)
    x = image = keras.Input((SIDE, SIDE, 3))
    for part in model.parts:
        x = part(x)
    works(keras.Model(image, x))


def test_the_image_is_the_only_input() -> None:
    def build(inputs: int) -> keras.Model:
        image, age = keras.Input((SIDE, SIDE, 3)), keras.Input((1,))
        x = layers.GlobalAveragePooling2D()(backbone(image))
        x = layers.Concatenate()([x, age]) if inputs == 2 else x
        return keras.Model([image, age] if inputs == 2 else image, layers.Dense(3)(x))

    assert "build it with the image as its only input" in refusal(build(2))
    works(build(1))


def test_one_output_is_chosen() -> None:
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.GlobalAveragePooling2D()(backbone(image))
    model = keras.Model(image, [layers.Dense(3, activation="softmax")(x), layers.Dense(1)(x)])
    assert "keras.Model(model.input, model.outputs[0])" in refusal(model)
    works(keras.Model(model.input, model.outputs[0]))


def test_scores_at_one_place_are_flattened() -> None:
    pooled = layers.GlobalAveragePooling2D(keepdims=True)
    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 3)), layers.Conv2D(4, 3), pooled, layers.Conv2D(3, 1, activation="softmax")]
    )
    assert "keras.Sequential([model, keras.layers.Flatten()])" in refusal(model)
    works(keras.Sequential([model, layers.Flatten()]))


def test_what_makes_an_input_is_put_in_front_of_a_vector() -> None:
    parts = [layers.Reshape((28, 28, 1)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D(), layers.Dense(3)]
    model = keras.Sequential([keras.Input((784,)), *parts])
    assert "keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), model])" in refusal(model)
    works(keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), model]))


def test_a_sigmoid_for_one_unit() -> None:
    model = classifier(last=layers.Dense(1))
    assert "keras.Sequential([model, keras.layers.Activation('sigmoid')])" in refusal(model)
    works(keras.Sequential([model, keras.layers.Activation("sigmoid")]))


def test_channels_last_with_the_same_weights() -> None:
    def build(data_format: str) -> keras.Model:
        shape = (3, SIDE, SIDE) if data_format == "channels_first" else (SIDE, SIDE, 3)
        options = {"data_format": data_format}
        parts = [layers.Conv2D(4, 3, **options), layers.GlobalAveragePooling2D(**options), layers.Dense(3)]
        return keras.Sequential([keras.Input(shape), *parts])

    first, last = build("channels_first"), build("channels_last")
    assert "data_format='channels_last' and set the same weights" in refusal(first)
    last.set_weights(first.get_weights())
    works(last)


def test_a_fixed_batch_that_code_needs_is_built_again() -> None:
    def build(batch: int | None) -> keras.Model:
        image = keras.Input((SIDE, SIDE, 3), batch_size=batch)
        flat = layers.Lambda(lambda x: ops.reshape(x, (batch or -1, 14 * 14 * 4)), output_shape=(14 * 14 * 4,))
        shaped = ops.broadcast_to(flat(backbone(image)), (1, 14 * 14 * 4)) if batch else flat(backbone(image))
        return keras.Model(image, layers.Dense(3)(shaped))

    fixed, free = build(1), build(None)
    assert "build it again without batch_size, with (-1, ...)" in refusal(fixed)
    free.set_weights(fixed.get_weights())
    works(free)


def test_another_layer() -> None:
    model = classifier()
    message = refusal(model, layer="conv_9")
    assert "`camlite inspect` lists the layers" in message
    works(model, layer=next(step.name for step in open_source(model).steps if step.name == "conv"))
    (bypassed,) = (kind for kind in kinds.REFUSALS if kind.title == "a `--layer` that the scores bypass")
    branches = bypassed.build(keras, layers)
    said = refusal(branches, layer="left")
    assert "'together' (Concatenate) also takes the output of 'right'" in said
    assert "choose 'together' or a later layer" in said
    works(branches, layer="together")
    (transformer,) = (kind for kind in kinds.REFUSALS if kind.title == "a transformer")
    model = transformer.build(keras, layers)
    named = re.search(r"--layer (\S+) explains it", refusal(model))
    assert named is not None
    works(model, layer=named[1])


def test_labels_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("crane\nheron\ncrane\n")
    with pytest.raises(ClassifierError, match=r"'crane \(bird\)' and 'crane \(machine\)'"):
        labels.read(path, 3)
    path.write_text("crane (bird)\nheron\ncrane (machine)\n")
    assert labels.read(path, 3) == ("crane (bird)", "heron", "crane (machine)")
