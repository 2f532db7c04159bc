"""Who may import whom: ``camlite_export -> camlite -> numpy``, each proven in a process that has imported nothing."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

import camlite
from support.fresh_process import run_python

PACKAGE = Path(camlite.__file__).parent
BANNED = frozenset(
    {
        "PIL",
        "ai_edge_litert",
        "camlite_export",
        "cryptography",
        "cv2",
        "jinja2",
        "keras",
        "matplotlib",
        "pycocotools",
        "ray",
        "sklearn",
        "onnx",
        "onnxruntime",
        "tensorflow",
        "tf2onnx",
        "tf_keras",
        "tflite_runtime",
        "tornado",
        "tqdm",
    }
)
# What it defines are Tornado's own kinds, so it imports that where it begins. `camlite serve` alone imports it.
TORNADOS = "camlite.serve.http_server"
# Says which top-level packages a statement brings into a fresh process, besides those that were there before. A
# module without a spec was not imported: Cython makes such ones inside numpy, multiprocessing one for __main__.
PROBE = """
import sys
def packages():
    return {name.partition(".")[0] for name, module in sys.modules.items() if getattr(module, "__spec__", None)}
before = packages()
exec(sys.argv[1])
sys.__stdout__.write("\\nimported: " + " ".join(sorted(packages() - before)))
"""


def modules() -> list[str]:
    """Every module of the package."""
    files = sorted(PACKAGE.rglob("*.py"))
    names = [".".join(("camlite", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in files]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def imported_by(statement: str, path: Path | None = None) -> set[str]:
    """Top-level packages that a statement brings into a fresh process; with a folder in front of its path."""
    finished = run_python(PROBE, statement, env={"PYTHONPATH": str(path)} if path else None)
    assert finished.returncode == 0, finished.stderr
    return set(finished.stdout.rpartition("imported: ")[2].split())


def test_importing_camlite_imports_the_standard_library_alone():
    imported = imported_by("import camlite")

    assert imported - set(sys.stdlib_module_names) == {"camlite"}


@pytest.mark.parametrize("name", camlite.__all__)
def test_what_camlite_offers_imports_numpy_at_the_most(name):
    imported = imported_by(f"import camlite; camlite.{name}")

    assert imported - set(sys.stdlib_module_names) <= {"camlite", "numpy"}


def test_no_module_of_camlite_imports_more():
    """All of them but one, the backends' and the commands' too, one after another in one process."""
    imported = imported_by("; ".join(f"import {name}" for name in modules() if name != TORNADOS))

    assert imported - set(sys.stdlib_module_names) == {"camlite", "numpy"}


@pytest.mark.parametrize("command", ["explain", "inspect", "audit", "faithful", "serve", "watch"])
def test_help_imports_no_more_than_camlite(command):
    imported = imported_by(
        "import contextlib, camlite.cli\n"
        f"with contextlib.suppress(SystemExit): camlite.cli.main([{command!r}, '--help'])"
    )

    assert not imported & BANNED


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_the_list_of_all_commands_imports_nothing_heavy(option):
    """Those of the exporter are listed, too, by the one module that names them."""
    imported = imported_by(
        f"import contextlib, camlite.cli\nwith contextlib.suppress(SystemExit): camlite.cli.main([{option!r}])"
    )

    assert imported & (BANNED | {"numpy"}) == {"camlite_export"}


@pytest.mark.parametrize("culprit", ["PIL", "onnxruntime", "camlite_export"])
def test_the_probe_notices_a_module_that_imports_more(culprit, tmp_path):
    """A copy of the package with one more import, deep inside, gives the probe something to find."""
    copy = tmp_path / "camlite"
    for file in PACKAGE.rglob("*.py"):
        target = copy / file.relative_to(PACKAGE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text())
    with (copy / "maps" / "cam.py").open("a") as module:
        module.write(f"\n\nimport {culprit}\n")
    (tmp_path / f"{culprit}.py").write_text("")  # whether it is installed or not

    assert culprit in imported_by("import camlite; camlite.load", tmp_path)


def imports_in(source: str) -> set[str]:
    """Top-level packages that source text names in an import statement, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            found.add("relative" if node.level else str(node.module).partition(".")[0])
    return found


def test_no_file_of_camlite_imports_from_the_workstation_even_inside_a_function():
    """Interpreters are imported inside functions; what the exporter adds is found through entry points."""
    interpreters = {"ai_edge_litert", "onnxruntime", "tflite_runtime"}
    for file in sorted(PACKAGE.rglob("*.py")):
        foreign = imports_in(file.read_text()) - set(sys.stdlib_module_names) - {"camlite", "numpy"}
        own = {"tornado"} if file == PACKAGE / "serve" / "http_server.py" else set()
        assert foreign <= interpreters | own, file


def strings_in(source: str) -> set[str]:
    """The string literals of source text, parts of f-strings too, but for docstrings."""
    tree = ast.parse(source)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {node.value for node in texts if id(node) not in docstrings}


def test_no_text_in_camlite_names_the_workstation_package():
    for file in sorted(PACKAGE.rglob("*.py")):
        assert not [text for text in strings_in(file.read_text()) if "camlite_export" in text], file


def test_the_search_for_strings_finds_them_wherever_they_are():
    source = """'a docstring'
def f(name):
    'another'
    return import_module("a.b"), f"a.{name}.c", {"key": ["d"]}
"""
    assert strings_in(source) == {"a.b", "a.", ".c", "key", "d"}


def test_what_the_entry_points_name_is_there():
    from camlite.system import extensions

    tomllib = pytest.importorskip("tomllib")
    project = Path(__file__).parents[1] / "pyproject.toml"
    declared = tomllib.loads(project.read_text())["project"]["entry-points"]
    assert declared.keys() == {"camlite.commands", "camlite.extensions"}
    for value in (value for group in declared.values() for value in group.values()):
        module = value.partition(":")[0]
        assert importlib.util.find_spec(module), module
    for name in declared["camlite.extensions"]:
        assert extensions.extension(name).__name__ == declared["camlite.extensions"][name]
    assert set(extensions.commands()) == {"export", "keygen", "parity", "to-c"}


# What the exporter is made of, in the order in which its data flow.
ORDER = (
    "stages",
    "workarounds",
    "precisions",
    "output_folder",
    "signing",
    "reports",
    "ray_engine",
    "sources",
    "cutting",
    "rightness",
    "targets",
    "agreement",
    "sharpening",
    "golden_samples",
    "contact_sheet",
    "artifact_kinds",
    "exporting",
    "shipping",
    "results",
    "front_door",
    "__init__",
    "suite",
    "audit",
    "faithfulness",
    "to_c",
    "cli",
)


def test_the_exporter_imports_only_what_stands_before():
    package = Path(importlib.util.find_spec("camlite_export").origin).parent
    parts = {path.stem if path.is_file() else path.name for path in package.iterdir() if path.suffix in ("", ".py")}
    assert parts - {"__pycache__", "py"} == set(ORDER)

    for file in sorted(package.rglob("*.py")):
        here = file.relative_to(package).parts[0].removesuffix(".py")
        for name in parts_of_the_exporter_in(file.read_text()):
            assert name == here or ORDER.index(name) < ORDER.index(here), f"{file}: {name}"


def parts_of_the_exporter_in(source: str) -> set[str]:
    """Modules and packages right inside `camlite_export` that source text imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "camlite_export":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("camlite_export."):
            found.add(str(node.module).split(".")[1])
    return found


def test_the_search_for_parts_of_the_exporter_finds_them_wherever_they_are():
    source = "from camlite_export import signing\ndef f():\n    from camlite_export.cutting import heads"

    assert parts_of_the_exporter_in(source) == {"signing", "cutting"}


def test_the_search_for_import_statements_finds_them_wherever_they_are():
    source = """
from __future__ import annotations
import os.path, camlite_export.signing as signing
def f():
    from keras.layers import Dense
    if f:
        from . import card
"""
    assert imports_in(source) == {"__future__", "os", "camlite_export", "keras", "relative"}


def test_no_module_is_named_like_a_package_that_it_would_hide():
    named = {path.stem for path in (*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*/"))}

    assert not named & BANNED


# --- Keras stays where it is known ----------------------------------------------------------------------------------

KNOW_KERAS = ("sources", "cutting", "workarounds")


def keras_in(source: str) -> set[str]:
    """Lines of source text that import Keras, or name what is its own in an annotation or a call."""
    found = {f"import {name}" for name in imports_in(source) & {"keras", "tf_keras"}}
    tree = ast.parse(source)
    found |= {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and _root(node) in NAMES}
    texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return found | {text for text in texts if text.startswith(("keras.", "tf_keras."))}


NAMES = frozenset({"keras", "tf_keras"})


def _root(node: ast.AST) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def test_nobody_but_sources_and_cutting_touches_a_keras_object():
    package = Path(importlib.util.find_spec("camlite_export").origin).parent
    for file in sorted(package.rglob("*.py")):
        if file.relative_to(package).parts[0].removesuffix(".py") not in KNOW_KERAS:
            assert not keras_in(file.read_text()), file


@pytest.mark.parametrize(
    "source",
    ["import keras", "def f():\n    from tf_keras import layers", "def f(model: keras.Model): ...", 'x: "keras.Model"'],
)
def test_the_search_for_keras_finds_it_wherever_it_is(source):
    assert keras_in(source)


def test_importing_the_exporter_imports_the_standard_library_alone():
    imported = imported_by("import camlite_export; camlite_export.__all__")

    assert imported - set(sys.stdlib_module_names) == {"camlite_export"}
