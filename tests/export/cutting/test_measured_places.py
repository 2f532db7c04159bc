"""`camlite_export.cutting.measured_places`: where cells lie is measured, whatever layers are called."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from camlite.artifact.card import WHOLE, Preprocessing
from camlite.errors import ClassifierError
from camlite_export.cutting import measured_places


def conv(size: int = 3, **options: Any) -> layers.Layer:
    return layers.Conv2D(8, size, **{"padding": "same", "activation": "relu", **options})


def pooled() -> list[layers.Layer]:
    return [conv(), layers.MaxPooling2D(2), conv(), layers.MaxPooling2D(2)]


def edges(
    front: list[layers.Layer], trunk: list[layers.Layer], shape: tuple[int, int] = (64, 64), seed: int = 0
) -> list[float]:
    """Top, left, bottom and right of the grid, in pixels."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((*shape, 3))
    tensor = keras.Sequential(seeded(front))(image) if front else image
    model = keras.Model(image, keras.Sequential(seeded(trunk))(tensor))
    cropped = keras.Model(image, tensor) if front else None
    window = measured_places.measure(
        answering(model),
        (*shape, 3),
        Preprocessing(*shape, 3, (1 / 255,) * 3, (0.0,) * 3, "stretch"),
        "classifier",
        answering(cropped) if cropped else None,
    ).window
    return [share * shape[index % 2] for index, share in enumerate(window)]


def seeded(parts: list[layers.Layer]) -> list[layers.Layer]:
    """The same layers made anew: a layer draws the seed of its weights when it is made."""
    return [one if isinstance(one, layers.Lambda) else type(one).from_config(one.get_config()) for one in parts]


def answering(model: keras.Model) -> measured_places.Features:
    return lambda images: np.asarray(model(images, training=False))


@pytest.mark.parametrize(
    ("trunk", "shape"),
    [
        (pooled(), (64, 64)),
        ([conv(strides=2) for _ in range(4)], (64, 64)),
        ([*pooled(), layers.GlobalAveragePooling2D(keepdims=True), layers.UpSampling2D(4)], (16, 16)),
        ([conv(5, strides=2), conv(2, strides=2, padding="valid")], (9, 13)),
    ],
    ids=["pooled", "strides that shift by half a cell", "nothing has a place", "a last pixel that is not seen"],
)
def test_plain_networks_lie_over_the_whole_image(trunk: list[layers.Layer], shape: tuple[int, int]) -> None:
    assert edges([], trunk, shape) == [WHOLE[i] * shape[i % 2] for i in range(4)]


MOVED: dict[str, tuple[list[layers.Layer], list[layers.Layer], list[float], float]] = {
    "a crop": ([layers.Cropping2D(((0, 24), (16, 8)))], pooled(), [0, 16, 40, 56], 0.01),
    "padding": ([layers.ZeroPadding2D(((0, 16), (8, 0)))], pooled(), [0, -8, 80, 64], 0.01),
    "convolutions without padding": ([], [conv(9, padding="valid") for _ in range(3)], [12, 12, 52, 52], 1),
    # 50 rows are left, of which the pools take 12 times 4; over six seeds the last edge is measured at 58 to 61.
    "a crop between convolutions": ([], [conv(), layers.Cropping2D(((10, 4), (0, 20))), *pooled()], [10, 0, 58, 44], 4),
    "a crop by a slice": ([], [layers.Lambda(lambda x: x[:, 8:40, 24:]), *pooled()], [8, 24, 40, 64], 1),
}


@pytest.mark.parametrize("name", MOVED)
def test_cells_lie_where_the_network_has_put_them(name: str) -> None:
    front, trunk, expected, tolerance = MOVED[name]
    assert edges(front, trunk) == pytest.approx(expected, abs=tolerance)


def test_a_map_of_one_row_lies_over_what_it_sees() -> None:
    trunk = [conv((16, 3), strides=(16, 2), padding="valid")]
    assert edges([layers.Cropping2D(((0, 0), (16, 0)))], trunk, (16, 64)) == [0, 16, 16, 64]


@pytest.mark.parametrize(("flip", "said"), [(np.s_[:, ::-1], "bottom to top"), (np.s_[:, :, ::-1], "right to left")])
def test_an_image_that_is_flipped_inside_is_refused(flip: Any, said: str) -> None:
    with pytest.raises(ClassifierError, match=f"from {said} of the image.*earlier --layer"):
        edges([], [layers.Lambda(lambda x: x[flip]), *pooled()])


def beside(crop: Any, shape: tuple[int, int]) -> layers.Layer:
    """The whole image beside a part of it, enlarged to the same size."""

    def both(image: Any) -> Any:
        return keras.ops.concatenate([image, keras.ops.image.resize(image[crop], shape)], axis=-1)

    return layers.Lambda(both)


NO_GRID: dict[str, tuple[Any, tuple[int, int], str]] = {
    "halves that change places": (
        lambda x: keras.ops.concatenate([x[:, 32:], x[:, :32]], 1),
        (64, 64),
        "top to bottom",
    ),
    "thirds that change places": (
        lambda x: keras.ops.concatenate([x[:, :, 48:], x[:, :, 24:48], x[:, :, :24]], 2),
        *((64, 72), "left to right"),
    ),
    "a large image rolled": (lambda x: keras.ops.roll(x, 64, axis=2), (160, 160), "left to right"),
    "a half on the other": (
        lambda x: keras.ops.concatenate([x[:, :, :32], x[:, :, 32:]], 1),
        (64, 64),
        "top to bottom",
    ),
    "the whole and its middle": (beside(np.s_[:, 16:48, 16:48], (64, 64)), (64, 64), "two places of the image at once"),
    "the whole and a corner": (beside(np.s_[:, :30], (60, 80)), (60, 80), "two places of the image at once"),
}


@pytest.mark.parametrize("name", NO_GRID)
def test_cells_that_are_no_grid_over_the_image_are_refused(name: str) -> None:
    """Their evidence would lie in the wrong half, with a verdict of fit."""
    function, shape, said = NO_GRID[name]
    with pytest.raises(ClassifierError, match=rf"{said}.*heat would lie in the wrong place.*earlier --layer"):
        edges([function if isinstance(function, layers.Layer) else layers.Lambda(function)], pooled(), shape)


@pytest.mark.parametrize("margin", [4, 16, 28])
def test_an_image_that_is_mirrored_into_its_margins_is_a_grid(margin: int) -> None:
    pad = layers.Lambda(lambda x: keras.ops.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)), "reflect"))
    assert edges([pad], pooled()) == pytest.approx([-margin, -margin, 64 + margin, 64 + margin], abs=2)


def test_two_views_of_the_same_places_are_a_grid() -> None:
    """As in Inception: branches that look differently far."""

    def branches(image: Any) -> Any:
        return keras.ops.concatenate([image, keras.ops.average_pool(image, 9, 1, "same")], axis=-1)

    assert edges([layers.Lambda(branches)], pooled()) == [0, 0, 64, 64]


def test_cells_that_look_everywhere_are_taken_to_lie_evenly_with_a_warning() -> None:
    mixing = np.random.default_rng(0).uniform(0, 1, (64, 64)).astype(np.float32)

    def mixed(image: Any) -> Any:
        return keras.ops.einsum("ab,nbwc->nawc", mixing, image) / 64

    with pytest.warns(
        measured_places.UnknownPlacesWarning,
        match="could not measure where .* lie from top to bottom",
    ):
        assert edges([layers.Lambda(mixed)], pooled()) == [0, 0, 64, 64]


def test_what_one_probe_finds_and_another_does_not_is_no_place() -> None:
    """Chance explains more than half of the responses of a few cells, and puts their edges anywhere."""
    fits = [measured_places._Fit(55, 137, 0.63, 1.2), measured_places._Fit(25, 194, 0.69, 0.7)]
    assert measured_places._Axis((0, 192), fits, 6).edges() is None
    near = [measured_places._Fit(12, 38, 0.9, 1.5), measured_places._Fit(16, 34, 0.9, 2.1)]
    assert measured_places._Axis((0, 48), near, 8).edges() == (14, 36)
