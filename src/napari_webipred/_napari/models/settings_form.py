"""The form for the settings that a model's files do not contain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox, Container
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_webipred._napari.models.class_names import PLACEHOLDER, ClassNames
from napari_webipred._napari.models.image_size import ImageSize
from napari_webipred._napari.widgets.button import MainButton
from napari_webipred._napari.widgets.label import MutedLabel
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.value_widget import QtValueWidget, choice_of, fit, offer
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.card import FIRST_CLASS, Activation, StandardizeMode
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred.model import Model
    from napari_webipred.runtime.outputs import ModelOutput

SCALINGS = {
    "0-1": "0-1 – divided by 255",
    "torch": "torch – ImageNet mean and deviation",
    "tf": "tf – from -1 to 1",
    "caffe": "caffe – ImageNet mean, blue first",
    "grayscale": "grayscale – each image stretched to 0 to 255",
    "none": "none – from 0 to 255",
    "minmax": "minmax – each image stretched to 0 to 1",
    "z-score": "z-score – each image to mean 0, deviation 1",
}
ACTIVATIONS = {
    "in-model": "not needed – outputs are probabilities",
    "softmax": "softmax – one class per image",
    "sigmoid": "sigmoid – any number of classes per image",
    "none": "none – show the numbers unchanged",
}
ACTIVATIONS_OF_ONE_NUMBER = {
    "in-model": "not needed – the output is a probability",
    "sigmoid": "sigmoid – two classes",
    "none": "none – a value, such as an age",
}
# After these there is nothing to choose.
PROBABILITIES = {"softmax", "sigmoid", "log-softmax"}
MISSING = "Some settings are missing. Ask the people who trained the model."
COMPLETE = "Settings of this model. They are stored for the next time."


class SettingsForm(Container):
    """The settings that `open_model` takes: output, names of classes, scaling, activation and, if it is open, the size.

    Its widgets have the names of the arguments of `napari_webipred.open_model`. Calling the form submits it.

    Parameters
    ----------
    submit : callable
        Is called with the settings that differ from those of the opened model, as `open_model` takes them.
    """

    def __init__(self, submit: Callable[[dict[str, Any]], None], theme: Theme) -> None:
        self._submit = submit
        self._outputs: dict[str, ModelOutput] = {}
        self._known: list[str] = []
        self._scaling: str | None = None
        self._activation: str | None = None
        self._doubted = False
        output = ComboBox(name="output", tooltip="The output that gives the classes")
        classes = QtValueWidget(lambda: ClassNames(theme), "classes")
        standardize = choice_of(
            StandardizeMode,
            SCALINGS,
            "standardize",
            tooltip="How pixel values were scaled in training. A wrong choice gives wrong results.",
        )
        activation = choice_of(
            Activation,
            ACTIVATIONS,
            "activation",
            tooltip="How the model's numbers become probabilities",
        )
        size = QtValueWidget(ImageSize, "size")
        super().__init__(widgets=[output, classes, standardize, activation, size], labels=False)
        self.heading = MutedLabel()
        self.counted = MutedLabel()
        self.counted.setWordWrap(False)
        self.counted.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.order = MutedLabel(FIRST_CLASS)
        self.looks_like = MutedLabel()
        self.use = MainButton("Use these", theme)
        self._lay_out()
        self.output.native.currentIndexChanged.connect(self._on_output)
        self.classes.native.textChanged.connect(self._on_changed)
        self.standardize.native.currentIndexChanged.connect(self._on_changed)
        self.activation.native.currentIndexChanged.connect(self._on_activation)
        self.use.clicked.connect(lambda: self())

    def _lay_out(self) -> None:
        labels = [QLabel(words) for words in ("Output", "Scaling", "Activation", "Size")]
        widest = max(label.sizeHint().width() for label in labels) + 14  # napari pads labels once they are shown
        for label in labels:
            label.setFixedWidth(widest)
        output, scaling, activation, size = labels
        self.output_row = _row(output, fit(self.output).native)
        self.activation_row = _row(activation, fit(self.activation).native)
        self.size_row = _row(size, self.size.native)
        self.others = _column(
            _row(QLabel("Classes"), self.counted),
            self.classes.native,
            self.order,
            _row(scaling, fit(self.standardize).native),
            self.looks_like,
            self.activation_row,
            self.size_row,
        )
        layout = self.native.layout()
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(5)
        for widget in (self.heading, self.output_row, self.others, self.use):
            layout.addWidget(widget)

    def show_settings(self, model: Model) -> None:
        """Show the form with what is known of an opened model."""
        from napari_webipred.runtime.outputs import ModelOutput

        card = model.card
        alone = ModelOutput(0, "", (model.output_size,), card.output.ending or "unknown")
        self._known = card.class_names if card.is_named and card.class_names != ["value"] else []
        self._scaling = card.preprocessing.standardize_mode if card.preprocessing else None
        self._activation, self._doubted = card.output.activation, model.needs_activation
        self.heading.setText(MISSING if model.needs_settings else COMPLETE)
        self.classes.value = self._known
        scalings = {"custom": "custom – set by the model", **SCALINGS} if self._scaling == "custom" else SCALINGS
        offer(self.standardize, scalings, self._scaling)
        family, mode = model.suggestion or ("", "")
        self.looks_like.setText(f"The model looks like {family}, which usually uses “{mode}”." if family else "")
        self.looks_like.setVisible(bool(family))
        self.size_row.setVisible(card.input is None)
        self.others.show()
        self._offer_outputs(model.outputs or (alone,), card.output.tensor_name)
        self.show()

    def show_outputs(self, outputs: Sequence[ModelOutput]) -> None:
        """Ask only which output of a model gives the classes; the rest depends on that."""
        self.heading.setText(f"The model has {len(outputs)} outputs. Choose the one that gives the classes.")
        self.others.hide()
        self._offer_outputs(outputs, None)
        self.show()

    def _offer_outputs(self, outputs: Sequence[ModelOutput], chosen: str | None) -> None:
        self._outputs = {output.name: output for output in outputs}
        self.output_row.setVisible(len(outputs) > 1)
        only = next(iter(self._outputs)) if len(outputs) == 1 else None
        words = {output.name: f"{output.name} – {output.words}" for output in outputs}
        offer(self.output, words, only if only is not None else chosen)
        self._on_output()

    @property
    def _chosen(self) -> ModelOutput | None:
        return self._outputs.get(self.output.value)

    @property
    def _wanted(self) -> int:
        """How many names the chosen output can have."""
        size = (self._chosen.size if self._chosen else None) or 0
        return 2 if size == 1 and self.activation.value != "none" else size

    def _on_output(self) -> None:
        if self._chosen is not None:
            self._offer_activations(self._chosen)
        self._on_activation()

    def _on_activation(self) -> None:
        """Leave out the known names where they cannot be those of what is chosen."""
        if self.classes.value in ([], self._known):
            self.classes.value = self._known if len(self._known) == self._wanted else []
        self._on_changed()

    def _offer_activations(self, output: ModelOutput) -> None:
        choices: Mapping[str, str] = ACTIVATIONS_OF_ONE_NUMBER if output.size == 1 else ACTIVATIONS
        chosen = self._activation
        if output.ending == "linear" or self._doubted:
            choices = {key: words for key, words in choices.items() if key != "in-model"}
            if output.size == 1 and chosen == "in-model" and not self._doubted:
                chosen = "none"
        offer(self.activation, choices, chosen)
        self.activation_row.setVisible(output.ending not in PROBABILITIES or chosen == "none")

    def _on_changed(self) -> None:
        if self.others.isHidden():
            self.use.setEnabled(self._chosen is not None)
            self.use.setToolTip("" if self._chosen else "Choose an output")
            return
        given, wanted = len(self.classes.value), self._wanted
        names = f"{wanted} name{'s' * (wanted != 1)}"
        self.counted.setText(f"{given} of {names}" if given else f"{names}, or leave empty")
        is_value = wanted == 1
        self.classes.native.setPlaceholderText("Name of the value, such as age" if is_value else PLACEHOLDER)
        self.order.setVisible(bool(self._chosen and self._chosen.size == 1 and not is_value))
        activation = self.activation_row.isHidden() or self.activation.value is not None
        complete = given in {0, wanted} and self.standardize.value is not None and activation
        self.use.setEnabled(complete)
        self.use.setToolTip("" if complete else "Fill in all settings, and name every class or none")

    def __call__(self) -> None:
        """Submit the settings, as a click on *Use these* does.

        Raises
        ------
        OptionError
            Something is missing.
        """
        if not self.use.isEnabled():
            raise OptionError("Some settings are missing.", f"{self.use.toolTip()}.")
        settings: dict[str, Any] = {}
        if not self.output_row.isHidden():
            settings["output"] = self.output.value
        if not self.others.isHidden():
            settings |= self._others()
        self._submit(settings)

    def _others(self) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        if (scaling := self.standardize.value) != self._scaling:
            settings["standardize"] = scaling
        if (names := self.classes.value) != self._known:
            settings["classes"] = names
        if not self.activation_row.isHidden() and (activation := self.activation.value) != self._activation:
            settings["activation"] = activation
        if not self.size_row.isHidden():
            settings["size"] = self.size.value
        return settings


def _row(label: QLabel, *widgets: QWidget) -> QWidget:
    row = QWidget()
    layout = WrappingRow([label, *widgets], last_at_end=False)
    layout.setContentsMargins(0, 0, 0, 0)
    row.setLayout(layout)
    for widget in widgets:
        widget.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        if not isinstance(widget, QLabel):
            widget.setAccessibleName(label.text())
    return row


def _column(*widgets: QWidget) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    for widget in widgets:
        layout.addWidget(widget)
    return column
