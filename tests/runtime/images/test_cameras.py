"""What a camera is called, and what of its name may be shown."""

from __future__ import annotations

import pytest

from camlite.errors import CamliteError
from camlite.images import cameras


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://me:secret@10.0.0.5:554/live", "rtsp://...@10.0.0.5:554/live"),
        ("rtsp://me:sec/r?e#t@10.0.0.5/live", "rtsp://...@10.0.0.5/live"),
        ("rtsp://me:sec@ret@10.0.0.5/live", "rtsp://...@10.0.0.5/live"),
        ("http://10.0.0.5/video.cgi?user=me&pwd=secret", "http://10.0.0.5/video.cgi?..."),
        ("http://me:secret@10.0.0.5/video.cgi?pwd=secret", "http://...@10.0.0.5/video.cgi?..."),
        ("http://10.0.0.5/video.mjpg", "http://10.0.0.5/video.mjpg"),
        ("/dev/video0", "/dev/video0"),
        ("me@home?.mp4", "me@home?.mp4"),
    ],
)
def test_the_password_of_a_stream_is_not_shown(source, shown):
    assert cameras.shown(source) == shown


@pytest.mark.parametrize("source", ["0", "/dev/video7", "picamera", "rtsp://10.0.0.5/", "RTSP://10.0.0.5/"])
def test_what_a_camera_is_called(source):
    assert cameras.is_camera(source)


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (None, "sudo apt install python3-picamera2, in an environment made with --system-site-packages; "),
        ("raise ValueError('numpy.dtype size changed')", "cannot be imported (numpy.dtype size changed); "),
        ("import libcamera_of_the_system", "cannot be imported (No module named 'libcamera_of_the_system'); "),
    ],
    ids=["missing", "built for another numpy", "not with all that it needs"],
)
def test_what_to_do_without_a_picamera2_that_works(module, says, tmp_path, monkeypatch):
    if module is not None:
        (tmp_path / "picamera2.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(CamliteError, match=r"^`picamera` needs picamera2: ") as refused:
        cameras.check("picamera")

    assert says in str(refused.value)
    assert str(refused.value).endswith("see docs/install.md")
