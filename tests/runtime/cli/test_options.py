"""`camlite.cli.options`: what the numbers of the command line may be."""

from __future__ import annotations

import pytest

from camlite.cli import options


def test_a_time_is_above_0_and_ends():
    assert options.seconds("0.5") == 0.5
    for text in ("0", "-1", "inf", "nan", "soon"):
        with pytest.raises(ValueError):  # noqa: PT011  (argparse makes its line of it)
            options.seconds(text)
