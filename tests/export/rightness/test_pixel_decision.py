"""`camlite_export.rightness.pixel_decision`: what it says, and what it does with pictures that tell nothing."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from camlite.images.labelled_images import LabelledImages
from camlite_export.rightness import pixel_evidence
from camlite_export.rightness.pixel_decision import Decision, decide
from camlite_export.sources.opening import open_source
from camlite_export.sources.pixel_conventions import preprocessing
from camlite_export.sources.pixel_view import View
from camlite_export.sources.pixel_views import view_of
from support import photographs
from support.pixel_classifiers import SHAPES, SIDE, as_given, behind, pictures, trained

SHAPE = (SIDE, SIDE, 3)
IMAGES, CLASSES = pictures(160, 9)


def decided(model: keras.Model, shown: LabelledImages | None, **options: object) -> Decision:
    return decide(view_of(open_source(model)), shown, SHAPES, **options)


def test_the_reason_says_what_was_decided_and_from_what() -> None:
    decision = decided(trained("normalized", "signed"), as_given(IMAGES, CLASSES))

    assert decision.reason.startswith("pixels -1..1, because BatchNormalization 'batch_normalization")
    assert "stored the statistics that these pictures have as -1..1 (distance 0.0" in decision.reason
    assert "labelled pictures are classified correctly as -1..1" in decision.reason
    assert decision.target == preprocessing(SHAPE, "signed")
    assert decision.labels is not None
    assert decision.labels.accuracy > 0.8


def test_the_table_says_what_each_convention_gives_on_the_pictures() -> None:
    header, *rows = decided(trained("plain", "unit"), as_given(IMAGES)).table

    assert header == ("pixels", "accuracy", "normalization", "confidence", "most named")
    assert [row[0] for row in rows] == [
        f"--preprocess {name}" for name in ("unit", "signed", "imagenet", "caffe", "raw")
    ]
    assert all(row[3] and any(shape in row[4] for shape in SHAPES) for row in rows)


@pytest.mark.parametrize("convention", ["unit", "raw"])
def test_pictures_that_are_not_those_of_the_training_do_not_decide_wrongly(convention: str) -> None:
    model = trained("normalized", convention)
    others = {
        "half as bright": as_given(IMAGES // 2),
        "blank": as_given(np.full_like(IMAGES, 255)),
        "black": as_given(np.zeros_like(IMAGES)),
        "noise": as_given(np.random.default_rng(0).integers(0, 256, IMAGES.shape, np.uint8)),
        "faint": as_given((IMAGES // 4 + 96).astype(np.uint8)),
        "negatives": as_given(255 - IMAGES),
    }
    for what, given in others.items():
        assert decided(model, given).name in (convention, None), what


@pytest.mark.parametrize("count", [1, 2, 4, 6, 10])
def test_a_few_pictures_do_not_decide_wrongly(count: int) -> None:
    for convention in ("unit", "signed"):
        assert decided(trained("normalized", convention), as_given(IMAGES[:count])).name in (convention, None)


def test_photographs_of_other_things_are_good_enough() -> None:
    given = as_given([np.asarray(photographs.photograph(name)) for name in photographs.names()])
    for convention in ("unit", "raw"):
        assert decided(trained("normalized", convention), given).name == convention


def test_pixels_without_a_name_are_asked_for_and_not_taken_for_their_neighbours() -> None:
    """Trained on -0.5..0.5, and on BGR: nothing among the named ones is right."""
    shifted = behind([layers.Rescaling(1.0, 0.5)], trained("plain", "unit"))
    assert decided(shifted, as_given(IMAGES, CLASSES)).name is None


def test_what_the_user_says_wins_and_what_speaks_against_it_is_said() -> None:
    given = preprocessing(SHAPE, "unit")
    decision = decided(trained("normalized", "raw"), as_given(IMAGES, CLASSES), given=given)

    assert (decision.target, decision.name) == (given, "unit")
    assert decision.reason == "pixels 0..1, as was asked for"
    assert len(decision.warnings) == 2
    assert all(warning.startswith("pixels: 0..1, but ") for warning in decision.warnings)
    assert decided(trained("normalized", "raw"), as_given(IMAGES), given=preprocessing(SHAPE, "raw")).warnings == ()


@pytest.mark.parametrize("convention", ["raw", "unit"])
@pytest.mark.parametrize("order", [[1, 2, 3, 0], [3, 2, 1, 0], [1, 0, 2, 3]])
def test_labels_in_another_order_do_not_hide_the_pixels(convention: str, order: list[int]) -> None:
    """Without a normalization only the accuracy tells, and it is 0 where all labels stand elsewhere."""
    decision = decided(trained("plain", convention), as_given(IMAGES, np.array(order)[CLASSES]))

    assert decision.name == convention, decision.reason
    assert decision.labels is not None
    assert any("if these labels changed places" in failure for failure in decision.labels.failures)


def test_labels_that_may_be_in_another_order_are_a_warning_where_pictures_are_too_few_to_be_sure() -> None:
    few = np.concatenate([np.flatnonzero(k == CLASSES)[:5] for k in range(4)])
    classifier = trained("normalized", "signed")

    swapped = np.array([1, 0, 2, 3])[CLASSES]
    moved, right = (decided(classifier, as_given(IMAGES[few], classes[few])) for classes in (swapped, CLASSES))

    assert moved.labels is not None
    assert moved.labels.failures == ()
    (warning,) = (line for line in moved.warnings if line.startswith("labels: "))
    assert "if some labels changed places" in warning
    assert warning.endswith("--labels")
    assert not any(line.startswith("labels: ") for line in right.warnings)


def test_the_table_says_what_another_order_of_the_labels_would_give() -> None:
    rows = decided(trained("plain", "raw"), as_given(IMAGES, (CLASSES + 1) % 4)).table
    raw = next(row for row in rows if row[0] == "--preprocess raw")

    assert float(raw[1].split("%")[0]) < 10
    assert float(raw[1].split("(")[1].split("%")[0]) > 80
    assert raw[1].endswith("% if labels changed places)")


def test_where_the_labels_are_right_as_they_stand_no_other_order_is_thought_of() -> None:
    """Red and blue change places where the channels do: both tell the pictures apart, and one needs no excuse."""
    truth = np.arange(60) % 3
    right, swapped = (np.eye(3, dtype=np.float32)[order][truth] for order in ([0, 1, 2], [2, 1, 0]))
    targets = {name: preprocessing(SHAPE, name) for name in ("imagenet", "caffe")}

    evidence = pixel_evidence.of_the_accuracy({"imagenet": swapped, "caffe": right}, targets, [], truth)
    assert evidence.permits == {"caffe"}
    assert evidence.reordered == {}


def test_a_mean_and_a_deviation_of_ones_own_are_held_against_the_evidence_too() -> None:
    own = preprocessing(SHAPE, mean=[127.0], std=[128.0])
    assert decided(trained("normalized", "signed"), as_given(IMAGES, CLASSES), given=own).warnings == ()
    far = preprocessing(SHAPE, mean=[0.0], std=[10.0])
    assert decided(trained("normalized", "signed"), as_given(IMAGES, CLASSES), given=far).warnings


def test_a_family_against_the_measurements_is_asked_about() -> None:
    """MobileNetV2's layers, whose first normalization remembers 0..255."""
    backbone = keras.applications.MobileNetV2((64, 64, 3), alpha=0.35, weights=None, include_top=False)
    model = keras.Sequential([keras.Input((64, 64, 3)), backbone, layers.GlobalAveragePooling2D(), layers.Dense(4)])
    view = view_of(open_source(model))
    assert decide(view, None, SHAPES).name == "signed"

    first = backbone.get_layer("bn_Conv1")
    images = np.stack(_at(64))
    values = np.asarray(keras.Model(backbone.input, first.input)(images))
    gamma, beta, *_ = first.get_weights()
    first.set_weights([gamma, beta, values.mean(axis=(0, 1, 2)), values.var(axis=(0, 1, 2))])
    decision = decide(view_of(open_source(model)), as_given(IMAGES), SHAPES)
    assert decision.name is None
    assert "the evidence contradicts itself: its layers are built like MobileNetV2's" in decision.reason
    assert (
        "but BatchNormalization 'bn_Conv1' stored the statistics that these pictures have as 0..255" in decision.reason
    )


def _at(side: int) -> list[np.ndarray]:
    from camlite.images.preprocessing import prepare

    return [prepare(image, preprocessing((side, side, 3), "raw")) for image in IMAGES[:48]]


def test_grey_classifiers_are_decided_on_as_well() -> None:
    images, classes = pictures(160, 9, 1)
    for convention in ("signed", "raw"):
        decision = decided(trained("normalized", convention, 1), as_given(images, classes))
        assert decision.name == convention
        assert len(decision.table) == 4


def test_mixed_precision_is_decided_on_as_well() -> None:
    original = trained("normalized", "signed")

    def in_16_bits(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config({**layer.get_config(), "dtype": "mixed_float16"})

    model = keras.models.clone_model(original, clone_function=in_16_bits)
    model.set_weights(original.get_weights())
    assert decided(model, as_given(IMAGES)).name == "signed"


def test_where_all_conventions_give_the_same_scores_none_is_asked_for() -> None:
    class Standardized(layers.Layer):
        def call(self, images: object) -> object:
            mean = keras.ops.mean(images, axis=(1, 2, 3), keepdims=True)
            deviation = keras.ops.std(images, axis=(1, 2), keepdims=True)
            return (images - mean) / (keras.ops.mean(deviation, axis=3, keepdims=True) + 1e-9)

    grey = keras.Sequential([keras.Input((SIDE, SIDE, 1)), Standardized(), trained("plain", "unit", 1)])
    decision = decided(grey, as_given(pictures(40, 9, 1)[0]))
    assert decision.name == "unit"
    assert "all conventions give the same scores" in decision.reason


@pytest.fixture(scope="module")
def teachable_machine() -> View:
    if "TEACHABLE_MACHINE_DIR" not in os.environ:
        pytest.skip("TEACHABLE_MACHINE_DIR: no Teachable Machine model here")
    return view_of(open_source(Path(os.environ["TEACHABLE_MACHINE_DIR"]) / "keras_model.h5"))


@pytest.mark.parametrize("given", [False, True], ids=["no pictures", "photographs"])
def test_teachable_machine_is_signed_and_cropped(teachable_machine: View, given: bool) -> None:
    photos = [np.asarray(photographs.photograph(name).resize((320, 240))) for name in photographs.names()]
    decision = decide(teachable_machine, as_given(photos) if given else None, tuple("abcd"))

    assert decision.target == preprocessing((224, 224, 3), "signed", fit="crop")
    assert "its layers are built like Teachable Machine's" in decision.reason
    assert decision.reason.endswith("cropped to a square, as Teachable Machine does")


@pytest.mark.skipif("MINI_XCEPTION_DIR" not in os.environ, reason="MINI_XCEPTION_DIR: no Mini-Xception here")
def test_a_strangers_grey_network_remembers_its_pixels() -> None:
    (path,) = Path(os.environ["MINI_XCEPTION_DIR"]).glob("*.hdf5")
    view = view_of(open_source(path))
    given = as_given([np.asarray(photographs.photograph(name).resize((160, 120))) for name in photographs.names()])
    assert decide(view, given, ("woman", "man")).name == "signed"
