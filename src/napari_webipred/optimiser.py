"""Networks as ONNX Runtime optimises them for this processor: made, compared with the graph, kept and found again."""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from msgspec.structs import asdict

from napari_webipred import settings
from napari_webipred.cache import eviction, graphs
from napari_webipred.cache import optimised as kept
from napari_webipred.errors import CatalogueError, ModelError, OptionError
from napari_webipred.limits import bytes_of
from napari_webipred.runtime.bounds import known_bounds
from napari_webipred.runtime.graph import INPUT
from napari_webipred.runtime.inference import Signature, mapped, open_graph, signature, weights_of
from napari_webipred.runtime.onnx_graph import read_properties
from napari_webipred.runtime.optimised import Optimised, Tensor, circumstances, open_optimised, separated
from napari_webipred.runtime.reservation import MEMORY

if TYPE_CHECKING:
    from numpy.typing import NDArray

# How much a number may differ from that of the graph; of one that is larger than 1, in proportion to it.
TOLERANCE = 1e-6
_ANY_SIZE = 224
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def optimised(graph: Path) -> Optimised | None:
    """Return the network of a compiled graph as it is optimised for this processor; None if that is not kept."""
    stored = kept.load(graph, circumstances())
    if stored is None:
        return None
    said, tensors = stored.facts["signature"], stored.facts["tensors"]
    found = Signature(tuple(said["input_shape"]), said["output_size"], tuple(said["outputs"]), said["single"])
    return Optimised(
        graph,
        stored.graph,
        found,
        tuple(Tensor(name, dtype, tuple(shape), offset) for name, dtype, shape, offset in tensors),
        stored.weights,
        stored.sound,
    )


def optimise(graph: Path) -> bool:
    """Optimise the network of a compiled graph, and keep it if it gives the same numbers as the graph.

    Returns
    -------
    bool
        Whether it is kept. If not, that harms nothing.
    """
    try:
        path = kept.own_path(graph, circumstances())
        if path is None or path.exists():
            return False
        with graphs.verified(graph):
            _optimise(graph, path)
    except (CatalogueError, ModelError, OptionError, OSError, ValueError) as error:
        _log.info("The optimised model is not kept: %s", error)
        return False
    return True


def _optimise(graph: Path, path: Path) -> None:
    bounds = known_bounds(read_properties(mapped(graph)))
    size = graph.stat().st_size
    if bounds is None:
        raise ModelError("The memory that the network needs is not known.")
    if not MEMORY.fits(2 * bounds.weights, bounds.run):
        raise ModelError("There is not enough memory for the network a second time.")
    _check_room(path, size)
    with _temporary(path) as written:
        session = open_graph(graph, 1, bounds.folds, save_as=written)
        found, image = signature(session), _noise(session)
        expected = session.run(None, {INPUT: image})
        del session
        beside = weights_of(written)
        weights = mapped(beside) if beside.exists() and beside.stat().st_size else memoryview(b"")
        optimised, tensors, parts = separated(written.read_bytes(), weights, graph.name)
        content = memoryview(b"".join(parts))
    network = Optimised(graph, optimised, found, tensors, _done(content), _done(True))
    if not _gives(network, image, expected):
        raise ModelError("The optimised network gives other numbers.")
    facts = {
        "signature": asdict(found),
        "tensors": [[tensor.name, tensor.dtype, tensor.shape, tensor.offset] for tensor in tensors],
    }
    kept.keep(path, circumstances(), graph, optimised, content, facts)


def _check_room(path: Path, size: int) -> None:
    """Refuse to keep what would have no room on the disk, or take the cache over its limit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(path.parent).free < 3 * size:
        raise OSError("There is not enough space on the disk.")
    if (most := settings.current().cache_limit) and eviction.usage() + size > bytes_of(most):
        raise ModelError("The cache would be over its limit.")


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """Name a file that ONNX Runtime writes an optimised graph into, and delete it and that of its weights."""
    file = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.graph.tmp")
    try:
        yield file
    finally:
        for each in (file, weights_of(file)):
            with suppress(OSError):
                each.unlink(missing_ok=True)


def _noise(session: Any) -> NDArray[np.float32]:
    shape = [size if isinstance(size, int) else _ANY_SIZE for size in session.get_inputs()[0].shape]
    return np.random.default_rng(0).standard_normal([1, *shape[1:]], np.float32)


def _gives(network: Optimised, image: NDArray[np.float32], expected: list[NDArray[Any]]) -> bool:
    """Tell whether a network gives these numbers for an image, within `TOLERANCE`."""
    numbers = open_optimised(network, 1).run(None, {INPUT: image})
    return all(
        np.allclose(one, other, TOLERANCE, TOLERANCE, equal_nan=True)
        for one, other in zip(numbers, expected, strict=True)
    )


def _done(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future
