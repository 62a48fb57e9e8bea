"""What the user has told about a model that does not say it, kept for the next time."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

from napari_webipred import settings
from napari_webipred.atomic_file import read_note, write_note
from napari_webipred.cache.folders import TOLD, holds_link
from napari_webipred.card import Input, ModelCard, Output, Preprocessing, StandardizeMode
from napari_webipred.catalogue.local_model import entries
from napari_webipred.errors import OptionError

# How a card says what is told in a word of its own: Keras' Rescaling(1 / 255) before the network.
UNIT = "0-1"
MODES = (UNIT, *(mode for mode in get_args(StandardizeMode) if mode != "custom"))
ACTIVATIONS = ("softmax", "sigmoid", "none", "in-model")
_NAME = re.compile(r"[0-9a-f]{64}\.json")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Told:
    """Facts about a model; None is not told.

    Attributes
    ----------
    classes : tuple of str, optional
        Names of the classes in output order; empty if they are not to be named.
    standardize : str, optional
        How pixel values are scaled: one of `MODES`.
    size : tuple of int, optional
        (width, height) of the model's input in pixels.
    activation : str, optional
        What makes probabilities of the model's numbers: ``"softmax"``, ``"sigmoid"``, the model itself (``"in-model"``)
        or nothing (``"none"``).
    output : str, optional
        Which of several outputs gives the classes: its name, or its number from 0.
    """

    classes: tuple[str, ...] | None = None
    standardize: str | None = None
    size: tuple[int, int] | None = None
    activation: str | None = None
    output: str | None = None

    def over(self, older: Told) -> Told:
        """Return both; where both tell something, this one counts."""
        return replace(older, **{f.name: value for f in fields(self) if (value := getattr(self, f.name)) is not None})


def tell(
    classes: Sequence[str] | None,
    standardize: str | None,
    size: tuple[int, int] | None,
    activation: str | None,
    output: str | int | None = None,
) -> Told:
    """Check what the user tells.

    Raises
    ------
    OptionError
        Something in it means nothing.
    """
    names = None if classes is None else tuple(name.strip() for name in classes)
    if names is not None and ("" in names or len(set(names)) < len(names)):
        raise OptionError(f"The class names {list(names)} are not usable.", "Give each class one name of its own.")
    if standardize is not None and standardize not in MODES:
        raise OptionError(f"There is no standardise mode {standardize!r}.", f"Choose one of {', '.join(MODES)}.")
    if size is not None and not all(1 <= length <= 8192 for length in size):
        raise OptionError(f"A model input of {size[0]}x{size[1]} pixels is not possible.", "Give WIDTHxHEIGHT.")
    if activation is not None and activation not in ACTIVATIONS:
        raise OptionError(f"There is no activation {activation!r}.", f"Choose one of {', '.join(ACTIVATIONS)}.")
    return Told(names, standardize, size, activation, None if output is None else str(output))


def apply(card: ModelCard, told: Told) -> ModelCard:
    """Write into a card what was told about the model."""
    update: dict[str, Any] = {}
    if told.classes is not None:
        update["classes"] = entries(told.classes)
        update["provenance"] = {key: value for key, value in card.provenance.items() if key != "labels"}
    if told.standardize is not None:
        kept = card.preprocessing.model_dump(exclude={"profile"}) if card.preprocessing else {}
        scaling: dict[str, Any] = {"standardize_mode": told.standardize, "rescale": None, "mean": None, "std": None}
        if told.standardize == UNIT:
            scaling |= {"standardize_mode": "custom", "rescale": 1 / 255}
        update["preprocessing"] = Preprocessing.model_validate({**kept, **scaling})
    if told.size is not None:
        kept = card.input.model_dump() if card.input else {}
        update["input"] = Input.model_validate({**kept, "width": told.size[0], "height": told.size[1]})
    output = {"activation": told.activation, "tensor_name": told.output}
    if given := {key: value for key, value in output.items() if value is not None}:
        update["output"] = Output.model_validate({**card.output.model_dump(), **given})
    return card.model_copy(update=update)


def recall(checksum: str) -> Told:
    """Return what was told about a model with these files; nothing if that is not to be understood."""
    path = path_of(checksum)
    document = read_note(path)
    if document is None:
        if path.exists():
            _log.warning("What was told about a model is damaged: %s", path)
        return Told()
    try:
        size = document["size"]
        return tell(
            document["classes"],
            document["standardize"],
            size and (int(size[0]), int(size[1])),
            document["activation"],
            document.get("output"),
        )
    except (ValueError, TypeError, LookupError, AttributeError, OptionError) as error:
        _log.warning("What was told about a model cannot be read from %s: %s", path, error)
        return Told()


def keep(checksum: str, told: Told) -> None:
    """Write down what was told; a cache that cannot be written only means that it will be asked again."""
    path = path_of(checksum)
    if link := holds_link(path.parent):
        _log.info("What was told about the model is not kept: %s is a link.", link)
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_note(path, asdict(told))
    except OSError as error:
        _log.info("What was told about the model is not kept: %s", error.strerror)


def path_of(checksum: str) -> Path:
    """Return where that lies or would lie for a model with these files (``sha256:<hex>``)."""
    name = f"{checksum.removeprefix('sha256:')}.json"
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a SHA-256 checksum: {checksum!r}")
    return settings.current().cache_folder / TOLD / name
