"""A model like any other: the body of a published one with a head for own classes."""

from __future__ import annotations

import json
import logging
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_webipred import opening, safe_json, self_test
from napari_webipred.archive.entry import MAX_SIDE_BYTES
from napari_webipred.archive.label_files import CARD_FILE
from napari_webipred.archive.new_zip import zipped
from napari_webipred.card import PartialCard, Provenance
from napari_webipred.errors import ModelError, OptionError
from napari_webipred.fitting import own_card
from napari_webipred.fitting.network import browser_files, onnx_files
from napari_webipred.imaging.preprocess import prepare
from napari_webipred.merge import merge

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from napari_webipred.card import Preprocessing
    from napari_webipred.fitting.head import Head
    from napari_webipred.fitting.honest import Honest
    from napari_webipred.fitting.labels import Labels
    from napari_webipred.model import Model

SAME = 1e-4  # how far a written network may be from body and head
_NAME = "own.zip"
_log = logging.getLogger(__name__)


def own_model(
    base: Model,
    head: Head,
    *,
    labels: Labels | None = None,
    honest: Honest | None = None,
    name: str = "",
    preprocessing: Preprocessing | None = None,
    remarks: tuple[str, ...] = (),
) -> Model:
    """Make one network of the body of a published model and a head, with a complete card.

    Where the body is a Keras network of layers that TensorFlow.js has, it becomes a TensorFlow.js Layers model, else
    an ONNX file. What was written is opened again and has to give the numbers of body and head for a synthetic picture,
    which also becomes the self-test of the card.

    Parameters
    ----------
    base : Model
    head : Head
        Fitted to what ``base.features`` gives.
    labels : Labels, optional
        What the head was fitted to; only counts go into the card.
    honest : Honest, optional
        How good it is, for the card.
    name : str
        What the model is called; by default its classes.
    preprocessing : Preprocessing, optional
        How the images were prepared, if not as the base's card says.
    remarks : tuple of str
        What else should be known, a sentence each; never names of files.

    Returns
    -------
    Model
        In memory; `Model.save` writes it.

    Raises
    ------
    ModelError
        The network cannot be written with the same numbers.
    OptionError
        The settings of the base are not complete, or the head is for other features.
    """
    prepared = preprocessing or base.card.preprocessing
    if prepared is None or base.card.input is None:
        raise OptionError(
            f"It is not known how the model {base.card.name} needs images to be prepared.",
            "Complete its settings first.",
            "complete settings",
        )
    picture = own_card.synthetic_picture()
    tensor, _ = prepare(picture, base.card.input, prepared)
    expected = head.probabilities(base.features(tensor[None]))[0]
    for write in (browser_files, onnx_files):
        files = write(base, head)
        if files is None:
            continue
        card = own_card.own_card(
            base,
            head,
            next(iter(files)),
            labels=labels,
            honest=honest,
            name=name,
            preprocessing=preprocessing,
            remarks=remarks,
        )
        model = opening.opened_archive(_NAME, _archive(card, files))
        found = model.predict(tensor[None])[0]
        apart = float(np.abs(found - expected).max())
        if apart <= SAME:
            return _tested(model, {**card, "test": own_card.self_test(picture, found)}, files)
        _log.info("Written by %s, the network is %.2g apart.", write.__name__, apart)
    raise ModelError(
        f"The network of {base.card.name} cannot be written with a new head: its numbers would be {apart:.2g} apart.",
        "Choose another base model, and tell the makers of this program.",
    )


def is_own(path: Path) -> bool:
    """Tell whether a file is a model that was made here."""
    try:
        with zipfile.ZipFile(path) as archive:
            card = (
                safe_json.parse(archive.read(CARD_FILE))
                if archive.getinfo(CARD_FILE).file_size < MAX_SIDE_BYTES
                else {}
            )
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, NotImplementedError, RuntimeError, zlib.error, EOFError):
        return False
    return isinstance(card, dict) and "fitted_to" in card


def _tested(model: Model, card: dict[str, Any], files: Mapping[str, bytes]) -> Model:
    """Put the self-test into the card and the archive, and run it."""
    said = PartialCard(test=card["test"])
    complete = merge(model.card, said)
    result = self_test.run(complete, {}, model.predict)
    complete = merge(complete, PartialCard(provenance=Provenance(self_test=result)), overrule=True)
    return model.in_archive(_archive(card, files), complete)


def _archive(card: dict[str, Any], files: Mapping[str, bytes]) -> bytes:
    return zipped({CARD_FILE: json.dumps(card, indent=1, ensure_ascii=False).encode(), **files})
