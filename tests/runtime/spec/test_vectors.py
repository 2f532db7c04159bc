"""runtime/spec/vectors: the Python runtime gets what they say, on every backend, and from the stored outputs alone."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import camlite
from camlite import artifact
from camlite.artifact import card as cards
from camlite.artifact.protobuf import metadata_entry
from camlite.backends.interpreter import Tensor
from camlite.images import preprocessing
from camlite.maps import cam, evidence
from camlite.maps.resize import Resizing, heatmap
from camlite.show.overlay import lay_over
from support import fresh_process, spec_guided, spec_page, spec_refused, spec_vectors
from support.fresh_process import BACKENDS
from support.spec_vectors import FOLDER

NAMES = [name for name, _ in spec_vectors.artifact_names()]
PAIRS = [(backend, name) for backend, container in BACKENDS.items() for name in NAMES if name.endswith(container)]
_MOST_BYTES, _MOST_BYTES_A_FILE = 620_000, 90_000

# Those of "What must be equal, and how nearly" in artifact.md, as a share of the largest number.
REAL = 1e-5
HEATMAP = 1e-4

# How far the outputs of one interpreter may be from another's, as a share of the largest. Measured: ai-edge-litert 2.3
# against tflite-runtime 2.14, at the most 7e-7 for float32 and float16, and one step of 128 for int8. float16 has room
# for CPUs that compute in half precision, int8 for three steps.
OUTPUTS = {"float32": 1e-5, "float16": 2e-3, "int8": 0.025}


def described(name: str) -> tuple[dict[str, Any], bytes]:
    return json.loads((FOLDER / f"{name}.json").read_text("utf-8")), (FOLDER / f"{name}.bin").read_bytes()


def near(received: Any, expected: np.ndarray, share: float) -> bool:
    received, expected = np.asarray(received, np.float64), np.asarray(expected, np.float64)
    assert received.shape == expected.shape
    return bool(np.abs(received - expected).max() <= share * max(np.abs(expected).max(), 1e-3))


def tensor(name: str, of: dict[str, Any]) -> Tensor:
    quantization = of["quantization"] or {"scale": 0.0, "zero_point": 0}
    return Tensor(name, tuple(of["shape"]), np.dtype(of["dtype"]), **quantization)


def picture(case: dict[str, Any]) -> np.ndarray:
    return spec_vectors.read_netpbm((FOLDER / case["picture"]).read_bytes())


@pytest.mark.parametrize("name", NAMES)
def test_a_reader_gets_everything_from_the_stored_outputs(name):
    """What another language does without an interpreter."""
    told, block = described(name)
    read = artifact.read(FOLDER / name)
    for array in ("weights", "bias"):
        here = getattr(read.arrays, array)
        assert (here is None) == (array not in told["class_arrays"])
        assert here is None or np.array_equal(here, spec_vectors.array(told["class_arrays"][array], block))
    for case in told["cases"]:
        check_case(read, told["tensors"], case, block)


def check_case(read: artifact.Artifact, tensors: dict[str, Any], case: dict[str, Any], block: bytes) -> None:
    outputs = {one: spec_vectors.array(of, block) for one, of in case["outputs"].items()}
    expected = {one: spec_vectors.array(case[one], block) for one in ("scores", "evidence", "heatmap", "overlay")}
    known = {one: tensor(one, of) for one, of in tensors["outputs"].items()}
    if read.card.features_layout == "chw":
        outputs["features"] = outputs["features"].transpose(1, 2, 0)
        known["features"] = known["features"]._replace(shape=outputs["features"].shape)
    scores, image = known["scores"].dequantize(outputs["scores"]), picture(case)
    checked, target = preprocessing.check(image), read.card.preprocessing
    top = int(outputs["scores"].argmax())

    prepared = preprocessing.prepare(checked, target)
    assert near(prepared, spec_vectors.array(case["prepared"], block), REAL)
    own = spec_vectors.as_the_model_has_it(prepared, read.card.image_layout)
    stored = tensor("input", tensors["input"]).quantize(own).astype(np.float64)
    most = 1 if tensors["input"]["quantization"] else REAL * max(1, np.abs(stored).max())
    assert np.abs(stored - spec_vectors.array(case["input"], block)).max() <= most

    top_only = read.card.head.evidence_traits.top_only
    maps = evidence.reading(read.arrays.weights, top_only, known, outputs).many(case["classes"])
    assert near(maps, expected["evidence"], REAL)
    assert near(scores, expected["scores"], 0)
    explained, window = maps[case["classes"].index(top)], read.card.head.window
    guide, told = read.arrays.guide, case["explanation"]
    assert ("fine" in case) == (guide is not None)
    assert told["map"] == ("plain" if guide is None else "fine")
    if guide is not None:
        fine = fine_of(maps, case, known["guide"].dequantize(outputs["guide"]), read)
        assert near(fine, spec_vectors.array(case["fine"], block), REAL)
        explained, window = fine[case["fine_classes"].index(top)], guide.window
    assert near(told["explained"][0]["evidence"], explained, REAL)
    heat = heat_of(explained, (target.height, target.width), window)
    assert near(heat, expected["heatmap"], HEATMAP)
    drawn = lay_over(checked, spread_of(explained, checked, target, window), 0.8).astype(int)
    assert np.abs(drawn - expected["overlay"]).max() <= 1
    assert case["explanation"]["label"] == read.card.labels[top]
    complete = case["explanation"]["completeness"]
    bias = read.arrays.bias if "bias" not in known else known["bias"].dequantize(outputs["bias"])
    assert (complete is None) == (bias is None)
    if complete is not None:
        logits = bias.copy()
        logits[case["classes"]] += maps.sum(axis=(1, 2))
        found = cam.completeness(logits, scores, read.card.head.activation)
        if guide is not None:
            logits[top] = explained.sum() + bias[top]
            found = max(found, cam.completeness(logits, scores, read.card.head.activation))
        assert abs(found - complete) <= REAL * max(1, np.abs(scores).max())


def fine_of(maps: np.ndarray, case: dict[str, Any], guides: np.ndarray, read: artifact.Artifact) -> np.ndarray:
    """Fine evidence of the classes that have a guide, by the formula on the page, without camlite."""
    guide, classes = read.arrays.guide, case["fine_classes"]
    places = [0] if guide.classes == "top" else classes
    assert guides.shape == (guide.height, guide.width, len(places))
    pairs = zip(classes, places, strict=True)
    window = read.card.head.window
    evidence = ((maps[case["classes"].index(k)], guides[..., place]) for k, place in pairs)
    return np.stack([spec_guided.by_the_formula(of_class, window, one, guide) for of_class, one in evidence])


def heat_of(maps: np.ndarray, size: tuple[int, int], window: cards.Window) -> np.ndarray:
    return heatmap(maps, Resizing(maps.shape, size, window))


def spread_of(maps: np.ndarray, image: np.ndarray, target: cards.Preprocessing, window: cards.Window) -> np.ndarray:
    rows, columns = preprocessing.window(*image.shape[:2], target)
    whole = np.zeros(image.shape[:2], np.float32)
    size = (rows.stop - rows.start, columns.stop - columns.start)
    whole[rows, columns] = heatmap(maps, Resizing(maps.shape, size, window, smooth=True))
    return whole


@pytest.mark.parametrize(("backend", "name"), PAIRS)
def test_every_backend_gives_what_the_vectors_say(backend, name, run):
    if backend not in installed():
        pytest.skip(f"{backend} is not installed")
    told, block = described(name)
    given = {Path(case["picture"]).name: picture(case) for case in told["cases"]}

    here, here_block = run(backend, spec_vectors.answers, FOLDER / name, backend, given)

    assert here["tensors"] == told["tensors"]
    assert here["self_check_tolerances"] == told["self_check_tolerances"]
    assert here["signed_with"] == told["signed_with"]
    share = OUTPUTS[name.split(".")[1]]
    for one, other in zip(here["cases"], told["cases"], strict=True):
        pair = [({**case, **case["outputs"]}, content) for case, content in ((one, here_block), (other, block))]
        for part in ("scores", "evidence", "heatmap"):
            received, expected = (spec_vectors.array(case[part], content) for case, content in pair)
            assert near(received, expected, share), part
        received, expected = (spec_vectors.array(case["input"], content) for case, content in pair)
        assert near(received, expected, REAL)
        assert one["explanation"]["label"] == other["explanation"]["label"]
        assert one["explanation"]["window"] == other["explanation"]["window"]


def test_the_self_check_passes_on_every_vector(backend, run):
    for name in NAMES:
        if name.endswith(BACKENDS[backend]):
            found = run(backend, fresh_process.check, FOLDER / name, backend)
            assert found.passed, (name, found.failures)


def test_vectors_can_be_made_anew(tmp_path):
    """Also of the classifiers whose int8 our gates would call unfit: random weights, on pictures of stripes."""
    pytest.importorskip("tensorflow")
    command = [sys.executable, "-m", "support.spec_classifiers", tmp_path, "bgr", "hidden"]
    made = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    names = {name for name in NAMES if name.split(".")[0] in ("bgr", "hidden")}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {artifact.read(path).card.unfit for path in tmp_path.iterdir()} == {""}


@pytest.mark.parametrize("item", json.loads((FOLDER / "refused.json").read_text()), ids=lambda one: one["reason"])
def test_a_file_that_was_changed_is_refused(item, refusal, tmp_path):
    trusted = item.get("trusted") and [key_file(item["trusted"], tmp_path)]

    assert refusal(changed(item), trusted)


@pytest.mark.parametrize("name", ["graph.int8.tflite", "graph.float32.onnx"])
def test_the_key_that_a_vector_is_signed_with_is_accepted(name, tmp_path):
    key = key_file(described(name)[0]["signed_with"], tmp_path)

    assert artifact.read(FOLDER / name, [key]).trusted


@pytest.mark.parametrize("name", ["bgr.int8.tflite", "places.float32.onnx"])
def test_what_crafted_files_are_made_of_is_accepted_as_long_as_nothing_is_crafted(name, tmp_path):
    read = artifact.read(FOLDER / name)
    if read.container == "tflite":
        item = spec_refused._sealed_tflite(read, list(spec_refused._entries(read).items()), "")
    else:
        card = metadata_entry("camlite.card", cards.to_json(read.card).encode())
        item = spec_refused._sealed_onnx(read, card + metadata_entry("camlite.arrays", spec_refused._packed(read)), "")
    path = tmp_path / name
    path.write_bytes(changed(item))

    assert artifact.read(path).card == read.card


def key_file(key: str, folder: Path) -> Path:
    """A public key in PEM: SubjectPublicKeyInfo of Ed25519 begins with these 12 bytes (RFC 8410)."""
    pytest.importorskip("cryptography")
    path = folder / "maker.pub"
    content = base64.b64encode(bytes.fromhex("302a300506032b6570032100" + key)).decode()
    path.write_text(f"-----BEGIN PUBLIC KEY-----\n{content}\n-----END PUBLIC KEY-----\n")
    path.chmod(0o644)
    return path


def changed(item: dict[str, Any]) -> bytes:
    content = (FOLDER / item["artifact"]).read_bytes()
    if "flip" in item:
        at = item["flip"]
        content = content[:at] + bytes([content[at] ^ 0xA5]) + content[at + 1 :]
    return content[: item.get("keep", len(content))] + bytes.fromhex(item.get("append", ""))


@pytest.mark.parametrize("name", NAMES)
def test_the_artifacts_are_of_the_format_that_is_written_today(name):
    """Where this fails, the format has changed: `make vectors`, and say so in artifact.md."""
    content = (FOLDER / name).read_bytes()
    read = artifact.read(FOLDER / name)
    signer = camlite_signer(content) if read.signer else None

    assert artifact.pack(read.container, read.model, read.card, read.arrays, signer) == content


def camlite_signer(content: bytes) -> artifact.Sign:
    """Gives the signature that is there."""
    text = content[content.rindex(b"camlite signature ed25519:") :]
    return lambda _: camlite.artifact.signature.from_bytes(text)


def test_what_is_there_is_what_the_script_makes(tmp_path):
    """All but the artifacts, from them. Floating point differs in its last bits from processor to processor."""
    missing = [name for name in spec_vectors.MADE_WITH.values() if name not in installed()]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")

    spec_vectors.write_answers(FOLDER, tmp_path)

    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        there = FOLDER / path.relative_to(tmp_path)
        if path.suffix in (".pgm", ".ppm"):
            assert path.read_bytes() == there.read_bytes()
        elif path.suffix == ".json":
            made, told = json.loads(path.read_text()), json.loads(there.read_text())
            assert without_numbers(made) == without_numbers(told)
        else:
            assert path.stat().st_size == there.stat().st_size
    names = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    others = {Path(name) for name in (*NAMES, "README.md", "refused.json")}
    assert {path.relative_to(FOLDER) for path in FOLDER.rglob("*") if path.is_file()} == names | others


def without_numbers(value: Any) -> Any:
    """JSON with its fractions rounded away; they are compared elsewhere."""
    if isinstance(value, dict):
        return {name: without_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_numbers(inner) for inner in value]
    return "a fraction" if isinstance(value, float) else value


def installed() -> list[str]:
    return [name for container in ("tflite", "onnx") for name in camlite.backends.installed(container)]


def test_refused_json_and_the_example_on_the_page_are_what_the_script_makes():
    page = (FOLDER.parent / "artifact.md").read_text("utf-8")

    made = [*spec_refused.changed(FOLDER), *spec_refused.crafted(FOLDER)]
    assert made == json.loads((FOLDER / "refused.json").read_text())
    assert spec_page.written_into(page, FOLDER) == page


@pytest.mark.endurance
def test_the_export_makes_the_same_artifacts_again(tmp_path):
    """Their bytes where the programs that made them are the same here and the processor rounds alike; else what they
    say of themselves."""
    pytest.importorskip("tensorflow")

    spec_vectors.make(tmp_path)

    for name in NAMES:
        made, there = artifact.read(tmp_path / name), artifact.read(FOLDER / name)
        unlike = {"made_with": {}, "model_sha256": ""}
        assert made.card._replace(**unlike) == there.card._replace(**unlike)
        assert np.array_equal(made.arrays.golden_images, there.arrays.golden_images)
        assert near(made.arrays.golden_scores, there.arrays.golden_scores, REAL)
        assert near(made.arrays.golden_evidence, there.arrays.golden_evidence, REAL)
        assert made.arrays.maps == there.arrays.maps
        assert made.arrays.guide is None or near(made.arrays.golden_fine, there.arrays.golden_fine, REAL)
        if made.card.made_with == there.card.made_with:
            assert made.model == there.model


def test_the_vectors_are_small_enough_to_be_carried_everywhere():
    sizes = [path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()]

    assert sum(sizes) <= _MOST_BYTES
    assert max(sizes) <= _MOST_BYTES_A_FILE


def test_the_vectors_have_every_kind():
    read = [artifact.read(FOLDER / name) for name in NAMES]
    told = [described(name)[0] for name in NAMES]

    assert {one.container for one in read} == {"tflite", "onnx"}
    assert {one.card.head.evidence for one in read} == {"device", "graph", "gradient", "gradient_top"}
    assert {one.card.head.activation for one in read} == {"softmax", "sigmoid", "linear"}
    assert {one.card.preprocessing.fit for one in read} == {"stretch", "crop"}
    assert {(one.card.preprocessing.channels, one.card.preprocessing.order) for one in read} == {
        (1, "rgb"),
        (3, "rgb"),
        (3, "bgr"),
    }
    gradients = [
        (one.card.head.evidence, "bias" in of["tensors"]["outputs"]) for one, of in zip(read, told, strict=True)
    ]
    assert {(word, given) for word in ("gradient", "gradient_top") for given in (True, False)} <= set(gradients)
    weights = [one.arrays.weights for one in read if one.arrays.weights is not None]
    assert {array.ndim for array in weights} == {2, 4}
    places = [one.arrays.stored_weights for one in read if one.arrays.stored_weights]
    assert {place.dtype for place in places} == {"float32", "float16", "int8"}
    assert any(one.arrays.weights_rest is not None for one in read)
    assert {bool(one.signer) for one in read} == {True, False}
    guides = [one.arrays.guide for one in read]
    assert {guide and guide.classes for guide in guides} == {None, "top", "all"}
    assert {guide.window == cards.WHOLE for guide in guides if guide} == {True, False}
    assert {one["tensors"]["outputs"]["guide"]["dtype"] for one in told if "guide" in one["tensors"]["outputs"]} == {
        "float32",
        "int8",
    }
    assert {one["tensors"]["input"]["dtype"] for one in told} == {"float32", "uint8"}
