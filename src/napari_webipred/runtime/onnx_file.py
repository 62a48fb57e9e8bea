"""ONNX files by others: checked, and made to take pictures and give classes as our own graphs do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError
from napari_webipred.runtime import external_data
from napari_webipred.runtime.facts import ENDING, FORMAT, PREFIX
from napari_webipred.runtime.graph import Node
from napari_webipred.runtime.image_input import image_sizes, not_an_image
from napari_webipred.runtime.microsoft_operators import is_known
from napari_webipred.runtime.onnx_graph import OnnxGraph, read_graph
from napari_webipred.runtime.onnx_wrapping import declare, rename, wrap
from napari_webipred.runtime.order import in_order
from napari_webipred.runtime.outputs import NO_LIST, ModelOutput, Shape, choose, described, properties_of
from napari_webipred.runtime.shapes import infer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, TypeProto

# A protobuf message cannot be larger.
_MAX_BYTES = 2**31 - 1
# Larger constants are weights, of which only the shape matters for what outputs are.
_SMALL = 4096
# Sizes at which a network that takes images of any size is tried.
_TRIED = (224, 256)
_OLDEST_IR = 4  # from here on, what is a constant need not be listed as an input
# Versions of ONNX' own operators that ONNX Runtime computes; `napari_webipred.runtime.shapes` knows all of them.
_OLDEST_OPSET, _NEWEST_OPSET = 7, 26
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
        whose size cannot be told, or does not turn one picture into class scores.
    """
    try:
        with _named(name):
            network = read_graph(content)  # before the library of ONNX makes objects of everything in it
        if network.operations and not _OLDEST_OPSET <= network.opset <= _NEWEST_OPSET:
            raise ModelError(
                f"{name} uses version {network.opset} of the operators of ONNX; {_OLDEST_OPSET} to {_NEWEST_OPSET} can "
                "be run.",
                "Export the model again for another version, such as 17.",
            )
        return _adapted(name, network, _parse(name, content), output, classes, files or {})
    except UnicodeError as error:  # texts are not looked at when the file is parsed
        raise _damaged(name) from error


def _adapted(
    name: str, network: OnnxGraph, model: ModelProto, output: str | None, classes: int, files: Mapping[str, bytes]
) -> bytes:
    graph = model.graph
    _check_texts(name, graph)
    _check_nodes(name, model)
    elsewhere = any(map(external_data.is_external, (*graph.initializer, *_attribute_tensors(name, graph.node))))
    outside = _take_small(name, model, files)
    if elsewhere:
        network = read_graph(_without_weights(model).SerializeToString())  # again, with the small ones
    given = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in given]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs[:10])
        raise ModelError(f"{name} takes {len(inputs)} inputs ({names}) instead of one picture.", _PLAIN)
    picture = inputs[0]
    batch, *sizes = _picture_shape(name, picture.type)
    order = _order(name, sizes)
    shapes = _shapes(name, network, graph, None in sizes)
    outputs = _outputs(name, graph, shapes)
    chosen, _ = choose(name, outputs, output, classes)
    scores = graph.output[chosen.number].name
    facts = {FORMAT: "onnx", ENDING: chosen.ending, **properties_of(outputs, chosen)}
    ours, elements = rename(graph), picture.type.tensor_type.elem_type
    source, scores = ours[picture.name], ours[scores]
    wrap(graph, source, elements, order, scores)
    height, width, channels = _picture(sizes, order)
    declare(
        graph, [batch or "batch", height or "height", width or "width", channels], [batch or "batch", chosen.size or 1]
    )
    model.ir_version = max(model.ir_version, _OLDEST_IR)
    # What is no UTF-8 is bytes here, and would stop ONNX Runtime from telling any property.
    texts = [each for each in model.metadata_props if isinstance(each.key, str) and isinstance(each.value, str)]
    kept = [entry for entry in texts if not entry.key.startswith(PREFIX)]
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


def _check_texts(name: str, graph: GraphProto) -> None:
    texts = [value.name for values in (graph.input, graph.output, graph.initializer) for value in values]
    texts += [text for node in graph.node for text in (node.op_type, *node.input, *node.output)]
    if not all(isinstance(text, str) for text in texts):  # bytes that are no UTF-8 stay bytes
        raise _damaged(name)


def _check_nodes(name: str, model: ModelProto) -> None:
    """Refuse what could run other code or never end."""
    nodes = model.graph.node
    if model.functions or model.training_info:
        raise ModelError(f"{name} defines functions of its own or holds training steps.", _PLAIN)
    foreign = sorted({f"{node.domain}.{node.op_type}" for node in nodes if not is_known(node)})
    if foreign:
        raise ModelError(f"{name} uses operators that are not supported: {', '.join(foreign[:10])}.", _PLAIN)
    if model.graph.sparse_initializer:
        raise ModelError(f"{name} holds sparse weights.", _PLAIN)
    for tensor in (*model.graph.initializer, *_attribute_tensors(name, nodes)):
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > limits.TENSOR_NUMBERS:
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


def _shapes(name: str, network: OnnxGraph, graph: GraphProto, open_sizes: bool) -> dict[str, TypeProto]:
    """Tell the types of the outputs for one picture. What depends on the size of the picture is left open.

    Returns
    -------
    dict of str to TypeProto
        Empty if the size is open and the network does not take those that are tried.
    """
    import onnx

    with _named(name):
        network = in_order(network)
        (given,) = network.inputs.values()
        found = []
        for size in _TRIED if open_sizes else _TRIED[:1]:
            batch = tuple(n or (size if i else 1) for i, n in enumerate(given.sizes or ()))
            try:
                found.append(infer(network, dict.fromkeys(network.inputs, batch)))
            except ModelError as error:
                if open_sizes and not isinstance(error, LimitError):
                    return {}
                raise
    types = {}
    for declared in graph.output:
        shapes = [values[declared.name].shape for values in found]
        dims = [sizes[0] if len(set(sizes)) == 1 else None for sizes in zip(*shapes, strict=True)]
        told = _dims(declared.type)
        if len(told) == len(dims):  # the file may know what the size of the images has to be
            dims = [told[i] if size is None else size for i, size in enumerate(dims)]
        types[declared.name] = onnx.helper.make_tensor_type_proto(found[0][declared.name].element_type, dims)
    return types


def _without_weights(model: ModelProto) -> ModelProto:
    """Return the network with the numbers of small constants only, and the shapes of the others."""
    import onnx

    bare = onnx.ModelProto()
    bare.opset_import.extend(model.opset_import)
    bare.graph.node.extend(model.graph.node)
    bare.graph.input.extend(model.graph.input)
    bare.graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= limits.KNOWN_NUMBERS:
            bare.graph.initializer.append(tensor)
        else:
            bare.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    return bare


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Say in errors which file it is about."""
    try:
        yield
    except ModelError as error:
        raise type(error)(f"{name}: {error.message}", error.hint or _PLAIN, *error.remedies) from error


def _outputs(name: str, graph: GraphProto, types: dict[str, TypeProto]) -> list[ModelOutput]:
    """Describe the outputs; only floating-point numbers for each image can be class scores."""
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
