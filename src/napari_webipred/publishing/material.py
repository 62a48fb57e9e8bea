"""A model that is to be published or verified: opened, together with the files that it was read from."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_webipred.archive import model_files
from napari_webipred.archive.model_files import ModelFiles
from napari_webipred.cache import index, store
from napari_webipred.catalogue import local_model
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.model import Model
from napari_webipred.opening import Progress, opening
from napari_webipred.results.probabilities import missing_activation

if TYPE_CHECKING:
    from napari_webipred.runtime.graph_model import GraphModel
    from napari_webipred.runtime.tfjs import LayersModel


@dataclass(frozen=True, slots=True)
class Material:
    """A model with its files.

    Attributes
    ----------
    model : Model
    files : ModelFiles
    form : str
        The format of the model, as `napari_webipred.formats` calls it.
    name : str
        Its file among the files.
    """

    model: Model
    files: ModelFiles
    form: str
    name: str

    def read(self) -> LayersModel | GraphModel | None:
        """Read the network as data; None of an ONNX file, which is a graph already."""
        from napari_webipred.runtime.readers import READERS

        reader = READERS.get(self.form)
        return reader(self.files, self.name, self.files.unpacked) if reader else None

    @property
    def output(self) -> int:
        """Which of the outputs of its file gives the classes, counted from 0."""
        chosen = self.model.card.output.tensor_name
        return next((each.number for each in self.model.outputs if each.name == chosen), 0)


def preparing(reference: str | Path, **settings: Any) -> Generator[Progress, None, Material]:
    """Open a model and its files.

    Parameters
    ----------
    reference : str or Path
        As `napari_webipred.opening.opening` takes it.
    **settings
        What the user says about the model; see there.

    Raises
    ------
    OptionError
        Settings are missing without which no image can be classified.
    WebIPredError
        As there.
    """
    model = yield from opening(reference, **settings)
    card = model.card
    if card.preprocessing is None or card.input is None:
        missing = "how pixel values are scaled" if card.preprocessing is None else "the size of its input"
        raise OptionError(f"It is not known of {card.name}: {missing}.", "", "complete settings")
    if model.needs_activation:
        raise missing_activation(card)
    files = model_files.open_files(_path(reference, model))
    named = files.model_file(local_model.entry_point(card))
    weights = local_model.opened_weights(card)
    if weights is None:
        raise ModelError(f"The card of {card.name} names no file.", "Correct the card.")
    return Material(model, files, weights.format, named or _found(files, weights.format))


def _path(reference: str | Path, model: Model) -> Path:
    """Return where the files of an opened model lie."""
    if isinstance(reference, Path) or model.card.is_local:
        return Path(reference)
    card = index.find(reference) or model.card
    path = store.path_of(card)
    if path is None:
        raise ModelError(f"The model {card.name} was removed meanwhile.", "Try again.")
    return path


def _found(files: ModelFiles, form: str) -> str:
    from napari_webipred.runtime.readers import find_model

    return find_model(files, form).name
