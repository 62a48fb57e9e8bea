"""Which images are listed, how many the network has looked at, and which cannot be read."""

from __future__ import annotations

from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.own_classes.items import MOST
from napari_webipred._napari.own_classes.own_classes import OwnClasses
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.progress import ProgressLine
from napari_webipred._napari.widgets.theme import Theme

NO_PICTURES = "Choose images in step 2 of the panel, or drop files and folders here."
NO_CLASSES = "Name two classes above, then label by keyboard: the first few images are enough for a first model."
SHOWN_FAULTS = 3  # the table lists all


class ListedView(QWidget):
    """A sentence about the images, the progress of their features, and a note on those that cannot be read."""

    def __init__(self, own: OwnClasses, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own = own
        self.words = MutedLabel()
        self.progress = ProgressLine("looking at images")
        self.unreadable = Message(theme)
        self.guide = MutedLabel(NO_CLASSES)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(5)
        for widget in (self.words, self.progress, self.unreadable, self.guide):
            layout.addWidget(widget)
        self.unreadable.accepted.connect(own.try_again)

    def refresh(self) -> None:
        """Say what is known now."""
        own, features, total = self._own, self._own.features, len(self._own.items)
        self.guide.setVisible(total > 0 and not own.project.classes)
        self.words.setText(words_of(own))
        if features.busy and total:
            self.progress.report(f"Looking at images: {features.done:,} of {total:,}", features.done, total)
            self.progress.cancel.hide()
        else:
            self.progress.hide()
        if not features.faults:
            self.unreadable.clear()
            return
        faults = [features.faults[row] for row in sorted(features.faults)]
        words = (
            "1 image cannot be read and is" if len(faults) == 1 else f"{len(faults):,} images cannot be read and are"
        )
        further = " …" if len(faults) > SHOWN_FAULTS else ""
        self.unreadable.show_note(f"{words} left out.", " ".join(faults[:SHOWN_FAULTS]) + further, "Try again")


def words_of(own: OwnClasses) -> str:
    """Say how many images there are, and which labels are of others."""
    total, away = len(own.items), own.elsewhere
    count = f"{total:,} image{'s' * (total != 1)} from step 2 of the panel." if total else NO_PICTURES
    more = f" Only the first {MOST:,} can be labelled." if own.more else ""
    kept = f" {away:,} label{'s' * (away != 1)} of images that are not listed now." if away else ""
    return f"{count}{more}{kept}"
