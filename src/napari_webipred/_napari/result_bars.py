"""The bars of a result."""

from __future__ import annotations

import numpy as np

from napari_webipred import limits
from napari_webipred._napari.chart import Bar
from napari_webipred.results.row import Row
from napari_webipred.results.session_table import RunDetails


def bars_of(run: RunDetails, row: Row) -> list[Bar]:
    """Make a bar for each class; of very many classes, for those with the highest values.

    Numbers that are not probabilities are shown as text.
    """
    if row.probabilities is None:
        return []
    assigned = set(row.assigned)
    greatest = np.sort(np.argsort(-row.probabilities, kind="stable")[: limits.SHOWN_CLASSES])
    shown = [(run.card.classes[i], row.probabilities[i]) for i in greatest]
    return [
        Bar(
            entry.name if entry.is_named else entry.label or entry.name,
            entry.label or "" if entry.is_named else "",
            float(number),
            entry.index in assigned,
            "" if run.card.has_probabilities else entry.value(float(number)),
        )
        for entry, number in shown
    ]
