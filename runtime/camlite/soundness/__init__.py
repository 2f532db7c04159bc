"""The proof that an interpreter may see a model: the reason for it, and what was measured.

Anybody can seal an artifact, so a model is proven sound before native code sees it: what it is made of stands on a
list, every shape is known beforehand, and memory and work have limits. ``*_model.py`` walks a model, ``*_rules.py`` is
the list of operators, one line each; ``limits.py`` counts, ``card_shapes.py`` holds the model against its card. A model
with an operator that has no rule is refused.

- **tflite-runtime** follows offsets and indices unchecked. Of 1,500 models with other numbers it died of 488, all
  refused here; of the 228 that were sound it died of none.
- **ai-edge-litert** checks much more: it died of 4 of 2,000, all refused. Three are no sound structure (a tensor of
  24 GB, a scale that is none, an operator without outputs), one is told by the rules only (a convolution without
  inputs). So no rule is skipped for it: shapes are proven for their size anyway, the limits of scales alone decided on
  2 of 2,000 models, and an artifact should not be sound on one interpreter and unsound on the other.
- **onnxruntime** checks what operators are given (of 2,000 models it died of none), and neither memory nor time: an
  ``If``, ``Loop`` or ``Scan``, a vendor's operator, or a tensor whose size depends on the image has no rule.

What a model takes at the most is `limits.most_memory`. docs/reliability.md has the commands.
"""
