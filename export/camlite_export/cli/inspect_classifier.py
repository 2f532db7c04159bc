"""``camlite inspect MODEL.keras``: the journey of the image through the layers."""

from __future__ import annotations

import argparse

import camlite_export
from camlite.show import say
from camlite_export.cli import options
from camlite_export.cli.export import warnings_as_lines
from camlite_export.cli.waiting import STAGE, waiting


def run(arguments: argparse.Namespace) -> int:
    """Print a row a layer, and where the classifier is cut."""
    size = options.size(arguments.size) if arguments.size else None
    with waiting(STAGE), warnings_as_lines():
        found = camlite_export.inspect(
            arguments.file,
            layer=options.layer(arguments.layer),
            size=size,
            trust=arguments.trust,
            structure=arguments.structure,
        )
    if arguments.json:
        say.record(found.to_dict())
        return 0
    say.table(found.HEADER, list(found.rows()))
    say.line("", *found.lines())
    return 0
