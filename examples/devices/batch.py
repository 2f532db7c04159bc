"""Classify a folder into a table, with the evidence for a second look: python batch.py ARTIFACT FOLDER TABLE.csv.

Needs camlite[litert,image]; for an .onnx artifact camlite[onnx,image].
"""

import csv
import sys
from pathlib import Path

import camlite

explainer = camlite.load(sys.argv[1])

with Path(sys.argv[3]).open("w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["file", "label", "score", "completeness", *explainer.labels])
    for path in sorted(Path(sys.argv[2]).glob("*.png")):
        try:
            explanation = explainer.explain(camlite.read_image(path))
        except camlite.ImageError as error:
            print(error, file=sys.stderr)
            continue
        table.writerow([path.name, explanation.label, explanation.score, explanation.completeness, *explanation.scores])
        explanation.save(path.with_suffix(".overlay.jpg"))
