"""No single picture stops, blocks or ends ``camlite watch``: a result says so, or a line, and the others are done."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from camlite.images import picture_files
from camlite.system import files
from support import permissions, watched_folder
from support.fresh_process import run_camlite, run_python
from support.memory_limit import memory_limit

Image = pytest.importorskip("PIL.Image")

VERTICAL = watched_folder.STRIPES["vertical"]
PNG = picture_files.encode(VERTICAL)


@pytest.fixture
def artifact(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.int8.tflite"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a good picture that comes before the others by its name, and one that comes behind."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("0.png", "~.png"):
        (folder / name).write_bytes(PNG)
    return folder


def once(artifact: Path, source: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Watch once; the good pictures are done, whatever stands between them."""
    output = source.parent / "out"
    finished = run_camlite("watch", artifact, source, "--output", output, "--once", "--settle", "0.01")
    assert finished.returncode == status, finished.stderr
    for name in ("0.png", "~.png"):
        assert json.loads((output / f"{name}.json").read_text())["label"] == "vertical"
    return finished


def results(source: Path) -> dict[str, dict]:
    """All results by the name of their picture."""
    found = [json.loads(path.read_text()) for path in (source.parent / "out").glob("*.json")]
    assert len({one["image"] for one in found}) == len(found)
    return {one["image"]: one for one in found}


@pytest.mark.parametrize("character", ["a", "ä", "袖"])
def test_names_that_are_too_long_for_a_result_are_shortened_each_to_another(character, artifact, source):
    stem = character * (249 // len(character.encode()))
    names = [f"{stem}{number}.png" for number in range(3)]
    for name in names:
        (source / name).write_bytes(PNG)

    once(artifact, source)

    assert {one: said["label"] for one, said in results(source).items() if one in names} == dict.fromkeys(
        names, "vertical"
    )
    assert len(list((source.parent / "out").glob("*.overlay.png"))) == 5
    assert once(artifact, source).stdout == ""  # the same names each time: nothing is done again


@pytest.mark.parametrize("length", [200, 223, 224, 225, 232, 250])
def test_a_name_of_any_length_has_a_result_and_a_picture(length, artifact, source):
    (source / f"{'x' * (length - 4)}.png").write_bytes(PNG)

    once(artifact, source)

    assert len(results(source)) == 3


def test_a_shortened_name_is_that_of_no_other():
    long = ["x" * 300, "x" * 301, "x" * 300 + ".png", "ä" * 150, "\udcff" * 300]
    fitted = [files.fitting(name, 17) for name in long]

    assert len(set(fitted)) == len(long)
    assert [files.fitting(name, 17) for name in long] == fitted
    assert all(len(os.fsencode(f".{name}.side-by-side.png.1234567.part")) <= 255 for name in fitted)
    assert files.fitting("x" * 200, 17) == "x" * 200


@pytest.mark.parametrize(
    "name", [b"esc\x1b[31m.png", b"line\nbreak.png", b"caf\xe9.png", "\u202egnp.png".encode(), b"\x7f\t\r.png"]
)
def test_names_are_escaped_on_the_terminal_and_whole_in_the_result(name, artifact, source):
    (source / os.fsdecode(name)).write_bytes(PNG)
    (source / os.fsdecode(b"bad" + name)).write_bytes(PNG[:40])

    finished = once(artifact, source, status=2)

    assert all(line.isprintable() for line in (finished.stdout + finished.stderr).splitlines())
    assert len(finished.stdout.splitlines()) == 3
    assert len(finished.stderr.splitlines()) == 1
    assert results(source)[os.fsdecode(name)]["label"] == "vertical"


# The resident memory, in kB, that a command took at the most.
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def test_a_file_that_is_too_large_is_refused_by_its_size_before_it_is_read(artifact, source):
    with (source / "x.png").open("wb") as file:
        file.truncate(3 << 30)

    finished = once(artifact, source, status=2)

    assert results(source)["x.png"]["error"].startswith("x.png: 3221225472 bytes, expected at most 97048576")
    assert finished.stderr.startswith("camlite: x.png: 3221225472 bytes")
    again = [sys.executable, "-m", "camlite", "watch", artifact, source, "--once", "--output", source.parent / "again"]
    measured = run_python(_PEAK, *map(str, again))
    assert int(measured.stdout.splitlines()[-1]) < 250_000  # kB


def test_a_picture_of_more_pixels_than_allowed_has_a_result_that_says_so(artifact, source):
    output = source.parent / "out"
    arguments = ["--output", output, "--once", "--settle", "0.01", "--max-pixels", str(VERTICAL.size - 1)]

    assert run_camlite("watch", artifact, source, *arguments).returncode == 2

    assert "24 x 16 pixels, expected at most 383" in results(source)["0.png"]["error"]


def test_what_is_no_file_is_passed_over(artifact, source):
    os.mkfifo(source / "pipe.png")
    (source / "folder.png").mkdir()
    (source / "loop.png").symlink_to("loop.png")
    (source / "zero.png").symlink_to("/dev/zero")
    (source / "nothing.png").symlink_to("nothing")
    (source / "long.png").symlink_to("x" * 300)
    (source / "linked.png").symlink_to("0.png")

    finished = once(artifact, source, status=2)

    assert results(source).keys() == {"0.png", "~.png", "linked.png"}
    assert finished.stderr == f"camlite: {source}/long.png: cannot read it (File name too long); trying again\n"


def test_a_picture_without_permission_is_one_line_and_the_others_are_done(artifact, source):
    (source / "secret.png").write_bytes(PNG)
    (source / "secret.png").chmod(0)
    output = source.parent / "out"
    command = [sys.executable, "-m", "camlite", "watch", artifact, source, "--output", output, "--once"]

    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=300, preexec_fn=permissions.for_the_next_program
    )

    assert finished.returncode == 2
    assert finished.stderr == f"camlite: {source}/secret.png: cannot read it (Permission denied); trying again\n"
    assert results(source).keys() == {"0.png", "~.png"}


def test_a_result_that_cannot_be_written_is_one_line_and_never_waited_for(artifact, source):
    (source / "taken.png").write_bytes(PNG)
    (source.parent / "out" / "taken.png.json").mkdir(parents=True)

    finished = once(artifact, source, status=2)

    assert finished.stderr == f"camlite: {source}/taken.png: cannot write its result (Is a directory); trying again\n"


def test_a_result_that_is_no_file_of_json_is_not_believed(artifact, source):
    output = source.parent / "out"
    output.mkdir()
    os.mkfifo(output / "0.png.json")
    (output / "~.png.json").write_text("[" * 100_000)

    assert sorted(line.split()[0] for line in once(artifact, source).stdout.splitlines()) == ["0.png", "~.png"]


def test_the_log_of_a_full_disk_is_lost_and_the_results_are_not(artifact, source):
    output = source.parent / "out"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "camlite", "watch", artifact, source, "--output", output, "--once"]
        finished = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)

    assert results(source).keys() == {"0.png", "~.png"}
    lost = "camlite: standard output: No space left on device; lines are lost, results are not\n"
    assert finished.stderr.startswith(lost)
    assert finished.returncode in (0, 2)  # 2 where what is left in the buffer cannot be written at the end


def test_a_device_that_is_no_camera_is_refused(artifact, source):
    finished = run_camlite("watch", artifact, "/dev/zero", "--output", source.parent / "out")

    assert finished.returncode == 2
    assert finished.stderr.startswith("camlite: /dev/zero: no such folder, video or camera")


def test_pictures_that_change_and_vanish_while_they_are_read_end_nothing(artifact, source):
    output = source.parent / "out"
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3)).astype(np.uint8)
    contents = [picture_files.encode(noise), PNG, PNG[:50]]
    with watched_folder.start(artifact, source, "--output", output, "--settle", "0.01", "--poll", "0.05") as process:
        for turn in range(300):
            path = source / f"{turn % 7}.bmp.png"
            path.write_bytes(contents[turn % 3])
            if turn % 5 == 0:
                path.unlink()
        (source / "last.png").write_bytes(PNG)
        end = time.monotonic() + 300
        while not (output / "last.png.json").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=300)

    assert "bug" not in errors
    assert process.returncode == 130


PAGE = (Path(__file__).parents[3] / "docs" / "device.md").read_text(encoding="utf-8")
UNIT_MEMORY = int(re.search(r"^MemoryMax=(\d+)M$", PAGE, re.MULTILINE)[1]) << 20


def test_the_largest_pictures_of_every_format_are_explained_within_the_memory_of_the_unit_in_the_docs(artifact, source):
    """16 megapixels, or what of a format is refused for the memory that it takes; one after another."""
    squares = np.random.default_rng(0).integers(0, 256, (63, 63, 3)).astype(np.uint8)
    whole = Image.fromarray(np.kron(squares, np.ones((64, 64, 1), np.uint8))[:4000, :4000])
    for name, picture, options in (
        ("jpg.jpg", whole, {"quality": 90}),
        ("progressive.jpg", whole, {"progressive": True, "subsampling": 0}),
        ("cmyk.jpg", whole.convert("CMYK"), {}),
        ("colour.png", whole, {"compress_level": 1}),
        ("alpha.png", whole.convert("RGBA"), {"compress_level": 1}),
        ("wide.png", Image.fromarray(np.asarray(whole.convert("L")).astype(np.uint16) * 257), {"compress_level": 1}),
        ("palette.gif", whole.quantize(16), {}),
        ("plain.bmp", whole, {}),
        ("plain.ppm", whole, {}),
        ("deflate.tif", whole, {"compression": "tiff_deflate"}),
        ("turned.tif", whole, {"compression": "tiff_deflate", "tiffinfo": {274: 6}}),
        ("lossy.webp", whole, {"method": 0}),
    ):
        picture.save(source / name, **options)
    del whole, picture
    command = [sys.executable, "-m", "camlite", "watch", artifact, source, "--output", source.parent / "out", "--once"]

    with memory_limit(UNIT_MEMORY) as limited:
        finished = subprocess.run(command, capture_output=True, text=True, timeout=300, preexec_fn=limited)

    assert finished.returncode in (0, 2), finished.stderr  # and not killed
    said = results(source)
    assert len(said) == 14
    for name, one in said.items():
        assert one.get("label") or " of memory, expected at most " in one["error"] or "cannot hold" in one["error"], (
            name
        )
    assert all(said[name].get("label") for name in ("jpg.jpg", "colour.png", "palette.gif", "plain.bmp", "plain.ppm"))
