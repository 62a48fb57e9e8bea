"""A model that is to be published or verified: opened, together with the files that it was read from."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from msgspec import Struct

from napari_webipred import formats
from napari_webipred.archive.model_files import ModelFiles
from napari_webipred.archive.new_zip import zipped
from napari_webipred.catalogue import local_model
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.model import Model
from napari_webipred.opening import Progress, files_of, keras_network, opening
from napari_webipred.results.probabilities import missing_activation
from napari_webipred.runtime import keras_file
from napari_webipred.runtime.readers import READERS, find_model
from napari_webipred.runtime.tfjs import LayersModel


class Material(Struct, frozen=True):
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

    def topology(self) -> dict[str, Any] | None:
        """Read the topology of a Keras network as data; None of another one."""
        read = READERS[self.form](self.files, self.name, self.files.unpacked) if self.form in READERS else None
        return read.topology if isinstance(read, LayersModel) else None

    def network(self) -> tuple[LayersModel, int] | None:
        """Read a Keras network layer by layer, and which of its outputs gives the classes; None of another one."""
        return keras_network(self.model, self.files)

    def as_one_file(self) -> tuple[str, bytes]:
        """Return what the name of the model's file ends in, and its content; a Keras archive is packed again.

        Raises
        ------
        ModelError
            Its network and its weights lie in two files.
        """
        if self.form == "keras-v3" and self.name.endswith(keras_file.WEIGHTS):
            folder = self.name.removesuffix(keras_file.WEIGHTS)
            names = (keras_file.CONFIG, "metadata.json", keras_file.WEIGHTS)
            return ".keras", zipped({each: self.files[folder + each] for each in names if folder + each in self.files})
        content = self.files[self.name]
        if formats.kind_of(content[:512]) == "json" or (
            self.form == "keras-h5" and not keras_file.has_network(self.name, content)
        ):
            raise ModelError(
                f"The network and the weights of {self.model.card.name} lie in two files.",
                "Save it as one file: model.save('model.keras') in Keras.",
            )
        is_hdf5 = formats.kind_of(content[:512]) == "keras-h5"  # older versions of Keras called that .keras, too
        return ".h5" if is_hdf5 else formats.BY_ID[self.form].suffixes[0], content

    @property
    def output(self) -> int:
        """Which of the outputs of its file gives the classes, counted from 0."""
        chosen = self.model.card.output.tensor_name
        return next((each.number for each in self.model.outputs if each.name == chosen), 0)


def preparing(reference: str | Path | Model, **settings: Any) -> Generator[Progress, None, Material]:
    """Open a model and its files.

    Parameters
    ----------
    reference : str, Path or Model
        As `napari_webipred.opening.opening` takes it, or a model that is open.
    **settings
        What the user says about the model; see there.

    Raises
    ------
    OptionError
        Settings are missing without which no image can be classified.
    WebIPredError
        As there.
    """
    model = reference if isinstance(reference, Model) else (yield from opening(reference, **settings))
    card = model.card
    if card.preprocessing is None or card.input is None:
        missing = "how pixel values are scaled" if card.preprocessing is None else "the size of its input"
        raise OptionError(f"It is not known of {card.name}: {missing}.", "", "complete settings")
    if model.needs_activation:
        raise missing_activation(card)
    files = files_of(model)
    if files is None:
        raise ModelError(f"It is not known where the files of {card.name} are.", "Open the model again.")
    named = files.model_file(local_model.entry_point(card))
    weights = local_model.opened_weights(card)
    if weights is None:
        raise ModelError(f"The card of {card.name} names no file.", "Correct the card.")
    return Material(model, files, weights.format, named or find_model(files, weights.format).name)
