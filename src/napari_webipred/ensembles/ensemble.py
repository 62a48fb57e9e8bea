"""One answer made of those of several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from napari_webipred.errors import OptionError
from napari_webipred.results.columns import IDENTITY, REGION, unique
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.row import Row

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from napari_webipred.ensembles.opinions import Opinions

Method = Literal["mean", "median", "majority", "weighted"]


def ensemble_of(
    opinions: Opinions,
    method: Method = "mean",
    weights: Mapping[str, float] | Sequence[float] | None = None,
    threshold: float = 0.5,
) -> pd.DataFrame:
    """Make one table of what several models say; see `napari_webipred.ensemble`."""
    shares = weights_of(opinions.models, method, weights)
    kept = opinions.complete
    numbers = np.full((len(kept), len(opinions.classes)), np.nan, np.float32)
    given = np.zeros(numbers.shape, np.bool_)
    numbers[kept], given[kept] = combined(
        opinions.probabilities[:, kept], opinions.assigned[:, kept], method, shares, threshold, opinions.exclusive
    )
    classes = np.array(opinions.classes, object)
    names = unique(opinions.classes, {*opinions.places.columns, "prediction", "error"})
    table: pd.DataFrame = opinions.places.reset_index(drop=True)
    for name, column in zip(names, numbers.T, strict=True):
        table[name] = column
    table["prediction"] = [as_cell(classes[each]) for each in given]
    table["error"] = ["" if done else error.strip() for done, error in zip(kept.tolist(), opinions.errors, strict=True)]
    table.attrs = {
        "classes": names,
        "task": "multi-class" if opinions.exclusive else "multi-label",
        "ensemble": as_dict(opinions.models, method, shares),
    }
    return table


def as_dict(models: Sequence[str], method: str, shares: Sequence[float]) -> dict[str, object]:
    """Return how an ensemble was made, as plain JSON values."""
    weights = {"weights": dict(zip(models, shares, strict=True))} if method == "weighted" else {}
    return {"method": method, "models": list(models), **weights}


def combined(
    probabilities: NDArray[np.float64],
    assigned: NDArray[np.bool_],
    method: Method,
    weights: Sequence[float],
    threshold: float,
    exclusive: bool,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Combine what models say of each image.

    Parameters
    ----------
    probabilities, assigned : ndarray, shape (models, images, classes)
        Without NaN.
    method : "mean", "median", "majority" or "weighted"
    weights : sequence of float
        Of the models; they add up to 1.
    threshold : float
        From which number on a class is assigned, where classes do not exclude each other.
    exclusive : bool

    Returns
    -------
    ndarray of float32, shape (images, classes)
        Where classes exclude each other, they add up to 1, but for a majority of models that assign several or none.
    ndarray of bool, shape (images, classes)
        The assigned classes. Of equal classes the one with the larger mean is assigned, of equal means the first.
    """
    means = np.tensordot(np.asarray(weights), probabilities, 1)
    numbers = means
    if method == "median":
        numbers = np.median(probabilities, axis=0)
        if exclusive:
            sums = numbers.sum(1, keepdims=True)  # 0 if most models rule out each class; then the means count
            numbers = np.where(sums > 0, numbers / np.where(sums > 0, sums, 1), means)
    elif method == "majority":
        numbers = assigned.mean(0)
    given = np.zeros(numbers.shape, np.bool_)
    if exclusive:
        best = np.where(numbers == numbers.max(1, keepdims=True, initial=0), means, -1).argmax(1)
        given[np.arange(len(best)), best] = True
    elif method == "majority":
        given = (numbers > 0.5) | ((numbers == 0.5) & (means >= threshold))
    else:
        given = numbers.astype(np.float32) >= np.float32(threshold)
    return numbers.astype(np.float32), given


def weights_of(
    models: Sequence[str], method: str, weights: Mapping[str, float] | Sequence[float] | None
) -> list[float]:
    """Return a weight for each model; they add up to 1.

    Raises
    ------
    OptionError
        There is no such ensemble, or the weights do not fit.
    """
    if method not in get_args(Method):
        raise OptionError(f"There is no ensemble {method!r}.", f"Choose one of {', '.join(get_args(Method))}.")
    if (weights is not None) != (method == "weighted"):
        fault = "A weighted ensemble needs weights." if weights is None else f"The ensemble {method} takes no weights."
        raise OptionError(fault, "Choose the ensemble weighted, and give a weight for each model.")
    if weights is None:
        return [1 / len(models)] * len(models)
    if isinstance(weights, Mapping):
        if {*weights} != {*models}:
            raise OptionError(
                f"The weights are for {', '.join(weights)}; the models are {', '.join(models)}.",
                "Give a weight for each model.",
            )
        weights = [weights[name] for name in models]
    found = [float(weight) for weight in weights]
    if len(found) != len(models) or not all(0 <= each < np.inf for each in found) or not sum(found):
        raise OptionError(
            f"The weights {', '.join(f'{each:g}' for each in found)} do not fit {len(models)} models.",
            "Give a number for each model, 0 or more, not all 0.",
        )
    return [each / sum(found) for each in found]


def rows_of(table: pd.DataFrame, opinions: Opinions) -> list[Row]:
    """Return the table of an ensemble as rows."""
    axes = [name for name in opinions.places.columns if name not in ("image", REGION, *IDENTITY)]
    classes = table.attrs["classes"]
    rows = []
    for number, values in enumerate(table.to_dict("records")):
        done = not values["error"]
        rows.append(
            Row(
                number,
                values["image"],
                {axis: int(values[axis]) for axis in axes if isinstance(values[axis], int)},
                probabilities=np.array([values[name] for name in classes], np.float32) if done else None,
                prediction=values["prediction"],
                error=values["error"],
                region=values.get(REGION, ""),
                identity=tuple(values[name] for name in IDENTITY if name in values),
            )
        )
    return rows
