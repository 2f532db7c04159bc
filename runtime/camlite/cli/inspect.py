"""``camlite inspect``: what an artifact says about itself; a classifier is shown by the exporter."""

from __future__ import annotations

import argparse
from pathlib import Path

from camlite import artifact
from camlite.artifact import Artifact, map_choice
from camlite.artifact.card import WHOLE, Preprocessing, Window, as_dict
from camlite.artifact.container import CARD_ENTRY, CARD_KEY, SEAL_MARK, container_of
from camlite.artifact.map_choice import Guide, MapChoice
from camlite.cli import options
from camlite.show import say
from camlite.system import files
from camlite.system.extensions import extension
from camlite.texts import counted

_CLASSIFIERS = (b"\x89HDF", b"PK\x03\x04", b"{")  # HDF5, zip, JSON: a structure, of which the exporter says more
# What camlite writes behind a model, sound or not; a model that ships has none of it.
_OF_CAMLITE = (SEAL_MARK, CARD_ENTRY.encode(), CARD_KEY.encode())
# Of the maps that were measured, the best, the chosen and the plain one; --json has all.
_MOST_MAPS = 3

EXAMPLES = (
    "camlite inspect flowers.keras",
    "camlite inspect flowers/flowers.int8.tflite",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("file", type=Path, help="an artifact, or a classifier: .keras, .h5, .tflite, .onnx")
    parser.add_argument("--layer", help="of a classifier: take the map after this layer (a name or an index)")
    parser.add_argument(
        "--size", metavar="HEIGHTxWIDTH", help="of a classifier: size of the pictures, if it takes any size"
    )
    parser.add_argument(
        "--structure",
        type=Path,
        metavar="JSON",
        help="of a file with weights only: the layers, as model.to_json() writes them",
    )
    parser.add_argument("--trust", action="store_true", help="of a Keras model: run Python code that the file carries")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_trusted(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the card, or the journey of the image through the layers."""
    if _is_classifier(arguments.file):
        status: int = extension("inspect_classifier").run(arguments)
        return status
    read = artifact.read(arguments.file, arguments.trusted)
    if arguments.json:
        say.record(_record(read))
    else:
        say.line(*(f"{name:<15}{value}" for name, value in _lines(read)))
    return 0


def _is_classifier(path: Path) -> bool:
    """Whether the exporter is to read it: a folder, what begins as files of Keras do, or a model without a card."""
    if path.is_dir():
        return True
    try:
        with files.regular(path) as file:
            start = file.read(8)
            if start.lstrip().startswith(_CLASSIFIERS):
                return True
            if container_of(start) is None:
                return False
            file.seek(0)
            content = file.read()
            return not any(mark in content for mark in _OF_CAMLITE)
    except OSError:
        return False


def _record(read: Artifact) -> dict[str, object]:
    return {
        "file": str(read.path),
        "container": read.container,
        "model_bytes": len(read.model),
        "golden_samples": len(read.arrays.golden_images),
        "signer": read.signer.hex() if read.signer else None,
        "trusted": read.trusted,
        "maps": None if read.arrays.maps is None else map_choice.as_dict(read.arrays.maps),
        **as_dict(read.card),
    }


def _lines(read: Artifact) -> list[tuple[str, str]]:
    card, arrays = read.card, read.arrays
    target, head = card.preprocessing, card.head
    shown = ", ".join(card.labels[:12]) + (", ..." if len(card.labels) > 12 else "")
    sets = "" if arrays.weights is None else f", one set {'for all places' if arrays.weights.ndim == 2 else 'a place'}"
    return [
        ("artifact", f"{read.path} ({card.precision}, {read.container}), verified"),
        *([("not fit for use", card.unfit)] if card.unfit else []),
        ("signature", _signature(read)),
        ("classifier", f"{card.name}, weights sha256 {card.classifier_sha256[:16]}"),
        ("labels", f"{len(card.labels)}: {shown}"),
        ("image", f"{target.height} x {target.width} x {target.channels}, fit: {target.fit}"),
        ("pixels", _pixels(target)),
        *([("reason", card.pixels)] if card.pixels else []),
        ("features", f"{head.height} x {head.width} x {head.channels}, layer {head.layer}"),
        *([("cells", _cells(head.window))] if head.window != WHOLE else []),
        ("evidence", f"{head.evidence}: {head.evidence_traits.text}{sets}; scores by {head.activation}"),
        *([] if arrays.maps is None else _maps(arrays.maps)),
        ("golden samples", str(len(arrays.golden_images))),
        ("made with", ", ".join(f"{name} {version}" for name, version in card.made_with.items())),
    ]


def _maps(choice: MapChoice) -> list[tuple[str, str]]:
    by_difference = sorted(choice.measured, key=lambda one: one.deletion - one.insertion)
    told = by_difference[:_MOST_MAPS] + [
        one for one in by_difference[_MOST_MAPS:] if one.map == "cam" or choice.chosen.startswith(f"{one.map}: ")
    ]
    on, others = (
        f", on {counted(choice.measured_on, 'picture')}" if choice.measured_on else "",
        len(choice.measured) - len(told),
    )
    texts = [f"{one.map}: insertion {one.insertion:.3f}, deletion {one.deletion:.3f}{on}" for one in told]
    texts += [counted(others, "other")] if others else []
    return [
        ("fine evidence", "none" if choice.guide is None else _guide(choice.guide)),
        *(("maps" if index == 0 else "", text) for index, text in enumerate(texts)),
        *([("chosen", choice.chosen)] if choice.chosen else []),
    ]


def _guide(guide: Guide) -> str:
    whose = "the top class only" if guide.classes == "top" else "every class"
    cells = "" if guide.window == WHOLE else f"; cells {_cells(guide.window)}"
    return (
        f"{guide.height} x {guide.width}, of {whose}; guided by {' * '.join(guide.layers)}, "
        f"radius {guide.radius:g}, floor {guide.floor:g}{cells}"
    )


def _signature(read: Artifact) -> str:
    if read.signer is None:
        return "none"
    return f"by key {read.signer.hex()[:16]}, {'trusted' if read.trusted else 'not verified: no --trusted KEY given'}"


def _cells(window: Window) -> str:
    down, across = (f"{100 * start:.4g} to {100 * stop:.4g} %" for start, stop in (window[::2], window[1::2]))
    return f"over {down} of the image from top to bottom, {across} from left to right"


def _pixels(target: Preprocessing) -> str:
    """What the classifier's input is made of."""
    if set(target.scale) == {1} and set(target.offset) == {0}:
        return "0..255, as they are in the picture"
    formula = f"pixel * {_numbers(target.scale)} + {_numbers(target.offset)}"
    if len(set(target.scale)) > 1 or len(set(target.offset)) > 1:
        return formula
    low, high = target.offset[0], 255 * target.scale[0] + target.offset[0]
    return f"{low:.4g}..{high:.4g}: {formula}"


def _numbers(numbers: tuple[float, ...]) -> str:
    return f"{numbers[0]:.6g}" if len(set(numbers)) == 1 else "(" + ", ".join(f"{n:.6g}" for n in numbers) + ")"
