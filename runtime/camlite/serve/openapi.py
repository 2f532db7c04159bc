"""The OpenAPI 3.1 document of the endpoint."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from camlite.show.colours import COLOUR_MAPS
from camlite.show.drawing import STYLES

IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/gif", "image/tiff")


def document(version: str, labels: Sequence[str], token: bool, live: bool) -> dict[str, Any]:
    """Describe what is served; `token` says whether one is asked for, `live` whether there is a camera."""
    secured: list[dict[str, list[str]]] = [{"token": []}] if token else []
    return {
        "openapi": "3.1.0",
        "info": {"title": "camlite", "version": version, "description": "An image classifier and where it looked."},
        "paths": {
            "/explain": {"post": {**_explain(labels), "security": secured}},
            "/health": {
                "get": {
                    "summary": "Run the artifact's golden samples",
                    "security": secured,
                    "responses": {"200": _json("They pass", {"type": "object"}), "503": _error("They fail")},
                }
            },
            **({"/live": {"get": {**_live(), "security": secured}}} if live else {}),
            "/sample.png": {
                "get": {
                    "summary": "One of the artifact's golden samples, to try it with",
                    "security": secured,
                    "responses": {"200": {"description": "A picture", "content": {"image/png": {}}}},
                }
            },
            "/metrics": {
                "get": {
                    "summary": "Counters for Prometheus",
                    "security": secured,
                    "responses": {"200": {"description": "Text format 0.0.4", "content": {"text/plain": {}}}},
                }
            },
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Explanation": _explanation(), "Error": _ERROR},
        },
    }


def _explain(labels: Sequence[str]) -> dict[str, Any]:
    refusals = {
        "400": "No image, truncated, or a query that makes no sense",
        "401": "No token, or a wrong one",
        "413": "Too many bytes, too many pixels, or too much to draw",
        "415": "Another content type",
        "429": "Busy: Retry-After says how many seconds to wait",
        "500": "The artifact gives no answer, as one that is not finite",
        "503": "Not answered in time",
    }
    return {
        "summary": "Classify an image and say where the classifier looked",
        "parameters": [
            _query("class", "Explain this class, by label or index; may be repeated", {"enum": list(labels)[:100]}),
            _query("top", "Explain the classes with the highest scores", {"type": "integer", "minimum": 1}),
            _query("against", "Why those and not this class, by label or index", {"type": "string"}),
            _query("style", "Of the picture", {"enum": list(STYLES)}),
            _query("colours", "Of the picture", {"enum": list(COLOUR_MAPS)}),
        ],
        "requestBody": {"required": True, "content": {kind: {} for kind in IMAGE_TYPES}},
        "responses": {
            "200": {
                "description": "JSON, or the picture where Accept prefers image/png",
                "content": {
                    "application/json": {"schema": {"$ref": "#/components/schemas/Explanation"}},
                    "image/png": {},
                },
            },
            **{status: _error(text) for status, text in refusals.items()},
        },
    }


def _live() -> dict[str, Any]:
    return {
        "summary": "The camera and what is said of each picture, as server-sent events",
        "description": "Events: picture (explanation, jpeg in base64, ms), lost and trouble (message).",
        "responses": {
            "200": {"description": "Events without end", "content": {"text/event-stream": {}}},
            "401": _error("No token, or a wrong one"),
            "429": _error("Too many are looking"),
        },
    }


def _query(name: str, text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": schema}


def _json(text: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _error(text: str) -> dict[str, Any]:
    return _json(text, {"$ref": "#/components/schemas/Error"})


_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def _explanation() -> Any:
    """The schema of runtime/spec, to which a link in this folder leads; wheels carry it here."""
    schema = resources.files("camlite.serve") / "explanation.schema.json"
    return json.loads(schema.read_text("utf-8"))["$defs"]["explanation"]
