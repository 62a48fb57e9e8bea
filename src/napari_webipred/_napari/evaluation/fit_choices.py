"""What is to be fitted to the labels: thresholds and a calibration."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QFormLayout, QWidget

from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.wrapped_text import WrappedText

RULES = {
    "": "those of the run",
    "youden": "choose: most right in both ways (Youden)",
    "sensitivity=0.95": "choose: sensitivity of 95 %",
    "sensitivity=0.99": "choose: sensitivity of 99 %",
    "specificity=0.95": "choose: specificity of 95 %",
    "cost=5": "choose: a missed image costs 5 false alarms",
}


class FitChoices(QWidget):
    """How thresholds are chosen, and whether probabilities are calibrated."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rule = choice("Thresholds")
        for rule, words in RULES.items():
            self.rule.addItem(words, rule)
        self.rule.setToolTip("Choose from which probability on a class is assigned, by these labels")
        self.calibrate = QCheckBox("Calibrate the probabilities")
        WrappedText(self.calibrate)
        self.calibrate.setToolTip("Fit probabilities that mean what they say. The raw ones stay as they are")
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(5)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Thresholds", self.rule)
        form.addRow(self.calibrate)
