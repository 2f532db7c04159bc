"""Evidence that adds up to nothing: told, and not taken for a map."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from camlite.errors import ClassifierError
from camlite_export.cutting import two_output, vanishing
from camlite_export.cutting.two_output import TwoOutputModel
from camlite_export.sources import same_answers
from support import classifier_kinds as kinds
from support.classifier_kinds import OTHER_HEADS, REFUSALS, Kind

(TOKENS,) = (kind for kind in REFUSALS if "normalized over its channels" in kind.title)


def features(cut: TwoOutputModel) -> np.ndarray:
    """So large that no epsilon matters, as where it is decided."""
    return 1e3 * cut.answer(same_answers.probes(cut.image_shape)).features


def test_the_layer_is_told() -> None:
    with pytest.raises(ClassifierError, match=r"cut at layer 'last_conv', its evidence cancels out: right behind it"):
        two_output.cut(kinds.classifier(TOKENS), "last_conv")


def test_an_earlier_layer_is_explained() -> None:
    """As what is normalized together are the places of the next layer, not these."""
    cut = two_output.cut(kinds.classifier(TOKENS), "first_conv")

    assert vanishing.share(cut, features(cut)) > 0.1


@pytest.mark.parametrize("kind", OTHER_HEADS, ids=str)
def test_no_other_head_comes_near_that(kind: Kind) -> None:
    """A normalization behind pooling is among them: there all places together add up to 0, but not each of them.

    0.58 was the least; it may be 0.02 of networks whose features have thousands of channels.
    """
    cut = kinds.cut(kind)
    assert isinstance(cut, TwoOutputModel)

    assert (vanishing.share(cut, features(cut)) or 1) > 0.3


@pytest.mark.parametrize("spoilt", [0.0, np.inf])
def test_features_of_which_nothing_follows_do_not_count(spoilt: float) -> None:
    cut: Any = kinds.cut(next(kind for kind in OTHER_HEADS if "Dense with relu, Dense" in kind.title))
    shape = (1, *cut.feature_shape)

    assert vanishing.share(cut, np.full(shape, spoilt, np.float32)) is None
    vanishing.refuse(cut, np.full(shape, spoilt, np.float32), "classifier", "last_conv")


def test_a_normalization_that_is_a_map_itself_is_where_it_is_cut() -> None:
    image = keras.Input((16, 16, 3))
    x = layers.LayerNormalization(name="normal")(layers.Conv2D(6, 3, name="conv")(image))
    scores = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, scores, name="classifier")

    assert two_output.cut(model).layer == "normal"
    with pytest.raises(ClassifierError, match="its evidence cancels out"):
        two_output.cut(model, "conv")
