"""What the small files beside a model say about it: a card, the names of its classes, how Teachable Machine made it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from pathlib import PurePosixPath
from typing import Any

from napari_webipred import formats, safe_json
from napari_webipred.archive.entry import MAX_SIDE_BYTES
from napari_webipred.archive.label_files import CARD_FILE, LABEL_FILES, SIDE_FILES, names_in
from napari_webipred.card import ModelCard, Output, PartialCard, Preprocessing, Provenance, named
from napari_webipred.catalogue import bioimageio
from napari_webipred.errors import ModelError, TooLargeError
from napari_webipred.field_values import ValidationError
from napari_webipred.merge import merge

# How Teachable Machine prepares images, and what comes out of its image models, wherever they are used.
TEACHABLE_MACHINE = PartialCard(
    preprocessing=Preprocessing.model_validate({"profile": "teachable-machine"}), output=Output(activation="in-model")
)
_MAX_TOPOLOGIES = 16


def completed(card: ModelCard, files: Mapping[str, bytes], near: str | None = None) -> ModelCard:
    """Complete a card by what lies beside the model.

    Read are, the first that says something counts: ``webipred.json`` (a whole card; its name and identifier count
    for a user's own model), the files that name classes in the order of
    `napari_webipred.archive.label_files.LABEL_FILES`, ``userDefinedMetadata`` of a topology, WebIPred's metrics, and a
    description for the BioImage Model Zoo.

    Parameters
    ----------
    card : ModelCard
    files : mapping of str to bytes
        Files of the model by their names; of two with the same last part, that nearest to the model counts.
    near : str, optional
        Name of the model's file, if that is known; else those nearest to the top count.

    Returns
    -------
    ModelCard
        ``provenance.labels`` names the file that the classes come from; ``provenance.assumed`` says what could not be
        taken from the files.

    Raises
    ------
    ModelError
        There is a ``webipred.json`` that is not a valid card.
    """
    card = merge(card, *_side_files(files, near))
    if not card.classes:
        card = merge(card, *_topologies(files))
    if not card.metrics:
        card = merge(card, _published_metrics(files, near))
    return merge(card, *bioimageio.describe_package(files))


def _side_files(files: Mapping[str, bytes], near: str | None) -> Iterator[PartialCard]:
    if name := _find(files, CARD_FILE, near):
        yield _with_entry_below(PurePosixPath(name).parent, _read_card(name, files[name]), files)
    for base, read in LABEL_FILES.items():
        if (name := _find(files, base, near)) is None:
            continue
        try:
            content = files[name]
            names = read(content)
        except TooLargeError as error:
            yield PartialCard(provenance=Provenance(assumed=(f"{name} is not read: {error.message}",)))
            continue
        except ValueError as error:
            yield PartialCard(provenance=Provenance(assumed=(f"{name} is not read: {error}.",)))
            continue
        yield PartialCard(classes=named(names), provenance=Provenance(labels=name))
        if base == "metadata.json" and _is_teachable_machine(content):
            yield TEACHABLE_MACHINE


def _published_metrics(files: Mapping[str, bytes], near: str | None) -> PartialCard:
    """Read metrics in the format of WebIPred; those of its Python model stand in ``python`` beside the others."""
    found: dict[str, Any] = {}
    for base, source in formats.METRIC_FILES.items():
        name = _find(files, base, near)
        document = None if name is None else _small_json(files, name)
        if not isinstance(document, dict) or not isinstance(document.get("recall"), list):
            continue  # something else is called so
        if not found:
            found = {**document, "source": source}
        elif source == "Python":
            found["python"] = document
    return PartialCard(metrics=found) if found else PartialCard()


def _small_json(files: Mapping[str, bytes], name: str) -> Any:
    try:
        content = files[name]
        return safe_json.parse(content) if len(content) <= MAX_SIDE_BYTES else None
    except (TooLargeError, ValueError):  # no metrics that could be shown
        return None


def _topologies(files: Mapping[str, bytes]) -> Iterator[PartialCard]:
    others = (n for n in files if n.lower().endswith(".json") and PurePosixPath(n).name not in SIDE_FILES)
    for name in islice(others, _MAX_TOPOLOGIES):
        with suppress(TooLargeError, ValueError):  # whatever it is, it is no topology with names
            yield PartialCard(classes=named(names_in(_published(files[name]))), provenance=Provenance(labels=name))


def _find(files: Mapping[str, bytes], base: str, near: str | None) -> str | None:
    """Find a file by the last part of its name: beside the model, in the folders around it, or else below."""
    home = PurePosixPath(near or "").parent.parts

    def distance(name: str) -> tuple[bool, int, str]:
        folder = PurePosixPath(name).parent.parts
        below = len(folder) > len(home)
        return below, abs(len(folder) - len(home)), name

    def related(name: str) -> bool:
        folder = PurePosixPath(name).parent.parts
        return all(a == b for a, b in zip(folder, home, strict=False))

    return min((n for n in files if PurePosixPath(n).name == base and related(n)), key=distance, default=None)


def _read_card(name: str, content: bytes) -> PartialCard:
    try:
        return PartialCard.model_validate({**safe_json.parse(content)})
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise ModelError(f"The model card {name} is not valid: {places}.", "Correct the file or remove it.") from error
    except (ValueError, TypeError) as error:
        raise ModelError(f"The model card {name} is not a JSON object.", "Correct the file or remove it.") from error


def _with_entry_below(folder: PurePosixPath, card: PartialCard, files: Mapping[str, bytes]) -> PartialCard:
    """Let a card that lies in a folder name its model as it is called there."""
    if not card.weights or (beside := (folder / (card.weights[0].entry_point or "")).as_posix()) not in files:
        return card
    weights = card.weights[0].model_copy(update={"entry_point": beside})
    return card.model_copy(update={"weights": (weights, *card.weights[1:])})


def _is_teachable_machine(content: bytes) -> bool:
    document = safe_json.parse(content)
    if not isinstance(document, dict):
        return False
    return "tmVersion" in document and document.get("packageName", "@teachablemachine/image") in (
        "@teachablemachine/image",
        "",
    )


def _published(content: bytes) -> Any:
    """Return what the publisher of a TensorFlow.js model has added to its topology."""
    if b'"userDefinedMetadata"' not in content:
        return None
    try:
        document = safe_json.parse(content)
    except ValueError:  # whoever reads the model says so
        return None
    metadata = document.get("userDefinedMetadata") if isinstance(document, dict) else None
    return metadata if isinstance(metadata, dict) else None
