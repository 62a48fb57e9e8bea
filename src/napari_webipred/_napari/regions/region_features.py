"""Features of Shapes and Labels layers: columns are added, and those of the user stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari.layers import Labels

Owned = dict[str, str]  # what a column of ours is called, by what it is called where the name is free


def write_features(layer: Any, columns: Mapping[str, Any], owned: Owned, labels: list[int] | None = None) -> Owned:
    """Write columns into the features of a layer, in place of those that were written before.

    Parameters
    ----------
    layer : napari.layers.Shapes or Labels
    columns : mapping of str to list or ndarray
        A value for each shape, or for each of `labels`.
    owned : dict
        What was returned the last time.
    labels : list of int, optional
        Of a Labels layer: the labels that the values belong to.

    Returns
    -------
    dict
        The columns that are ours now.
    """
    features = layer.features.drop(columns=[name for name in owned.values() if name in layer.features])
    if isinstance(layer, Labels):
        assert labels is not None
        features = _with_labels(features, labels)
        place = {label: row for row, label in enumerate(features["index"])}
        rows = [place[label] for label in labels]
    else:
        rows = list(range(len(features)))
    in_order = rows == list(range(len(features)))
    names: Owned = {}
    for wanted, values in columns.items():
        names[wanted] = _free(wanted, features)
        missing = "" if isinstance(values, list) else float("nan")
        if in_order:
            features[names[wanted]] = values
        else:
            column = [missing] * len(features)
            for row, value in zip(rows, values, strict=True):
                column[row] = value
            features[names[wanted]] = column
    layer.features = features
    return names


def _free(wanted: str, features: Any) -> str:
    name, number = wanted, 1
    while name in features:
        number += 1
        name = f"{wanted} ({number})"
    return name


def _with_labels(features: Any, labels: list[int]) -> Any:
    """Give a table of labels a row for each of these; napari finds a label by the column ``index``."""
    import pandas as pd

    if not features.shape[1]:
        return pd.DataFrame({"index": labels})
    if "index" not in features:
        features = features.assign(index=range(len(features)))  # what napari takes for granted without it
    known = set(features["index"])
    new = pd.DataFrame({"index": [label for label in labels if label not in known]})
    return features if new.empty else pd.concat([features, new], ignore_index=True)
