"""What `camlite to-c` writes, compiled and run: on this machine by two compilers, and on three emulated boards."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from camlite import artifact as artifacts
from camlite import backends
from camlite.artifact import Artifact
from camlite.maps.resize import Resizing, heatmap
from support import c_cases, c_programs, spec_vectors
from support.c_cases import Case
from support.c_programs import BOARDS, COMPILERS, SANITIZED

REAL = 1e-5
NAMES = ["stripes.int8", "bgr.int8", "places.int8", "stripes.float32", "bgr.float32", "places.float32"]


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
    """Name -> folder, definitions, artifact and cases: those of a vector's pictures, then its golden samples."""
    made = {}
    for name in NAMES:
        path = spec_vectors.FOLDER / f"{name}.tflite"
        read, cases = artifacts.read(path), of_vector(name)
        folder = tmp_path_factory.mktemp(name)
        golden = golden_of(path, run)
        made[name] = folder, c_cases.write(folder, read, [*cases, *golden], len(cases)), read, [*cases, *golden]
    return made


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


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", NAMES)
def test_a_vector_on_this_machine_is_explained_as_python_explains_it(name, compiler, written, tmp_path):
    folder, defined, read, cases = written[name]
    program = c_programs.compiled(
        tmp_path / "answers",
        c_cases.sources(folder, defined),
        *(SANITIZED if compiler == "gcc" else ("-O2",)),  # Debian's clang has no sanitizers of its own
        *c_cases.options(defined),
        compiler=compiler,
    )

    check(c_programs.run([program], env=c_programs.sanitizing()).stdout, read, cases)


@pytest.mark.parametrize("name", ["stripes.int8", "places.float32"])
def test_what_it_says_is_the_same_to_the_bit_on_all_boards_whatever_the_options(name, written, tmp_path):
    """Also where a compiler may fuse a product and a sum (`gnu99`): Cortex-M4 and M7 have an instruction for it."""
    folder, defined, _, _ = written[name]
    sources, options = c_cases.sources(folder, defined), c_cases.options(defined)
    said = {
        f"{compiler} {level}": c_programs.run(
            [c_programs.compiled(tmp_path / "here", sources, level, *options, compiler=compiler)]
        ).stdout
        for compiler, level in (("gcc", "-O3"), ("clang", "-O2"))
    }
    for board in BOARDS:
        for level in ("-Os", "-O2"):
            program = c_programs.for_board(tmp_path / "there", sources, board, level, "-std=gnu99", *options)
            said[f"{board} {level}"] = c_programs.on_board(program, board)

    assert len(set(said.values())) == 1, {one: hash(text) for one, text in said.items()}
