"""`camlite.show.table`: aligned columns."""

from __future__ import annotations

import pytest

from camlite.show.table import table


def test_columns_are_aligned_two_spaces_apart_and_numbers_to_the_right():
    text = table(["name", "kB", "note"], [["a", "5.0", ""], ["longer", "405.8", "x"]])

    assert text.splitlines() == [
        "name       kB  note",
        "a         5.0",
        "longer  405.8  x",
    ]


def test_a_table_without_rows_is_its_header():
    assert table(["a", "b"], []) == "a  b"


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="zip"):
        table(["a", "b"], [["1", "2"], ["3"]])
