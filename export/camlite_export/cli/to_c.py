"""``camlite to-c``: an artifact as C source text for microcontrollers."""

from __future__ import annotations

import argparse
from pathlib import Path

from camlite import artifact
from camlite.cli import options
from camlite.show import say
from camlite_export import output_folder
from camlite_export.to_c import converting

# Of camlite.c with its self-check, on Cortex-M at -Os: measured, see docs/microcontrollers.md.
CODE, STACK = 2600, 700

EXAMPLES = ("camlite to-c flowers/flowers.int8.tflite --output firmware",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifact", type=Path, help="a .tflite artifact: int8, int16x8 or float32")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the files")
    parser.add_argument(
        "--samples", type=_count, metavar="N", help="include at most N golden samples (default: all), 0 for none"
    )
    options.add_trusted(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the files, and say what they take of flash and RAM."""
    read = artifact.read(arguments.artifact, arguments.trusted)
    made = converting.convert(read, arguments.samples)
    output_folder.write_all(arguments.output, made.files)
    for name in made.files:
        say.line(str(arguments.output / name))
    rows = [("flash", what, f"{size:,}") for what, size in made.flash.items()]
    rows += [("flash", "camlite.c, about", f"{CODE:,}")]
    rows += [("RAM", what, f"{size:,}") for what, size in made.ram.items()]
    rows += [("RAM", "stack of camlite.c, about", f"{STACK:,}")]
    say.table(("memory", "for", "bytes"), rows)
    for operator in made.without_kernel:
        say.notice(f"TensorFlow Lite Micro has no kernel for {operator}; use another interpreter, or another network")
    return 0


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


_count.__name__ = "whole number from 0 on"  # argparse puts it into its message
