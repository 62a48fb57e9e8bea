"""The dialog that asks which model of the catalogue a file is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QModelIndex, Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_webipred._napari.entry import Entry
from napari_webipred._napari.label import MutedLabel
from napari_webipred._napari.model_list import ENTRY, ModelFilter, ModelList
from napari_webipred._napari.theme import Theme
from napari_webipred._napari.two_line_delegate import REMARK, list_view
from napari_webipred.names import readable

if TYPE_CHECKING:
    from napari_webipred.cache.known_file import Proposal

WIDTH = 460
VISIBLE = 6
SAME = {"checksum": "same checksum", "size": "same size", "name": "same file name", "nothing": ""}


class ProposalList(ModelList):
    """Models of the catalogue, and what a file has in common with each."""

    def __init__(self, proposals: list[Proposal], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._same = [SAME[proposal.same] for proposal in proposals]
        self.fill([Entry(proposal.card, proposal.card.id, here=False) for proposal in proposals])

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if index.isValid() and role == REMARK:
            return self._same[index.row()]
        return super().data(index, role)


class WhichModel(QDialog):
    """Lists the models of the catalogue that a file may be, the likeliest first."""

    def __init__(self, file: str, proposals: list[Proposal], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import a model")
        self.setMinimumWidth(WIDTH)
        question = QLabel(readable(f"Which model is {file}?"))
        question.setTextFormat(Qt.TextFormat.PlainText)
        question.setWordWrap(True)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search models, diseases, classes…")
        self.search.setClearButtonEnabled(True)
        self.search.setAccessibleName("Search models")
        self.proposals = ProposalList(proposals, self)
        self.filter = ModelFilter(self)
        self.filter.setSourceModel(self.proposals)
        self.list = list_view(theme, "Models that the file may be", VISIBLE)
        self.list.setModel(self.filter)
        explanation = MutedLabel(
            "If the checksum of the model is known, the file is compared with it. With the wrong model, the results "
            "would be wrong."
        )
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.take = self.buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        for button in self.buttons.buttons():
            button.setAutoDefault(False)
        self.take.setDefault(True)
        self.take.setEnabled(False)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        for widget in (question, self.search, self.list, explanation):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self.buttons)
        self.search.textChanged.connect(lambda text: self.filter.narrow(text, None, None))
        self.list.selectionModel().currentChanged.connect(lambda index: self.take.setEnabled(index.isValid()))
        self.list.activated.connect(self.accept)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        if proposals and proposals[0].same == "checksum":
            self.list.setCurrentIndex(self.filter.index(0, 0))
        self.resize(WIDTH, layout.totalHeightForWidth(WIDTH))

    def chosen(self) -> str:
        """Return the identifier of the model that was chosen."""
        return str(self.list.currentIndex().data(ENTRY).card.id)
