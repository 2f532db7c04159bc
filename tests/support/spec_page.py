"""What `make vectors` writes into runtime/spec/artifact.md: two files as hexdumps, and the colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import camlite.artifact
from camlite.show.colours import COLOUR_MAPS

_SEAL, _END_RECORD = 84, 22


def written_into(page: str, artifacts: Path) -> str:
    """The page artifact.md with the example and the colours that belong into it."""
    for name, text in (("example", _example(artifacts)), ("colours", _colours())):
        begin, end = f"<!-- {name}: begin, written by `make vectors` -->\n", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n{text}\n{end}{after}"
    return page


def _colours() -> str:
    colours = ["".join(f"{int(part):02x}" for part in row) for row in COLOUR_MAPS["inferno"]]
    return "".join(f"    {' '.join(colours[start : start + 11])}\n" for start in range(0, len(colours), 11))


def _example(artifacts: Path) -> str:
    """The places of two artifacts that the page speaks of, as hexdumps."""
    return "\n".join(
        [*_tflite_example(artifacts / "bgr.int8.tflite"), *_onnx_example(artifacts / "graph.float32.onnx")]
    )


def _tflite_example(path: Path) -> Iterator[str]:
    content, read = path.read_bytes(), camlite.artifact.read(path)
    start, seal = len(read.model), len(content) - _SEAL
    end = seal - _END_RECORD
    directory = int.from_bytes(content[end + 16 : end + 20], "little")
    channels, classes = read.arrays.weights.shape
    yield f"`{path.name}`, {len(content)} bytes:\n"
    for title, offset, length in (
        ("the model: its bytes 4..8 tell the container", 0, 16),
        (
            f"in the model: the class weights, {classes} x {channels} int8",
            read.arrays.stored_weights.offset,
            channels * classes,
        ),
        ("the payload: the local header of card.json (30 bytes, the name), and the beginning of its data", start, 48),
        ("the central directory: its first entry (46 bytes, the name)", directory, 55),
        ("the end record: 8 entries, size and offset of the directory, comment length", end, _END_RECORD),
        ("the seal", seal, _SEAL),
    ):
        yield from (f"    {title}", *_hexdump(content, offset, offset + length), "")


def _onnx_example(path: Path) -> Iterator[str]:
    content, read = path.read_bytes(), camlite.artifact.read(path)
    signed = content.index(b"\x0a\x0ecamlite.signed") - 2
    signature = content.rindex(b"\x0a\x11camlite.signature") - 3
    yield f"`{path.name}`, {len(content)} bytes:\n"
    for title, offset, length in (
        ("the model", 0, 16),
        ("the payload: field 14, its length, key and value, and the beginning of the card", len(read.model), 48),
        ("the payload's last property, and the seal's", signed, signature - signed),
        ("the signature", signature, 48),
        ("the file's last bytes", len(content) - 16, 16),
    ):
        yield from (f"    {title}", *_hexdump(content, offset, offset + length), "")


def _hexdump(content: bytes, start: int, end: int) -> Iterator[str]:
    for offset in range(start, end, 16):
        row = content[offset : min(offset + 16, end)]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"    {offset:06x}  {row.hex(' '):<47}  {text}"
