"""Initializers of an ONNX model, written one by one, so that there are never two copies of all of them."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import TensorProto

# Numbers of fields in ONNX, and the wire type of those that hold bytes: ModelProto.graph, GraphProto.initializer,
# TensorProto.raw_data.
_GRAPH, _INITIALIZER, _RAW_DATA = (number << 3 | 2 for number in (7, 5, 9))


def write_initializer(written: BytesIO, tensor: TensorProto, numbers: memoryview) -> None:
    """Append one constant to a serialised model: Protocol Buffers merge messages that follow each other.

    Parameters
    ----------
    written : BytesIO
        The model so far.
    tensor : TensorProto
        Name, shape and type of the constant.
    numbers : memoryview
        Its content as ``raw_data``, which is copied once.
    """
    inner = tensor.SerializeToString(deterministic=True) + bytes([_RAW_DATA]) + _varint(numbers.nbytes)
    initializer = bytes([_INITIALIZER]) + _varint(len(inner) + numbers.nbytes) + inner
    written.write(bytes([_GRAPH]) + _varint(len(initializer) + numbers.nbytes) + initializer)
    written.write(numbers)


def _varint(number: int) -> bytes:
    """Write an integer as Protocol Buffers do: seven bits a byte, the lowest first."""
    pieces = []
    while number > 127:
        pieces.append(number & 127 | 128)
        number >>= 7
    return bytes([*pieces, number])
