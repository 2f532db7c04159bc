"""``camlite to-web``: the site in Chromium, from a plain web server; on a desktop and a phone, online and offline."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite import cli
from camlite.images import picture_files
from support import browser
from support.browser import Browser
from support.explainer_page import READY, SHOWN, write_photo
from support.spec_vectors import FOLDER

PACKAGES = Path(__file__).with_name("node_modules")
if lack := browser.missing():
    pytest.skip(lack, allow_module_level=True)
if not PACKAGES.is_dir():
    pytest.skip("needs its npm packages: make test-web", allow_module_level=True)

ARTIFACTS = ("guided.float32.onnx", "guided.float32.tflite", "places.float32.onnx", "stripes.int8.onnx")
DESKTOP, PHONE = (1280, 860), (400, 844)
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
EXPLAINED = f"{SHOWN} && {READY}"
# What a page must not meet: anything that its content security policy forbids, and errors of its scripts.
SPY = """
    window.troubles = [];
    addEventListener("securitypolicyviolation", ({violatedDirective, blockedURI}) =>
        troubles.push(`${violatedDirective} ${blockedURI}`));
    addEventListener("error", (event) => troubles.push(event.message || event.target.src || event.target.href), true);
    addEventListener("unhandledrejection", (event) => troubles.push(String(event.reason)));
"""
# Where to keep what is looked at; by default nowhere.
SCREENSHOTS = os.environ.get("CAMLITE_SCREENSHOTS")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("web") / "site"
    runtimes = [f"--runtime={PACKAGES / 'onnxruntime-web'}", f"--runtime={PACKAGES / '@litertjs' / 'core'}"]
    assert cli.main(["to-web", *(str(FOLDER / name) for name in ARTIFACTS), f"--output={folder}", *runtimes]) == 0
    return folder


@pytest.fixture(scope="module")
def server(site: Path) -> Iterator[http.server.ThreadingHTTPServer]:
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture(scope="module")
def address(server: http.server.ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}/"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser.browser(tmp_path_factory.mktemp("profile"), *CAMERA) as opened:
        opened.before_pages(SPY)
        yield opened


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photo(tmp_path_factory.mktemp("photo"))


@pytest.fixture(autouse=True)
def no_trouble(page: Browser) -> Iterator[None]:
    yield
    assert page.evaluate("troubles") == []


def keep(page: Browser, name: str, tmp_path: Path) -> None:
    page.screenshot(Path(SCREENSHOTS or tmp_path, f"{name}.png"))


def scrolls_sideways(page: Browser) -> bool:
    found: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return found


def choose(page: Browser, index: int) -> None:
    """Another artifact of the list; it is loaded, checked, and asked for the same picture."""
    page.evaluate(f"(artifacts.value = {index}, artifacts.dispatchEvent(new Event('change')))")
    page.wait(READY)


@pytest.mark.parametrize(
    ("size", "dark"),
    [
        pytest.param(DESKTOP, False, id="light-desktop"),
        pytest.param(PHONE, True, id="dark-phone"),
        pytest.param(DESKTOP, True, id="dark-desktop", marks=pytest.mark.endurance),
        pytest.param(PHONE, False, id="light-phone", marks=pytest.mark.endurance),
    ],
)
def test_a_dropped_picture_is_explained(size, dark, page, address, photo, tmp_path):
    name = f"site-{size[0]}-{'dark' if dark else 'light'}"
    page.open(address, *size, dark=dark)
    page.wait(READY)
    keep(page, f"{name}-empty", tmp_path)
    assert not scrolls_sideways(page)

    page.drop(photo, "#stage")
    page.wait(EXPLAINED)

    keep(page, f"{name}-dropped", tmp_path)
    assert not scrolls_sideways(page)
    assert "ms the model" in page.evaluate("document.getElementById('time').textContent")


def test_every_artifact_passes_its_self_check_and_answers_as_python_does(page, address, photo):
    page.open(address, *DESKTOP)
    page.wait(READY)
    page.drop(photo, "#stage")
    page.wait(EXPLAINED)
    pixels = picture_files.read_image(photo)
    for index, name in enumerate(ARTIFACTS):
        choose(page, index)
        page.wait(f"shown.answer.scores && shown.artifact === {index}")

        assert page.evaluate("document.getElementById('proof').textContent").startswith("Self-check passed: 4 golden")
        answer, expected = page.evaluate("shown.answer"), camlite.load(FOLDER / name).explain(pixels).to_dict()
        most = 1e-5 if ".float32." in name else 0.02  # int8: some steps of 256
        assert answer["label"] == expected["label"]
        assert answer["map"] == expected["map"]
        for received, told in (
            ([answer["scores"][label] for label in expected["scores"]], list(expected["scores"].values())),
            (answer["explained"][0]["evidence"], expected["explained"][0]["evidence"]),
        ):
            assert np.abs(np.subtract(received, told)).max() <= most * max(1, np.abs(told).max()), name


@pytest.mark.endurance
def test_one_of_its_samples_can_be_tried(page, address):
    page.open(address, *PHONE)
    page.wait(READY)
    page.evaluate("document.querySelector('#samples button').click()")
    page.wait(EXPLAINED)

    assert page.evaluate("document.querySelectorAll('#samples button').length") == 4


def test_another_class_is_explained_when_it_is_chosen(page, address, photo):
    page.open(address, *DESKTOP)
    page.drop(photo, "#stage")
    page.wait(EXPLAINED)
    top = page.evaluate("document.getElementById('label').textContent")

    page.evaluate("document.querySelector('#scores [aria-pressed=false]').click()")
    page.wait(f"document.querySelector('#scores [aria-pressed=true]').dataset.label !== {top!r}")

    chosen = page.evaluate("document.querySelector('#scores [aria-pressed=true]').dataset.label")
    assert chosen in page.evaluate("document.getElementById('where').textContent")


def test_the_camera_is_explained_live_and_can_be_closed(page, address, tmp_path):
    page.open(address, *PHONE)
    page.wait(READY)
    page.evaluate("document.getElementById('camera').click()")
    page.wait(f"{EXPLAINED} && turn > 3")

    keep(page, "site-camera", tmp_path)
    assert not scrolls_sideways(page)
    page.evaluate("document.getElementById('camera').click()")
    page.wait("document.getElementById('camera').getAttribute('aria-pressed') === 'false'")


@pytest.mark.endurance
def test_a_file_that_is_no_picture_is_told_in_words(page, address, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    page.open(address, *PHONE)
    page.wait(READY)

    page.drop(tmp_path / "notes.txt", "#stage")
    page.wait("document.getElementById('message').classList.contains('bad')")

    assert "notes.txt" in page.evaluate("document.getElementById('message').textContent")


def test_an_artifact_that_was_damaged_on_the_server_is_refused_in_words(page, address, site):
    path = site / "artifacts" / ARTIFACTS[0]
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"0")
    try:
        page.evaluate(
            "navigator.serviceWorker.getRegistrations().then((all) => Promise.all(all.map((r) => r.unregister())))"
        )
        page.open(address, *PHONE)
        page.wait("document.getElementById('message').classList.contains('bad')")
        assert "damaged artifact" in page.evaluate("document.getElementById('message').textContent")
    finally:
        path.write_bytes(whole)
        # By another second than the damaged one, or the browser is told that what it has kept is still the file.
        os.utime(path, (time.time() + 2,) * 2)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder that a server of its own serves."""
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/"
    finally:
        running.shutdown()
        running.server_close()


def write_site(folder: Path, *names: str) -> None:
    paths = [str(FOLDER / name) for name in names]
    assert cli.main(["to-web", *paths, f"--output={folder}", f"--runtime={PACKAGES / 'onnxruntime-web'}"]) == 0


ALL_KEPT = """
    caches.keys()
      .then((names) => Promise.all(names.map((name) => caches.open(name).then((cache) => cache.keys()))))
      .then((lists) => lists.flat().map(({url}) => new URL(url).pathname))
""".strip()


def test_what_is_no_longer_in_the_site_leaves_the_device_and_the_rest_of_the_server_stays(page, tmp_path):
    first, second = ARTIFACTS[0], ARTIFACTS[2]
    write_site(tmp_path / "one", first, second)
    write_site(tmp_path / "two", second)
    with served(tmp_path) as root:
        for folder in ("two", "one"):
            page.open(f"{root}{folder}/", *DESKTOP)
            page.wait(READY)
            page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        assert f"/one/artifacts/{first}" in page.evaluate(ALL_KEPT)

        write_site(tmp_path / "one", second)
        page.open(f"{root}one/", *DESKTOP)
        page.wait("!changed.hidden")
        page.open(f"{root}one/", *DESKTOP)
        page.wait(READY)

        assert page.evaluate("artifacts.length") == 1
        kept = page.evaluate(ALL_KEPT)
        (tmp_path / "one" / "other.html").write_text("<title>another page of the same folder</title>")
        page.open(f"{root}one/other.html", *DESKTOP)
        assert page.evaluate("document.title") == "another page of the same folder"
        page.evaluate("window.troubles = []")
    assert f"/one/artifacts/{first}" not in kept
    assert {f"/one/artifacts/{second}", f"/two/artifacts/{second}"} <= set(kept)


def test_it_works_offline_after_the_first_visit(page, server, address, photo):
    """Last: the server is stopped."""
    page.open(address, *DESKTOP)
    page.wait(READY)
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    server.shutdown()
    server.server_close()
    page.open(address, *DESKTOP)
    page.wait(READY)
    page.drop(photo, "#stage")
    page.wait(EXPLAINED)
    for index in range(len(ARTIFACTS)):
        choose(page, index)
        assert "Self-check passed" in page.evaluate("document.getElementById('proof').textContent")
    assert page.evaluate("performance.getEntriesByType('resource').every(one => one.name.startsWith(location.origin))")
