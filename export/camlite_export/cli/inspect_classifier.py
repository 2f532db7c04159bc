"""``camlite inspect MODEL.keras``: the journey of the image through the layers."""

from __future__ import annotations

import argparse

from camlite.artifact.evidence_methods import EVIDENCE_METHODS
from camlite.show import say
from camlite_export.cli import options


def run(arguments: argparse.Namespace) -> int:
    """Print a row a layer, and where the classifier is cut."""
    size = options.size(arguments.size) if arguments.size else None
    options.import_tensorflow_for(arguments.file, arguments.trust)
    from camlite_export.cutting import two_output
    from camlite_export.sources.keras_files import open_classifier

    classifier = open_classifier(arguments.file, arguments.trust)
    cut = two_output.cut(classifier, options.layer(arguments.layer), size)
    steps = [
        {
            "name": step.name,
            "kind": step.kind,
            "shape": list(step.shape[1:]),
            "parameters": step.parameters,
            "cut": step is cut.step,
        }
        for step in cut.source.steps
    ]
    if arguments.json:
        record = {
            "file": str(arguments.file),
            "image": cut.image_shape,
            "classes": cut.classes,
            "activation": cut.activation,
            "evidence": cut.evidence_method,
            "preprocess": cut.default_preprocessing,
            "layers": steps,
        }
        say.record(record)
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
        for step, marked in zip(cut.source.steps, steps, strict=True)
    ]
    say.table(["layer", "kind", "output", "parameters", ""], [image, *rows])
    say.line("", f"{cut.source.parameters:,} parameters, {cut.classes} classes by {cut.activation}")
    say.line(f"evidence: {cut.evidence_method}, {EVIDENCE_METHODS[cut.evidence_method].text}")
    why = "it scales them itself" if cut.default_preprocessing == "raw" else "it does not scale them itself"
    say.line(f"pixels by default: --preprocess {cut.default_preprocessing}, because {why}")
    if hint := options.pixels_hint(cut):
        say.line(hint)
    return 0


def _sides(shape: tuple[int | None, ...]) -> str:
    return " x ".join(map(str, shape))
