"""Step 2: which images."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.layers import source_of


class ImagesStep(QWidget):
    """The list of image layers, which planes of stacks, and which intensities."""

    def __init__(self, form: ClassifyForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._form = form
        self.choice = form.images.native
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addWidget(self.choice)
        layout.addWidget(form.planes.native, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(form.intensity.native)
        form.images.changed.connect(self._refresh)
        self._refresh()

    @property
    def summary(self) -> str:
        """How many layers are selected."""
        count = self.choice.layers.rowCount()
        return f"{len(self._form.images.value)} of {count} selected" if count else ""

    def _refresh(self) -> None:
        self._form.intensity.native.setVisible(self.choice.layers.rowCount() > 0)
        self._form.planes.native.setVisible(any(source_of(layer).axes for layer in self._form.images.value))
