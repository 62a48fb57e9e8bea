"""A network that holds code is never given to TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_webipred.publishing.code import foreign_parts
from napari_webipred.publishing.saved_model_code import foreign_operations
from protobuf_writer import field

GOLDENS = Path(__file__).parents[1] / "goldens"


def layer(kind: str, config: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"class_name": kind, "name": "suspect", "config": config or {}, "inbound_nodes": [], **more}


@pytest.mark.parametrize(
    ("part", "named"),
    [
        (layer("Lambda", {"function": ["4wEAAAA=", None, None]}), "suspect (Lambda)"),
        (layer("Dense", {"activation": {"class_name": "__lambda__", "config": {"value": "4w"}}}), "__lambda__"),
        (layer("Custom>Mine"), "Custom>Mine"),
        (layer("Mine", registered_name="mine>Mine"), "suspect (Mine)"),
        (layer("Mine"), "suspect (Mine)"),
        (layer("Dense", module="os"), "os.Dense"),
        (layer("get_file", module="keras.utils"), "keras.utils.get_file"),
        (layer("get_file", module="keras.layers.x.y;import os"), "import os"),
        (layer("Dense", {"activation": {"module": "builtins", "class_name": "function", "config": "eval"}}), "eval"),
        (layer("Dense", {"activation": {"module": "mine", "class_name": "function", "config": "relu"}}), "relu"),
        (layer("Dense", {"activation": {"class_name": "function", "config": {"relu": 1}}}), "{'relu': 1}"),
        (
            layer("Dense", {"kernel_regularizer": {"module": "keras.layers", "class_name": "TFSMLayer", "config": {}}}),
            "TFSMLayer",
        ),
        (layer("Dense", {"layer": {"class_name": "TFSMLayer", "config": {}}}), "TFSMLayer"),
        (layer("Dense", {"layer": {"module": "keras.src.layers.rnn.gru", "class_name": "GRUCell"}}), "GRUCell"),
        (layer("TFOpLambda", {"function": "io.write_file"}), "suspect (TFOpLambda)"),
        (layer("TFOpLambda"), "suspect (TFOpLambda)"),
    ],
)
def test_code_and_foreign_parts_are_named_however_deep_they_lie(part: dict[str, Any], named: str) -> None:
    inner = {"class_name": "Functional", "config": {"layers": [part]}, "inbound_nodes": []}
    found = list(foreign_parts({"class_name": "Sequential", "config": {"layers": [inner]}}))
    assert len(found) == 1
    assert named in found[0]


@pytest.mark.parametrize(
    "part",
    [
        layer("Dense", {"activation": {"module": "builtins", "class_name": "function", "config": "relu6"}}),
        layer("Conv2D", {"kernel_initializer": {"module": "keras.initializers", "class_name": "Zeros", "config": {}}}),
        layer("Functional", module="keras.src.models.functional", registered_name="Functional"),
        layer("Functional", module="tf_keras.src.engine.functional", registered_name="Functional"),
        layer("Dense", {"dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}}),
        layer("TFOpLambda", {"function": "math.multiply"}),
        {"class_name": "Dense", "compile_config": {"loss": {"class_name": "Lambda"}}},
    ],
)
def test_parts_of_keras_are_none(part: dict[str, Any]) -> None:
    assert list(foreign_parts({"class_name": "Sequential", "config": {"layers": [part]}})) == []


# --- SavedModels -----------------------------------------------------------------------------------------------------


def node(name: str, op: str, *inputs: str, function: str = "") -> bytes:
    data = field(1, name) + field(2, op) + b"".join(field(3, each) for each in inputs)
    return data + (field(5, field(1, "f") + field(2, field(10, field(1, function)))) if function else b"")


def function(name: str, *nodes: bytes) -> bytes:
    return field(1, field(1, name)) + b"".join(field(3, each) for each in nodes)


def saved(
    nodes: list[bytes],
    functions: list[bytes] = [],  # noqa: B006
    initialised: str = "",
    *,
    objects: bytes = b"",
    more: bytes = b"",
) -> bytes:
    library = field(2, b"".join(field(1, each) for each in functions))
    graph = b"".join(field(1, each) for each in nodes) + library
    signature = field(5, field(1, "serving_default") + field(2, field(2, field(1, "y") + field(2, field(1, "out:0")))))
    started = field(4, field(1, "saved_model_main_op") + field(2, field(1, field(1, initialised))))
    known = field(7, objects) if objects else b""
    return field(2, field(2, graph) + signature + (started if initialised else b"") + known + more)


def child(name: str, number: int) -> bytes:
    return field(1, field(1, number) + field(2, name))


WRITES = [function("init", node("w", "WriteFile"))]
CALLED = field(1, field(6, field(1, "init")))  # an object that is a function
HARMLESS = [node("out", "Relu", "x"), node("x", "Placeholder")]


@pytest.mark.parametrize(
    "content",
    [
        saved(HARMLESS, WRITES, objects=field(1, child("_initialize", 1) + field(10, b"")) + CALLED),
        saved(
            HARMLESS, WRITES, objects=field(1, child("table", 1)) + field(1, child("made", 2) + field(10, b"")) + CALLED
        ),
        saved(
            HARMLESS,
            WRITES,
            objects=field(1, child("_initialize", 1) + field(10, b"")) + field(1, child("__call__", 2)) + CALLED,
        ),
        saved(HARMLESS, WRITES, objects=field(1, child("_restore_from_tensors", 1) + field(4, b"")) + CALLED),
        saved(
            HARMLESS,
            WRITES,
            objects=field(1, field(11, field(1, "x") + field(2, field(2, 2) + field(3, 1)))) + CALLED,
        ),
        saved(
            HARMLESS,
            WRITES,
            objects=field(1, field(11, field(1, "x") + field(2, field(2, 1) + field(3, 2)))) + CALLED,
        ),
        saved(HARMLESS, WRITES, objects=field(1, child("_initialize", 1)) + field(1, field(8, field(1, "init")))),
        saved([*HARMLESS, node("r", "NoOp", "^w"), node("w", "WriteFile")], more=field(3, field(3, "r"))),
        saved(
            [*HARMLESS, node("r", "NoOp", "^w"), node("w", "WriteFile")],
            more=field(4, field(1, "local_variables") + field(2, field(2, field(1, field(2, "r"))))),
        ),
        saved(
            HARMLESS,
            [field(1, field(1, "same")) + field(3, node("w", "WriteFile")) + field(5, field(1, "api_implements"))],
        ),
        # Two graphs are joined; and of two texts for one name, the second is none, for it stands in a number.
        saved([*HARMLESS, node("w", "WriteFile")], more=field(2, field(1, node("x", "Relu", "^w")))),
        saved([node("out", "Relu", "x"), field(1, "x") + field(2, "WriteFile") + bytes([2 << 3 | 1]) + b"Identity"]),
    ],
    ids=[
        *("the start of a resource", "a function of a resource", "an object that is called", "a method", "restoring"),
        *("saving", "a single function", "restoring in TensorFlow 1", "local variables", "another implementation"),
        *("a second graph", "a second name"),
    ],
)
def test_what_tensorflow_runs_when_it_opens_a_saved_model_is_found(content: bytes) -> None:
    assert foreign_operations(content) == ["WriteFile"]


def test_what_is_never_called_is_no_reason_to_refuse_a_saved_model() -> None:
    saving = [function("init", node("s", "SaveV2"))]
    objects = field(1, child("signatures", 1) + field(4, b"")) + field(1, child("__call__", 2) + field(4, b"")) + CALLED
    restoring = [node("r", "NoOp", "^a"), node("a", "AssignVariableOp", "v", "t"), node("t", "RestoreV2")]
    content = saved([*HARMLESS, *restoring], saving, objects=objects, more=field(3, field(2, "s:0") + field(3, "r")))
    assert foreign_operations(content) == []


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (saved([node("out", "Relu", "x"), node("x", "Placeholder")]), []),
        (saved([node("out", "Relu", "x"), node("x", "ReadFile")]), ["ReadFile"]),
        (saved([node("out", "Relu", "x", "^w"), node("x", "Placeholder"), node("w", "WriteFile")]), ["WriteFile"]),
        (saved([node("out", "Relu", "x"), node("apart", "SaveV2")]), []),
        (saved([node("out", "Relu", "x"), node("apart", "SaveV2")], initialised="apart"), ["SaveV2"]),
        (
            saved(
                [node("out", "StatefulPartitionedCall", function="a")],
                [function("a", node("b", "PartitionedCall", function="b")), function("b", node("s", "PyFunc"))],
            ),
            ["PyFunc"],
        ),
        (
            saved(
                [node("out", "PartitionedCall", function="a")],
                [function("a", node("again", "PartitionedCall", function="a"))],
            ),
            [],
        ),
        (saved([node("out", "PartitionedCall")], [function("never", node("s", "PyFunc"))]), []),
        (saved([node("out", "While", function="a")], [function("a", node("s", "PrintV2"))]), ["PrintV2", "While"]),
    ],
)
def test_a_saved_model_is_followed_to_all_that_tensorflow_would_execute(content: bytes, found: list[str]) -> None:
    assert foreign_operations(content) == found


@pytest.mark.parametrize("path", sorted(GOLDENS.glob("graphs/*-saved.zip")), ids=lambda path: path.stem)
def test_what_keras_saves_executes_nothing_else(path) -> None:
    import zipfile

    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("saved_model.pb"))
        assert foreign_operations(archive.read(name)) == []
