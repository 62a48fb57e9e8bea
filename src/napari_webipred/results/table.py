"""Rows as a pandas table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred.results.columns import IDENTITY, columns
from napari_webipred.results.export import identity
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


def to_frame(
    rows: Iterable[Row],
    classes: Sequence[str],
    axes: Sequence[str] = (),
    regions: bool = False,
    *,
    measures: Sequence[str] = (),
    identify: bool = False,
    models: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Make a table with a row per image, plane or region.

    Parameters
    ----------
    rows : iterable of Row
    classes, axes, regions, measures, identify
        As for `napari_webipred.results.columns.columns`.
    models : sequence of str, optional
        The name of the model of each row, if there are several.

    Returns
    -------
    pandas.DataFrame
        Columns as in the CSV file: ``image``, axes (nullable integers), ``region`` if asked for, classes (float32, NaN
        where the image failed), ``prediction``, ``error``. ``attrs["remarks"]`` lists what should be known about single
        rows, such as that an image is blank: pairs of a row's number, counted from 0, and a text.
    """
    import pandas as pd

    rows = list(rows)
    values: list[object] = [
        [row.image for row in rows],
        *(pd.array([row.position.get(axis) for row in rows], dtype="Int64") for axis in axes),
        *([[row.region for row in rows]] if regions else []),
        *([[identity(row)[place] for row in rows] for place in range(len(IDENTITY))] if identify else []),
        *([list(models)] if models is not None else []),
        *_together([row.probabilities for row in rows], len(classes)).T,
        [row.prediction for row in rows],
        [row.error for row in rows],
        *_together([row.measures for row in rows], len(measures)).T,
    ]
    names = columns(axes, classes, regions, models=models is not None, measures=measures, identify=identify)
    frame = pd.DataFrame(dict(zip(names, values, strict=True)))
    frame.attrs["remarks"] = [(i, row.remark) for i, row in enumerate(rows) if row.remark]
    return frame


def _together(numbers: Sequence[NDArray[np.float32] | None], width: int) -> NDArray[np.float32]:
    """Make an array with a row for each; NaN where there are no numbers."""
    found = np.full((len(numbers), width), np.nan, np.float32)
    for i, each in enumerate(numbers):
        if each is not None:
            found[i] = each
    return found
