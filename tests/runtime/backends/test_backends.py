"""`camlite.backends`: which interpreter runs an artifact, and what a device without one is told."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import camlite
from camlite import BackendError, artifact, backends
from camlite.backends.interpreter import Tensor
from camlite.soundness import card_shapes
from camlite.soundness.limits import Cost, Port, Proof
from camlite.system.installing import how_to_install
from support import onnx_models
from support.fresh_process import BACKENDS, explain, fresh_process, imported_modules, run_camlite, run_python
from support.onnx_models import node
from support.small_artifacts import MODELS, SMALL, changed, small_arrays

MODULES = {"ai-edge-litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime", "onnxruntime": "onnxruntime"}


def artifact_for(backend: str, tiny: Path) -> Path:
    return tiny / "stripes" / f"stripes.float32.{BACKENDS[backend]}"


def load_without(modules: str, path: str | Path, *backend: str) -> str:
    """The one line that `camlite.load` fails with where some modules are not installed."""
    source = (
        "import sys, camlite; sys.modules.update(dict.fromkeys(sys.argv[2].split(',')))\n"
        "try: camlite.load(sys.argv[1], *sys.argv[3:])\n"
        "except camlite.CamliteError as error: print(error)"
    )
    finished = run_python(source, str(path), modules, *backend)
    assert finished.stderr == ""
    assert finished.stdout.count("\n") == 1
    return finished.stdout


def test_the_backends_are_those_that_the_package_names():
    assert tuple(BACKENDS) == backends.BACKENDS


@pytest.mark.parametrize("container", ["tflite", "onnx"])
def test_installed_backends_are_those_whose_module_is_there(container):
    expected = [name for name, of in BACKENDS.items() if of == container and importlib.util.find_spec(MODULES[name])]

    assert backends.installed(container) == expected


def test_the_version_is_that_of_the_distribution():
    for name in [*backends.installed("tflite"), *backends.installed("onnx")]:
        assert backends.version(name) == importlib.metadata.version(name)


def test_the_version_of_a_module_that_another_distribution_brings_is_unknown():
    assert backends.version("no-such-distribution") == "of unknown version"


def test_without_any_backend_the_message_says_how_to_install_one(tiny):
    for name, modules, extra in (
        ("ai-edge-litert", "ai_edge_litert,tflite_runtime", "litert"),
        ("onnxruntime", "onnxruntime", "onnx"),
    ):
        path = artifact_for(name, tiny)

        line = load_without(modules, path)

        assert line.startswith(f"{path}: no backend for {BACKENDS[name]} artifacts installed; {how_to_install(extra)}")


def test_a_backend_that_is_asked_for_but_not_installed_is_named(backend, tiny):
    path = artifact_for(backend, tiny)

    assert load_without(MODULES[backend], path, backend).startswith(f"{path}: no {backend} installed; pip install ")


def test_where_one_tflite_backend_is_missing_the_other_is_taken(tiny):
    path = artifact_for("ai-edge-litert", tiny)
    if len(backends.installed("tflite")) < 2:
        pytest.skip("needs both TFLite backends")
    for missing, taken in (("ai_edge_litert", "tflite-runtime"), ("tflite_runtime", "ai-edge-litert")):
        source = "import sys, camlite; sys.modules[sys.argv[2]] = None; print(camlite.load(sys.argv[1]).backend)"
        finished = run_python(source, str(path), missing)
        assert finished.stdout == f"{taken}\n", finished.stderr


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("ai-edge-litert", "onnxruntime", "ai-edge-litert, tflite-runtime"),
        ("onnxruntime", "tflite-runtime", "onnxruntime"),
        ("ai-edge-litert", "tensorrt", "ai-edge-litert, tflite-runtime"),
        ("ai-edge-litert", "", "ai-edge-litert, tflite-runtime"),
    ],
)
def test_a_backend_that_does_not_run_the_format_is_refused(name, asked, expected, tiny):
    path = artifact_for(name, tiny)

    line = load_without("none", path, asked)

    assert line == (f"{path}: backend {asked!r} does not run {BACKENDS[name]} artifacts; expected one of {expected}\n")


def test_a_process_imports_no_other_backend_than_the_one_it_uses(backend, tiny):
    with fresh_process() as process:
        process.submit(explain, artifact_for(backend, tiny), backend, []).result()
        imported = {*process.submit(imported_modules).result()}

    assert imported & {*MODULES.values(), "tensorflow", "keras", "onnx"} == {MODULES[backend]}


# That a model begins as one and is sealed is no proof that an interpreter takes it.
REFUSED = {"tflite": b"\x1c\0\0\0TFL3" + bytes(500), "onnx": MODELS["onnx"]}


def test_a_model_that_is_not_sound_is_refused_in_one_line(backend, tmp_path):
    container = BACKENDS[backend]
    card = changed(SMALL, "model_sha256", hashlib.sha256(REFUSED[container]).hexdigest())
    path = tmp_path / "artifact"
    path.write_bytes(artifact.pack(container, REFUSED[container], card, small_arrays()))

    line = load_without("none", path, backend)

    assert line.startswith(f"{path}: no sound {container} model: ")


def test_a_sound_model_that_the_interpreter_refuses_is_refused_in_one_line(tmp_path):
    """Of the shapes that the card says; onnxruntime has no Sigmoid of integers."""
    pytest.importorskip("onnx")
    nodes = [
        node("Reshape", "image row", "r"),
        node("MatMul", "r a", "f"),
        node("Reshape", "f places", "features"),
        node("MatMul", "r b", "s"),
        node("Cast", "s", "i", to=7),
        node("Sigmoid", "i", "n"),
        node("Cast", "n", "scores", to=1),
    ]
    constants = {"row": [1, 24], "places": [1, 2, 3, 5], "a": np.ones((24, 30), "f4"), "b": np.ones((24, 3), "f4")}
    model = onnx_models.model(nodes, (1, 4, 6, 1), {"features": (1, 2, 3, 5), "scores": (1, 3)}, constants)
    path = tmp_path / "artifact"
    card = changed(changed(SMALL, "model_sha256", hashlib.sha256(model).hexdigest()), "precision", "float32")
    path.write_bytes(artifact.pack("onnx", model, card, small_arrays()))

    line = load_without("none", path, "onnxruntime")

    assert line.startswith(f"{path}: onnxruntime {backends.version('onnxruntime')} cannot load it: ")


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [("head.channels", 6, "its card says {'features': (2, 3, 6)"), ("precision", "float16", "features is uint8")],
)
def test_a_model_that_its_card_does_not_account_for_reaches_no_interpreter(place, value, said):
    """Names, shapes and dtypes, from the proof."""
    card = changed(changed(SMALL, "head.channels", 5), place, value)
    ports = {"features": Port((2, 3, 5), "uint8"), "scores": Port((3,), "float32")}
    proof = Proof(Port((4, 6, 1), "float32"), ports, Cost(0, 0, 0))

    with pytest.raises(ValueError, match=re.escape(said)):
        card_shapes.check(proof, card)


def test_a_model_of_other_shapes_than_its_card_says_is_refused_with_both(backend, tiny, tmp_path):
    read = artifact.read(artifact_for(backend, tiny))
    card = changed(changed(read.card, "preprocessing.width", 25), "head.layer", "another")
    path = tmp_path / "artifact"
    path.write_bytes(artifact.pack(read.container, read.model, card, read.arrays))

    finished = run_camlite("explain", path, "none.png", "--backend", backend)

    assert finished.stderr.startswith(f"camlite: {path}: the model has outputs ")
    assert "for an image (16, 24, 1), its card says" in finished.stderr
    assert "for (16, 25, 1); export it again" in finished.stderr


def test_loading_says_nothing_on_standard_error(backend, tiny):
    finished = run_camlite("explain", artifact_for(backend, tiny), "none.png", "--backend", backend)

    assert finished.stderr == "camlite: none.png: no such file; check the path\n"


def test_a_number_of_threads_changes_no_answer(backend, tiny):
    source = (
        "import sys, numpy, camlite\n"
        "stripes = numpy.tile(numpy.arange(24) // 2 % 2 * 255, (16, 1)).astype('u1')\n"
        "one, two = (camlite.load(*sys.argv[1:], threads=threads).explain(stripes) for threads in (1, 2))\n"
        "print(one.label, two.label, abs(one.scores - two.scores).max() < 1e-6)"  # float32, summed in another order
    )

    finished = run_python(source, str(artifact_for(backend, tiny)), backend)

    assert finished.stdout == "vertical vertical True\n", finished.stderr


def test_the_memory_of_a_model_lives_for_as_long_as_any_part_of_its_interpreter_is_held(backend, tiny):
    source = (
        "import sys, numpy\n"
        "from camlite import artifact, backends\n"
        "read = artifact.read(sys.argv[1])\n"
        "whole = backends.open_interpreter(read, sys.argv[2])\n"
        "whole.image[:] = 0.5\n"
        "whole.invoke()\n"
        "part = backends.open_interpreter(read, sys.argv[2])\n"
        "invoke, image, results = part.invoke, part.image, part.results\n"
        "del part\n"
        "others = [numpy.full(size, 7, 'f4') for size in range(1, 4000)]\n"
        "image[:] = 0.5\n"
        "invoke()\n"
        "del others\n"
        "print(all((results[name] == whole.results[name]).all() for name in results))\n"
        "del image, results\n"
        "others = [numpy.full(size, 7, 'f4') for size in range(1, 4000)]\n"
        "invoke()\n"
        "print(all((other == 7).all() for other in others))"
    )

    finished = run_python(source, str(artifact_for(backend, tiny)), backend, env={"MALLOC_PERTURB_": "90"})

    assert (finished.returncode, finished.stdout) == (0, "True\nTrue\n"), finished.stderr


scales = st.floats(2**-12, 2**4, width=32)


def test_a_tensor_without_quantization_passes_numbers_through():
    tensor = Tensor("image", (3,), np.dtype(np.float32))
    numbers = np.array([-1.5, 0, 1e6], np.float32)

    assert np.array_equal(tensor.quantize(numbers), numbers)
    assert np.array_equal(tensor.dequantize(numbers), numbers)


def test_dequantized_numbers_are_a_copy_that_the_interpreter_does_not_reach():
    stored = np.array([1, 2], np.float32)

    real = Tensor("scores", (2,), np.dtype(np.float32)).dequantize(stored)
    stored[:] = 0

    assert np.array_equal(real, [1, 2])


@given(st.lists(st.integers(-128, 127), min_size=1), scales, st.integers(-128, 127))
def test_stored_numbers_survive_the_way_to_real_ones_and_back(stored, scale, zero_point):
    tensor = Tensor("scores", (len(stored),), np.dtype(np.int8), scale, zero_point)

    real = tensor.dequantize(np.array(stored, np.int8))

    assert real.dtype == np.float32
    np.testing.assert_allclose(real, [(number - zero_point) * scale for number in stored], rtol=1e-6)
    assert np.array_equal(tensor.quantize(real), stored)


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1), scales, st.integers(0, 255))
def test_real_numbers_are_stored_as_the_nearest_that_the_dtype_holds(real, scale, zero_point):
    tensor = Tensor("image", (len(real),), np.dtype(np.uint8), scale, zero_point)

    stored = tensor.quantize(np.array(real, np.float32))

    assert stored.dtype == np.uint8
    lowest, highest = ((edge - zero_point) * scale for edge in (0, 255))
    for number, back in zip(real, tensor.dequantize(stored), strict=True):
        # Half a step, and the rounding of number / scale, which is up to 4e6 here, to float32.
        assert abs(back - min(max(number, lowest), highest)) <= scale * 0.5 + abs(number) * 3e-7


@pytest.mark.parametrize("threads", [0, -1, 257, 1 << 40, 1.5, "2", None, True])
def test_a_number_of_threads_that_an_interpreter_cannot_have_is_refused(threads, tiny):
    with pytest.raises(BackendError, match="threads: expected a whole number from 1 to 256, received"):
        camlite.load(tiny / "stripes" / "stripes.int8.tflite", threads=threads)
