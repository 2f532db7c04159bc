"""``camlite to-c``: what is written, what is refused, and that nothing of an artifact becomes code."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact as artifacts
from camlite.artifact import pack
from camlite.soundness import tflite_rules
from camlite_export.to_c import c_text, converting, model_tensors
from support import c_programs, spec_vectors
from support.fresh_process import one_line, run_camlite

VECTOR = spec_vectors.FOLDER / "stripes.int8.tflite"
EXAMPLES = {"example_features.c", "example_tflm.cpp", "example_linux.c", "example_litert.h"}
FILES = {"stripes.h", "stripes.c", "camlite.h", "camlite.c"} | EXAMPLES


def to_c(path, folder, *options):
    return run_camlite("to-c", path, "--output", folder, *options)


def changed(tmp_path, name="stripes.int8.tflite", arrays=None, **card):
    """A vector whose card or arrays say something else, sealed again."""
    read = artifacts.read(spec_vectors.FOLDER / name)
    path = tmp_path / name
    path.write_bytes(
        pack(read.container, read.model, read.card._replace(**card), read.arrays._replace(**(arrays or {})))
    )
    return path


def test_it_writes_the_files_and_says_what_memory_they_take(tmp_path):
    finished = to_c(VECTOR, tmp_path / "out")

    assert (finished.returncode, finished.stderr) == (0, "")
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    said = finished.stdout
    assert all(str(tmp_path / "out" / name) in said for name in FILES)
    assert re.search(r"flash +model +3,496\n", said)
    assert re.search(r"RAM +a map +96\n", said)


def test_the_model_and_its_weights_are_stored_once():
    """Class weights are read in the model's own bytes."""
    read = artifacts.read(VECTOR)
    text = converting.convert(read).files["stripes.c"].decode()

    model = text.partition("stripes_model[3496]")[2].partition("{")[2].partition("}")[0]
    assert bytes(map(int, model.replace("\n", "").strip(" ,").split(","))) == bytes(read.model)
    stored = read.arrays.stored_weights
    assert f"stripes_model + {stored.offset}, {read.arrays.weights.size}, CAMLITE_INT8" in text
    assert "weights[" not in text


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("stripes.float16.tflite", "precision float16, which no interpreter for microcontrollers computes"),
        ("graph.int8.tflite", "its evidence (graph) comes out of the model's own graph"),
        ("hidden.float32.tflite", "its evidence (gradient) comes out of"),
        ("pieces.float32.tflite", "its evidence (gradient) comes out of"),
        ("many.float32.tflite", "its evidence (gradient_top) comes out of"),
        ("guided.int8.tflite", "it has fine maps, which the C runtime does not make; export with --maps cam"),
        ("stripes.int8.onnx", "an ONNX artifact; microcontrollers run .tflite"),
    ],
)
def test_what_a_microcontroller_cannot_run_is_refused_in_one_line(name, reason, tmp_path):
    path = spec_vectors.FOLDER / name
    line = one_line(to_c(path, tmp_path / "out"))

    assert line.startswith(f"camlite: {path}: {reason}")
    assert not (tmp_path / "out").exists()


def test_dynamic_range_is_refused(tmp_path):
    assert "precision dynamic" in one_line(to_c(changed(tmp_path, precision="dynamic"), tmp_path / "out"))


def test_a_damaged_file_and_one_of_an_unknown_key_are_refused(tmp_path):
    path = tmp_path / "damaged.tflite"
    path.write_bytes(VECTOR.read_bytes()[:-1])
    key = tmp_path / "no.pub"

    one_line(to_c(path, tmp_path / "out"))
    one_line(to_c(VECTOR, tmp_path / "out", "--trusted", key))
    assert not (tmp_path / "out").exists()


def test_the_header_tells_how_a_picture_becomes_the_input():
    read = artifacts.read(VECTOR)
    pixels = read.card.preprocessing

    def said(**changes):
        card = read.card._replace(preprocessing=pixels._replace(**changes))
        return dict(re.findall(r"#define STRIPES_(\w+)(?:\(DATA\))? (.+)", c_sources_header(read._replace(card=card))))

    assert said()["FIT_CROP"].startswith("0 ")
    assert said(fit="crop")["FIT_CROP"].startswith("1 ")
    assert (said()["HEIGHT"].split()[0], said()["WIDTH"]) == ("8", "12")
    assert said()["BGR"].startswith("0 ")
    assert said()["CHANNELS_FIRST"].startswith("0 ")
    assert said()["INPUT"] == "{(DATA), 96, CAMLITE_UINT8, 0.0032602849f, 0}"


def c_sources_header(artifact):
    return converting.convert(artifact).files["stripes.h"].decode()


def test_samples_are_left_out_where_flash_is_short(tmp_path):
    read = artifacts.read(VECTOR)

    assert ".golden = {4, golden_inputs" in converting.convert(read).files["stripes.c"].decode()
    assert ".golden = {1, golden_inputs" in converting.convert(read, 1).files["stripes.c"].decode()
    assert ".golden = {0, NULL, 0, NULL, NULL, NULL" in converting.convert(read, 0).files["stripes.c"].decode()
    assert "0 golden samples" in to_c(VECTOR, tmp_path / "out", "--samples", "0").stdout
    one_line(to_c(VECTOR, tmp_path / "out", "--samples", "-1"))


def test_where_it_cannot_write_nothing_is_there(tmp_path):
    (tmp_path / "file").write_text("mine")

    assert "cannot write there" in one_line(to_c(VECTOR, tmp_path / "file"))
    (tmp_path / "out" / "camlite.c").mkdir(parents=True)
    one_line(to_c(VECTOR, tmp_path / "out"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["camlite.c"]
    assert (tmp_path / "file").read_text() == "mine"


# --- Texts of an artifact ---------------------------------------------------------------------------------------------

NAMES = [
    "Fashion-MNIST 28 x 28", "int", "class", "labels", "map", "image", "index", "time", "printf", "EOF", "string",
    "size_t", "acos", "int8", "picture", "prepare", "turbojpeg", "typeof", "con", "example_tflm", "example_litert",
    "camlite", "camlite_top", "3d", "../../up", "*/ int evil; /*", "Füße", "図", "", "_", "a" * 300,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_becomes_one_that_compiles_as_c_and_in_cpp(name, tmp_path):
    files = converting.convert(_named(name)).files
    for one, content in files.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*\.(c|h|cpp)", one)
        (tmp_path / one).write_bytes(content)
    (made,) = {one.removesuffix(".h") for one in files if one.endswith(".h")} - {"camlite", "example_litert"}
    (tmp_path / "use.cpp").write_text(f'#include "{made}.h"\nint main() {{ return {made}.labels[0][0] == 0; }}\n')

    sources = [tmp_path / "example_features.c", tmp_path / f"{made}.c", tmp_path / "camlite.c"]
    program = c_programs.compiled(tmp_path / "explain", sources)
    c_programs.run([c_programs.tool("g++"), "-Wall", "-Wextra", "-Werror", "-fsyntax-only", tmp_path / "use.cpp"])
    if Path("/usr/include/turbojpeg.h").exists():
        c_programs.run(["gcc", *c_programs.STRICT, "-fsyntax-only", tmp_path / "example_linux.c"])
    finished = subprocess.run([program], capture_output=True, text=True)
    assert finished.returncode == 2
    assert "usage" in finished.stderr


def _named(name):
    read = artifacts.read(VECTOR)
    return read._replace(card=read.card._replace(name=name))


TEXTS = [
    'say "hi"', "back\\slash", "*/ int evil; /*", "what??/ trigraph ??'", "Füße 図 😀", "%s%n", "tab\tend", "a" * 5000,
]  # fmt: skip


def test_a_text_is_a_string_and_nothing_else(tmp_path):
    read = artifacts.read(VECTOR)
    card = read.card._replace(labels=tuple(TEXTS[:3]), unfit=TEXTS[3])
    texts = ", ".join(c_text.string(text) for text in TEXTS)
    for one, content in converting.convert(read._replace(card=card)).files.items():
        (tmp_path / one).write_bytes(content)
    (tmp_path / "main.c").write_text(
        f'#include <stdio.h>\n#include "stripes.h"\nstatic const char *const texts[] = {{{texts}}};\n'
        "int main(void) { unsigned n; puts(stripes.labels[2]); puts(stripes.unfit);"
        " for (n = 0; n < sizeof texts / sizeof *texts; n++) puts(texts[n]); return 0; }\n"
    )

    program = c_programs.compiled(tmp_path / "texts", [tmp_path / "main.c", tmp_path / "stripes.c"])

    long = "a" * 997 + "..."
    assert c_programs.run([program]).stdout.splitlines() == [TEXTS[2], TEXTS[3], *TEXTS[:-1], long]


def test_every_float_is_read_back_to_the_bit(tmp_path):
    numbers = np.random.default_rng(0).integers(0, 2**32, 2000, np.uint32).view(np.float32)
    numbers = np.concatenate([numbers[np.isfinite(numbers)], np.float32([0, -0.0, 1, 1e-45, 3.4028235e38])])
    (tmp_path / "main.c").write_text(
        "#include <stdio.h>\n#include <string.h>\n"
        f"static const float numbers[] = {{\n{''.join(c_text.numbers(numbers))}}};\n"
        "int main(void) { unsigned n, bits; for (n = 0; n < sizeof numbers / 4; n++) {"
        ' memcpy(&bits, &numbers[n], 4); printf("%u\\n", bits); } return 0; }\n'
    )

    said = c_programs.run([c_programs.compiled(tmp_path / "floats", [tmp_path / "main.c"])]).stdout

    assert [int(line) for line in said.split()] == numbers.view(np.uint32).tolist()


def test_the_example_explains_features_from_files(tmp_path):
    told = json.loads((spec_vectors.FOLDER / "stripes.int8.tflite.json").read_text())
    block = (spec_vectors.FOLDER / "stripes.int8.tflite.bin").read_bytes()
    case = told["cases"][0]
    for name in ("features", "scores"):
        (tmp_path / name).write_bytes(spec_vectors.array(case["outputs"][name], block).tobytes())
    to_c(VECTOR, tmp_path / "out")
    sources = [tmp_path / "out" / name for name in ("example_features.c", "stripes.c", "camlite.c")]
    program = c_programs.compiled(tmp_path / "explain", sources)

    said = c_programs.run([program, "features", "scores"], cwd=tmp_path).stdout.splitlines()

    assert said[0].startswith(f"{case['explanation']['label']} {case['explanation']['score']:.3f}, evidence adds up")
    assert [len(line) for line in said[1:]] == [24] * 24
    finished = subprocess.run([program, "scores", "scores"], cwd=tmp_path, capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (2, "scores: 3 bytes, expected 96\n")


def test_the_runtime_is_copied_with_what_the_artifact_needs_only():
    files = converting.convert(artifacts.read(VECTOR)).files
    source = (converting.RUNTIME / "camlite.c").read_bytes()

    assert files["camlite.h"] == (converting.RUNTIME / "camlite.h").read_bytes()
    assert files["camlite.c"].endswith(source)
    switches = set(re.findall(rb"#ifndef (CAMLITE_WITH_\w+)", source))
    left_out = set(re.findall(rb"#define (CAMLITE_WITH_\w+) 0\n", files["camlite.c"]))
    assert left_out < switches
    assert b"CAMLITE_WITH_FLOAT32" in left_out


def test_all_words_of_the_examples_are_replaced():
    for name, content in converting.convert(artifacts.read(VECTOR)).files.items():
        if name.startswith("example"):
            assert not re.search(rb"camlite_name|CAMLITE_NAME|CAMLITE_OPERATOR", content), name


def test_operators_are_added_by_the_names_of_tensorflow_lite_micro():
    example = converting.convert(artifacts.read(VECTOR)).files["example_tflm.cpp"].decode()

    assert "MicroMutableOpResolver<" in example
    added = re.findall(r"resolver\.(\w+)\(\);", example)
    assert f"MicroMutableOpResolver<{len(added)}>" in example
    assert {"AddConv2D", "AddMean", "AddFullyConnected", "AddSoftmax"} <= set(added)


TFLM_HEADERS = [
    *(f"micro/{name}.h" for name in ("micro_interpreter", "micro_mutable_op_resolver", "system_setup")),
    "schema/schema_generated.h",
]


@pytest.mark.parametrize("name", ["stripes.int8", "bgr.float32"])
@pytest.mark.parametrize("compiler", c_programs.COMPILERS)
def test_the_example_for_tensorflow_lite_micro_compiles_against_its_declarations(name, compiler, tmp_path):
    """Its own headers are in no registry; what it uses of them is in tflm_declarations.h."""
    to_c(spec_vectors.FOLDER / f"{name}.tflite", tmp_path / "out")
    declarations = c_programs.PROGRAMS / "tflm_declarations.h"
    for one in TFLM_HEADERS:
        header = tmp_path / "tensorflow/lite" / one
        header.parent.mkdir(parents=True, exist_ok=True)
        header.write_text(f'#include "{declarations}"\n')
    options = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", f"-I{tmp_path}"]

    c_programs.run([c_programs.tool(compiler), "-x", "c++", *options, tmp_path / "out/example_tflm.cpp"])


def test_every_operator_is_declared_or_said_to_be_missing():
    declared = set(re.findall(r"ADD\((\w+)\)", (c_programs.PROGRAMS / "tflm_declarations.h").read_text()))
    calls = {rule.name: model_tensors.resolver_call(rule.name) for rule in tflite_rules.RULES.values()}

    assert {call.removeprefix("Add") for call in calls.values() if call} == declared - {"NAME"}
    assert {name for name, call in calls.items() if not call} == {"GELU", "ONE_HOT", "POW", "SELECT", "SIGN", "TILE"}
