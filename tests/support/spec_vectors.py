"""Make the test vectors of runtime/spec: ``python -m support.spec_vectors FOLDER``, or ``make vectors``.

Twelve classifiers whose weights are set by hand or by a seed, exported in several kinds, and what the Python runtime
answers for a few pictures, in files that any language reads. FOLDER gets

- ``pictures/NAME.pgm`` and ``NAME.ppm``: binary Netpbm, a header of three lines and then the pixels;
- ``ARTIFACT``, as ``stripes.int8.tflite``;
- ``ARTIFACT.json``: tensors, and what is expected of each picture; each array by dtype, shape and offset;
- ``ARTIFACT.bin``: those arrays, little-endian, in C order.

`spec_classifiers` exports the artifacts, `spec_refused` changes them so that they are refused, `spec_page` writes the
examples of artifact.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import camlite
import camlite.artifact
from camlite import self_check
from camlite.images import preprocessing
from camlite.show import json_record
from support import spec_page, spec_refused
from support.fresh_process import fresh_process
from support.spec_classifiers import KINDS

FOLDER = Path(__file__).parents[2] / "runtime" / "spec" / "vectors"
MADE_WITH = {"tflite": "ai-edge-litert", "onnx": "onnxruntime"}

_ALIGNMENT = 8


def artifact_names() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each artifact's file name, and its pictures' names: all for the first of a classifier, two for the others."""
    for classifier, (kept, _, pictures) in KINDS.items():
        for kind in kept:
            yield f"{classifier}.{kind}", pictures if kind == kept[0] else pictures[:2]


def pictures() -> dict[str, np.ndarray]:
    """Name -> uint8 (H, W) or (H, W, 3): stripes that turn and fade, and noise. The names say WIDTHxHEIGHT."""
    made = {}
    for seed, name in enumerate(sorted({name for _, names in artifact_names() for name in names})):
        width, height = map(int, name.split("_")[1].split(".")[0].split("x"))
        channels = 1 if name.startswith("grey") else 3
        rows, columns, channel = np.indices((height, width, channels))
        stripes = np.where(columns * 2 < width, rows, columns + channel) // 2 % 2
        noise = np.random.default_rng(seed).integers(0, 60, (height, width, channels))
        pixels = 40 + 120 * stripes + noise + 35 * channel * rows // height
        made[name] = pixels.astype(np.uint8)[..., 0] if channels == 1 else pixels.astype(np.uint8)
    return made


def netpbm(pixels: np.ndarray) -> bytes:
    """A binary PGM (P5) of grey pixels, a binary PPM (P6) of RGB."""
    kind = "P5" if pixels.ndim == 2 else "P6"
    return f"{kind}\n{pixels.shape[1]} {pixels.shape[0]}\n255\n".encode() + pixels.tobytes()


def read_netpbm(content: bytes) -> np.ndarray:
    """The other way round."""
    kind, size, _, pixels = content.split(b"\n", 3)
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape((height, width) if kind == b"P5" else (height, width, 3))


def answers(path: Path, backend: str, given: Mapping[str, np.ndarray]) -> tuple[dict[str, Any], bytes]:
    """What belongs into ``ARTIFACT.json`` and ``ARTIFACT.bin``; runs in the process of a backend."""
    explainer = camlite.load(path, backend)
    interpreter, arrays, card = explainer._interpreter, explainer.artifact.arrays, explainer.artifact.card
    block = bytearray()

    def stored(array: np.ndarray) -> dict[str, Any]:
        block.extend(b"\0" * (-len(block) % _ALIGNMENT))
        described = {"dtype": array.dtype.name, "shape": list(array.shape), "offset": len(block)}
        block.extend(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
        return described

    classes = {name: stored(array) for name in ("weights", "bias") if (array := getattr(arrays, name)) is not None}
    cases = []
    for name, pixels in given.items():
        explanation = explainer.explain(pixels)
        results = {one: np.array(memory) for one, memory in interpreter.results.items()}
        results["features"] = as_the_model_has_it(results["features"], card.features_layout)
        image = as_the_model_has_it(np.array(interpreter.image), card.image_layout)
        every = explainer.explain(pixels, range(len(explainer.labels)) if explainer.any_class else explanation.classes)
        prepared = preprocessing.prepare(preprocessing.check(pixels), explainer.artifact.card.preprocessing)
        case = {"picture": f"pictures/{name}", "prepared": stored(prepared), "input": stored(image)}
        case |= {"outputs": {one: stored(array) for one, array in sorted(results.items())}}
        case |= {"scores": stored(explanation.scores), "classes": list(every.classes)}
        case |= {"evidence": stored(every.evidence), "heatmap": stored(explanation.heatmap)}
        if explainer.artifact.arrays.guide is not None:
            sharp = explanation if every.fine is None else every
            fine = sharp.fine.reshape(-1, *sharp.fine.shape[-2:])
            case |= {"fine_classes": list(sharp.classes), "fine": stored(fine)}
        case |= {"overlay": stored(explanation.overlay()), "explanation": json_record.of(explanation)}
        cases.append(case)
    tensors = {"input": _described(interpreter.input, card.image_layout)}
    layouts = {"features": card.features_layout}
    outputs = {name: _described(interpreter.outputs[name], layouts.get(name)) for name in sorted(interpreter.outputs)}
    tensors |= {"outputs": outputs}
    tolerances = [one._asdict() for one in self_check.tolerances(explainer.artifact)]
    signer = explainer.artifact.signer
    described = {"artifact": path.name, "made_on": backend, "signed_with": signer and signer.hex()}
    described |= {"tensors": tensors, "class_arrays": classes}
    return {**described, "self_check_tolerances": tolerances, "cases": cases}, bytes(block)


def as_the_model_has_it(values: np.ndarray, layout: str) -> np.ndarray:
    """A tensor (height, width, channels) in the model's own layout."""
    return np.ascontiguousarray(values.transpose(2, 0, 1)) if layout == "chw" else values


def _described(tensor: Any, layout: str | None = None) -> dict[str, Any]:
    quantization = {"scale": tensor.scale, "zero_point": tensor.zero_point} if tensor.scale else None
    shape = list(tensor.shape)
    shape = [shape[2], *shape[:2]] if layout == "chw" else shape
    return {"dtype": tensor.dtype.name, "shape": shape, "quantization": quantization}


def _json(described: Mapping[str, Any]) -> str:
    """JSON with one line for each part of a case."""
    *parts, (_, cases) = described.items()
    lines = [f" {json.dumps(name)}: {json.dumps(value)}," for name, value in parts]
    each = [",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in case.items()) for case in cases]
    return "\n".join(["{", *lines, ' "cases": [{', "\n }, {\n".join(each), " }]", "}", ""])


def array(described: Mapping[str, Any], block: bytes) -> np.ndarray:
    """One array of ``ARTIFACT.bin``."""
    dtype = np.dtype(described["dtype"]).newbyteorder("<")
    shape = tuple(described["shape"])
    return np.frombuffer(block, dtype, int(np.prod(shape)), described["offset"]).reshape(shape)


def write_answers(artifacts: Path, folder: Path) -> None:
    """Write pictures, and what each of the artifacts answers, with the backend that `MADE_WITH` names."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    made = pictures()
    for name, pixels in made.items():
        (folder / "pictures" / name).write_bytes(netpbm(pixels))
    for container, backend in MADE_WITH.items():
        with fresh_process() as process:
            for name, names in artifact_names():
                if not name.endswith(container):
                    continue
                given = {one: made[one] for one in names}
                described, block = process.submit(answers, artifacts / name, backend, given).result()
                (folder / f"{name}.json").write_text(_json(described))
                (folder / f"{name}.bin").write_bytes(block)


def make(folder: Path) -> None:
    """Make everything anew; the export in a process of its own, as TensorFlow disturbs the interpreters."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    subprocess.run([sys.executable, "-m", "support.spec_classifiers", folder], check=True, env=environment)
    write_answers(folder, folder)
    items = ",\n ".join(map(json.dumps, (*spec_refused.changed(folder), *spec_refused.crafted(folder))))
    (folder / "refused.json").write_text(f"[{items}]\n")
    _write_page(folder)


def answer(folder: Path) -> None:
    """Let the artifacts that are there answer anew: where the arithmetic has changed, and no artifact."""
    write_answers(folder, folder)
    _write_page(folder)


def _write_page(folder: Path) -> None:
    page = folder.parent / "artifact.md"
    if page.exists():
        page.write_text(spec_page.written_into(page.read_text(), folder))


if __name__ == "__main__":
    (answer if "--answers" in sys.argv else make)(Path(sys.argv[1]))
