"""`camlite_export.sharpening.choosing`: which maps are the best is measured, and said."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from camlite.artifact.card import WHOLE
from camlite.errors import ClassifierError
from camlite.faithfulness import insertion_deletion
from camlite_export.cutting import cutter, two_output
from camlite_export.sharpening import choosing
from camlite_export.sharpening.choosing import Chosen, Maps, choose
from camlite_export.sources.opening import open_source
from camlite_export.sources.pixel_conventions import preprocessing
from support import classifier_kinds

REFERENCE = Path(__file__).parents[3] / "artifacts" / "fashion_mnist"


@pytest.fixture(scope="module")
def chosen() -> dict[str, Chosen]:
    cut = cutter.cut(open_source(REFERENCE.with_suffix(".keras")), -3)
    images = np.load(f"{REFERENCE}.calibration.npz")["images"][::20]
    target = preprocessing(cut.image_shape)
    wanted: tuple[Maps, ...] = ("auto", "sharp")
    return {maps: choose(cut, target, WHOLE, list(images), maps) for maps in wanted}


def difference(chosen: Chosen, name: str) -> float:
    (found,) = (one.insertion - one.deletion for one in chosen.maps.measured if one.map == name)
    return found


def test_the_score_of_the_reference_follows_a_fine_map_far_better_than_the_plain_one(chosen):
    best = chosen["auto"]

    assert best == chosen["sharp"]
    assert best.layers is not None
    assert difference(best, str(best.layers)) > difference(best, "cam") + 0.3
    assert best.warning == ""


def test_what_was_measured_goes_with_the_choice(chosen):
    maps = chosen["auto"].maps

    assert maps.measured_on == 10
    assert maps.guide is not None
    assert maps.guide.layers == chosen["auto"].layers.names
    assert maps.guide.classes == "top"
    assert {one.map for one in maps.measured} >= {"cam", "hirescam conv_16, smoothed"}
    assert re.fullmatch(r".+: insertion - deletion 0\.\d\d on 10 pictures, plain maps -?0\.\d\d", maps.chosen)


def test_no_candidate_is_better_by_more_than_is_worth_a_longer_way_back(chosen):
    best = chosen["auto"]
    found = max(one.insertion - one.deletion for one in best.maps.measured)

    assert difference(best, str(best.layers)) >= found - 0.02


def test_a_guide_that_is_asked_for_may_count_a_layer_twice():
    cut = cutter.cut(open_source(REFERENCE.with_suffix(".keras")), -3)
    images = np.load(f"{REFERENCE}.calibration.npz")["images"][::40]
    name = "layercam conv_16 * conv_32 * conv_32"

    found = choose(cut, preprocessing(cut.image_shape), WHOLE, list(images), "sharp", name)

    assert found.maps.guide is not None
    assert found.maps.guide.layers == ("conv_16", "conv_32", "conv_32")
    assert found.maps.chosen.startswith(f"{name}: ")


def untrained(body: list[layers.Layer], activation: str = "softmax") -> two_output.TwoOutputModel:
    keras.utils.set_random_seed(0)
    chain = [keras.Input((16, 16, 3)), *body, layers.GlobalAveragePooling2D(), layers.Dense(5, activation=activation)]
    return two_output.cut(classifier_kinds.lively(keras.Sequential(chain)))


NOISE = list(np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8))
MUCH_NOISE = list(np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8))


def test_without_a_finer_layer_no_sharp_map_is_made_and_auto_gives_the_plain_one():
    cut = untrained([layers.Conv2D(4, 3, padding="same", activation="relu")])
    target = preprocessing(cut.image_shape)

    with pytest.raises(ClassifierError, match=r"no layer in front of .* use --maps cam"):
        choose(cut, target, WHOLE, NOISE, "sharp")
    plain = choose(cut, target, WHOLE, NOISE, "auto")
    assert plain.layers is None
    assert plain.maps.guide is None
    assert [one.map for one in plain.maps.measured] == ["cam"]


def test_a_classifier_of_logits_is_measured_by_its_probabilities():
    """Logits below 0 would divide a curve by nothing."""
    body = [layers.Conv2D(4, 3, padding="same", activation="relu"), layers.MaxPooling2D(4)]
    cut = untrained(body, "linear")
    cut.source.model.layers[-1].bias.assign(np.full(5, -1000, np.float32))
    assert cut.answer(np.float32(NOISE)).scores.max() < 0

    found = choose(cut, preprocessing(cut.image_shape), WHOLE, NOISE, "auto").maps

    assert all(np.isfinite([one.insertion, one.deletion]).all() for one in found.measured)


@pytest.mark.parametrize(
    ("gains", "count", "said"),
    [
        ((0.4, 0.2), 16, ""),
        ((0.05, -0.04), 16, "not certainly better than a random one, 0.10: by 0.005 (95 % interval -0.0"),
        ((0.0, 0.0), 16, "is no better than a random one, 0.10"),
        ((-0.4, 0.2), 16, "is no better than a random one, 0.10"),
        ((0.05, -0.04), 4, ""),  # too few for an interval
        ((-0.05, 0.04), 4, "is no better than a random one, 0.10"),
    ],
)
def test_a_map_is_better_than_a_random_one_only_where_that_is_no_accident(gains, count, said):
    """By the same rule as `camlite faithful`, so that it does not take back what an export has said."""
    random = np.full(count, 0.1)

    line = choosing._warning("a map", random + np.resize(gains, count), random)

    assert line.startswith("even the best map, a map, is") == bool(said)
    assert said in line


@pytest.mark.parametrize(("count", "said"), [(1, " on 1 picture,"), (4, " on 4 pictures,")])
def test_copies_of_a_picture_count_once(count, said):
    """What an artifact says it was measured on is what its figures vouch for."""
    cut = untrained([layers.Conv2D(4, 3, padding="same", activation="relu"), layers.MaxPooling2D(4)])
    target = preprocessing(cut.image_shape)

    once, often = (choose(cut, target, WHOLE, NOISE[:count] * times, "auto") for times in (1, 4))

    assert often == once
    assert often.maps.measured_on == count
    assert said in often.maps.chosen


def test_pictures_are_taken_from_all_folders_not_from_the_first():
    """Those of the first class stand first."""
    seen = []

    class Pictures(list):
        def __getitem__(self, index):
            seen.append(index)
            return super().__getitem__(index)

    cut = untrained([layers.Conv2D(4, 3, padding="same", activation="relu")])
    choose(cut, preprocessing(cut.image_shape), WHOLE, Pictures(NOISE * 10), "auto")

    assert len(seen) == 16
    assert (seen[0], seen[-1]) == (0, 39)


POOLED = [
    layers.Conv2D(4, 3, padding="same", activation="relu", name="fine"),
    layers.MaxPooling2D(2),
    layers.Conv2D(4, 3, padding="same", activation="relu", name="middle"),
    layers.MaxPooling2D(4),
    layers.Conv2D(4, 3, padding="same", activation="relu", name="last"),
]


def test_a_guide_that_is_asked_for_is_the_only_one_that_is_measured():
    cut = untrained([layer.__class__.from_config(layer.get_config()) for layer in POOLED])

    found = choose(cut, preprocessing(cut.image_shape), WHOLE, NOISE, "sharp", "layercam fine * middle")

    assert [one.map for one in found.maps.measured] == ["cam", "layercam fine * middle"]
    assert found.layers is not None
    assert found.layers.names == ("fine", "middle")
    assert not found.layers.smooth


def test_a_guide_that_cannot_be_made_is_refused_with_those_that_can():
    cut = untrained([layer.__class__.from_config(layer.get_config()) for layer in POOLED])

    listed = r"no guide 'layercam last' can be made.*'layercam fine', .*'hirescam.*; and products"
    with pytest.raises(ClassifierError, match=listed):
        choose(cut, preprocessing(cut.image_shape), WHOLE, NOISE, "sharp", "layercam last")


def test_only_the_best_guides_of_each_length_are_measured_on_all_pictures(monkeypatch):
    """Of 12 guides and two other maps on 16 pictures: 14 on 4, 6 on the rest, and not 14 on all."""
    asked = []
    measure = insertion_deletion.measure

    def counted(score, image, heats, k, steps):
        asked.append(len(heats))
        return measure(score, image, heats, k, steps)

    monkeypatch.setattr(insertion_deletion, "measure", counted)
    cut = untrained([layer.__class__.from_config(layer.get_config()) for layer in POOLED])

    found = choose(cut, preprocessing(cut.image_shape), WHOLE, MUCH_NOISE, "sharp")

    assert asked == [14] * 4 + [6] * 12
    assert found.maps.measured_on == 16
    assert len(found.maps.measured) == 5  # without the random one
    firsts = [one.map.split()[1].rstrip(",") for one in found.maps.measured if one.map != "cam"]
    assert sorted(firsts) == ["fine", "fine", "middle", "middle"]
