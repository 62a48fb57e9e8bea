"""Work in small parts, between which the window paints and takes what the user does."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qtpy.QtCore import QObject, QTimer


def in_slices(work: Iterator[object], parent: QObject, then: Callable[[], None] | None = None) -> None:
    """Do one part of the work whenever the window has nothing else to do, as long as its parent lives.

    Parameters
    ----------
    work : iterator
        Does a part each time it is asked for its next element.
    then : callable, optional
        Called after the last part.
    """
    timer, end = QTimer(parent), object()

    def step() -> None:
        if next(work, end) is end:
            timer.stop()
            timer.deleteLater()
            if then is not None:
                then()

    timer.timeout.connect(step)
    timer.start(0)
