"""What is answered: routes, the token, health and metrics. It knows nothing of connections, see `http_server`."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import queue
import sys
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from urllib.parse import urlsplit

import camlite
from camlite.errors import CamliteError
from camlite.explainer import Explainer
from camlite.images import picture_files
from camlite.serve import explain_request, openapi
from camlite.serve.browser_files import BrowserFiles
from camlite.serve.explain_request import Asked
from camlite.serve.limits import Limits, MemoryBudget
from camlite.serve.live import Live, LiveView
from camlite.serve.messages import Answer, Refused, Request, Streamed, WhenGone, as_json, busy
from camlite.serve.metrics import CONTENT_TYPE, Metrics
from camlite.show.colours import ramp
from camlite.system import web_files

_PNG = "image/png"
_EVENTS = "text/event-stream"
_PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/access.js": ("access.js", "text/javascript; charset=utf-8"),
    "/from_server.js": ("from_server.js", "text/javascript; charset=utf-8"),
    "/live.js": ("live.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/manifest.webmanifest": ("manifest.webmanifest", "application/manifest+json"),
}


class Application:
    """Serves one artifact: a worker for each explainer, as each is for one thread at a time.

    Its methods are called in the thread of the event loop, and wait for nothing there; but for `_explain` and
    `_check`, which run in threads of their own.
    """

    def __init__(
        self,
        explainers: Sequence[Explainer],
        checked: Explainer,
        limits: Limits,
        token: str | None,
        view: LiveView | None = None,
        browser: BrowserFiles | None = None,
    ) -> None:
        self._pool: queue.SimpleQueue[Explainer] = queue.SimpleQueue()
        for explainer in explainers:
            self._pool.put(explainer)
        self._workers = ThreadPoolExecutor(len(explainers), "explain")
        self._checked, self._checker = checked, ThreadPoolExecutor(1, "health")
        self._check_that_runs: asyncio.Future[Answer] | None = None
        self._jobs, self._most_jobs = 0, len(explainers) + limits.queue
        self._memory = MemoryBudget(limits.memory)
        card = checked.artifact.card
        self.limits, self._token, self._log_lock = limits, token, threading.Lock()
        self.metrics = Metrics(classifier=card.name, precision=card.precision, backend=checked.backend)
        self._browser = browser or BrowserFiles()
        self._live = None if view is None else Live(view, self.metrics, self.log)
        self._openapi = as_json(
            openapi.document(camlite.__version__, checked.labels, token is not None, view is not None)
        )
        self._facts = as_json(
            {
                "name": card.name,
                "precision": card.precision,
                "token": token is not None,
                "live": view is not None,
                **({"artifacts": self._browser.facts} if self._browser.facts else {}),
                "most_bytes": limits.body,
                "types": openapi.IMAGE_TYPES,
                "colours": ramp(),
            }
        )

    def admit(self, request: Request) -> None:
        """Look at the head of a request, before its body is read.

        Raises:
            Refused: it will not be answered.
        """
        self._check_host(request)
        path, method = request.path, "GET" if request.method == "HEAD" else request.method
        if not self._is_known(path) or (path == "/live" and self._live is None):
            raise Refused(HTTPStatus.NOT_FOUND, "no such path; see /openapi.json")
        expected, _, open_to_all = _ROUTES.get(path, ("GET", None, True))
        if method != expected:
            message = f"expected {expected}, received {method}"
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, message, ("Allow", expected))
        if not open_to_all or (path in self._browser and not self._browser.open_to_all(path)):
            self._check_site(request)
            self._check_token(request)
        if path == "/explain":
            Asked.of(request)
            self._check_queue()

    def start(self) -> None:
        """Begin what runs beside the requests, in the event loop that runs."""
        if self._live is not None:
            self._live.start()

    def stop(self) -> None:
        """End what would never end by itself: the live view."""
        if self._live is not None:
            self._live.stop()

    def stream(self, request: Request) -> Streamed | None:
        """The answer to a request that was admitted, where it is one in parts; else None.

        Raises:
            Refused: too many are looking already.
        """
        if request.path in self._browser:
            return self._browser.stream(request)
        if request.path != "/live" or self._live is None or request.method == "HEAD":
            return None
        viewer = self._live.viewer()
        return Streamed(_EVENTS, viewer, viewer.close, (("Cache-Control", "no-store"),))

    async def answer(self, request: Request, gone: WhenGone) -> Answer:
        """Answer a whole request that was admitted.

        Args:
            request: with its body.
            gone: is given what is to be called when the client has gone.
        """
        try:
            if request.path in _PAGE:
                return _page(request.path)
            if request.path in self._browser:
                return self._browser.answer(request)
            return await _ROUTES[request.path][1](self, request, gone)
        except Refused as refused:
            return refused.answer
        except Exception:  # a mistake of camlite's own: the server goes on, and says where it was
            traceback.print_exc()
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, as_json({"error": "a bug; see the server's log"}))

    @property
    def runs_in_browser(self) -> bool:
        """Whether the page runs the artifact itself."""
        return bool(self._browser.facts)

    def _is_known(self, path: str) -> bool:
        return path in _ROUTES or path in _PAGE or path in self._browser

    def _check_host(self, request: Request) -> None:
        """Without a token only names of this machine are answered, so that no web page elsewhere can rebind to it."""
        with contextlib.suppress(ValueError):
            name = urlsplit(f"//{request.headers.get('host', '')}").hostname or "localhost"
            if self._token is not None or name in ("localhost", "127.0.0.1", "::1"):
                return
        raise Refused(HTTPStatus.FORBIDDEN, "the header Host is not this machine's; serve with a token for others")

    def _check_site(self, request: Request) -> None:
        """No page elsewhere starts work or a camera here, though it could not read what comes of it."""
        if request.headers.get("sec-fetch-site") == "cross-site":
            raise Refused(HTTPStatus.FORBIDDEN, "asked by a page of another site; open this server's own page")

    def _check_token(self, request: Request) -> None:
        if self._token is None:
            return
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token.encode()):
            message = "expected the header `Authorization: Bearer TOKEN` with this server's token"
            raise Refused(HTTPStatus.UNAUTHORIZED, message, ("WWW-Authenticate", "Bearer"))

    def _check_queue(self) -> None:
        if self._jobs >= self._most_jobs:
            raise busy()

    async def explain(self, request: Request, gone: WhenGone) -> Answer:
        """``POST /explain``."""
        self._check_queue()
        asked = Asked.of(request)
        job = self._workers.submit(self._explain, asked, request, time.monotonic() + self.limits.answer)
        self._jobs += 1
        loop = asyncio.get_running_loop()

        def count_down(_: Future[Answer]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._one_job_less)

        job.add_done_callback(count_down)

        def let_go() -> None:
            job.cancel()

        gone(let_go)
        waited = asyncio.wrap_future(job)
        waited.add_done_callback(lambda done: None if done.cancelled() else done.exception() and None)
        try:
            return await asyncio.wait_for(asyncio.shield(waited), self.limits.answer)
        except asyncio.CancelledError:  # nobody waits for it any more
            raise busy() from None
        except asyncio.TimeoutError:
            if job.cancel():
                raise busy() from None
            message = f"not answered within {self.limits.answer:g} s; send a smaller image, or ask for fewer classes"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, message) from None

    def _one_job_less(self) -> None:
        self._jobs -= 1

    def _explain(self, asked: Asked, request: Request, deadline: float) -> Answer:
        explainer = self._pool.get()
        try:
            return explain_request.explain(explainer, asked, request, self.limits, self._memory, self.metrics, deadline)
        finally:
            self._pool.put(explainer)

    async def health(self, _request: Request, _gone: WhenGone) -> Answer:
        """``GET /health``: the golden samples, now; who asks while they run gets the answer of that run."""
        if self._check_that_runs is None or self._check_that_runs.done():
            self._check_that_runs = asyncio.wrap_future(self._checker.submit(self._check))
        return await asyncio.shield(self._check_that_runs)

    def _check(self) -> Answer:
        try:
            check = camlite.check(self._checked)
        except CamliteError as error:
            found = {"passed": False, "failures": [str(error)]}
            return Answer(HTTPStatus.SERVICE_UNAVAILABLE, as_json(found))
        card = self._checked.artifact.card
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
        return Answer(HTTPStatus.OK if check.passed else HTTPStatus.SERVICE_UNAVAILABLE, as_json(found))

    async def sample(self, _request: Request, _gone: WhenGone) -> Answer:
        """``GET /sample.png``: the first golden sample, to try it with."""
        pixels = self._checked.artifact.arrays.golden_images[0]
        return Answer(HTTPStatus.OK, picture_files.encode(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), _PNG)

    async def live(self, _request: Request, _gone: WhenGone) -> Answer:
        """``HEAD /live``; `stream` answers GET."""
        return Answer(HTTPStatus.OK, b"", _EVENTS)

    async def prometheus(self, _request: Request, _gone: WhenGone) -> Answer:
        """``GET /metrics``."""
        return Answer(HTTPStatus.OK, self.metrics.text().encode(), CONTENT_TYPE)

    async def facts(self, _request: Request, _gone: WhenGone) -> Answer:
        """``GET /page.json``: what the page has to know."""
        return Answer(HTTPStatus.OK, self._facts)

    async def description(self, _request: Request, _gone: WhenGone) -> Answer:
        """``GET /openapi.json``."""
        return Answer(HTTPStatus.OK, self._openapi)

    def note(self, request: Request | None, status: int, seconds: float = 0.0, client: str = "") -> None:
        """Count an answer, and log it; without a request, one that could not be read."""
        if request is None:
            self.metrics.request("refused", status)
        else:
            known = self._is_known(request.path)
            self.metrics.request("refused" if status == 429 else request.path if known else "other", status)
        self.log(
            client=client if request is None else request.client,
            method="" if request is None else request.method[:20],
            path="" if request is None else request.path[:200],
            status=status,
            ms=round(seconds * 1000, 2),
        )

    def log(self, **fields: object) -> None:
        """One line of JSON on standard error, what clients have sent escaped."""
        line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **fields})
        with self._log_lock, contextlib.suppress(OSError, ValueError):  # a log that is gone is no reason to stop
            print(line, file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """Let the workers end; what waits for one is let go."""
        for executor in (self._workers, self._checker):
            executor.shutdown(wait=False, cancel_futures=True)
        if self._live is not None:
            self._live.join()


def _page(path: str) -> Answer:
    name, content_type = _PAGE[path]
    content = (web_files.folder() / "page" / name).read_bytes()
    return Answer(HTTPStatus.OK, content, content_type, (("Cache-Control", "no-cache"),))


_Handler = Callable[[Application, Request, WhenGone], Awaitable[Answer]]
# path -> method, handler, whether it is answered without a token
_ROUTES: Mapping[str, tuple[str, _Handler, bool]] = {
    "/explain": ("POST", Application.explain, False),
    "/health": ("GET", Application.health, False),
    "/sample.png": ("GET", Application.sample, False),
    "/live": ("GET", Application.live, False),
    "/metrics": ("GET", Application.prometheus, False),
    "/page.json": ("GET", Application.facts, True),
    "/openapi.json": ("GET", Application.description, True),
}
