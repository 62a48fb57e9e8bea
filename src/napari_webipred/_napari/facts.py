"""What the user has to tell of a model that does not say it."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout, QLabel, QLineEdit, QSpinBox, QWidget

from napari_webipred._napari.button import Button
from napari_webipred._napari.label import MutedLabel

MODES = {
    "torch": "torch – ImageNet mean and deviation",
    "tf": "tf – from -1 to 1",
    "caffe": "caffe – ImageNet mean, blue first",
    "minmax": "minmax – each picture's own range",
    "z-score": "z-score – each picture's mean and deviation",
    "grayscale": "grayscale – from 0 to 1",
    "none": "none – from 0 to 255",
}


class Facts(QWidget):
    """A small form: classes, scaling and, for a model that takes any, the input size.

    Signals
    -------
    told : dict
        ``classes``, ``standardize`` and ``size`` as `opening` takes them.
    """

    told = Signal(dict)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.classes = QLineEdit()
        self.classes.setPlaceholderText("cat, dog, …")
        self.classes.setToolTip("Names of the classes in the order of the model's outputs, separated by commas")
        self.scaling = QComboBox()
        self.scaling.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.scaling.setMinimumContentsLength(12)
        self.scaling.setToolTip(
            "How pixel values were scaled when the model was trained; a wrong choice gives wrong results"
        )
        self.scaling.addItem("Please choose…", None)
        for mode, words in MODES.items():
            self.scaling.addItem(words, mode)
        self.width_ = _pixels("Width of the model's input in pixels")
        self.height_ = _pixels("Height of the model's input in pixels")
        size = QWidget()
        row = QHBoxLayout(size)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.width_)
        row.addWidget(QLabel("×"))
        row.addWidget(self.height_)
        row.addStretch()
        self.use = Button("Use these")
        self.use.setEnabled(False)
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow(MutedLabel("This model does not say all that is needed. The people who trained it know."))
        form.addRow("Classes", self.classes)
        form.addRow("Scaling", self.scaling)
        form.addRow("Input size", size)
        form.addRow(self.use)
        self._size = size
        self._form = form
        self.scaling.currentIndexChanged.connect(self._on_changed)
        self.use.clicked.connect(self._on_use)

    def ask(self, classes: list[str], standardize: str | None, with_size: bool) -> None:
        """Show the form with what is known already."""
        self.classes.setText(", ".join(classes))
        self.scaling.setCurrentIndex(max(self.scaling.findData(standardize), 0))
        self._form.setRowVisible(self._size, with_size)
        self.show()

    def _on_changed(self) -> None:
        self.use.setEnabled(self.scaling.currentData() is not None)

    def _on_use(self) -> None:
        told: dict[str, Any] = {"standardize": self.scaling.currentData()}
        if self.classes.text().strip():
            told["classes"] = [name.strip() for name in self.classes.text().split(",")]
        if not self._size.isHidden():
            told["size"] = (self.width_.value(), self.height_.value())
        self.told.emit(told)


def _pixels(tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, 8192)
    box.setValue(224)
    box.setToolTip(tip)
    box.setAccessibleName(tip)
    return box
