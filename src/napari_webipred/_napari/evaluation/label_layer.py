"""The layer whose features have the labels, and the column of these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from napari.layers import Labels, Shapes
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QComboBox

from napari_webipred._napari.evaluation.label_file import MOST_COLUMNS
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.proxy import unwrapped
from napari_webipred._napari.regions.names_then import names_then
from napari_webipred._napari.regions.region_layer import drawn, grid_of, shape_names
from napari_webipred._napari.widgets.choice import choice, offer
from napari_webipred.names import readable

if TYPE_CHECKING:
    from napari_webipred._napari.evaluation.run_predictions import Known, RunPredictions
    from napari_webipred.evaluation.cohort import Label, Predictions
    from napari_webipred.results.session_table import RunDetails


class LabelLayer(QObject):
    """Two choices: a layer, and one of the columns of its features.

    Signals
    -------
    changed
        Something else is chosen.
    """

    changed = Signal()

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.layer, self.column = choice("Layer with labels"), choice("Column with labels")
        self.layer.currentIndexChanged.connect(self._fill_columns)
        self.column.currentIndexChanged.connect(self.changed)

    @property
    def columns(self) -> list[str]:
        """The names of the columns of the chosen layer."""
        layer = self.layer.currentData()
        return [str(name) for name in layer.features][:MOST_COLUMNS] if layer is not None else []

    def list_layers(self) -> None:
        """List the layers that have features."""
        layers = [layer for layer in map(unwrapped, self._viewer.layers) if _has_features(layer)]
        offer(self.layer, ((readable(layer.name), layer) for layer in layers), self.layer.currentData())
        self._fill_columns()

    def _fill_columns(self) -> None:
        fill(self.column, [name for name in self.columns if name != "index"])
        self.changed.emit()

    def known(self, group: str, run: RunDetails, targets: Sequence[Target]) -> Callable[[RunPredictions], Known]:
        """Return the function that takes the labels of a run, whose rows are about these targets."""
        from napari_webipred._napari.evaluation import run_predictions

        layer, given = self.layer.currentData(), run.inputs.images if run.inputs is not None else ()
        images = [
            (grid_of(target.layers[0], target.axes), image.parts.regions)
            for target, image in zip(targets, given, strict=False)  # of a run without notes of its images, none
            if target.layers and image.parts is not None and image.parts.regions
        ]
        then = names_then(drawn(layer), images) if isinstance(layer, (Shapes, Labels)) and images else None
        return run_predictions.from_features(*self._taken(), self.column.currentData(), group, self._name, then)

    def labels(self) -> Callable[[Predictions], tuple[list[Label], tuple[str, ...]]]:
        """Return the function that takes the labels of pictures that nobody has classified."""
        from napari_webipred._napari.evaluation.run_predictions import labels_in_features

        columns, regions = self._taken()
        label, name = self.column.currentData(), self._name
        return lambda own: labels_in_features(own, columns, regions, label, "", name)

    @property
    def _name(self) -> str:
        return str(self.layer.currentData().name)

    def _taken(self) -> tuple[dict[str, list[Any]], list[str] | None]:
        """Return the features as they are now, and the regions that they are about."""
        layer = self.layer.currentData()
        features = layer.features
        return {str(name): features[name].tolist() for name in features}, _region_names(layer)


def _has_features(layer: Any) -> bool:
    features = getattr(layer, "features", None)
    return features is not None and len(features.columns) > 0


def _region_names(layer: Any) -> list[str] | None:
    """Return what the regions of a layer are called in the table of results, one for each line of its features."""
    if isinstance(layer, Shapes):
        return list(shape_names(layer))
    if isinstance(layer, Labels):
        features = layer.features
        return [str(label) for label in (features["index"] if "index" in features else range(len(features)))]
    return None


def fill(box: QComboBox, names: Iterable[str] | Mapping[str, str], nothing: str = "") -> None:
    """Offer names, the one that was chosen before first of all.

    Parameters
    ----------
    box : QComboBox
    names : iterable of str, or mapping of str to str
        What is offered; a mapping says what each stands for.
    nothing : str
        What is offered before them for no name.
    """
    items = [(nothing, "")] if nothing else []
    for name, data in (names if isinstance(names, Mapping) else {name: name for name in names}).items():
        items.append((readable(name), data))
    offer(box, items, box.currentData())
