"""``camlite explain``: classify images, and draw where the classifier looked."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from camlite import picture_paths
from camlite.class_choice import Choice
from camlite.cli import complain, options
from camlite.errors import AnswerError, CamliteError
from camlite.explainer import Explanation
from camlite.images import picture_files
from camlite.show import drawing, say
from camlite.show.drawing import Drawing
from camlite.system import files

_COLUMNS = 56

_PLAIN = (
    "plain maps where another class than that with the highest score is asked for: the artifact has fine maps of that "
    "class only"
)

EXAMPLES = (
    "camlite explain flowers/flowers.int8.tflite photo.jpg",
    "camlite explain flowers/flowers.int8.tflite photos --output heatmaps --json",
    "camlite explain flowers/flowers.int8.tflite photo.jpg --classes 0 --against 1",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifact", type=Path, help="a .tflite or .onnx file that `camlite export` wrote")
    parser.add_argument(
        "images", nargs="+", metavar="image", help="picture files, folders or patterns; - reads standard input"
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="folder for the pictures (default: the current one)")
    options.add_classes(parser)
    options.add_drawing(parser)
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument("--json", action="store_true", help="print one JSON object per line instead of the table")
    shown.add_argument(
        "--ansi", action="store_true", help="show the map in the terminal; writes pictures only with --output"
    )
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain each image, write ``NAME.STYLE.png``, print a row; 2 where one cannot be read, the others done."""
    explainer = options.open_explainer(arguments, arguments.artifact)
    choice, drawn_as = options.choice(arguments), options.drawing(arguments)
    choice.check(explainer)
    names, status = _names(arguments.images)
    folder = None if arguments.ansi and arguments.output is None else arguments.output or Path()
    drawn_names = list(picture_paths.drawn_names(names, arguments.style))
    if folder is not None:
        files.remove_leftovers(folder, set(drawn_names))
    rows, plain = [], False
    for number, (name, drawn) in enumerate(zip(names, drawn_names, strict=True), 1):
        if len(names) > 1:
            say.progress(f"explaining {name} ({number:,} of {len(names):,})", last=False)
        try:
            explanation = choice.explain(explainer, picture_paths.read(name))
        except AnswerError as error:
            status = complain(f"{name}: {error}")
            continue
        except CamliteError as error:
            status = complain(str(error))
            continue
        plain |= explanation.finest.kind == "plain"
        target = None if folder is None else _written(folder, drawn, drawing.draw(explanation, drawn_as))
        rows.append([name, explanation.label, f"{explanation.score:.3f}", _explained(explanation, choice), str(target)])
        if arguments.json:
            from camlite.show import json_record  # here, as `terminal` below: most calls need neither, and start sooner

            say.record({"image": name, **json_record.of(explanation), "picture": rows[-1][-1]})
        elif arguments.ansi:
            _show(name, explanation, drawn_as)
    if rows and not (arguments.json or arguments.ansi):
        _table(rows)
        if plain and explainer.artifact.arrays.guide is not None:
            say.line(_PLAIN)
    return status


def _table(rows: Sequence[Sequence[str]]) -> None:
    """A row an image; what is explained is named where it is not the class with the highest score."""
    if all(not row[3] for row in rows):
        say.table(["image", "label", "score", "picture"], [[*row[:3], row[4]] for row in rows])
    else:
        say.table(["image", "label", "score", "explained", "picture"], rows)


def _explained(explanation: Explanation, choice: Choice) -> str:
    """The classes that the picture explains, and against which; empty where it is the top class, as nobody asked."""
    if choice == Choice():
        return ""
    labels, other = explanation.explainer.labels, explanation.against
    named = ", ".join(f"{labels[k]} {explanation.scores[k]:.3f}" for k in explanation.classes)
    return named if other is None else f"{named} against {labels[other]} {explanation.scores[other]:.3f}"


def _names(arguments: Sequence[str]) -> tuple[list[str], int]:
    """All pictures, and 2 where an argument stands for none."""
    names, status = [], 0
    for argument in arguments:
        try:
            found = picture_paths.expand(argument)
        except CamliteError as error:
            status = complain(str(error))
            continue
        names += found
    return names, status


def _written(folder: Path, name: str, pixels: NDArray[np.uint8]) -> Path:
    try:
        with files.folder_for(folder):
            picture_files.write(folder / name, pixels)
    except OSError as error:
        raise CamliteError(f"{folder}: cannot make this folder ({error.strerror}); choose another --output") from None
    return folder / name


def _show(name: str, explanation: Explanation, drawn: Drawing) -> None:
    """A line for each explained class, and below it what the terminal can show."""
    from camlite.show import terminal

    level = terminal.level()
    height, width = explanation.image.shape[:2]
    peak, panels = drawing.scale(explanation, height, width), drawing.panels(explanation, drawn)
    for index, chosen in enumerate(explanation.classes):
        other = explanation.against
        labels, scores = explanation.explainer.labels, explanation.scores
        against = "" if other is None else f" against {labels[other]} {scores[other]:.3f}"
        say.line(f"{name}: {labels[chosen]} {scores[chosen]:.3f}{against}")
        if level == "ascii":
            say.picture(terminal.plain(explanation.spread(height, width, index, peak), _COLUMNS))
        else:
            say.picture(terminal.coloured(next(panels), _COLUMNS, level))
