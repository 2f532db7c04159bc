"""``POST /explain``: what is asked for, what it would take, and the work itself."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

from camlite.class_choice import Choice
from camlite.errors import AnswerError, ArtifactError, BackendError, CamliteError
from camlite.explainer import Explainer, Explanation
from camlite.images import picture_files
from camlite.images.picture_files import Size, TooLargeError
from camlite.serve.limits import Limits, MemoryBudget, NoTimeLeftError, Take
from camlite.serve.messages import Answer, Refused, Request, busy
from camlite.serve.metrics import Metrics
from camlite.show import drawing, json_record
from camlite.show.colours import COLOUR_MAPS
from camlite.show.drawing import Drawing
from camlite.texts import counted

_USUAL = {"style": drawing.STYLES[0], "colours": "inferno"}
_LONGEST_CLASS = 500  # characters; longer ones would fill the error that repeats them


@dataclass(frozen=True)
class Asked:
    """The query of ``/explain``, and whether a picture is wanted."""

    choice: Choice
    drawing: Drawing
    picture: bool

    @classmethod
    def of(cls, request: Request) -> Asked:
        """What a request asks for.

        Raises:
            Refused: its type is no image's, or its query makes no sense.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not kind.startswith("image/") and kind != "application/octet-stream":
            message = f"content type {kind or 'missing'}, expected the bytes of an image and its type, as image/jpeg"
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
        try:
            choice, drawn = _parsed(request.query)
        except ValueError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, f"query: {error}; see /openapi.json") from None
        return cls(choice, drawn, _prefers_png(request.headers.get("accept", "")))

    def maps(self, classes: int) -> int:
        """How many maps are drawn or searched, of an artifact of so many classes."""
        explained = len(self.choice.classes) or min(self.choice.top or 1, classes)
        return explained + (self.picture and self.drawing.style == "side-by-side")


def _parsed(query: str) -> tuple[Choice, Drawing]:
    # Some clients send UTF-8 as it is, which arrives as Latin-1.
    text = query.encode("latin-1", "replace").decode("utf-8", "replace")
    fields = parse_qs(text, strict_parsing=bool(text), max_num_fields=200)
    unknown = set(fields) - {"class", "top", "against", "style", "colours"}
    if unknown:
        raise ValueError(f"{sorted(unknown)[0][:_LONGEST_CLASS]!r} is unknown")
    style, colours = (fields.get(name, [usual])[-1] for name, usual in _USUAL.items())
    for name, value, choices in (("style", style, drawing.STYLES), ("colours", colours, tuple(COLOUR_MAPS))):
        if value not in choices:
            raise ValueError(f"{name} {value[:_LONGEST_CLASS]!r}, expected one of {', '.join(choices)}")
    classes = tuple(fields.get("class", ()))
    against = fields["against"][-1] if "against" in fields else None
    if any(len(one) > _LONGEST_CLASS for one in (*classes, against or "")):
        raise ValueError(f"class: expected a label or an index, of at most {_LONGEST_CLASS} characters")
    top = int(fields["top"][-1]) if "top" in fields else None
    if top is not None and (top < 1 or classes):
        raise ValueError("top: expected a number of 1 or more, and no class with it")
    chosen = next(one for one in drawing.STYLES if one == style)
    return Choice(classes, top, against), Drawing(chosen, colours)


def explain(
    explainer: Explainer,
    asked: Asked,
    request: Request,
    limits: Limits,
    memory: MemoryBudget,
    metrics: Metrics,
    deadline: float,
) -> Answer:
    """Answer a whole request, in a worker's thread.

    Raises:
        Refused: no image, too large, a class that is unknown, or memory is not free by `deadline` (`time.monotonic`).
    """
    start = time.perf_counter()
    try:
        with memory.share(deadline) as take:
            explanation = _explained(explainer, asked, request.take_body(), limits, take)
            metrics.explained(explanation.label, time.perf_counter() - start)
            if asked.picture:
                drawn = drawing.draw(explanation, asked.drawing)
                return Answer(HTTPStatus.OK, picture_files.encode(drawn), "image/png")
            return Answer(HTTPStatus.OK, json_record.line(json_record.of(explanation)).encode() + b"\n")
    except NoTimeLeftError:
        raise busy() from None
    except TooLargeError as error:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, str(error)) from None
    except (AnswerError, ArtifactError, BackendError) as error:  # the server's, whose paths are no client's concern
        name = f"{explainer.artifact.card.name}.{explainer.artifact.card.precision}"
        message = str(error).replace(str(explainer.artifact.path), name)
        raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, message) from None
    except CamliteError as error:
        raise Refused(HTTPStatus.BAD_REQUEST, str(error)) from None


def _explained(explainer: Explainer, asked: Asked, body: bytes, limits: Limits, take: Take) -> Explanation:
    """Here, so that the pixels as they were read are let go before the picture is drawn."""
    asked.choice.check(explainer)

    def reserve(size: Size) -> None:
        take(_memory(explainer, asked, size, limits))

    pixels = picture_files.decode(body, "body", limits.pixels, reserve)
    return asked.choice.explain(explainer, pixels)


def _memory(explainer: Explainer, asked: Asked, size: Size, limits: Limits) -> int:
    """Bytes that a request takes at the most.

    Raises:
        TooLargeError: that is more than all may take together, or more is to be drawn than is allowed.
    """
    maps, read = asked.maps(len(explainer.labels)), explainer.artifact
    target, grid = read.card.preprocessing, read.arrays.guide or read.card.head
    told = max(target.height * target.width, grid.height * grid.width)  # the heatmap, and what JSON has rows of
    area = drawing.drawn_area(size.height, size.width) if asked.picture else told
    if maps * area > limits.drawn:
        raise TooLargeError(
            f"{counted(maps, 'map')} of {area} pixels are {maps * area} to draw, expected at most {limits.drawn}; "
            f"ask for fewer classes"
        )
    needed = max(size.memory, drawing.memory(size.height, size.width, maps)) if asked.picture else size.memory
    picture_files.at_most(limits.memory)(size._replace(memory=needed))
    return needed


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
