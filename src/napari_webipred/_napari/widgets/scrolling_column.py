"""A column of widgets that scrolls up and down when its dock is too low."""

from __future__ import annotations

from qtpy.QtWidgets import QFrame, QLayout, QScrollArea, QVBoxLayout, QWidget


def scrolling_column(inside: QWidget, name: str, spacing: int) -> tuple[QScrollArea, QVBoxLayout]:
    """Fill a widget with a column that is as wide as the widget, unless a very large font needs more.

    Parameters
    ----------
    inside : QWidget
        Without a layout.
    name : str
        What the column is about, for screen readers: it can have the keyboard, to be scrolled.
    spacing : int
        Pixels between what the column holds.

    Returns
    -------
    area : QScrollArea
    column : QVBoxLayout
        Where widgets are added.
    """
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(8, 6, 8, 8)
    column.setSpacing(spacing)
    column.setSizeConstraint(QLayout.SizeConstraint.SetMinAndMaxSize)
    area = QScrollArea()
    area.setAccessibleName(name)
    area.setWidget(content)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    outer = QVBoxLayout(inside)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(area)
    return area, column
