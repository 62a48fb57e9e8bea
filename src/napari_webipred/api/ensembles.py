"""Compare and join the answers of several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.ensembles.agreement import Agreement, agreement_of
from napari_webipred.ensembles.ensemble import Method, ensemble_of
from napari_webipred.ensembles.opinions import opinions_in


def agreement(table: pd.DataFrame, *, mapping: Mapping[str, str] | None = None) -> Agreement:
    """Tell how far several models agree, and on which images they differ most.

    Parameters
    ----------
    table : pandas.DataFrame
        What `classify` returns for a list of models, or the CSV file of the command line, read by pandas.
    mapping : mapping of str to str, optional
        Names of classes that stand for others, where models call the same class differently:
        ``{"PNEUMONIA": "pneumonia"}``. If several classes of a model get one name, their probabilities are added.

    Returns
    -------
    Agreement

    Raises
    ------
    OptionError
        The table is not of several models, they give values, or their classes have different names.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> noise = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    >>> table = wp.classify([noise, noise // 16], ["demo", "demo"])
    >>> table["prediction"].tolist()
    ['noisy', 'underexposed', 'noisy', 'underexposed']
    >>> wp.agreement(table).kappa
    1.0
    """
    with remedies_in_notes():
        return agreement_of(opinions_in(table, mapping))


def ensemble(
    table: pd.DataFrame,
    method: Method = "mean",
    *,
    weights: Mapping[str, float] | Sequence[float] | None = None,
    mapping: Mapping[str, str] | None = None,
    threshold: float = 0.5,
) -> pd.DataFrame:
    """Make one answer of those of several models.

    Parameters
    ----------
    table, mapping
        As for `agreement`.
    method : "mean", "median", "majority" or "weighted"
        What becomes of the probabilities of a class: their mean; their median, divided by the sum of the medians if
        classes exclude each other; the share of models that assign the class, where of equal shares the one with the
        larger mean is assigned; or their mean with `weights`.
    weights : sequence of float, or mapping of str to float, optional
        For each model, in their order in the table or by their names. Only how large they are to each other counts.
    threshold : float
        From which number on a class is assigned, where an image can have several. Thresholds of single classes that
        cards state do not count here.

    Returns
    -------
    pandas.DataFrame
        A row for each image, as `classify` returns it for one model. An image that a model could not classify has NaN
        and an error.

    Raises
    ------
    OptionError
        As for `agreement`; or the weights do not fit.
    """
    with remedies_in_notes():
        return ensemble_of(opinions_in(table, mapping), method, weights, threshold)
