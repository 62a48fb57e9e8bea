"""A table in a file that says which images belong together."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QWidget

from napari_webipred._napari.evaluation.label_file import header_of
from napari_webipred._napari.evaluation.label_layer import fill
from napari_webipred._napari.latest import Latest
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import ElidedLabel
from napari_webipred.table_header import names_images

FILTER = "Tables (*.csv *.tsv *.txt);;All files (*)"
NO_FILE = "Columns: image and group"


class GroupFile(QWidget):
    """Two choices: a file, and its column with the groups.

    Signals
    -------
    changed
        Something else is chosen.
    failed : Exception
        The file cannot be read.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path: Path | None = None
        self.file = ElidedLabel(NO_FILE)
        self.browse = Button("Choose…")
        self.browse.setToolTip("Choose a table with a column image, and one that says what belongs together")
        self.column = choice("Column with the groups")
        self._header = Latest(self)
        line = QHBoxLayout()
        line.addWidget(self.file, 1)
        line.addWidget(self.browse)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Groups from", line)
        form.addRow("Their column", self.column)
        self.browse.clicked.connect(self._on_browse)
        self.column.currentIndexChanged.connect(self.changed)
        self._header.done.connect(self._on_header)
        self._header.failed.connect(self.failed)

    @property
    def ready(self) -> bool:
        """Whether a file and a column are chosen."""
        return self.path is not None and bool(self.column.currentData())

    def take(self, path: Path) -> None:
        """Take the groups of a file."""
        self.path = path
        self.file.setText(path.name)
        fill(self.column, ())
        self._header.ask(lambda: header_of(path))
        self.changed.emit()

    def _on_header(self, names: list[str]) -> None:
        fill(self.column, [name for name in names if not names_images(name)])
        self.changed.emit()

    def _on_browse(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose groups", "", FILTER)
        if name:
            self.take(Path(name))
