"""The dialog with what was published about how good a model is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from napari_webipred._napari.evaluation.plot_pane import PlotPane
from napari_webipred._napari.widgets.button import dialog_buttons
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred._napari.widgets.scrolling_column import scrolling_column
from napari_webipred._napari.widgets.theme import Theme

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard
    from napari_webipred.evaluation.published import Published

WIDTH, HEIGHT = 690, 640
WHOSE = (
    "These numbers come from the authors of the model and their images. Compare them with your own images: "
    "“Evaluate…” below the results."
)


class Performance(QDialog):
    """Shows the published performance of a model; the window goes on meanwhile."""

    def __init__(
        self, card: ModelCard, published: list[Published], theme: Theme, parent: QWidget | None = None
    ) -> None:
        from napari_webipred._napari.evaluation.plots import plots_of

        super().__init__(parent)
        self.setWindowTitle("Published performance")
        self.resize(WIDTH, HEIGHT)
        inside = QWidget()
        self.scroll, column = scrolling_column(inside, "Published performance", 6)
        self.name = ElidedLabel(card.name)
        font = self.name.font()
        font.setBold(True)
        self.name.setFont(font)
        remarks = dict.fromkeys(text for each in published for text in each.remarks)
        self.origin = MutedLabel("\n".join([*remarks, WHOSE]))
        self.pane = PlotPane(theme)
        self.buttons = dialog_buttons(QDialogButtonBox.StandardButton.Close)
        for button in self.buttons.buttons():
            button.setAutoDefault(False)
        self.buttons.rejected.connect(self.reject)
        for widget in (self.name, self.origin, self.pane):
            column.addWidget(widget)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addWidget(inside, 1)
        layout.addWidget(self.buttons)
        self.pane.show_plots(plots_of(None, published), f"{card.id}-published")


def published_of(card: ModelCard) -> list[Published]:
    """Return what a card says about how good its model is; nothing if it says nothing."""
    if not card.metrics:  # which costs no import
        return []
    from napari_webipred.evaluation import performance

    return performance.of_card(card)
