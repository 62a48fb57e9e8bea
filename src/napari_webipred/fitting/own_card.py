"""The card of a model with a head for own classes."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred import __version__, licences
from napari_webipred.card import SCHEMA_VERSION, Base, Citation, FittedTo, named
from napari_webipred.catalogue import local_model
from napari_webipred.fitting.project import LONGEST
from napari_webipred.names import listed, slug

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from napari_webipred.card import ModelCard, Preprocessing
    from napari_webipred.fitting.head import Head
    from napari_webipred.fitting.honest import Honest
    from napari_webipred.fitting.labels import Labels
    from napari_webipred.model import Model

TOLERANCE = 1e-3  # of the self-test: other programs and processors round differently
OWN = "own-classes"  # the identifier of a model whose name has no letter of ASCII
_USE = (
    "Images like those that the head was fitted to, made in the same way. For research; not for diagnosis unless the "
    "model is evaluated for it."
)
_LIKE = "Figures are those of images like the labelled ones; other devices, stains or patients may give worse ones."
_LIMITS = {
    "single": "The probabilities are those of images of which each class is as common as the others. An image that "
    f"shows none of the classes gets one of them all the same. {_LIKE}",
    "multi": "The probabilities of each class are those of images of which half have it. " + _LIKE,
}


def own_card(
    base: Model,
    head: Head,
    entry: str,
    *,
    labels: Labels | None = None,
    honest: Honest | None = None,
    name: str = "",
    preprocessing: Preprocessing | None = None,
    remarks: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Write the card, as JSON values, still without its self-test.

    Parameters
    ----------
    base : Model
        The published model.
    head : Head
    entry : str
        Name of the file with the network.
    labels : Labels, optional
        What the head was fitted to; only counts are taken from it.
    honest : Honest, optional
        How good it is.
    name : str
        What the model is called; by default its classes.
    preprocessing : Preprocessing, optional
        How the images were prepared, if not as the base's card says.
    remarks : tuple of str
        What else should be known.
    """
    card = base.card
    title = (name.strip() or f"Own classes: {', '.join(head.classes)}")[:LONGEST]
    body, prepared = body_of(card, base.checksum, base.path), preprocessing or card.preprocessing
    warned = honest.warnings if honest else ()
    notes = (*remarks, *warned, *licences.doubts(card.license, card.license))
    fitted = None if labels is None else _fitted(head, labels)
    return {
        "schema_version": SCHEMA_VERSION,
        "id": slug(title, OWN),
        "name": title,
        "version": "1",
        "description": _description(head, body, labels),
        "task": "multi-class" if head.task == "single" else "multi-label",
        "classes": [each.model_dump(mode="json", exclude_unset=True) for each in named(head.classes)],
        "input": _input(card),
        "preprocessing": None if prepared is None else prepared.model_dump(mode="json", exclude_none=True),
        "output": {"activation": "in-model"},
        "weights": [{"format": _format(entry), "source": {"type": "local"}, "entry_point": entry}],
        "license": card.license,
        "citations": [each.model_dump(mode="json", exclude_none=True) for each in _citations(card, body)],
        "intended_use": _USE,
        "limitations": _LIMITS[head.task],
        "metrics": honest.as_metrics() if honest else {},
        "base": body.model_dump(mode="json", exclude_none=True),
        **({"fitted_to": fitted.model_dump(mode="json", exclude_none=True)} if fitted else {}),
        "provenance": {"notes": list(filter(None, notes))},
    }


def self_test(picture: NDArray[np.uint8], probabilities: NDArray[np.float32]) -> dict[str, Any]:
    """Write the test of a card: a synthetic picture, and what the model says of it."""
    from PIL import Image

    written = BytesIO()
    Image.fromarray(picture).save(written, "PNG", optimize=True)
    return {
        "image": f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}",
        "probabilities": [float(each) for each in probabilities],
        "tolerance": TOLERANCE,
    }


def synthetic_picture() -> NDArray[np.uint8]:
    """Make a picture of waves and edges by a formula, the same everywhere; uint8, shape (72, 96, 3)."""
    rows, columns = np.mgrid[0:72, 0:96]
    waves = [128 + 100 * np.sin((rows * a + columns * b) / 9) for a, b in ((1, 0), (0.3, 0.8), (-0.7, 0.7))]
    picture = np.stack(waves, axis=-1)
    picture[20:50, 30:70] = 255 - picture[20:50, 30:70]
    return np.round(picture).astype(np.uint8)


def body_of(card: ModelCard, checksum: str, path: Path | None = None) -> Base:
    """Say whose body a model has that is made of this one: its own, or that of its base; never the name of a file."""
    if card.base is not None:
        return card.base
    name: str = card.name
    identifier: str | None = card.id
    if path is not None and card.is_unpublished:
        of_file = local_model.card_of_path(path)
        name = local_model.UNNAMED if name == of_file.name else name
        identifier = None if identifier == of_file.id else identifier
    return Base(name=name, id=identifier, doi=card.record_doi, license=card.license, checksum=checksum)


def _format(entry: str) -> str:
    return "onnx" if entry.endswith(".onnx") else "tfjs-layers"


def _input(card: ModelCard) -> dict[str, Any] | None:
    if card.input is None:
        return None
    kept = {"width", "height", "channels", "channel_order"}
    return card.input.model_dump(mode="json", include=kept, exclude_none=True)


def _description(head: Head, body: Base, labels: Labels | None) -> str:
    where = f" ({body.doi})" if body.doi else ""
    text = f"Tells {listed(head.classes)} apart, by the features of {body.name}{where}; only the last layer is new."
    if labels is not None:
        counts = ", ".join(f"{name} {count}" for name, count in labels.counts.items())
        grouped = "" if labels.groups is None else f" of {len(np.unique(labels.groups))} groups"
        text += f" It was fitted to {len(labels)} labelled images{grouped}: {counts}."
    return f"{text} Made with napari-webipred {__version__}."


def _fitted(head: Head, labels: Labels) -> FittedTo:
    return FittedTo(
        images=len(labels),
        of_class=labels.counts,
        groups=None if labels.groups is None else len(np.unique(labels.groups)),
        seed=head.calibration.seed if head.calibration else 0,
        strength=head.strength,
        calibration=_calibration(head),
    )


def _calibration(head: Head) -> dict[str, Any] | None:
    if head.calibration is None:
        return None
    said = head.calibration.as_dict()
    kept = ("method", "temperature") if said["method"] == "temperature" else ("method", "slopes", "offsets")
    return {key: said[key] for key in kept}


def _citations(card: ModelCard, body: Base) -> tuple[Citation, ...]:
    if body.doi is None or any(each.doi == body.doi for each in card.citations):
        return card.citations
    return (*card.citations, Citation(text=f"The base model: {body.name}.", doi=body.doi))
