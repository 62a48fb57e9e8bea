"""The mouse wheel, which scrolls the panel."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QSlider, QWidget


class WheelGuard(QObject):
    """Keeps the wheel that scrolls the panel from changing a choice on the way.

    Parameters
    ----------
    parent : QWidget
        The combo boxes, fields for numbers and sliders in it are guarded, unless they have the focus.
    """

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        kinds = (QComboBox, QAbstractSpinBox, QSlider)
        for box in [box for kind in kinds for box in parent.findChildren(kind)]:
            box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            box.installEventFilter(self)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        if event is not None and event.type() == QEvent.Type.Wheel and not watched.hasFocus():  # type: ignore[union-attr]
            event.ignore()
            return True
        return False
