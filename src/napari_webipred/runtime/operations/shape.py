"""Operations that reshape, slice or concatenate tensors, or compute shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_webipred.runtime.graph import Tensor
from napari_webipred.runtime.graph_model import BROKEN
from napari_webipred.runtime.operations.context import FlattenedBatch, OpContext, Sizes, Value, operation

_END = 2**31 - 1


@operation("Shape")
def sizes_of(context: OpContext) -> Value:
    """Return the shape of a tensor; the batch size stays open."""
    return (None, *context.known(context.tensor()))


@operation("Cast")
def cast(context: OpContext) -> Value:
    """Change the dtype. Casts between floating-point types do nothing, because all tensors are float32."""
    target = context.operation.attributes.get("DstT")
    if isinstance(context.value(0), Tensor) and target not in {"DT_FLOAT", "DT_DOUBLE"}:
        raise context.refuse(f"casts a tensor to {target!r:.80}, which is unsupported")
    return context.value(0)


@operation("Reshape")
def reshape(context: OpContext) -> Value:
    """Reshape a tensor."""
    if isinstance(context.value(0), np.ndarray):
        array, shape = context.array(0), context.integers(1)
        try:
            return array.reshape(shape)
        except ValueError as error:
            raise context.refuse(f"cannot reshape {list(array.shape)} to {shape}", BROKEN) from error
    value, target = context.value(0), list(context.sizes(1))
    x = value.tensor if isinstance(value, FlattenedBatch) else context.tensor()
    total = math.prod(context.known(x))
    if not target or target.count(-1) > 1:
        raise context.refuse(f"has the invalid shape {target}", BROKEN)
    batch, *rest = target
    if batch == -1 and rest == [x.shape[-1]] and total != x.shape[-1]:
        return FlattenedBatch(context.graph.plain(x))
    if batch in {None, 1} and -1 in rest and None not in rest:
        others = math.prod(size for size in rest if size not in {-1, None})
        rest = [total // max(others, 1) if size == -1 else size for size in rest]
    if any(size is None or size < 1 for size in rest) or math.prod(size or 0 for size in rest) != total:
        raise context.refuse(f"cannot reshape {['batch', *x.shape]} to {target}")
    return context.reshaped(x, [size or 0 for size in rest])


@operation("Squeeze")
def squeeze(context: OpContext) -> Value:
    """Remove axes of size 1."""
    if isinstance(context.value(0), np.ndarray):
        return context.array(0).squeeze()
    x = context.tensor()
    given = context.listed("squeeze_dims") or context.listed("axis")
    axes = {context.axis(x, axis) for axis in given} or {i for i, size in enumerate(x.shape) if size == 1}
    if any(x.shape[axis] != 1 for axis in axes):
        raise context.refuse(f"cannot remove axes of a tensor of shape {list(x.shape)}: their size is not 1", BROKEN)
    return context.reshaped(x, [size for i, size in enumerate(context.known(x)) if i not in axes])


@operation("ExpandDims")
def expand(context: OpContext) -> Value:
    """Insert an axis of size 1."""
    if isinstance(context.value(0), tuple):
        return context.sizes(0)
    axis = context.integer(1)
    if isinstance(context.value(0), np.ndarray):
        array = context.array(0)
        if not -array.ndim - 1 <= axis <= array.ndim:
            raise context.refuse(f"cannot insert axis {axis} into a constant of shape {list(array.shape)}", BROKEN)
        return np.expand_dims(array, axis)
    x = context.tensor()
    sizes, index = context.known(x), axis - 1 if axis >= 0 else axis + len(x.shape) + 1
    if not 0 <= index <= len(sizes):
        raise context.refuse(f"cannot insert axis {axis} into a tensor of shape {list(x.shape)}")
    return context.reshaped(x, [*sizes[:index], 1, *sizes[index:]])


@operation("GatherV2")
def gather(context: OpContext) -> Value:
    """Select sizes of a shape."""
    sizes, indices = context.value(0), context.integers(1)
    if not isinstance(sizes, tuple) or not all(-len(sizes) <= i < len(sizes) for i in indices):
        raise context.refuse("selects values of a tensor by index, which is unsupported")
    return tuple(sizes[i] for i in indices)


@operation("Transpose")
def transpose(context: OpContext) -> Value:
    """Permute the axes."""
    order = context.integers(1)
    if isinstance(context.value(0), np.ndarray):
        array = context.array(0)
        if sorted(order) != list(range(array.ndim)):
            raise context.refuse(
                f"has perm={order}, which does not fit a constant of shape {list(array.shape)}", BROKEN
            )
        return array.transpose(order)
    if order[:1] != [0]:
        raise context.refuse(f"has perm={order}, which moves the batch axis; this is unsupported")
    if order == list(range(len(context.tensor().shape) + 1)):
        return context.tensor()
    return context.layer("Permute", context.tensor(), dims=order[1:])


@operation("ConcatV2")
def concatenate(context: OpContext) -> Value:
    """Concatenate along an axis, which is the last input."""
    axis = context.integer(-1)
    parts = context.values[:-1]
    if all(isinstance(part, Tensor) for part in parts):
        tensors = [part for part in parts if isinstance(part, Tensor)]
        if axis == 0 or not tensors:
            raise context.refuse("concatenates along the batch axis, which is unsupported")
        return context.layer("Concatenate", *tensors, axis=axis)
    if axis not in {0, -1} or any(isinstance(part, Tensor) for part in parts):
        raise context.refuse("concatenates tensors and constants, which is unsupported")
    return tuple(size for i in range(len(parts)) for size in context.sizes(i))


@operation("Pack")
def pack(context: OpContext) -> Value:
    """Stack sizes to a shape."""
    if context.attribute("axis", 0) or any(isinstance(value, Tensor) for value in context.values):
        raise context.refuse("stacks tensors, which is unsupported")
    return tuple(size for i in range(len(context.values)) for size in context.sizes(i))


@operation("Tile")
def tile(context: OpContext) -> Value:
    """Repeat a tensor along its axes."""
    x, counts = context.graph.plain(context.tensor()), context.integers(1)
    if len(counts) != len(x.shape) + 1 or counts[0] != 1 or not all(0 < count < 2**15 for count in counts):
        raise context.refuse(f"cannot repeat a tensor of shape {list(x.shape)} {counts} times")
    name = context.node("Tile", x.name, context.graph.constant(counts, np.int64))
    return Tensor(name, tuple(size * count for size, count in zip(context.known(x), counts[1:], strict=True)))


@operation("StridedSlice")
def strided_slice(context: OpContext) -> Value:
    """Slice a tensor or a shape."""
    begin, end, strides = (context.integers(i) for i in (1, 2, 3))
    if not len(begin) == len(end) == len(strides) or context.attribute("new_axis_mask", 0):
        raise context.refuse("has an unsupported slice: new axes, or not one begin, end and stride for each axis")
    masks = [context.attribute(name, 0) for name in ("begin_mask", "end_mask", "shrink_axis_mask")]
    if (ellipsis := context.attribute("ellipsis_mask", 0)) and ellipsis != 1:
        raise context.refuse(f"has the unsupported ellipsis_mask {ellipsis}")
    if any(stride < 1 for stride in strides):
        raise context.refuse(f"has the unsupported strides {strides}")
    slices = []
    for i, (low, high, stride) in enumerate(zip(begin, end, strides, strict=True)):
        single = bool(masks[2] >> i & 1)
        first = None if masks[0] >> i & 1 and not single else low
        last = None if masks[1] >> i & 1 else high
        slices.append((slice(first, low + 1 or None if single else last, stride), single))
    x = context.value(0)
    if isinstance(x, Tensor):
        return _slice_tensor(context, x, _aligned(slices, len(x.shape) + 1, bool(ellipsis)))
    sizes = context.sizes(0)
    return _slice_shape(context, sizes, slices)


def _aligned(slices: list[tuple[slice, bool]], rank: int, ellipsis: bool) -> list[tuple[slice, bool]]:
    """Return a slice for each axis; a leading ellipsis stands for all axes that are not listed."""
    if ellipsis:
        slices = slices[1:]
    rest = [(slice(None), False)] * (rank - len(slices))
    return [*rest, *slices] if ellipsis else [*slices, *rest]


def _slice_shape(context: OpContext, sizes: Sizes, slices: list[tuple[slice, bool]]) -> Sizes:
    if len(slices) != 1:
        raise context.refuse(f"slices a shape along {len(slices)} axes instead of one", BROKEN)
    return sizes[slices[0][0]]


def _slice_tensor(context: OpContext, tensor: Tensor, slices: Sequence[tuple[slice, bool]]) -> Tensor:
    (batch, single), *rest = slices
    if (batch.start or 0, batch.stop, batch.step or 1, single) != (0, None, 1, False) or len(rest) != len(tensor.shape):
        raise context.refuse("slices the batch axis, which is unsupported")
    x, sizes = context.graph.plain(tensor), context.known(tensor)
    ranges = [range(*part.indices(size)) for (part, _), size in zip(rest, sizes, strict=True)]
    if not all(ranges):
        raise context.refuse(f"has an empty slice of a tensor of shape {sizes}", BROKEN)
    changed = [i for i, size in enumerate(sizes) if len(ranges[i]) != size]
    if changed:
        columns = zip(*((ranges[i].start, ranges[i].stop, i + 1, ranges[i].step) for i in changed), strict=True)
        places = [context.graph.constant(list(column), np.int64) for column in columns]
        x = Tensor(context.node("Slice", x.name, *places), tuple(map(len, ranges)))
    return context.reshaped(x, [len(each) for each, (_, single) in zip(ranges, rest, strict=True) if not single])
