"""ONNX files by others: checked, and made to take pictures and give classes as our own graphs do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ModelError
from napari_webipred.runtime import external_data
from napari_webipred.runtime.facts import ENDING, PREFIX
from napari_webipred.runtime.graph import INPUT, OUTPUT, Node
from napari_webipred.runtime.image_input import image_sizes, not_an_image
from napari_webipred.runtime.microsoft_operators import is_known, like_standard
from napari_webipred.runtime.outputs import NO_LIST, ModelOutput, Shape, choose, described, properties_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, TypeProto

# 4 GiB of float32 for one picture; the largest tensors of the networks in use are a hundredth of that.
_MAX_TENSOR = 2**30
_MAX_NODES = 100_000
# A protobuf message cannot be larger.
_MAX_BYTES = 2**31 - 1
# Larger constants are weights, of which only the shape matters for the shapes of what is computed.
_SMALL = 4096
# Operators whose result may be as large as a number in the file says, without the network being large itself.
_SIZED_BY_VALUES = {
    "ConstantOfShape",
    "Expand",
    "Tile",
    "Range",
    "Pad",
    "Resize",
    "Upsample",
    "OneHot",
    "CenterCropPad",
}
_OLDEST_IR = 4  # from here on, what is a constant need not be listed as an input
_PLAIN = (
    "Export the model again, as one file of standard operators with one picture as input and class scores as output."
)


def adapt(
    name: str,
    content: bytes,
    output: str | None = None,
    classes: int = 0,
    files: Mapping[str, bytes] | None = None,
) -> bytes:
    """Check an ONNX file and wrap it, so that `napari_webipred.runtime.session.Session` can run it.

    Parameters
    ----------
    name : str
        Name of the file, for messages.
    content : bytes
    output : str, optional
        Name or number, from 0, of the output that gives the classes, if there are several.
    classes : int
        How many names of classes are known, which may decide between several outputs.
    files : mapping of str to bytes, optional
        The files of the model, in which it may keep weights: `name` is one of them.

    Returns
    -------
    bytes
        An ONNX model with one input ``image``, float32 (batch, height, width, channels), and one output ``classes``,
        float32 (batch, numbers); the batch is 1 where the file fixes it so. What the file says about itself
        (``metadata_props``) is kept.

    Raises
    ------
    ModelError
        The file is damaged, needs files that are missing, operators that are not known or control flow, makes tensors
        of absurd size, or does not turn one picture into class scores.
    """
    try:
        return _adapted(name, _parse(name, content), output, classes, files or {})
    except UnicodeError as error:  # texts are not looked at when the file is parsed
        raise _damaged(name) from error


def _adapted(name: str, model: ModelProto, output: str | None, classes: int, files: Mapping[str, bytes]) -> bytes:
    _check_nodes(name, model)
    graph = model.graph
    outside = _take_small(name, model, files)
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs[:10])
        raise ModelError(f"{name} takes {len(inputs)} inputs ({names}) instead of one picture.", _PLAIN)
    picture = inputs[0]
    batch, *sizes = _picture_shape(name, picture.type)
    order = _order(name, sizes)
    shapes = _shapes(name, model, None in sizes)
    outputs = _outputs(name, graph, shapes)
    chosen, _ = choose(name, outputs, output, classes)
    scores = graph.output[chosen.number].name
    facts = {ENDING: chosen.ending, **properties_of(outputs, chosen)}
    source, elements = picture.name, picture.type.tensor_type.elem_type
    _free_names(graph)
    source, scores = (f"{value}_" if value in (INPUT, OUTPUT) else value for value in (source, scores))
    _wrap(graph, source, elements, order, scores)
    height, width, channels = _picture(sizes, order)
    _declare(
        graph, [batch or "batch", height or "height", width or "width", channels], [batch or "batch", chosen.size or 1]
    )
    model.ir_version = max(model.ir_version, _OLDEST_IR)
    kept = [entry for entry in model.metadata_props if not entry.key.startswith(PREFIX)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    return _written(name, model, outside, files)


def _take_small(name: str, model: ModelProto, files: Mapping[str, bytes]) -> list[external_data.Outside]:
    """Read small tensors that lie in other files, for they may be sizes; return the large ones, which are weights."""
    nodes = model.graph.node
    most = _MAX_BYTES - model.ByteSize()  # all of it becomes one file
    inner = external_data.locate(name, _attribute_tensors(name, nodes), files, most)
    outer = external_data.locate(name, model.graph.initializer, files, most - sum(each.size for each in inner))
    small = [each for each in outer if math.prod(each.tensor.dims) <= _SMALL]
    external_data.fill(name, [*inner, *small], files)
    return [each for each in outer if math.prod(each.tensor.dims) > _SMALL]


def _written(name: str, model: ModelProto, outside: list[external_data.Outside], files: Mapping[str, bytes]) -> bytes:
    """Write the model, with those of its weights that lie in other files behind it."""
    if not outside:
        whole: bytes = model.SerializeToString(deterministic=True)
        return whole
    tensors = model.graph.initializer
    for i in reversed(range(len(tensors))):
        if external_data.is_external(tensors[i]):
            del tensors[i]
    written = BytesIO()
    written.write(model.SerializeToString(deterministic=True))
    external_data.write(written, name, outside, files)
    return written.getvalue()


def _parse(name: str, content: bytes) -> ModelProto:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]

    if len(content) > _MAX_BYTES:
        raise ModelError(f"{name} is larger than an ONNX file can be.", _PLAIN)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except (DecodeError, ValueError, RecursionError) as error:
        raise _damaged(name) from error
    if not model.graph.node:
        raise ModelError(f"{name} is an ONNX file without a network.", _PLAIN)
    return model


def _damaged(name: str) -> ModelError:
    return ModelError(f"{name} is a damaged ONNX file.", "Get the file again from its source.")


def _check_nodes(name: str, model: ModelProto) -> None:
    """Refuse what could run other code or never end."""
    nodes = model.graph.node
    if len(nodes) > _MAX_NODES:
        raise ModelError(f"{name} has {len(nodes)} operations; {_MAX_NODES} are the most.", _PLAIN)
    if model.functions or model.training_info:
        raise ModelError(f"{name} defines functions of its own or holds training steps.", _PLAIN)
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in nodes if not is_known(node)})
    if foreign:
        raise ModelError(f"{name} uses operators that are not supported: {', '.join(foreign[:10])}.", _PLAIN)
    if model.graph.sparse_initializer:
        raise ModelError(f"{name} holds sparse weights.", _PLAIN)
    for tensor in (*model.graph.initializer, *_attribute_tensors(name, nodes)):
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > _MAX_TENSOR:
            raise ModelError(
                f"The tensor {tensor.name[:80]!r} in {name} has the shape {list(tensor.dims)[:8]}.", _PLAIN
            )


def _attribute_tensors(name: str, nodes: Iterable[NodeProto]) -> Iterable[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise ModelError(f"{name} branches or loops ({node.op_type}); such models are not run.", _PLAIN)
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ModelError(f"{name} holds sparse weights.", _PLAIN)
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _dims(kind: TypeProto) -> list[int | None]:
    return [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in kind.tensor_type.shape.dim
    ]


def _picture_shape(name: str, kind: TypeProto) -> list[int | None]:
    import onnx

    dims = _dims(kind)
    taken = kind.tensor_type.elem_type
    if taken not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE):
        known = onnx.TensorProto.DataType.values()
        shown = onnx.TensorProto.DataType.Name(taken) if taken in known else taken
        raise ModelError(f"{name} takes numbers of the type {shown}, not floating-point pixels.", _PLAIN)
    if image_sizes(dims) is None:
        raise not_an_image(name, dims)
    if dims[0] not in (None, 1):
        raise ModelError(f"{name} takes exactly {dims[0]} pictures at a time.", _PLAIN)
    return dims


def _order(name: str, sizes: list[int | None]) -> str:
    """Tell in which order the network takes a picture: as ONNX calls it, or ``"HW"`` for one without channels."""
    if len(sizes) == 2:
        return "HW"
    first, last = sizes[0] in (1, 3), sizes[2] in (1, 3)
    if first == last:
        what = "two axes" if first else "no axis"
        raise ModelError(
            f"{name} is not an image model: its input of {sizes} has {what} that could be grey or colour.", _PLAIN
        )
    return "NCHW" if first else "NHWC"


def _picture(sizes: list[int | None], order: str) -> tuple[int | None, int | None, int | None]:
    """Return height, width and channels."""
    match order:
        case "HW":
            return sizes[0], sizes[1], 1
        case "NCHW":
            return sizes[1], sizes[2], sizes[0]
    return sizes[0], sizes[1], sizes[2]


def _shapes(name: str, model: ModelProto, open_sizes: bool) -> dict[str, TypeProto]:
    """Infer the types of all tensors for one picture, without the weights, and refuse absurd sizes."""
    import onnx

    bare = onnx.ModelProto(ir_version=_OLDEST_IR)
    bare.opset_import.extend(model.opset_import)
    graph = model.graph
    bare.graph.name = "network"
    bare.graph.node.extend(standard for node in graph.node for standard in like_standard(node))
    bare.graph.output.extend(graph.output)
    given = {tensor.name for tensor in graph.initializer}
    bare.graph.input.extend(value for value in graph.input if value.name not in given)
    bare.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    for tensor in graph.initializer:
        if math.prod(tensor.dims) <= _SMALL:
            bare.graph.initializer.append(tensor)
        else:
            bare.graph.input.append(
                onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
            )
    try:
        inferred = onnx.shape_inference.infer_shapes(bare, strict_mode=True, data_prop=True)
    except Exception as error:  # the C++ behind raises more kinds than it documents
        reason = (str(error).strip().splitlines() or ["unknown"])[0][:200]
        raise ModelError(f"The operations in {name} do not fit together: {reason}", _PLAIN) from error
    types = {value.name: value.type for value in (*inferred.graph.value_info, *inferred.graph.output)}
    for tensor_name, kind in types.items():
        dims = _dims(kind)
        if math.prod(size or 1 for size in dims) > _MAX_TENSOR:
            raise ModelError(
                f"The tensor {tensor_name[:80]!r} in {name} has the shape {dims[:8]}, which is too large.", _PLAIN
            )
    for node in graph.node:
        if node.op_type in _SIZED_BY_VALUES and not open_sizes and not all(_is_known(types, o) for o in node.output):
            raise ModelError(f"It cannot be told how large the result of {node.op_type} in {name} would be.", _PLAIN)
    return types


def _is_known(types: dict[str, TypeProto], tensor: str) -> bool:
    kind = types.get(tensor)
    return kind is not None and kind.tensor_type.HasField("shape") and None not in _dims(kind)


def _outputs(name: str, graph: GraphProto, types: dict[str, TypeProto]) -> list[ModelOutput]:
    """Describe the outputs; only floating-point numbers for each image can be class scores."""
    texts = [value.name for value in graph.output]
    texts += [text for node in graph.node for text in (node.op_type, *node.input, *node.output)]
    if not all(isinstance(text, str) for text in texts):  # bytes that are no UTF-8 stay bytes
        raise _damaged(name)
    shapes = {value.name: _scores_shape(types.get(value.name, value.type)) for value in graph.output}
    if all(shape == NO_LIST for shape in shapes.values()):
        outputs = ", ".join(f"{value.name} {_dims(value.type)}" for value in graph.output[:10])
        raise ModelError(f"{name} has no output that lists classes: {outputs}.", _PLAIN)
    tensors = [(value.name, (value.name, shapes[value.name])) for value in graph.output]
    return described(name, tensors, _nodes(graph), _constants(graph))


def _scores_shape(kind: TypeProto) -> Shape:
    """Return the sizes of an output for one image."""
    import onnx

    dims = _dims(kind)
    floats = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    if kind.tensor_type.elem_type not in floats or not kind.tensor_type.HasField("shape") or not dims:
        return NO_LIST
    if dims[0] in (None, 1):
        return tuple(dims[1:])
    return NO_LIST if sum(size != 1 for size in dims) < 2 else tuple(dims)


def _nodes(graph: GraphProto) -> Iterator[Node]:
    for node in graph.node:
        numbers = {each.name: each.i if each.type == each.INT else each.f for each in node.attribute}
        for made in node.output:
            yield Node(node.op_type, tuple(node.input), made, dict(numbers))


def _constants(graph: GraphProto) -> dict[str, NDArray[Any]]:
    """Return the small constants, by name."""
    import onnx

    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    found: dict[str, NDArray[Any]] = {}
    for node in graph.node:
        for attribute in node.attribute if node.op_type == "Constant" and node.output else ():
            if attribute.HasField("t"):
                tensors.append((node.output[0], attribute.t))
            elif attribute.name in {"value_float", "value_int"}:
                found[node.output[0]] = np.array(attribute.f if attribute.HasField("f") else attribute.i)
    for name, tensor in tensors:
        if math.prod(tensor.dims) <= _SMALL and tensor.data_location != onnx.TensorProto.EXTERNAL:
            with suppress(ValueError, TypeError, KeyError):  # ONNX Runtime says what is wrong with it
                found[name] = onnx.numpy_helper.to_array(tensor)
    return found


def _free_names(graph: GraphProto) -> None:
    """Rename the tensors that are called like our input and output."""
    for node in graph.node:
        for names in (node.input, node.output):
            for i, value in enumerate(names):
                if value in (INPUT, OUTPUT):
                    names[i] = f"{value}_"
    for tensor in graph.initializer:
        if tensor.name in (INPUT, OUTPUT):
            tensor.name = f"{tensor.name}_"


def _wrap(graph: GraphProto, source: str, elements: int, order: str, scores: str) -> None:
    import onnx

    float32 = onnx.TensorProto.FLOAT
    make = onnx.helper.make_node
    match order:
        case "HW":  # zeros stand for the sizes as they are
            sizes = onnx.helper.make_tensor("height and width", onnx.TensorProto.INT64, [3], [0, 0, 0])
            graph.initializer.append(sizes)
            first = make("Reshape", [INPUT, sizes.name], ["image as stored"])
        case "NCHW":
            first = make("Transpose", [INPUT], ["image as stored"], perm=[0, 3, 1, 2])
        case _:
            first = make("Identity", [INPUT], ["image as stored"])
    cast = make("Cast", ["image as stored"], [source], to=elements)
    last = [make("Flatten", [scores], ["flat scores"], axis=1), make("Cast", ["flat scores"], [OUTPUT], to=float32)]
    nodes = [first, cast, *graph.node, *last]
    del graph.node[:]
    graph.node.extend(nodes)


def _declare(graph: GraphProto, picture: list[int | str | None], scores: list[int | str]) -> None:
    import onnx

    for values in (graph.input, graph.output, graph.value_info):
        del values[:]
    graph.input.append(onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, picture))
    graph.output.append(onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, scores))
