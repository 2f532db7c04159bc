"""``camlite serve --camera``: one camera and one explanation for all who look, whatever they do, whatever it shows."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from camlite.images import picture_files
from camlite.system.installing import how_to_install
from support import live_viewers
from support.fresh_process import one_line, run_camlite
from support.http_load import Server, served
from support.live_viewers import Crowd, eventually, looking, metric, the_next
from support.network_camera import EndlessCamera, NetworkCamera, jpeg
from support.watched_folder import STRIPES

pytest.importorskip("tornado")
pytest.importorskip("cv2")

LARGE = {label: pixels.repeat(10, axis=0).repeat(10, axis=1) for label, pixels in STRIPES.items()}
TOKEN = "a token of some length"
PICTURES, VIEWERS = "camlite_live_pictures_total", "camlite_live_viewers"


@pytest.fixture
def camera() -> Iterator[NetworkCamera]:
    running = NetworkCamera(0, jpeg(LARGE["vertical"]))
    yield running
    if running.plugged:
        running.unplug()


@pytest.fixture
def artifact(tiny: Path) -> Path:
    return tiny / "stripes" / "stripes.int8.tflite"


@pytest.fixture
def server(artifact: Path, camera: NetworkCamera, tmp_path: Path) -> Iterator[Server]:
    options = ("--camera", camera.url, "--max-viewers", "30", "--timeout", "2", "--workers", "1")
    with served(artifact, tmp_path / "log", *options, "--max-pixels", "100000") as running:
        yield running


def messages(server: Server) -> list[str]:
    """What the server says in its terminal, besides the requests."""
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line["message"] for line in lines if "message" in line]


def test_a_viewer_sees_the_camera_and_what_explain_says_of_it(server, camera):
    with looking(server) as seen:
        first = the_next(seen, "picture")
        camera.frame = jpeg(LARGE["horizontal"])
        later = the_next(seen, "picture", lambda content: content["explanation"]["label"] == "horizontal")

    shown = base64.b64decode(first["jpeg"])
    _, _, body = server.request("/explain", shown, Content_Type="image/jpeg")
    expected = json.loads(body)
    assert set(first["explanation"]) == set(expected)
    assert first["explanation"]["label"] == expected["label"] == "vertical"
    assert picture_files.decode(base64.b64decode(later["jpeg"]), "").shape[:2] == (160, 240)


def test_the_model_runs_once_for_all_who_look(server):
    crowd = Crowd(server, 20)
    assert eventually(lambda: all(crowd.counts) and metric(server, VIEWERS) == 20)
    before, counts, start = metric(server, PICTURES), list(crowd.counts), time.monotonic()
    time.sleep(2)
    explained, seconds = metric(server, PICTURES) - before, time.monotonic() - start
    grown = [now - then for now, then in zip(crowd.counts, counts, strict=True)]
    crowd.close()

    assert 2 <= explained <= seconds / 0.1 + 2
    assert min(grown) > 0


def test_the_camera_is_closed_and_the_model_rests_while_nobody_looks(server, camera):
    with looking(server) as seen:
        the_next(seen, "picture")
    assert eventually(lambda: metric(server, VIEWERS) == 0 and camera.watching == 0)
    before, opened = metric(server, PICTURES), camera.opened
    time.sleep(1)

    assert (metric(server, PICTURES), camera.opened) == (before, opened)
    with looking(server) as seen:
        assert the_next(seen, "picture")["explanation"]["label"] == "vertical"
    assert camera.opened == opened + 1


def test_who_never_reads_holds_up_nobody_and_is_closed(server):
    stuck = [live_viewers.connect(server, buffer=4096) for _ in range(9)]
    assert eventually(lambda: metric(server, VIEWERS) == 9)
    with looking(server) as seen:
        start = time.monotonic()
        for _ in range(10):
            the_next(seen, "picture")
        assert time.monotonic() - start < 20
        assert eventually(lambda: metric(server, VIEWERS) == 1, 60)
        assert "Traceback" not in server.log.read_text()
    for connection in stuck:
        connection.close()


def test_viewers_beyond_the_limit_are_told_to_come_back_and_take_no_place_of_others(server):
    crowd = Crowd(server, 40)
    assert eventually(lambda: sum(map(bool, crowd.statuses)) == 40)
    statuses = [status.split()[1] for status in crowd.statuses]
    assert (statuses.count(b"200"), statuses.count(b"429")) == (30, 10)
    good = picture_files.encode(STRIPES["vertical"])
    assert server.request("/explain", good, Content_Type="image/png")[0] == 200
    crowd.close()

    assert eventually(lambda: metric(server, VIEWERS) == 0)
    with looking(server) as seen:
        the_next(seen, "picture")


def test_a_camera_that_is_lost_is_said_to_all_and_found_again(server, camera):
    with looking(server) as seen, looking(server) as other:
        the_next(seen, "picture")
        camera.unplug()
        assert the_next(seen, "lost")["message"] == "The camera gives no picture; trying again."
        the_next(other, "lost")
        with looking(server) as late:
            the_next(late, "lost")
        again = NetworkCamera(camera.server_port, camera.frame)
        the_next(seen, "picture")
        the_next(other, "picture")
        again.unplug()

    name = f"camera {camera.url}"
    expected = [f"{name}: 240 x 160 pixels", f"{name}: gives no picture; trying again", f"{name}: is there again"]
    assert messages(server)[:3] == expected


TOO_LARGE = "has pictures of 400 x 400 pixels, expected at most 100000"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        pytest.param(jpeg(np.zeros((400, 400, 3), np.uint8)), TOO_LARGE, id="too large"),
        pytest.param(b"\xff\xd8 no picture", "gives no picture", id="damaged", marks=pytest.mark.endurance),
    ],
)
def test_what_the_camera_should_not_show_is_said_and_outlived(frame, reason, server, camera):
    assert eventually(lambda: camera.opened > 0 and camera.watching == 0)
    camera.frame = frame
    with looking(server) as seen:
        assert the_next(seen, "lost")["message"] == f"The camera {reason}; trying again."
        camera.frame = jpeg(LARGE["horizontal"])
        assert the_next(seen, "picture")["explanation"]["label"] == "horizontal"


def test_pictures_that_change_their_size_and_are_odd_are_explained(server, camera):
    assert eventually(lambda: camera.opened > 0 and camera.watching == 0)
    camera.frame = jpeg(np.full((3, 900, 3), 200, np.uint8))
    with looking(server) as seen:
        content = the_next(seen, "picture")
        assert picture_files.decode(base64.b64decode(content["jpeg"]), "").shape[:2] == (2, 640)
        for shape in ((900, 1, 3), (1, 1, 3), (160, 240, 3)):
            camera.frame = jpeg(np.full(shape, 200, np.uint8))
            the_next(seen, "picture")


def test_only_who_has_the_token_looks(artifact, camera, tmp_path):
    log = tmp_path / "log"
    with served(artifact, log, "--camera", camera.url, env={"CAMLITE_TOKEN": TOKEN}) as server:
        for wrong in ("", "wrong", TOKEN[:-1], TOKEN + "x"):
            with contextlib.closing(live_viewers.connect(server, wrong)) as connection:
                assert next(live_viewers.events(connection))[0] == "HTTP/1.1 401 Unauthorized"
        with looking(server, TOKEN) as seen:
            the_next(seen, "picture")
        assert metric_of(server, PICTURES) >= 1
    assert TOKEN not in log.read_text()


def metric_of(server: Server, name: str) -> float:
    body = server.request("/metrics", Authorization=f"Bearer {TOKEN}")[2].decode()
    return float(re.search(rf"^{name} (\S+)$", body, re.MULTILINE)[1])


def test_without_a_camera_there_is_no_live_view(artifact, tmp_path):
    with served(artifact, tmp_path / "log") as server:
        assert server.request("/live")[0] == 404
        assert json.loads(server.request("/page.json")[2])["live"] is False


def test_it_ends_at_once_while_others_look(artifact, camera, tmp_path):
    with served(artifact, tmp_path / "log", "--camera", camera.url) as server, looking(server) as seen:
        the_next(seen, "picture")
        start = time.monotonic()
        server.process.terminate()
        assert server.process.wait(30) == 0
        assert time.monotonic() - start < 8
    assert "Traceback" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("nowhere", "--camera nowhere: no such camera; expected 0, /dev/video0, picamera, a URL such as rtsp://..."),
        ("a.png", "--camera a.png: is a picture, expected a camera, a stream or a video file"),
        ("picamera", "`picamera` needs picamera2: sudo apt install python3-picamera2"),
    ],
)
def test_what_is_no_camera_is_one_line(source, says, artifact, tmp_path):
    picture_files.write(tmp_path / "a.png", STRIPES["vertical"])

    complaint = one_line(run_camlite("serve", artifact, "--port", "0", "--camera", source, cwd=tmp_path))

    assert complaint.startswith(f"camlite: {says}")


def test_a_camera_without_opencv_says_how_to_install_it(artifact):
    complaint = one_line(run_camlite("serve", artifact, "--port", "0", "--camera", "0", without=("cv2",)))

    assert complaint == f"camlite: video files and cameras need OpenCV: {how_to_install('camera')}\n"


@pytest.mark.endurance
def test_a_camera_that_sends_without_end_is_said_and_takes_none_of_the_servers_memory(artifact, tmp_path):
    hostile = EndlessCamera(0, jpeg(LARGE["vertical"]))
    with served(artifact, tmp_path / "log", "--camera", hostile.url, "--workers", "1") as server:
        with looking(server) as seen:
            the_next(seen, "picture")
            memory = server.memory
            said = the_next(seen, "lost")["message"]
            assert re.fullmatch(
                r"The camera needs more memory than the stream of a camera does \(limit: [0-9]+ MiB\); "
                r"check its address; trying again\.",
                said,
            )
            the_next(seen, "picture")
        assert server.memory - memory < 30_000_000  # its own, see below
        assert any("check its address" in line for line in messages(server))
    hostile.unplug()


@pytest.mark.endurance
@pytest.mark.quiet
def test_five_hundred_viewers_of_all_kinds_leave_nothing_behind(artifact, camera, tmp_path):
    """Those that read, that never do, that and that leave in the middle."""
    options = ("--camera", camera.url, "--max-viewers", "500", "--timeout", "3", "--workers", "1")
    with served(artifact, tmp_path / "log", *options) as server:
        with looking(server) as seen:
            the_next(seen, "picture")
        assert eventually(lambda: metric(server, VIEWERS) == 0)
        descriptors, memory, most = server.descriptors, server.memory, 0
        for _ in range(5):
            stuck = [live_viewers.connect(server, buffer=4096) for _ in range(150)]
            leaving = [live_viewers.connect(server) for _ in range(150)]
            crowd = Crowd(server, 200)
            assert eventually(lambda crowd=crowd: min(crowd.counts) > 100_000, 120), sorted(crowd.counts)[:9]
            most = max(most, server.memory)
            for connection in leaving:
                connection.close()
            assert eventually(lambda: metric(server, VIEWERS) < 500)
            with looking(server) as seen:
                the_next(seen, "picture")
            crowd.close()
            for connection in stuck:
                connection.close()
            assert eventually(lambda: metric(server, VIEWERS) == 0)
        time.sleep(8)  # the camera is closed
        assert server.process.poll() is None
        assert server.descriptors <= descriptors
        print(
            f"{memory / 1e6:.1f} MB, most {most / 1e6:.1f}, then {server.memory / 1e6:.1f}; descriptors {descriptors}"
        )
        # 16 MB are messages that wait, 16 kB a connection's own
        assert most - memory < 60_000_000, f"{memory / 1e6:.1f} MB, then {most / 1e6:.1f}"
        assert server.memory - memory < 30_000_000, f"{memory / 1e6:.1f} MB, then {server.memory / 1e6:.1f}"
    assert "Traceback" not in (tmp_path / "log").read_text()
