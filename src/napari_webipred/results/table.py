"""Rows as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.results.columns import columns
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    import pandas as pd


def to_frame(
    rows: Iterable[Row], classes: Sequence[str], axes: Sequence[str] = (), regions: bool = False
) -> pd.DataFrame:
    """Make a table with a row per image, plane or region.

    Returns
    -------
    pandas.DataFrame
        Columns as in the CSV file: ``image``, axes (nullable integers), ``region`` if asked for, classes (float32, NaN
        where the image failed), ``prediction``, ``error``. ``attrs["remarks"]`` lists what should be known about single
        rows, such as that an image is blank: pairs of a row's number, counted from 0, and a text.
    """
    import pandas as pd

    rows = list(rows)
    numbers = np.full((len(rows), len(classes)), np.nan, np.float32)
    for i, row in enumerate(rows):
        if row.probabilities is not None:
            numbers[i] = row.probabilities
    values: list[object] = [
        [row.image for row in rows],
        *(pd.array([row.position.get(axis) for row in rows], dtype="Int64") for axis in axes),
        *([[row.region for row in rows]] if regions else []),
        *numbers.T,
        [row.prediction for row in rows],
        [row.error for row in rows],
    ]
    frame = pd.DataFrame(dict(zip(columns(axes, classes, regions), values, strict=True)))
    frame.attrs["remarks"] = [(i, row.remark) for i, row in enumerate(rows) if row.remark]
    return frame
