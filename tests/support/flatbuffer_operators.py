"""Which operators a TFLite flatbuffer is made of."""

from __future__ import annotations


def operators(flatbuffer: bytes) -> set[str]:
    """Names of the operators: builtin ones as TFLite names them, others as CUSTOM:NAME."""
    from tensorflow.lite.python import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.Model.GetRootAs(flatbuffer, 0)
    found = set()
    for i in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        custom = code.CustomCode()
        found.add(f"CUSTOM:{custom.decode()}" if custom else names[builtin])
    return found
