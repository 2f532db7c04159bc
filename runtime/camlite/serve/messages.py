"""A request and its answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

WhenGone = Callable[[Callable[[], None]], None]
"""Is given what is to be called when the client has gone."""


@dataclass
class Request:
    """What a client asks.

    Attributes:
        method: as it was sent.
        path: without its query, percent-decoded.
        query: still encoded.
        headers: by name in lower case.
        client: its address.
        body: empty until all of it has arrived.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    client: str
    body: bytes = b""

    def take_body(self) -> bytes:
        """The body, which is not kept."""
        body, self.body = self.body, b""
        return body


@dataclass(frozen=True)
class Answer:
    """What goes back: status, body and its type."""

    status: HTTPStatus
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Streamed:
    """An answer in parts, each sent when the client has read the one before; then the connection is closed.

    Attributes:
        content_type: of all parts together.
        parts: bytes that others may be sent at the same time.
        close: is called once, whatever became of it.
        headers: more of them.
        length: bytes of all parts together, where that is known.
    """

    content_type: str
    parts: AsyncIterator[bytes | memoryview]
    close: Callable[[], None] = lambda: None
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None


class Refused(Exception):  # noqa: N818 - it is an answer, no mistake of ours
    """A request that gets an error for an answer."""

    def __init__(self, status: HTTPStatus, message: str, *headers: tuple[str, str]) -> None:
        super().__init__(message)
        self.answer = Answer(status, as_json({"error": " ".join(message.split())}), headers=headers)


def busy(message: str = "busy; try again in a second") -> Refused:
    """The refusal of what would be answered at another time."""
    return Refused(HTTPStatus.TOO_MANY_REQUESTS, message, ("Retry-After", "1"))


def as_json(value: Any) -> bytes:
    """One line of JSON, all of it ASCII: what clients have sent stands in it escaped."""
    return json.dumps(value).encode() + b"\n"
