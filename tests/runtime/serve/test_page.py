"""The page of ``camlite serve`` in Chromium: a dropped picture, a camera, a token; on a desktop and on a phone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from camlite.images import picture_files
from support import browser
from support.browser import Browser
from support.http_load import Server, served
from support.network_camera import NetworkCamera, jpeg
from support.watched_folder import STRIPES

pytest.importorskip("tornado")
if lack := browser.missing():
    pytest.skip(lack, allow_module_level=True)

DESKTOP, PHONE = (1280, 860), (390, 844)
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
TOKEN = "a token of some length"
SHOWN = "!document.getElementById('result').hidden && document.getElementById('message').textContent === ''"

# Where to keep what is looked at; by default nowhere.
SCREENSHOTS = os.environ.get("CAMLITE_SCREENSHOTS")


@pytest.fixture(scope="module")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    artifact = Path(os.environ.get("CAMLITE_SCREENSHOT_ARTIFACT", tiny / "stripes" / "stripes.int8.tflite"))
    with served(artifact, tmp_path_factory.mktemp("served") / "log") as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser.browser(tmp_path_factory.mktemp("profile"), *CAMERA) as opened:
        yield opened


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    if chosen := os.environ.get("CAMLITE_SCREENSHOT_PHOTO"):
        return Path(chosen)
    path = tmp_path / "photo.png"
    picture_files.write(path, np.tile(np.arange(240) // 20 % 2 * 255, (160, 1)).astype(np.uint8))
    return path


def keep(page: Browser, name: str, tmp_path: Path) -> Path:
    path = Path(SCREENSHOTS or tmp_path, f"{name}.png")
    page.screenshot(path)
    return path


def scrolls_sideways(page: Browser) -> bool:
    return page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_dropped_picture_is_explained(size, dark, server, page, photo, tmp_path):
    name = f"{'phone' if size == PHONE else 'desktop'}-{'dark' if dark else 'light'}"
    page.open(f"http://127.0.0.1:{server.port}/", *size, dark=dark)
    keep(page, f"{name}-empty", tmp_path)

    page.drop(photo, "#stage")
    page.wait(SHOWN)

    keep(page, f"{name}-dropped", tmp_path)
    _, _, body = server.request("/explain", photo.read_bytes(), Content_Type="image/png")
    label = page.evaluate("document.getElementById('label').textContent")
    assert f'"label": "{label}"' in body.decode()
    assert not scrolls_sideways(page)
    colours = page.evaluate(
        "(c => new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size)"
        "(document.getElementById('view'))"
    )
    assert colours > 20  # the heatmap's, over an image of two


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_camera_is_explained_live_and_can_be_closed(size, server, page, tmp_path):
    name = "phone" if size == PHONE else "desktop"
    page.open(f"http://127.0.0.1:{server.port}/", *size)
    page.evaluate("document.getElementById('camera').click()")
    page.wait(f"{SHOWN} && turn > 3")

    keep(page, f"{name}-camera", tmp_path)
    assert not scrolls_sideways(page)
    page.evaluate("document.getElementById('camera').click()")
    page.wait("document.getElementById('camera').getAttribute('aria-pressed') === 'false'")
    assert page.evaluate("document.getElementById('video').srcObject.getTracks().every(t => t.readyState === 'ended')")


def test_another_class_is_explained_when_it_is_chosen(server, page, photo):
    page.open(f"http://127.0.0.1:{server.port}/", *DESKTOP)
    page.drop(photo, "#stage")
    page.wait(SHOWN)
    top = page.evaluate("document.getElementById('label').textContent")

    page.evaluate("document.querySelector('#scores [aria-pressed=false]').click()")
    page.wait("document.querySelector('#scores [aria-pressed=true]').dataset.label !== " + repr(top))

    chosen = page.evaluate("document.querySelector('#scores [aria-pressed=true]').dataset.label")
    assert chosen in page.evaluate("document.getElementById('where').textContent")
    assert page.evaluate("document.getElementById('label').textContent") == top


def test_a_class_and_the_top_class_have_one_scale(server, page, photo):
    """Else one of score 0.000 would glow as one of 0.996."""
    page.open(f"http://127.0.0.1:{server.port}/", *DESKTOP)
    page.drop(photo, "#stage")
    page.wait(SHOWN)
    scale = page.evaluate("document.getElementById('most').textContent")
    top = page.evaluate("document.getElementById('label').textContent")

    page.evaluate("[...document.querySelectorAll('#scores [aria-pressed=false]')].at(-1).click()")
    page.wait("document.querySelector('#scores [aria-pressed=true]').dataset.label !== " + repr(top))

    assert re.fullmatch(r"[0-9.e+-]+ logits", scale)
    assert page.evaluate("document.getElementById('most').textContent") == scale
    own, all_of_them = "Math.max(0, ...shown.answer.explained[0].evidence.flat())", "parseFloat(most.textContent)"
    assert page.evaluate(f"{own} < 0.99 * {all_of_them}")


def test_a_file_that_is_no_picture_is_told_in_words(server, page, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    page.open(f"http://127.0.0.1:{server.port}/", *PHONE)

    page.drop(tmp_path / "notes.txt", "#stage")
    page.wait("document.getElementById('message').classList.contains('bad')")

    keep(page, "phone-no-picture", tmp_path)
    assert "notes.txt" in page.evaluate("document.getElementById('message').textContent")


def text(page: Browser, name: str) -> str:
    found: str = page.evaluate(f"document.getElementById({name!r}).textContent")
    return found


def enter(page: Browser, token: str) -> None:
    page.evaluate(
        f"(document.getElementById('token').value = {token!r}, document.querySelector('#access button').click())"
    )


def test_a_server_with_a_token_asks_for_it_in_words(tiny, page, photo, tmp_path):
    artifact = tiny / "stripes" / "stripes.int8.tflite"
    with served(artifact, tmp_path / "log", env={"CAMLITE_TOKEN": TOKEN}) as server:
        page.open(f"http://127.0.0.1:{server.port}/", *PHONE)
        page.wait("!document.getElementById('access').hidden && document.activeElement.id === 'token'")
        keep(page, "phone-token", tmp_path)
        page.drop(photo, "#stage")
        page.wait("document.getElementById('message').classList.contains('bad')")
        assert text(page, "message") == "This server asks for its token; enter it first."

        enter(page, "another token of some length")
        page.wait("document.getElementById('message').textContent === 'That is not the token of this server.'")
        keep(page, "phone-token-wrong", tmp_path)
        assert page.evaluate("!document.getElementById('access').hidden")

        enter(page, TOKEN)
        page.wait(SHOWN)  # the picture that was dropped before

    assert TOKEN not in (tmp_path / "log").read_text()
    assert page.evaluate("document.getElementById('access').hidden")


@pytest.fixture(scope="module")
def camera() -> Iterator[NetworkCamera]:
    pytest.importorskip("cv2")
    running = NetworkCamera(0, jpeg(STRIPES["vertical"].repeat(10, axis=0).repeat(10, axis=1)))
    yield running
    if running.plugged:
        running.unplug()


def test_the_camera_of_the_server_is_shown_live_and_what_becomes_of_it(tiny, page, camera, tmp_path):
    artifact = tiny / "stripes" / "stripes.int8.tflite"
    options = ("--camera", camera.url, "--workers", "1")
    with served(artifact, tmp_path / "log", *options, env={"CAMLITE_TOKEN": TOKEN}) as server:
        page.open(f"http://127.0.0.1:{server.port}/", *PHONE)
        page.wait("!document.getElementById('access').hidden")
        enter(page, TOKEN)
        page.wait(f"{SHOWN} && document.getElementById('label').textContent === 'vertical'")
        keep(page, "phone-live", tmp_path)
        assert not scrolls_sideways(page)

        camera.frame = jpeg(STRIPES["horizontal"].repeat(10, axis=0).repeat(10, axis=1))
        page.wait("document.getElementById('label').textContent === 'horizontal'")

        page.evaluate("document.querySelector('#scores [aria-pressed=false]').click()")  # the picture stays
        page.wait("document.querySelector('#scores [aria-pressed=true]').dataset.label !== 'horizontal'")
        assert page.evaluate("document.getElementById('live').getAttribute('aria-pressed')") == "false"
        page.evaluate("document.getElementById('live').click()")
        page.wait("document.getElementById('live').getAttribute('aria-pressed') === 'true'")
        page.wait("document.querySelector('#scores [aria-pressed=true]').dataset.label === 'horizontal'")

        camera.unplug()
        page.wait("document.getElementById('message').classList.contains('bad')")
        assert text(page, "message") == "The camera gives no picture; trying again."
        assert page.evaluate("document.getElementById('stage').classList.contains('stale')")
        keep(page, "phone-live-lost", tmp_path)
        again = NetworkCamera(camera.server_port, camera.frame)
        page.wait("document.getElementById('message').textContent === ''")
        assert page.evaluate("!document.getElementById('stage').classList.contains('stale')")
        again.unplug()


def test_the_page_loads_nothing_from_elsewhere(server, page, photo):
    page.open(f"http://127.0.0.1:{server.port}/", *DESKTOP)
    page.drop(photo, "#stage")
    page.wait(SHOWN)

    loaded = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name)")

    assert len(loaded) >= 4
    assert all(name.startswith((f"http://127.0.0.1:{server.port}/", "data:")) for name in loaded)
