"""Nothing that a stranger's model file names is made, called, imported or opened: all that Keras could be asked for.

`constructible` takes the names from the installed libraries. Each is put into files with a canary, wherever a file can
name a class or a function, and is refused, or is on the list of what classifiers are made of: then what Keras gets
holds nothing of the canary.
"""

from __future__ import annotations

import contextlib
import copy
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import pytest

from camlite.errors import ClassifierError
from camlite_export.sources import keras_files
from camlite_export.sources.untrusted import allowed, configuration, rehearsal
from support import canary, constructible
from support.constructible import Name

Fields = dict[str, Any]

VERSIONS = {"keras": "3.15.1", "tf_keras": "2.15.0"}
SHARE = 40  # of the names that are no layers, one in so many is written into files by default

INPUT = {"class_name": "InputLayer", "config": {"name": "image", "batch_shape": [None, 8, 8, 3]}, "name": "image"}


@pytest.fixture(scope="module")
def names() -> list[Name]:
    return constructible.names()


@pytest.fixture
def cage(tmp_path: Path) -> Path:
    folder = tmp_path / canary.SONG
    folder.mkdir()
    (folder / "words.txt").write_text("one\ntwo\n")
    return folder


def test_each_class_of_the_installed_keras_has_been_looked_at(names: list[Name]) -> None:
    """A new version brings new ones: look at them, then run ``python -m support.constructible``."""
    assert constructible.record(names) == json.loads(constructible.RECORD.read_text())


def arguments(cage: Path, name: str) -> Fields:
    """Whatever could be a path, an address, a module, or code."""
    path = str(cage / "words.txt")
    return {
        **dict.fromkeys(("filepath", "path", "origin", "fname", "vocabulary", "filename", "module", "to_file"), path),
        "cls_symbol": name,
        "method_name": "__call__",
        "function": name,
        "symbol": name,
        "fn": name,
        "url": f"http://{canary.SONG}.invalid/",
        "code": f"import {canary.SONG}",
        "class_name": name,
    }


def entry(name: Name, config: Any) -> Fields:
    return {"module": name.module, "class_name": name.name, "config": config, "registered_name": None}


def legacy_entry(name: Name, config: Any) -> Fields:
    return {"class_name": name.name, "config": config}


def function(name: Name) -> Fields:
    return {"module": name.module, "class_name": "function", "config": name.name, "registered_name": name.name}


def layer(kind: str, **config: Any) -> Fields:
    return {"module": "keras.layers", "class_name": kind, "config": {"name": "cage", **config}}


def places(name: Name, cage: Path) -> Iterator[tuple[str, Fields]]:
    """Every place of a structure in which a class or a function can be named."""
    config = arguments(cage, name.name)
    for shape in (entry, legacy_entry):
        yield "layer", shape(name, config)
        yield "layer without arguments", shape(name, {"name": "cage"})
        yield "in a wrapper", layer("TimeDistributed", layer=shape(name, config))
        yield "in a model", layer("Sequential", layers=[shape(name, config)])
        for part in ("activation", "kernel_initializer", "kernel_regularizer", "bias_constraint", "dtype"):
            yield part, layer("Dense", units=3, **{part: shape(name, config)})
    for part in ("activation", "kernel_initializer", "activity_regularizer", "bias_constraint", "dtype"):
        yield f"{part} by name", layer("Dense", units=3, **{part: name.name})
        yield f"{part}, a function", layer("Dense", units=3, **{part: function(name)})
    yield "called by TFOpLambda", layer("TFOpLambda", function=name.name)
    yield "sliced by TFOpLambda", layer("SlicingOpLambda", function=f"{name.module}.{name.name}")
    yield "ClassMethod", layer("ClassMethod", cls_symbol=name.name, method_name="__call__")
    yield "registered", {**layer("Dense", units=3), "registered_name": name.name}
    yield "module", {**layer("Dense", units=3), "module": f"{canary.SONG}.{name.name}"}


def model(part: Fields, nodes: list[Any] | None = None) -> Fields:
    """A functional model with the part as its only layer."""
    before = {**copy.deepcopy(INPUT), "module": "keras.layers", "inbound_nodes": []}
    behind = {**part, "name": "cage", "inbound_nodes": nodes or [[["image", 0, 0, {}]]]}
    config = {"name": "model", "layers": [before, behind], "input_layers": [], "output_layers": []}
    return {"module": "keras.src.models.functional", "class_name": "Functional", "config": config}


def keras3_nodes(*values: Any, **options: Any) -> list[Any]:
    history = {"shape": [None, 8, 8, 3], "dtype": "float32", "keras_history": ["image", 0, 0]}
    return [{"args": [{"class_name": "__keras_tensor__", "config": history}, *values], "kwargs": options}]


def write(path: Path, structure: Fields, version: str) -> Path:
    """A model file as Keras lays it out, without weights."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("metadata.json", json.dumps({"keras_version": version}))
            archive.writestr("config.json", json.dumps(structure))
            archive.writestr("model.weights.h5", _no_weights())
        return path
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(structure)
        file.attrs["keras_version"] = version
        file.create_group("model_weights").attrs["layer_names"] = []
    return path


def _no_weights() -> bytes:
    import io

    content = io.BytesIO()
    h5py.File(content, "w").close()
    return content.getvalue()


def _is_refused(structure: Fields, keras2: bool) -> bool:
    """Or it holds nothing that has not been made from the lists."""
    try:
        clean = configuration.read(structure, "model", keras2)
    except ClassifierError as error:
        return _is_one_line(str(error))
    assert canary.SONG not in repr(clean)
    _only_what_is_allowed(clean)
    return False


def _is_one_line(message: str) -> bool:
    assert "\n" not in message
    assert message.startswith("model: ")
    return True


def _only_what_is_allowed(clean: Any) -> None:
    """Every class and module that Keras would read is one of the lists'."""
    if isinstance(clean, dict):
        kind, module = clean.get("class_name"), clean.get("module")
        known = allowed.LAYERS_OF_KERAS_3 | allowed.LAYERS_OF_KERAS_2 | allowed.MODELS | allowed.OPERATIONS.keys()
        special = {"__keras_tensor__", "__tensor__", "__numpy__", "__slice__", "__ellipsis__"}
        assert kind is None or kind in known | special | allowed.LAYERS_OF_APPLICATIONS.keys()
        assert module is None or module.partition(".")[0] == "keras"
        for part in clean.values():
            _only_what_is_allowed(part)
    if isinstance(clean, list):
        for part in clean:
            _only_what_is_allowed(part)


def test_every_name_in_every_place_is_refused_or_on_a_list(names: list[Name], cage: Path) -> None:
    tried = refused = 0
    with canary.listening(cage) as songs:
        for index, name in enumerate(names):
            everywhere = not name.family.endswith("symbols") or index % SHARE == 0
            for place, part in places(name, cage):
                if not everywhere and place not in ("layer", "activation by name", "called by TFOpLambda"):
                    continue
                for keras2 in (False, True):
                    tried += 1
                    refused += _is_refused(model(part, None if keras2 else keras3_nodes()), keras2)
    assert songs == []
    assert tried > 190_000
    assert refused > 0.95 * tried


def _written(names: list[Name], share: int) -> list[Name]:
    return [name for index, name in enumerate(names) if not name.family.endswith("symbols") or index % share == 0]


KINDS = [(".keras", "keras"), (".h5", "tf_keras"), (".h5", "keras"), (".keras", "tf_keras")]


def _canaries_in_files(
    names: list[Name], cage: Path, folder: Path, kinds: list[tuple[str, str]]
) -> tuple[int, list[str]]:
    tried = 0
    with canary.listening(cage) as songs:
        for name in names:
            for suffix, version in kinds:
                part = entry(name, arguments(cage, name.name))
                nodes = keras3_nodes() if version == "keras" else None
                path = write(folder / f"model{suffix}", model(part, nodes), VERSIONS[version])
                with pytest.raises(ClassifierError):
                    keras_files.open_classifier(path)
                tried += 1
    return tried, songs


def test_files_that_name_them_are_refused_before_keras_sees_them(
    names: list[Name], cage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the process of its own, which has a test of its own: it would take an hour."""
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    tried, songs = _canaries_in_files(_written(names, SHARE), cage, tmp_path, KINDS[:2])
    assert songs == []
    assert tried > 2 * 1_400


@pytest.mark.endurance
def test_files_that_name_any_of_them_are_refused(
    names: list[Name], cage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    tried, songs = _canaries_in_files(names, cage, tmp_path, KINDS)
    assert songs == []
    assert tried == 4 * len(names)


# Doors that were found open. `cage` is where a canary would sing.


def _code(cage: Path) -> str:
    """The JSON of a model with a Lambda layer whose code would make a file."""
    import base64
    import marshal

    source = compile(f"(lambda x: (open({str(cage / 'sung')!r}, 'w').close(), x)[1])", canary.SONG, "eval")
    code = base64.b64encode(marshal.dumps(source.co_consts[0])).decode()
    config = {"name": "code", "function": [code, None, None], "function_type": "lambda", "arguments": {}}
    parts = [layer_of_keras_2("InputLayer", batch_input_shape=[None, 3]), {"class_name": "Lambda", "config": config}]
    return json.dumps({"class_name": "Sequential", "config": {"name": "inner", "layers": parts}})


def layer_of_keras_2(kind: str, **config: Any) -> Fields:
    return {"class_name": kind, "config": {"name": "cage", **config}}


def _class_method(symbol: str, *constants: Any) -> Fields:
    """What the case of the ClassMethod layer looks like."""
    part = layer_of_keras_2("ClassMethod", cls_symbol=symbol, method_name="__call__")
    return _keras2_model(part, [[["_CONSTANT_VALUE", -1, constant, {"kwargs": {}}] for constant in constants]])


def _op(function_name: str, *constants: Any) -> Fields:
    first, *others = constants
    part = layer_of_keras_2("TFOpLambda", function=function_name)
    options = dict(zip(("contents", "name"), others, strict=False))
    return _keras2_model(part, [["_CONSTANT_VALUE", -1, first, options]])


def _keras2_model(part: Fields, nodes: list[Any]) -> Fields:
    shape = {"batch_input_shape": [None, 8, 8, 3], "name": "image", "dtype": "float32"}
    layers = [
        {"class_name": "InputLayer", "config": shape, "name": "image", "inbound_nodes": []},
        {**part, "name": "cage", "inbound_nodes": nodes},
    ]
    ends = {"input_layers": [["image", 0, 0]], "output_layers": [["image", 0, 0]]}
    return {"class_name": "Functional", "config": {"name": "model", "layers": layers, **ends}}


DOORS_OF_KERAS_2: dict[str, Callable[[Path], Fields]] = {
    "a class method that reads a model's text with a Lambda layer in it": lambda cage: _class_method(
        "keras.models.model_from_json", _code(cage)
    ),
    "a class method that writes a file": lambda cage: _class_method("io.write_file", str(cage / "written"), "content"),
    "a function of TensorFlow that writes a file": lambda cage: _op("io.write_file", str(cage / "written"), "content"),
    "a function of TensorFlow that reads a file": lambda cage: _op("io.read_file", str(cage / "words.txt")),
    "words from a file (CVE-2025-12058)": lambda cage: _keras2_model(
        layer_of_keras_2("StringLookup", vocabulary=str(cage / "words.txt")), []
    ),
    "a Lambda layer (CVE-2024-3660, CVE-2025-9905)": lambda cage: json.loads(_code(cage)),
}

_TYPE = {
    "class_name": "__typespec__",
    "spec_name": "Evil",
    "module": canary.SONG,
    "config": [],
    "registered_name": None,
}

DOORS_OF_KERAS_3: dict[str, Callable[[Path], Fields]] = {
    "any module's function in a Lambda layer (CVE-2025-1550)": lambda cage: model(
        layer(
            "Lambda", function=function(Name("", "subprocess", "run")), arguments={"args": ["touch", str(cage / "a")]}
        )
    ),
    "any module's class (CVE-2025-1550)": lambda _: model(
        {"module": canary.SONG, "class_name": "Evil", "config": {}, "registered_name": None}
    ),
    "safe mode switched off, then a Lambda layer (CVE-2025-9906)": lambda _: model(
        layer("Lambda", function=function(Name("", "keras.config", "enable_unsafe_deserialization")))
    ),
    "a global attribute set by a function of Keras (CVE-2025-8747)": lambda _: model(
        layer("Lambda", function=function(Name("", "keras.src.backend.common.global_state", "set_global_attribute")))
    ),
    "a download by a function of Keras (CVE-2024-55459, CVE-2025-12060)": lambda cage: model(
        layer("Dense", units=1, activation=function(Name("", "keras.utils", "get_file"))), [cage.name]
    ),
    "words from a file (CVE-2025-12058)": lambda cage: model(layer("StringLookup", vocabulary=str(cage / "words.txt"))),
    "words from an address (CVE-2025-12058)": lambda _: model(
        layer("IntegerLookup", vocabulary=f"http://{canary.SONG}.invalid/")
    ),
    "a pickle of torch (CVE-2025-49655)": lambda _: model(layer("TorchModuleWrapper", module="gASVAAAA")),
    "a SavedModel elsewhere (CVE-2026-1462)": lambda cage: model(layer("TFSMLayer", filepath=str(cage))),
    "a Lambda layer (CVE-2025-9905)": lambda cage: model(
        layer("Lambda", function={"class_name": "__lambda__", "config": {"code": _code(cage)}})
    ),
    "a type of TensorFlow": lambda _: model(layer("InputLayer", type_spec=_TYPE)),
    "a regularizer that is a model": lambda cage: model(
        layer("Dense", units=1, kernel_regularizer=layer("TFSMLayer", filepath=str(cage)))
    ),
}

DOORS = [("keras", title, make) for title, make in DOORS_OF_KERAS_3.items()] + [
    ("tf_keras", title, make) for title, make in DOORS_OF_KERAS_2.items()
]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize(("version", "make"), [(one[0], one[2]) for one in DOORS], ids=[one[1] for one in DOORS])
def test_a_door_that_was_found_open_is_shut(
    version: str, make: Callable[[Path], Fields], suffix: str, cage: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    structure = make(cage)
    path = write(tmp_path / f"model{suffix}", structure, VERSIONS[version])
    with canary.listening(cage) as songs, pytest.raises(ClassifierError) as raised:
        keras_files.open_classifier(path)
    assert songs == []
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith("where you trust whoever made it, say so with --trust")
    assert "\n" not in message
    assert [file.name for file in cage.iterdir()] == ["words.txt"]


SINGING = [
    "a class method that writes a file",
    "a function of TensorFlow that writes a file",
    "a function of TensorFlow that reads a file",
    "words from a file (CVE-2025-12058)",
]


@pytest.mark.parametrize("title", SINGING)
def test_with_the_lists_switched_off_the_canary_sings(
    title: str, cage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that silence above means something."""
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    monkeypatch.setattr(configuration, "read", lambda structure, *_, **__: structure)
    path = write(tmp_path / "model.h5", DOORS_OF_KERAS_2[title](cage), VERSIONS["tf_keras"])
    with canary.listening(cage) as songs, contextlib.suppress(ClassifierError):
        keras_files.open_classifier(path)
    assert songs != []


def test_a_class_of_keras_3_is_made_with_the_lists_switched_off(
    cage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: None)
    monkeypatch.setattr(configuration, "read", lambda structure, *_, **__: structure)
    structure = model({"module": f"keras.{canary.SONG}", "class_name": "Evil", "config": {}, "registered_name": None})
    path = write(tmp_path / "model.keras", structure, VERSIONS["keras"])
    with canary.listening(cage) as songs, contextlib.suppress(ClassifierError):
        keras_files.open_classifier(path)
    assert any(song.startswith("import") for song in songs)
