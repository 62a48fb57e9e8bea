"""How a picture is cut into tiles, as a form."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QHBoxLayout, QSpinBox, QWidget

from napari_webipred._napari.images.layers import name_of
from napari_webipred._napari.regions.region_layer import region_layers
from napari_webipred._napari.widgets.choice import choice, offer
from napari_webipred._napari.widgets.wrapped_text import WrappedText
from napari_webipred.imaging.pyramid import Pyramid
from napari_webipred.names import readable
from napari_webipred.slides.request import Background, Request

USUAL = Request()
MOST = 1_000_000  # pixels or micrometres along a tile
AUTOMATIC, MICRONS = "automatic", "microns"
WHOLE = "Whole picture"
UNIT, NARROW = 4, 60  # letters and pixels that are needed at least


class RequestForm(QWidget):
    """Fields for size, overlap and resolution of tiles, for the region, and for blank tiles.

    Parameters
    ----------
    picture : QComboBox
        The field above them.

    Signals
    -------
    changed
        Something else is chosen.
    """

    changed = Signal()

    def __init__(self, picture: QComboBox, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._picture: Pyramid | None = None
        self._shapes: list[weakref.ref[Shapes]] = []
        self.region = choice("Region")
        self.region.setToolTip("The whole picture, or the selected shapes of a Shapes layer (all if none is selected)")
        self.tile = QDoubleSpinBox()
        self.tile.setRange(1, MOST)
        self.tile.setDecimals(0)
        self.tile.setValue(USUAL.tile)
        self.tile.setAccessibleName("Tile")
        self.tile.setToolTip("Length of a side of a tile; pixels are those of the resolution below")
        self.unit = choice("Unit of the tile")
        self.overlap = QSpinBox()
        self.overlap.setRange(0, 95)
        self.overlap.setSingleStep(5)
        self.overlap.setSuffix(" %")
        self.overlap.setAccessibleName("Overlap")
        self.overlap.setValue(round(100 - 100 * USUAL.stride / USUAL.tile))
        self.overlap.setToolTip("How much of a tile the next one covers; the map shows the mean of overlapping tiles")
        self.resolution = choice("Resolution")
        self.resolution.setToolTip("At which size of the picture tiles are cut")
        self.microns = QDoubleSpinBox()
        self.microns.setRange(0.01, 1000)
        self.microns.setDecimals(3)
        self.microns.setSingleStep(0.05)
        self.microns.setValue(0.5)
        self.microns.setSuffix(" µm per pixel")
        self.microns.setAccessibleName("Micrometres per pixel")
        self.skip = QCheckBox("Skip &blank tiles")
        WrappedText(self.skip)
        self.skip.setChecked(USUAL.background == "skip")
        self.skip.setToolTip("Leave out tiles without any content, which a look at a coarse level finds")
        self._lay_out(picture)
        for signal in (
            self.region.currentIndexChanged,
            self.tile.valueChanged,
            self.unit.currentIndexChanged,
            self.overlap.valueChanged,
            self.resolution.currentIndexChanged,
            self.microns.valueChanged,
            self.skip.toggled,
        ):
            signal.connect(self._on_changed)

    def _lay_out(self, picture: QComboBox) -> None:
        size = QHBoxLayout()
        self.unit.setMinimumContentsLength(UNIT)
        for field in (self.tile, self.overlap, self.microns):
            field.setMinimumWidth(NARROW)
        size.addWidget(self.tile, 2)
        size.addWidget(self.unit, 1)
        self._form = form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("&Picture", picture)
        form.addRow("R&egion", self.region)
        form.addRow("&Tile", size)
        form.labelForField(size).setBuddy(self.tile)
        form.addRow("O&verlap", self.overlap)
        form.addRow("Resol&ution", self.resolution)
        form.addRow("", self.microns)
        form.addRow("", self.skip)
        self._show()

    @property
    def label_width(self) -> int:
        """How wide the labels before the fields are."""
        return int(self._form.labelForField(self.resolution).sizeHint().width())

    @property
    def shapes(self) -> Shapes | None:
        """The layer whose shapes are the region; None for the whole picture."""
        place = self.region.currentIndex()
        return self._shapes[place - 1]() if place > 0 else None

    def choose_shapes(self, layer: Any) -> None:
        """Choose a Shapes layer of the viewer as the region, or the whole picture with None."""
        place = next((i for i, each in enumerate(self._shapes, 1) if each() is layer), 0)
        self.region.setCurrentIndex(place)

    def request(self) -> Request:
        """Return what is chosen, without the region.

        Raises
        ------
        OptionError
            It does not go together.
        """
        resolution = self.resolution.currentData()
        tile = self._pixels()
        stride = max(1, round(tile * (1 - self.overlap.value() / 100)))
        background: Background = "skip" if self.skip.isChecked() else "keep"
        if resolution == MICRONS:
            return Request(tile, stride, microns_per_pixel=self.microns.value(), background=background)
        return Request(tile, stride, None if resolution == AUTOMATIC else resolution, background=background)

    def list_layers(self, viewer: Any) -> None:
        """List the Shapes layers of the viewer again; the chosen one stays chosen."""
        chosen = self.shapes
        layers = [layer for layer in region_layers(viewer) if isinstance(layer, Shapes)]
        self._shapes = list(map(weakref.ref, layers))
        offer(self.region, [(WHOLE, None), *((f"Shapes: {readable(name_of(layer))}", None) for layer in layers)], None)
        self.choose_shapes(chosen)
        if chosen is not self.shapes:
            self.changed.emit()

    def show_picture(self, picture: Pyramid | None) -> None:
        """Offer the levels of a picture, and micrometres if it says how large its pixels are."""
        before, unit = self.resolution.currentData(), self.unit.currentData()
        self._picture = picture
        levels = [] if picture is None else list(enumerate(picture.levels))
        known = picture is not None and picture.pixel_size is not None
        offer(
            self.resolution,
            [
                ("Automatic", AUTOMATIC),
                *((f"Level {number}: {level.shape[1]} × {level.shape[0]}", number) for number, level in levels),
                *([("Micrometres per pixel", MICRONS)] if known else []),
            ],
            before,
        )
        offer(self.unit, [("pixels", "pixels"), *([("µm", "µm")] if known else [])], unit)
        self._show()

    def _pixels(self) -> int:
        """Return how many pixels a tile has along a side, at the resolution that is chosen."""
        if self.unit.currentData() != "µm" or self._picture is None or self._picture.pixel_size is None:
            return int(self.tile.value())
        resolution = self.resolution.currentData()
        size = float(np.sqrt(np.prod(self._picture.pixel_size)))
        if resolution == MICRONS:
            size = self.microns.value()
        elif resolution != AUTOMATIC:
            size *= float(np.sqrt(np.prod(self._picture.levels[resolution].factor)))
        return max(1, int(self.tile.value() / size + 0.5))

    def _on_changed(self) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        self._form.setRowVisible(self.microns, self.resolution.currentData() == MICRONS)
        self.unit.setVisible(self.unit.count() > 1)
        self.tile.setSuffix("" if self.unit.count() > 1 else " pixels")
