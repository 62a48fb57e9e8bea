"""What the files of a model without a card say about themselves: its classes and how it wants images."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from napari_webipred import formats, safe_json
from napari_webipred.archive.entry import MAX_SIDE_BYTES
from napari_webipred.archive.label_files import CARD_FILE, LABEL_FILES, SIDE_FILES, names_in
from napari_webipred.card import (
    ClassEntry,
    ModelCard,
    Output,
    Preprocessing,
    Weights,
    WeightSource,
    unnamed,
)
from napari_webipred.download.remote_file import wanted
from napari_webipred.errors import ModelError, TooLargeError
from napari_webipred.names import visible

_MAX_TOPOLOGIES = 16
_SHOWN = 3


def card_of_path(path: Path) -> ModelCard:
    """Make a card for the user's own file, of its name alone; what it is, is known once it is opened."""
    path = path.resolve()
    stem = path.parent.name if path.name == formats.BY_ID["saved-model"].file_name else path.stem
    named = formats.format_of(path.name)
    weights = Weights(format=named.id if named else formats.ZIPPED, source=WeightSource(type="local"))
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:128] or "model"
    return ModelCard(id=slug, name=visible(stem) or "model", weights=(weights,))


def with_format(card: ModelCard, found: str | None) -> ModelCard:
    """Write the format of a model into its card: for certain it is known when the file is opened."""
    if found is None:
        return card
    opened = opened_weights(card)
    weights = tuple(each.model_copy(update={"format": found}) if each is opened else each for each in card.weights)
    return card.model_copy(update={"weights": weights})


def with_choice(card: ModelCard, entry: str | None) -> ModelCard:
    """Note that the user chose another file than the one that the card beside it is about, if so."""
    named = entry_point(card) if is_local(card) else None
    if entry is None or named is None or PurePosixPath(named).name == PurePosixPath(entry).name:
        return card
    return assume(card, f"The card beside {entry} is about {named}. It is used, but {entry} is the model.")


def opened_weights(card: ModelCard) -> Weights | None:
    """Return which of a card's weights are opened: those that are fetched, or the first."""
    return wanted(card) or next(iter(card.weights), None)


def entry_point(card: ModelCard) -> str | None:
    """Return which file of a model a card names."""
    weights = opened_weights(card)
    return weights.entry_point if weights else None


def is_local(card: ModelCard) -> bool:
    """Tell whether this is the card of a user's own file."""
    return any(weights.source.type == "local" for weights in card.weights)


def entries(names: Sequence[str]) -> tuple[ClassEntry, ...]:
    """Make classes of names in output order."""
    return tuple(ClassEntry(index=i, name=name) for i, name in enumerate(names))


def numbered(count: int) -> tuple[ClassEntry, ...]:
    """Make so many classes that nobody has named."""
    return tuple(map(unnamed, range(count)))


def fill(card: ModelCard, files: Mapping[str, bytes], near: str | None = None) -> ModelCard:
    """Complete a card by what lies beside the model.

    Read are, the first that says something counts: ``webipred.json`` (a whole card; its name and identifier count
    for a user's own model), the files that name classes in the order of
    `napari_webipred.archive.label_files.LABEL_FILES`, and ``userDefinedMetadata`` of a topology. Never does a file
    overrule what the card says already; that it says something else is noted.

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
        ``provenance["labels"]`` names the file that the classes come from; ``provenance["assumed"]`` is a list of
        sentences about what could not be taken from the files.

    Raises
    ------
    ModelError
        There is a ``webipred.json`` that is not a valid card.
    """
    if own := _find(files, CARD_FILE, near):
        card = _merge(card, own, files)
    for base, read in LABEL_FILES.items():
        if (name := _find(files, base, near)) is None:
            continue
        try:
            content = files[name]
            names = read(content)
        except TooLargeError as error:
            card = assume(card, f"{name} is not read: {error.message}")
            continue
        except ValueError as error:
            card = assume(card, f"{name} is not read: {error}.")
            continue
        if base == "metadata.json" and _is_teachable_machine(content):
            card = _with_teachable_machine(card)
        card = _with_labels(card, name, names)
    if not card.classes:
        others = (n for n in files if n.lower().endswith(".json") and PurePosixPath(n).name not in SIDE_FILES)
        for name in islice(others, _MAX_TOPOLOGIES):
            with suppress(TooLargeError, ValueError):  # whatever it is, it is no topology with names
                card = _with_labels(card, name, names_in(_published(files[name])))
    return card


def fill_from_properties(card: ModelCard, properties: Mapping[str, str]) -> ModelCard:
    """Complete a card by the properties (``metadata_props``) that an ONNX file carries.

    Parameters
    ----------
    card : ModelCard
    properties : mapping of str to str
        ``names``, ``classes`` or ``labels``: class names as JSON, as a Python list or dict, or separated by commas or
        line ends. ``Image.NominalPixelRange``: the pixel range that the model takes.
    """
    for key in ("names", "classes", "labels", "class_names"):
        told = card.classes and "labels" not in card.provenance  # by the user or the publisher's card
        if (text := properties.get(key)) and len(text) <= MAX_SIDE_BYTES and not told:
            source = f"the property {key} of the model"
            try:
                card = _with_labels(card, source, names_in(_parse_property(text)))
            except ValueError as error:
                card = assume(card, f"{source} is not read: {error}.")
    scaling = _PIXEL_RANGES.get(properties.get("Image.NominalPixelRange", ""))
    if card.preprocessing is None and scaling:
        card = card.model_copy(update={"preprocessing": Preprocessing.model_validate(scaling)})
    return card


# The values that the ONNX specification of image models defines; video range (16 to 235) cannot be expressed.
_PIXEL_RANGES: dict[str, dict[str, Any]] = {
    "NominalRange_0_255": {"standardize_mode": "none"},
    "Normalized_0_1": {"standardize_mode": "custom", "rescale": 1 / 255},
    "Normalized_1_1": {"standardize_mode": "tf"},
}


def fill_from_profile(card: ModelCard, profile: str | None) -> ModelCard:
    """Take the preprocessing of the program that has made a model, as its structure tells, if the classes are known.

    Parameters
    ----------
    card : ModelCard
    profile : str or None
        Only ``"teachable-machine"`` can be known.
    """
    if profile != "teachable-machine" or card.preprocessing is not None or not card.classes:
        return card
    return assume(
        _with_teachable_machine(card),
        "The network is built as Teachable Machine builds its image models, so images are prepared as there: the "
        "largest square in the centre is used, and the rest is cut off.",
    )


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


def _read_card(name: str, content: bytes) -> ModelCard:
    try:
        return ModelCard.model_validate({"id": "model", "name": "model", **safe_json.parse(content)})
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise ModelError(f"The model card {name} is not valid: {places}.", "Correct the file or remove it.") from error
    except (ValueError, TypeError) as error:
        raise ModelError(f"The model card {name} is not a JSON object.", "Correct the file or remove it.") from error


def _merge(card: ModelCard, name: str, files: Mapping[str, bytes]) -> ModelCard:
    """Take what the model's own card says where the card at hand says nothing."""
    own = _read_card(name, files[name])
    names = {"id", "name"} & own.model_fields_set if is_local(card) else set()
    lacking = {key for key in own.model_fields_set if not getattr(card, key, None) or key not in card.model_fields_set}
    taken = (names | lacking) - {"weights", "schema_version"}
    if is_local(card) and own.name == "model":
        taken.discard("name")
    if is_local(card) and own.id == "model":
        taken.discard("id")
    update = {key: getattr(own, key) for key in taken}
    if own.weights and (entry := own.weights[0].entry_point) and len(card.weights) == 1:
        beside = (PurePosixPath(name).parent / entry).as_posix()
        chosen = card.weights[0].entry_point or (beside if beside in files else entry)
        update["weights"] = (card.weights[0].model_copy(update={"entry_point": chosen}),)
    return card.model_copy(update=update)


def _is_teachable_machine(content: bytes) -> bool:
    document = safe_json.parse(content)
    if not isinstance(document, dict):
        return False
    return "tmVersion" in document and document.get("packageName", "@teachablemachine/image") in (
        "@teachablemachine/image",
        "",
    )


def _with_teachable_machine(card: ModelCard) -> ModelCard:
    """Say how Teachable Machine prepares images and what comes out of its image models, wherever they are used."""
    update: dict[str, Any] = {}
    if card.preprocessing is None:
        update["preprocessing"] = Preprocessing.model_validate({"profile": "teachable-machine"})
    if "output" not in card.model_fields_set:
        update["output"] = Output(activation="in-model")
    return card.model_copy(update=update)


def _with_labels(card: ModelCard, source: str, names: list[str]) -> ModelCard:
    """Give a card without classes these ones; note if it has others."""
    if not names:
        return card
    if not card.classes:
        provenance = {**card.provenance, "labels": source}
        return card.model_copy(update={"classes": entries(_distinct(names)), "provenance": provenance})
    known = card.provenance.get("labels", "the card")
    if known == source or list(map(_plain, _distinct(names))) in _names_of(card):
        return card
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return assume(card, f"{source} names the classes differently ({shown}); those of {known} are used.")


def _names_of(card: ModelCard) -> list[list[str]]:
    """Return the names of the classes, and those that are for people, as far as spelling does not matter."""
    return [
        [_plain(entry.name) for entry in card.classes],
        [_plain(entry.label or entry.name) for entry in card.classes],
    ]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name).strip().casefold()


def assume(card: ModelCard, sentence: str) -> ModelCard:
    """Note in a card what could only be assumed."""
    assumed = [*card.provenance.get("assumed", []), sentence]
    assumed = list(dict.fromkeys(assumed))  # a file may be read again
    return card.model_copy(update={"provenance": {**card.provenance, "assumed": assumed}})


def fit_labels(card: ModelCard, wanted: int) -> ModelCard:
    """Remove the classes, and note that, if the names found beside the model are not as many as its classes.

    Names that the user or the publisher's card gives are not touched.
    """
    source = card.provenance.get("labels")
    count = len(card.classes)
    if source is None or count in (0, wanted):
        return card
    without = card.model_copy(update={"classes": ()})
    names = f"{count} class{'es' * (count != 1)}"
    return assume(without, f"{source} names {names}, but the model has {wanted}: they are numbered.")


def label_names(document: Any) -> list[str]:
    """Return the class names that a JSON value holds, clean and each only once; none if they cannot be used."""
    try:
        return _distinct(names_in(document))
    except ValueError:
        return []


def _distinct(names: list[str]) -> list[str]:
    """Tell equal names apart by their index; ImageNet calls a bird and a machine crane."""
    counts = Counter(names)
    return [f"{name} ({i})" if counts[name] > 1 else name for i, name in enumerate(names)]


def _parse_property(text: str) -> Any:
    """Parse JSON or what Python prints; anything else is a list of parts."""
    if safe_json.excess(text):
        return None
    for parse in (safe_json.parse, ast.literal_eval):
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return parse(text)
    return [part for part in re.split(r"[,;\n]", text) if part.strip()]


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
