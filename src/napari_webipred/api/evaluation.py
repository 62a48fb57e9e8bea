"""Tell how well a model does on images whose classes are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.evaluation.evaluation import Evaluation, evaluated
from napari_webipred.evaluation.given import cohort_of


def evaluate(
    table: pd.DataFrame | str | Path,
    truth: pd.DataFrame | Mapping[str, Any] | str | Path | None,
    *,
    group: str | None = None,
    ordinal: bool = False,
    thresholds: str | None = None,
    calibrate: bool = False,
    draws: int = 1000,
    seed: int = 0,
) -> Evaluation:
    """Tell how well a model does on images whose classes are known, with 95 % intervals.

    Parameters
    ----------
    table : DataFrame or path
        What `classify` returns, or a CSV file of results.
    truth : DataFrame, mapping or path, or None
        A table or CSV file with a column for the image and one for its label (or one with 0 and 1 for each class), or a
        mapping of images to labels. None takes the names of the folders that the images lie in.
    group : str, optional
        Name of a column of either table that says which images belong together, such as a patient's. Intervals then
        count groups, not images. Planes and regions of the same image always belong together.
    ordinal : bool
        Whether the classes have an order, such as grades of a disease.
    thresholds : str, optional
        How thresholds are chosen, if they are to be: ``"youden"``, ``"sensitivity=0.95"``, ``"specificity=0.9"`` or
        ``"cost=5"`` (a missed image costs as much as five false alarms).
    calibrate : bool
        Whether to calibrate the probabilities: a temperature for classes that exclude each other, else Platt's method.
    draws, seed : int
        How often the cohort is resampled for intervals, and what the random numbers begin with.

    Returns
    -------
    Evaluation
        ``summary``, ``confusion`` and ``unmatched`` are data frames; ``save(folder)`` writes files.

    Raises
    ------
    OptionError
        Something cannot be read, or no row has a label.

    Examples
    --------
    >>> import pandas as pd
    >>> import napari_webipred as wp
    >>> table = pd.DataFrame({"image": ["a.png", "b.png", "c.png"], "cat": [0.9, 0.2, 0.6], "dog": [0.1, 0.8, 0.4]})
    >>> found = wp.evaluate(table, {"a.png": "cat", "b.png": "dog", "c.png": "dog"})
    >>> found.confusion.loc["dog", "cat"].item()
    1
    >>> accuracy = found.metric("accuracy")
    >>> round(accuracy.value, 2), round(accuracy.low, 2), round(accuracy.high, 2)
    (0.67, 0.21, 0.94)
    """
    with remedies_in_notes():
        cohort, made = cohort_of(table, truth, group, ordinal=ordinal)
        return evaluated(cohort, draws, seed, made, rule=thresholds, calibrate=calibrate)
