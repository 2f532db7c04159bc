"""The zip of an artifact is read as `zipfile` reads it; any other zip is refused."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camlite.artifact import zip_reader

FRONT = b"a model"


def a_zip(files: dict[str, bytes], comment: bytes = b"", compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Behind other bytes, as in a .tflite artifact."""
    buffer = io.BytesIO(FRONT)
    with zipfile.ZipFile(buffer, "a", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        archive.comment = comment
    return buffer.getvalue()


def unpacked(content: bytes, comment: bytes = b"") -> dict[str, bytes]:
    found = zip_reader.entries(content, len(content) - len(comment))
    return {entry.name: zip_reader.unpack(content, entry) for entry in found}


NAMES = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/"), min_size=1, max_size=20)


@given(
    files=st.dictionaries(NAMES, st.binary(max_size=2000), max_size=4),
    comment=st.binary(max_size=90),
    compression=st.sampled_from([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED]),
)
def test_every_file_comes_back_whatever_it_holds(files, comment, compression):
    assert unpacked(a_zip(files, comment, compression), comment) == files


@pytest.mark.parametrize(("field", "value"), [(16, 0), (20, 199), (24, 199), (24, 201)])
def test_a_file_that_is_not_compressed_is_as_long_as_its_directory_says_and_has_its_checksum(field, value):
    content = bytearray(a_zip(FILES, compression=zipfile.ZIP_STORED))
    struct.pack_into("<I", content, content.index(b"PK\1\2") + field, value)

    with pytest.raises(ValueError, match=r"a\.npy is not what the zip's directory says"):
        unpacked(bytes(content))


def test_entries_begin_where_zipfile_says():
    content = a_zip({"a": b"1", "b": b"2" * 100})

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        expected = [(one.filename, one.header_offset, one.file_size) for one in archive.infolist()]
    assert [(one.name, one.start, one.size) for one in zip_reader.entries(content, len(content))] == expected


FILES = {"a.npy": b"0123456789" * 20, "b": b""}
END, DIRECTORY = 22, 46


def changed(at: int, layout: str, value: int) -> bytes:
    content = bytearray(a_zip(FILES))
    struct.pack_into(f"<{layout}", content, at, value)
    return bytes(content)


SIZE = len(a_zip(FILES))
FIRST = a_zip(FILES).index(b"PK\1\2")
DAMAGED = {
    "the end's mark": (changed(SIZE - END, "I", 0), "no zip at its end"),
    "several disks": (changed(SIZE - END + 4, "H", 1), "directory is not in front of its end"),
    "more entries than there are": (changed(SIZE - END + 8, "H", 3), "directory is not in front of its end"),
    "the directory's size": (changed(SIZE - END + 12, "I", 1 << 31), "directory is not in front of its end"),
    "the directory's place": (changed(SIZE - END + 16, "I", 0), "directory is not in front of its end"),
    "an entry's mark": (changed(FIRST, "I", 0), "directory is damaged"),
    "a name's length": (changed(FIRST + 28, "H", 0xFFFF), "directory is damaged"),
    "encryption": (changed(FIRST + 8, "H", 1), "a.npy is not packed as camlite packs it"),
    "the compression": (changed(FIRST + 10, "H", 12), "a.npy is not packed as camlite packs it"),
    "the checksum": (changed(FIRST + 16, "I", 0), "a.npy does not unpack to what"),
    "the packed size": (changed(FIRST + 20, "I", 1 << 31), "a.npy is not where"),
    "a shorter packed size": (changed(FIRST + 20, "I", 3), "a.npy does not unpack to what"),
    "a larger size": (changed(FIRST + 24, "I", 201), "a.npy does not unpack to what"),
    "a smaller size": (changed(FIRST + 24, "I", 199), "a.npy does not unpack to what"),
    "a place outside": (changed(FIRST + 42, "I", 1 << 31), "a.npy is not inside the file"),
    "another place": (changed(FIRST + 42, "I", 0), "a.npy is not where"),
    "another name in front of the content": (changed(len(FRONT) + 30, "B", 0x7A), "a.npy is not where"),
    "other content": (changed(len(FRONT) + 35, "B", 7), "a.npy: Error -3"),
    "no ASCII": (changed(FIRST + DIRECTORY, "B", 0xFF), "can't decode byte 0xff"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_any_other_zip_is_refused(what):
    content, said = DAMAGED[what]

    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        unpacked(content)


def test_too_short_to_be_a_zip_is_refused():
    with pytest.raises(ValueError, match="no zip at its end"):
        unpacked(b"PK")


def test_a_directory_with_other_entries_than_its_end_says_is_refused():
    content = bytearray(a_zip(FILES))
    struct.pack_into("<HH", content, SIZE - END + 8, 1, 1)

    with pytest.raises(ValueError, match="directory has 2 entries, its end says 1"):
        unpacked(bytes(content))


@given(data=st.data())
def test_damaged_bytes_give_files_or_a_refusal(data):
    content = bytearray(a_zip(FILES))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        unpacked(bytes(content))
    except ValueError as error:
        assert str(error)  # noqa: PT017


def test_memory_is_bounded_by_the_size_that_an_entry_says():
    bomb = a_zip({"a": bytes(1 << 20)})
    (entry,) = zip_reader.entries(bomb, len(bomb))

    with pytest.raises(ValueError, match="does not unpack"):
        zip_reader.unpack(bomb, entry._replace(size=1000))
