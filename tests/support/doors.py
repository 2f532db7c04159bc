"""Ask other programs about one classifier's artifacts: ``python -m support.doors docs/doors.md`` writes the table.

Each program runs in a process of its own, on the whole file as it is, and where the environment says so in a Python of
its own:

==================  ========================================
``MEDIAPIPE``       ``pip install mediapipe``
``TFLITE_MICRO``    ``pip install tflite-micro``
``MODEL_SIGNING``   ``pip install model_signing pyopenssl``
==================  ========================================

A program that is not there is said not to be there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

BEGIN, END = "<!-- doors: begin, written by `python -m support.doors` -->", "<!-- doors: end -->"
# int8.tflite again, exported with --outputs uint8 into a folder of this name.
UINT8 = "int8.tflite with uint8 outputs"
KINDS = (
    *(f"{precision}.tflite" for precision in ("float32", "float16", "dynamic", "int8", "int16x8")),
    UINT8,
    *(f"{precision}.onnx" for precision in ("float32", "float16", "int8")),
)
# Each prints the scores that it gives, as JSON: argv is the artifact and an .npy of pixels, uint8 of the input's size.
_BEGIN = "import json, sys; import numpy as np; path, pixels = sys.argv[1], np.load(sys.argv[2])\n"
_TO_INPUT = (
    "def to_input(dtype, scale=0, zero=0):\n"
    "    image = (pixels[None] * (2 / 255) - 1).astype('f4')\n"
    "    return np.rint(image / scale + zero).clip(0, 255).astype('u1') if dtype == np.uint8 else image\n"
)
_REAL = "def real(one, scale, zero): return one.ravel() if not scale else (one.ravel().astype('f4') - zero) * scale\n"
_PROGRAMS: Mapping[str, tuple[str, str]] = {
    "camlite": ("", "import camlite\nscores = camlite.load(path).explain(pixels).scores"),
    "MediaPipe": (
        "MEDIAPIPE",
        "import mediapipe\nfrom mediapipe.tasks.python import BaseOptions, vision\n"
        "options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=path))\n"
        "image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels)\n"
        "with vision.ImageClassifier.create_from_options(options) as one: heads = one.classify(image).classifications\n"
        "(head,) = (head for head in heads if head.head_name == 'scores')\n"
        "scores = [one.score for one in sorted(head.categories, key=lambda one: one.index)]",
    ),
    "LiteRT": (
        "",
        "from ai_edge_litert.interpreter import Interpreter\none = Interpreter(path); one.allocate_tensors()\n"
        "given, made = one.get_input_details()[0], one.get_signature_runner()\n"
        "detail = made.get_output_details()['scores']\n"
        "image = to_input(given['dtype'], *given['quantization'])\n"
        "scores = real(made(image=image)['scores'], *detail['quantization'])",
    ),
    "TFLM": (
        "TFLITE_MICRO",
        "from tflite_micro import runtime\none = runtime.Interpreter.from_bytes(open(path, 'rb').read())\n"
        "def ends(told): return float(sum(told['scales'])), int(sum(told['zero_points']))\n"
        "given = one.get_input_details(0)\n"
        "one.set_input(to_input(given['dtype'], *ends(given['quantization_parameters'])), 0); one.invoke()\n"
        "(index,) = (i for i in range(2) if one.get_output(i).size == 3)\n"
        "scores = real(one.get_output(index), *ends(one.get_output_details(index)['quantization_parameters']))",
    ),
    "onnxruntime": (
        "",
        "import onnxruntime\none = onnxruntime.InferenceSession(path)\n"
        "scores = one.run(['scores'], {'image': to_input(np.float32)})[0].ravel()",
    ),
    "OpenCV dnn": (
        "",
        "import cv2\none = cv2.dnn.readNet(path); image = to_input(np.float32)\n"
        "one.setInput(image if path.endswith('onnx') else np.ascontiguousarray(image.transpose(0, 3, 1, 2)))\n"
        "names = one.getUnconnectedOutLayersNames()\n"
        "(scores,) = (made.ravel() for made in one.forward(names) if made.size == 3)",
    ),
}
_FITS = {"MediaPipe": ".tflite", "LiteRT": ".tflite", "TFLM": ".tflite", "onnxruntime": ".onnx"}
COLUMNS = (*_PROGRAMS, "model_signing")


def python_of(variable: str) -> str:
    """The Python that has a program."""
    return os.environ.get(variable, sys.executable) if variable else sys.executable


def asked(program: str, artifact: Path, pixels: Path) -> list[float] | str:
    """The scores that a program gives, or its last words."""
    variable, script = _PROGRAMS[program]
    whole = f"{_BEGIN}{_TO_INPUT}{_REAL}{script}\nprint(json.dumps([float(score) for score in scores]))"
    done = subprocess.run(
        [python_of(variable), "-c", whole, artifact, pixels], capture_output=True, text=True, timeout=120
    )
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    if "ModuleNotFoundError" in done.stderr:
        return "not installed"
    lines = [line for line in done.stderr.splitlines() if "Error" in line or "error:" in line or "failed to" in line]
    return lines[-1].split("Error: ")[-1] if lines else "ended without a word"


def signed(artifact: Path) -> str:
    """Whether model_signing signs the file, verifies it, and refuses it with one byte more."""
    python = python_of("MODEL_SIGNING")
    key, public, changed = (artifact.with_name(name) for name in ("maker.pem", "maker.pub.pem", "changed"))
    sidecar = artifact.with_name(f"{artifact.name}.sig")
    for command in (
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key],
        ["openssl", "ec", "-in", key, "-pubout", "-out", public],
        [python, "-m", "model_signing", "sign", "key", artifact, "--private_key", key, "--signature", sidecar],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            return "not installed" if "No module" in done.stderr else done.stderr.splitlines()[-1]
    changed.write_bytes(artifact.read_bytes() + b"\0")
    verified = [
        subprocess.run(
            [python, "-m", "model_signing", "verify", "key", one, "--public_key", public, "--signature", sidecar],
            capture_output=True,
        ).returncode
        == 0
        for one in (artifact, changed)
    ]
    return "verifies; a changed file is refused" if verified == [True, False] else f"verified: {verified}"


def cells(artifact: Path, pixels: Path) -> Iterator[str]:
    """What each program says of an artifact, in the order of `COLUMNS`."""
    expected = asked("camlite", artifact, pixels)
    for program in _PROGRAMS:
        if not artifact.name.endswith(_FITS.get(program, "")):
            yield "n/a"
            continue
        scores = expected if program == "camlite" else asked(program, artifact, pixels)
        yield said(scores, expected)
    yield signed(artifact)


def said(scores: list[float] | str, expected: list[float] | str) -> str:
    """A cell of the table: what a program gave, beside what camlite gave."""
    if isinstance(scores, str) or isinstance(expected, str):
        return str(scores) if str(scores) == "not installed" else f"no: {str(scores)[:110]}"
    away = float(np.abs(np.subtract(scores, expected)).max())
    agrees = "same class" if np.argmax(scores) == np.argmax(expected) else "ANOTHER CLASS"
    return "opens, verifies, explains" if scores is expected else f"{agrees}, scores within {_rounded(away)}"


def _rounded(away: float) -> str:
    return "1e-6" if away <= 1e-6 else f"{away:.1g}"


def table(folder: Path) -> str:
    """The whole table; writes artifacts, a picture and keys into the folder."""
    subprocess.run([sys.executable, "-m", "support.doors", "--export", folder], check=True, capture_output=True)
    pixels = folder / "pixels.npy"
    np.save(pixels, np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8))
    lines = [f"| artifact | {' | '.join(COLUMNS)} |", "|---" * (1 + len(COLUMNS)) + "|"]
    lines += [f"| `{kind}` | {' | '.join(cells(_path(folder, kind), pixels))} |" for kind in KINDS]
    return "\n".join(line.replace("\n", " ") for line in lines)


def _path(folder: Path, kind: str) -> Path:
    return folder / "uint8" / "described.int8.tflite" if kind == UINT8 else folder / f"described.{kind}"


def written_into(page: str, text: str) -> str:
    """The page with another table."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}"


def export(folder: Path, *options: str) -> None:
    """Write the artifacts, with more options of `camlite export`; imports TensorFlow."""
    from camlite import cli
    from support import spec_classifiers

    model = spec_classifiers.classifiers()["described"]
    model.save(folder / "described.keras")
    np.savez(folder / "described.npz", images=spec_classifiers._calibration(model))
    command = ["export", folder / "described.keras", "--maps", "cam", "--preprocess", "signed"]
    command += ["--calibration", folder / "described.npz"]
    cli.main([*map(str, [*command, "--output", folder]), *options])


if __name__ == "__main__":
    if sys.argv[1] == "--export":
        export(Path(sys.argv[2]))
        export(
            Path(sys.argv[2]), "--output", str(Path(sys.argv[2], "uint8")), "--outputs", "uint8", "--precisions", "int8"
        )
    else:
        page = Path(sys.argv[1])
        with tempfile.TemporaryDirectory() as scratch:
            page.write_text(written_into(page.read_text(), table(Path(scratch))))
