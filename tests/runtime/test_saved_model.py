from __future__ import annotations

import contextlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_webipred as wp
from hostile import keras_files
from napari_webipred.errors import ModelError
from napari_webipred.runtime.readers import compile_files
from napari_webipred.runtime.saved_model import read_saved_model
from napari_webipred.runtime.session import Session
from protobuf_writer import field

GRAPHS = Path(__file__).parents[1] / "goldens" / "graphs"
NAMES = sorted(path.stem for path in GRAPHS.glob("*.npz"))
VARIABLES = "variables/variables"


def stored(name: str) -> dict[str, bytes]:
    with zipfile.ZipFile(GRAPHS / f"{name}-saved.zip") as archive:
        return {member: archive.read(member) for member in archive.namelist()}


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_gives_the_numbers_of_tensorflow_without_it(name):
    golden = np.load(GRAPHS / f"{name}.npz")
    numbers = Session(compile_files(stored(name), "folder", None), 1).predict(golden["x"])
    np.testing.assert_allclose(numbers, golden["tensorflow"], atol=2e-6)


def test_a_folder_a_zip_and_the_file_in_the_folder_can_be_opened(tmp_path):
    golden = np.load(GRAPHS / "plain-keras3.npz")
    with zipfile.ZipFile(GRAPHS / "plain-keras3-saved.zip") as archive:
        archive.extractall(tmp_path / "model")
    from_folder = wp.open_model(tmp_path / "model").predict(golden["x"])
    from_zip = wp.open_model(GRAPHS / "plain-keras3-saved.zip").predict(golden["x"])
    np.testing.assert_allclose(from_folder, golden["tensorflow"], atol=2e-6)
    np.testing.assert_array_equal(from_zip, from_folder)
    model = wp.open_model(tmp_path / "model" / "saved_model.pb")
    np.testing.assert_array_equal(model.predict(golden["x"]), from_folder)
    assert model.card.name == "model"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (f"{VARIABLES}.index", None, "variables.index with the model's weights is missing"),
        (f"{VARIABLES}.data-00000-of-00001", None, "data-00000-of-00001 with the model's weights is missing"),
        (f"{VARIABLES}.data-00000-of-00001", b"", "incomplete"),
        (f"{VARIABLES}.index", b"", "damaged"),
        ("saved_model.pb", b"", "no graph"),
        ("saved_model.pb", b"\xff" * 20, "damaged"),
        ("saved_model.pb", b"\x12\x00", "no signature"),
    ],
)
def test_what_is_missing_or_damaged_is_named(name, content, words):
    files = stored("plain-keras2")
    del files[name]
    if content is not None:
        files[name] = content
    with pytest.raises(ModelError, match=words):
        compile_files(files, "folder", None)


# --- graphs made by hand ---------------------------------------------------------------------------------------------


def node(name: str, op: str, *inputs: str, function: str = "") -> bytes:
    data = field(1, name) + field(2, op) + b"".join(field(3, each) for each in inputs)
    return data + (field(5, field(1, "f") + field(2, field(10, field(1, function)))) if function else b"")


def function(name: str, nodes: list[bytes], result: str) -> bytes:
    signature = field(1, name) + field(2, field(1, "x")) + field(3, field(1, "y"))
    return field(1, signature) + b"".join(field(3, n) for n in nodes) + field(4, field(1, "y") + field(2, result))


def saved(nodes: list[bytes], functions: list[bytes], output: str = "y:0") -> dict[str, bytes]:
    library = b"".join(field(1, each) for each in functions)
    graph = b"".join(field(1, each) for each in nodes) + field(2, library)
    info = field(1, field(1, "in") + field(2, field(1, "image:0")))
    info += field(2, field(1, "out") + field(2, field(1, output)))
    signature = field(1, "serving_default") + field(2, info)
    return {"saved_model.pb": field(2, field(2, graph) + field(5, signature))}


def test_functions_are_written_out_where_they_are_called():
    twice = function("twice", [node("a", "Neg", "x"), node("b", "Square", "a:y:0")], "b:y:0")
    call = node("y", "StatefulPartitionedCall", "image", function="twice")
    model = read_saved_model(saved([node("image", "Placeholder"), call], [twice]), "saved_model.pb")
    assert model.outputs == {"out": ("y/b", 0)}
    assert model.operations["y/b"].inputs == (("y/a", 0),)
    assert model.operations["y/a"].inputs == (("image", 0),)


def test_functions_that_call_themselves_are_refused():
    loop = function("loop", [node("again", "PartitionedCall", "x", function="loop")], "again:output:0")
    call = node("y", "PartitionedCall", "image", function="loop")
    with pytest.raises(ModelError, match="calls itself"):
        read_saved_model(saved([node("image", "Placeholder"), call], [loop]), "saved_model.pb")


def test_functions_that_double_on_each_level_are_refused():
    functions = [function("f0", [node("a", "Neg", "x")], "a:y:0")]
    for level in range(1, 25):
        below = f"f{level - 1}"
        calls = [
            node("a", "PartitionedCall", "x", function=below),
            node("b", "PartitionedCall", "a:output:0", function=below),
        ]
        functions.append(function(f"f{level}", calls, "b:output:0"))
    call = node("y", "PartitionedCall", "image", function="f24")
    with pytest.raises(ModelError, match=r"more than 50000 operations|much more memory than the file"):
        read_saved_model(saved([node("image", "Placeholder"), call], functions), "saved_model.pb")


def test_a_call_that_feeds_itself_is_refused():
    once = function("once", [node("a", "Neg", "x")], "a:y:0")
    call = node("y", "PartitionedCall", "y", function="once")
    with pytest.raises(ModelError, match="has no output"):
        read_saved_model(saved([node("image", "Placeholder"), call], [once]), "saved_model.pb")


def test_a_large_variable_may_be_read_many_times(tmp_path):
    size = 2**21
    reads = [keras_files.node(f"r{i}", "ReadVariableOp", ["v"]) for i in range(20)]
    last = keras_files.node("y", "AddN", [f"r{i}" for i in range(20)])
    index = keras_files.variables(keras_files.entry(b"v", keras_files.listed((size,), 0, 4 * size)))
    archive = keras_files.saved(keras_files.node("v", "VarHandleOp"), *reads, last)
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        files = {"saved_model.pb": members.read("saved_model.pb")}
    files |= {f"{VARIABLES}.index": index, f"{VARIABLES}.data-00000-of-00001": bytes(4 * size)}
    assert {array.size for array in read_saved_model(files, "saved_model.pb").constants.values()} == {size}


@pytest.mark.parametrize("op", ["ReadFile", "WriteFile", "PyFunc", "SaveV2", "LookupTableFindV2", "While"])
def test_operations_that_could_touch_the_machine_are_named_and_never_run(op):
    files = saved([node("image", "Placeholder"), node("y", op, "image")], [])
    with pytest.raises(ModelError, match=rf"unsupported operations: {op} \(1\)"):
        compile_files(files, "folder", None)


def test_millions_of_tiny_fields_do_not_fill_the_memory():
    for content in (b"\x08\x00" * 10**6, field(2, field(2, b"\x18\x00" * 10**6))):
        with pytest.raises(ModelError, match="damaged"):
            compile_files({"saved_model.pb": content}, "folder", None)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_changed_bytes_give_a_model_or_a_model_error(data):
    files = stored("gated-keras2")
    name = data.draw(st.sampled_from(["saved_model.pb", f"{VARIABLES}.index"]))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    files[name] = bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    with contextlib.suppress(ModelError):
        compile_files(files, "folder", None)
