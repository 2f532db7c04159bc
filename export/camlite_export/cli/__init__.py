"""The exporter's commands of the program ``camlite``: an entry point tells it their modules and what each does."""

COMMANDS = {
    "keygen": ("camlite_export.cli.keygen", "make a pair of keys that artifacts are signed with"),
    "export": ("camlite_export.cli.export", "turn a trained classifier, Keras, .tflite or .onnx, into artifacts"),
    "parity": ("camlite_export.cli.parity", "measure artifacts against the Keras classifier"),
    "to-c": ("camlite_export.cli.to_c", "write an artifact as C for microcontrollers, with the C runtime beside it"),
}
