"""Rows as JSON: an object in each line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isfinite
from typing import TextIO

from napari_webipred.names import visible
from napari_webipred.results.columns import columns
from napari_webipred.results.export import Cell, cells, identity, numbers
from napari_webipred.results.row import Row

SUFFIX = ".jsonl"


class JsonLinesWriter:
    """Writes rows as they come; for the parameters see `napari_webipred.results.export.CsvWriter`.

    A row of a stack has a key for each of its axes; others do not. Numbers have the full precision of float32.
    """

    def __init__(
        self,
        stream: TextIO,
        classes: Sequence[str],
        axes: Sequence[str] = (),
        *,
        regions: bool = False,
        measures: Sequence[str] = (),
        identify: bool = False,
        models: bool = False,
    ) -> None:
        self._stream = stream
        self._axes = tuple(axes)
        self._classes, self._measures = len(classes), len(measures)
        self._regions, self._identify, self._models = regions, identify, models
        names = columns(axes, classes, regions, models=models, measures=measures, identify=identify)
        self._keys = [f"{json.dumps(visible(name), ensure_ascii=False)}: " for name in names]

    def write(self, row: Row, model: str = "") -> None:
        """Write one row, of one of several models; a failed one has ``null`` for its numbers."""
        run = (*(identity(row) if self._identify else ()), *((model,) if self._models else ()))
        probabilities, measured = numbers(row.probabilities, self._classes), numbers(row.measures, self._measures)
        found = cells(row, self._axes, probabilities, self._regions, run, measured)
        last = len(self._axes)
        parts = (
            f"{key}{_as_json(cell)}"
            for place, (key, cell) in enumerate(zip(self._keys, found, strict=True))
            if cell is not None or not 0 < place <= last
        )
        self._stream.write(f"{{{', '.join(parts)}}}\n")


def _as_json(cell: Cell) -> str:
    if isinstance(cell, str):
        return json.dumps(visible(cell), ensure_ascii=False)
    return str(cell) if cell is not None and isfinite(cell) else "null"
