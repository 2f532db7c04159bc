"""``camlite watch``: explain what arrives in a folder, or what a video or camera shows."""

from __future__ import annotations

import argparse
import contextlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.class_choice import Choice
from camlite.cli import NO_ROOM, complain, options, unexpected
from camlite.errors import CamliteError
from camlite.explainer import Explainer
from camlite.images import cameras, picture_files
from camlite.show import drawing, json_record, say
from camlite.show.drawing import Drawing
from camlite.system import large_blocks
from camlite.texts import one_line
from camlite.watch import frames
from camlite.watch.folder import Folder, Limits
from camlite.watch.results import Identity, Results

# The memory that they take is what the unit in docs/device.md allows.
_MOST_PIXELS = 16_000_000
_MOST_BYTES_A_PIXEL, _MOST_BYTES_BESIDE = 6, 1 << 20  # of a file: three channels of 16 bits, and what is not pixels
_MOST_MEMORY_A_PIXEL, _MOST_MEMORY_BESIDE = 9, 7_000_000  # together 144 MiB, as of `camlite serve`

EXAMPLES = (
    "camlite watch flowers/flowers.int8.tflite photos --output results --once",
    "camlite watch flowers/flowers.int8.tflite 0 --output results --every 5",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifact", type=Path, help="a .tflite or .onnx file that `camlite export` wrote")
    parser.add_argument(
        "source", help="a folder, a video file, a camera (0, /dev/video0, picamera) or a stream (rtsp://, http://)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--once", action="store_true", help="with a folder: explain what is there, then stop")
    parser.add_argument(
        "--every",
        type=options.seconds,
        default=1.0,
        metavar="S",
        help="seconds from one picture of a video or camera to the next (default: 1)",
    )
    parser.add_argument(
        "--keep",
        type=options.positive,
        default=10_000,
        metavar="N",
        help="how many results of a camera to keep (default: 10,000)",
    )
    parser.add_argument(
        "--settle",
        type=options.seconds,
        default=0.5,
        metavar="S",
        help="seconds without change before a file counts as complete (default: 0.5)",
    )
    parser.add_argument(
        "--poll",
        type=options.seconds,
        default=5.0,
        metavar="S",
        help="seconds between two looks at the whole folder (default: 5)",
    )
    parser.add_argument(
        "--max-pixels",
        type=options.positive,
        default=_MOST_PIXELS,
        metavar="N",
        help="most pixels of a picture in a folder; larger ones get an error as their result (default: 16,000,000)",
    )
    options.add_classes(parser)
    options.add_drawing(parser)
    parser.add_argument("--no-picture", action="store_true", help="write JSON only, no pictures")
    parser.add_argument("--json", action="store_true", help="print each result, one JSON object per line")
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain until interrupted, or until the folder (--once) or the video is done; 2 where an image was refused."""
    large_blocks.return_when_freed()
    explainer = options.open_explainer(arguments, arguments.artifact)
    choice = options.choice(arguments)
    choice.check(explainer)
    source = _kind(arguments.source)
    drawn_as = None if arguments.no_picture else options.drawing(arguments)
    with contextlib.closing(Results(arguments.output)) as results:
        desk = _Desk(explainer, choice, drawn_as, results, arguments.json)
        if source == "folder":
            return _watch_folder(arguments, desk)
        if source == "video":
            video = frames.of_video(Path(arguments.source), results, arguments.every)
            return max((_take(desk, frame) for frame in video), default=0)
        return _watch_camera(arguments, desk)


def _watch_folder(arguments: argparse.Namespace, desk: _Desk) -> int:
    pixels = arguments.max_pixels
    limits = Limits(
        pixels, _MOST_BYTES_A_PIXEL * pixels + _MOST_BYTES_BESIDE, _MOST_MEMORY_A_PIXEL * pixels + _MOST_MEMORY_BESIDE
    )
    folder = Folder(Path(arguments.source), desk.results, limits, arguments.settle, arguments.poll)
    status = 0
    for arrival in folder.once() if arguments.once else folder.forever():
        try:
            status = max(status, desk.settle(*arrival))
        except OSError as error:
            folder.skip(arrival.name, f"cannot write its result ({error.strerror or error}); trying again")
        del arrival  # its pixels, before those of the next are read
    return max(status, 2 if folder.skipped else 0)


def _take(desk: _Desk, frame: frames.Frame) -> int:
    try:
        return desk.settle(*frame)
    except OSError as error:
        return complain(f"{frame.name}: cannot write its result ({error.strerror or error})")


def _watch_camera(arguments: argparse.Namespace, desk: _Desk) -> int:
    kept = deque(_names_of_frames(desk.results.folder))
    for frame in frames.of_camera(arguments.source, arguments.every):
        while len(kept) >= arguments.keep:
            desk.results.remove(kept.popleft())
        _take(desk, frame)
        kept.append(frame.name)
    return 0


def _names_of_frames(folder: Path) -> Iterator[str]:
    """Of a camera's earlier results, the oldest first."""
    return (path.name.removesuffix(".json") for path in sorted(folder.glob("camera.*.json")))


def _kind(source: str) -> str:
    path = Path(source)
    if path.is_dir():
        return "folder"
    if cameras.is_camera(source):
        return "camera"
    if path.suffix.lower() in picture_files.SUFFIXES:
        raise CamliteError(f"{source}: is a picture, expected a folder, video or camera; `camlite explain` takes it")
    if path.is_file():
        return "video"
    raise CamliteError(f"{source}: no such folder, video or camera; expected a path, 0, picamera or a URL")


class _Desk:
    """Explains images and hands in their results. No image ends it."""

    def __init__(
        self, explainer: Explainer, choice: Choice, drawn_as: Drawing | None, results: Results, as_json: bool
    ) -> None:
        self._explainer, self._choice, self._drawn_as = explainer, choice, drawn_as
        self.results, self._as_json = results, as_json
        self._lost = False

    def settle(self, name: str, identity: Identity, picture: NDArray[np.uint8] | CamliteError) -> int:
        """Explain an image and save its result, or save what is wrong with it: that is a result, too.

        Returns:
            The exit status: 0, 2 for an image that is refused, 70 for a bug of camlite.

        Raises:
            OSError: the result cannot be written for another reason than a disk that is full or read-only.
        """
        status, drawn = 0, dict[str, bytes]()
        try:
            said, drawn = self._explained(picture)
        except CamliteError as error:
            reason = str(error) if error is picture else f"{name}: {error}"
            said, status = {"error": one_line(reason)}, complain(reason)
        except MemoryError:
            said = {"error": f"{name}: it needs more memory than there is; make it smaller"}
            status = complain(said["error"])
        except Exception as error:  # the others are done all the same
            said, status = {"error": f"a bug of camlite: {one_line(repr(error)[:300])}"}, unexpected(error, name)
        line = self.results.save(name, identity, said, drawn)
        if self._as_json:
            self._print(line)
        elif not status:
            self._print(f"{name}  {said['label']}  {said['score']:.3f}{self._asked_for(said)}")
        return status

    def _explained(self, picture: NDArray[np.uint8] | CamliteError) -> tuple[dict[str, Any], dict[str, bytes]]:
        """What is said of an image, and its pictures by suffix."""
        if isinstance(picture, CamliteError):
            raise picture
        explanation = self._choice.explain(self._explainer, picture)
        drawn = {}
        if self._drawn_as:
            drawn[f".{self._drawn_as.style}.png"] = picture_files.encode(drawing.draw(explanation, self._drawn_as))
        return json_record.of(explanation), drawn

    def _asked_for(self, said: dict[str, Any]) -> str:
        """Which classes the picture explains, where that was asked for."""
        if self._choice == Choice():
            return ""
        against = f" against {said['against']}" if said["against"] else ""
        return f"  explained: {', '.join(one['label'] for one in said['explained'])}{against}"

    def _print(self, text: str) -> None:
        """Print a line; where its disk is full, it is lost, and the result is there all the same."""
        try:
            say.line(text)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            if not self._lost:
                say.notice(f"standard output: {error.strerror}; lines are lost, results are not")
            self._lost = True
