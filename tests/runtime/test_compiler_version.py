"""A graph on disk is used as long as the version of the compiler is the same, so the version must tell."""

from __future__ import annotations

import json

import onnx

import compiled_graphs
from compiled_graphs import COMMAND, HASHES
from napari_webipred.runtime.graph import COMPILER_VERSION
from napari_webipred.runtime.layers import KINDS
from napari_webipred.runtime.operations import OPERATIONS


def test_the_same_models_compile_to_the_same_graphs_or_the_version_of_the_compiler_is_raised() -> None:
    noted = json.loads(HASHES.read_text())
    now = compiled_graphs.hashes()
    names = list(compiled_graphs.changed(now, noted["graphs"]))
    assert not names or noted["version"] != COMPILER_VERSION, (
        f"{len(names)} models compile to another graph than before, such as {names[:3]}. Raise COMPILER_VERSION in "
        f"runtime/graph.py and run `{COMMAND}` to write the new hashes."
    )
    assert (noted["version"], set(noted["graphs"])) == (COMPILER_VERSION, set(now)), (
        f"COMPILER_VERSION was raised, or models were added: run `{COMMAND}` to write the new hashes."
    )


def test_every_layer_and_operation_is_among_these_models() -> None:
    built = {KINDS[name].build for name in compiled_graphs.layers()[1] if name in KINDS}
    assert sorted(name for name, kind in KINDS.items() if kind.build not in built) == []
    assert sorted(OPERATIONS.keys() - compiled_graphs.operations()[1]) == []


def test_the_hash_is_of_the_content_and_of_nothing_that_onnx_adds() -> None:
    model = onnx.load_model_from_string(compiled_graphs.formats()["format: ONNX, channels first"]())
    before = compiled_graphs.hash_of(model.SerializeToString())
    model.producer_version = model.doc_string = "another"
    model.graph.node[0].name = "called so by another version"
    assert compiled_graphs.hash_of(model.SerializeToString()) == before
    model.graph.node[0].op_type = "ReduceMax"
    assert compiled_graphs.hash_of(model.SerializeToString()) != before
