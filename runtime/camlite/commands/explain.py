"""``camlite explain``: classify images, and draw where the classifier looked."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import camlite
from camlite import picture
from camlite.commands import options
from camlite.errors import CamliteError
from camlite.explainer import Explanation
from camlite.table import table

# A picture of fewer pixels is drawn larger, each pixel as a square, so that it can be seen.
_SMALLEST_SIDE = 224


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifact", type=Path, help="a .tflite or .onnx file of `camlite export`")
    parser.add_argument("images", type=Path, nargs="+", metavar="image", help="picture files")
    parser.add_argument("--output", type=Path, default=Path(), metavar="DIR", help="where overlays go (default: here)")
    parser.add_argument(
        "--class", dest="label", metavar="LABEL", help="explain this class, by label or index (default: the top one)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of the table")
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain each image, write ``NAME.overlay.png``, print a row."""
    explainer = camlite.load(arguments.artifact, arguments.backend, arguments.threads)
    classes = None if arguments.label is None else [_class(arguments.label, explainer.labels)]
    names = _overlay_names(arguments.images)
    rows = []
    for image, name in zip(arguments.images, names, strict=True):
        explanation = explainer.explain(picture.read(image), classes)
        _make_folder(arguments.output)
        overlay = arguments.output / name
        zoom = -(-_SMALLEST_SIDE // max(explanation.image.shape[:2]))
        picture.write(overlay, explanation.overlay(zoom=zoom))
        if arguments.json:
            print(json.dumps(_record(image, overlay, explanation)), flush=True)
        rows.append([str(image), explanation.label, f"{explanation.score:.3f}", str(overlay)])
    if not arguments.json:
        print(table(["image", "label", "score", "overlay"], rows))
    return 0


def _class(text: str, labels: Sequence[str]) -> int | str:
    """``3`` is an index, unless it is a label."""
    return int(text) if text not in labels and text.isdecimal() else text


def _record(image: Path, overlay: Path, explanation: Explanation) -> dict[str, object]:
    labels = explanation.explainer.labels
    maps = explanation.evidence.reshape(-1, *explanation.evidence.shape[-2:])
    return {
        "image": str(image),
        "label": explanation.label,
        "score": explanation.score,
        "scores": {label: float(score) for label, score in zip(labels, explanation.scores, strict=True)},
        "explained": labels[explanation.classes[0]],
        "evidence": maps[0].tolist(),
        "completeness": explanation.completeness,
        "overlay": str(overlay),
    }


def _overlay_names(images: list[Path]) -> list[str]:
    """``STEM.overlay.png``; a stem that comes again gets a number, so that no overlay replaces another."""
    names: dict[str, None] = {}
    for image in images:
        name, count = f"{image.stem}.overlay.png", 1
        while name in names:
            count += 1
            name = f"{image.stem}.{count}.overlay.png"
        names[name] = None
    return list(names)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CamliteError(f"{folder}: cannot make this folder ({error.strerror}); choose another --output") from None
