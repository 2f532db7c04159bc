"""Whatever numbers an artifact and its outputs hold: no function reads or writes beside a buffer, none computes what C
does not define, and what is said to be right is finite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support import c_programs

SWITCHES = sorted(set(re.findall(r"#ifndef (CAMLITE_WITH_\w+)", (c_programs.RUNTIME / "camlite.c").read_text())))
BUILDS = {"everything": (), "int8 only": ("-DPLAIN=1", *(f"-D{switch}=0" for switch in SWITCHES))}
OK, BAD_ARTIFACT, BAD_TENSOR, BAD_SIZE, NO_SUCH_CLASS, NOT_FINITE, RUN_FAILED, NO_SAMPLES, UNFIT, CHECK_FAILED = range(
    10
)
ALWAYS = OK, BAD_ARTIFACT, BAD_TENSOR, NOT_FINITE
# What each function can say.
SAYS = {
    "top": ALWAYS,
    "contrast": (*ALWAYS, BAD_SIZE, NO_SUCH_CLASS),
    "evidence": (*ALWAYS, BAD_SIZE, NO_SUCH_CLASS),
    "completeness": (*ALWAYS, BAD_SIZE),
    "heatmap": (OK, BAD_ARTIFACT, BAD_SIZE, NOT_FINITE),
    "check": (*ALWAYS, BAD_SIZE, RUN_FAILED, NO_SAMPLES, UNFIT, CHECK_FAILED),
}


@pytest.fixture(scope="module", params=BUILDS.values(), ids=BUILDS.keys())
def program(request, tmp_path_factory) -> Path:
    sources = [c_programs.PROGRAMS / "fuzz.c", c_programs.RUNTIME / "camlite.c"]
    options = *c_programs.SANITIZED, "-fsanitize=float-cast-overflow", *request.param
    return c_programs.compiled(tmp_path_factory.mktemp("fuzz") / "fuzz", sources, *options)


def rounds(program: Path, seed: int, count: int) -> dict[tuple[str, int], int]:
    """(function, status) -> how often."""
    said = c_programs.run([program, str(seed), str(count)], env=c_programs.sanitizing()).stdout
    rows = [tuple(map(int, line.split())) for line in said.splitlines()]
    return {(list(SAYS)[function], status): times for function, status, times in rows}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.endurance) for seed in range(2, 12))])
def test_nothing_is_read_or_written_beside_a_buffer(seed, program):
    found = rounds(program, seed, 10_000 if seed == 1 else 400_000)

    assert {key for key, times in found.items() if times} == {(one, status) for one in SAYS for status in SAYS[one]}
