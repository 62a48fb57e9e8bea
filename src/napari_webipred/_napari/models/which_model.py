"""The dialog that asks which model a file is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from napari_webipred._napari.models.entry import Entry, entry_lines
from napari_webipred._napari.models.model_filter import ModelFilter, search_field
from napari_webipred._napari.widgets.button import dialog_buttons
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.two_line_delegate import list_view
from napari_webipred._napari.widgets.two_line_list import ITEM, TwoLineList
from napari_webipred.names import readable

if TYPE_CHECKING:
    from napari_webipred.cache.known_file import Proposal

WIDTH = 460
VISIBLE = 6
SAME = {"checksum": "same checksum", "size": "same size", "name": "same file name", "nothing": ""}


class WhichModel(QDialog):
    """Lists the models of the catalogue that a file could be, the most likely first."""

    def __init__(self, file: str, proposals: list[Proposal], theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Import a model")
        self.setMinimumWidth(WIDTH)
        question = QLabel(readable(f"Which model is {file}?"))
        question.setTextFormat(Qt.TextFormat.PlainText)
        question.setWordWrap(True)
        self.search = search_field()
        same = {proposal.card.id: SAME[proposal.same] for proposal in proposals}
        self.proposals: TwoLineList[Entry] = TwoLineList(
            lambda entry: replace(entry_lines(entry), remark=same[entry.card.id]), self
        )
        self.proposals.fill(Entry(proposal.card, proposal.card.id, here=False) for proposal in proposals)
        self.filter = ModelFilter(self)
        self.filter.setSourceModel(self.proposals)
        self.list = list_view(theme, "Models that the file could be", VISIBLE)
        self.list.setModel(self.filter)
        explanation = MutedLabel(
            "If the checksum of the model is known, the file is verified. If you choose the wrong model, all results "
            "will be wrong."
        )
        self.buttons = dialog_buttons(QDialogButtonBox.StandardButton.Cancel)
        self.import_button = self.buttons.addButton("Import", QDialogButtonBox.ButtonRole.AcceptRole)
        for button in self.buttons.buttons():
            button.setAutoDefault(False)
        self.import_button.setDefault(True)
        self.import_button.setEnabled(False)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        for widget in (question, self.search, self.list, explanation):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addWidget(self.buttons)
        self.search.textChanged.connect(lambda text: self.filter.narrow(text, None, None))
        self.list.selectionModel().currentChanged.connect(lambda index: self.import_button.setEnabled(index.isValid()))
        self.list.activated.connect(self.accept)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        if proposals and proposals[0].same == "checksum":
            self.list.setCurrentIndex(self.filter.index(0, 0))
        self.resize(WIDTH, layout.totalHeightForWidth(WIDTH))

    def chosen(self) -> str:
        """Return the identifier of the model that was chosen."""
        return str(self.list.currentIndex().data(ITEM).card.id)
