"""``camlite serve``: answers, refusals, limits, and what it holds under load. The page is in test_serve_page.py."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact as artifacts
from camlite.images import picture_files
from camlite.system.installing import how_to_install
from support import http_load, not_finite
from support.fresh_process import one_line, run_camlite
from support.http_load import Server, served

pytest.importorskip("tornado")

VERTICAL = np.tile(np.arange(24) // 2 % 2 * 255, (16, 1)).astype(np.uint8)
TOKEN = "a token of some length"
IMAGE = {"Content_Type": "image/png"}


@pytest.fixture(scope="module")
def good() -> bytes:
    return picture_files.encode(VERTICAL)


@pytest.fixture(scope="module")
def server(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--max-body", "100000", "--max-pixels", "1000000", "--timeout", "1")
    with served(tiny / "stripes" / "stripes.int8.tflite", tmp_path_factory.mktemp("served") / "log", *options) as one:
        yield one


def error(body: bytes) -> str:
    """The one line that every refusal is."""
    (message,) = json.loads(body).values()
    assert json.loads(body) == {"error": message}
    assert "\n" not in message
    return message


def test_an_image_is_answered_as_by_the_command(server, good, tiny, tmp_path):
    (tmp_path / "a.png").write_bytes(good)
    finished = run_camlite("explain", tiny / "stripes" / "stripes.int8.tflite", "a.png", "--json", cwd=tmp_path)
    expected = json.loads(finished.stdout)

    status, headers, body = server.request("/explain", good, **IMAGE)

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert json.loads(body) == {name: value for name, value in expected.items() if name not in ("image", "picture")}


def test_a_picture_is_sent_where_it_is_preferred(server, good, tiny, tmp_path):
    (tmp_path / "a.png").write_bytes(good)
    options = ("--style", "contour", "--colours", "cividis", "--top", "2")
    run_camlite("explain", tiny / "stripes" / "stripes.int8.tflite", "a.png", *options, cwd=tmp_path)

    query = "/explain?style=contour&colours=cividis&top=2"
    status, headers, body = server.request(query, good, **IMAGE, Accept="image/png")

    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert np.array_equal(picture_files.decode(body, ""), picture_files.read_image(tmp_path / "a.contour.png"))


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/*", "image/png"),
        ("application/json, image/png", "application/json"),
        ("application/json;q=0.5, image/png", "image/png"),
        ("image/png;q=0.1, application/json;q=0.2", "application/json"),
        ("image/png;q=what", "application/json"),
    ],
)
def test_accept_decides_between_json_and_png(accept, expected, server, good):
    assert server.request("/explain", good, **IMAGE, Accept=accept)[1]["Content-Type"] == expected


def test_classes_are_asked_for_by_label_and_by_index(server, good):
    _, _, body = server.request("/explain?class=plain&class=0", good, **IMAGE)

    assert [one["label"] for one in json.loads(body)["explained"]] == ["plain", "horizontal"]


REFUSALS = [
    ("/explain", b"no picture", IMAGE, 400, "body: cannot read it as an image"),
    ("/explain", b"", IMAGE, 400, "body: cannot read it as an image"),
    ("/explain?class=diagonal", None, IMAGE, 400, "class 'diagonal' is unknown"),
    ("/explain?top=0", None, IMAGE, 400, "query: top: expected a number of 1 or more"),
    ("/explain?top=two", None, IMAGE, 400, "query: invalid literal"),
    ("/explain?style=cubist", None, IMAGE, 400, "query: style 'cubist', expected one of overlay,"),
    ("/explain?class=1&against=vertical", None, IMAGE, 400, "class 'vertical' is explained against itself"),
    ("/explain?what=1", None, IMAGE, 400, "query: 'what' is unknown"),
    ("/explain?&&", None, IMAGE, 400, "query: bad query field"),
    ("/explain", None, {"Content_Type": "text/html"}, 415, "content type text/html, expected"),
    ("/explain?class=" + "9" * 5000, None, IMAGE, 400, "query: class: expected a label or an index"),
    ("/explain?class=" + "9" * 400, None, IMAGE, 400, "class '999"),
    ("/explain?top=" + "9" * 5000, None, IMAGE, 400, "query: Exceeds the limit"),
    ("/explain?class=Sch%C3%A4fer", None, IMAGE, 400, "class 'Sch\u00e4fer' is unknown"),
    ("/nowhere", None, IMAGE, 404, "no such path; see /openapi.json"),
    ("/health", None, IMAGE, 405, "expected GET, received POST"),
]


@pytest.mark.parametrize(("path", "body", "headers", "status", "says"), REFUSALS)
def test_what_makes_no_sense_is_refused_in_one_line_of_json(path, body, headers, status, says, server, good):
    received, answered, content = server.request(path, good if body is None else body, "POST", **headers)

    assert (received, answered["Content-Type"]) == (status, "application/json")
    assert error(content).startswith(says)


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /explain HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 100001\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert error(answer.partition(b"\r\n\r\n")[2]) == "body: expected at most 100000 bytes"


def test_a_body_of_the_limit_itself_is_read(server):
    assert server.request("/explain", bytes(100_000), **IMAGE)[0] == 400


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(server):
    before = server.memory

    status, _, body = server.request("/explain", http_load.png(10_000, 10_000)[:99_999], **IMAGE)

    assert (status, error(body)) == (413, "body: 10000 x 10000 pixels, expected at most 1000000; make it smaller")
    assert server.memory - before < 10_000_000


def test_eps_is_no_picture_for_it_would_start_ghostscript(server):
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"

    assert server.request("/explain", eps, Content_Type="image/eps")[0] == 400


def test_health_runs_the_golden_samples(server):
    status, _, body = server.request("/health")

    found = json.loads(body)
    assert (status, found["passed"], found["failures"]) == (200, True, [])
    assert found["samples"] > 0


def test_health_fails_where_a_golden_sample_does(tiny, tmp_path):
    read = artifacts.read(tiny / "stripes" / "stripes.int8.tflite")
    wrong = read.arrays._replace(golden_scores=read.arrays.golden_scores[:, ::-1].copy())
    (tmp_path / "wrong.tflite").write_bytes(artifacts.pack("tflite", read.model, read.card, wrong))

    with served(tmp_path / "wrong.tflite", tmp_path / "log") as server:
        status, _, body = server.request("/health")

    assert status == 503
    assert json.loads(body)["passed"] is False
    assert "score difference" in json.loads(body)["failures"][0]


def test_metrics_count_answers_images_and_time(server, good):
    def metrics() -> dict[str, float]:
        status, headers, body = server.request("/metrics")
        assert (status, headers["Content-Type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        lines = [line for line in body.decode().splitlines() if not line.startswith("#")]
        assert all(re.fullmatch(r'[a-z_]+({([a-z]+="[^"]*",?)+})? [0-9.e+-]+', line) for line in lines), lines
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    server.request("/explain", good, **IMAGE)
    before = metrics()
    server.request("/explain", good, **IMAGE)
    server.request("/explain", b"no picture", **IMAGE)
    after = metrics()

    grown = {name: after[name] - before.get(name, 0) for name in after}
    assert grown['camlite_requests_total{path="/explain",status="200"}'] == 1
    assert grown['camlite_requests_total{path="/explain",status="400"}'] == 1
    assert grown['camlite_images_total{label="vertical"}'] == 1
    assert grown["camlite_explain_seconds_count"] == grown['camlite_explain_seconds_bucket{le="+Inf"}'] == 1
    assert 0 < grown["camlite_explain_seconds_sum"] < 5


def test_the_openapi_document_describes_what_is_there(server):
    _, _, body = server.request("/openapi.json")
    document = json.loads(body)

    assert document["openapi"] == "3.1.0"
    for path, methods in document["paths"].items():
        (method,) = methods
        assert server.request(path, method=method.upper())[0] not in (404, 405)
    references = re.findall(r'"\$ref": "#/components/schemas/(\w+)"', body.decode())
    assert set(references) == set(document["components"]["schemas"])


def test_the_openapi_document_names_every_field_of_an_answer(server, good):
    schemas = json.loads(server.request("/openapi.json")[2])["components"]["schemas"]
    answer = json.loads(server.request("/explain", good, **IMAGE)[2])

    properties = schemas["Explanation"]["properties"]
    assert list(answer) == list(properties) == schemas["Explanation"]["required"]
    assert list(answer["explained"][0]) == list(properties["explained"]["items"]["properties"])


@pytest.mark.parametrize("path", ["/", "/app.js", "/style.css", "/page.json"])
def test_the_page_may_load_nothing_from_elsewhere(path, server):
    status, headers, body = server.request(path)

    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not re.findall(rb"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9]+\.[a-z]", body)


def test_nobody_on_the_way_keeps_answers(server, good):
    kept = [server.request(path)[1]["Cache-Control"] for path in ("/sample.png", "/health", "/metrics", "/nowhere")]
    assert {*kept, server.request("/explain", good, **IMAGE)[1]["Cache-Control"]} == {"no-store"}
    assert server.request("/app.js")[1]["Cache-Control"] == "no-cache"  # asked for anew, and then not sent again


def test_a_page_elsewhere_cannot_reach_the_server_by_another_name(server):
    for host, status in (("localhost:1", 200), ("[::1]:1", 200), ("evil.example", 403), ("[", 403)):
        assert server.request("/page.json", Host=host)[0] == status


@pytest.mark.parametrize("path", ["/health", "/metrics", "/sample.png", "/explain"])
def test_a_page_elsewhere_starts_no_work_here(path, server, good):
    body = good if path == "/explain" else None
    for site, status in (("cross-site", 403), ("same-origin", 200), ("none", 200)):
        assert server.request(path, body, **IMAGE, Sec_Fetch_Site=site)[0] == status
    assert server.request("/", Sec_Fetch_Site="cross-site")[0] == 200


def test_a_sample_is_a_picture_that_can_be_explained(server):
    status, headers, body = server.request("/sample.png")

    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert server.request("/explain", body, **IMAGE)[0] == 200


def test_with_a_token_all_but_the_page_asks_for_it(tiny, good, tmp_path):
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    (tmp_path / "token").chmod(0o600)
    options = ("--token-file", str(tmp_path / "token"), "--host", "0.0.0.0")
    with served(tiny / "stripes" / "stripes.int8.tflite", tmp_path / "log", *options) as server:
        for path, body in (("/explain", good), ("/health", None), ("/metrics", None)):
            for wrong in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
                status, headers, content = server.request(path, body, **IMAGE, **wrong)
                assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
                assert TOKEN not in error(content)
            right = {"Authorization": f"Bearer {TOKEN}"}
            assert server.request(path, body, **IMAGE, **right, Host="device.example")[0] == 200
        assert server.request("/")[0] == server.request("/openapi.json")[0] == 200


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            ["--host", "0.0.0.0"],
            "--host 0.0.0.0: other machines could connect; protect it with --token-file FILE or $CAMLITE_TOKEN",
        ),
        (["--host", "example.com"], "--host example.com: expected an IP address of this machine"),
        (["--host", "192.0.2.1", "--token-file", "token"], "cannot listen on 192.0.2.1 port 8080 ("),
        (["--token-file", "none"], "none: cannot read the token ("),
        (["--token-file", "readable"], "readable: a token with permissions 0640, which others can use: make a new one"),
        (["--token-file", "short"], "short: the token has 5 characters, expected 16 to 1000 of ASCII"),
        (["--token-file", "long"], "long: the token has 1001 characters, expected 16 to 1000 of ASCII"),
        (["--token-file", "two"], "two: the token has a line break or another character that no header holds"),
    ],
)
def test_what_cannot_be_served_is_one_line(options, says, tiny, tmp_path):
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "short").write_text("short")
    (tmp_path / "long").write_text("x" * 1001)
    (tmp_path / "two").write_text(f"{TOKEN}\n{TOKEN}\n")
    for name in ("token", "short", "long", "two"):
        (tmp_path / name).chmod(0o600)
    (tmp_path / "readable").write_text(TOKEN)
    (tmp_path / "readable").chmod(0o640)

    complaint = one_line(run_camlite("serve", tiny / "stripes" / "stripes.int8.tflite", *options, cwd=tmp_path))

    assert complaint.startswith(f"camlite: {says}")


@pytest.mark.parametrize("accept", ["application/json", "image/png"])
def test_an_answer_that_is_not_finite_is_an_error_that_says_so(accept, tiny, tmp_path, good):
    pytest.importorskip("onnx")
    path = not_finite.write(tiny / "stripes" / "stripes.float32.onnx", tmp_path / "broken.onnx")
    with served(path, tmp_path / "log") as server:
        status, _, body = server.request("/explain", good, **IMAGE, Accept=accept)
        health = server.request("/health")[0]

    assert (status, health) == (500, 503)
    assert "not finite" in error(body)
    assert str(tmp_path) not in error(body)
    assert "Traceback" not in (tmp_path / "log").read_text()


def test_serve_without_tornado_says_how_to_install_it(tiny):
    complaint = one_line(run_camlite("serve", tiny / "stripes" / "stripes.int8.tflite", without=("tornado",)))

    assert complaint == f"camlite: `camlite serve` needs tornado: {how_to_install('serve')}\n"


def test_beyond_the_queue_clients_are_told_to_come_back(tiny, tmp_path):
    large = picture_files.encode(np.random.default_rng(0).integers(0, 256, (1500, 1500, 3)).astype(np.uint8))
    artifact, options = tiny / "stripes" / "stripes.int8.tflite", ("--queue", "1", "--workers", "1")
    with served(artifact, tmp_path / "log", *options) as server, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: server.request("/explain", large, **IMAGE), range(12)))
        _, _, metrics = server.request("/metrics")

    statuses = [status for status, _, _ in answers]
    assert set(statuses) == {200, 429}
    assert {headers["Retry-After"] for status, headers, _ in answers if status == 429} == {"1"}
    assert {error(body) for status, _, body in answers if status == 429} == {"busy; try again in a second"}
    assert f'camlite_requests_total{{path="refused",status="429"}} {statuses.count(429)}' in metrics.decode()


def test_every_answer_is_a_line_in_the_log(server, good):
    server.request("/explain", good, **IMAGE)
    server.request("/explain", b"no picture", **IMAGE)

    said = [json.loads(line) for line in server.log.read_text().splitlines()]
    lines = [line for line in said if "message" not in line]  # what Tornado has to say

    assert {200, 400, 413} <= {line["status"] for line in lines}
    assert set(lines[-1]) == {"time", "client", "method", "path", "status", "ms"}


@pytest.mark.quiet
@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.endurance)])
def test_under_load_with_hostile_clients_good_ones_are_answered_as_when_alone(seconds, tiny, good, tmp_path):
    with served(tiny / "stripes" / "stripes.int8.tflite", tmp_path / "log", "--timeout", "2") as server:
        asyncio.run(http_load.load(server, good, 1, 64, 0.05))  # memory is that of a server in use
        report = asyncio.run(http_load.load(server, good, seconds, 64, 0.05))

        assert server.process.poll() is None
    assert report.wrong == []
    assert set(report.answered) == {"good", *http_load.HOSTILE}
    assert {200, 400, 413, 415} <= set(report.statuses) <= {200, 400, 403, 404, 405, 413, 415}, str(report)
    assert report.longest < 10
    # 4 MB: measured 1 MB, of connections that are open while it is looked at; one bomb decoded were 100 MB.
    assert max(report.memory) - report.memory[0] < 4_000_000, str(report)


def test_the_load_notices_a_server_that_answers_wrongly(tiny, good, tmp_path):
    """One whose body limit refuses the good ones."""
    with served(tiny / "stripes" / "stripes.int8.tflite", tmp_path / "log", "--max-body", "20") as server:
        report = asyncio.run(http_load.load(server, good, 0.5, 4, 0.0))

    assert report.wrong
    assert 413 in report.statuses
