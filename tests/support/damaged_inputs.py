"""Feed commands damaged inputs, odd files and hostile arguments, many in one process whose streams are read.

    python tests/support/damaged_inputs.py WORLD damaged|odd|arguments COUNT SEED KIND...

WORLD is a folder of whole inputs, made by `make_world`. Prints one JSON object: for each kind how the command ended,
and how often; and each case in which it did not end as promised: the last net was needed, standard error was not lines
of ``camlite``, or something was printed that a terminal obeys. A case that hangs ends the process, and shows where.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import faulthandler
import importlib
import io
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from camlite import cli
from support import damage, image_mutants, mutants

_MOST_SECONDS = 300  # of one case; a sound classifier is exported, a sound artifact benchmarked
_UNEXPECTED = 70


@dataclass(frozen=True)
class Kind:
    """A kind of input of a command.

    Attributes:
        line: the command, run in the world.
        damaged: the file that is damaged, one of several in turn.
        tensorflow: whether the command needs it.
    """

    line: str
    damaged: tuple[str, ...]
    tensorflow: bool = False


_ARTIFACTS, _PICTURE = ("a.tflite", "a.onnx"), ("pictures/vertical/0.png",)
_EXPORT = (
    "--maps cam --formats onnx --precisions float32 --preprocess unit"  # else the pixels are asked for, with a table
)
_TRAINED = ("c.keras", "c.h5", "keras2.h5")

KINDS: Mapping[str, Kind] = {
    "explain artifact": Kind("explain {} picture.png --output out", _ARTIFACTS),
    "explain picture": Kind("explain a.tflite {} --output out --json", _PICTURE),
    "explain key": Kind("explain signed.tflite picture.png --output out --trusted {}", ("k.pub",)),
    "watch artifact": Kind("watch {} pictures/vertical --output out --once --settle 0.001", _ARTIFACTS),
    "watch picture": Kind("watch a.tflite pictures/vertical --output out --once --settle 0.001 --json", _PICTURE),
    "watch result": Kind("watch a.tflite watched --output out --once --settle 0.001", ("out/0.png.json",)),
    "watch video": Kind("watch a.tflite {} --output out --every 0.1 --once", ("v.avi",)),
    "check artifact": Kind("check {} --json", _ARTIFACTS),
    "inspect artifact": Kind("inspect {}", _ARTIFACTS),
    "bench artifact": Kind("bench {} --json", ("a.onnx",)),
    "audit artifact": Kind("audit {} pictures --json", _ARTIFACTS),
    "audit picture": Kind("audit a.tflite masked --json", ("masked/images/vertical/0.png",)),
    "audit mask": Kind("audit a.tflite masked --json", ("masked/masks/vertical/0.png",)),
    "audit images": Kind("audit a.tflite {}", ("images.npz",)),
    "audit boxes": Kind("audit a.tflite voc", ("voc/Annotations/0.xml",)),
    "audit annotations": Kind("audit a.tflite {} --images voc/JPEGImages", ("coco.json",)),
    "audit batch": Kind("audit a.tflite pictures --resume kept", ("kept/000000000.npz", "kept/audit.json")),
    "serve artifact": Kind("serve {} --host 192.0.2.1 --token-file token.txt", _ARTIFACTS),
    "serve token": Kind("serve a.tflite --host 192.0.2.1 --token-file {}", ("token.txt",)),
    "inspect classifier": Kind("inspect {}", _TRAINED, tensorflow=True),
    "export classifier": Kind(f"export {{}} --output out {_EXPORT}", _TRAINED, tensorflow=True),
    "export labels": Kind(f"export c.keras --labels {{}} --output out {_EXPORT}", ("labels.txt",), tensorflow=True),
    "export images": Kind(
        f"export c.keras --calibration {{}} --output out {_EXPORT}", ("images.npz",), tensorflow=True
    ),
    "export picture": Kind(f"export c.keras --calibration pictures --output out {_EXPORT}", _PICTURE, tensorflow=True),
    "export key": Kind(f"export c.keras --sign {{}} --output out {_EXPORT}", ("k.key",), tensorflow=True),
    "parity classifier": Kind("parity {} a.onnx --json", _TRAINED, tensorflow=True),
    "parity artifact": Kind("parity c.keras {}", ("a.onnx",), tensorflow=True),
    "parity images": Kind("parity c.keras a.onnx --data {}", ("images.npz",), tensorflow=True),
    "parity labels": Kind("parity c.keras a.onnx --labels {}", ("labels.txt",), tensorflow=True),
}


def make_world(tiny: Path, world: Path) -> None:
    """Write whole inputs of every kind, from the artifacts of ``tiny_classifiers.py``."""
    from camlite.images import picture_files

    for name, original in {"a.tflite": "stripes.int8.tflite", "a.onnx": "stripes.float32.onnx"}.items():
        shutil.copy(tiny / "stripes" / original, world / name)
    for name, original in {
        "labels.txt": "stripes.txt",
        "images.npz": "stripes.npz",
        "c.keras": "stripes.keras",
    }.items():
        shutil.copy(tiny / original, world / name)
    labels = (world / "labels.txt").read_text().splitlines()
    with np.load(world / "images.npz") as arrays:
        images, classes = arrays["images"], arrays["classes"]
    picture_files.write(world / "picture.png", images[0][..., 0])
    chosen = [int(np.flatnonzero(classes == k)[n]) for k in range(3) for n in range(2)]
    for folder in ("pictures", "masked/images", "masked/masks"):
        for number, index in enumerate(chosen):
            place = world / folder / labels[classes[index]]
            place.mkdir(parents=True, exist_ok=True)
            pixels = images[index][..., 0]
            picture_files.write(
                place / f"{number % 2}.png", pixels if "masks" not in folder else (pixels > 99) * np.uint8(9)
            )
    for folder in ("voc/Annotations", "voc/JPEGImages", "watched", "out"):
        (world / folder).mkdir(parents=True)
    height, width = images.shape[1:3]
    boxes = "<xmin>2</xmin><ymin>2</ymin><xmax>8</xmax><ymax>8</ymax>"
    coco = {"images": [], "annotations": [], "categories": [{"id": k, "name": name} for k, name in enumerate(labels)]}
    for number, index in enumerate(chosen):
        label, file = labels[classes[index]], f"{number}.png"
        picture_files.write(world / "voc/JPEGImages" / file, images[index][..., 0])
        record = f"<annotation><object><name>{label}</name><bndbox>{boxes}</bndbox></object></annotation>"
        (world / f"voc/Annotations/{number}.xml").write_text(record)
        coco["images"].append({"id": number, "file_name": file, "height": height, "width": width})
        shape = {"segmentation": [[2, 2, 8, 2, 8, 8]], "bbox": [2, 2, 6, 6], "area": 36, "iscrowd": 0}
        coco["annotations"].append({"id": number, "image_id": number, "category_id": labels.index(label), **shape})
    (world / "coco.json").write_text(json.dumps(coco))
    shutil.copy(world / "picture.png", world / "watched/0.png")
    (world / "token.txt").write_text("a-token-of-some-length")
    with contextlib.chdir(world), contextlib.redirect_stdout(io.StringIO()):
        for line in ("watch a.tflite watched --output out --once", "audit a.tflite pictures --resume kept"):
            assert cli.main(line.split()) in (0, 1)


def add_keys(world: Path) -> None:
    """Keys, and an artifact that is signed with them."""
    from camlite import artifact
    from camlite_export import signing

    signing.make_keys(world / "k.key", world / "k.pub")
    read = artifact.read(world / "a.tflite")
    sign = signing.signer(world / "k.key")
    (world / "signed.tflite").write_bytes(artifact.pack(read.container, read.model, read.card, read.arrays, sign))


def add_video(world: Path) -> None:
    """Some frames."""
    import cv2

    with np.load(world / "images.npz") as arrays:
        images = arrays["images"]
    height, width = images.shape[1:3]
    video = cv2.VideoWriter(str(world / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (width, height))
    for image in images[:10]:
        video.write(np.repeat(image, 3, axis=2))
    video.release()


def add_hdf5(world: Path) -> None:
    """The classifier as Keras 3 writes HDF5, and one of Keras 2."""
    import keras
    import tf_keras

    keras.models.load_model(world / "c.keras").save(world / "c.h5")
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((16, 24, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.save(world / "keras2.h5")


def damaged(kind: str, world: Path, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many (file of the world, what it holds now)."""
    files = KINDS[kind].damaged
    if files == _ARTIFACTS or files == _ARTIFACTS[1:]:
        parents = [mutants.parent(world / name) for name in _ARTIFACTS]
        for _, content in mutants.mutants(parents, count, seed):
            yield ("a.tflite" if content[4:8] == b"TFL3" and len(files) > 1 else "a.onnx"), content
    elif files[0].endswith(".png"):
        for _, content in image_mutants.mutants(image_mutants.pictures(16, 24), count, seed):
            yield files[0], content
    else:
        originals = {name: (world / name).read_bytes() for name in files}
        for index in range(count):
            chance = random.Random(seed * 1_000_003 + index)
            name = files[index % len(files)]
            (world / name).write_bytes(originals[name])
            yield name, damage.of(world / name, chance)


class Captured:
    """Standard output and standard error of one run, as text that was encoded as a terminal's."""

    def __init__(self) -> None:
        self._streams = [
            io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True) for _ in range(2)
        ]

    def run(self, arguments: list[str]) -> tuple[int, str, str]:
        """The exit status, and what was printed."""
        with contextlib.redirect_stdout(self._streams[0]), contextlib.redirect_stderr(self._streams[1]):
            try:
                status = cli.main(arguments)
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 1
        printed = [stream.buffer.getvalue().decode() for stream in self._streams]  # type: ignore[attr-defined]
        return status, *printed


def faults(status: int, output: str, errors: str) -> list[str]:
    """What is not as promised."""
    found = []
    if status not in (0, 1, 2):
        found.append("the last net was needed" if status == _UNEXPECTED else f"exit status {status}")
    obeyed = [line for line in (*output.split("\n"), *errors.split("\n")) if not line.isprintable()]
    if obeyed:
        found.append(f"printed {obeyed[0]!r:.200}")
    if status == 2 and not errors:
        found.append("no word of what is wrong")
    strange = [
        line for line in errors.splitlines() if not line.startswith("camlite") and not line.startswith("c.keras: ")
    ]
    if strange and status != _UNEXPECTED:
        found.append(f"standard error has {strange[0]!r:.200}")
    if "Traceback" in errors and status != _UNEXPECTED:
        found.append("a traceback")
    return found


def odd_files(kind: str) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Things that stand where a file is expected: (file of the world, what puts it there)."""
    for name in KINDS[kind].damaged:
        yield name, lambda path: path.mkdir()
        yield name, lambda path: path.touch()
        if kind != "explain picture":  # which waits for a pipe that it is given
            yield name, os.mkfifo
        yield name, lambda path: path.symlink_to("/dev/zero")
        yield name, lambda path: path.symlink_to("/dev/full")
        yield name, lambda path: path.symlink_to("/proc/self/mem")
        yield name, lambda path: path.symlink_to(path.name)
        yield name, lambda path: path.symlink_to("nothing")
        yield name, lambda path: path.symlink_to("x" * 300)
        yield name, lambda path: path.with_name("not there")  # nothing
        yield name, _sparse


def _sparse(path: Path) -> None:
    """Three gigabytes that take no room."""
    with path.open("wb") as file:
        file.truncate(3 << 30)


# What a shell, a script or an enemy may hand over as an argument.
_ARGUMENTS = (
    *("", " ", "-", "--", "-1", "0", "1", "9" * 30, "9" * 5000, "1e308", "1e-308", "nan", "inf", "-inf", "1e400"),
    *(
        "\x1b[31m",
        "a\nb",
        "\udcff",
        "\u202egpj",
        "\u00b2",
        "\u0663",
        "x" * 300,
        "x" * 5000,
        ".",
        "/dev/null",
        "/dev/zero",
    ),
    *(
        "/dev/full",
        "/proc/self/mem",
        "nothing",
        "nothing/at/all",
        "picture.png",
        "picture.png/x",
        "a.tflite",
        "pictures",
    ),
    *(
        "fifo",
        "loop",
        "%s",
        "{0}",
        "a=b=c",
        "*",
        "[",
        "**",
        "top1_agreement=nan",
        "accuracy=",
        "1,2,3",
        "nan,1",
        ",",
        "x",
    ),
    *("224x0", "1x1", "99999x99999", "1x1x1", "vertical", "@labels.txt", "a\tb", "\x7f"),
)
# Commands that work, to which one argument is added, or of which one is replaced.
LINES: Mapping[str, Kind] = {
    "explain": Kind("explain a.tflite picture.png --output out", ()),
    "watch": Kind("watch a.tflite watched --output out --once --settle 0.001", ()),
    "check": Kind("check a.tflite", ()),
    "inspect": Kind("inspect a.tflite", ()),
    "bench": Kind("bench picture.png", ()),
    "audit": Kind("audit a.tflite pictures", ()),
    "serve": Kind("serve a.tflite --host 192.0.2.1 --token-file token.txt", ()),
    "keygen": Kind("keygen k", ()),
    "export": Kind(f"export c.keras --output out {_EXPORT}", (), tensorflow=True),
    "parity": Kind("parity c.keras a.onnx", (), tensorflow=True),
    "inspect classifier": Kind("inspect c.keras", (), tensorflow=True),
}


def hostile_arguments(command: str, count: int, seed: int) -> Iterator[list[str]]:
    """A command that works, with one argument that is odd."""
    parser = argparse.ArgumentParser(add_help=False)
    line = LINES[command].line.split()
    importlib.import_module(cli.all_commands()[line[0]].module).add_arguments(parser)
    options = [one.option_strings[-1] for one in parser._actions if one.option_strings]
    places = [place for place, word in enumerate(line) if place and not word.startswith("-")]
    cases: list[list[str]] = []
    for value in _ARGUMENTS:
        cases += [[*line, option, value] for option in options]
        cases += [[*line[:place], value, *line[place + 1 :]] for place in places]
    cases = [case for case in cases if not _waits(case)]
    random.Random(seed).shuffle(cases)
    yield from cases[:count]


def _waits(line: Sequence[str]) -> bool:
    """Whether a command would wait as it promises to: for a camera, for a pipe that was named, for a request."""
    if line[0] == "watch":
        return "watched" not in line or "--once" not in line
    if line[0] == "serve":
        return "192.0.2.1" not in line or line[-2] == "--host"
    return line[0] == "explain" and "fifo" in line[2:]


def runs(mode: str, kind: str, count: int, seed: int) -> Iterator[tuple[list[str], str]]:
    """Command lines, each when what it meets is in its place; and what that is."""
    if mode == "arguments":
        for line in hostile_arguments(kind, count, seed):
            yield line, repr(line)[:300]
        return
    originals = {name: Path(name).read_bytes() for name in KINDS[kind].damaged}
    line = KINDS[kind].line
    if mode == "odd":
        for number, (name, put) in enumerate(odd_files(kind)):
            _remove(Path(name))
            put(Path(name))
            yield line.format(name).split(), f"{name}: {number}"
            _remove(Path(name))
            Path(name).write_bytes(originals[name])
        return
    for index, (name, content) in enumerate(damaged(kind, Path(), count, seed)):
        for each, whole in originals.items():
            Path(each).write_bytes(content if each == name else whole)
        os.utime(name, (index, index))
        yield line.format(name).split(), f"{name}: {index}"
    for each, whole in originals.items():
        Path(each).write_bytes(whole)


def _remove(path: Path) -> None:
    if not path.is_symlink() and path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def main(world: Path, mode: str, count: int, seed: int, kinds: Sequence[str]) -> None:
    """Run the commands."""
    os.environ["CAMLITE_DEBUG"] = "1"
    os.chdir(world)
    for path, put in ((Path("fifo"), os.mkfifo), (Path("loop"), lambda path: path.symlink_to(path))):
        if not os.path.lexists(path):
            put(path)
    told = os.fdopen(os.dup(2), "w")  # native code takes the other away for a while
    found = {}
    for kind in kinds:
        ends: collections.Counter[int] = collections.Counter()
        wrong, slowest = [], 0.0
        for line, case in runs(mode, kind, count, seed):
            faulthandler.dump_traceback_later(_MOST_SECONDS, exit=True, file=told)
            start = time.process_time()
            status, output, errors = Captured().run(line)
            slowest = max(slowest, time.process_time() - start)
            faulthandler.cancel_dump_traceback_later()
            ends[status] += 1
            if faulty := faults(status, output, errors):
                wrong.append({"case": case, "faults": faulty, "errors": errors[-3000:]})
        found[kind] = {"ends": ends, "slowest": slowest, "wrong": wrong}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
