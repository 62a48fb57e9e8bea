"""Parts of tensors, and tensors side by side: what Keras records for ``x[..., ::-1]`` and for stacking."""

from __future__ import annotations

from typing import Any

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.layers.context import LayerContext, is_integer
from napari_webipred.runtime.layers.registry import layer

_FAR = 2**31 - 1


@layer("SlicingOpLambda", function=("__operators__.getitem",))
@layer("GetItem")
def get_item(context: LayerContext, x: Tensor) -> Tensor:
    """Take a part of a tensor, along any axes but that of the pictures."""
    x = context.graph.plain(x)
    name, shape = x.name, list(x.shape)
    gone = []
    for axis, entry in enumerate(_entries(context, len(shape) + 1)):
        if entry == slice(None):
            continue
        size = context.known(x, axis - 1) if axis else 0
        if axis == 0 or not size:
            raise context.refuse("takes some of several pictures, which is not supported")
        if isinstance(entry, int):
            if not -size <= entry < size:
                raise context.refuse(f"takes the place {entry} of {size}")
            name = context.node("Slice", name, *map(context.integers, (entry, entry + 1 or _FAR, axis)))
            gone.append(axis)
            continue
        places = range(*entry.indices(size))
        if not places:
            raise context.refuse("takes nothing of a tensor")
        stop = places[-1] + (1 if entry.step is None or entry.step > 0 else -1)
        bounds = (places[0], stop if stop >= 0 else -_FAR, axis, places.step)
        name = context.node("Slice", name, *map(context.integers, bounds))
        shape[axis - 1] = len(places)
    if gone:
        name = context.node("Squeeze", name, context.integers(*gone))
    return Tensor(name, tuple(n for axis, n in enumerate(shape, 1) if axis not in gone))


def _entries(context: LayerContext, rank: int) -> list[int | slice]:
    """Read what stands in the brackets, one entry for each axis."""
    given = context.arguments.get("slice_spec")
    read = [_entry(context, value) for value in (given if isinstance(given, list) else [given])]
    if read.count(...) > 1 or len(read) - read.count(...) > rank:
        raise context.refuse(f"takes a part {given!r:.80}, which is not supported")
    place = read.index(...) if ... in read else len(read)
    rest = [entry for entry in read if entry is not ...]
    return [*rest[:place], *[slice(None)] * (rank - len(rest)), *rest[place:]]


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
    raise context.refuse(f"takes a part {value!r:.80}, which is not supported")


@layer("Stack", inputs=None)
def stack(context: LayerContext, *tensors: Tensor) -> Tensor:
    """Put tensors of one shape side by side along a new axis."""
    plain = [context.graph.plain(tensor) for tensor in tensors]
    shape = plain[0].shape
    value = context.option("axis", 0)
    if not is_integer(value):
        raise context.wrong("axis")
    axis = int(value) if value >= 0 else int(value) + len(shape) + 2
    if not 1 <= axis <= len(shape) + 1 or any(tensor.shape != shape for tensor in plain):
        raise context.refuse(
            f"puts tensors of the shapes {[tensor.shape for tensor in plain]!r:.200} along axis {value}"
        )
    rows = [context.node("Unsqueeze", tensor.name, context.integers(axis)) for tensor in plain]
    return Tensor(context.node("Concat", *rows, axis=axis), (*shape[: axis - 1], len(plain), *shape[axis - 1 :]))
