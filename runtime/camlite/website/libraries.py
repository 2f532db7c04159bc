"""The interpreters of browsers, as npm installs them: what each runs, and which of its files a site needs."""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from camlite.artifact import Container
from camlite.artifact.precisions import Precision
from camlite.errors import CamliteError
from camlite.system import files

_MOST_BYTES = 1 << 28


class Library(NamedTuple):
    """A package of npm.

    Attributes:
        package: its name.
        container: of the artifacts that it runs.
        lacks: precisions of that container that it does not run, and what to do instead.
        oldest: the first version that tells shapes of tensors, as runtime/web needs it.
        needed: name in the site -> file, from the folder of the package.
        renamed: import of another package -> name in the site.
    """

    package: str
    container: Container
    lacks: Mapping[Precision, str]
    oldest: tuple[int, int]
    needed: Mapping[str, str]
    renamed: Mapping[str, str] = {}


LIBRARIES: Sequence[Library] = (
    Library(
        "onnxruntime-web",
        "onnx",
        {},
        (1, 22),
        {
            "ort.wasm.min.mjs": "dist/ort.wasm.min.mjs",
            "ort-wasm-simd-threaded.mjs": "dist/ort-wasm-simd-threaded.mjs",
            "ort-wasm-simd-threaded.wasm": "dist/ort-wasm-simd-threaded.wasm",
        },
    ),
    # Of its variants the one that needs least of a browser: others are for relaxed SIMD and threads.
    Library(
        "@litertjs/core",
        "tflite",
        {"int8": "it has no int8 tensors; take the int8.onnx artifact"},
        (2, 5),
        {
            "litert.js": "dist/index.js",
            "litert-wasm-utils.js": "../wasm-utils/dist/index.js",
            "litert_wasm_compat_internal.js": "wasm/litert_wasm_compat_internal.js",
            "litert_wasm_compat_internal.wasm": "wasm/litert_wasm_compat_internal.wasm",
        },
        {"@litertjs/wasm-utils": "./litert-wasm-utils.js"},
    ),
)


def library_in(folder: Path) -> Library:
    """Which library a folder of ``node_modules`` is.

    Raises:
        CamliteError: it is none of those, or too old.
    """
    known = " or ".join(one.package for one in LIBRARIES)
    try:
        told = json.loads(files.read(folder / "package.json", 1 << 20))
        name, version = str(told["name"]), str(told["version"])
        major, minor = (int(part) for part in version.split(".")[:2])
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no package.json of npm"
        raise CamliteError(
            f"--runtime {folder}: {reason}; expected the folder of {known}, such as node_modules/onnxruntime-web"
        ) from None
    library = next((one for one in LIBRARIES if one.package == name), None)
    if library is None:
        raise CamliteError(f"--runtime {folder}: the package {name[:60]!r}, expected {known}")
    if (major, minor) < library.oldest:
        oldest = ".".join(map(str, library.oldest))
        raise CamliteError(f"--runtime {folder}: {name} {version[:20]}, expected {oldest} or newer; npm install {name}")
    return library


def needed_files(library: Library, folder: Path) -> dict[str, bytes]:
    """Name in the site -> content.

    Raises:
        CamliteError: one is missing.
    """
    found = {}
    for name, source in library.needed.items():
        try:
            content = files.read(folder / source, _MOST_BYTES)
        except OSError as error:
            reason = "is missing" if error.errno == errno.ENOENT else str(error.strerror)
            raise CamliteError(f"--runtime {folder}: {source} {reason}; npm install {library.package}") from None
        if name.endswith("js"):
            content = _linked(content, library.renamed)
        found[name] = content
    return found


def _linked(script: bytes, renamed: Mapping[str, str]) -> bytes:
    """A script for a site without an import map; source maps, which are not copied, are not named."""
    for package, name in renamed.items():
        script = script.replace(f'from "{package}"'.encode(), f'from "{name}"'.encode())
    lines = script.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"//# sourceMappingURL="))
