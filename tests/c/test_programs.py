"""What `camlite to-c` writes, compiled and run: on this machine by two compilers, and on three emulated boards."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact as artifacts
from camlite import backends
from camlite.artifact import Artifact
from camlite.maps.resize import Resizing, heatmap
from camlite_export.cli import to_c
from support import c_cases, c_figures, c_programs, spec_vectors
from support.c_cases import Case
from support.c_programs import BOARDS, COMPILERS, SANITIZED

REAL = 1e-5
NAMES = ["stripes.int8", "bgr.int8", "places.int8", "stripes.float32", "bgr.float32", "places.float32"]
# By default each kind of artifact once, by one of the compilers; by each of them with `-m endurance`.
COMPILED = [
    pytest.param(name, compiler, marks=() if number % 2 == COMPILERS.index(compiler) else pytest.mark.endurance)
    for number, name in enumerate(NAMES)
    for compiler in COMPILERS
]
LEVELS = {"m3": "-Os", "m4f": "-O2", "m7": "-Os"}


def golden_of(path: Path, run) -> list[Case]:
    """Golden samples through an interpreter."""
    if not backends.installed("tflite"):
        pytest.skip("no TFLite interpreter is installed")
    return run(backends.installed("tflite")[0], c_cases.golden, path, backends.installed("tflite")[0])


def of_vector(name: str) -> list[Case]:
    """The stored outputs of a vector's pictures."""
    told = json.loads((spec_vectors.FOLDER / f"{name}.tflite.json").read_text())
    block = (spec_vectors.FOLDER / f"{name}.tflite.bin").read_bytes()
    made = []
    for case in told["cases"]:
        input_, evidence = (spec_vectors.array(case[one], block) for one in ("input", "evidence"))
        features, scores = (spec_vectors.array(case["outputs"][one], block) for one in ("features", "scores"))
        made.append(Case(input_, features, scores, evidence, case["explanation"]["completeness"]))
    return made


@pytest.fixture(scope="module")
def written(tmp_path_factory, run):
    """Write a vector as C: folder, definitions, artifact, and cases: those of its pictures, then its golden samples."""

    @functools.cache
    def write(name):
        path = spec_vectors.FOLDER / f"{name}.tflite"
        read, cases = artifacts.read(path), of_vector(name)
        folder = tmp_path_factory.mktemp(name)
        golden = golden_of(path, run)
        return folder, c_cases.write(folder, read, [*cases, *golden], len(cases)), read, [*cases, *golden]

    return write


def check(said: str, read: Artifact, cases: list[Case]) -> None:
    """Hold what answers.c says against what Python says of the same outputs."""
    answers, checked, statuses = c_cases.read(said, (read.card.head.height, read.card.head.width))
    assert set(statuses) == {0}
    assert len(answers) == len(cases)
    for answer, case in zip(answers, cases, strict=True):
        largest = np.abs(case.evidence).max()
        assert np.abs(answer.evidence - case.evidence).max() <= REAL * largest
        assert np.abs(answer.contrast - (case.evidence - case.evidence[answer.top])).max() <= 2 * REAL * largest
        assert abs(answer.completeness - case.completeness) <= REAL * max(1, abs(answer.score))
        assert answer.top == int(case.scores.argmax())
        for size, heat in answer.heat.items():
            expected = heatmap(case.evidence[answer.top], Resizing(case.evidence[0].shape, size, read.card.head.window))
            assert np.abs(heat - np.rint(255 * expected)).max() <= 1
    assert checked.startswith("check 0 failed 0 ")


@pytest.mark.parametrize(("name", "compiler"), COMPILED)
def test_a_vector_on_this_machine_is_explained_as_python_explains_it(name, compiler, written, tmp_path):
    folder, defined, read, cases = written(name)
    program = c_programs.compiled(
        tmp_path / "answers",
        c_cases.sources(folder, defined),
        *(SANITIZED if compiler == "gcc" else ("-O2",)),  # Debian's clang has no sanitizers of its own
        *c_cases.options(defined),
        compiler=compiler,
    )

    check(c_programs.run([program], env=c_programs.sanitizing()).stdout, read, cases)


def said_by_all(folder: Path, defined: dict[str, str], target: Path, levels: list[tuple[str, str]]) -> dict[str, str]:
    sources, options = c_cases.sources(folder, defined), c_cases.options(defined)
    said = {
        f"{compiler} {level}": c_programs.run(
            [c_programs.compiled(target / "here", sources, level, *options, compiler=compiler)]
        ).stdout
        for compiler, level in (("gcc", "-O3"), ("clang", "-O2"))
    }
    for board, level in levels:
        program = c_programs.for_board(target / "there", sources, board, level, "-std=gnu99", *options)
        said[f"{board} {level}"] = c_programs.on_board(program, board)
    return said


def test_what_it_says_is_the_same_to_the_bit_on_all_boards(written, tmp_path):
    """Also where a compiler may fuse a product and a sum (`gnu99`): Cortex-M4 and M7 have an instruction for it."""
    said = said_by_all(*written("stripes.int8")[:2], tmp_path, list(LEVELS.items()))

    assert len(set(said.values())) == 1, {one: hash(text) for one, text in said.items()}


@pytest.mark.endurance
@pytest.mark.parametrize("name", NAMES)
def test_what_it_says_is_the_same_to_the_bit_whatever_the_options(name, written, tmp_path):
    levels = [(board, level) for board in BOARDS for level in ("-O0", "-Os", "-O2", "-O3")]
    said = said_by_all(*written(name)[:2], tmp_path, levels)

    assert len(set(said.values())) == 1, {one: hash(text) for one, text in said.items()}


# --- What it costs ----------------------------------------------------------------------------------------------------

COSTLY = [pytest.param(name, marks=() if name == "stripes.int8" else pytest.mark.endurance) for name in NAMES]


@pytest.mark.parametrize("name", COSTLY)
def test_code_and_stack_are_what_to_c_prints(name, written, tmp_path):
    """It prints what int8 takes; other kinds take more code, as docs/microcontrollers.md says."""
    folder, defined, read, _ = written(name)
    plain = read.card.precision == "int8" and not name.startswith("places")
    code = {board: sum(c_programs.code(folder / "camlite.c", board, "-Os").values()) for board in BOARDS}
    stack = max(cost.stack for board in BOARDS for cost in costs_of(folder, defined, board, tmp_path).values())

    assert all(0.7 * to_c.CODE <= size <= (1 if plain else 1.4) * to_c.CODE for size in code.values()), code
    assert 0.7 * to_c.STACK <= stack <= to_c.STACK


@pytest.mark.parametrize("board", BOARDS)
def test_what_explains_an_int8_artifact_takes_at_most_2_kilobytes_of_code(board, written):
    """As gcc 12 compiles it: 2,036 bytes for a Cortex-M3. `camlite_check` and `camlite_contrast` come on top."""
    code = c_programs.code(written("stripes.int8")[0] / "camlite.c", board, "-Os")

    explains = {function: size for function, size in code.items() if function not in c_figures.BESIDE}
    assert {"camlite_top", "camlite_evidence", "camlite_completeness", "camlite_heatmap"} < set(explains)
    assert sum(explains.values()) <= 2048, explains


@pytest.mark.parametrize(
    "board", [pytest.param("m3", marks=pytest.mark.endurance), "m4f", pytest.param("m7", marks=pytest.mark.endurance)]
)
def test_instructions_are_counted_one_by_one(board, written, tmp_path):
    folder, defined, read, _ = written("stripes.int8")
    found = costs_of(folder, defined, board, tmp_path)

    assert {cost.status for cost in found.values()} == {0}
    assert found["known"].instructions == 4001
    products = read.card.head.height * read.card.head.width * read.card.head.channels
    assert products < found["evidence"].instructions < 40 * products + 1000
    assert 2 * 28 * 28 < found["heatmap"].instructions < 150 * 28 * 28


def costs_of(folder: Path, defined: dict[str, str], board: str, target: Path) -> dict[str, c_programs.Cost]:
    sources = c_cases.sources(folder, defined, "cost.c")
    program = c_programs.for_board(target / f"cost-{board}", sources, board, "-Os", *c_cases.options(defined))
    return c_programs.costs(program, board)
