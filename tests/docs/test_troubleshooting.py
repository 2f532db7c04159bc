"""docs/troubleshooting.md: its messages are those of the program; every module that refuses something has a kind."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from support.code_blocks import DOCS, ROOT

PAGE = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = [
    message
    for row in re.findall(r"^\| (.*?) \|", PAGE, re.MULTILINE)
    for message in re.findall(r"`([^`]*…[^`]*(?:`images`[^`]*)?)`", row)
]
# Section of the page -> the modules whose refusals it explains.
KINDS = {
    "Something is not installed": ("camlite/system/", "camlite/backends/"),
    "The model cannot be opened": ("camlite_export/sources/",),
    "The model cannot be explained": (
        "camlite_export/cutting/",
        "camlite_export/targets/",
        "camlite_export/sharpening/",
        "camlite/soundness/",
    ),
    "Pixels, labels and pictures for the export": (
        "camlite_export/rightness/",
        "camlite_export/exporting.py",
        "camlite_export/front_door.py",
        "camlite_export/golden_samples.py",
        "camlite/images/",
        "camlite_export/artifact_kinds.py",
    ),
    "The artifact is refused": ("camlite/artifact/", "camlite_export/signing.py", "camlite/explainer.py"),
    "The artifact does not agree": ("camlite_export/agreement/", "camlite_export/suite.py", "camlite/self_check.py"),
    "Pictures on the device": ("camlite/picture_paths.py", "camlite/images/", "camlite/show/"),
    "Classes": ("camlite/class_choice.py", "camlite/explainer.py"),
    "Watch, serve, audit": (
        "camlite/watch/",
        "camlite/serve/",
        "camlite/audit/",
        "camlite/faithfulness/",
        "camlite/bench/",
        "camlite/website/",
        "camlite/cli/",
        "camlite/artifact_paths.py",
        "camlite/doctor/",
        "camlite/completion/",
        "camlite_export/audit/",
        "camlite_export/faithfulness/",
        "camlite_export/to_c/",
        "camlite_export/reports/",
        "camlite_export/ray_engine.py",
        "camlite_export/cli/",
    ),
    "Writing fails": ("camlite_export/output_folder.py", "camlite/cli/explain.py"),
}
REFUSALS = ("CamliteError", "ClassifierError", "ArtifactError", "BackendError", "ImageError", "TooLargeError")


def sources() -> list[Path]:
    return [*(ROOT / "runtime/camlite").rglob("*.py"), *(ROOT / "export/camlite_export").rglob("*.py")]


def template(node: ast.expr) -> str | None:
    """A text of the source; what is filled in is ``…``."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
    return None


@cache
def texts() -> frozenset[str]:
    found = (template(node) for path in sources() for node in ast.walk(ast.parse(path.read_text())))
    return frozenset(text for text in found if text)


def said(message: str) -> bool:
    """Whether the program has a text with all that the message says between its gaps, in this order."""
    pieces = [re.escape(piece) for piece in re.split(r"\s*…:?\s*", message) if piece]
    pattern = re.compile(".*".join(pieces), re.DOTALL)
    return any(pattern.search(text) for text in texts())


def refusing_modules() -> Iterator[str]:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            name = isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func)
            if name in REFUSALS:
                yield "/".join(path.relative_to(ROOT).parts[1:])
                break


@pytest.mark.parametrize("message", MESSAGES)
def test_the_program_says_so(message):
    assert said(message), "no text of the program is like this any more"


def test_an_outdated_message_would_be_noticed():
    assert not said("…: this was never said; …")
    assert len(MESSAGES) > 40


def test_every_section_is_a_kind():
    assert re.findall(r"^## (.*)", PAGE, re.MULTILINE) == list(KINDS)


def test_every_module_that_refuses_something_has_a_kind():
    prefixes = tuple(prefix for of_kind in KINDS.values() for prefix in of_kind)

    assert [module for module in refusing_modules() if not module.startswith(prefixes)] == []
