"""What the network itself takes on an emulated board, beside which explaining is to be small.

BakeNN (`make figures-c` installs it into a folder of its own) turns an int8 model into C on CMSIS-NN, the kernels that
Arm has written for its processors. It takes one output, and no QUANTIZE at the beginning: the model is cut to the part
from there to its features. What follows them, pooling and a Dense layer, is little.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from camlite.artifact import Artifact
from support import c_programs

_QUANTIZE = 114
_PROGRAM = """#include <stdio.h>
#include "bknn_network.h"
#define SYSTICK ((volatile uint32_t *)0xe000e010)
static int8_t in[%(input)d], out[%(features)d];
static uint8_t arena[BKNN_NETWORK_ARENA_SIZE + 16] __attribute__((aligned(16)));
int main(void)
{
    uint32_t before = 0, n;
    for (n = 0; n < 2; n++) { /* the first time QEMU translates */
        SYSTICK[1] = 0xffffff, SYSTICK[2] = 0, SYSTICK[0] = 5;
        before = SYSTICK[2];
        bknn_network_infer(arena, in, out);
        before = (before - SYSTICK[2]) & 0xffffff;
    }
    printf("%%lu\\n", (unsigned long)((before * 5ull + 4) / 8));
    return 0;
}
"""


def features_only(model: bytes) -> bytes:
    """An int8 model from its first operator that is no QUANTIZE to its features."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(bytearray(model), 0))
    (graph,), (signature,) = read.subgraphs, read.signatureDefs
    (features,) = (one.tensorIndex for one in signature.outputs if one.name == b"features")
    (last,) = (number for number, one in enumerate(graph.operators) if features in list(one.outputs))
    first = int(read.operatorCodes[graph.operators[0].opcodeIndex].builtinCode == _QUANTIZE)
    graph.inputs = graph.operators[0].outputs if first else graph.inputs
    graph.operators, graph.outputs = graph.operators[first : last + 1], [features]
    read.signatureDefs = read.metadata = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(read.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def instructions(artifact: Artifact, folder: Path, board: str = "m4f") -> int:
    """Instructions of one run up to the features; raises ImportError where BakeNN is not installed."""
    import bakenn

    (folder / "network.tflite").write_bytes(features_only(bytes(artifact.model)))
    policy = bakenn.KernelPolicy.STATIC_PRIORITY
    chosen = bakenn.CBackendOptions(kernel_policy=policy, enable_cmsis_nn=True, target=bakenn.CORTEX_M4)
    made = folder / "network"
    bakenn.compile_tflite(str(folder / "network.tflite"), str(made), name="network", backend_options=chosen)
    card = artifact.card
    pixels = card.preprocessing.height * card.preprocessing.width * card.preprocessing.channels
    sizes = {"input": pixels, "features": card.head.height * card.head.width * card.head.channels}
    (made / "main.c").write_text(_PROGRAM % sizes)
    listed = re.findall(r'"\$\{CMAKE_CURRENT_LIST_DIR\}/([^"]+\.c)"', (made / "bakenn_sources.cmake").read_text())
    headers = [f"-I{made / 'third_party' / one / 'Include'}" for one in ("cmsis_nn", "cmsis_core")]
    options = ["-O2", "-std=gnu99", "-w", "-DBAKENN_CMSIS_NN_BUILTIN_MEMORY", *headers]
    sources = [made / "main.c", *(made / one for one in listed)]
    program = c_programs.for_board(folder / "network.elf", sources, board, *options)
    return int(c_programs.on_board(program, board, "-icount", "shift=6"))


def share(explaining: Mapping[str, int], network: int) -> str:
    """A line for people: what evidence, completeness and heatmap take beside the network."""
    taken = sum(explaining[call] for call in ("evidence", "completeness", "heatmap"))
    return f"{taken:,} of {network:,} instructions, {taken / network:.1%}"
