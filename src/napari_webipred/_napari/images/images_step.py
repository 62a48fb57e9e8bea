"""Step 2: which images."""

from __future__ import annotations

from qtpy.QtWidgets import QWidget

from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.intensity.intensity_statistics import IntensityStatistics
from napari_webipred._napari.regions.region_part import RegionPart
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.column import Column
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
        parts = [self.choice, form.planes.native, form.intensity.native, statistics, self.regions]
        self._column = Column(self, parts)
        self._column.show(self.choice)
        self.preview = Button("What the model sees")
        self.preview.setToolTip("Show the image in the viewer as the model gets it, beside the original")
        self.open_session = Button("Open session…")
        self.open_session.setToolTip("Go on with the results of a saved session")
        self._column.addLayout(WrappingRow([self.preview, self.open_session], last_at_end=False))
        form.images.changed.connect(self._refresh)
        form.planes.changed.connect(self.show_hidden)
        form.regions.native.offered_changed.connect(self._refresh_regions)
        self._refresh()
        self._refresh_regions()

    @property
    def summary(self) -> str:
        """How many images are selected."""
        count = self.choice.layers.rowCount()
        return f"{len(self._form.images.value)} of {count} selected" if count else ""

    def _refresh(self) -> None:
        some = self.choice.layers.rowCount() > 0
        self._column.show(self._form.intensity.native, some)
        self._column.show(self.statistics, some)
        self.preview.setVisible(some)
        lengths = self._form.stack_lengths()
        self._column.show(self._form.planes.native, bool(lengths))
        self._form.planes.native.show_length(max(lengths, default=1))
        self.show_hidden()

    def show_hidden(self, event: object = None) -> None:
        """Say which plane the current one is, if the viewer shows none."""
        planes = self._form.planes
        planes.native.unseen.setVisible(planes.value == "current" and self._form.hides_planes())

    def _refresh_regions(self) -> None:
        self._column.show(self.regions, bool(self._form.regions.native.offered))
