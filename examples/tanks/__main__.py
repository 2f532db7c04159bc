"""Rebuild the legend for one seed or several: ``make tanks``, ``make tanks-seeds``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path

from camlite.errors import CamliteError
from camlite.show.table import table
from camlite_export import workarounds
from tanks.legend import rebuild, row
from tanks.scenes import LABELS

_HEADER = ["seed", "classifier", "precision", "validation", "field", *LABELS, "on the tank", "follows it", ""]


def main() -> int:
    """Rebuild the legend for one seed or several; 1 where a verdict is not the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("artifacts/tanks"))
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how many times, each with other data")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw both classifiers side by side")
    arguments = parser.parse_args()
    workarounds.quieten_tensorflow()
    found, start = [], time.perf_counter()

    def tell(what: str) -> None:
        print(f"{time.perf_counter() - start:5.0f} s  {what}", file=sys.stderr, flush=True)

    try:
        for seed in range(1, arguments.seeds + 1):
            if arguments.seeds > 1:
                tell(f"seed {seed} of {arguments.seeds}")
            for one in rebuild(arguments.output / str(seed), seed, tell):
                found.append(one)
                tell(f"  {'  '.join(row(one)[3:])}")
        if arguments.picture:
            from tanks import side_by_side

            side_by_side.draw(arguments.picture, arguments.output / "1", found)
    except CamliteError as error:
        print(error, file=sys.stderr)
        return 2
    print(table(_HEADER, [row(one) for one in found]))
    records = [{**dataclasses.asdict(one), "artifact": str(one.artifact)} for one in found]
    (arguments.output / "tanks.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    return 0 if all(one.expected for one in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
