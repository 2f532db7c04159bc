"""docs/doors.md: who opens what, held against the programs that are installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from support import doors, spec_vectors

PAGE = Path(__file__).parents[1] / "docs" / "doors.md"


def written() -> Mapping[str, Mapping[str, str]]:
    """The table of the page: artifact -> program -> what is said of it."""
    header, _, *lines = PAGE.read_text().split(doors.BEGIN)[1].split(doors.END)[0].strip().splitlines()
    rows = [cells_of(line) for line in lines]
    return {row[0].strip("`"): dict(zip(cells_of(header)[1:], row[1:], strict=True)) for row in rows}


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def kind_of(cell: str) -> str:
    """What a cell promises, without a program's own words, which change with its version."""
    return "no" if cell.startswith("no: ") else re.sub(r"[-\d.e]+$", "", cell)


def within(cell: str) -> float:
    found = re.search(r"scores within (\S+)$", cell)
    return float(found[1]) if found else 0.0


def is_kept(said: str, promised: str) -> bool:
    """A program that is not installed breaks no promise."""
    return said == "not installed" or (kind_of(said) == kind_of(promised) and within(said) <= 2 * within(promised))


def test_the_table_has_a_row_for_every_artifact_and_a_column_for_every_program():
    table = written()

    assert tuple(table) == doors.KINDS
    assert all(tuple(row) == doors.COLUMNS for row in table.values())
    cells = [cell for row in table.values() for cell in row.values()]
    assert all(cell and "not installed" not in cell and "ANOTHER" not in cell for cell in cells)
    assert all(row["camlite"] == "opens, verifies, explains" for row in table.values())


@pytest.mark.parametrize("program", ["LiteRT", "OpenCV dnn"])
def test_programs_that_are_installed_say_of_the_test_vector_what_the_table_says(program, tmp_path):
    """It is the classifier of the table."""
    artifact, pixels = spec_vectors.FOLDER / "described.float32.tflite", tmp_path / "pixels.npy"
    np.save(pixels, np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8))

    expected = doors.asked("camlite", artifact, pixels)
    said = doors.said(doors.asked(program, artifact, pixels), expected)

    assert isinstance(expected, list), expected
    assert is_kept(said, written()["float32.tflite"][program]), said


@pytest.mark.endurance
def test_every_program_that_is_installed_says_what_the_table_says(tmp_path):
    """TensorFlow exports the classifier anew; see `support.doors` for programs in Pythons of their own."""
    rows = [cells_of(line) for line in doors.table(tmp_path).splitlines()[2:]]
    promised = written()

    for name, *cells in rows:
        for program, said in zip(doors.COLUMNS, cells, strict=True):
            assert is_kept(said, promised[name.strip("`")][program]), (name, program, said)


def test_a_broken_promise_is_noticed():
    promised = "same class, scores within 1e-6"

    assert is_kept("same class, scores within 1e-6", promised)
    assert not is_kept("same class, scores within 0.06", promised)
    assert not is_kept("ANOTHER CLASS, scores within 1e-6", promised)
    assert not is_kept("no: it does not open", promised)
    assert not is_kept(promised, "no: it does not open")
    assert is_kept("no: it says so in other words", "no: it does not open")
