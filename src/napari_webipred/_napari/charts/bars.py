"""The bars of a chart: which classes they stand for, and in which order they come."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

import numpy as np
from msgspec import Struct

from napari_webipred import settings
from napari_webipred._napari.models.about import is_code
from napari_webipred.card import ModelCard
from napari_webipred.results.row import Row

Order = Literal["model", "descending", "ascending"]
FEW = 12  # classes of a model: so many are all shown
FIRST = 10  # classes of a model with more, those with the highest probabilities


class Bar(Struct, frozen=True):
    """One class: its name, its label, its probability and whether it is assigned to the image.

    Attributes
    ----------
    value : str
        Of a number that is not a probability: the text that is shown instead of a bar, such as ``63.2 years``.
    index : int
        The place of the class in the model's output.
    threshold : float, optional
        The probability from which the class is assigned, with a multi-label model.
    of_card : bool
        Whether the model card states this threshold, so that the user's own does not count.
    """

    name: str
    label: str
    probability: float
    assigned: bool
    value: str = ""
    index: int = 0
    threshold: float | None = None
    of_card: bool = False

    @property
    def words(self) -> str:
        """The name, and the label if the name is a code."""
        return f"{self.name} · {self.label}" if is_code(self.name, self.label) else self.name

    @property
    def explained(self) -> str:
        """The tool tip."""
        text = f"{self.label or self.name}: {self.shown if self.value else f'{self.probability:.6g}'}"
        if self.assigned:
            text += ", assigned"
        if self.of_card:
            text += f" (threshold {self.threshold:g}, from the model card)"
        return text

    @property
    def shown(self) -> str:
        """The number as it is written."""
        return self.value or written(self.probability)


def written(probability: float) -> str:
    """Write a probability with as many decimals as the user prefers."""
    return f"{probability:.{settings.preferred().decimals}f}"


def bars_of(
    card: ModelCard, row: Row, most: int, pinned: Collection[int] = (), threshold: float | None = None
) -> list[Bar]:
    """Make bars for the classes with the highest numbers, in the order of the model.

    Parameters
    ----------
    card : ModelCard
        The card of the model that has made the row.
    row : Row
        A row; one without numbers has no bars.
    most : int
        How many bars. A model with a few more classes (`FEW`) shows all of them.
    pinned : collection of int
        Indices of classes that have a bar, too.
    threshold : float, optional
        That of the run. It counts for multi-label models, and for classes without a threshold in the card.
    """
    if row.probabilities is None:
        return []
    numbers = row.probabilities
    most = FEW if most < FEW and len(numbers) <= FEW else most
    chosen = set(map(int, np.argsort(-numbers, kind="stable")[:most]))
    chosen.update(index for index in pinned if 0 <= index < len(numbers))
    assigned = set(row.assigned)
    return [_bar(card, index, float(numbers[index]), index in assigned, threshold) for index in sorted(chosen)]


def _bar(card: ModelCard, index: int, number: float, assigned: bool, threshold: float | None) -> Bar:
    entry = card.classes[index]
    decides = card.task == "multi-label"
    of_card = decides and entry.threshold is not None
    return Bar(
        entry.name if entry.is_named else entry.label or entry.name,
        entry.label or "" if entry.is_named else "",
        number,
        assigned,
        "" if card.has_probabilities else entry.value(number),
        index,
        (entry.threshold if of_card else threshold) if decides else None,
        of_card,
    )


def ordered(bars: Sequence[Bar], order: Order) -> list[Bar]:
    """Sort bars; equal ones keep the order of the model."""
    if order == "model":
        return list(bars)
    sign = -1 if order == "descending" else 1
    return sorted(bars, key=lambda bar: sign * bar.probability)
