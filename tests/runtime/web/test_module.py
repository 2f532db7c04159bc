"""runtime/web in Node: the test vectors, damaged files, and what it weighs."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest

import camlite
from camlite import ArtifactError, artifact
from support import mutants, spec_vectors
from support.spec_vectors import FOLDER

HERE = Path(__file__).parent


def can_inflate() -> bool:
    """Whether Node is here, and one that unpacks what zips hold."""
    if shutil.which("node") is None:
        return False
    command = ["node", "--eval", "new DecompressionStream('deflate-raw')"]
    return subprocess.run(command, capture_output=True, timeout=60).returncode == 0


NAMES = (
    "bgr.int8.tflite",
    "guided.float32.onnx",
    "guided_top.float32.tflite",
    "places.float32.onnx",
    "many.float32.onnx",
)

if not can_inflate():
    pytest.skip("needs node 20.12 or newer (Debian 13: nodejs)", allow_module_level=True)
needs_packages = pytest.mark.skipif(
    not (HERE / "node_modules" / "onnxruntime-web").is_dir(), reason="needs its npm packages: make test-web"
)


def node(*arguments: str | Path) -> str:
    """What a script prints; its errors are the test's."""
    command = ["node", *map(str, arguments)]
    finished = subprocess.run(command, cwd=HERE, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, f"{finished.stdout[-4000:]}\n{finished.stderr[-4000:]}"
    return finished.stdout


def test_the_module_gets_what_the_vectors_say():
    node("--test", "vectors.test.mjs")


def read_here(content: bytes, path: Path) -> bool:
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    try:
        artifact.read(path)
    except ArtifactError:
        return False
    return True


@pytest.mark.parametrize("count", [400, pytest.param(1300, marks=pytest.mark.endurance)])
def test_what_python_refuses_is_refused_in_one_line(count, tmp_path):
    """Bytes flipped, lost and moved; and, under a seal that fits, odd cards, arrays, zips and JSON."""
    parents = [mutants.parent(FOLDER / name) for name in NAMES]
    damaged = list(mutants.mutants(parents, count, seed=18))
    packed = tmp_path / "damaged"
    packed.write_bytes(b"".join(struct.pack("<I", len(content)) + content for _, content in damaged))

    told = json.loads(node("read_many.mjs", packed))

    path, accepted = tmp_path / "artifact", 0
    for index, ((operator, content), message) in enumerate(zip(damaged, told, strict=True)):
        assert read_here(content, path) == (message == ""), (index, operator, message)
        assert len(message) < 500, (operator, message)
        assert "\n" not in message, (operator, message)
        assert message == "" or message.startswith("artifact: "), (operator, message)
        accepted += message == ""
    assert count * 0.02 < accepted < count * 0.15  # another name on the card, another weight


def test_its_own_sha256():
    node("--test", "sha256.test.mjs")


@needs_packages
def test_onnxruntime_web_answers_golden_samples_as_python_does():
    names = [name for name, _ in spec_vectors.artifact_names() if name.endswith(".onnx")]

    for name, told in zip(names, json.loads(node("answers.mjs", *(FOLDER / name for name in names))), strict=True):
        assert told["passed"], (name, told["failures"])
        explainer = camlite.load(FOLDER / name)
        images, guide = explainer.artifact.arrays.golden_images, explainer.artifact.arrays.guide
        any_class = explainer.any_class and not (guide and guide.classes == "top")
        assert len(told["answers"]) == len(images) > 0
        steps = 1 if ".float32." in name else 500  # int8: some steps of 256
        for image, answer in zip(images, told["answers"], strict=True):
            expected = explainer.explain(image, range(len(explainer.labels)) if any_class else None)
            assert far(answer["scores"], expected.scores) <= 1e-5 * steps
            assert far(answer["evidence"], expected.evidence) <= 1e-5 * steps
            assert (answer["fine"] is None) == (expected.fine is None) == (guide is None)
            assert expected.fine is None or far(answer["fine"], expected.fine) <= 1e-4 * steps


def far(received: list[float], expected: np.ndarray) -> float:
    """The largest difference, as a share of the largest number."""
    return float(np.abs(np.reshape(received, expected.shape) - expected).max() / np.abs(expected).max())


@needs_packages
def test_the_module_is_small(tmp_path):
    """Reading, verifying, running, explaining and drawing, minified as bundlers do; the self-check is beside it."""
    source = HERE.parents[2] / "runtime" / "web" / "camlite.js"
    esbuild = HERE / "node_modules" / ".bin" / "esbuild"
    options = ["--bundle", "--minify", "--format=esm", f"--outfile={tmp_path / 'camlite.min.js'}", "--log-level=error"]

    subprocess.run([esbuild, source, *options], check=True, timeout=60)

    assert len(gzip.compress((tmp_path / "camlite.min.js").read_bytes(), 9)) <= 12 * 1024


def test_its_version_is_that_of_camlite():
    package = json.loads((HERE.parents[2] / "runtime" / "web" / "package.json").read_text())

    assert package["version"] == camlite.__version__.replace("rc", "-rc.")  # as npm writes it
    assert package["license"] == "Apache-2.0"


def test_its_declarations_name_what_it_offers():
    web = HERE.parents[2] / "runtime" / "web"
    for module in ("camlite", "self_check"):
        imported = f"await import('{(web / module).as_uri()}.js')"
        offered = json.loads(
            node("--input-type=module", "--eval", f"console.log(JSON.stringify(Object.keys({imported})))")
        )
        declared = re.findall(r"^export (?:class|function) (\w+)", (web / f"{module}.d.ts").read_text(), re.MULTILINE)

        assert sorted(offered) == sorted(declared)
