"""The WSGI application: routes, the token, and what is answered."""

from __future__ import annotations

import contextlib
import hmac
import json
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

import camlite
from camlite.class_choice import Choice
from camlite.errors import CamliteError
from camlite.explainer import Explainer
from camlite.images import picture_files
from camlite.serve import openapi
from camlite.serve.limits import Limits
from camlite.serve.metrics import CONTENT_TYPE, Metrics
from camlite.show import drawing, json_record
from camlite.show.colours import COLOUR_MAPS, Floats, colourize
from camlite.show.drawing import Drawing

Environment = Mapping[str, Any]

_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
}
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)


@dataclass(frozen=True)
class Answer:
    """What goes back: status, body and its type."""

    status: HTTPStatus
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Refused(Exception):  # noqa: N818 - it is an answer, no mistake of ours
    """A request that gets an error for an answer."""

    def __init__(self, status: HTTPStatus, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.answer = Answer(status, _json({"error": " ".join(message.split())}), headers=headers)


class Application:
    """Serves one artifact; a pool of explainers, as each is for one thread at a time."""

    def __init__(self, explainers: Sequence[Explainer], limits: Limits, token: str | None) -> None:
        self._pool: queue.SimpleQueue[Explainer] = queue.SimpleQueue()
        for explainer in explainers:
            self._pool.put(explainer)
        first = explainers[0]
        card = first.artifact.card
        self._limits, self._token, self._log_lock = limits, token, threading.Lock()
        self.metrics = Metrics(classifier=card.name, precision=card.precision, backend=first.backend)
        self._openapi = _json(openapi.document(camlite.__version__, card.labels, token is not None))
        self._facts = _json(
            {
                "name": card.name,
                "precision": card.precision,
                "token": token is not None,
                "most_bytes": limits.body,
                "types": openapi.IMAGE_TYPES,
                "colours": colourize(_ramp()).round().astype(int)[0].tolist(),
            }
        )

    def __call__(self, environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, count it and log it."""
        start, path = time.perf_counter(), str(environ.get("PATH_INFO", ""))
        try:
            answer = self._answer(environ, path)
        except Refused as refused:
            answer = refused.answer
        except Exception:  # a mistake of camlite's own: the server goes on, and says where it was
            traceback.print_exc()
            answer = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _json({"error": "a bug; see the server's log"}))
        known = path if path in _ROUTES or path in _PAGE else "other"
        self.metrics.request(known, answer.status.value)
        client, method = str(environ.get("REMOTE_ADDR")), str(environ["REQUEST_METHOD"])
        self._log(client, method, path, answer.status.value, time.perf_counter() - start)
        headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status.value} {answer.status.phrase}", [*headers, *_HEADERS, *answer.headers])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else answer.body]

    def _answer(self, environ: Environment, path: str) -> Answer:
        self._check_host(environ)
        method = "GET" if environ["REQUEST_METHOD"] == "HEAD" else environ["REQUEST_METHOD"]
        if path not in _ROUTES and path not in _PAGE:
            raise Refused(HTTPStatus.NOT_FOUND, "no such path; see /openapi.json")
        expected, handler, open_to_all = _ROUTES.get(path, ("GET", _page, True))
        if method != expected:
            message = f"expected {expected}, received {method}"
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, message, ("Allow", expected))
        if not open_to_all:
            self._check_token(environ)
        return handler(self, environ)

    def _check_host(self, environ: Environment) -> None:
        """Without a token only names of this machine are answered, so that no web page elsewhere can rebind to it."""
        with contextlib.suppress(ValueError):
            name = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or "localhost"
            if self._token is not None or name in ("localhost", "127.0.0.1", "::1"):
                return
        raise Refused(HTTPStatus.FORBIDDEN, "the header Host is not this machine's; serve with a token for others")

    def _check_token(self, environ: Environment) -> None:
        if self._token is None:
            return
        scheme, _, given = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
            message = "expected the header `Authorization: Bearer TOKEN` with this server's token"
            raise Refused(HTTPStatus.UNAUTHORIZED, message, ("WWW-Authenticate", "Bearer"))

    @contextlib.contextmanager
    def _explainer(self) -> Iterator[Explainer]:
        explainer = self._pool.get()
        try:
            yield explainer
        finally:
            self._pool.put(explainer)

    def explain(self, environ: Environment) -> Answer:
        """``POST /explain``."""
        kind = str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
        if not kind.startswith("image/") and kind != "application/octet-stream":
            message = f"content type {kind or 'missing'}, expected the bytes of an image and its type, as image/jpeg"
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
        asked = _Asked.of(str(environ.get("QUERY_STRING", "")))
        body = environ["wsgi.input"].read()
        start = time.perf_counter()
        try:
            pixels = picture_files.decode(body, "body", self._limits.pixels)
            with self._explainer() as explainer:
                explanation = asked.choice.explain(explainer, pixels)
                self.metrics.explained(explanation.label, time.perf_counter() - start)
                if _prefers_png(str(environ.get("HTTP_ACCEPT", ""))):
                    drawn = drawing.draw(explanation, asked.drawing)
                    return Answer(HTTPStatus.OK, picture_files.encode(drawn), "image/png")
                return Answer(HTTPStatus.OK, json_record.line(json_record.of(explanation)).encode() + b"\n")
        except picture_files.TooLargeError as error:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None
        except CamliteError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None

    def health(self, _environ: Environment) -> Answer:
        """``GET /health``: the golden samples, now."""
        with self._explainer() as explainer:
            check = camlite.check(explainer)
        card = explainer.artifact.card
        found = {
            "passed": check.passed,
            "failures": list(check.failures),
            "samples": len(check.samples),
            "seconds": check.seconds,
            "classifier": card.name,
            "precision": card.precision,
            "backend": check.backend,
            "version": camlite.__version__,
        }
        return Answer(HTTPStatus.OK if check.passed else HTTPStatus.SERVICE_UNAVAILABLE, _json(found))

    def prometheus(self, _environ: Environment) -> Answer:
        """``GET /metrics``."""
        return Answer(HTTPStatus.OK, self.metrics.text().encode(), CONTENT_TYPE)

    def facts(self, _environ: Environment) -> Answer:
        """``GET /page.json``: what the page has to know."""
        return Answer(HTTPStatus.OK, self._facts)

    def description(self, _environ: Environment) -> Answer:
        """``GET /openapi.json``."""
        return Answer(HTTPStatus.OK, self._openapi)

    def refused(self, client: str, path: str, status: int) -> None:
        """Count and log a request that `limits` has refused."""
        self.metrics.request("refused", status)
        self._log(client, "", path, status, 0.0)

    def _log(self, client: str, method: str, path: str, status: int, seconds: float) -> None:
        """One line of JSON on standard error."""
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        fields = {"time": now, "client": client, "method": method, "path": path[:200], "status": status}
        line = json.dumps({**fields, "ms": round(seconds * 1000, 2)})
        with self._log_lock, contextlib.suppress(OSError, ValueError):  # a log that is gone is no reason to stop
            print(line, file=sys.stderr, flush=True)  # noqa: T201


@dataclass(frozen=True)
class _Asked:
    """The query of ``/explain``."""

    choice: Choice
    drawing: Drawing

    @classmethod
    def of(cls, query: str) -> _Asked:
        try:
            fields = parse_qs(query, strict_parsing=bool(query), max_num_fields=200)
            unknown = set(fields) - {"class", "top", "style", "colours"}
            if unknown:
                raise ValueError(f"{sorted(unknown)[0]!r} is unknown")
            style, colours = (fields.get(name, [usual])[-1] for name, usual in _USUAL.items())
            for name, value, choices in (("style", style, drawing.STYLES), ("colours", colours, tuple(COLOUR_MAPS))):
                if value not in choices:
                    raise ValueError(f"{name} {value!r}, expected one of {', '.join(choices)}")
            top = int(fields["top"][-1]) if "top" in fields else None
            if top is not None and (top < 1 or "class" in fields):
                raise ValueError("top: expected a number from 1 on, and no class beside it")
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"query: {error}; see /openapi.json") from None
        chosen = next(one for one in drawing.STYLES if one == style)
        return cls(Choice(tuple(fields.get("class", ())), top), Drawing(chosen, colours))


_USUAL = {"style": drawing.STYLES[0], "colours": "inferno"}


def _page(_application: Application, environ: Environment) -> Answer:
    name, content_type = _PAGE[environ["PATH_INFO"]]
    content = (resources.files("camlite.serve") / "page" / name).read_bytes()
    return Answer(HTTPStatus.OK, content, content_type, (("Cache-Control", "no-cache"),))


# path -> method, handler, whether it is answered without a token
_ROUTES: Mapping[str, tuple[str, Callable[[Application, Environment], Answer], bool]] = {
    "/explain": ("POST", Application.explain, False),
    "/health": ("GET", Application.health, False),
    "/metrics": ("GET", Application.prometheus, False),
    "/page.json": ("GET", Application.facts, True),
    "/openapi.json": ("GET", Application.description, True),
}


def _prefers_png(accept: str) -> bool:
    """Whether a picture is asked for before JSON (RFC 9110, 12.5.1)."""
    weights: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        with contextlib.suppress(ValueError):
            weights[kind] = float(quality)
    everything = weights.get("*/*", 0.0)
    png = weights.get("image/png", weights.get("image/*", everything))
    return png > weights.get("application/json", weights.get("application/*", everything))


def _ramp() -> Floats:
    return np.linspace(0, 1, 64, dtype=np.float32)[np.newaxis]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"
