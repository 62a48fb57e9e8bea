"""Where the labels come from: a CSV file, the folders of the images, the features of a layer, or the user."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_webipred._napari.evaluation.class_mapping import ClassMapping
from napari_webipred._napari.evaluation.group_file import FILTER, GroupFile
from napari_webipred._napari.evaluation.grouping import ABOVE, FOLDER, GROUPINGS, NAME, TABLE, grouped, grouped_by_table
from napari_webipred._napari.evaluation.label_file import header_of
from napari_webipred._napari.evaluation.label_layer import LabelLayer, fill
from napari_webipred._napari.evaluation.label_table import LabelTable
from napari_webipred._napari.evaluation.other_runs import OtherRuns
from napari_webipred._napari.latest import Latest
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import ElidedLabel
from napari_webipred.results.session_table import RunDetails

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.run_predictions import Known, RunPredictions

FILE, FOLDERS, FEATURES, TYPED, RUN = "file", "folders", "features", "typed", "run"
SOURCES = {
    FILE: "a CSV file",
    FOLDERS: "the names of the folders",
    FEATURES: "the features of a layer",
    TYPED: "the reader: answered here or in a review",
    RUN: "other runs, to compare and join models",
}
NO_GROUPS = "each image by itself"
NO_FILE = "Columns: image and label"
BY_TABLE = "a column of a CSV file"
BY_PATH = {FOLDERS: (ABOVE, NAME), TYPED: (FOLDER, ABOVE, NAME)}  # the folder itself says the class, or nothing yet


class LabelSource(QWidget):
    """Says which labels images have.

    Signals
    -------
    changed
        Something else is chosen.
    failed : Exception
        A file cannot be read.
    """

    changed = Signal()
    failed = Signal(object)

    def __init__(self, viewer: Any, session: ViewerSession, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.path: Path | None = None
        self.source = choice("Where the labels come from")
        for key, words in SOURCES.items():
            self.source.addItem(words, key)
        self.file = ElidedLabel(NO_FILE)
        self.browse = Button("Choose…")
        self.browse.setToolTip("Choose a table with the columns image and label, or a column with 0 and 1 per class")
        self.others = OtherRuns()
        self.mapping = ClassMapping()
        self.features = LabelLayer(viewer, self)
        self.groups = choice("What belongs together")
        self.groups.setToolTip("Images of the same patient are alike. Intervals then count patients, not images")
        self.group_file = GroupFile()
        self.typed = LabelTable(session)
        self.header = Latest(self)
        self._lay_out()
        self.source.currentIndexChanged.connect(self._show)
        self.browse.clicked.connect(self._on_browse)
        self.features.changed.connect(self._on_layer)
        self.typed.changed.connect(self.changed)
        self.mapping.changed.connect(self.changed)
        self.others.changed.connect(self.changed)
        self.groups.currentIndexChanged.connect(self._show_groups)
        self.group_file.changed.connect(self.changed)
        self.group_file.failed.connect(self.failed)
        self.header.done.connect(lambda names: fill(self.groups, names, NO_GROUPS))
        self.header.failed.connect(self.failed)
        self.features.list_layers()
        self._show()

    def _lay_out(self) -> None:
        self._file_row = QWidget()
        line = QHBoxLayout(self._file_row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.file, 1)
        line.addWidget(self.browse)
        self.form = QFormLayout()
        self.form.setContentsMargins(0, 0, 0, 0)
        self.form.setVerticalSpacing(5)
        self.form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows = (
            ("Labels from", self.source),
            ("File", self._file_row),
            ("Compare with", self.others),
            ("Layer", self.features.layer),
            ("Column", self.features.column),
            ("Groups", self.groups),
        )
        self._names = {}
        for words, widget in rows:
            self._names[widget] = QLabel(words)
            self.form.addRow(self._names[widget], widget)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(self.form)
        layout.addWidget(self.group_file)
        layout.addWidget(self.mapping)
        layout.addWidget(self.typed)

    @property
    def kind(self) -> str:
        """Where the labels come from."""
        return str(self.source.currentData())

    @property
    def words(self) -> str:
        """Say where the labels come from."""
        words = {
            FILE: self.file.text(),
            RUN: f"run{'s' * (len(self.others.numbers) > 1)} {', '.join(map(str, self.others.numbers))}",
            FEATURES: self.features.layer.currentText(),
            TYPED: "the reader's answers",
        }
        return str(words.get(self.kind, "folders"))

    @property
    def group(self) -> str:
        """What says which images belong together: a column, or their paths; empty if nothing does."""
        chosen = str(self.groups.currentData() or "")
        if self.by_table:
            return str(self.group_file.column.currentData() or "")
        return "" if self.kind == RUN else GROUPINGS[chosen] if chosen and self.kind in BY_PATH else chosen

    @property
    def by_table(self) -> bool:
        """Whether a file of its own says which images belong together."""
        return self.kind in BY_PATH and self.groups.currentData() == TABLE

    @property
    def ready(self) -> bool:
        """Whether all is chosen that has to be."""
        if self.by_table and not self.group_file.ready:
            return False
        return {
            FILE: self.path is not None,
            FOLDERS: True,
            FEATURES: bool(self.features.column.currentData()),
            TYPED: bool(self.typed.labels),
            RUN: bool(self.others.numbers) and self.mapping.ready,
        }[self.kind]

    def known(self, run: RunDetails) -> Callable[[RunPredictions], Known]:
        """Return the function that takes the labels of a run, beside the window."""
        from napari_webipred._napari.evaluation import run_predictions

        if self.kind == FILE:
            assert self.path is not None
            return run_predictions.from_file(self.path, self.group)
        if self.kind == FEATURES:
            return self.features.known(self.group, run, self._session.places.targets(run.number))
        typed = run_predictions.from_answers(self.typed.labels)
        known = run_predictions.from_folders if self.kind == FOLDERS else typed
        by_path = str(self.groups.currentData() or "")
        if self.by_table and self.group_file.path is not None:
            return grouped_by_table(known, self.group_file.path, self.group)
        return grouped(known, by_path) if by_path else known

    def take_file(self, path: Path) -> None:
        """Take the labels of a file."""
        self.path = path
        self.file.setText(path.name)
        self.source.setCurrentIndex(self.source.findData(FILE))
        fill(self.groups, (), NO_GROUPS)
        self.header.ask(lambda: header_of(path))
        self.changed.emit()

    def show_run(self, run: RunDetails | None) -> None:
        """Offer the rows of this run to be labelled."""
        if run is not None and self.kind == TYPED:
            self.typed.show_run(run)
        self.mapping.show_runs(self.compared(run) if run is not None and self.kind == RUN else ())

    def compared(self, run: RunDetails) -> list[RunDetails]:
        """Return the runs that are compared: the chosen other ones, and this one."""
        return [*(self._session.table.runs[number - 1] for number in self.others.numbers), run]

    def _on_layer(self) -> None:
        if self.kind == FEATURES:
            fill(self.groups, self.features.columns, NO_GROUPS)
        self.changed.emit()

    def _show(self) -> None:
        kind = self.kind
        shown = {
            self._file_row: kind == FILE,
            self.others: kind == RUN,
            self.features.layer: kind == FEATURES,
            self.features.column: kind == FEATURES,
            self.groups: kind != RUN,
        }
        for widget, is_shown in shown.items():
            widget.setVisible(is_shown)
            self._names[widget].setVisible(is_shown)
        self.typed.setVisible(kind == TYPED)
        if kind == FEATURES:
            self.features.list_layers()
        elif kind in BY_PATH:
            fill(self.groups, {**{GROUPINGS[each]: each for each in BY_PATH[kind]}, BY_TABLE: TABLE}, NO_GROUPS)
        elif kind == FILE and self.path is not None:
            path = self.path
            self.header.ask(lambda: header_of(path))
        self._show_groups()

    def _show_groups(self) -> None:
        self.group_file.setVisible(self.by_table)
        self.changed.emit()

    def _on_browse(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose labels", "", FILTER)
        if name:
            self.take_file(Path(name))
