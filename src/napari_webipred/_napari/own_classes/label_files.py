"""Where labels come from besides the keyboard, where they are written to, and which pictures belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QPoint
from qtpy.QtWidgets import QFileDialog, QFormLayout, QLabel, QMenu, QVBoxLayout, QWidget

from napari_webipred._napari.chosen_file import completed
from napari_webipred._napari.evaluation.group_file import FILTER
from napari_webipred._napari.evaluation.grouping import ABOVE, FOLDER, GROUPINGS, NAME
from napari_webipred._napari.evaluation.label_layer import LabelLayer
from napari_webipred._napari.evaluation.label_source import NO_GROUPS
from napari_webipred._napari.own_classes import label_taking
from napari_webipred._napari.own_classes.own_classes import OwnClasses
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.errors import OptionError
from napari_webipred.names import readable

SAVE_FILTER = "Tables (*.csv)"
FILE_NAME = "labels.csv"
NO_FILE = "Labels live until napari is closed. Save them in a file, and each change is written to it."
BY_FILE = "as the labels say"


class LabelFiles(QWidget):
    """Buttons that take labels and save them, the layer whose features are taken, and the choice of groups."""

    def __init__(self, viewer: Any, own: OwnClasses, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own = own
        self.take = Button("Labels from…")
        self.take.setToolTip("Take labels that are there already: of a table, of folders, or of a layer")
        self.menu = QMenu(self)
        self.from_file = self.menu.addAction("A CSV file…")
        self.from_folders = self.menu.addAction("The names of the folders")
        self.from_layer = self.menu.addAction("The features of a layer")
        self.save = Button("Save labels…")
        self.save.setToolTip("Choose a CSV file that all labels are written to, now and whenever one changes")
        self.state = MutedLabel(NO_FILE)
        self.layer = LabelLayer(viewer, self)
        self.take_layer = Button("Take")
        self.take_layer.setToolTip("Take the labels in this column")
        self.groups = choice("What belongs together")
        self.groups.setToolTip("Images of the same patient are alike. Figures then hold out patients, not images")
        self.message = Message(theme)
        self._lay_out()
        self.take.clicked.connect(self._on_take)
        self.from_file.triggered.connect(self._on_file)
        self.from_folders.triggered.connect(lambda: own.take(label_taking.from_folders))
        self.from_layer.triggered.connect(self._show_layer)
        self.take_layer.clicked.connect(self._on_layer)
        self.save.clicked.connect(self._on_save)
        self.groups.addItem(NO_GROUPS, "")
        for kind in (FOLDER, ABOVE, NAME):
            self.groups.addItem(GROUPINGS[kind], kind)
        self.groups.setCurrentIndex(max(self.groups.findData(own.grouped_by), 0))
        self.groups.activated.connect(lambda _: own.group_by(str(self.groups.currentData() or "")))
        self.message.retried.connect(own.keeping.write)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._of_layer = QWidget()
        of_layer = QFormLayout(self._of_layer)
        of_layer.setContentsMargins(0, 0, 0, 0)
        of_layer.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        of_layer.addRow("Layer", self.layer.layer)
        of_layer.addRow("Column", self.layer.column)
        of_layer.addRow("", self.take_layer)
        self._of_layer.hide()
        form.addRow(QLabel("Groups"), self.groups)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(WrappingRow([self.take, self.save], last_at_end=False))
        for widget in (self._of_layer, self.message, self.state):
            layout.addWidget(widget)
        layout.addLayout(form)

    def refresh(self) -> None:
        """Show where labels are written to, and how pictures are grouped."""
        keeping, project = self._own.keeping, self._own.project
        if keeping.path is not None:
            self.state.setText(f"Each change is written to {readable(str(keeping.path))}.")
        by_file = bool(project.groups) and not self._own.grouped_by
        place = self.groups.findText(BY_FILE)
        if by_file and place < 0:
            self.groups.addItem(BY_FILE, None)
        elif not by_file and place >= 0:
            self.groups.removeItem(place)
        wanted = self.groups.findText(BY_FILE) if by_file else self.groups.findData(self._own.grouped_by)
        self.groups.setCurrentIndex(max(wanted, 0))
        if keeping.error is None:
            self.message.clear()
        else:
            self.message.show_error(keeping.error, retry=True)

    def list_layers(self) -> None:
        """List the layers that have features."""
        self.layer.list_layers()

    def _on_take(self) -> None:
        self.list_layers()
        self.from_layer.setEnabled(self.layer.layer.count() > 0)
        self.menu.popup(self.take.mapToGlobal(QPoint(0, self.take.height())))

    def _on_file(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose labels", "", FILTER)
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Take the labels of a file; one of ours becomes the file that labels are written to."""
        self._own.take(lambda listed: label_taking.from_file(path, listed), path)

    def _show_layer(self) -> None:
        self.list_layers()
        self._of_layer.show()
        self.layer.layer.setFocus()

    def _on_layer(self) -> None:
        if self.layer.column.currentData() is None:
            return
        labels = self.layer.labels()
        self._of_layer.hide()
        self._own.take(lambda listed: label_taking.from_layer(labels, listed))

    def _on_save(self) -> None:
        start = str(self._own.keeping.path or FILE_NAME)
        name, _ = QFileDialog.getSaveFileName(self, "Save labels", start, SAVE_FILTER)
        if name:
            self.save_to(Path(name))

    def save_to(self, path: Path) -> None:
        """Write labels to a file of the user, from now on."""
        try:
            path = completed(path, ".csv")
        except OptionError as error:
            self.message.show_error(error)
            return
        self._own.keeping.choose(path)
