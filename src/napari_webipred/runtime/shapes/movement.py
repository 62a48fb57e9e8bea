"""Operators that move, cut, join and repeat numbers without computing any."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_webipred.runtime.onnx_graph import FLOAT, INT64
from napari_webipred.runtime.shapes.elementwise import broadcast
from napari_webipred.runtime.shapes.operator import Operator, rule
from napari_webipred.runtime.shapes.value import Value

_TO_THE_END = (2**31 - 1, 2**63 - 1)  # in whichever direction


@rule("Shape")
def shape_of(operator: Operator) -> Value:
    """Return the sizes of the axes, or of some of them."""
    shape = operator.shape()
    sizes = shape[operator.whole("start", 0) : operator.whole("end", len(shape))]
    return Value(INT64, (len(sizes),), np.array(sizes, np.int64), constant=True)


@rule("Size")
def size_of(operator: Operator) -> Value:
    """Return how many numbers there are."""
    return Value(INT64, (), np.array(operator.value().size, np.int64), constant=True)


@rule("Reshape")
def reshape(operator: Operator) -> Value:
    """Return the same numbers in another shape; 0 keeps a size, -1 is what is left."""
    before = operator.shape()
    wanted = operator.integers(1)
    keep = not operator.whole("allowzero", 0)
    if any(n == 0 and keep and i >= len(before) for i, n in enumerate(wanted)):
        raise operator.refuse(f"cannot bring {list(before)} into the shape {wanted}")
    sizes = [before[i] if n == 0 and keep else n for i, n in enumerate(wanted)]
    if sizes.count(-1) > 1 or min(sizes, default=0) < -1:
        raise operator.refuse(f"cannot bring {list(before)} into the shape {wanted}")
    rest = math.prod(n for n in sizes if n != -1)
    made = [(math.prod(before) // rest if rest else 0) if n == -1 else n for n in sizes]
    if math.prod(made) != math.prod(before):
        raise operator.refuse(f"cannot bring {list(before)} into the shape {wanted}")
    return operator.like(made)


@rule("Flatten")
def flatten(operator: Operator) -> Value:
    """Return a matrix."""
    shape = operator.shape()
    axis = operator.whole("axis", 1)
    if not -len(shape) <= axis <= len(shape):
        raise operator.refuse(f"has the axis {axis} for a tensor of {len(shape)} axes")
    place = axis % len(shape) if axis < 0 else axis
    return operator.like((math.prod(shape[:place]), math.prod(shape[place:])))


@rule("Squeeze")
def squeeze(operator: Operator) -> Value:
    """Return the tensor without axes of size 1."""
    shape = operator.shape()
    axes = operator.axes("axes", 1, len(shape))
    if axes is None:
        axes = [i for i, n in enumerate(shape) if n == 1]
    if any(shape[axis] != 1 for axis in axes):
        raise operator.refuse(f"cannot leave out the axes {axes} of {list(shape)}")
    return operator.like([n for i, n in enumerate(shape) if i not in axes])


@rule("Unsqueeze")
def unsqueeze(operator: Operator) -> Value:
    """Return the tensor with further axes of size 1."""
    shape = operator.shape()
    given = operator.integers(1) if operator.has(1) else operator.listed("axes")
    if given is None or len(given) > 64:
        raise operator.refuse("does not say which axes it makes")
    rank = len(shape) + len(given)
    places = {operator.axis(axis, rank) for axis in given}
    if len(places) != len(given):
        raise operator.refuse(f"makes the axes {given}")
    rest = iter(shape)
    return operator.like([1 if i in places else next(rest) for i in range(rank)])


@rule("Transpose")
def transpose(operator: Operator) -> Value:
    """Return the tensor with its axes in another order."""
    shape = operator.shape()
    order = operator.listed("perm", range(len(shape))[::-1]) or []
    if sorted(order) != list(range(len(shape))):
        raise operator.refuse(f"orders the axes of {list(shape)} as {order}")
    return operator.like([shape[axis] for axis in order])


@rule("Concat")
def concat(operator: Operator) -> Value:
    """Return the tensors behind one another."""
    shapes = [value.shape for value in operator.given()] or [operator.shape()]
    first = shapes[0]
    axis = operator.axis(operator.whole("axis", 1), len(first))
    rest = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rest) > 1 or any(len(shape) != len(first) for shape in shapes):
        raise operator.refuse(f"joins tensors of the shapes {', '.join(str(list(s)) for s in shapes[:5])}")
    return operator.like((*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :]))


@rule("Split")
def split(operator: Operator) -> Sequence[Value]:
    """Return pieces along an axis."""
    shape = operator.shape()
    axis = operator.axis(operator.whole("axis", 0), len(shape))
    return [operator.like((*shape[:axis], size, *shape[axis + 1 :])) for size in pieces(operator)]


def pieces(operator: Operator) -> list[int]:
    """Return how long each piece of a Split is."""
    shape = operator.shape()
    whole = shape[operator.axis(operator.whole("axis", 0), len(shape))]
    sizes = operator.integers(1) if operator.has(1) else operator.listed("split")
    if sizes is None:
        each = -(-whole // max(operator.count, 1))
        sizes = [max(min(each, whole - i * each), 0) for i in range(operator.count)]
    if sum(sizes) != whole or min(sizes, default=0) < 0 or len(sizes) != operator.count:
        raise operator.refuse(f"cuts {list(shape)} into pieces of {sizes[:20]}")
    return sizes


@rule("Slice")
def slice_of(operator: Operator) -> Value:
    """Return what lies between begins and ends, in steps."""
    shape = list(operator.shape())
    for axis, (begin, end, step) in slices(operator).items():
        shape[axis] = len(range(*slice(begin, end, step).indices(shape[axis])))
    return operator.like(shape)


def slices(operator: Operator) -> dict[int, tuple[int, int | None, int]]:
    """Return begin, end and step for each axis that is cut, as Python's `slice` takes them."""
    shape = operator.shape()
    if operator.has(1):
        begins, ends = operator.integers(1), operator.integers(2)
        axes = operator.integers(3) if operator.has(3) else list(range(len(begins)))
        steps = operator.integers(4) if operator.has(4) else [1] * len(begins)
    else:
        begins, ends = operator.listed("starts", []) or [], operator.listed("ends", []) or []
        axes, steps = operator.listed("axes", range(len(begins))) or [], [1] * len(begins)
    if not len(begins) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise operator.refuse("says unclearly what it cuts off")
    found: dict[int, tuple[int, int | None, int]] = {}
    for axis, begin, end, step in zip(axes, begins, ends, steps, strict=True):
        place = operator.axis(axis, len(shape))
        found[place] = _cut(shape[place], begin, end, step)
    return found


def _cut(size: int, begin: int, end: int, step: int) -> tuple[int, int | None, int]:
    """Clamp begin and end as ONNX Runtime does, which differs from Python where steps go backwards."""
    first = min(max(begin + size if begin < 0 else begin, 0), size - 1 if step < 0 else size)
    last = -1 if step < 0 else size
    if end not in _TO_THE_END:
        last = min(max(end + size if end < 0 else end, -1 if step < 0 else 0), size)
    return max(first, 0), None if last < 0 else last, step


@rule("Gather")
def gather(operator: Operator) -> Value:
    """Return slices of the first input, chosen by the second."""
    shape, chosen = operator.shape(0), operator.shape(1)
    axis = operator.axis(operator.whole("axis", 0), len(shape))
    return operator.like((*shape[:axis], *chosen, *shape[axis + 1 :]))


@rule("GatherElements")
def gather_elements(operator: Operator) -> Value:
    """Return a number of the first input for each of the second."""
    return operator.like(operator.shape(1))


@rule("GatherND")
def gather_nd(operator: Operator) -> Value:
    """Return slices of the first input, chosen by the vectors in the second."""
    shape, chosen = operator.shape(0), operator.rank(1, 1)
    depth = operator.whole("batch_dims", 0) + chosen[-1]
    if depth > len(shape):
        raise operator.refuse(f"chooses by {chosen[-1]} numbers in a tensor of {list(shape)}")
    return operator.like((*chosen[:-1], *shape[depth:]))


@rule("Expand")
def expand(operator: Operator) -> Value:
    """Return the tensor repeated until it has a shape."""
    return operator.like(broadcast(operator, operator.shape(), tuple(_sizes(operator, 1))))


@rule("Tile")
def tile(operator: Operator) -> Value:
    """Return the tensor repeated along each axis."""
    shape, times = operator.shape(), _sizes(operator, 1)
    if len(times) != len(shape):
        raise operator.refuse(f"repeats {list(shape)} {times[:20]} times")
    return operator.like([size * count for size, count in zip(shape, times, strict=True)])


@rule("ConstantOfShape")
def constant_of_shape(operator: Operator) -> Value:
    """Return a tensor of one number."""
    value = operator.tensor("value")
    return Value(FLOAT if value is None else value.element_type, tuple(_sizes(operator, 0)))


def _sizes(operator: Operator, index: int) -> list[int]:
    sizes = operator.integers(index)
    if min(sizes, default=0) < 0:
        raise operator.refuse(f"makes a tensor of shape {sizes[:20]}")
    return sizes


@rule("Range")
def range_of(operator: Operator) -> Value:
    """Return numbers in equal steps."""
    return operator.like([count_of(operator)])


def count_of(operator: Operator) -> int:
    """Return how many numbers a Range has."""
    begin, end, step = (operator.floats(i)[0] for i in range(3))
    if not step or not math.isfinite(begin + end + step):
        raise operator.refuse("counts in steps of 0")
    return max(math.ceil((end - begin) / step), 0)


@rule("EyeLike")
def eye_like(operator: Operator) -> Value:
    """Return a matrix of zeros with ones in its diagonal."""
    return Value(operator.whole("dtype", 0) or operator.value().element_type, operator.rank(2))


@rule("OneHot")
def one_hot(operator: Operator) -> Value:
    """Return a row of numbers, of which one is another, for each index."""
    shape = list(operator.shape())
    axis = operator.axis(operator.whole("axis", -1), len(shape) + 1)
    return operator.like((*shape[:axis], max(operator.integers(1)[0], 0), *shape[axis:]), 2)


@rule("Pad")
def pad(operator: Operator) -> Value:
    """Return the tensor with numbers around it; negative paddings cut off."""
    shape = list(operator.shape())
    pads = operator.integers(1) if operator.has(1) else operator.listed("pads", []) or []
    axes = [operator.axis(axis, len(shape)) for axis in operator.integers(3)] if operator.has(3) else None
    places = list(range(len(shape))) if axes is None else axes
    if len(pads) != 2 * len(places):
        raise operator.refuse(f"has the paddings {pads[:20]} for a tensor of {shape}")
    for i, place in enumerate(places):
        shape[place] += pads[i] + pads[i + len(places)]
    if min(shape, default=0) < 0:
        raise operator.refuse("cuts more than there is off a tensor")
    return operator.like(shape)


@rule("CenterCropPad")
def center_crop_pad(operator: Operator) -> Value:
    """Return the middle of a tensor, with zeros around it where it is too small."""
    shape = list(operator.shape())
    axes = operator.listed("axes", range(len(shape))) or []
    for axis, size in zip(axes, _sizes(operator, 1), strict=False):
        shape[operator.axis(axis, len(shape))] = size
    return operator.like(shape)


@rule("DepthToSpace")
def depth_to_space(operator: Operator) -> Value:
    """Return an image that is larger and has fewer channels."""
    batch, channels, height, width = _image(operator)
    block = _block(operator)
    if channels % block**2:
        raise operator.refuse(f"cannot make blocks of {block} of {channels} channels")
    return operator.like((batch, channels // block**2, height * block, width * block))


@rule("SpaceToDepth")
def space_to_depth(operator: Operator) -> Value:
    """Return an image that is smaller and has more channels."""
    batch, channels, height, width = _image(operator)
    block = _block(operator)
    if height % block or width % block:
        raise operator.refuse(f"cannot make blocks of {block} of an image of {height} x {width}")
    return operator.like((batch, channels * block**2, height // block, width // block))


def _image(operator: Operator) -> tuple[int, int, int, int]:
    shape = operator.rank(4)
    if len(shape) != 4:
        raise operator.refuse(f"is given a tensor of shape {list(shape)}")
    return shape[0], shape[1], shape[2], shape[3]


def _block(operator: Operator) -> int:
    block = operator.whole("blocksize", 0)
    if block < 1:
        raise operator.refuse(f"has the blocksize {block}")
    return block


@rule("Resize", "Upsample")
def resize(operator: Operator) -> Value:
    """Return an image enlarged by factors, or to a size."""
    shape = list(operator.shape())
    axes = operator.listed("axes", range(len(shape))) or []
    places = [operator.axis(axis, len(shape)) for axis in axes]
    first = 1 if operator.operation.kind == "Upsample" or operator.opset < 11 else 2
    if operator.has(3) and operator.value(3).size:
        sizes = _fitted(operator, [shape[place] for place in places], operator.integers(3))
    else:
        scales = operator.floats(first) if operator.has(first) else operator.attribute("scales")
        if not isinstance(scales, list) or len(scales) != len(places) or min(scales, default=1) <= 0:
            raise operator.refuse("does not say how large its result is")
        # ONNX Runtime computes in 32 bits here.
        sizes = [
            math.floor(np.float32(shape[place]) * np.float32(scale))
            for place, scale in zip(places, scales, strict=True)
        ]
    for place, size in zip(places, sizes, strict=True):
        shape[place] = size
    return operator.like(shape)


def _fitted(operator: Operator, sizes: list[int], wanted: list[int]) -> list[int]:
    """Return the sizes that are asked for, or the nearest with the same proportions."""
    policy = operator.attribute("keep_aspect_ratio_policy", "stretch")
    if len(wanted) != len(sizes) or min(wanted, default=1) < 0:
        raise operator.refuse(f"makes a tensor of shape {wanted[:20]} of {sizes}")
    if policy == "stretch" or 0 in sizes:
        return wanted
    factors = [np.float32(new) / np.float32(old) for new, old in zip(wanted, sizes, strict=True)]
    factor = min(factors) if policy == "not_larger" else max(factors)
    return [math.floor(factor * np.float32(size) + np.float32(0.5)) for size in sizes]
