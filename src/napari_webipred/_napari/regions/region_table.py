"""What the rows of a run say about each region, as columns for a table of features."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from napari_webipred import limits
from napari_webipred.card import ModelCard
from napari_webipred.results.columns import unique
from napari_webipred.results.prediction import as_cell
from napari_webipred.results.probabilities import assigned
from napari_webipred.results.row import Row

OWN = ("class", "probability", "rows", "index")  # columns that are not called like a class; napari knows the last one

PAUSE = 200  # regions between two chances to cancel


class Verdict(Struct, frozen=True, eq=False):
    """What a model said of a region: the mean over all its rows, of planes and images.

    Attributes
    ----------
    probabilities : ndarray of float32, shape (n_classes,)
    assigned : tuple of int
        Indices of its classes, by the mean.
    rows : int
        How many rows it is the mean of.
    position : Mapping of str to int
        Its plane, if that is one and the same.
    """

    probabilities: NDArray[np.float32]
    assigned: tuple[int, ...]
    rows: int
    position: Mapping[str, int]

    def words(self, card: ModelCard) -> str:
        """Name its classes."""
        return as_cell(card.classes[index].name for index in self.assigned)

    @property
    def probability(self) -> float:
        """The probability of its class, of several the highest; NaN without one."""
        return float(self.probabilities[list(self.assigned)].max()) if self.assigned else float("nan")


def verdicts(rows: Sequence[Row], card: ModelCard, threshold: float) -> Generator[None, None, dict[str, Verdict]]:
    """Sum the rows of each region up, by its name; rows that failed do not count. Yields now and then."""
    of_region: dict[str, list[Row]] = {}
    for row in rows:
        if row.region and row.probabilities is not None:
            of_region.setdefault(row.region, []).append(row)
    found = {}
    for number, (name, mine) in enumerate(of_region.items()):
        if number % PAUSE == 0:
            yield
        numbers = np.array([row.probabilities for row in mine], np.float64)
        mean: NDArray[np.float32] = np.mean(numbers, axis=0).astype(np.float32)
        one = all(row.position == mine[0].position for row in mine)
        found[name] = Verdict(mean, assigned(mean, card, threshold), len(mine), mine[0].position if one else {})
    return found


def reassigned(
    found: Mapping[str, Verdict], card: ModelCard, threshold: float
) -> Generator[None, None, dict[str, Verdict]]:
    """Give verdicts the classes that they have with another threshold. Yields now and then."""
    other = {}
    for number, (name, verdict) in enumerate(found.items()):
        if number % PAUSE == 0:
            yield
        other[name] = replace(verdict, assigned=assigned(verdict.probabilities, card, threshold))
    return other


def columns_of(found: Mapping[Any, Verdict], count: int, card: ModelCard, axes: Sequence[str]) -> dict[str, Any]:
    """Make columns of verdicts.

    Parameters
    ----------
    found : mapping of int to Verdict
        By their place in the columns.
    count : int
        Length of the columns. Places without a verdict have an empty class and NaN.
    card : ModelCard
    axes : sequence of str
        Names of the axes of stacks.

    Returns
    -------
    dict of str to list or ndarray
        ``class`` and ``probability``, unless the model gives values; one per class, of very many the first
        `limits.SHOWN_CLASSES`; the axes, where each verdict is
        about one plane; ``rows`` where one of them is a mean.
    """
    shown = card.class_names[: limits.SHOWN_CLASSES]
    names = unique(shown, {*OWN, *axes})
    numbers = np.full((count, len(names)), np.nan, np.float32)
    table: dict[str, Any] = {}
    for place, verdict in found.items():
        numbers[place] = verdict.probabilities[: len(names)]
    if card.task != "regression":
        table["class"] = [found[place].words(card) if place in found else "" for place in range(count)]
        table["probability"] = np.array(
            [found[place].probability if place in found else np.nan for place in range(count)], np.float32
        )
    for number, name in enumerate(names):
        table[name] = numbers[:, number]
    for axis in axes:
        if all(axis in verdict.position for verdict in found.values()):
            table[axis] = np.array(
                [found[place].position[axis] if place in found else np.nan for place in range(count)]
            )
    if any(verdict.rows > 1 for verdict in found.values()):
        table["rows"] = np.array([found[place].rows if place in found else 0 for place in range(count)])
    return table
