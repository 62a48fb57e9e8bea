"""What was fitted to the user's labels: thresholds and a calibration, as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_webipred._napari.evaluation.part import Lines, Plot
from napari_webipred.evaluation import files

if TYPE_CHECKING:
    from napari_webipred.evaluation.evaluation import Evaluation
    from napari_webipred.evaluation.metric import Metric

THRESHOLDS = (
    "From which probability on each class would be assigned. Sensitivity and specificity are those of images that the "
    "threshold was not chosen on; “fitted” ones are too good. “Save…” keeps the thresholds for this model."
)
CALIBRATION = (
    "How good the probabilities are as they are, and calibrated ones of images that were not used for the fit. "
    "Lower is better. The table of results has calibrated probabilities beside the raw ones now."
)
QUALITIES = {"log_loss": "Log loss", "brier": "Brier score", "ece": "Calibration error"}


def fit_plots(own: Evaluation) -> list[Plot]:
    """Return the tables of what was fitted."""
    plots = []
    if own.thresholds is not None:
        chosen = own.thresholds

        def thresholds(variant: str) -> Lines:
            lines = [
                [
                    each.class_name,
                    f"{each.value:.4f}",
                    f"{_bounded(each.sensitivity)} fitted {each.fitted_sensitivity:.3f}",
                    f"{_bounded(each.specificity)} fitted {each.fitted_specificity:.3f}",
                    each.note,
                ]
                for each in chosen.each
            ]
            header = ["Class", "From", "Sensitivity", "Specificity", "Note"]
            shown = len(header) if any(each.note for each in chosen.each) else len(header) - 1
            return [line[:shown] for line in [header, *lines]]

        def numbers() -> Lines:
            return files.thresholds_table(chosen)

        plots.append(Plot("thresholds", "Thresholds", {"": ""}, {"": THRESHOLDS}, lines=thresholds, numbers=numbers))
    if own.calibration is not None:
        fitted = own.calibration

        def calibration(variant: str) -> Lines:
            what = f"Temperature {fitted.temperature:.3f}" if fitted.method == "temperature" else "Platt"
            rows = (
                [words, f"{fitted.before[key]:.4f}", f"{fitted.after[key]:.4f}"] for key, words in QUALITIES.items()
            )
            return [[what, "As they are", "Calibrated"], *rows]

        plots.append(Plot("calibration", "Calibration", {"": ""}, {"": CALIBRATION}, lines=calibration))
    return plots


def _bounded(metric: Metric) -> str:
    return metric.words or "undefined"
