"""``camlite inspect MODEL.keras``: the journey of the image through the layers."""

from __future__ import annotations

import argparse
import json

from camlite.table import table
from camlite_export.commands import options


def run(arguments: argparse.Namespace) -> int:
    """Print a row a layer, and where the classifier is cut."""
    options.quieten_tensorflow()
    from camlite_export import two_output
    from camlite_export.classifier import open_classifier

    classifier = open_classifier(arguments.file)
    cut = two_output.cut(classifier, options.layer(arguments.layer))
    steps = [
        {
            "name": step.name,
            "kind": step.kind,
            "shape": list(step.shape[1:]),
            "parameters": step.parameters,
            "cut": step.name == cut.layer,
        }
        for step in cut.journey
    ]
    if arguments.json:
        print(json.dumps({"file": str(arguments.file), "activation": cut.activation, "layers": steps}))
        return 0
    image = ["image", "Input", _sides(cut.image_shape), "", ""]
    rows = [
        [
            step.name,
            step.kind,
            _sides(step.shape[1:]),
            f"{step.parameters:,}",
            "<- cut: features" if marked["cut"] else "",
        ]
        for step, marked in zip(cut.journey, steps, strict=True)
    ]
    print(table(["layer", "kind", "output", "parameters", ""], [image, *rows]))
    print(f"\n{classifier.count_params():,} parameters, {cut.classes} classes by {cut.activation}")
    return 0


def _sides(shape: tuple[int | None, ...]) -> str:
    return " x ".join(map(str, shape))
