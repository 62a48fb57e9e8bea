"""A combo box that may be narrower than its longest choice, and what it offers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from qtpy.QtWidgets import QComboBox, QSizePolicy

LETTERS = 8  # that can be read at least


def choice(name: str) -> QComboBox:
    """Make a combo box with a name for screen readers."""
    box = QComboBox()
    box.setAccessibleName(name)
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(LETTERS)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return box


def offer(box: QComboBox, items: Iterable[tuple[str, Any]], chosen: Any) -> None:
    """Offer other items without a signal, and choose the one that has this data, or else the first.

    Parameters
    ----------
    box : QComboBox
    items : iterable of (str, object)
        The words of each, and its data.
    chosen : object
    """
    items = list(items)
    before = box.blockSignals(True)
    box.clear()
    for words, data in items:
        box.addItem(words, data)
    box.setCurrentIndex(next((i for i, (_, data) in enumerate(items) if data == chosen), min(len(items), 1) - 1))
    box.blockSignals(before)
