"""How models that were compared are joined: the choice, and the rows that are added to the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFormLayout, QLineEdit, QVBoxLayout, QWidget

from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.button import Button
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.slices import in_slices
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.comparison import Comparison
    from napari_webipred._napari.evaluation.ensemble_run import EnsembleRun
    from napari_webipred._napari.evaluation.run_predictions import Outcome
    from napari_webipred.ensembles.ensemble import Method
    from napari_webipred.results.session_table import RunDetails

METHODS: Mapping[Method, str] = {
    "mean": "mean of the probabilities",
    "median": "median of the probabilities",
    "majority": "what most models say",
    "weighted": "weighted mean",
}
HOW = "A number for each of the runs {}. Only how large they are to each other counts."
BY_ACCURACY = "The balanced accuracies of the runs {}, from your evaluations."
ROWS_AT_ONCE = 1000  # so many are added before the window may do something else


class Joining(QWidget):
    """Offers to join the models of a comparison. Hidden if there is none.

    Parameters
    ----------
    session : ViewerSession
    message : Message
        Where to say what has become of it.
    """

    def __init__(self, session: ViewerSession, message: Message, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._message = message
        self._comparison: Comparison | None = None
        self._accuracies: dict[int, float] = {}
        self._task: Task | None = None
        self.method = choice("How the models are joined")
        for method, words in METHODS.items():
            self.method.addItem(words, method)
        self.weights = QLineEdit()
        self.weights.setAccessibleName("Weights of the runs")
        self.how = MutedLabel()
        self.add = Button("Add the ensemble to the table")
        self.add.setToolTip("Add a row for each image that all of these runs have: what their models say together")
        self._lay_out()
        self.method.currentIndexChanged.connect(self._show)
        self.add.clicked.connect(self.start)
        self._show()
        self.hide()

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setVerticalSpacing(5)
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Ensemble", self.method)
        self._form.addRow("Weights", self.weights)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        layout.addLayout(self._form)
        layout.addWidget(self.how)
        layout.addWidget(self.add)

    def _show(self) -> None:
        weighted = self.method.currentData() == "weighted"
        self._form.setRowVisible(self.weights, weighted)
        self.how.setVisible(weighted)

    def show_outcome(self, found: Outcome | Comparison) -> None:
        """Offer to join the models of a comparison; of an evaluation, note how well the model of its run does."""
        from napari_webipred._napari.evaluation.comparison import Comparison

        self._comparison = found if isinstance(found, Comparison) else None
        self.setVisible(self._comparison is not None)
        if isinstance(found, Comparison):
            numbers = ", ".join(str(run.number) for run in found.runs)
            known = [self._accuracies.get(run.number, 0.0) for run in found.runs]
            self.weights.setText(", ".join(f"{each:.3f}" if all(known) else "1" for each in known))
            self.how.setText((BY_ACCURACY if all(known) else HOW).format(numbers))
        else:
            accuracy = found.evaluation.metric("balanced_accuracy").value
            if accuracy == accuracy:  # not NaN
                self._accuracies[found.run.number] = accuracy

    def start(self) -> None:
        """Make the rows, and add them."""
        from napari_webipred._napari.evaluation.ensemble_run import ensemble_run

        if self._comparison is None or self._task is not None:
            return
        self._message.clear()
        method: Method = self.method.currentData()
        try:
            weights = _numbers(self.weights.text()) if method == "weighted" else None
        except OptionError as error:
            self._message.show_error(error)
            return
        self.add.setEnabled(False)
        self._task = Task(ensemble_run(self._session.table, self._comparison, method, weights))
        self._task.done.connect(self._on_made)
        self._task.failed.connect(self._on_failed)
        self._task.start()

    def _on_made(self, made: EnsembleRun) -> None:
        run = self._session.add_ensemble(made)
        in_slices(self._adding(run, made), self, partial(self._on_added, run, len(made.rows)))

    def _adding(self, run: RunDetails, made: EnsembleRun) -> Iterator[None]:
        for first in range(0, len(made.rows), ROWS_AT_ONCE):
            self._session.add_rows(run, made.rows[first : first + ROWS_AT_ONCE])
            yield

    def _on_added(self, run: RunDetails, rows: int) -> None:
        self._end()
        self._session.rows_changed.emit()
        count = f"{rows:,} row{'s' * (rows != 1)}"
        self._message.show_note(f"Run {run.number}, {run.card.name}: {count}.", "Choose it as run to evaluate it.")

    def _on_failed(self, error: Exception) -> None:
        self._end()
        self._message.show_error(error)

    def _end(self) -> None:
        self._task = None
        self.add.setEnabled(True)


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.replace(";", ",").split(",")]
    except ValueError:
        raise OptionError(f"The weights {text} are no numbers.", "Write one for each run, such as 2, 1.") from None
