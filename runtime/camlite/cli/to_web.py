"""``camlite to-web``: a static web site that runs artifacts in the browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from camlite.cli import options
from camlite.show import say


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument("artifacts", nargs="+", type=Path, metavar="ARTIFACT", help=".onnx or .tflite files")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="the site; it appears whole or not")
    parser.add_argument(
        "--runtime",
        action="append",
        type=Path,
        required=True,
        metavar="DIR",
        help="node_modules/onnxruntime-web for .onnx, node_modules/@litertjs/core for .tflite; may be given twice",
    )
    options.add_trusted(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the site."""
    from camlite.website import site, writing

    files = site.content(arguments.artifacts, arguments.runtime, arguments.trusted)
    writing.write(arguments.output, files)
    size = sum(map(len, files.values())) / 1e6
    say.line(
        f"{arguments.output}: {len(files)} files, {size:.1f} MB",
        f"look at it: python3 -m http.server --directory {arguments.output}",
    )
    return 0
