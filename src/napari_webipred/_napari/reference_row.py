"""Whether images are compared with reference images, and the button that fits a reference to the chosen ones."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import tip
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapped_text import WrappedText
from napari_webipred.errors import WebIPredError
from napari_webipred.references.reference import AT_LEAST, METHODS

if TYPE_CHECKING:
    from napari_webipred.imaging.source import Source
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.references.reference import Method, Reference

WORDS: dict[Method, str] = {
    "mahalanobis": "Distance from all of them together",
    "neighbours": "Distance from the nearest of them",
}


class ReferenceRow(QWidget):
    """The check box of the form, which counts once there is a reference, and the button that makes one."""

    def __init__(self, session: ViewerSession, form: ClassifyForm, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._form = form
        self._task: Task | None = None
        self.method = choice("How distances are measured")
        for place, (method, words) in enumerate(WORDS.items()):
            self.method.addItem(words, method)
            self.method.setItemData(place, tip(METHODS[method]), Qt.ItemDataRole.ToolTipRole)
        self.method.setToolTip("How a new reference measures how far an image is away")
        self.fit = Button()
        WrappedText(form.reference.native)
        self.progress = ProgressLine("fitting the reference")
        self.message = Message(theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (form.reference.native, self.method, self.fit, self.progress, self.message):
            layout.addWidget(widget)
        self.fit.clicked.connect(self._on_fit)
        self.progress.cancelled.connect(self._on_cancel)

    def refresh(self) -> None:
        """Show what can be done with the chosen model and images."""
        known, count = self._session.kept.has_reference, self._form.plane_count()
        self._form.reference.native.setEnabled(known)
        if not known and self._form.reference.value:
            self._form.reference.value = False
        self.fit.setText("Fit the reference again" if known else "Fit a reference to these images")
        for widget in (self.fit, self.method):
            widget.setVisible(self._task is None)
        self.method.setEnabled(self._session.loading.model is not None and count >= AT_LEAST)
        self.fit.setEnabled(self._session.loading.model is not None and count >= AT_LEAST)
        self.fit.setToolTip(
            f"Remember what the {count:,} chosen images are like, to find others that are not like them"
            if count >= AT_LEAST
            else f"Choose at least {AT_LEAST} images that the model is for; {count:,} are chosen"
        )

    def _on_fit(self) -> None:
        model = self._session.loading.model
        if model is None or self._task is not None:
            return
        self.message.clear()
        try:
            _, sources = self._form.sources()
        except WebIPredError as error:
            self.message.show_error(error)
            return
        self._task = Task(_fitting(model, sources, self._form.options(), self.method.currentData()))
        self._task.events.connect(self._on_events)
        self._task.done.connect(self._on_done)
        self._task.failed.connect(self._on_failed)
        self._task.cancelled.connect(self._on_end)
        self.progress.report("Looking at the images")
        self._task.start()
        self.refresh()

    def _on_events(self, events: list[tuple[int, int]]) -> None:
        done, total = events[-1]
        self.progress.report(f"{done:,} of {total:,}", done, total)

    def _on_done(self, found: Reference) -> None:
        self._on_end()
        self._session.kept.look()
        failed = found.made["failed"]
        left_out = f" {failed:,} could not be read." if failed else ""
        self.message.show_note(f"The reference has {len(found):,} images.{left_out}", found.weakness)

    def _on_failed(self, error: Exception) -> None:
        self._on_end()
        self.message.show_error(error)

    def _on_end(self) -> None:
        self._task = None
        self.progress.hide()
        self.refresh()

    def _on_cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def _fitting(
    model: Model, sources: Sequence[Source], options: Options, method: Method
) -> Generator[tuple[int, int], None, Reference]:
    """Fit a reference, and keep it for the model."""
    from napari_webipred.references.fitting import fitting

    yield 0, 0
    found = yield from fitting(model, sources, options, method)
    model.reference = found
    return found
