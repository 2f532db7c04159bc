"""What a site is made of: the page, the module, interpreters, artifacts, and what the page has to know of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from camlite import artifact, backends
from camlite.artifact import Artifact
from camlite.errors import CamliteError
from camlite.show.colours import ramp
from camlite.system import web_files
from camlite.texts import counted
from camlite.website.libraries import LIBRARIES, Library, library_in, needed_files

PAGE_FACTS = "page.json"
_WORKER = "service_worker.js"
_PAGE = ("index.html", "app.js", "in_browser.js", "style.css", "icon.svg", "manifest.webmanifest")
# What stands in the service worker until the site is known.
_NO_SITE = 'const SITE = { version: "", files: {} };'
# Some servers send whoever asks for index.html to its folder.
_ADDRESS = {"index.html": "./"}


def content(paths: Sequence[Path], runtimes: Sequence[Path], trusted: Sequence[Path] | None) -> dict[str, bytes]:
    """Every file of a site: its path from the site's folder -> content.

    Args:
        paths: of artifacts; each is verified, and proven sound.
        runtimes: folders of interpreters' packages.
        trusted: see `camlite.artifact.read`.

    Raises:
        CamliteError: an artifact cannot be read, or run in a browser by those interpreters; or a package is not there.
    """
    given = [(library_in(folder), folder) for folder in runtimes]
    _check_once([library.package for library, _ in given], "--runtime")
    _check_once([path.name for path in paths], "artifacts")
    read = [_runnable(path, [library for library, _ in given], trusted) for path in paths]
    containers = {one.container for one in read}
    site = {f"artifacts/{one.path.name}": _bytes(one.path) for one in read}
    for library, folder in given:
        if library.container in containers:
            site |= {f"runtime/{name}": script for name, script in needed_files(library, folder).items()}
    own = web_files.folder()
    site |= {f"camlite/{script.name}": script.read_bytes() for script in sorted(own.glob("*.js"))}
    site |= {name: (own / "page" / name).read_bytes() for name in _PAGE}
    site[PAGE_FACTS] = json.dumps(_facts(read), ensure_ascii=False, indent=1).encode()
    site[_WORKER] = _worker((own / "page" / _WORKER).read_text("utf-8"), site).encode()
    return site


def check(path: Path, runtimes: Sequence[Library], trusted: Sequence[Path] | None) -> None:
    """See whether a site can have an artifact.

    Args:
        path: of the artifact.
        runtimes: the interpreters of the site.
        trusted: see `camlite.artifact.read`.

    Raises:
        CamliteError: it cannot be read, or run in a browser by those interpreters.
    """
    _runnable(path, runtimes, trusted)


def beside_server(
    path: Path, runtime: Path, trusted: Sequence[Path] | None
) -> tuple[Sequence[Mapping[str, str]], Mapping[str, bytes]]:
    """What `camlite serve` has to give so that its page runs the artifact itself.

    Returns:
        What the page has to know of the artifact, in a list; and path from the server's root -> content.

    Raises:
        CamliteError: see `content`.
    """
    files = content([path], [runtime], trusted)
    facts = json.loads(files[PAGE_FACTS])["artifacts"]
    return facts, {name: data for name, data in files.items() if "/" in name or name == "in_browser.js"}


def _check_once(names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise CamliteError(f"{what}: {name} is there {counted(names.count(name), 'time')}; expected it once")


def _runnable(path: Path, libraries: Sequence[Library], trusted: Sequence[Path] | None) -> Artifact:
    """A verified artifact that one of the interpreters runs."""
    read = artifact.read(path, trusted)
    backends.check_sound(read)
    container, precision = read.container, read.card.precision
    library = next(one for one in LIBRARIES if one.container == container)
    try:
        quote(path.name)
    except UnicodeEncodeError:
        raise CamliteError(f"{path}: its name is not UTF-8, which addresses on the web are; rename it") from None
    if precision in library.lacks:
        raise CamliteError(f"{path}: {library.package} does not run it in a browser: {library.lacks[precision]}")
    if library not in libraries:
        raise CamliteError(
            f"{path}: {container} artifacts run on {library.package} in a browser; "
            f"add --runtime node_modules/{library.package}"
        )
    return read


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CamliteError(f"{path}: {error.strerror}; check it") from None


def _facts(read: Sequence[Artifact]) -> dict[str, Any]:
    """What the page has to know, as ``GET /page.json`` of `camlite serve` says it of an artifact that runs there."""
    artifacts = [
        {
            "file": quote(f"artifacts/{one.path.name}"),
            "name": one.card.name,
            "title": f"{one.card.name}, {one.card.precision}, {one.container}",
            "container": one.container,
        }
        for one in read
    ]
    return {"artifacts": artifacts, "colours": ramp()}


def _worker(script: str, site: Mapping[str, bytes]) -> str:
    """The service worker with the digest of each file, and a version that is another one with any other byte."""
    files = {quote(_ADDRESS.get(name, name)): hashlib.sha256(site[name]).hexdigest() for name in sorted(site)}
    version = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
    listed = {"version": f"camlite-{version}", "files": files}
    before, found, after = script.partition(_NO_SITE)
    if not found:
        raise RuntimeError(f"{_WORKER} has no place for the list of files")
    return f"{before}const SITE = {json.dumps(listed)};{after}"
