"""What a camera is called, and what of its name may be shown."""

from __future__ import annotations

import pytest

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
