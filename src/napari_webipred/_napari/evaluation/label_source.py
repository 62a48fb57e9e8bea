"""Where the labels come from: a CSV file, the folders of the images, the features of a layer, or the user."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.layers import Labels, Shapes
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QFormLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from napari_webipred import file_errors
from napari_webipred._napari.evaluation.label_table import LabelTable
from napari_webipred._napari.latest import Latest
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.region_layer import shape_names
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import ElidedLabel
from napari_webipred.errors import OptionError
from napari_webipred.names import readable
from napari_webipred.results.session_table import RunDetails

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.run_predictions import Known, RunPredictions

FILE, FOLDERS, FEATURES, TYPED, RUN = "file", "folders", "features", "typed", "run"
SOURCES = {
    FILE: "a CSV file",
    FOLDERS: "the names of the folders",
    FEATURES: "the features of a layer",
    TYPED: "me: I label them here",
    RUN: "another run, to compare two models",
}
NO_GROUPS = "each image by itself"
NO_FILE = "Columns: image and label"
FILTER = "Tables (*.csv *.tsv *.txt);;All files (*)"
MOST_BYTES = 2**20  # of the line that names the columns
MOST_COLUMNS = 200


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
        self._viewer = viewer
        self.path: Path | None = None
        self.source = choice("Where the labels come from")
        for key, words in SOURCES.items():
            self.source.addItem(words, key)
        self.file = ElidedLabel(NO_FILE)
        self.browse = Button("Choose…")
        self.browse.setToolTip("Choose a table with the columns image and label, or a column with 0 and 1 per class")
        self.other = choice("Run to compare with")
        self.layer, self.column = choice("Layer with labels"), choice("Column with labels")
        self.groups = choice("What belongs together")
        self.groups.setToolTip("Images of the same patient are alike. Intervals then count patients, not images")
        self.typed = LabelTable(session)
        self.header = Latest(self)
        self._lay_out()
        self.source.currentIndexChanged.connect(self._show)
        self.browse.clicked.connect(self._on_browse)
        self.layer.currentIndexChanged.connect(self._fill_columns)
        self.column.currentIndexChanged.connect(self.changed)
        self.typed.changed.connect(self.changed)
        self.other.currentIndexChanged.connect(self.changed)
        self.header.done.connect(lambda names: _fill(self.groups, names, NO_GROUPS))
        self.header.failed.connect(self.failed)
        self.list_layers()
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
        self.form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        rows = (
            ("Labels from", self.source),
            ("File", self._file_row),
            ("Compare with", self.other),
            ("Layer", self.layer),
            ("Column", self.column),
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
            RUN: f"run {self.other.currentData()}",
            FEATURES: self.layer.currentText(),
            TYPED: "typed",
        }
        return str(words.get(self.kind, "folders"))

    @property
    def group(self) -> str:
        """The column that says which images belong together; empty if none does."""
        return str(self.groups.currentData() or "") if self.kind in (FILE, FEATURES) else ""

    @property
    def ready(self) -> bool:
        """Whether all is chosen that has to be."""
        return {
            FILE: self.path is not None,
            FOLDERS: True,
            FEATURES: bool(self.column.currentData()),
            TYPED: bool(self.typed.labels),
            RUN: self.other.currentData() is not None,
        }[self.kind]

    def known(self) -> Callable[[RunPredictions], Known]:
        """Return the function that takes the labels, beside the window."""
        from napari_webipred._napari.evaluation import run_predictions

        if self.kind == FILE:
            assert self.path is not None
            return run_predictions.from_file(self.path, self.group)
        if self.kind == FOLDERS:
            return run_predictions.from_folders
        if self.kind == TYPED:
            return run_predictions.from_typed(dict(self.typed.labels))
        layer, label = self.layer.currentData(), self.column.currentData()
        features = layer.features
        columns = {str(name): features[name].tolist() for name in features}
        return run_predictions.from_features(columns, _region_names(layer), label, self.group, layer.name)

    def take_file(self, path: Path) -> None:
        """Take the labels of a file."""
        self.path = path
        self.file.setText(path.name)
        self.source.setCurrentIndex(self.source.findData(FILE))
        _fill(self.groups, (), NO_GROUPS)
        self.header.ask(lambda: header_of(path))
        self.changed.emit()

    def show_run(self, run: RunDetails | None) -> None:
        """Offer the rows of this run to be labelled."""
        if run is not None and self.kind == TYPED:
            self.typed.show_run(run)

    def list_others(self, runs: Sequence[tuple[str, int]]) -> None:
        """Offer the other runs, each with its number."""
        before = self.other.currentData()
        self.other.blockSignals(True)
        self.other.clear()
        for words, number in runs:
            self.other.addItem(words, number)
        self.other.setCurrentIndex(max(self.other.findData(before), 0) if runs else -1)
        self.other.blockSignals(False)

    def list_layers(self) -> None:
        """List the layers that have features."""
        before = self.layer.currentData()
        layers = [layer for layer in map(unwrapped, self._viewer.layers) if _has_features(layer)]
        self.layer.blockSignals(True)
        self.layer.clear()
        for layer in layers:
            self.layer.addItem(readable(layer.name), layer)
        self.layer.setCurrentIndex(layers.index(before) if before in layers else min(len(layers), 1) - 1)
        self.layer.blockSignals(False)
        self._fill_columns()

    def _fill_columns(self) -> None:
        layer = self.layer.currentData()
        names = [str(name) for name in layer.features][:MOST_COLUMNS] if layer is not None else []
        _fill(self.column, [name for name in names if name != "index"])
        if self.kind == FEATURES:
            _fill(self.groups, names, NO_GROUPS)
        self.changed.emit()

    def _show(self) -> None:
        kind = self.kind
        shown = {
            self._file_row: kind == FILE,
            self.other: kind == RUN,
            self.layer: kind == FEATURES,
            self.column: kind == FEATURES,
            self.groups: kind in (FILE, FEATURES),
        }
        for widget, is_shown in shown.items():
            widget.setVisible(is_shown)
            self._names[widget].setVisible(is_shown)
        self.typed.setVisible(kind == TYPED)
        if kind == FEATURES:
            self.list_layers()
        elif kind == FILE and self.path is not None:
            path = self.path
            self.header.ask(lambda: header_of(path))
        self.changed.emit()

    def _on_browse(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Choose labels", "", FILTER)
        if name:
            self.take_file(Path(name))


def header_of(path: Path) -> Generator[None, None, list[str]]:
    """Return the names of the columns of a table in a file.

    Raises
    ------
    OptionError
        It cannot be read.
    """
    yield
    try:
        with path.open("rb") as file:
            line = file.readline(MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The labels {path.name} cannot be read: {reason}.", remedy) from error
    except UnicodeDecodeError as error:
        raise OptionError(f"The labels {path.name} are not UTF-8 text.", "Save the table as CSV UTF-8.") from error
    separator = max(",;\t", key=line.count)
    return [name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=separator), [])][:MOST_COLUMNS]


def _has_features(layer: Any) -> bool:
    features = getattr(layer, "features", None)
    return features is not None and len(features.columns) > 0


def _region_names(layer: Any) -> list[str] | None:
    """Return what the regions of a layer are called in the table of results, one for each line of its features."""
    if isinstance(layer, Shapes):
        return list(shape_names(layer))
    if isinstance(layer, Labels):
        features = layer.features
        return [str(label) for label in (features["index"] if "index" in features else range(len(features)))]
    return None


def _fill(box: QComboBox, names: Any, nothing: str = "") -> None:
    """Offer names, the one that was chosen before first of all."""
    before = box.currentData()
    box.blockSignals(True)
    box.clear()
    if nothing:
        box.addItem(nothing, "")
    for name in names:
        box.addItem(readable(name), name)
    box.setCurrentIndex(max(box.findData(before), 0) if box.count() else -1)
    box.blockSignals(False)
