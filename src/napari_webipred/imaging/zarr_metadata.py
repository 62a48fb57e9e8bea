"""What the metadata of an array of Zarr say, as far as it can be true."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct

from napari_webipred import limits
from napari_webipred.errors import ImageError

TYPES = {
    "bool": "|b1",
    **{f"{'u' if sign == 'u' else ''}int{8 * n}": f"<{sign}{n}" for sign in "iu" for n in (1, 2, 4, 8)},
    **{f"float{8 * n}": f"<f{n}" for n in (2, 4, 8)},
}
COMPRESSIONS = {"blosc", "gzip", "zlib", "zstd", "lz4"}
OTHERS = {"bytes", "transpose", "crc32c"}
AXES_AT_MOST = 16
LENGTH_AT_MOST = 2**40
SHARD_CHUNKS = 2**22  # the index of a shard has 16 bytes for each of its chunks


class ArrayFacts(Struct, frozen=True):
    """An array of Zarr.

    Attributes
    ----------
    shape, chunks : tuple of int
        The chunks are what is decoded at a time: of an array in shards, those within.
    dtype : str
        As NumPy writes it.
    compression : str
        The codec of its chunks; empty if there is none.
    names : list of str, optional
        Of its axes, if they are told.
    chunk_bytes : int
        Bytes of a decoded chunk.
    shard_index : int
        Bytes at the end of a shard that tell where its chunks lie; 0 if there are no shards.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    compression: str
    names: list[Any] | None
    chunk_bytes: int
    shard_index: int = 0


def array_facts(path: Path, read: Callable[[Path], dict[str, Any]]) -> ArrayFacts:
    """Read and check the metadata of an array, of version 2 or 3.

    Parameters
    ----------
    path : Path
        Its folder.
    read : callable
        Reads an object of JSON from a file.

    Raises
    ------
    ImageError
        They say what cannot be, or what cannot be read here.
    """
    if (path / "zarr.json").exists():
        return _version_3(read(path / "zarr.json"))
    return _version_2(read(path / ".zarray"), read(path / ".zattrs") if (path / ".zattrs").exists() else {})


def _version_3(head: dict[str, Any]) -> ArrayFacts:
    shape = _lengths(head.get("shape"), "shape")
    chunks, codecs = _grid(head), head.get("codecs")
    dtype = TYPES.get(str(head.get("data_type")), "")
    if not dtype:
        raise ImageError(f"The array holds numbers of the type {_short(head.get('data_type'))}, which is no intensity.")
    names = [_name(each) for each in _list(codecs)]
    inner, index = chunks, 0
    if "sharding_indexed" in names:
        if names != ["sharding_indexed"]:
            raise ImageError("The shards of the array are coded in an unknown way.")
        inner, names, index = _shards(_list(codecs)[0].get("configuration"), chunks)
    return _facts(shape, inner, dtype, names, head.get("dimension_names"), index)


def _shards(settings: Any, chunks: tuple[int, ...]) -> tuple[tuple[int, ...], list[str], int]:
    """Return the chunks within a shard, their codecs, and the bytes of the index."""
    settings = settings if isinstance(settings, dict) else {}
    inner = _lengths(settings.get("chunk_shape"), "chunk_shape")
    count = math.prod(-(-a // b) for a, b in zip(chunks, inner, strict=False))
    if len(inner) != len(chunks) or count > SHARD_CHUNKS:
        raise ImageError("The shards of the array hold more chunks than can be.")
    codecs = [_name(each) for each in _list(settings.get("index_codecs"))]
    if codecs not in (["bytes"], ["bytes", "crc32c"]) or settings.get("index_location", "end") != "end":
        raise ImageError("The index of the shards is coded in an unknown way.")
    return inner, [_name(each) for each in _list(settings.get("codecs"))], 16 * count + 4 * (len(codecs) - 1)


def _grid(head: dict[str, Any]) -> tuple[int, ...]:
    grid = head.get("chunk_grid")
    settings = grid.get("configuration") if isinstance(grid, dict) and grid.get("name") == "regular" else None
    if not isinstance(settings, dict):
        raise ImageError("The array is stored in chunks of different sizes, which cannot be read.")
    return _lengths(settings.get("chunk_shape"), "chunk_shape")


def _version_2(head: dict[str, Any], attributes: dict[str, Any]) -> ArrayFacts:
    if head.get("zarr_format") != 2:
        raise ImageError(f"The array is in version {_short(head.get('zarr_format'))} of Zarr; 2 and 3 can be read.")
    if head.get("filters"):
        raise ImageError("The array has filters, which cannot be read.", "Save it again without them.")
    compressor = head.get("compressor")
    names = [str(compressor.get("id"))] if isinstance(compressor, dict) else []
    dtype = head.get("dtype")
    if not isinstance(dtype, str) or dtype[1:] not in {each[1:] for each in TYPES.values()} or dtype[0] not in "<>|":
        raise ImageError(f"The array holds numbers of the type {_short(dtype)}, which is no intensity.")
    named = attributes.get("_ARRAY_DIMENSIONS")
    return _facts(_lengths(head.get("shape"), "shape"), _lengths(head.get("chunks"), "chunks"), dtype, names, named)


def _facts(
    shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, codecs: list[str], names: Any, shard_index: int = 0
) -> ArrayFacts:
    compressions = [each for each in codecs if each in COMPRESSIONS]
    unknown = [each for each in codecs if each not in COMPRESSIONS | OTHERS]
    if unknown or len(compressions) > 1:
        raise ImageError(
            f"The array is compressed in a way that cannot be read: {', '.join(map(_short, unknown or codecs))}.",
            "Save it with one of blosc, zstd, gzip, zlib or lz4.",
        )
    if len(chunks) != len(shape):
        raise ImageError(f"The array has {len(shape)} axes, and its chunks have {len(chunks)}.")
    size = math.prod(chunks) * int(dtype[2:])
    if size > limits.BLOCK_AT_MOST:
        raise ImageError(
            f"The array is stored in chunks of {limits.amount(size)} each.", "Save it with chunks of a few megabytes."
        )
    axes = list(names) if isinstance(names, list) and all(isinstance(each, str) for each in names) else None
    return ArrayFacts(shape, chunks, dtype, compressions[0] if compressions else "", axes, size, shard_index)


def _lengths(given: Any, what: str) -> tuple[int, ...]:
    numbers = given if isinstance(given, list) else []
    if not 2 <= len(numbers) <= AXES_AT_MOST or not all(
        type(each) is int and 1 <= each <= LENGTH_AT_MOST for each in numbers
    ):
        raise ImageError(f"The {what} of the array is {_short(given)}, which is not that of an image.")
    return tuple(numbers)


def _list(given: Any) -> list[Any]:
    found = given if isinstance(given, list) else []
    if len(found) > AXES_AT_MOST or not all(isinstance(each, (dict, str)) for each in found):
        raise ImageError("The array is coded in an unknown way.")
    return [each if isinstance(each, dict) else {"name": each} for each in found]


def _name(codec: dict[str, Any]) -> str:
    return str(codec.get("name"))


def _short(given: Any) -> str:
    text = str(given)
    return text if len(text) <= 60 else f"{text[:60]}..."
