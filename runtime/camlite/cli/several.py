"""Commands that take several artifacts: a folder means all in it, and one that fails never takes the others along."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from camlite import artifact_paths
from camlite.cli import complain, unexpected
from camlite.errors import CamliteError
from camlite.show import say


def add_artifacts(parser: argparse.ArgumentParser) -> None:
    """``ARTIFACT...``; `Several` finds them."""
    parser.add_argument(
        "artifacts",
        type=Path,
        nargs="+",
        metavar="artifact",
        help="files that `camlite export` wrote, or folders: all artifacts in them",
    )


class Several:
    """The artifacts that were named, and the exit status that they have come to.

    Attributes:
        paths: each once, in the order in which they were named, those of a folder sorted.
        status: the highest so far; 2 where an argument stands for none.
    """

    def __init__(self, named: list[Path]) -> None:
        self.status = 0
        found: list[Path] = []
        for argument in named:
            with self.one(argument):
                folder = artifact_paths.expand(argument)
                found += folder.artifacts
                if folder.note:
                    say.notice(f"{argument}: {folder.note}")
        self.paths = artifact_paths.once(found)

    @contextlib.contextmanager
    def one(self, path: Path) -> Iterator[None]:
        """What is done with one of them: an error is said, and counts in `status`.

        Raises:
            OSError: nothing can be printed any more.
        """
        try:
            yield
        except CamliteError as error:
            say.errors(*error.findings)
            self.add(complain(str(error)))
        except MemoryError:
            self.add(complain(f"{path}: needs more memory than there is; give it to a larger device"))
        except (OSError, ImportError):  # of all of them: standard output, or a package that is missing
            raise
        except Exception as error:  # the others are done all the same
            self.add(unexpected(error, str(path)))

    def add(self, status: int) -> None:
        """Count an exit status."""
        self.status = max(self.status, status)

    def each(self, doing: str) -> Iterator[Path]:
        """One after another; who waits at a terminal sees which, as "checking NAME (2 of 8)"."""
        for number, path in enumerate(self.paths, 1):
            of = f" ({number} of {len(self.paths)})" if len(self.paths) > 1 else ""
            say.progress(f"{doing} {path.name}{of}", last=False)
            yield path
