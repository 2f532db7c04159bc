"""`camlite.images.picture_files`: picture files, by Pillow."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from camlite import ImageError
from camlite.images import picture_files
from camlite.system.installing import how_to_install
from support.fresh_process import run_python
from support.heavy_pictures import animated_png

Image = pytest.importorskip("PIL.Image")

GREY = (np.arange(35) * 7).astype(np.uint8).reshape(5, 7)
COLOUR = (np.arange(105) * 2).astype(np.uint8).reshape(5, 7, 3)
ALPHA = np.full((5, 7, 1), 100, np.uint8)
ORIENTATION = 0x0112


def saved(pixels: np.ndarray, path: Path, mode: str | None = None, **options: object) -> Path:
    opened = Image.fromarray(pixels)
    (opened.convert(mode) if mode else opened).save(path, **options)
    return path


def test_the_package_says_which_file_names_it_takes_for_pictures():
    assert {".png", ".jpg", ".jpeg", ".bmp", ".webp"} <= picture_files.SUFFIXES


@given(pixels=arrays.arrays(np.uint8, st.sampled_from([(1, 1), (3, 5), (5, 3, 3), (1, 9, 3)])))
def test_pixels_come_back_as_they_were_written(pixels, tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / "picture.png"

    picture_files.write(path, pixels)

    assert np.array_equal(picture_files.read_image(path), pixels)
    assert picture_files.read_image(path).dtype == np.uint8


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_grey_and_colour_are_read_from_lossless_formats(suffix, tmp_path):
    options = {"lossless": True} if suffix == ".webp" else {}

    assert np.array_equal(picture_files.read_image(saved(COLOUR, tmp_path / f"colour{suffix}", **options)), COLOUR)
    if suffix != ".webp":  # which has no grey
        assert np.array_equal(picture_files.read_image(saved(GREY, tmp_path / f"grey{suffix}")), GREY)


def test_a_jpeg_is_read(tmp_path):
    smooth = np.linspace(0, 255, 64 * 64).astype(np.uint8).reshape(64, 64)

    received = picture_files.read_image(saved(smooth, tmp_path / "picture.jpg", quality=95))

    assert received.shape == (64, 64)
    assert np.abs(received.astype(int) - smooth).max() <= 3  # JPEG rounds; measured: 2


def test_transparency_is_dropped(tmp_path):
    assert np.array_equal(picture_files.read_image(saved(np.dstack([COLOUR, ALPHA]), tmp_path / "rgba.png")), COLOUR)
    assert np.array_equal(picture_files.read_image(saved(np.dstack([GREY, ALPHA]), tmp_path / "la.png")), GREY)


def test_a_palette_is_looked_up(tmp_path):
    few = COLOUR // 128 * 255  # colours that a palette holds exactly
    indexed = Image.fromarray(few).convert("P", palette=Image.Palette.ADAPTIVE)

    indexed.save(tmp_path / "palette.png")
    indexed.save(tmp_path / "palette.gif")
    indexed.save(tmp_path / "transparent.png", transparency=bytes(8))

    for name in ("palette.png", "palette.gif", "transparent.png"):
        assert np.array_equal(picture_files.read_image(tmp_path / name), few), name


def test_black_and_white_is_0_and_255(tmp_path):
    received = picture_files.read_image(saved((GREY > 100).astype(np.uint8) * 255, tmp_path / "bits.png", "1"))

    assert np.array_equal(received, np.where(GREY > 100, 255, 0))


@pytest.mark.parametrize("name", ["wide.png", "wide.tif", "wide.pgm"])
def test_of_16_bits_the_upper_8_are_kept(name, tmp_path):
    wide = np.array([[0, 255, 256, 257, 0x7FFF, 0x8000, 0xFEFF, 0xFFFF]], np.uint16)
    if name.endswith(".pgm"):
        (tmp_path / name).write_bytes(b"P5 8 1 65535\n" + wide.astype(">u2").tobytes())
    else:
        saved(wide, tmp_path / name)

    assert picture_files.read_image(tmp_path / name).tolist() == [[0, 0, 1, 1, 127, 128, 254, 255]]


@pytest.mark.parametrize("pixels", [np.zeros((4, 4), np.float32), np.full((4, 4), 70_000, np.int32)])
def test_pixels_of_more_than_16_bits_are_refused_for_their_range_is_not_known(pixels, tmp_path):
    with pytest.raises(ImageError, match=r"deep\.tif: cannot read it as an image \(32-bit .* pixels\)"):
        picture_files.read_image(saved(pixels, tmp_path / "deep.tif"))


UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),  # the camera was turned left: its bottom row is the left column
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("pixels", [GREY, COLOUR], ids=["grey", "colour"])
def test_a_picture_is_turned_upright_as_its_exif_says(orientation, pixels, tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation

    received = picture_files.read_image(saved(pixels, tmp_path / "turned.png", exif=exif))

    assert np.array_equal(received, UPRIGHT[orientation](pixels))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0MM\0*", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + b"\xff" * 40]
)
def test_a_picture_with_broken_exif_is_read_as_it_lies(exif, tmp_path):
    assert np.array_equal(picture_files.read_image(saved(COLOUR, tmp_path / "broken.png", exif=exif)), COLOUR)


def refusal(path: Path) -> str:
    with pytest.raises(ImageError) as raised:
        picture_files.read_image(path)
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "no such file; check the path" in refusal(tmp_path / "none.png")
    assert "cannot read it as an image" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no picture", bytes(1000), b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a"])
def test_a_file_that_is_no_picture_is_refused(content, tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(content)

    assert "cannot read it as an image" in refusal(path)


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "PPM"])
def test_a_truncated_picture_is_refused(format_, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    path = saved(noise, tmp_path / "whole", format=format_)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])

    assert "cannot read it as an image" in refusal(path)


@given(data=st.data())
def test_any_damage_to_a_picture_gives_pixels_or_a_refusal(data, tmp_path_factory):
    format_ = data.draw(st.sampled_from(["PNG", "BMP", "WEBP", "GIF", "PPM", "JPEG"]))
    buffer = io.BytesIO()
    exif = (
        {} if format_ in ("BMP", "GIF", "PPM") else {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0"}
    )
    Image.fromarray(COLOUR).save(buffer, format_, **exif)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        # The size is left alone: a picture of 16,000 x 16,000 pixels would be a slow example, not another one.
        content[data.draw(st.integers(30, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "picture"
    path.write_bytes(content)

    try:
        pixels = picture_files.read_image(path)
    except ImageError as error:
        assert re.match(re.escape(str(path)), str(error))  # noqa: PT017
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim in (2, 3)


def test_a_picture_that_unpacks_to_too_many_pixels_is_refused(tmp_path):
    header = b"BM" + (54).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    sides = (60_000).to_bytes(4, "little") * 2
    path = tmp_path / "bomb.bmp"
    path.write_bytes(header + sides + b"\1\0\x18\0" + bytes(24))

    assert "decompression bomb" in refusal(path)


def test_an_animated_png_that_would_take_memory_when_it_is_opened_is_refused():
    assert picture_files.decode(animated_png(724), "small").shape == (724, 724)
    with pytest.raises(ImageError, match="large: an animated PNG of 525625 pixels, expected at most 524288"):
        picture_files.decode(animated_png(725), "large")


def test_without_pillow_the_message_says_how_to_install_it(tmp_path):
    source = (
        "import sys, pathlib, numpy; sys.modules['PIL'] = None; from camlite.images import picture_files as picture\n"
        "for attempt in (lambda: picture.read_image('a.png'),\n"
        "                lambda: picture.write(pathlib.Path(sys.argv[1]), numpy.zeros((2, 2), 'u1'))):\n"
        "    try: attempt()\n"
        "    except picture.ImageError as error: print(error)\n"
    )

    finished = run_python(source, str(tmp_path / "b.png"))

    assert finished.stdout.splitlines() == [f"image files need Pillow: {how_to_install('image')}"] * 2, finished.stderr
    assert not list(tmp_path.iterdir())


def test_a_written_picture_replaces_the_file_of_its_name(tmp_path):
    path = tmp_path / "picture.png"
    path.write_text("something else")

    picture_files.write(path, GREY)

    assert np.array_equal(picture_files.read_image(path), GREY)
    assert [file.name for file in tmp_path.iterdir()] == ["picture.png"]


def test_a_picture_is_written_as_png_whatever_its_name(tmp_path):
    picture_files.write(tmp_path / "picture.jpg", GREY)

    assert (tmp_path / "picture.jpg").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "place", ["missing/picture.png", "file/picture.png", "folder", "x" * 254 + ".png"], ids=lambda place: place[:20]
)
def test_where_a_picture_cannot_be_written_nothing_is_left(place, tmp_path):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").touch()

    with pytest.raises(ImageError) as raised:
        picture_files.write(tmp_path / place, GREY)

    assert str(raised.value).startswith(f"{tmp_path / place}: cannot write it (")
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["file", "folder", "kept"]


def test_a_picture_that_fails_half_way_leaves_the_old_one_whole(tmp_path):
    path = tmp_path / "picture.png"
    picture_files.write(path, GREY)
    source = (
        "import pathlib, resource, signal, sys, numpy; from camlite import ImageError\n"
        "from camlite.images import picture_files as picture\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # as a disk that fills up\n"
        "noise = numpy.random.default_rng(0).integers(0, 256, (200, 200)).astype('u1')\n"
        "try: picture.write(pathlib.Path(sys.argv[1]), noise)\n"
        "except ImageError as error: print(error)\n"
    )

    finished = run_python(source, str(path))

    assert finished.stdout == f"{path}: cannot write it (File too large); check the folder\n", finished.stderr
    assert np.array_equal(picture_files.read_image(path), GREY)
    assert list(tmp_path.iterdir()) == [path]


def test_what_pillow_logs_of_a_damaged_file_does_not_stand_beside_the_error(tmp_path):
    path = tmp_path / "samples.tif"
    Image.new("RGB", (4, 4)).save(path)
    content = bytearray(path.read_bytes())
    samples = content.index(b"\x15\x01\x03\x00\x01\x00\x00\x00") + 8  # the tag SamplesPerPixel, one number of 16 bits
    content[samples] = 64
    path.write_bytes(content)
    script = (
        "import sys\nfrom camlite import ImageError; from camlite.images import picture_files as picture\n"
        "try: picture.read_image(sys.argv[1])\nexcept ImageError as error: print(error)"
    )

    finished = run_python(script, str(path))

    assert finished.stdout.startswith(f"{path}: cannot read it as an image")
    assert finished.stderr == ""
