"""Rows as JSON: an object in each line."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from napari_webipred.names import visible
from napari_webipred.results.columns import columns
from napari_webipred.results.digits import digits
from napari_webipred.results.export import Cell, Stream, identity, numbers, parts
from napari_webipred.results.row import Row

SUFFIX = ".jsonl"
_ENCODER = json.JSONEncoder(ensure_ascii=False)


class JsonLinesWriter:
    """Writes rows as they come; for the parameters see `napari_webipred.results.export.CsvWriter`.

    A row of a stack has a key for each of its axes; others do not. Numbers have the full precision of float32.
    """

    def __init__(
        self,
        stream: Stream,
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
        self._keys = [f"{', ' if place else '{'}{_as_json(name)}: " for place, name in enumerate(names)]

    def write(self, row: Row, model: str = "") -> None:
        """Write one row, of one of several models; a failed one has ``null`` for its numbers."""
        run = (*(identity(row) if self._identify else ()), *((model,) if self._models else ()))
        probabilities, measured = numbers(row.probabilities, self._classes), numbers(row.measures, self._measures)
        place = 0
        pieces: list[str] = []
        for part in parts(row, self._axes, probabilities, self._regions, run, measured):
            values = digits(part).split(",") if isinstance(part, np.ndarray) else [_as_json(part)]
            end = place + len(values)
            if part is not None:  # as an axis may be
                pairs = [""] * (2 * len(values))
                pairs[::2], pairs[1::2] = self._keys[place:end], values
                pieces += pairs
            place = end
        self._stream.write(f"{''.join(pieces)}}}\n")


def _as_json(cell: Cell) -> str:
    return _ENCODER.encode(visible(cell) if isinstance(cell, str) else cell)
