"""The progress of opening the chosen model, and errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred import settings
from napari_webipred._napari.models.catalogue import LookUp
from napari_webipred._napari.models.entry import megabytes
from napari_webipred._napari.models.origin import server_of
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import MainButton
from napari_webipred._napari.widgets.label import MutedLabel, tip
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.question import ask_to_replace
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import ChangedModelError, SlowModelError

STAGES = {
    "download": "Downloading",
    "compile": "Preparing the model (only the first time)",
    "load": "Loading the model",
}


class OpeningView(QWidget):
    """The Download button, the progress of looking up, downloading and loading, and errors with buttons."""

    def __init__(self, session: ViewerSession, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._loading = session.loading
        self._catalogue = session.catalogue
        self._shown: tuple[object, object] = (None, None)
        self.offline = MutedLabel("Offline: only models on this machine can be used.")
        self.download = MainButton("Download", theme)
        self.progress = ProgressLine("opening the model")
        self.message = Message(theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.offline, self.download, self.progress, self.message):
            layout.addWidget(widget)
        self.download.clicked.connect(lambda: self._loading.start())
        self.progress.cancelled.connect(self._on_cancel)
        self.message.retried.connect(lambda: self._loading.start())
        self.message.accepted.connect(self._loading.start_anyway)
        self._catalogue.changed.connect(self._refresh)
        self._catalogue.noticed.connect(self.message.show_note)
        self._catalogue.failed.connect(self._on_failed)
        self._catalogue.added.connect(self._on_added)
        session.model_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        loading, entry = self._loading, self._loading.entry
        offline = settings.current().offline
        self.offline.setVisible(offline)
        idle = entry is not None and loading.model is None and loading.progress is None
        self.download.setVisible(idle and not entry.here and loading.error is None)  # type: ignore[union-attr]
        self.download.setEnabled(not offline)
        if entry is not None:
            size = megabytes(entry.size)
            self.download.setText(f"Download ({size})" if size else "Download")
            self.download.setToolTip(
                tip(f"Download the model from {server_of(entry.card)} to this machine. No images are sent.")
            )
        self._show_progress()
        shown, self._shown = self._shown, (entry, loading.error)
        if loading.error is not shown[1]:
            self._show_error(loading.error)
        elif entry not in (None, shown[0]) or self._catalogue.look_up is not None:
            self.message.clear()

    def _show_error(self, error: Exception | None) -> None:
        if error is None or self._loading.undecided:  # the form shows it
            self.message.clear()
        elif isinstance(error, SlowModelError):
            self.message.show_warning(error)
        else:
            self.message.show_error(error, retry=not self._loading.needs_settings)
        self._ask(error, partial(self._loading.start, replace=True))

    def _ask(self, error: Exception | None, replace: Callable[[], None]) -> None:
        if isinstance(error, ChangedModelError):
            ask_to_replace(self, error, replace)

    def _show_progress(self) -> None:
        look_up, step = self._catalogue.look_up, self._loading.progress
        if look_up is not None:
            self.progress.report(_words(look_up), look_up.done, look_up.total)
        elif step is not None:
            words = step.waiting or STAGES[step.stage]
            if step.done and not step.waiting:
                words += f": {megabytes(step.done)}" + (f" of {megabytes(step.total)}" if step.total else "")
            self.progress.report(words, step.done, step.total, self._loading.seconds_left)
        else:
            self.progress.hide()

    def _on_cancel(self) -> None:
        self._catalogue.cancel()
        self._loading.cancel()

    def _on_failed(self, error: Exception, retry: Callable[[], None] | None) -> None:
        self.message.show_error(error)
        if retry is not None:
            self._ask(error, retry)

    def _on_added(self, added: object) -> None:
        if note := getattr(added, "note", ""):
            self.message.show_note(note, "The classes, scaling and licence come from its model card.")


def _words(look_up: LookUp) -> str:
    if look_up.total:
        return f"Reading: {megabytes(look_up.done)} of {megabytes(look_up.total)}"
    reference = look_up.reference
    return f"Looking up {reference.name if isinstance(reference, Path) else reference}"
