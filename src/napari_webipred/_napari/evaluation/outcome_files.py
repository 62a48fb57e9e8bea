"""What an evaluation can be saved as, and the thresholds that can be kept of it."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from napari_webipred._napari.evaluation.plot_pane import PlotPane
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.question import ask_for_text

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.run_predictions import Outcome


class OutcomeFiles(QObject):
    """Items of the menu *Save…* of figures that are about the whole evaluation.

    Attributes
    ----------
    folder, keep, json : QAction
    """

    def __init__(self, session: ViewerSession, pane: PlotPane) -> None:
        super().__init__(pane)
        self._session = session
        self._pane = pane
        self._outcome: Outcome | None = None
        self.folder = pane.menu.addAction("Save everything to a folder…")
        self.folder.setToolTip("Tables, figures, how they were made, and the formats of WebIPred")
        self.keep = pane.menu.addAction("Keep thresholds for this model…")
        self.json = pane.menu.addAction("Save metrics as JSON of WebIPred…")
        self.folder.triggered.connect(self._on_save_all)
        self.json.triggered.connect(self._on_save_json)
        self.keep.triggered.connect(self._on_keep)

    def show_outcome(self, outcome: Outcome | None) -> None:
        """Offer what there is of an evaluation; of None nothing."""
        self._outcome = outcome
        for action in (self.folder, self.json):
            action.setVisible(outcome is not None)
        self.keep.setVisible(outcome is not None and outcome.evaluation.thresholds is not None)

    def _on_save_all(self) -> None:
        folder = QFileDialog.getExistingDirectory(self._pane, "Save the evaluation to an empty folder")
        if folder and self._outcome is not None:
            self._pane.do(_saving(Path(folder), self._outcome))

    def _on_keep(self) -> None:
        """Ask for a name, and keep the thresholds under it."""
        outcome = self._outcome
        if outcome is None:
            return
        ask_for_text(
            self._pane,
            "Keep thresholds",
            "Name of the thresholds, such as screening:",
            lambda name: (
                self._pane.do(_keeping(name.strip(), outcome), self._session.kept.look) if name.strip() else None
            ),
        )

    def _on_save_json(self) -> None:
        if self._outcome is None:
            return
        suggested = f"{self._outcome.run.card.id}-metrics.json"
        name, _ = QFileDialog.getSaveFileName(self._pane, "Save metrics", suggested, "JSON (*.json)")
        if name:
            self._pane.do(_saving_json(Path(name), self._outcome))


def _keeping(name: str, outcome: Outcome) -> Generator[None, None, str]:
    yield
    outcome.evaluation.keep(name)
    return f"Kept as {name}. Choose it in the step Classify. Python and the command line take the name as threshold."


def _saving(folder: Path, outcome: Outcome) -> Any:
    yield
    files = outcome.evaluation.save(folder)
    return f"{len(files)} files written to {folder.name}."


def _saving_json(path: Path, outcome: Outcome) -> Any:
    from napari_webipred._napari.evaluation.plot_files import write
    from napari_webipred.evaluation import files, webipred

    yield
    found = outcome.evaluation
    document = webipred.as_json(found.cohort, found.metrics, files.SOURCE)
    return write(path, "JSON", json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False).encode())
