"""Hashes of what small models compile to, one model for each kind of layer, operation and format.

Run as a program, it writes the hashes that `tests/runtime/test_compiler_version.py` compares, if it may.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from goldens import networks
from napari_webipred.runtime import onnx_file
from napari_webipred.runtime.compiler import compile_model
from napari_webipred.runtime.graph import COMPILER_VERSION
from napari_webipred.runtime.readers import compile_files
from napari_webipred.runtime.tfjs import read_layers_model
from tensorflow_graphs import IMAGE, MEAN, graph, node, text

GOLDENS = Path(__file__).parent / "goldens"
HASHES = GOLDENS / "compiled_graphs.json"
COMMAND = "python tests/compiled_graphs.py"

Models = dict[str, Callable[[], bytes]]


def hash_of(compiled: bytes) -> str:
    """Hash what an ONNX model computes and says, whatever version of onnx wrote it, and its own version left out."""
    model = onnx.load_model_from_string(compiled)
    digest = hashlib.sha256()

    def add(*said: object) -> None:
        digest.update(repr(said).encode() + b"\n")

    add(model.ir_version, [(each.domain, each.version) for each in model.opset_import])
    add(sorted((entry.key, entry.value) for entry in model.metadata_props))
    for value in [*model.graph.input, *model.graph.output]:
        sizes = [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]
        add(value.name, value.type.tensor_type.elem_type, sizes)
    for each in model.graph.node:
        add(each.domain, each.op_type, list(each.input), list(each.output), sorted(map(_attribute, each.attribute)))
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        add(tensor.name, array.dtype.str, array.shape)
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _attribute(attribute: onnx.AttributeProto) -> tuple[str, str]:
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, onnx.TensorProto):
        array = onnx.numpy_helper.to_array(value)
        value = (array.dtype.str, array.shape, array.tobytes())
    return attribute.name, repr(list(value) if attribute.ints or attribute.floats else value)


# --- layers ----------------------------------------------------------------------------------------------------------


def _keras(topology: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> bytes:
    entries = [{"name": name, "shape": list(array.shape), "dtype": "float32"} for name, array in weights.items()]
    document = {"modelTopology": topology, "weightsManifest": [{"paths": ["w.bin"], "weights": entries}]}
    data = b"".join(array.astype("<f4").tobytes() for array in weights.values())
    return compile_model(read_layers_model({"model.json": json.dumps(document).encode(), "w.bin": data}, "model.json"))


def _golden(case: Mapping[str, Any]) -> bytes:
    arrays = {
        name: np.array(each["values"], np.float32).reshape(each["shape"]) for name, each in case["weights"].items()
    }
    return _keras({"model_config": case["topology"]}, arrays)


def _variant(name: str) -> bytes:
    with zipfile.ZipFile(GOLDENS / "variants.zip") as archive:
        stored = json.loads(archive.read(name))
    return _keras(
        stored["topology"], {key: networks.weight(key, s, stored["gain"]) for key, s in stored["shapes"].items()}
    )


# Sums as keras.applications has them, and a layer that only whole networks have.
_SUMS = {
    "Lambda": {"class_name": "Lambda", "config": {"name": "block35_1", "arguments": {"scale": 0.5}}},
    "CustomScaleLayer": {"class_name": "CustomScaleLayer", "config": {"name": "sum", "scale": 0.5}},
    "LayerScale": {"class_name": "LayerScale", "config": {"name": "it"}},
}


def _sum(class_name: str) -> bytes:
    described = _SUMS[class_name]
    name, count = described["config"]["name"], 1 if class_name == "LayerScale" else 2
    first = {
        "class_name": "InputLayer",
        "name": "image",
        "config": {"name": "image", "batch_input_shape": [None, 2, 2, 3]},
    }
    layers = [
        {**first, "inbound_nodes": []},
        {**described, "name": name, "inbound_nodes": [[["image", 0, 0, {}]] * count]},
    ]
    ends = {"input_layers": [["image", 0, 0]], "output_layers": [[name, 0, 0]]}
    topology = {"class_name": "Functional", "config": {"name": "m", "layers": layers, **ends}}
    return _keras({"model_config": topology}, {"it/gamma": np.float32([1, 2, 3])} if count == 1 else {})


def layers() -> tuple[Models, set[str]]:
    """Return models of one layer or a few, and the classes of layers in them."""
    cases = json.loads((GOLDENS / "layers.json").read_text("utf-8"))
    models: Models = {f"layer: {name}": lambda case=case: _golden(case) for name, case in cases.items()}
    said = json.dumps([case["topology"] for case in cases.values()])
    with zipfile.ZipFile(GOLDENS / "variants.zip") as archive:
        for name in archive.namelist():
            models[f"layer: {name.removesuffix('.json')}"] = lambda name=name: _variant(name)
            said += archive.read(name).decode()
    models |= {f"layer: {name}": lambda name=name: _sum(name) for name in _SUMS}
    classes = {part.partition('"')[0].rpartition(">")[2] for part in said.split('"class_name": "')[1:]}
    return models, classes | set(_SUMS)


# --- operations of TensorFlow ----------------------------------------------------------------------------------------

_UNARY = (
    *("Abs", "CheckNumerics", "Elu", "Erf", "Erfc", "Exp", "Identity", "Inv", "LeakyRelu", "Log", "LogSoftmax"),
    *("Neg", "PlaceholderWithDefault", "PreventGradient", "Reciprocal", "Relu", "Relu6", "Rsqrt", "Selu", "Sigmoid"),
    *("Snapshot", "Softmax", "Softplus", "Softsign", "Sqrt", "Square", "StopGradient", "Tanh"),
)
_BINARY = (
    *("Add", "AddN", "AddV2", "BiasAdd", "Div", "Maximum", "Minimum", "Mul", "Pow", "Prelu", "RealDiv"),
    *("SquaredDifference", "Sub"),
)
_FUSED = {"list": {"s": [text("BiasAdd")["s"], text("Relu")["s"]]}}
_WINDOW = {"padding": text("SAME"), "strides": {"list": {"i": ["1"] * 4}}, "dilations": {"list": {"i": ["1"] * 4}}}
_CONSTANTS = {
    "c": np.array([1, 2, 3], np.float32),
    "k": np.arange(6, dtype=np.float32).reshape(3, 2),
    "two": np.array([1, -1], np.float32),
    "kernel": np.arange(24, dtype=np.float32).reshape(2, 2, 3, 2),
    "deep": np.arange(12, dtype=np.float32).reshape(2, 2, 3, 1),
    "pads": np.array([[0, 0], [1, 1], [0, 2], [0, 0]], np.int32),
    "zero": np.array(0, np.float32),
    "size": np.array([3, 5], np.int32),
}
_MAP_OPERATIONS = {  # of the image, whose result is averaged
    **{op: node("y", op, "image", "k") for op in ("BatchMatMul", "BatchMatMulV2")},
    **{op: node("y", op, "image", *["c"] * 4) for op in ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")},
    "_FusedBatchNormEx": node("y", "_FusedBatchNormEx", "image", *["c"] * 4, activation_mode=text("Relu")),
    "_FusedConv2D": node("y", "_FusedConv2D", "image", "kernel", "two", fused_ops=_FUSED, **_WINDOW),
    "FusedDepthwiseConv2dNative": node(
        "y", "FusedDepthwiseConv2dNative", "image", "deep", "c", fused_ops=_FUSED, **_WINDOW
    ),
    "PadV2": node("y", "PadV2", "image", "pads", "zero"),
    "ResizeBilinear": node("y", "ResizeBilinear", "image", "size", half_pixel_centers={"b": True}),
    "ResizeNearestNeighbor": node("y", "ResizeNearestNeighbor", "image", "size", half_pixel_centers={"b": True}),
}
_LIST_OPERATIONS = {  # whose result is a list of numbers
    **{op: [MEAN, node("y", op, "mean")] for op in _UNARY},
    **{op: [MEAN, node("y", op, "mean", "c")] for op in _BINARY},
    **{op: [node("y", op, "image", "axes", keep_dims={"b": False})] for op in ("Max", "Mean", "Min", "Sum")},
    "_FusedMatMul": [MEAN, node("y", "_FusedMatMul", "mean", "k", "two", fused_ops=_FUSED)],
    "Cast": [MEAN, node("y", "Cast", "mean", DstT={"type": "DT_FLOAT"})],
    "MatMul": [MEAN, node("y", "MatMul", "mean", "k")],
    "Squeeze": [
        node("kept", "Mean", "image", "axes", keep_dims={"b": True}),
        node("y", "Squeeze", "kept", squeeze_dims={"list": {"i": ["1", "2"]}}),
    ],
}


def operations() -> tuple[Models, set[str]]:
    """Return graphs of one operation or a few, and the operations in them."""
    graphs = dict(_LIST_OPERATIONS)
    for op, each in _MAP_OPERATIONS.items():
        graphs[op] = [each, node("end", "Mean", "y", "axes", keep_dims={"b": False})]
    models: Models = {
        f"operation: {op}": lambda nodes=nodes: compile_files(graph(IMAGE, *nodes, **_CONSTANTS), "folder", None)
        for op, nodes in graphs.items()
    }
    found = set(graphs)
    for path in sorted((GOLDENS / "graphs").glob("*-tfjs.zip")):
        document = json.loads(_unpacked(path)["model.json"])
        found |= {each["op"] for each in document["modelTopology"]["node"]}
    return models, found


# --- formats ---------------------------------------------------------------------------------------------------------


def _unpacked(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _onnx(path: str) -> bytes:
    """Adapt a network that takes channels first or last."""
    first = path == "channels first"
    image = onnx.helper.make_tensor_value_info(
        "x", onnx.TensorProto.FLOAT, [None, 3, 4, 4] if first else [None, 4, 4, 3]
    )
    scores = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 3])
    nodes = [
        onnx.helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3] if first else [1, 2], keepdims=0),
        onnx.helper.make_node("Softmax", ["m"], ["y"], axis=1),
    ]
    made = onnx.helper.make_graph(nodes, "g", [image], [scores])
    model = onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return onnx_file.adapt("m.onnx", model.SerializeToString())


def formats() -> Models:
    """Return a model of each format."""
    models: Models = {
        f"format: {path.name}": lambda path=path: compile_files(_unpacked(path), "folder", None)
        for path in sorted((GOLDENS / "graphs").glob("*.zip"))
    }
    for path in sorted((GOLDENS / "keras").glob("*.h5")):
        models[f"format: {path.name}"] = lambda path=path: compile_files(
            {path.name: path.read_bytes()}, "hdf5", path.name
        )
    for path in sorted((GOLDENS / "keras").glob("*.keras")):
        models[f"format: {path.name}"] = lambda path=path: compile_files(_unpacked(path), "folder", None)
    return models | {
        f"format: ONNX, {kind}": lambda kind=kind: _onnx(kind) for kind in ("channels first", "channels last")
    }


def hashes() -> dict[str, str]:
    """Return the hash of each model's graph."""
    return {name: hash_of(made()) for name, made in {**layers()[0], **operations()[0], **formats()}.items()}


def changed(now: Mapping[str, str], noted: Mapping[str, str]) -> Iterator[str]:
    """Yield the models that were compiled to another graph before."""
    return (name for name, hashed in now.items() if noted.get(name, hashed) != hashed)


def main() -> None:
    """Write the hashes, unless graphs have changed and the version has not."""
    noted = json.loads(HASHES.read_text()) if HASHES.exists() else {"version": 0, "graphs": {}}
    now = hashes()
    if noted["version"] == COMPILER_VERSION and (names := list(changed(now, noted["graphs"]))):
        sys.exit(f"{len(names)} models compile to another graph: raise COMPILER_VERSION in runtime/graph.py first.")
    HASHES.write_text(json.dumps({"version": COMPILER_VERSION, "graphs": now}, indent=1) + "\n")


if __name__ == "__main__":
    main()
