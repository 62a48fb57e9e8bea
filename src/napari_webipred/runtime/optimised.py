"""A network as ONNX Runtime has optimised it for this processor, with its weights beside it."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct, field

from napari_webipred.errors import ModelError
from napari_webipred.runtime.inference import Signature, disabled_optimizers, opened_with, options_for
from napari_webipred.runtime.onnx_graph import ELEMENT_TYPES, read_properties
from napari_webipred.runtime.processor import processor
from napari_webipred.runtime.providers import PROVIDER

if TYPE_CHECKING:
    from onnx import ModelProto

# Weights begin at multiples of this, so that the widest instructions read each of them at once.
_ALIGNED = 64


class Tensor(Struct, frozen=True):
    """Where a weight lies: its name, NumPy's name for its type, its shape, and its first byte among the weights."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Optimised(Struct, frozen=True, eq=False, weakref=True):
    """An optimised network. Its weights are read beside other work, once for all sessions of the network.

    Attributes
    ----------
    origin : Path
        The compiled graph of which it was made.
    graph : bytes
        An ONNX model, verified, whose weights are those of `tensors`.
    signature : Signature
    tensors : tuple of Tensor
    weights : future of a buffer
        All weights.
    sound : future of bool
        Whether the weights are what was written. Whoever computes with them asks first.
    """

    origin: Path
    graph: bytes
    signature: Signature
    tensors: tuple[Tensor, ...]
    weights: Future[memoryview]
    sound: Future[bool]
    _values: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def properties(self) -> dict[str, str]:
        """Return what the network says about itself."""
        return read_properties(self.graph)

    def values(self) -> dict[str, Any]:
        """Return the weights by name, as ONNX Runtime shares them between sessions."""
        import onnxruntime

        with self._lock:
            if not self._values:
                weights = self.weights.result()
                for tensor in self.tensors:
                    flat = np.frombuffer(weights[tensor.offset : tensor.offset + tensor.size], tensor.dtype)
                    array = flat.reshape(tensor.shape)
                    self._values[tensor.name] = onnxruntime.OrtValue.ortvalue_from_numpy(array)
            return self._values


@cache
def _circumstances() -> str:
    import onnxruntime

    facts = {
        "processor": processor(),
        "runtime": [onnxruntime.__version__, onnxruntime.get_build_info()],
        "provider": PROVIDER,
        "disabled": [disabled_optimizers(folds=True), disabled_optimizers(folds=False)],
    }
    return json.dumps(facts)


def circumstances() -> dict[str, Any]:
    """Say for what a graph is optimised here: under other circumstances it must not be used.

    Which of the two lists of disabled optimizers counts follows from the graph.
    """
    found: dict[str, Any] = json.loads(_circumstances())
    return found


def open_optimised(optimised: Optimised, threads: int) -> Any:
    """Open a graph that is optimised already; all its sessions share its weights.

    Raises
    ------
    ModelError
        It cannot be opened.
    """
    import onnxruntime

    options = options_for(threads)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # The graph says that its weights lie in that file. They are not read from there, but ONNX Runtime wants to see it.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(optimised.origin.parent)
    )
    for name, value in optimised.values().items():
        options.add_initializer(name, value)
    return opened_with(optimised.graph, options, folds=False)


def separated(written: bytes, weights: memoryview, name: str) -> tuple[bytes, tuple[Tensor, ...], list[memoryview]]:
    """Take apart what ONNX Runtime has written.

    Parameters
    ----------
    written : bytes
        The optimised graph.
    weights : memoryview
        The file with its weights.
    name : str
        What the graph is to call the file with its weights, which are given to ONNX Runtime in another way.

    Returns
    -------
    bytes
        The graph.
    tuple of Tensor
    list of memoryview
        The weights, one after the other with what lies between them.

    Raises
    ------
    ModelError
        Something of it is missing, or has a type that NumPy lacks.
    """
    import onnx

    model = onnx.load_model_from_string(written)
    tensors, parts, end = [], [], 0
    for initializer in model.graph.initializer:
        if initializer.data_location != onnx.TensorProto.EXTERNAL:
            continue
        known = ELEMENT_TYPES.get(initializer.data_type)
        if known is None or known.numpy is None:
            raise ModelError(f"The weights {initializer.name[:80]!r} have a type that is not stored.")
        place = {entry.key: entry.value for entry in initializer.external_data}
        tensor = Tensor(initializer.name, known.numpy, tuple(initializer.dims), end + -end % _ALIGNED)
        start = int(place.get("offset", 0))
        part = weights[start : start + tensor.size]
        if len(part) != tensor.size:
            raise ModelError(f"The weights {initializer.name[:80]!r} were not written to their end.")
        parts += [memoryview(bytes(tensor.offset - end)), part]
        end = tensor.offset + tensor.size
        tensors.append(tensor)
        _lies(initializer, name, tensor)
    if _external(model) != len(tensors):
        raise ModelError("The network has weights within a condition or a loop, which are not stored.")
    return model.SerializeToString(), tuple(tensors), parts


def _lies(initializer: Any, name: str, tensor: Tensor) -> None:
    """Write into a graph where a weight lies."""
    del initializer.external_data[:]
    for key, value in {"location": name, "offset": str(tensor.offset), "length": str(tensor.size)}.items():
        initializer.external_data.add(key=key, value=value)


def _external(model: ModelProto) -> int:
    """Count the weights that lie in another file, also those of graphs within operations."""
    return sum(len(tensor.external_data) > 0 for tensor in _tensors(model.graph))


def _tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from [*([attribute.t] if attribute.HasField("t") else ()), *attribute.tensors]
            for inner in [*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs]:
                yield from _tensors(inner)
