"""The exporter's commands of the program ``camlite``: an entry point tells it their modules and what each does."""

COMMANDS = {
    "export": ("camlite_export.cli.export", "turn a trained classifier (Keras, .tflite or .onnx) into artifacts"),
    "parity": ("camlite_export.cli.parity", "compare artifacts with the classifier that they were made from"),
    "to-c": ("camlite_export.cli.to_c", "write an artifact as C code for microcontrollers"),
    "keygen": ("camlite_export.cli.keygen", "make a pair of keys to sign artifacts"),
}
