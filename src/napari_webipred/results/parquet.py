"""Rows as a Parquet file, made of JSON lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import OptionError
from napari_webipred.names import visible

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

GROUP = 10_000  # rows that are written together


def check_installed() -> None:
    """Make sure that Parquet files can be written.

    Raises
    ------
    OptionError
        A library is missing.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise OptionError(
            "Parquet files need the library pyarrow, which is not installed.", "", "install pyarrow"
        ) from error


def write_parquet(
    file: IO[bytes], lines: Path, columns: Sequence[str], axes: Sequence[str], numbers: tuple[int, int]
) -> None:
    """Write the rows of a file with JSON lines, a group of them at a time.

    Places on axes are 64-bit integers, what is computed 32-bit floats, everything else is text. A cell without a value
    is null, as are the numbers of a row that failed.

    Parameters
    ----------
    file : binary stream
    lines : Path
        As `napari_webipred.results.json_lines.JsonLinesWriter` writes them.
    columns : sequence of str
        Their names.
    axes : sequence of str
        The names of axes, which stand behind the first column.
    numbers : tuple of int
        How many classes there are, which stand before the columns ``prediction`` and ``error``, and how many measures,
        which stand behind them.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [visible(name) for name in columns]  # as the lines have them
    schema = _schema(names, len(axes), *numbers)
    computed = [field.name for field in schema if field.type == pa.float32()]
    others = [(field.name, field.type) for field in schema if field.type != pa.float32()]
    with pq.ParquetWriter(file, schema, compression="zstd") as writer, lines.open("rb") as text:
        while rows := [_read(line, *numbers) for line in islice(text, GROUP)]:
            arrays = {name: pa.array([row.get(name) for row, _ in rows], type_) for name, type_ in others}
            for name, values in zip(computed, np.stack([values for _, values in rows], axis=1), strict=True):
                arrays[name] = pa.array(values, from_pandas=True)  # NaN is null
            writer.write_batch(pa.record_batch([arrays[name] for name in names], schema=schema), row_group_size=GROUP)


def _read(line: bytes, classes: int, measures: int) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Return the cells of a row, and its numbers by themselves: as objects, those of many rows would take gigabytes.

    Numbers are taken by their places: a class that is called like an axis has another name from the first stack on.
    """
    import orjson

    row: dict[str, Any] = orjson.loads(line)
    names = list(row)
    last = len(names) - measures - 2  # where the classes end
    computed = (*names[last - classes : last], *names[last + 2 :])
    return row, np.array([row.pop(name) for name in computed], np.float32)


def cells_in(path: Path) -> Iterator[list[Any]]:
    """Yield the names of the columns of a Parquet file, then the cells of each row."""
    check_installed()
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        yield list(file.schema_arrow.names)
        for batch in file.iter_batches(GROUP):
            yield from map(list, zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _schema(columns: Sequence[str], axes: int, classes: int, measures: int) -> pa.Schema:
    import pyarrow as pa

    count = len(columns)
    last = count - measures - 2  # where the classes end
    types = [pa.string()] * count
    types[1 : 1 + axes] = [pa.int64()] * axes
    types[last - classes : last] = [pa.float32()] * classes
    types[last + 2 :] = [pa.float32()] * measures
    return pa.schema(list(zip(columns, types, strict=True)))
