"""``camlite serve --runtime``: its page runs the artifact in the browser, and asks the server where that cannot be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from support import browser
from support.browser import Browser
from support.explainer_page import READY, SHOWN, write_photo, write_transparent
from support.fresh_process import one_line, run_camlite
from support.http_load import Server, served
from support.spec_vectors import FOLDER

pytest.importorskip("tornado")
PACKAGES = Path(__file__).parents[1] / "web" / "node_modules"
if lack := browser.missing():
    pytest.skip(lack, allow_module_level=True)
if not PACKAGES.is_dir():
    pytest.skip("needs its npm packages: make test-web", allow_module_level=True)

DESKTOP, PHONE = (1280, 860), (400, 844)
TOKEN = "a token of some length"
ARTIFACT = FOLDER / "guided.float32.onnx"
WEBGL = ("--enable-unsafe-swiftshader",)  # as browsers with a graphics card have it
RUNTIME = f"--runtime={PACKAGES / 'onnxruntime-web'}"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser.browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(ARTIFACT, tmp_path_factory.mktemp("served") / "log", RUNTIME, "--workers=1") as running:
        yield running


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photo(tmp_path_factory.mktemp("photo"))


def explained_by(server: Server) -> int:
    """How many pictures the server has explained."""
    return sum('"path": "/explain"' in line for line in server.log.read_text().splitlines())


def text(page: Browser, name: str) -> str:
    found: str = page.evaluate(f"document.getElementById({name!r}).textContent")
    return found


def test_the_page_answers_as_the_server_does_without_asking_it(page, server, photo):
    page.open(f"http://127.0.0.1:{server.port}/", *DESKTOP)
    page.wait(READY)
    page.drop(photo, "#stage")
    page.wait(SHOWN)

    assert "ms the model" in text(page, "time")
    assert text(page, "proof").startswith("Self-check passed: 4 golden")
    assert page.evaluate("!document.getElementById('private').hidden")
    assert explained_by(server) == 0
    answer = page.evaluate("shown.answer")
    expected = json.loads(server.request("/explain", photo.read_bytes(), Content_Type="image/png")[2])
    assert answer["label"] == expected["label"]
    found, told = (np.array(one["explained"][0]["evidence"]) for one in (answer, expected))
    assert np.abs(found - told).max() <= 1e-5 * max(1, np.abs(told).max())


def test_colours_below_transparent_pixels_are_seen_as_the_server_sees_them(server, tmp_path):
    picture = write_transparent(tmp_path)
    with browser.browser(tmp_path / "profile", *WEBGL) as page:
        page.open(f"http://127.0.0.1:{server.port}/", *DESKTOP)
        page.wait(READY)
        page.drop(picture, "#stage")
        page.wait(SHOWN)

        answer = page.evaluate("shown.answer")
        expected = json.loads(server.request("/explain", picture.read_bytes(), Content_Type="image/png")[2])
        found, told = (np.array(one["explained"][0]["evidence"]) for one in (answer, expected))
        assert np.abs(found - told).max() <= 1e-5 * max(1, np.abs(told).max())
        assert answer["label"] == expected["label"]
        assert page.evaluate(
            "new Uint8Array(document.getElementById('view').getContext('2d').getImageData(0, 0, 320, 240).data)"
            ".every((value, index) => index % 4 < 3 || value === 255)"
        )


def test_what_the_browser_has_is_not_sent_again(server):
    path = "/runtime/ort-wasm-simd-threaded.wasm"
    status, headers, body = server.request(path)
    assert (status, headers["Content-Type"]) == (200, "application/wasm")
    assert body == (PACKAGES / "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm").read_bytes()

    assert server.request(path, If_None_Match=headers["ETag"])[0] == 304
    assert server.request("/runtime/../page.json")[0] == server.request("/artifacts/")[0] == 404
    assert server.request(path, b"", "POST")[0] == 405


def test_with_a_token_nobody_else_is_given_the_artifact(page, photo, tmp_path):
    with served(ARTIFACT, tmp_path / "log", RUNTIME, "--workers=1", env={"CAMLITE_TOKEN": TOKEN}) as server:
        assert server.request(f"/artifacts/{ARTIFACT.name}")[0] == 401
        page.open(f"http://127.0.0.1:{server.port}/", *PHONE)
        page.wait("!document.getElementById('access').hidden")
        page.drop(photo, "#stage")
        page.wait("document.getElementById('message').classList.contains('bad')")
        assert text(page, "message") == "This server asks for its token; enter it first."
        page.evaluate(
            f"(document.getElementById('token').value = {TOKEN!r}, document.querySelector('#access button').click())"
        )
        page.wait(SHOWN)

        assert "ms the model" in text(page, "time")
        assert explained_by(server) == 0


def test_a_runtime_that_does_not_run_the_artifact_is_one_line():
    complaint = one_line(run_camlite("serve", ARTIFACT, "--port", "0", f"--runtime={PACKAGES / '@litertjs' / 'core'}"))

    assert complaint.startswith(
        f"camlite: {ARTIFACT}: onnx artifacts run on onnxruntime-web in a browser; add --runtime"
    )


def test_a_browser_that_cannot_run_it_asks_the_server(page, server, photo):
    """Last: no page of this browser has WebAssembly any more."""
    page.before_pages("delete window.WebAssembly")
    before = explained_by(server)
    page.open(f"http://127.0.0.1:{server.port}/", *PHONE)
    page.wait("document.getElementById('message').classList.contains('bad')")
    assert text(page, "message").startswith("This browser cannot run the classifier, so the server does: ")
    page.drop(photo, "#stage")
    page.wait(SHOWN)

    assert text(page, "time").startswith("Answered by the server")
    assert explained_by(server) == before + 1
    assert page.evaluate("document.getElementById('private').hidden")
