"""`camlite.show.terminal`: pictures as text."""

from __future__ import annotations

import re

import numpy as np
import pytest

from camlite.show import terminal

pytest.importorskip("PIL")

CELL = re.compile(r"\x1b\[38;([\d;]+);48;([\d;]+)m▀")


def xterm(number: int) -> tuple[int, int, int]:
    """One of xterm's colours from 16 on, by their definition."""
    if number >= 232:
        return ((number - 232) * 10 + 8,) * 3
    levels = (0, 95, 135, 175, 215, 255)
    number -= 16
    return levels[number // 36], levels[number // 6 % 6], levels[number % 6]


def test_two_pixels_stand_in_each_cell():
    pixels = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3) * 7

    lines = terminal.coloured(pixels, 3, "truecolor").splitlines()

    cells = [CELL.findall(line) for line in lines]
    received = np.array([[[c.split(";")[1:] for c in cell] for cell in row] for row in cells], np.uint8)
    assert np.array_equal(received.swapaxes(1, 2).reshape(4, 3, 3), pixels)


def test_of_256_colours_none_is_nearer():
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (20, 20, 3)).astype(np.uint8)
    palette = np.array([xterm(number) for number in range(16, 256)], int)

    numbers = re.findall(r"[34]8;5;(\d+)", terminal.coloured(pixels, 20, "256"))

    received = np.array([xterm(int(number)) for number in numbers]).reshape(10, 20, 2, 3).swapaxes(1, 2).reshape(-1, 3)
    off = np.abs(received - pixels.reshape(-1, 3).astype(int)).sum(axis=1)
    best = np.abs(palette[np.newaxis] - pixels.reshape(-1, 1, 3).astype(int)).sum(axis=2).min(axis=1)
    assert np.array_equal(off, best)


def test_hotter_is_darker_in_characters_and_the_frame_is_closed():
    lines = terminal.plain(np.tile(np.linspace(0, 1, 40, dtype=np.float32), (40, 1)), 20).splitlines()

    assert {len(line) for line in lines} == {22}
    assert lines[0] == lines[-1] == f"+{'-' * 20}+"
    places = [" .:-=+*#%@".index(character) for character in lines[1][1:-1]]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 9)


def test_a_picture_however_flat_has_a_line():
    assert len(terminal.coloured(np.zeros((1, 500, 3), np.uint8), 30, "256").splitlines()) == 1
