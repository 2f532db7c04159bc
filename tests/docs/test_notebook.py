"""The notebook of the docs: small, without outputs, the code of the tutorial, and it runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.code_blocks import DOCS, ROOT

NOTEBOOK = DOCS / "tutorials" / "shapes.ipynb"
CELLS = ["".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
# Runs cells as Jupyter does: what the last expression of a cell is worth is shown, as a picture, a table or text.
RUN = """
import ast, json, sys
names = {}
for cell in json.load(open(sys.argv[1])):
    body = ast.parse(cell).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        if value is None:
            continue
        for kind in ("_repr_html_", "_repr_png_", "__repr__"):
            shown = getattr(value, kind, lambda: None)()
            if shown is not None:
                print("shown:", type(value).__name__, kind, len(shown))
                break
"""


def test_it_is_small_and_holds_no_outputs():
    notebook = json.loads(NOTEBOOK.read_text())

    assert notebook["nbformat"] == 4
    assert NOTEBOOK.stat().st_size < 20_000
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook["cells"])


def test_its_model_is_that_of_the_tutorial():
    page = (DOCS / "tutorials" / "keras.md").read_text()

    for cell in CELLS[:3]:
        assert cell.strip() in page, "change both"


@pytest.mark.endurance
def test_its_cells_run_and_show_tables_and_a_picture(tmp_path: Path) -> None:
    (tmp_path / "cells.json").write_text(json.dumps(CELLS))
    paths = os.pathsep.join([str(ROOT / "runtime"), str(ROOT / "export"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": paths}
    finished = subprocess.run(
        [sys.executable, "-c", RUN, "cells.json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=600,
    )

    assert finished.returncode == 0, finished.stderr
    shown = [line.split()[1:3] for line in finished.stdout.splitlines() if line.startswith("shown:")]
    assert shown == [
        ["Export", "_repr_html_"],
        ["Explanation", "_repr_png_"],
        ["tuple", "__repr__"],
        ["Comparison", "_repr_html_"],
    ]
