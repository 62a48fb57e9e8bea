"""Step 2: which images."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.intensity.intensity_statistics import IntensityStatistics
from napari_webipred._napari.regions.region_part import RegionPart
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.wrapping_row import WrappingRow


class ImagesStep(QWidget):
    """The list of images, which planes of stacks, which intensities, and which regions."""

    def __init__(
        self,
        session: ViewerSession,
        form: ClassifyForm,
        statistics: IntensityStatistics,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._form = form
        self.choice = form.images.native
        self.statistics = statistics
        self.regions = RegionPart(session, form)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.choice, form.planes.native, form.intensity.native, statistics, self.regions):
            layout.addWidget(widget)
        self.preview = Button("What the model sees")
        self.preview.setToolTip("Show the image in the viewer as the model gets it, beside the original")
        self.open_session = Button("Open session…")
        self.open_session.setToolTip("Go on with the results of a saved session")
        layout.addLayout(WrappingRow([self.preview, self.open_session], last_at_end=False))
        form.images.changed.connect(self._refresh)
        self._refresh()

    @property
    def summary(self) -> str:
        """How many images are selected."""
        count = self.choice.layers.rowCount()
        return f"{len(self._form.images.value)} of {count} selected" if count else ""

    def _refresh(self) -> None:
        for widget in (self._form.intensity.native, self.statistics, self.preview):
            widget.setVisible(self.choice.layers.rowCount() > 0)
        lengths = self._form.stack_lengths()
        self._form.planes.native.setVisible(bool(lengths))
        self._form.planes.native.show_length(max(lengths, default=1))
