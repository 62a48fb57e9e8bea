"""ONNX tensors whose values are in other files (external data)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from itertools import groupby
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from napari_webipred.errors import ModelError
from napari_webipred.runtime.initializer import write_initializer

if TYPE_CHECKING:
    from onnx import TensorProto
else:
    TensorProto = Any  # onnx takes long to import

_TOGETHER = "Put all files of the model into one folder and choose that folder, or export the model again as one file."
_HARMFUL = "Do not use this model unless you trust its source."
# Name and bytes of an element by ONNX' number of its type; strings and 4-bit numbers are never external.
_TYPES = {
    2: ("UINT8", 1), 3: ("INT8", 1), 9: ("BOOL", 1),
    4: ("UINT16", 2), 5: ("INT16", 2), 10: ("FLOAT16", 2), 16: ("BFLOAT16", 2),
    1: ("FLOAT", 4), 6: ("INT32", 4), 12: ("UINT32", 4),
    7: ("INT64", 8), 11: ("DOUBLE", 8), 13: ("UINT64", 8),
}  # fmt: skip


class ExternalTensor(Struct, frozen=True):
    """A tensor, its name in the model file, and where its values are: a file, an offset and a size in bytes."""

    tensor: TensorProto
    name: str
    file: str
    offset: int
    size: int


def is_external(tensor: TensorProto) -> bool:
    """Tell whether the values of a tensor are in another file."""
    import onnx

    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data)


def locate(name: str, tensors: Iterable[TensorProto], files: Mapping[str, bytes], most: int) -> list[ExternalTensor]:
    """Find where the values of tensors are, before any of them is read.

    Parameters
    ----------
    name : str
        Name of the model's file among `files`; the others are in its folder or below.
    tensors : iterable of TensorProto
        With checked shapes. Tensors whose values are in the model itself are skipped.
    files : mapping of str to bytes
    most : int
        Maximum size of all of them together, in bytes.

    Raises
    ------
    ModelError
        A tensor is outside the model's folder, its file is missing, its size does not match its shape, or all of
        them are larger than `most`.
    """
    found = [_locate(name, tensor) for tensor in tensors if is_external(tensor)]
    missing = sorted({each.file for each in found} - set(files))
    if missing:
        raise ModelError(f"The files with the weights of {name} are missing: {', '.join(missing[:10])}.", _TOGETHER)
    total = sum(each.size for each in found)
    if total > most:
        raise ModelError(f"The weights of {name} have {total} bytes; at most {most} are allowed.", _TOGETHER)
    return found


def _locate(name: str, tensor: TensorProto) -> ExternalTensor:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    parts = location.split("/")
    if any(part in ("", ".", "..") for part in parts) or re.search(r"[\\:\0]", location):
        raise ModelError(
            f"{name} refers to the file {location[:200]!r}, which is outside the model's folder.", _HARMFUL
        )
    kind, width = _TYPES.get(tensor.data_type, ("", 0))
    offset, length = (entries.get(key, "0") for key in ("offset", "length"))
    size = math.prod(tensor.dims) * width
    sizes_agree = "length" not in entries or length == str(size)
    if not kind or not re.fullmatch(r"[0-9]{1,18}", offset) or not sizes_agree:
        raise ModelError(
            f"The tensor {tensor.name[:80]!r} in {name} ({kind or 'unsupported type'}, shape {list(tensor.dims)[:8]}) "
            f"has invalid external data: offset {offset[:20]!r}, length {length[:20]!r}.",
            _TOGETHER,
        )
    return ExternalTensor(tensor, tensor.name, str(PurePosixPath(name).parent.joinpath(*parts)), int(offset), size)


def fill(name: str, tensors: Iterable[ExternalTensor], files: Mapping[str, bytes]) -> None:
    """Read the values of tensors into the model itself."""
    for each, numbers in _read(name, tensors, files):
        each.tensor.CopyFrom(_description(each))
        each.tensor.raw_data = bytes(numbers)


def write(written: BytesIO, name: str, tensors: Iterable[ExternalTensor], files: Mapping[str, bytes]) -> None:
    """Append the values of tensors to a model, file by file, so that there are at most two copies in memory."""
    for each, numbers in _read(name, tensors, files):
        write_initializer(written, _description(each), numbers)


def _description(each: ExternalTensor) -> TensorProto:
    import onnx

    return onnx.TensorProto(name=each.tensor.name, dims=each.tensor.dims, data_type=each.tensor.data_type)


def _read(
    name: str, tensors: Iterable[ExternalTensor], files: Mapping[str, bytes]
) -> Iterator[tuple[ExternalTensor, memoryview]]:
    ordered = sorted(tensors, key=lambda each: (each.file, each.offset))
    for file, group in groupby(ordered, key=lambda each: each.file):
        content, end = memoryview(files[file]), 0
        for each in group:
            if each.offset < end or each.offset + each.size > len(content):
                # Tensors that share bytes could make a large model of a small file.
                raise ModelError(
                    f"The tensor {each.name[:80]!r} of {name} overlaps another, or is outside {file}, which has "
                    f"{len(content)} bytes.",
                    "Get the model again from its source; the download may be incomplete.",
                )
            end = each.offset + each.size
            yield each, content[each.offset : end]
