"""`camlite.images.preprocessing`: pixels to input."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from camlite import ImageError
from camlite.artifact.card import Preprocessing
from camlite.backends.interpreter import Tensor
from camlite.images import preprocessing
from camlite.maps import resize

sides = st.integers(1, 12)
pictures = st.tuples(sides, sides, st.sampled_from([1, 3])).flatmap(lambda shape: arrays.arrays(np.uint8, shape))


def target(height: int = 4, width: int = 6, channels: int = 1, **options: object) -> Preprocessing:
    """Pixels as they are, 0..255."""
    plain = {"scale": (1.0,) * channels, "offset": (0.0,) * channels, "fit": "stretch"}
    return Preprocessing(height, width, channels, **{**plain, **options})


@pytest.mark.parametrize(
    ("received", "expected"),
    [((5, 7), (5, 7, 1)), ((5, 7, 1), (5, 7, 1)), ((5, 7, 3), (5, 7, 3)), ((5, 7, 4), (5, 7, 3)), ((1, 1), (1, 1, 1))],
)
def test_grey_rgb_and_rgba_become_an_image_of_1_or_3_channels(received, expected):
    pixels = np.arange(np.prod(received), dtype=np.uint8).reshape(received)

    checked = preprocessing.check(pixels)

    assert (checked.shape, checked.dtype) == (expected, np.uint8)
    assert np.array_equal(checked, pixels.reshape(*received[:2], -1)[..., : expected[2]])


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, np.float32, bool, object, "U1"])
def test_pixels_of_another_dtype_are_refused(dtype):
    with pytest.raises(ImageError, match=r"dtype .*, expected uint8 pixels 0\.\.255; convert it first"):
        preprocessing.check(np.zeros((4, 4)).astype(dtype))


@pytest.mark.parametrize("shape", [(), (4,), (4, 4, 2), (4, 4, 5), (4, 4, 0), (1, 4, 4, 3), (3, 4, 5)])
def test_pixels_of_another_shape_are_refused_with_the_shapes_that_fit(shape):
    with pytest.raises(ImageError) as raised:
        preprocessing.check(np.zeros(shape, np.uint8))

    assert f"shape {shape}, expected (H, W) or (H, W, channels) with 1, 3 or 4 channels" in str(raised.value)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (0, 0, 3)])
def test_an_image_without_pixels_is_refused(shape):
    with pytest.raises(ImageError, match="holds no pixels"):
        preprocessing.check(np.zeros(shape, np.uint8))


@given(sides, sides, sides, sides)
def test_a_stretched_image_is_seen_whole(height, width, target_height, target_width):
    assert preprocessing.window(height, width, target(target_height, target_width)) == (
        slice(0, height),
        slice(0, width),
    )


@given(st.integers(1, 500), st.integers(1, 500), sides, sides)
def test_a_cropped_image_is_seen_through_the_largest_centred_window_of_the_aspect_ratio(height, width, th, tw):
    rows, columns = preprocessing.window(height, width, target(th, tw, fit="crop"))

    seen_height, seen_width = rows.stop - rows.start, columns.stop - columns.start
    assert 0 <= rows.start < rows.stop <= height
    assert 0 <= columns.start < columns.stop <= width
    assert seen_height == height or seen_width == width
    # The other side is rounded to a whole pixel, and is never less than one.
    assert seen_height == max(1, round(seen_width * th / tw)) or seen_width == max(1, round(seen_height * tw / th))
    assert rows.start == (height - seen_height) // 2
    assert columns.start == (width - seen_width) // 2


def prepare_oracle(pixels: np.ndarray, wanted: Preprocessing) -> np.ndarray:
    """Pixel by pixel, in float64: crop, interpolate, to grey or to colour, to BGR, scale and shift."""
    rows, columns = preprocessing.window(*pixels.shape[:2], wanted)
    seen = pixels[rows, columns].astype(float)
    down, across = (
        resize.resize_matrix(size, to).astype(float)
        for size, to in zip(seen.shape, (wanted.height, wanted.width), strict=False)
    )
    prepared = np.zeros((wanted.height, wanted.width, wanted.channels))
    for y, x in product(range(wanted.height), range(wanted.width)):
        pixel = [
            sum(down[y, i] * across[x, j] * seen[i, j, c] for i, j in product(range(len(seen)), range(seen.shape[1])))
            for c in range(seen.shape[2])
        ]
        if len(pixel) == 3 and wanted.channels == 1:
            pixel = [0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]]
        if len(pixel) == 1 and wanted.channels == 3:
            pixel = pixel * 3
        if wanted.order == "bgr":
            pixel = pixel[::-1]
        for c, value in enumerate(pixel):
            prepared[y, x, c] = value * wanted.scale[c] + wanted.offset[c]
    return prepared


@given(
    pictures,
    st.integers(1, 5),
    st.integers(1, 5),
    st.sampled_from([((0.5,), (-1.0,)), ((1 / 58.4, 1 / 57.1, 1 / 57.4), (-2.1, -2.0, -1.8))]),
    st.sampled_from(["stretch", "crop"]),
    st.sampled_from(["rgb", "bgr"]),
)
def test_any_image_is_prepared_as_the_card_says(pixels, height, width, numbers, fit, order):
    scale, offset = numbers
    wanted = Preprocessing(height, width, len(scale), scale, offset, fit, order)

    prepared = preprocessing.prepare(pixels, wanted)

    assert (prepared.dtype, prepared.shape) == (np.float32, (height, width, len(scale)))
    # A handful of float32 sums and products of pixels up to 255: 255 * 8 * 6e-8.
    np.testing.assert_allclose(prepared, prepare_oracle(pixels, wanted), rtol=0, atol=1.3e-4)


def test_an_image_of_the_right_size_keeps_its_pixels():
    pixels = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)

    assert np.array_equal(preprocessing.prepare(pixels, target()), pixels)


def test_scale_and_offset_are_those_of_the_channel():
    pixels = np.full((4, 6, 3), 100, np.uint8)

    prepared = preprocessing.prepare(pixels, target(channels=3, scale=(1.0, 0.5, 2.0), offset=(0.0, 1.0, -1.0)))

    assert np.array_equal(prepared[0, 0], [100, 51, 199])


def test_scale_and_offset_of_a_bgr_classifier_are_of_blue_green_and_red():
    pixels = np.full((4, 6, 3), [10, 20, 30], np.uint8)

    prepared = preprocessing.prepare(
        pixels, target(channels=3, scale=(1.0, 0.5, 2.0), offset=(0.0, 1.0, -1.0), order="bgr")
    )

    assert np.array_equal(prepared[0, 0], [30, 11, 19])


def test_grey_is_the_luma_of_the_colours():
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)

    grey = preprocessing.prepare(primaries, target(1, 4))

    np.testing.assert_allclose(grey[0, :, 0], [76.245, 149.685, 29.07, 255], rtol=1e-6)


def test_a_grey_image_for_a_colour_classifier_has_the_same_grey_in_all_channels():
    prepared = preprocessing.prepare(np.arange(24, dtype=np.uint8).reshape(4, 6, 1), target(channels=3))

    assert np.array_equal(prepared[..., 0], prepared[..., 1])
    assert np.array_equal(prepared[..., 0], prepared[..., 2])


TENSORS = {
    "float32": Tensor("image", (), np.dtype(np.float32)),
    "uint8": Tensor("image", (), np.dtype(np.uint8), 1 / 60, 126),
    "int8": Tensor("image", (), np.dtype(np.int8), 1 / 60, -2),
}


@pytest.mark.parametrize("dtype", TENSORS)
@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("height", [4, 5])
def test_preparation_writes_what_prepare_gives_into_the_memory_of_the_input(dtype, order, channels, height):
    """Images of 4 rows are of the input's own size, which is a short way; 5 rows are resized."""
    scale, offset = ((1 / 58.4, 1 / 57.1, 1 / 57.4)[:channels], (-2.1, -2.0, -1.8)[:channels])
    wanted = Preprocessing(4, 64, channels, scale, offset, "stretch", order)
    memory = np.full((4, 64, channels), 77, TENSORS[dtype].dtype)
    preparation = preprocessing.Preparation(wanted, TENSORS[dtype], memory)
    random = np.random.default_rng(0)

    for of_image in (1, 3):
        pixels = random.permutation(np.arange(height * 64 * of_image) % 256).astype(np.uint8)
        pixels = pixels.reshape(height, 64, of_image)
        preparation(pixels)

        assert np.array_equal(memory, TENSORS[dtype].quantize(preprocessing.prepare(pixels, wanted)))


@pytest.mark.parametrize("zero_point", [127, 128])
def test_a_pixel_half_way_between_two_steps_of_the_input_keeps_its_own_number(zero_point):
    """Pixels of -1..1 are 127.5 steps from 0, which must be a step itself."""
    wanted = Preprocessing(16, 16, 1, (1 / 127.5,), (-1.0,), "stretch")
    tensor = Tensor("image", (16, 16, 1), np.dtype(np.uint8), 2 / 255, zero_point)
    memory = np.zeros((16, 16, 1), np.uint8)
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)

    preprocessing.Preparation(wanted, tensor, memory)(pixels)

    assert np.array_equal(memory, pixels)
    error = np.abs(tensor.dequantize(memory) - preprocessing.prepare(pixels, wanted)) / tensor.scale
    assert error.max() <= 0.501  # no step is nearer


def test_one_table_serves_channels_that_are_prepared_alike():
    wanted = Preprocessing(16, 48, 3, (1 / 58,) * 3, (-2.0,) * 3, "stretch")
    memory = np.zeros((16, 48, 3), np.uint8)
    pixels = np.random.default_rng(0).integers(0, 256, memory.shape).astype(np.uint8)

    preprocessing.Preparation(wanted, TENSORS["uint8"], memory)(pixels)

    assert np.array_equal(memory, TENSORS["uint8"].quantize(preprocessing.prepare(pixels, wanted)))


@given(pictures)
def test_preparing_changes_no_pixel_of_the_image(pixels):
    pixels.flags.writeable = False  # a write would raise

    preprocessing.prepare(pixels, target(3, 5, 1))
    preprocessing.prepare(pixels, target(*pixels.shape[:2], channels=3))


@pytest.mark.parametrize("size", [(720, 1280), (224, 224), (5, 7)])
def test_a_frame_of_a_camera_is_resized_as_by_the_matrices(size):
    random = np.random.default_rng(0)
    frame = random.integers(0, 256, (720, 1280, 3)).astype(np.uint8)

    prepared = preprocessing.prepare(frame, target(*size, channels=3))

    rows, columns = (resize.resize_matrix(*sizes).astype(float) for sizes in zip(frame.shape, size, strict=False))
    expected = np.einsum("yi,ijc,xj->yxc", rows, frame, columns, optimize=True)
    # Three products and sums of float32, of pixels up to 255: 255 * 3 * 6e-8.
    np.testing.assert_allclose(prepared, expected, rtol=0, atol=5e-5)


def test_an_input_of_integers_without_a_scale_takes_pixels_rounded_to_the_nearest():
    """Resized pixels lie between two; cut off, they would be darker."""
    tensor = Tensor("image", (2, 2, 1), np.dtype(np.uint8))
    memory = np.zeros((2, 2, 1), np.uint8)
    image = np.array([[10, 20, 250, 255]] * 4, np.uint8)
    wanted = target(2, 2)

    preprocessing.Preparation(wanted, tensor, memory)(image)

    assert np.array_equal(memory, np.rint(preprocessing.prepare(preprocessing.check(image), wanted)))
