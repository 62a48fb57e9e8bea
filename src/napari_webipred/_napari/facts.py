"""What the user has to tell of a model that does not say it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPlainTextEdit, QSpinBox, QVBoxLayout, QWidget

from napari_webipred._napari.button import MainButton
from napari_webipred._napari.label import MutedLabel
from napari_webipred._napari.theme import Theme
from napari_webipred.catalogue.card import ModelCard

SCALINGS = {
    "0-1": "0-1 – divided by 255",
    "torch": "torch – ImageNet mean and deviation",
    "tf": "tf – from -1 to 1",
    "caffe": "caffe – ImageNet mean, blue first",
    "grayscale": "grayscale – each picture's range as 0 to 255",
    "none": "none – from 0 to 255",
    "minmax": "minmax – each picture's range as 0 to 1",
    "z-score": "z-score – each picture's mean and deviation",
}
OUTPUTS = {
    "in-model": "probabilities already",
    "softmax": "softmax – one class for a picture",
    "sigmoid": "sigmoid – any number of classes",
    "none": "none – show them as they are",
}
LINES = 4


class Facts(QWidget):
    """A small form: classes, scaling, how numbers become probabilities and, for a model that takes any, the input size.

    Signals
    -------
    told : dict
        ``classes``, ``standardize``, ``size`` and ``activation`` as `opening` takes them.
    """

    told = Signal(dict)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._outputs = 0
        self._known: list[str] = []
        self._scaling: str | None = None
        self.classes = _Lines(theme)
        self.count = MutedLabel()
        self.count.setWordWrap(False)
        self.count.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.scaling = _choice("How pixel values were scaled in training; a wrong choice gives wrong results")
        self.looks_like = MutedLabel()
        self.output = _choice("How probabilities are made of the model's numbers")
        self.width_ = _pixels("Width of the model's input in pixels")
        self.height_ = _pixels("Height of the model's input in pixels")
        self.use = MainButton("Use these", theme)
        self._lay_out()
        self.classes.textChanged.connect(self._on_changed)
        self.scaling.currentIndexChanged.connect(self._on_changed)
        self.output.currentIndexChanged.connect(self._on_changed)
        self.use.clicked.connect(self._on_use)
        self._on_changed()

    def _lay_out(self) -> None:
        labels = [QLabel(words) for words in ("Scaling", "Output", "Size")]
        widest = max(label.sizeHint().width() for label in labels) + 8  # napari pads labels once they are shown
        for label in labels:
            label.setFixedWidth(widest)
        scaling, output, size = labels
        self.size = _row(size, self.width_, QLabel("×"), self.height_)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(5)
        for widget in (
            MutedLabel("This model does not say all that is needed. The people who trained it know."),
            _row(QLabel("Classes"), self.count),
            self.classes,
            _row(scaling, self.scaling),
            self.looks_like,
            _row(output, self.output),
            self.size,
            self.use,
        ):
            layout.addWidget(widget)

    def ask(self, card: ModelCard, outputs: int, suggestion: tuple[str, str] | None, needs_activation: bool) -> None:
        """Show the form with what is known already.

        Parameters
        ----------
        card : ModelCard
            What is known.
        outputs : int
            How many numbers the model gives.
        suggestion : tuple of (str, str), or None
            A family of networks that the model looks like, and how that wants its pictures.
        needs_activation : bool
            Whether its numbers are certainly no probabilities.
        """
        numbered = card.class_names == [str(i) for i in range(outputs)]
        self._outputs, self._known = outputs, [] if numbered else card.class_names
        self.classes.setPlainText("\n".join(self._known))
        self._scaling = card.preprocessing.standardize_mode if card.preprocessing else None
        scalings = {"custom": "as the model says", **SCALINGS} if self._scaling == "custom" else SCALINGS
        _offer(self.scaling, scalings, self._scaling)
        family, mode = suggestion or ("", "")
        self.looks_like.setText(f"It looks like {family}, which is usually used with “{mode}”." if family else "")
        self.looks_like.setVisible(bool(family))
        left = {mode: words for mode, words in OUTPUTS.items() if not (needs_activation and mode == "in-model")}
        _offer(self.output, left, None if needs_activation else card.output.activation)
        self.size.setVisible(card.input is None)
        self._on_changed()
        self.show()

    def names(self) -> list[str]:
        """Return the class names as they are written in the form."""
        text = self.classes.toPlainText().strip()
        parts = text.splitlines() if "\n" in text else text.split(",")
        return [part.strip() for part in parts if part.strip()]

    def _on_changed(self) -> None:
        names = len(self.names())
        fits = names in ({0, 1, 2} if self._outputs == 1 else {0, self._outputs})
        wanted = "1 or 2 names" if self._outputs == 1 else f"{self._outputs} names"
        self.count.setText(f"{names} of {wanted}" if names else f"{wanted}, or none")
        told = self.scaling.currentData() is not None and self.output.currentData() is not None
        self.use.setEnabled(fits and told)
        self.use.setToolTip("" if fits and told else "Choose the scaling, and give as many names as there are classes")

    def _on_use(self) -> None:
        told: dict[str, Any] = {}
        if (scaling := self.scaling.currentData()) != self._scaling:
            told["standardize"] = scaling
        if (names := self.names()) and names != self._known:
            told["classes"] = names
        if self.output.currentData() != "in-model":
            told["activation"] = self.output.currentData()
        if not self.size.isHidden():
            told["size"] = (self.width_.value(), self.height_.value())
        self.told.emit(told)


class _Lines(QPlainTextEdit):
    """A field of some lines that looks like the other fields of the panel."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setTabChangesFocus(True)
        self.setFixedHeight(LINES * self.fontMetrics().lineSpacing() + 12)
        self.setPlaceholderText("One name a line, or with commas between, in the order of the outputs")
        self.setAccessibleName("Names of the classes")
        self.setToolTip("In the order of the model's outputs; without names the classes are numbered")

    def paintEvent(self, event: QPaintEvent | None) -> None:
        painter = QPainter(self.viewport())
        painter.fillRect(self.viewport().rect(), self._theme.colour("foreground"))
        painter.end()
        super().paintEvent(event)


def _row(label: QLabel, *widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = QHBoxLayout(row)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(label)
    for widget in widgets:
        layout.addWidget(widget, 0 if type(widget) is QLabel else 1)
    return row


def _choice(tip: str) -> QComboBox:
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box


def _offer(box: QComboBox, choices: dict[str, str], chosen: str | None) -> None:
    """Let the user choose among these; what is not known stands as a question above them."""
    box.clear()
    if chosen not in choices:
        box.addItem("Please choose…", None)
    for value, words in choices.items():
        box.addItem(words, value)
    box.setCurrentIndex(max(box.findData(chosen), 0) if chosen in choices else 0)


def _pixels(tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 8192)
    box.setValue(224)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box
