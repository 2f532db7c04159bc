"""Folders that stand for those of npm: what `camlite to-web` reads of a package, without its megabytes."""

from __future__ import annotations

import json
from pathlib import Path

from camlite.website.libraries import LIBRARIES

SCRIPT = 'import { a } from "@litertjs/wasm-utils";\n//# sourceMappingURL=a.map\n'


def node_modules(folder: Path) -> dict[str, Path]:
    """Name of each package -> its folder, with the oldest version that is supported."""
    found = {}
    for library in LIBRARIES:
        package = found[library.package] = folder / library.package
        version = ".".join(map(str, (*library.oldest, 0)))
        for source in library.needed.values():
            (package / source).parent.mkdir(parents=True, exist_ok=True)
            (package / source).write_text(SCRIPT)
        (package / "package.json").write_text(json.dumps({"name": library.package, "version": version}))
    return found
