"""ONNX files: checked, and wrapped to have the input and output of compiled graphs."""

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
from napari_webipred.runtime.facts import ENDING, FORMAT, IMAGE, PREFIX
from napari_webipred.runtime.graph import Node
from napari_webipred.runtime.image_input import ImageInput, image_sizes, not_an_image
from napari_webipred.runtime.microsoft_operators import is_known
from napari_webipred.runtime.onnx_graph import OnnxGraph, read_graph
from napari_webipred.runtime.onnx_wrapping import declare, rename, wrap
from napari_webipred.runtime.order import in_order
from napari_webipred.runtime.outputs import NO_LIST, ModelOutput, Shape, choose, described, properties_of
from napari_webipred.runtime.shapes import infer

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnx import GraphProto, ModelProto, NodeProto, TypeProto

# The maximum size of a protobuf message.
_MAX_BYTES = 2**31 - 1
# Larger constants are weights; only their shape matters here.
_SMALL = 4096
# Image sizes to try if the network accepts any size.
_TRIED = (224, 256)
_OLDEST_IR = 4  # since this version, constants need not be listed as inputs
# Versions of ONNX operators that ONNX Runtime supports; `napari_webipred.runtime.shapes` has rules for all of them.
_OLDEST_OPSET, _NEWEST_OPSET = 7, 26
_PLAIN = "Export the model again as one file with standard operators, one image as input and class scores as output."


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
        Name or index of the output with the class scores, if there are several.
    classes : int
        Number of known class names, which may decide between several outputs.
    files : mapping of str to bytes, optional
        The files of the model, which may hold its weights; `name` is one of them.

    Returns
    -------
    bytes
        An ONNX model with one input ``image``, float32 (batch, height, width, channels), and one output ``classes``,
        float32 (batch, numbers); the batch size is 1 if the file has it fixed. The metadata of the file
        (``metadata_props``) are kept.

    Raises
    ------
    ModelError
        The file is damaged or incomplete, has unsupported operators, control flow or tensors of unknown size, or does
        not compute class scores from one image.
    """
    try:
        with _named(name):
            network = read_graph(content)  # before the onnx package parses all of it
        if network.operations and not _OLDEST_OPSET <= network.opset <= _NEWEST_OPSET:
            raise ModelError(
                f"{name} uses ONNX opset {network.opset}; supported are {_OLDEST_OPSET} to {_NEWEST_OPSET}.",
                "Export the model again with a supported opset, such as 17.",
            )
        return _adapted(name, network, _parse(name, content), output, classes, files or {})
    except UnicodeError as error:  # strings are not checked when the file is parsed
        raise _damaged(name) from error


def _adapted(
    name: str, network: OnnxGraph, model: ModelProto, output: str | None, classes: int, files: Mapping[str, bytes]
) -> bytes:
    graph = model.graph
    _check_texts(name, graph)
    _check_nodes(name, model)
    has_external = any(map(external_data.is_external, (*graph.initializer, *_attribute_tensors(name, graph.node))))
    external = _read_small(name, model, files)
    if has_external:
        network = read_graph(_without_weights(model).SerializeToString())  # again, with the small external tensors
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in constants]
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs[:10])
        raise ModelError(f"{name} has {len(inputs)} inputs ({names}) instead of one image.", _PLAIN)
    image = inputs[0]
    batch, *sizes = _image_shape(name, image.type)
    order = _order(name, sizes)
    shapes = _shapes(name, network, graph, None in sizes)
    outputs = _outputs(name, graph, shapes)
    chosen, _ = choose(name, outputs, output, classes)
    scores = graph.output[chosen.number].name
    taken = ImageInput(tuple(sizes), order == "NCHW", image.name, _element_type(image.type))
    facts = {FORMAT: "onnx", IMAGE: taken.described, ENDING: chosen.ending, **properties_of(outputs, chosen)}
    renamed, element_type = rename(graph), image.type.tensor_type.elem_type
    source, scores = renamed[image.name], renamed[scores]
    wrap(graph, source, element_type, order, scores)
    height, width, channels = taken.shape
    declare(
        graph, [batch or "batch", height or "height", width or "width", channels], [batch or "batch", chosen.size or 1]
    )
    model.ir_version = max(model.ir_version, _OLDEST_IR)
    # Strings that are not UTF-8 are bytes here; with them, ONNX Runtime could not read any property.
    texts = [each for each in model.metadata_props if isinstance(each.key, str) and isinstance(each.value, str)]
    kept = [entry for entry in texts if not entry.key.startswith(PREFIX)]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    for key, value in facts.items():
        model.metadata_props.add(key=key, value=value)
    return _written(name, model, external, files)


def _read_small(name: str, model: ModelProto, files: Mapping[str, bytes]) -> list[external_data.ExternalTensor]:
    """Read small external tensors, which may be sizes; return the large ones, which are weights."""
    nodes = model.graph.node
    most = _MAX_BYTES - model.ByteSize()  # all of them go into one file
    inner = external_data.locate(name, _attribute_tensors(name, nodes), files, most)
    outer = external_data.locate(name, model.graph.initializer, files, most - sum(each.size for each in inner))
    small = [each for each in outer if math.prod(each.tensor.dims) <= _SMALL]
    external_data.fill(name, [*inner, *small], files)
    return [each for each in outer if math.prod(each.tensor.dims) > _SMALL]


def _written(
    name: str, model: ModelProto, external: list[external_data.ExternalTensor], files: Mapping[str, bytes]
) -> bytes:
    """Serialise the model, and append its external weights."""
    if not external:
        whole: bytes = model.SerializeToString(deterministic=True)
        return whole
    tensors = model.graph.initializer
    for i in reversed(range(len(tensors))):
        if external_data.is_external(tensors[i]):
            del tensors[i]
    written = BytesIO()
    written.write(model.SerializeToString(deterministic=True))
    external_data.write(written, name, external, files)
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
        raise ModelError(f"{name} is an ONNX file without operations.", _PLAIN)
    return model


def _damaged(name: str) -> ModelError:
    return ModelError(f"{name} is a damaged ONNX file.", "Get the file again from its source.")


def _check_texts(name: str, graph: GraphProto) -> None:
    texts = [value.name for values in (graph.input, graph.output, graph.initializer) for value in values]
    texts += [text for node in graph.node for text in (node.op_type, *node.input, *node.output)]
    if not all(isinstance(text, str) for text in texts):  # strings that are not UTF-8 are bytes
        raise _damaged(name)


def _check_nodes(name: str, model: ModelProto) -> None:
    """Refuse operations that could run other code or never end."""
    nodes = model.graph.node
    if model.functions or model.training_info:
        raise ModelError(f"{name} contains functions or training steps, which are unsupported.", _PLAIN)
    unsupported = sorted({f"{node.domain}.{node.op_type}" for node in nodes if not is_known(node)})
    if unsupported:
        raise ModelError(f"{name} uses unsupported operators: {', '.join(unsupported[:10])}.", _PLAIN)
    if model.graph.sparse_initializer:
        raise ModelError(f"{name} contains sparse weights, which are unsupported.", _PLAIN)
    for tensor in (*model.graph.initializer, *_attribute_tensors(name, nodes)):
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > limits.TENSOR_NUMBERS:
            raise ModelError(
                f"The tensor {tensor.name[:80]!r} in {name} has the invalid shape {list(tensor.dims)[:8]}.", _PLAIN
            )


def _attribute_tensors(name: str, nodes: Iterable[NodeProto]) -> Iterable[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs:
                raise ModelError(f"{name} contains control flow ({node.op_type}), which is unsupported.", _PLAIN)
            if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
                raise ModelError(f"{name} contains sparse weights, which are unsupported.", _PLAIN)
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _dims(kind: TypeProto) -> list[int | None]:
    return [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in kind.tensor_type.shape.dim
    ]


def _image_shape(name: str, kind: TypeProto) -> list[int | None]:
    import onnx

    dims = _dims(kind)
    taken = kind.tensor_type.elem_type
    if taken not in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE):
        known = onnx.TensorProto.DataType.values()
        shown = onnx.TensorProto.DataType.Name(taken) if taken in known else taken
        raise ModelError(
            f"The input of {name} has the dtype {shown}; only floating-point images are supported.", _PLAIN
        )
    if image_sizes(dims) is None:
        raise not_an_image(name, dims)
    if dims[0] not in (None, 1):
        raise ModelError(f"{name} needs a batch of exactly {dims[0]} images, which is unsupported.", _PLAIN)
    return dims


def _order(name: str, sizes: list[int | None]) -> str:
    """Return the axis order of the image: ``"NCHW"``, ``"NHWC"``, or ``"HW"`` without channels."""
    if len(sizes) == 2:
        return "HW"
    first, last = sizes[0] in (1, 3), sizes[2] in (1, 3)
    if first == last:
        what = "two" if first else "none"
        raise ModelError(
            f"{name} is not an image model: its input has the sizes {sizes}, of which {what} could be the channels.",
            _PLAIN,
        )
    return "NCHW" if first else "NHWC"


def _element_type(kind: TypeProto) -> str:
    """Return the element type of a tensor as numpy and model cards call it."""
    import onnx

    return str(onnx.helper.tensor_dtype_to_np_dtype(kind.tensor_type.elem_type))


def _shapes(name: str, network: OnnxGraph, graph: GraphProto, open_sizes: bool) -> dict[str, TypeProto]:
    """Infer the types of the outputs for one image. Sizes that depend on the size of the image are open.

    Returns
    -------
    dict of str to TypeProto
        Empty if the image size is open and the network accepts none of those that are tried.
    """
    import onnx

    with _named(name):
        network = in_order(network)
        (image,) = network.inputs.values()
        found = []
        for size in _TRIED if open_sizes else _TRIED[:1]:
            batch = tuple(n or (size if i else 1) for i, n in enumerate(image.sizes or ()))
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
        declared_dims = _dims(declared.type)
        if len(declared_dims) == len(dims):  # the file may declare sizes that are open here
            dims = [declared_dims[i] if size is None else size for i, size in enumerate(dims)]
        types[declared.name] = onnx.helper.make_tensor_type_proto(found[0][declared.name].element_type, dims)
    return types


def _without_weights(model: ModelProto) -> ModelProto:
    """Return the network without the values of large constants."""
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
    """Add the name of the file to errors."""
    try:
        yield
    except ModelError as error:
        raise type(error)(f"{name}: {error.message}", error.hint or _PLAIN, *error.remedies) from error


def _outputs(name: str, graph: GraphProto, types: dict[str, TypeProto]) -> list[ModelOutput]:
    """Describe the outputs; only floating-point values for each image can be class scores."""
    shapes = {value.name: _scores_shape(types.get(value.name, value.type)) for value in graph.output}
    if all(shape == NO_LIST for shape in shapes.values()):
        outputs = ", ".join(f"{value.name} {_dims(value.type)}" for value in graph.output[:10])
        raise ModelError(f"{name} has no output with class scores: {outputs}.", _PLAIN)
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
        for output in node.output:
            yield Node(node.op_type, tuple(node.input), output, dict(numbers))


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
            with suppress(ValueError, TypeError, KeyError):  # ONNX Runtime reports the error
                found[name] = onnx.numpy_helper.to_array(tensor)
    return found
