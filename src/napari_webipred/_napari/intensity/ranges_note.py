"""What to know about the intensity ranges of a run."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.results.ranges import REMEDY, note

OFFER = "Use the range of the whole stack"


class RangesNote(Message):
    """Says that the planes of a stack had different ranges, and offers that of the whole stack for the next run."""

    def __init__(self, session: ViewerSession, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, parent)
        self._session = session
        session.run_changed.connect(self._refresh)
        session.run_ended.connect(self._refresh)
        self.accepted.connect(self._on_accepted)
        self._refresh()

    def _refresh(self) -> None:
        run = self._session.run
        varying = [] if run is None or run.running else run.ranges.varying()
        if varying:
            self.show_note(note(varying), REMEDY, OFFER)
        else:
            self.clear()

    def _on_accepted(self) -> None:
        if self._session.form is not None:
            self._session.form.intensity.value = "stack"
            self.clear()
