"""The part of step 2 that limits the classification to regions."""

from __future__ import annotations

from typing import Any

from napari.layers import Shapes
from qtpy.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from napari_webipred._napari.form import ClassifyForm
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.wrapped_text import WrappedText

SHOW_TIP = "Write the class beside each region and colour it. Without the tick, the layer looks as before."


class RegionPart(QWidget):
    """Which layer holds the regions, how many rows they give, and whether the layer shows their classes."""

    def __init__(self, session: ViewerSession, form: ClassifyForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._form = form
        self.count = MutedLabel()
        self.remark = MutedLabel()
        self.classes = QCheckBox()
        self._classes_text = WrappedText(self.classes)
        self.classes.setToolTip(SHOW_TIP)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (form.regions.native, form.outside.native, self.count, self.classes, self.remark):
            layout.addWidget(widget)
        self.classes.clicked.connect(self._on_classes)
        form.changed.connect(self.refresh)
        form.regions.native.offered_changed.connect(self.refresh)
        form.finder.changed.connect(self.refresh)
        session.regions.told.connect(self.refresh)
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Show what belongs to the chosen layer."""
        layer, finder = self._form.regions.value, self._form.finder
        known = layer is not None and not finder.searching and finder.error is None
        filled = known and all(search.filled for search in finder.searches())
        if layer is None or known:
            self._form.outside.native.setVisible(layer is not None and not filled)
        self.count.setVisible(layer is not None)
        self.classes.setVisible(layer is not None)
        if layer is not None:
            self.count.setText(self._form.regions_in_words())
            self._classes_text.set_words(f"Show classes on the {'shapes' if isinstance(layer, Shapes) else 'labels'}")
            self.classes.setChecked(self._session.regions.shows(layer))
        remark = "" if layer is None else self._session.regions.remark(layer)
        self.remark.setText(remark)
        self.remark.setVisible(bool(remark))

    def _on_classes(self, show: bool) -> None:
        layer = self._form.regions.value
        if layer is not None:
            self._session.regions.show_classes(layer, show)
