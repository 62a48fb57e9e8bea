"""The histogram of the intensities, and whether the range differs from plane to plane."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from magicgui.widgets.bases import ValueWidget
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.images.layers import shown_range
from napari_webipred._napari.images.shown_plane import Shown, ShownPlane, Stack
from napari_webipred._napari.intensity.range_slider import RangeSlider
from napari_webipred._napari.intensity.ranges_note import OFFER
from napari_webipred._napari.latest import Latest
from napari_webipred._napari.slides.picture_layer import coarse_source
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import WebIPredError
from napari_webipred.imaging.intensity import WINDOW
from napari_webipred.imaging.planes import READER as ARRAYS
from napari_webipred.results.ranges import REMEDY

if TYPE_CHECKING:
    from napari_webipred.execution.statistics import Statistics
    from napari_webipred.imaging.source import Index, Source

Range = tuple[float, float]
AUTOMATIC = 2**27  # bytes of a stack in memory that is read without asking
PATIENCE = 250  # milliseconds until an old histogram is taken away
OF_EACH_PLANE = ("auto", "plane", "percentiles")


class IntensityStatistics(QWidget):
    """Fills the histogram of the intensity choice, of the shown plane or its whole stack, beside the window.

    Parameters
    ----------
    intensity : ValueWidget
        The intensity of the form, with its histogram.

    Attributes
    ----------
    note : Message
        Says that the range differs from plane to plane, and offers that of the whole stack.
    """

    def __init__(self, viewer: Any, session: ViewerSession, intensity: ValueWidget, theme: Theme) -> None:
        super().__init__()
        self._intensity = intensity
        self._slider: RangeSlider = intensity.native.slider
        self._slider.words = "Computing…"
        self._shown: Shown | None = None
        self._counted: Statistics | None = None  # of the shown plane
        self._stacks: WeakKeyDictionary[Any, tuple[Stack, Statistics]] = WeakKeyDictionary()
        self._declined: Stack | None = None  # the user did not want it to be read
        self._read: Stack | None = None  # is being read
        self.plane = ShownPlane(viewer, session, self)
        self.counting = Latest(self)
        self.reading = Latest(self)
        self.whole = Button("Histogram of the whole stack")
        self.whole.setCheckable(True)
        self.whole.setToolTip("Show the intensities of all planes; they are read for it")
        self.others = MutedLabel()
        self.progress = ProgressLine("reading the stack")
        self.note = Message(theme)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(PATIENCE)
        self._patience.timeout.connect(lambda: self._slider.show_histogram(None))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.whole, self.others, self.progress, self.note):
            layout.addWidget(widget)
        layout.setAlignment(self.whole, Qt.AlignmentFlag.AlignLeft)
        self.plane.changed.connect(self._look)
        self.counting.done.connect(self._on_counted)
        self.reading.events.connect(self._on_progress)
        self.reading.done.connect(self._on_stack)
        self.progress.cancelled.connect(self._on_cancel)
        self.whole.toggled.connect(self._on_whole)
        self.note.accepted.connect(lambda: setattr(intensity, "value", "stack"))

    def listen(self, listening: bool) -> None:
        """Follow the viewer, or stop it."""
        if listening:
            self.plane.follow()
        else:
            self.plane.leave()
            self.counting.stop()
            self._stop_reading()

    @property
    def stack(self) -> Statistics | None:
        """The statistics of the whole stack, if they are known."""
        if self._shown is None or self._shown.item not in self._stacks:
            return None
        stack, statistics = self._stacks[self._shown.item]
        return statistics if stack.same(self._shown.stack) else None

    def _look(self) -> None:
        """See what is shown now: count it, and read its stack if there is a reason to."""
        before = self._shown
        try:
            self._shown = shown = self.plane.now()
        except WebIPredError:  # the list of layers says why
            self._shown = shown = None
        self._intensity.native.offer_windows(_windows(shown))
        if shown is None:
            self.counting.stop()
            self._counted = None
        elif before is None or before.index != shown.index or not before.stack.same(shown.stack):
            self._patience.start()
            self.counting.ask(partial(_count, coarse_source(shown.layers, shown.source), [shown.index]))
        if self._read is not None and (shown is None or not self._read.same(shown.stack)):
            self._stop_reading()
        if shown is not None and self._worth_reading(shown):
            self._read = shown.stack
            self.reading.ask(partial(_count, shown.source, None))
        self._show()

    def _worth_reading(self, shown: Shown) -> bool:
        """Tell whether the stack is to be read: somebody wants to know, or it is soon done."""
        if not shown.stack.planes > 1 or self.stack is not None or self._read is not None:
            return False
        if self._declined is not None and self._declined.same(shown.stack):
            return False
        return self.whole.isChecked() or self._intensity.value == "stack" or _is_cheap(shown.source)

    def _stop_reading(self) -> None:
        self._read = None
        self.reading.stop()
        self.progress.hide()

    def _on_counted(self, statistics: Statistics) -> None:
        self._patience.stop()
        self._counted = statistics
        self._show()

    def _on_progress(self, events: list[int]) -> None:
        if self._read is not None:
            total = self._read.planes
            self.progress.report(f"Reading plane {events[-1]:,} of {total:,}", events[-1], total)

    def _on_stack(self, statistics: Statistics) -> None:
        if self._read is not None and self._shown is not None:
            self._stacks[self._shown.item] = (self._read, statistics)
        self._stop_reading()
        self._show()

    def _on_cancel(self) -> None:
        self._declined = self._read
        self._stop_reading()
        self.whole.setChecked(False)

    def _on_whole(self, wanted: bool) -> None:
        if wanted:
            self._declined = None
        self._look()

    def _show(self) -> None:
        shown, stack = self._shown, self.stack
        self.whole.setVisible(shown is not None and shown.stack.planes > 1)
        counted = stack if self.whole.isChecked() and stack is not None else self._counted
        self._slider.setVisible(shown is not None)
        if shown is None or counted is None:
            self.others.hide()
            self.note.clear()
            return
        if not self._patience.isActive():
            view = counted.spreads.get("auto")
            self._slider.show_histogram(counted.histogram, None if view is None else (view.black[0], view.white[1]))
        self._slider.mark(_limits(shown))
        self._slider.show_range(self._used(shown))
        others = 0 if counted.histogram is None else counted.histogram.others
        self.others.setText(f"{others:,} values are not counted: they are not numbers, infinite or too large.")
        self.others.setVisible(others > 0)
        self._show_note(shown, stack)

    def _used(self, shown: Shown) -> Range | None:
        """Return what becomes black and white of the shown plane, if it is known."""
        from napari_webipred.execution.plane import intensity_of  # loaded with the statistics

        asked, source = self._intensity.value, shown.source
        if asked == "stack" and not source.scaled:
            return None if self.stack is None else self.stack.extent
        if isinstance(asked, str) and asked.startswith(WINDOW):
            return _window(shown, asked)
        try:
            found = intensity_of(source, asked)
        except WebIPredError:  # files have no contrast limits, as their rows will say
            return None
        if not isinstance(found, str):
            return found
        spread = None if self._counted is None else self._counted.spreads.get(found)
        return None if spread is None else (spread.black[0], spread.white[0])

    def _show_note(self, shown: Shown, stack: Statistics | None) -> None:
        from napari_webipred.execution.plane import intensity_of

        self.note.clear()
        asked = self._intensity.value
        if stack is None or len(shown.source) < 2 or asked not in OF_EACH_PLANE:
            return
        spread = stack.spreads.get(asked)
        if spread is not None and spread.varies and isinstance(intensity_of(shown.source, asked), str):
            self.note.show_note(f"The range differs from plane to plane: {spread.words}.", REMEDY, OFFER)


def _limits(shown: Shown) -> Range | None:
    """Return the contrast limits that can be marked: merged layers have several, and colours none."""
    return shown_range(shown.layers[0]) if len(shown.layers) == 1 and not shown.layers[0].rgb else None


def _window(shown: Shown, asked: str) -> Range | None:
    """Return the range of a window of the file that is shown; None if it has no such window."""
    from napari_webipred.imaging.readers import header_of

    header = header_of(shown.source, shown.index)
    if header is None or header.display is None:
        return None
    try:
        return header.display.chosen(asked.removeprefix(WINDOW)).range
    except WebIPredError:  # as the row will say
        return None


def _windows(shown: Shown | None) -> list[str]:
    """Return the names of the windows of the file that is shown, if it is a medical one."""
    if shown is None or shown.source.reader == ARRAYS.id:  # the readers of files take long to import
        return []
    from napari_webipred.imaging.readers import header_of

    header = header_of(shown.source, shown.index)
    return [] if header is None or header.display is None else header.display.names


def _is_cheap(source: Source) -> bool:
    """Tell whether a stack is read soon, and whether its planes can have different ranges at all."""
    pixels = source.location
    return isinstance(pixels, np.ndarray) and pixels.nbytes <= AUTOMATIC and pixels.dtype not in (np.uint8, np.bool_)


def _count(source: Source, indices: list[Index] | None) -> Generator[int, None, Statistics]:
    from napari_webipred.execution.statistics import statistics

    return (yield from statistics(source, indices))
