"""`camlite_export.cutting.coarse_maps`: maps of few cells are warned of, and the layer named is finer."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import keras
import pytest
from keras import layers

import camlite_export
from camlite_export.cutting.coarse_maps import CoarseMapWarning


def classifier(poolings: int, filters: int = 4) -> keras.Model:
    """As potato-leaf classifiers are: convolutions and poolings, until 2 x 2 cells are left."""
    parts = [keras.Input((32, 32, 3))]
    for index in range(poolings):
        parts += [
            layers.Conv2D(filters, 3, padding="same", activation="relu", name=f"conv_{index}"),
            layers.MaxPool2D(),
        ]
    return keras.Sequential([*parts, layers.Flatten(), layers.Dense(3, activation="softmax")], name="leaves")


def test_a_map_of_2_x_2_cells_is_warned_of_and_a_finer_layer_named() -> None:
    with pytest.warns(CoarseMapWarning, match=r"2 x 2 cells, which point nowhere; --layer \S+ gives 4 x 4") as raised:
        camlite_export.inspect(classifier(4))
    named = re.search(r"--layer (\S+) gives", str(raised[0].message))
    assert named is not None
    found = camlite_export.inspect(classifier(4), layer=named[1])
    assert found.cut.shape[1:3] == (4, 4)


def test_a_map_of_nine_cells_or_a_layer_that_was_chosen_is_not() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        camlite_export.inspect(classifier(3))
        camlite_export.inspect(classifier(4), layer="conv_3")


def test_where_there_is_no_finer_layer_the_reason_is_told() -> None:
    model = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(4, 16, 16), layers.Flatten(), layers.Dense(3)])
    with pytest.warns(CoarseMapWarning, match="larger images, or a classifier with less pooling"):
        camlite_export.inspect(model)


def test_the_command_says_it_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from camlite import cli

    classifier(4).save(tmp_path / "leaves.keras")
    assert cli.main(["inspect", str(tmp_path / "leaves.keras")]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "--layer" in line
