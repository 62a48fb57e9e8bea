"""The form for the settings of a model that its files do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QPlainTextEdit, QSpinBox, QVBoxLayout, QWidget

from napari_webipred._napari.button import MainButton
from napari_webipred._napari.label import MutedLabel
from napari_webipred._napari.theme import Theme
from napari_webipred.card import FIRST_CLASS
from napari_webipred.runtime.outputs import ModelOutput

if TYPE_CHECKING:
    from napari_webipred.model import Model

SCALINGS = {
    "0-1": "0-1 – divided by 255",
    "torch": "torch – ImageNet mean and deviation",
    "tf": "tf – from -1 to 1",
    "caffe": "caffe – ImageNet mean, blue first",
    "grayscale": "grayscale – each image's range as 0 to 255",
    "none": "none – from 0 to 255",
    "minmax": "minmax – each image's range as 0 to 1",
    "z-score": "z-score – each image's mean and deviation",
}
ACTIVATIONS = {
    "in-model": "not needed – probabilities already",
    "softmax": "softmax – one class for an image",
    "sigmoid": "sigmoid – any number of classes",
    "none": "none – show the numbers as they are",
}
ACTIVATIONS_OF_ONE_NUMBER = {
    "in-model": "not needed – a probability already",
    "sigmoid": "sigmoid – two classes",
    "none": "none – one value, as it is",
}
# After these there is nothing to choose.
PROBABILITIES = {"softmax", "sigmoid", "log-softmax"}
MISSING = "Some settings are missing. The people who trained the model know them."
COMPLETE = "Settings of this model. They are kept for the next time."
LINES = 4


class Facts(QWidget):
    """A small form: output, names of classes, scaling, activation and, for a model that takes any, the input size.

    Signals
    -------
    told : dict
        ``output``, ``classes``, ``standardize``, ``activation`` and ``size`` as `opening` takes them.
    """

    told = Signal(dict)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._outputs: dict[str, ModelOutput] = {}
        self._known: list[str] = []
        self._scaling: str | None = None
        self._activation: str | None = None
        self._doubted = False
        self.heading = MutedLabel()
        self.output = _choice("Which of the model's outputs gives the classes")
        self.classes = _Lines(theme)
        self.count = MutedLabel()
        self.count.setWordWrap(False)
        self.count.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.order = MutedLabel(FIRST_CLASS)
        self.scaling = _choice("How pixel values were scaled in training; a wrong choice gives wrong results")
        self.looks_like = MutedLabel()
        self.activation = _choice("What makes probabilities of the model's numbers")
        self.width_ = _pixels("Width of the model's input in pixels")
        self.height_ = _pixels("Height of the model's input in pixels")
        self.use = MainButton("Use these", theme)
        self._lay_out()
        self.output.currentIndexChanged.connect(self._on_output)
        self.classes.textChanged.connect(self._on_changed)
        self.scaling.currentIndexChanged.connect(self._on_changed)
        self.activation.currentIndexChanged.connect(self._on_activation)
        self.use.clicked.connect(self._on_use)

    def _lay_out(self) -> None:
        labels = [QLabel(words) for words in ("Output", "Scaling", "Activation", "Size")]
        widest = max(label.sizeHint().width() for label in labels) + 14  # napari pads labels once they are shown
        for label in labels:
            label.setFixedWidth(widest)
        output, scaling, activation, size = labels
        self.output_row = _row(output, self.output)
        self.activation_row = _row(activation, self.activation)
        self.size = _row(size, self.width_, QLabel("×"), self.height_)
        self.others = _column(
            _row(QLabel("Classes"), self.count),
            self.classes,
            self.order,
            _row(scaling, self.scaling),
            self.looks_like,
            self.activation_row,
            self.size,
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(5)
        for widget in (self.heading, self.output_row, self.others, self.use):
            layout.addWidget(widget)

    def ask(self, model: Model) -> None:
        """Show the form with what is known of an opened model."""
        card = model.card
        alone = ModelOutput(0, "", (model.output_size,), card.output.ending or "unknown")
        self._known = card.class_names if card.is_named and card.class_names != ["value"] else []
        self._scaling = card.preprocessing.standardize_mode if card.preprocessing else None
        self._activation, self._doubted = card.output.activation, model.needs_activation
        self.heading.setText(MISSING if model.needs_settings else COMPLETE)
        self._show_names(self._known)
        scalings = {"custom": "as the model says", **SCALINGS} if self._scaling == "custom" else SCALINGS
        _offer(self.scaling, scalings, self._scaling)
        family, mode = model.suggestion or ("", "")
        self.looks_like.setText(f"It looks like {family}, which is usually used with “{mode}”." if family else "")
        self.looks_like.setVisible(bool(family))
        self.size.setVisible(card.input is None)
        self.others.show()
        self._offer_outputs(model.outputs or (alone,), card.output.tensor_name)
        self.show()

    def ask_output(self, outputs: Sequence[ModelOutput]) -> None:
        """Ask only which output of a model gives the classes; the rest depends on that."""
        self.heading.setText(f"The model has {len(outputs)} outputs. Choose the one that gives the classes.")
        self.others.hide()
        self._offer_outputs(outputs, None)
        self.show()

    def names(self) -> list[str]:
        """Return the class names as they are written in the form."""
        text = self.classes.toPlainText().strip()
        parts = text.splitlines() if "\n" in text else text.split(",")
        return [part.strip() for part in parts if part.strip()]

    def _show_names(self, names: list[str]) -> None:
        if names != self.names() or not names:  # very many take a second
            self.classes.setPlainText("\n".join(names))

    def _offer_outputs(self, outputs: Sequence[ModelOutput], chosen: str | None) -> None:
        self._outputs = {output.name: output for output in outputs}
        self.output_row.setVisible(len(outputs) > 1)
        only = next(iter(self._outputs)) if len(outputs) == 1 else None
        words = {output.name: f"{output.name} – {output.words}" for output in outputs}
        _offer(self.output, words, only if only is not None else chosen)
        self._on_output()

    @property
    def _chosen(self) -> ModelOutput | None:
        return self._outputs.get(self.output.currentData())

    @property
    def _wanted(self) -> int:
        """How many names the chosen output can have."""
        size = (self._chosen.size if self._chosen else None) or 0
        return 2 if size == 1 and self.activation.currentData() != "none" else size

    def _on_output(self) -> None:
        if self._chosen is not None:
            self._offer_activations(self._chosen)
        self._on_activation()

    def _on_activation(self) -> None:
        """Leave out the known names where they cannot be those of what is chosen."""
        if self.names() in ([], self._known):
            self._show_names(self._known if len(self._known) == self._wanted else [])
        self._on_changed()

    def _offer_activations(self, output: ModelOutput) -> None:
        choices: Mapping[str, str] = ACTIVATIONS_OF_ONE_NUMBER if output.size == 1 else ACTIVATIONS
        chosen = self._activation
        if output.ending == "linear" or self._doubted:
            choices = {key: words for key, words in choices.items() if key != "in-model"}
            if output.size == 1 and chosen == "in-model" and not self._doubted:
                chosen = "none"
        _offer(self.activation, choices, chosen)
        self.activation_row.setVisible(output.ending not in PROBABILITIES or chosen == "none")

    def _on_changed(self) -> None:
        if self.others.isHidden():
            self.use.setEnabled(self._chosen is not None)
            self.use.setToolTip("" if self._chosen else "Choose an output")
            return
        given, wanted = len(self.names()), self._wanted
        names = f"{wanted} name{'s' * (wanted != 1)}"
        self.count.setText(f"{given} of {names}" if given else f"{names}, or leave empty")
        is_value = wanted == 1
        self.classes.setPlaceholderText("A name for the value, such as age" if is_value else PLACEHOLDER)
        self.order.setVisible(bool(self._chosen and self._chosen.size == 1 and not is_value))
        activation = self.activation_row.isHidden() or self.activation.currentData() is not None
        complete = given in {0, wanted} and self.scaling.currentData() is not None and activation
        self.use.setEnabled(complete)
        self.use.setToolTip("" if complete else "Make every choice, and give a name for each class or none at all")

    def _on_use(self) -> None:
        told: dict[str, Any] = {}
        if not self.output_row.isHidden():
            told["output"] = self.output.currentData()
        if not self.others.isHidden():
            told |= self._others()
        self.told.emit(told)

    def _others(self) -> dict[str, Any]:
        told: dict[str, Any] = {}
        if (scaling := self.scaling.currentData()) != self._scaling:
            told["standardize"] = scaling
        if (names := self.names()) != self._known:
            told["classes"] = names
        if not self.activation_row.isHidden() and (activation := self.activation.currentData()) != self._activation:
            told["activation"] = activation
        if not self.size.isHidden():
            told["size"] = (self.width_.value(), self.height_.value())
        return told


PLACEHOLDER = "One name per line, or separated by commas, in the order of the model's outputs"


class _Lines(QPlainTextEdit):
    """A field of some lines that looks like the other fields of the panel."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setTabChangesFocus(True)
        self.setFixedHeight(LINES * self.fontMetrics().lineSpacing() + 12)
        self.setPlaceholderText(PLACEHOLDER)
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


def _column(*widgets: QWidget) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    for widget in widgets:
        layout.addWidget(widget)
    return column


def _choice(tip: str) -> QComboBox:
    box = QComboBox()
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box


def _offer(box: QComboBox, choices: Mapping[str, str], chosen: str | None) -> None:
    """Let the user choose among these; what is not known stands as a question above them."""
    box.blockSignals(True)
    box.clear()
    if chosen not in choices:
        box.addItem("Please choose…", None)
    for value, words in choices.items():
        box.addItem(words, value)
    box.setCurrentIndex(max(box.findData(chosen), 0) if chosen in choices else 0)
    box.blockSignals(False)


def _pixels(tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 8192)
    box.setValue(224)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box
