"""Where the files of runtime/web are: the JavaScript of browsers, and the page."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """The folder with ``camlite.js`` and ``page/``: in the package where it was installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "web"
    return installed if installed.is_dir() else package.with_name("web")
