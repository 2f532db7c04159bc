"""``camlite watch``: explain what arrives in a folder, or what a video or camera shows."""

from __future__ import annotations

import argparse
import re
import stat
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from camlite.class_choice import Choice
from camlite.cli import complain, options
from camlite.errors import CamliteError
from camlite.explainer import Explainer
from camlite.images import picture_files
from camlite.show import drawing, json_record
from camlite.show.drawing import Drawing
from camlite.watch import frames
from camlite.watch.folder import Folder
from camlite.watch.results import Identity, Results

_MOST_PIXELS = 50_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifact", type=Path, help="a .tflite or .onnx file of `camlite export`")
    parser.add_argument(
        "source", help="a folder, a video file, a camera (0, /dev/video0, picamera) or a stream (rtsp://, http://)"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="where results go")
    parser.add_argument("--once", action="store_true", help="a folder: do what is there, then end")
    parser.add_argument(
        "--every", type=options.seconds, default=1.0, metavar="S", help="of video and cameras (default: 1 second)"
    )
    parser.add_argument(
        "--keep", type=options.positive, default=10_000, metavar="N", help="results of a camera (default: 10000)"
    )
    parser.add_argument(
        "--settle", type=options.seconds, default=0.5, metavar="S", help="a file is whole when unchanged so long (0.5)"
    )
    parser.add_argument(
        "--poll", type=options.seconds, default=5.0, metavar="S", help="look at the whole folder so often (5)"
    )
    options.add_classes(parser)
    options.add_drawing(parser)
    parser.add_argument("--no-picture", action="store_true", help="write results alone")
    parser.add_argument("--json", action="store_true", help="print each result as it is written")
    options.add_interpreter(parser)


def run(arguments: argparse.Namespace) -> int:
    """Explain until interrupted, or until the folder (--once) or the video is done; 2 where an image was refused."""
    explainer = options.open_explainer(arguments, arguments.artifact)
    choice = options.choice(arguments)
    choice.check(explainer)
    source = _kind(arguments.source)
    results = Results(arguments.output)
    drawn_as = None if arguments.no_picture else options.drawing(arguments)
    desk = _Desk(explainer, choice, drawn_as, results, arguments.json)
    if source == "folder":
        return _watch_folder(arguments, desk)
    if source == "video":
        for frame in frames.of_video(Path(arguments.source), results, arguments.every):
            desk.settle(frame.name, frame.identity, frame.pixels)
        return 0
    return _watch_camera(arguments, desk)


def _watch_folder(arguments: argparse.Namespace, desk: _Desk) -> int:
    folder = Folder(Path(arguments.source), desk.results, arguments.settle, arguments.poll)
    status = 0
    for name, identity, content in folder.once() if arguments.once else folder.forever():
        try:
            pixels = picture_files.decode(content, name, _MOST_PIXELS)
        except CamliteError as error:
            status = complain(str(error))
            desk.refuse(name, identity, str(error))
            continue
        desk.settle(name, identity, pixels)
    return status


def _watch_camera(arguments: argparse.Namespace, desk: _Desk) -> int:
    kept = deque(_names_of_frames(desk.results.folder))
    for frame in frames.of_camera(arguments.source, arguments.every):
        while len(kept) >= arguments.keep:
            desk.results.remove(kept.popleft())
        desk.settle(frame.name, frame.identity, frame.pixels)
        kept.append(frame.name)
    return 0


def _names_of_frames(folder: Path) -> Iterator[str]:
    """Of a camera's earlier results, the oldest first."""
    return (path.name.removesuffix(".json") for path in sorted(folder.glob("camera.*.json")))


def _kind(source: str) -> str:
    path = Path(source)
    if path.is_dir():
        return "folder"
    if source == frames.PICAMERA or source.isdecimal() or re.match(r"[a-z]+://", source):
        return "camera"
    if source.startswith("/dev/video") or (path.exists() and stat.S_ISCHR(path.stat().st_mode)):
        return "camera"  # also where it is not plugged in yet
    if path.suffix.lower() in picture_files.SUFFIXES:
        raise CamliteError(f"{source}: is a picture, expected a folder, video or camera; `camlite explain` takes it")
    if path.is_file():
        return "video"
    raise CamliteError(f"{source}: no such folder, video or camera; expected a path, 0, {frames.PICAMERA} or a URL")


class _Desk:
    """Explains an image and hands in its result."""

    def __init__(
        self, explainer: Explainer, choice: Choice, drawn_as: Drawing | None, results: Results, as_json: bool
    ) -> None:
        self._explainer, self._choice, self._drawn_as = explainer, choice, drawn_as
        self.results, self._as_json = results, as_json

    def settle(self, name: str, identity: Identity, pixels: NDArray[np.uint8]) -> None:
        """Explain and save."""
        explanation = self._choice.explain(self._explainer, pixels)
        drawn = {}
        if self._drawn_as:
            drawn[f".{self._drawn_as.style}.png"] = picture_files.encode(drawing.draw(explanation, self._drawn_as))
        line = self.results.save(name, identity, json_record.of(explanation), drawn)
        print(line if self._as_json else f"{name}  {explanation.label}  {explanation.score:.3f}", flush=True)

    def refuse(self, name: str, identity: Identity, reason: str) -> None:
        """Save what is wrong with a file: that, too, is its result."""
        said: dict[str, Any] = {"error": " ".join(reason.split())}
        line = self.results.save(name, identity, said, {})
        if self._as_json:
            print(line, flush=True)
