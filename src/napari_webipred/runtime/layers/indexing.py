"""Indexing and stacking of tensors, such as ``x[..., ::-1]``, which Keras saves as layers."""

from __future__ import annotations

from typing import Any

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.context import LayerContext, is_integer
from napari_webipred.runtime.layers.registry import layer

_FAR = 2**31 - 1


@layer("SlicingOpLambda", function=("__operators__.getitem",))
@layer("GetItem")
def get_item(context: LayerContext, x: Tensor) -> Tensor:
    """Index a tensor along any axes but the batch axis."""
    x = context.graph.plain(x)
    name, shape = x.name, list(x.shape)
    removed = []
    for axis, entry in enumerate(_entries(context, len(shape) + 1)):
        if entry == slice(None):
            continue
        size = context.known(x, axis - 1) if axis else 0
        if axis == 0 or not size:
            raise context.refuse("indexes the batch axis, which is unsupported")
        if isinstance(entry, int):
            if not -size <= entry < size:
                raise context.refuse(f"has the index {entry}, which is outside an axis of size {size}")
            name = context.node("Slice", name, *map(context.integers, (entry, entry + 1 or _FAR, axis)))
            removed.append(axis)
            continue
        indices = range(*entry.indices(size))
        if not indices:
            raise context.refuse(f"has an empty slice of an axis of size {size}")
        stop = indices[-1] + (1 if entry.step is None or entry.step > 0 else -1)
        bounds = (indices[0], stop if stop >= 0 else -_FAR, axis, indices.step)
        name = context.node("Slice", name, *map(context.integers, bounds))
        shape[axis - 1] = len(indices)
    if removed:
        name = context.node("Squeeze", name, context.integers(*removed))
    return Tensor(name, tuple(n for axis, n in enumerate(shape, 1) if axis not in removed))


def _entries(context: LayerContext, rank: int) -> list[int | slice]:
    """Read the index, one entry for each axis."""
    given = context.arguments.get("slice_spec")
    read = [_entry(context, value) for value in (given if isinstance(given, list) else [given])]
    if read.count(...) > 1 or len(read) - read.count(...) > rank:
        raise context.refuse(f"has the unsupported index {given!r:.80}")
    ellipsis = read.index(...) if ... in read else len(read)
    rest = [entry for entry in read if entry is not ...]
    return [*rest[:ellipsis], *[slice(None)] * (rank - len(rest)), *rest[ellipsis:]]


def _entry(context: LayerContext, value: Any) -> Any:
    if is_integer(value):
        return int(value)
    if isinstance(value, dict):
        if value.get("class_name") == "__ellipsis__":
            return ...
        bounds = value.get("config") if value.get("class_name") == "__slice__" else value
        if isinstance(bounds, dict) and bounds.keys() <= {"start", "stop", "step"}:
            start, stop, step = (bounds.get(key) for key in ("start", "stop", "step"))
            if all(n is None or (is_integer(n) and abs(n) < _FAR) for n in (start, stop, step)) and step != 0:
                return slice(start, stop, step)
    raise context.refuse(f"has the unsupported index {value!r:.80}")


@layer("Stack", inputs=None)
def stack(context: LayerContext, *tensors: Tensor) -> Tensor:
    """Stack tensors of the same shape along a new axis."""
    plain = [context.graph.plain(tensor) for tensor in tensors]
    shape = plain[0].shape
    value = context.option("axis", 0)
    if not is_integer(value):
        raise context.wrong("axis")
    axis = int(value) if value >= 0 else int(value) + len(shape) + 2
    if not 1 <= axis <= len(shape) + 1 or any(tensor.shape != shape for tensor in plain):
        raise context.refuse(
            f"cannot stack tensors of shapes {[tensor.shape for tensor in plain]!r:.200} along axis {value}"
        )
    parts = [context.node("Unsqueeze", tensor.name, context.integers(axis)) for tensor in plain]
    return Tensor(context.node("Concat", *parts, axis=axis), (*shape[: axis - 1], len(plain), *shape[axis - 1 :]))
