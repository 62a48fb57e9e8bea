"""An offer to those who have never used the panel: see what it does with sample images."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.memory import Memory
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred.errors import WebIPredError

MODEL = "demo"
WORDS = "New here? This opens five images and classifies them with a small model. Nothing is downloaded."


class FirstUse(QWidget):
    """A button and a sentence; shown until something is open or was ever chosen."""

    def __init__(
        self,
        viewer: Any,
        session: ViewerSession,
        form: ClassifyForm,
        memory: Memory,
        message: Message,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._session = session
        self._form = form
        self._memory = memory
        self._message = message
        self.button = Button("Try it with sample images")
        self.button.setToolTip("Open the samples, choose the model for them, and classify")
        words = MutedLabel(WORDS)
        self.button.setAccessibleDescription(WORDS)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.button, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(words)
        self.button.clicked.connect(self._try)
        memory.restored.connect(self._refresh)
        form.changed.connect(self._refresh)
        session.model_changed.connect(self._refresh)
        session.run_changed.connect(self._refresh)
        session.rows_added.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        choice, table = self._form.images.native, self._session.table
        nothing = not choice.layers.rowCount() and self._form.model.value is None and not table.runs
        self.setVisible(nothing and self._memory.first)
        choice.mention_samples(self.isHidden())

    def _try(self) -> None:
        self._viewer.open_sample("napari-webipred", "image-quality")
        try:
            self._form.model.value = MODEL
            self._form()
        except WebIPredError as error:
            self._message.show_error(error)
