"""A model of the user's own classes, written to a file."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred import file_errors, settings
from napari_webipred._napari.own_classes.learning import Learned, judging_of, labels_of_given
from napari_webipred.errors import OptionError
from napari_webipred.names import readable, slug

if TYPE_CHECKING:
    from napari_webipred.fitting.honest import Honest
    from napari_webipred.model import Model
    from napari_webipred.options import Options
else:
    Honest = Model = Options = Any  # imported when first needed, and `help` asks for the types of fields

FOLDER = "own"  # in the cache folder, for models that are used before they are saved


class Wanted(Struct, frozen=True, eq=False):
    """What a model is made of.

    Attributes
    ----------
    base : Model
    learned : Learned
        With a head.
    features : ndarray of float32, shape (pictures, channels)
    judged : Honest or None
        How good the head is; None if that is still to be computed.
    options : Options
        How images were read.
    name : str
        What the model is called.
    unread : int
        How many images have a label, and could not be read.
    """

    base: Model
    learned: Learned
    features: NDArray[np.float32]
    judged: Honest | None
    options: Options
    name: str
    unread: int = 0


def making(wanted: Wanted, path: Path | None) -> Generator[Any, None, Path]:
    """Write a model; into the cache folder if the user has named no file.

    Yields
    ------
    int, int
        How far the figures are.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ModelError
        The base cannot be written with another head.
    OptionError
        The file cannot be written.
    """
    from napari_webipred.fitting.fitting import remarks_of
    from napari_webipred.fitting.honest import FEW_GROUPS, warnings
    from napari_webipred.fitting.own_model import own_model

    yield 0, 0
    head, given, judged = wanted.learned.head, wanted.learned.given, wanted.judged
    assert head is not None
    labels = labels_of_given(given)
    if judged is None and len(set(labels.units.tolist())) >= FEW_GROUPS:
        with closing(judging_of(given, wanted.features)) as steps:
            judged = yield from steps
    model = own_model(
        wanted.base,
        head,
        labels=labels,
        honest=judged,
        name=wanted.name,
        preprocessing=wanted.base.card.preprocessing_under(wanted.options.profile),
        remarks=remarks_of(wanted.unread, wanted.options) + (() if judged is not None else tuple(warnings(labels))),
    )
    yield 0, 0
    target = _own_file(wanted.name) if path is None else path
    return model.save(target)


def _own_file(name: str) -> Path:
    """Return where a model is kept that the user has not saved; those of two names never in the same file."""
    from napari_webipred.fitting.own_card import OWN

    short = slug(name, OWN)  # which names such as “Cells 1” and “cells-1” share, and all without a letter of ASCII
    stem = short if short == name else f"{short}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    path = settings.current().cache_folder / FOLDER / f"{stem}.zip"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise OptionError(f"The model cannot be kept as {readable(str(path))}: {reason}.", remedy) from error
    return path
