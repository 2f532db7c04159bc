"""What the page needs to run the artifact in the browser: files that are too large to be sent at once."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from http import HTTPStatus

from camlite.serve.messages import Answer, Request, Streamed

_PART_BYTES = 64 << 10
_TYPES = {"js": "text/javascript; charset=utf-8", "mjs": "text/javascript; charset=utf-8", "wasm": "application/wasm"}


class BrowserFiles:
    """Files by path. All who are sent one share its bytes.

    Attributes:
        facts: what the page has to know of the artifacts among them.
    """

    def __init__(self, facts: Sequence[Mapping[str, str]] = (), files: Mapping[str, bytes] | None = None) -> None:
        self.facts = facts
        self._files = {f"/{name}": content for name, content in (files or {}).items()}
        self._tags = {path: f'"{hashlib.sha256(content).hexdigest()}"' for path, content in self._files.items()}

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def open_to_all(self, path: str) -> bool:
        """Whether a file is given without the token: libraries are, the artifact is not."""
        return not path.startswith("/artifacts/")

    def stream(self, request: Request) -> Streamed | None:
        """A file in parts; None where the client has it already, or wants no more than its head."""
        path = request.path
        if request.method == "HEAD" or self._tags[path] in request.headers.get("if-none-match", ""):
            return None
        content = self._files[path]
        return Streamed(_type(path), _Parts(content), headers=self._headers(path), length=len(content))

    def answer(self, request: Request) -> Answer:
        """What there is to say where `stream` gives None."""
        status = HTTPStatus.OK if request.method == "HEAD" else HTTPStatus.NOT_MODIFIED
        return Answer(status, b"", _type(request.path), self._headers(request.path))

    def _headers(self, path: str) -> tuple[tuple[str, str], ...]:
        return (("Cache-Control", "no-cache"), ("ETag", self._tags[path]))


class _Parts(AsyncIterator[memoryview]):
    def __init__(self, content: bytes) -> None:
        self._content, self._next = memoryview(content), 0

    async def __anext__(self) -> memoryview:
        if self._next >= len(self._content):
            raise StopAsyncIteration
        part = self._content[self._next : self._next + _PART_BYTES]
        self._next += len(part)
        return part


def _type(path: str) -> str:
    return _TYPES.get(path.rpartition(".")[2], "application/octet-stream")
