"""``camlite to-web``: a static web site that runs artifacts in the browser."""

from __future__ import annotations

import argparse
from pathlib import Path

from camlite.cli import options, several
from camlite.cli.several import Several
from camlite.show import say
from camlite.texts import counted

EXAMPLES = ("camlite to-web flowers/flowers.float32.onnx --output site --runtime node_modules/onnxruntime-web",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    several.add_artifacts(parser)
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for the site")
    parser.add_argument(
        "--runtime",
        action="append",
        type=Path,
        required=True,
        metavar="DIR",
        help="library that runs artifacts in the browser: node_modules/onnxruntime-web for .onnx, "
        "node_modules/@litertjs/core for .tflite; may be given twice",
    )
    options.add_trusted(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the site; 2 where a folder has artifacts that it cannot have, without these."""
    from camlite.website import site, writing
    from camlite.website.libraries import library_in

    runtimes = [library_in(folder) for folder in arguments.runtime]
    artifacts = Several([path for path in arguments.artifacts if path.is_dir()])
    able = [path for path in arguments.artifacts if not path.is_dir()]  # a site without one of them is not wanted
    for path in artifacts.each("reading"):
        with artifacts.one(path):
            site.check(path, runtimes, arguments.trusted)
            able.append(path)
    if not able:
        return artifacts.status
    say.progress(f"writing {arguments.output}", last=False)
    files = site.content(able, arguments.runtime, arguments.trusted)
    writing.write(arguments.output, files)
    size = sum(map(len, files.values())) / 1e6
    say.line(
        f"{arguments.output}: {counted(len(files), 'file')}, {size:.1f} MB",
        f"look at it: python3 -m http.server --directory {arguments.output}",
    )
    return artifacts.status
