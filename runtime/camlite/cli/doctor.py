"""``camlite doctor``: what is installed, which artifacts run here, and what to do about the rest."""

from __future__ import annotations

import argparse
import platform
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from camlite.cli import complain
from camlite.doctor import packages, requirements
from camlite.doctor.packages import NUMPY, PACKAGES, Found
from camlite.doctor.requirements import Requirement
from camlite.errors import CamliteError
from camlite.show import say
from camlite.system.installing import how_to_install
from camlite.texts import counted

if TYPE_CHECKING:
    from camlite.doctor.trials import Trial

# What the workstation needs: extra -> what for. Too large to be imported here.
_GROUPS = {"export": "camlite export, parity, keygen, to-c", "audit": "--report of audit and faithful"}
_BACKENDS = ("ai-edge-litert", "tflite-runtime", "onnxruntime")

EXAMPLES = (
    "camlite doctor",
    "camlite doctor flowers --json",
)


class Group(NamedTuple):
    """An extra of many packages: which of them are missing; None where camlite is not installed, and so not known."""

    extra: str
    use: str
    missing: tuple[str, ...] | None


class Report(NamedTuple):
    """All that was found, and what to do, each one line."""

    packages: list[Found]
    groups: list[Group]
    trials: list[Trial]
    to_do: list[str]
    status: int


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        "paths",
        type=Path,
        nargs="*",
        metavar="folder",
        help="try the artifacts in these folders, or these files (default: the current folder and its subfolders)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the tables")
    parser.epilog = "The exit code is 1 if something does not work. A package that is not installed does not count."


def run(arguments: argparse.Namespace) -> int:
    """Say what was found; 1 where something does not work, 2 where a path cannot be read or has no artifacts."""
    found = []
    for package in PACKAGES:
        say.progress(f"trying {package.name}", last=False)
        found.append(packages.find(package))
    working = [one.package.name for one in found if one.state == "ok"]
    trials: list[Trial] = []
    status = 0
    if NUMPY.name in working:  # without it no artifact can be read
        trials, status = _tried(arguments.paths, working)
    to_do = [*_of_packages(found), *_of_trials(trials, found)]
    status = max(status, int(bool(to_do)))
    report = Report(found, [_group(*one) for one in _GROUPS.items()], trials, to_do, status)
    if arguments.json:
        say.record(_record(report))
    else:
        _print(report, whole=not arguments.paths)
    return status


def _tried(named: Sequence[Path], working: Sequence[str]) -> tuple[list[Trial], int]:
    from camlite import artifact_paths
    from camlite.doctor import trials

    paths: list[Path] = []
    status = 0
    if not named:
        here = Path()
        for folder in (here, *artifact_paths.folders_with_artifacts(here)):
            try:
                paths += artifact_paths.in_folder(folder).artifacts
            except CamliteError as error:  # noqa: PERF203 - a few folders
                status = complain(str(error))
    for argument in named:
        try:
            folder_found = artifact_paths.expand(argument)
        except CamliteError as error:
            status = complain(str(error))
            continue
        paths += folder_found.artifacts
        if folder_found.note:
            say.notice(f"{argument}: {folder_found.note}")
    once = artifact_paths.once(paths)
    return trials.run(once, working, lambda text: say.progress(text, last=False)), status


def _of_packages(found: Sequence[Found]) -> Iterator[str]:
    """What to do about packages that do not work."""
    for one in found:
        if one.state in ("broken", "too old"):
            named = " ".join(filter(None, (one.package.name, one.version)))
            yield f"{named} does not work: {one.reason}; {_remedy(one)}"
    working = {one.package.name for one in found if one.state == "ok"}
    if NUMPY.name not in working:
        if all(one.state == "missing" for one in found if one.package == NUMPY):
            yield "numpy is missing, which everything needs; pip install numpy"
    elif not working.intersection(_BACKENDS):
        yield f"nothing here runs artifacts; {how_to_install('litert')}, or for .onnx: {how_to_install('onnx')}"


def _remedy(one: Found) -> str:
    install = f"{how_to_install(one.package.extra)} --force-reinstall"
    if not one.package.extra:
        install = f"pip install --force-reinstall {one.package.name}"
    library = re.search(r"(\S+\.so[.0-9]*): cannot open shared object file", one.reason)
    if library is None:
        return install
    return f"install the system's package that has {library[1]} (Debian: apt-file search {library[1]}), or {install}"


def _of_trials(trials: Sequence[Trial], found: Sequence[Found]) -> Iterator[str]:
    """What to do about artifacts that do not run, each line once: many artifacts may lack the same backend."""
    lacking = {one.container for one in trials if one.container and one.backend is None}
    can_run_some = any(one.state == "ok" and one.package.name in _BACKENDS for one in found)
    for container in sorted(lacking):
        count = sum(one.container == container and one.backend is None for one in trials)
        if can_run_some:
            extra = "onnx" if container == "onnx" else "litert"
            what = f"{counted(count, f'.{container} artifact')} cannot run"
            yield f"{what}, because no backend for .{container} works here; {how_to_install(extra)}"
    for one in trials:
        if one.container is None or one.backend is not None:
            backend = f" ({one.backend})" if one.backend else ""
            yield from (f"{failure}{backend}" for failure in one.failures)


def _group(extra: str, use: str) -> Group:
    wanted = requirements.of_extra(extra)
    missing = tuple(filter(None, map(_lack, wanted)))
    return Group(extra, use, missing if wanted else None)


def _lack(wanted: Requirement) -> str:
    """What is missing of a requirement; empty where nothing is."""
    installed = requirements.version(wanted.name)
    if not installed:
        return wanted.name
    is_old = wanted.least and requirements.is_older(installed, wanted.least)
    return f"{wanted.name} {wanted.least} or newer" if is_old else ""


def _print(report: Report, whole: bool) -> None:
    from camlite import __version__

    say.line(f"camlite {__version__}, Python {platform.python_version()}, {_machine()}", f"from {_home()}", "")
    rows = [[one.package.name, one.version or "", one.state, one.package.use] for one in report.packages]
    rows += [[f"camlite[{one.extra}]", "", _state(one), one.use] for one in report.groups]
    say.table(["package", "version", "", "for"], rows)
    if addable := list(_addable(report)):
        say.line("", *addable)
    if report.trials:
        say.line("")
        say.table(["artifact", "backend", "ms an image", ""], [_row(one) for one in report.trials])
    elif whole and report.packages[0].state == "ok":
        say.line("", "no artifacts here: camlite doctor FOLDER tries those in a folder")
    if report.to_do:
        say.line("", "to do:", *(f"  {line}" for line in report.to_do))
    elif report.status == 0:
        say.line("", "everything that is installed works")


def _addable(report: Report) -> Iterator[str]:
    """How to add what is missing; another interpreter for the same artifacts is none of that."""
    runs_tflite = any(one.state != "missing" for one in report.packages if one.package.name in _BACKENDS[:2])
    for one in report.packages:
        name, extra = one.package.name, one.package.extra
        if one.state == "missing" and extra and not (name in _BACKENDS[:2] and (runs_tflite or name == _BACKENDS[1])):
            yield f"for {name} ({one.package.use}): {how_to_install(extra)}"
    for group in report.groups:
        if group.missing:
            yield f"for {group.use}: {how_to_install(group.extra)}"


def _state(group: Group) -> str:
    if group.missing is None:
        return "not known"
    if not group.missing:
        return "installed"
    return f"lacks {', '.join(group.missing[:3])}{', ...' if len(group.missing) > 3 else ''}"


def _row(one: Trial) -> list[str]:
    milliseconds = "" if one.milliseconds is None else f"{one.milliseconds:.2f}"
    verdict = "ok" if one.works else "FAILED" if one.milliseconds is not None else "does not run"
    return [str(one.artifact), one.backend or "", milliseconds, verdict]


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}"


def _home() -> Path:
    return Path(__file__).parents[1]


def _record(report: Report) -> dict[str, Any]:
    from camlite import __version__

    return {
        "camlite": __version__,
        "path": str(_home()),
        "python": platform.python_version(),
        "machine": _machine(),
        "works": report.status == 0,
        "packages": [_package_record(one) for one in report.packages],
        "extras": [one._asdict() for one in report.groups],
        "artifacts": [{**one._asdict(), "artifact": str(one.artifact), "works": one.works} for one in report.trials],
        "to_do": report.to_do,
    }


def _package_record(one: Found) -> dict[str, Any]:
    return {
        "name": one.package.name,
        "version": one.version,
        "state": one.state,
        "reason": one.reason,
        "for": one.package.use,
        "install": how_to_install(one.package.extra) if one.package.extra and one.state != "ok" else None,
    }
