"""Operators that reshape, slice, concatenate, pad and repeat tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_webipred.runtime.onnx_graph import FLOAT, INT64
from napari_webipred.runtime.shapes.elementwise import broadcast
from napari_webipred.runtime.shapes.operator import Operator, rule
from napari_webipred.runtime.shapes.value import Value

_END = (2**31 - 1, 2**63 - 1)  # in either direction


@rule("Shape")
def shape_of(operator: Operator) -> Value:
    """Return the shape, or a part of it."""
    shape = operator.shape()
    sizes = shape[operator.whole("start", 0) : operator.whole("end", len(shape))]
    return Value(INT64, (len(sizes),), np.array(sizes, np.int64), constant=True)


@rule("Size")
def size_of(operator: Operator) -> Value:
    """Return the number of elements."""
    return Value(INT64, (), np.array(operator.value().size, np.int64), constant=True)


@rule("Reshape")
def reshape(operator: Operator) -> Value:
    """Return the reshaped input; 0 keeps a size, -1 is inferred."""
    before = operator.shape()
    wanted = operator.integers(1)
    keep = not operator.whole("allowzero", 0)
    if any(n == 0 and keep and i >= len(before) for i, n in enumerate(wanted)):
        raise operator.refuse(f"cannot reshape {list(before)} to {wanted}")
    sizes = [before[i] if n == 0 and keep else n for i, n in enumerate(wanted)]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise operator.refuse(f"cannot reshape {list(before)} to {wanted}")
    rest = math.prod(n for n in sizes if n != -1)
    made = [(math.prod(before) // rest if rest else 0) if n == -1 else n for n in sizes]
    if math.prod(made) != math.prod(before):
        raise operator.refuse(f"cannot reshape {list(before)} to {wanted}")
    return operator.like(made)


@rule("Flatten")
def flatten(operator: Operator) -> Value:
    """Return a matrix."""
    shape = operator.shape()
    axis = operator.whole("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise operator.refuse(f"cannot use axis {axis} of a tensor with {len(shape)} axes")
    index = axis % len(shape) if axis < 0 else axis
    return operator.like((math.prod(shape[:index]), math.prod(shape[index:])))


@rule("Squeeze")
def squeeze(operator: Operator) -> Value:
    """Return the input without axes of size 1."""
    shape = operator.shape()
    axes = operator.axes("axes", 1, len(shape))
    if axes is None:
        axes = [i for i, n in enumerate(shape) if n == 1]
    if any(shape[axis] != 1 for axis in axes):
        raise operator.refuse(f"cannot remove the axes {axes} of a tensor of shape {list(shape)}")
    return operator.like([n for i, n in enumerate(shape) if i not in axes])


@rule("Unsqueeze")
def unsqueeze(operator: Operator) -> Value:
    """Return the input with more axes of size 1."""
    shape = operator.shape()
    given = operator.integers(1) if operator.has(1) else operator.listed("axes")
    if given is None or len(given) > 64:
        raise operator.refuse("has no valid list of axes")
    rank = len(shape) + len(given)
    indices = {operator.axis(axis, rank) for axis in given}
    if len(indices) != len(given):
        raise operator.refuse(f"has duplicate axes: {given}")
    rest = iter(shape)
    return operator.like([1 if i in indices else next(rest) for i in range(rank)])


@rule("Transpose")
def transpose(operator: Operator) -> Value:
    """Return the input with permuted axes."""
    shape = operator.shape()
    order = operator.listed("perm", range(len(shape))[::-1]) or []
    if sorted(order) != list(range(len(shape))):
        raise operator.refuse(f"has perm={order}, which does not fit a tensor of shape {list(shape)}")
    return operator.like([shape[axis] for axis in order])


@rule("Concat")
def concat(operator: Operator) -> Value:
    """Return the concatenation of the inputs."""
    shapes = [value.shape for value in operator.given()] or [operator.shape()]
    first = shapes[0]
    axis = operator.axis(operator.whole("axis", 1), len(first))
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) > 1 or any(len(shape) != len(first) for shape in shapes):
        raise operator.refuse(f"cannot concatenate tensors of shapes {', '.join(str(list(s)) for s in shapes[:5])}")
    return operator.like((*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :]))


@rule("Split")
def split(operator: Operator) -> Sequence[Value]:
    """Return parts along an axis."""
    shape = operator.shape()
    axis = operator.axis(operator.whole("axis", 0), len(shape))
    return [operator.like((*shape[:axis], size, *shape[axis + 1 :])) for size in split_sizes(operator)]


def split_sizes(operator: Operator) -> list[int]:
    """Return the size of each part of a Split."""
    shape = operator.shape()
    whole = shape[operator.axis(operator.whole("axis", 0), len(shape))]
    sizes = operator.integers(1) if operator.has(1) else operator.listed("split")
    if sizes is None:
        each = -(-whole // max(operator.count, 1))
        sizes = [max(min(each, whole - i * each), 0) for i in range(operator.count)]
    if sum(sizes) != whole or min(sizes, default=0) < 0 or len(sizes) != operator.count:
        raise operator.refuse(f"cannot split a tensor of shape {list(shape)} into {sizes[:20]}")
    return sizes


@rule("Slice")
def slice_of(operator: Operator) -> Value:
    """Return a slice of the input."""
    shape = list(operator.shape())
    for axis, (begin, end, step) in slices(operator).items():
        shape[axis] = len(range(*slice(begin, end, step).indices(shape[axis])))
    return operator.like(shape)


def slices(operator: Operator) -> dict[int, tuple[int, int | None, int]]:
    """Return begin, end and step for each sliced axis, as for Python's `slice`."""
    shape = operator.shape()
    if operator.has(1):
        begins, ends = operator.integers(1), operator.integers(2)
        axes = operator.integers(3) if operator.has(3) else list(range(len(begins)))
        steps = operator.integers(4) if operator.has(4) else [1] * len(begins)
    else:
        begins, ends = operator.listed("starts", []) or [], operator.listed("ends", []) or []
        axes, steps = operator.listed("axes", range(len(begins))) or [], [1] * len(begins)
    if not len(begins) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise operator.refuse("has an invalid slice: starts, ends, axes and steps differ in length, or a step is 0")
    found: dict[int, tuple[int, int | None, int]] = {}
    for axis, begin, end, step in zip(axes, begins, ends, steps, strict=True):
        index = operator.axis(axis, len(shape))
        found[index] = _cut(shape[index], begin, end, step)
    return found


def _cut(size: int, begin: int, end: int, step: int) -> tuple[int, int | None, int]:
    """Clamp begin and end as ONNX Runtime does, which differs from Python for negative steps."""
    first = min(max(begin + size if begin < 0 else begin, 0), size - 1 if step < 0 else size)
    last = -1 if step < 0 else size
    if end not in _END:
        last = min(max(end + size if end < 0 else end, -1 if step < 0 else 0), size)
    return max(first, 0), None if last < 0 else last, step


@rule("Gather")
def gather(operator: Operator) -> Value:
    """Return slices of the first input, selected by the second."""
    shape, chosen = operator.shape(0), operator.shape(1)
    axis = operator.axis(operator.whole("axis", 0), len(shape))
    return operator.like((*shape[:axis], *chosen, *shape[axis + 1 :]))


@rule("GatherElements")
def gather_elements(operator: Operator) -> Value:
    """Return a tensor with one element of the first input for each element of the second."""
    return operator.like(operator.shape(1))


@rule("GatherND")
def gather_nd(operator: Operator) -> Value:
    """Return slices of the first input, selected by the vectors in the second."""
    shape, chosen = operator.shape(0), operator.rank(1, 1)
    depth = operator.whole("batch_dims", 0) + chosen[-1]
    if depth > len(shape):
        raise operator.refuse(f"cannot index a tensor of shape {list(shape)} with {chosen[-1]} numbers")
    return operator.like((*chosen[:-1], *shape[depth:]))


@rule("Expand")
def expand(operator: Operator) -> Value:
    """Return the input broadcast to a shape."""
    return operator.like(broadcast(operator, operator.shape(), tuple(_sizes(operator, 1))))


@rule("Tile")
def tile(operator: Operator) -> Value:
    """Return the input repeated along each axis."""
    shape, times = operator.shape(), _sizes(operator, 1)
    if len(times) != len(shape):
        raise operator.refuse(f"cannot repeat a tensor of shape {list(shape)} {times[:20]} times")
    return operator.like([size * count for size, count in zip(shape, times, strict=True)])


@rule("ConstantOfShape")
def constant_of_shape(operator: Operator) -> Value:
    """Return a tensor filled with one value."""
    value = operator.tensor("value")
    return Value(FLOAT if value is None else value.element_type, tuple(_sizes(operator, 0)))


def _sizes(operator: Operator, index: int) -> list[int]:
    sizes = operator.integers(index)
    if min(sizes, default=0) < 0:
        raise operator.refuse(f"has the invalid output shape {sizes[:20]}")
    return sizes


@rule("Range")
def range_of(operator: Operator) -> Value:
    """Return a range of numbers."""
    return operator.like([count_of(operator)])


def count_of(operator: Operator) -> int:
    """Return the length of a Range."""
    begin, end, step = (operator.floats(i)[0] for i in range(3))
    if not step or not math.isfinite(begin + end + step):
        raise operator.refuse("has an invalid range: start, limit and step must be finite, and the step not 0")
    return max(math.ceil((end - begin) / step), 0)


@rule("EyeLike")
def eye_like(operator: Operator) -> Value:
    """Return an identity matrix."""
    return Value(operator.whole("dtype", 0) or operator.value().element_type, operator.rank(2))


@rule("OneHot")
def one_hot(operator: Operator) -> Value:
    """Return a one-hot vector for each index."""
    shape = list(operator.shape())
    axis = operator.axis(operator.whole("axis", -1), len(shape) + 1)
    return operator.like((*shape[:axis], max(operator.integers(1)[0], 0), *shape[axis:]), 2)


@rule("Pad")
def pad(operator: Operator) -> Value:
    """Return the input padded, or cropped by negative pads."""
    shape = list(operator.shape())
    pads = operator.integers(1) if operator.has(1) else operator.listed("pads", []) or []
    axes = [operator.axis(axis, len(shape)) for axis in operator.integers(3)] if operator.has(3) else None
    indices = list(range(len(shape))) if axes is None else axes
    if len(pads) != 2 * len(indices):
        raise operator.refuse(f"has pads={pads[:20]}, which do not fit a tensor of shape {shape}")
    for i, index in enumerate(indices):
        shape[index] += pads[i] + pads[i + len(indices)]
    if min(shape, default=0) < 0:
        raise operator.refuse("crops more than the size of its input")
    return operator.like(shape)


@rule("CenterCropPad")
def center_crop_pad(operator: Operator) -> Value:
    """Return the centre of the input, padded with zeros if that is too small."""
    shape = list(operator.shape())
    axes = operator.listed("axes", range(len(shape))) or []
    for axis, size in zip(axes, _sizes(operator, 1), strict=False):
        shape[operator.axis(axis, len(shape))] = size
    return operator.like(shape)


@rule("DepthToSpace")
def depth_to_space(operator: Operator) -> Value:
    """Return a larger image with fewer channels."""
    batch, channels, height, width = _image(operator)
    block = _block(operator)
    if channels % block**2:
        raise operator.refuse(f"cannot split {channels} channels into blocks of {block}")
    return operator.like((batch, channels // block**2, height * block, width * block))


@rule("SpaceToDepth")
def space_to_depth(operator: Operator) -> Value:
    """Return a smaller image with more channels."""
    batch, channels, height, width = _image(operator)
    block = _block(operator)
    if height % block or width % block:
        raise operator.refuse(f"cannot split an image of {height} x {width} into blocks of {block}")
    return operator.like((batch, channels * block**2, height // block, width // block))


def _image(operator: Operator) -> tuple[int, int, int, int]:
    shape = operator.rank(4)
    if len(shape) != 4:
        raise operator.refuse(f"needs an input with 4 axes, but its input has the shape {list(shape)}")
    return shape[0], shape[1], shape[2], shape[3]


def _block(operator: Operator) -> int:
    block = operator.whole("blocksize", 0)
    if block < 1:
        raise operator.refuse(f"has the invalid blocksize {block}")
    return block


@rule("Resize", "Upsample")
def resize(operator: Operator) -> Value:
    """Return the image resized by factors, or to a size."""
    shape = list(operator.shape())
    axes = operator.listed("axes", range(len(shape))) or []
    indices = [operator.axis(axis, len(shape)) for axis in axes]
    first = 1 if operator.operation.kind == "Upsample" or operator.opset < 11 else 2
    if operator.has(3) and operator.value(3).size:
        sizes = _fitted(operator, [shape[index] for index in indices], operator.integers(3))
    else:
        scales = operator.floats(first) if operator.has(first) else operator.attribute("scales")
        if not isinstance(scales, list) or len(scales) != len(indices) or min(scales, default=1) <= 0:
            raise operator.refuse("has no valid scales or sizes")
        # ONNX Runtime uses float32 here.
        sizes = [
            math.floor(np.float32(shape[index]) * np.float32(scale))
            for index, scale in zip(indices, scales, strict=True)
        ]
    for index, size in zip(indices, sizes, strict=True):
        shape[index] = size
    return operator.like(shape)


def _fitted(operator: Operator, sizes: list[int], wanted: list[int]) -> list[int]:
    """Return the requested sizes, or the closest ones with the same aspect ratio."""
    policy = operator.attribute("keep_aspect_ratio_policy", "stretch")
    if len(wanted) != len(sizes) or min(wanted, default=1) < 0:
        raise operator.refuse(f"cannot resize {sizes} to {wanted[:20]}")
    if policy == "stretch" or 0 in sizes:
        return wanted
    factors = [np.float32(new) / np.float32(old) for new, old in zip(wanted, sizes, strict=True)]
    factor = min(factors) if policy == "not_larger" else max(factors)
    return [math.floor(factor * np.float32(size) + np.float32(0.5)) for size in sizes]
