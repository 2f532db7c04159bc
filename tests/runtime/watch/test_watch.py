"""``camlite watch``: folders, videos, cameras; half-written files, full disks, unplugged cameras, kills."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from camlite.images import picture_files
from camlite.system.installing import how_to_install
from support import network_camera, watched_folder
from support.fresh_process import one_line, run_camlite
from support.network_camera import NetworkCamera
from support.small_disk import fill, small_disk

pytest.importorskip("PIL")

VERTICAL, HORIZONTAL = watched_folder.STRIPES["vertical"], watched_folder.STRIPES["horizontal"]


@pytest.fixture
def artifact(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.int8.tflite"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    picture_files.write(folder / "a.png", VERTICAL)
    picture_files.write(folder / "b.png", HORIZONTAL)
    age(folder / "a.png", folder / "b.png")
    return folder


def age(*paths: Path) -> None:
    """Make files look as if they were written an hour ago."""
    for path in paths:
        os.utime(path, (time.time() - 3600,) * 2)


def once(artifact: Path, source: Path, output: Path, *options: str) -> list[str]:
    finished = run_camlite("watch", artifact, source, "--output", output, "--once", *options)
    assert (finished.returncode, finished.stderr) == (0, "")
    return sorted(line.split()[0] for line in finished.stdout.splitlines())


def result(output: Path, name: str) -> dict:
    return json.loads((output / f"{name}.json").read_text())


def until(condition: object, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.02)


@contextlib.contextmanager
def running(artifact: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    with watched_folder.start(artifact, *arguments) as process:
        try:
            yield process
        finally:
            process.terminate()


def lines_of(stream: IO[str]) -> queue.Queue[str]:
    """Lines as they are printed, to be waited for with a limit."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        with contextlib.suppress(ValueError):  # it was closed
            for line in stream:
                lines.put(line)

    threading.Thread(target=read, daemon=True).start()
    return lines


def test_each_picture_gets_a_result_and_a_picture(artifact, source, tmp_path):
    assert once(artifact, source, tmp_path / "out") == ["a.png", "b.png"]

    assert result(tmp_path / "out", "a.png")["label"] == "vertical"
    assert result(tmp_path / "out", "b.png")["label"] == "horizontal"
    assert result(tmp_path / "out", "a.png")["image"] == "a.png"
    assert watched_folder.examine(tmp_path / "out", {"a.png": "vertical", "b.png": "horizontal"}) == []


def test_nothing_is_done_twice_but_a_file_that_has_changed(artifact, source, tmp_path):
    once(artifact, source, tmp_path / "out")
    assert once(artifact, source, tmp_path / "out") == []

    picture_files.write(source / "a.png", HORIZONTAL)

    assert once(artifact, source, tmp_path / "out") == ["a.png"]
    assert result(tmp_path / "out", "a.png")["label"] == "horizontal"


def test_times_that_a_file_system_has_rounded_do_not_make_it_start_again(artifact, source, tmp_path):
    """As on FAT, whose times have steps of two seconds."""
    once(artifact, source, tmp_path / "out")
    for path in (tmp_path / "out").iterdir():
        os.utime(path, (path.stat().st_mtime // 2 * 2,) * 2)

    assert once(artifact, source, tmp_path / "out") == []


def test_a_result_that_is_no_result_is_made_again(artifact, source, tmp_path):
    once(artifact, source, tmp_path / "out")
    (tmp_path / "out" / "a.png.json").write_text('{"image": "a.p')

    assert once(artifact, source, tmp_path / "out") == ["a.png"]


def test_results_may_lie_in_the_folder_itself_and_are_not_taken_for_pictures(artifact, source):
    for expected in (["a.png", "b.png"], []):
        assert once(artifact, source, source, "--style", "contour") == expected


def test_all_results_together_are_a_log_in_json_lines(artifact, source, tmp_path):
    once(artifact, source, tmp_path / "out", "--no-picture")

    log = "".join(path.read_text() for path in sorted((tmp_path / "out").iterdir()))

    assert [json.loads(line)["label"] for line in log.splitlines()] == ["vertical", "horizontal"]


def test_a_file_that_is_no_picture_has_a_result_that_says_so_and_the_others_are_done(artifact, source, tmp_path):
    (source / "broken.png").write_bytes(b"no picture")
    age(source / "broken.png")

    finished = run_camlite("watch", artifact, source, "--output", tmp_path / "out", "--once")

    assert finished.returncode == 2
    assert finished.stderr.startswith("camlite: broken.png: cannot read it as an image")
    assert finished.stderr.count("\n") == 1
    assert "cannot read it as an image" in result(tmp_path / "out", "broken.png")["error"]
    assert len(finished.stdout.splitlines()) == 2
    assert once(artifact, source, tmp_path / "out") == []


@pytest.mark.parametrize("clock", [0, 10**6, -(10**6)], ids=["right", "fast", "slow"])
def test_a_file_that_is_being_written_is_left_until_it_is_whole_whatever_the_clock_says(
    clock, artifact, source, tmp_path
):
    """The time of modification is that of whoever writes, whose clock may be wrong by days."""
    content, path = picture_files.encode(VERTICAL), source / "slow.png"

    def write_slowly() -> None:
        with path.open("wb") as file:
            for place in range(0, len(content), 20):
                file.write(content[place : place + 20])
                file.flush()
                os.utime(path, (time.time() + clock + place / 1000,) * 2)
                time.sleep(0.1)

    writer = threading.Thread(target=write_slowly)
    with running(artifact, source, "--output", tmp_path / "out", "--settle", "0.4", "--poll", "0.2") as process:
        until((tmp_path / "out" / "a.png.json").exists)
        writer.start()
        until(lambda: (tmp_path / "out" / "slow.png.json").exists() and "label" in result(tmp_path / "out", "slow.png"))
        writer.join()
        process.kill()
        errors = process.stderr.read()

    assert result(tmp_path / "out", "slow.png")["label"] == "vertical"
    assert errors == "" or clock < 0  # a file that seems old is tried half-written, refused, and done when it changes


def test_a_picture_that_arrives_is_explained_at_once_where_the_kernel_tells(artifact, source, tmp_path):
    with running(artifact, source, "--output", tmp_path / "out", "--settle", "0.1", "--poll", "600"):
        until((tmp_path / "out" / "b.png.json").exists)

        picture_files.write(source / "written.png", VERTICAL)
        until((tmp_path / "out" / "written.png.json").exists, 20)
        picture_files.write(tmp_path / "moved.png", VERTICAL)
        (tmp_path / "moved.png").rename(source / "moved.png")
        until((tmp_path / "out" / "moved.png.json").exists, 20)


def test_a_folder_that_goes_away_is_waited_for(artifact, source, tmp_path):
    with running(artifact, source, "--output", tmp_path / "out", "--poll", "0.2") as process:
        until((tmp_path / "out" / "b.png.json").exists)
        source.rename(tmp_path / "unplugged")
        said = lines_of(process.stderr)
        assert said.get(timeout=300) == f"camlite: {source}: No such file or directory; waiting for it\n"

        picture_files.write(tmp_path / "unplugged" / "new.png", VERTICAL)
        (tmp_path / "unplugged").rename(source)

        until((tmp_path / "out" / "new.png.json").exists)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


def test_a_full_disk_is_waited_for_with_one_line(artifact, source, disk):
    filler = fill(disk)
    output = disk / "out"
    with running(artifact, source, "--output", output) as process:
        said = lines_of(process.stderr)
        line = said.get(timeout=300)
        assert line == f"camlite: {output}: No space left on device; waiting until it can be written\n"
        time.sleep(3)  # it has tried again
        assert not list(output.glob("*.json"))

        filler.unlink()

        assert said.get(timeout=300) == f"camlite: {output}: can be written again\n"
        until((output / "a.png.json").exists)
        until((output / "b.png.json").exists)
    assert watched_folder.examine(output, {"a.png": "vertical", "b.png": "horizontal"}) == []


def test_two_do_not_write_to_one_folder(artifact, source, tmp_path):
    with running(artifact, source, "--output", tmp_path / "out"):
        until((tmp_path / "out" / "b.png.json").exists)

        complaint = one_line(run_camlite("watch", artifact, source, "--output", tmp_path / "out"))

    assert complaint.startswith(f"camlite: {tmp_path / 'out'}: another `camlite watch` writes there")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere", "nowhere: no such folder, video or camera; expected a path, 0, picamera or a URL"),
        ("a.png", "a.png: is a picture, expected a folder, video or camera"),
        ("text.avi", "text.avi: neither a folder nor a video that OpenCV can open"),
        ("picamera", "`picamera` needs picamera2: sudo apt install python3-picamera2"),
    ],
)
def test_what_cannot_be_watched_is_one_line(source, says, artifact, tmp_path):
    (tmp_path / "text.avi").write_text("no video")
    picture_files.write(tmp_path / "a.png", VERTICAL)

    complaint = one_line(run_camlite("watch", artifact, source, "--output", "out", cwd=tmp_path))

    assert complaint.startswith(f"camlite: {says}")


def test_a_camera_without_opencv_says_how_to_install_it(artifact, tmp_path):
    complaint = one_line(run_camlite("watch", artifact, "0", "--output", tmp_path / "out", without=("cv2",)))

    assert complaint == f"camlite: video files and cameras need OpenCV: {how_to_install('camera')}\n"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Two seconds of vertical stripes, then two of horizontal ones, at 10 frames a second."""
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (240, 160))
    for number in range(40):
        pixels = (VERTICAL if number < 20 else HORIZONTAL).repeat(10, axis=0).repeat(10, axis=1)
        writer.write(np.repeat(pixels[..., np.newaxis], 3, axis=2))
    writer.release()
    return path


def test_a_video_is_explained_every_so_often_and_taken_up_where_it_was_left(artifact, video, tmp_path):
    finished = run_camlite("watch", artifact, video, "--output", tmp_path / "out", "--every", "1")
    (tmp_path / "out" / "clip.avi.000010.json").unlink()
    again = run_camlite("watch", artifact, video, "--output", tmp_path / "out", "--every", "1")

    assert (finished.returncode, finished.stderr) == (0, "")
    assert [line.split()[:2] for line in finished.stdout.splitlines()] == [
        ["clip.avi.000000", "vertical"],
        ["clip.avi.000010", "vertical"],
        ["clip.avi.000020", "horizontal"],
        ["clip.avi.000030", "horizontal"],
    ]
    assert [line.split()[0] for line in again.stdout.splitlines()] == ["clip.avi.000010"]


@pytest.fixture
def frame() -> bytes:
    pytest.importorskip("PIL.Image")
    return network_camera.jpeg(VERTICAL.repeat(10, axis=0).repeat(10, axis=1))


def test_a_camera_that_is_unplugged_is_waited_for_and_the_newest_results_are_kept(artifact, frame, tmp_path):
    pytest.importorskip("cv2")
    camera = NetworkCamera(0, frame)
    url, output = camera.url, tmp_path / "out"
    with running(artifact, url, "--output", output, "--every", "0.2", "--keep", "3", "--json") as process:
        lines, printed = lines_of(process.stderr), lines_of(process.stdout)
        records = [json.loads(printed.get(timeout=300)) for _ in range(6)]
        assert {record["label"] for record in records} == {"vertical"}
        assert len(list(output.glob("*.json"))) <= 4  # three, and one that is being made

        camera.unplug()
        assert lines.get(timeout=300) == f"camlite: {url}: the camera gives no picture; waiting for it\n"
        camera = NetworkCamera(camera.server_port, frame)

        assert lines.get(timeout=300) == f"camlite: {url}: the camera is there again\n"
        camera.unplug()
    assert len(list(output.glob("*.overlay.png"))) <= 4


def test_the_password_of_a_stream_is_not_shown(artifact, tmp_path):
    pytest.importorskip("cv2")
    with running(artifact, "http://me:secret@127.0.0.1:9/video", "--output", tmp_path / "out") as process:
        said = lines_of(process.stderr).get(timeout=300)
        assert said == "camlite: http://...@127.0.0.1:9/video: the camera gives no picture; waiting for it\n"


def test_a_camera_that_is_not_there_yet_is_waited_for(artifact, tmp_path):
    pytest.importorskip("cv2")
    with running(artifact, "/dev/video99", "--output", tmp_path / "out") as process:
        said = lines_of(process.stderr).get(timeout=300)
        assert said == "camlite: /dev/video99: the camera gives no picture; waiting for it\n"
        time.sleep(1.5)
        assert process.poll() is None


def test_killed_at_random_moments_it_does_each_file_once(artifact, tmp_path):
    assert watched_folder.kill_again_and_again(artifact, tmp_path, files=60, kills=6) == []


@pytest.mark.endurance
def test_killed_at_two_hundred_random_moments_it_does_each_of_a_thousand_files_once(artifact, tmp_path):
    assert watched_folder.kill_again_and_again(artifact, tmp_path, files=1000, kills=200) == []


def test_the_examination_notices_what_is_missing_halved_doubled_or_wrong(artifact, source, tmp_path):
    once(artifact, source, tmp_path / "out")
    expected = {"a.png": "vertical", "b.png": "horizontal"}

    def spoiled(name: str, content: bytes | None) -> list[str]:
        shutil.copytree(tmp_path / "out", tmp_path / "spoiled", dirs_exist_ok=True)
        path = tmp_path / "spoiled" / name
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        try:
            return watched_folder.examine(tmp_path / "spoiled", expected)
        finally:
            shutil.rmtree(tmp_path / "spoiled")

    whole = (tmp_path / "out" / "a.png.json").read_bytes()
    drawn = (tmp_path / "out" / "a.png.overlay.png").read_bytes()
    for name, content in (
        ("a.png.json", None),
        ("a.png.json", whole[: len(whole) // 2]),
        ("a.png.json", whole * 2),
        ("a.png.json", whole.replace(b'"label": "vertical"', b'"label": "plain"', 1)),
        ("a.png.overlay.png", drawn[: len(drawn) // 2]),
        (".a.png.json.123.part", b""),
        ("c.png.json", whole),
    ):
        assert spoiled(name, content), (name, content)


def test_memory_does_not_grow_with_what_is_watched(artifact, source, tmp_path):
    """It grows by what allocators keep at first, and then by nothing."""
    with running(artifact, source, "--output", tmp_path / "out", "--settle", "0.05", "--no-picture") as process:

        def after(first: int, last: int) -> int:
            for number in range(first, last):
                picture_files.write(tmp_path / "next.png", VERTICAL)
                (tmp_path / "next.png").rename(source / f"{number}.png")
            until((tmp_path / "out" / f"{last - 1}.png.json").exists)
            until(lambda: len(list((tmp_path / "out").glob("*.json"))) == last + 2)
            return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

        before = after(0, 100)
        grown = after(100, 400) - before
        process.send_signal(signal.SIGTERM)

    # Measured: 0 to 0.3 MB. Of 300 images kept, their pixels and maps alone were 0.6 MB, their pictures 5 MB.
    assert grown < 1_000_000
