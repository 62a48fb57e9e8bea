"""Matrix products, attention and recurrent operators."""

from __future__ import annotations

import re
from collections.abc import Sequence

from napari_webipred.runtime.onnx_graph import FLOAT
from napari_webipred.runtime.shapes.elementwise import broadcast
from napari_webipred.runtime.shapes.operator import Operator, rule
from napari_webipred.runtime.shapes.value import Shape, Value

_MICROSOFT = "com.microsoft"
_INT32 = 6


def multiplied(operator: Operator, a: Shape, b: Shape) -> Shape:
    """Return the shape of the product of two stacks of matrices."""
    if not a or not b:
        raise operator.refuse("cannot multiply a scalar")
    left, right = (1, *a) if len(a) == 1 else a, (*b, 1) if len(b) == 1 else b
    if left[-1] != right[-2]:
        raise operator.refuse(f"cannot multiply tensors of shapes {list(a)} and {list(b)}")
    stack = broadcast(operator, left[:-2] or (1,), right[:-2] or (1,)) if left[:-2] or right[:-2] else ()
    rows = () if len(a) == 1 else (left[-2],)
    columns = () if len(b) == 1 else (right[-1],)
    return (*stack, *rows, *columns)


@rule("MatMul", f"{_MICROSOFT}.FusedMatMul")
def product(operator: Operator) -> Value:
    """Return the product."""
    return operator.like(multiplied(operator, operator.shape(0), operator.shape(1)))


@rule("MatMulInteger")
def integer_product(operator: Operator) -> Value:
    """Return an int32 tensor."""
    return Value(_INT32, multiplied(operator, operator.shape(0), operator.shape(1)))


@rule("QLinearMatMul")
def quantised_product(operator: Operator) -> Value:
    """Return a tensor with the dtype of its zero point."""
    return operator.like(multiplied(operator, operator.shape(0), operator.shape(3)), 7)


@rule(f"{_MICROSOFT}.DynamicQuantizeMatMul", f"{_MICROSOFT}.MatMulIntegerToFloat")
def dequantised_product(operator: Operator) -> Value:
    """Return a float32 tensor."""
    return Value(FLOAT, multiplied(operator, operator.shape(0), operator.shape(1)))


def _gemm_sizes(operator: Operator, second: int) -> tuple[int, int]:
    a, b = operator.rank(2, 0), operator.rank(2, second)
    rows, inner = a[:2] if not operator.whole("transA", 0) else (a[1], a[0])
    other, columns = b[:2] if not operator.whole("transB", 0) else (b[1], b[0])
    if len(a) != 2 or len(b) != 2 or inner != other:
        raise operator.refuse(f"cannot multiply tensors of shapes {list(a)} and {list(b)}")
    return rows, columns


@rule("Gemm", f"{_MICROSOFT}.FusedGemm")
def gemm(operator: Operator) -> Value:
    """Return the product of two matrices."""
    return operator.like(_gemm_sizes(operator, 1))


@rule(f"{_MICROSOFT}.QGemm")
def quantised_gemm(operator: Operator) -> Value:
    """Return a tensor with the dtype of its zero point, or a float32 tensor without one."""
    shape = _gemm_sizes(operator, 3)
    return operator.like(shape, 8) if operator.has(8) else Value(FLOAT, shape)


@rule("Einsum")
def einsum(operator: Operator) -> Value:
    """Return the sum of products in the equation."""
    sizes, output = einsum_sizes(operator)
    return operator.like([sizes[letter] for letter in output])


def einsum_sizes(operator: Operator) -> tuple[dict[str, int], str]:
    """Return the size of each axis of an Einsum by its letter, and the letters of the output."""
    equation = operator.attribute("equation", "").replace(" ", "")
    if not re.fullmatch(r"[A-Za-z,]+(->[A-Za-z]*)?", equation):
        raise operator.refuse(f"has the unsupported equation {equation!r:.80}")
    terms, arrow, output = equation.partition("->")
    operands = terms.split(",")
    if len(operands) != len(operator.values):
        raise operator.refuse(f"has the equation {equation!r:.80}, but {len(operator.values)} inputs")
    sizes: dict[str, int] = {}
    for i, letters in enumerate(operands):
        shape = operator.shape(i)
        if len(letters) != len(shape):
            raise operator.refuse(f"has the equation {equation!r:.80} for a tensor of shape {list(shape)}")
        for letter, size in zip(letters, shape, strict=True):
            if sizes.get(letter, 1) not in {1, size} and size != 1:
                raise operator.refuse(f"has the equation {equation!r:.80}, but the sizes of its inputs do not match")
            sizes[letter] = max(size, sizes.get(letter, 1)) if size else 0
    if not arrow:
        output = "".join(sorted(letter for letter in sizes if terms.count(letter) == 1))
    if not set(output) <= set(sizes):
        raise operator.refuse(f"has the invalid equation {equation!r:.80}")
    return sizes, output


@rule("Attention")
def standard_attention(operator: Operator) -> Sequence[Value]:
    """Return the attended values; inputs are (batch, heads, points, size) or (batch, points, channels)."""
    if operator.count > 1 or operator.has(4) or operator.has(5):
        raise operator.refuse("uses a cache of keys and values, which is unsupported")
    query, value = operator.rank(3), operator.rank(3, 2)
    if len(query) == 4:
        return [operator.like((*query[:3], value[-1]))]
    heads, others = operator.whole("q_num_heads", 1), max(operator.whole("kv_num_heads", 1), 1)
    return [operator.like((*query[:2], heads * (value[2] // others)))]


@rule("LSTM", "GRU", "RNN")
def recurrent(operator: Operator) -> Sequence[Value]:
    """Return all states and the last ones."""
    first, second = operator.rank(3)[:2]
    directions, hidden = operator.rank(3, 2)[0], operator.rank(3, 2)[2]
    if operator.whole("layout", 0):
        last = operator.like((first, directions, hidden))
        return [operator.like((first, second, directions, hidden)), last, last]
    last = operator.like((directions, second, hidden))
    return [operator.like((first, directions, second, hidden)), last, last]
