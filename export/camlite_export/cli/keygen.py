"""``camlite keygen``: the keys that artifacts are signed with."""

from __future__ import annotations

import argparse
from pathlib import Path

from camlite.errors import CamliteError
from camlite.show import say
from camlite_export import signing

EXAMPLES = ("camlite keygen maker",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "name", type=Path, metavar="NAME", help="writes NAME.key (keep it secret) and NAME.pub (for devices)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make both, and say what each is for."""
    if not arguments.name.name:
        raise CamliteError(f"{arguments.name}: is a folder, expected the NAME of two files, such as keys/mine")
    private, public = (arguments.name.with_name(f"{arguments.name.name}{suffix}") for suffix in (".key", ".pub"))
    signing.make_keys(private, public)
    say.line(f"{private}  keep it: camlite export ... --sign {private}")
    say.line(f"{public}  give it to devices: camlite explain ... --trusted {public}")
    return 0
