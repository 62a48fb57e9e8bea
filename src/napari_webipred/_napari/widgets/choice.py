"""A combo box that may be narrower than its longest choice."""

from __future__ import annotations

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
