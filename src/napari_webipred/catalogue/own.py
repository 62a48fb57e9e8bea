"""What the files of a model without a card say about themselves: its classes and how it wants pictures."""

from __future__ import annotations

import ast
import codecs
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import ValidationError

from napari_webipred import outside_json
from napari_webipred.catalogue.card import (
    ClassEntry,
    ModelCard,
    Output,
    Preprocessing,
    Weights,
    WeightSource,
    unnamed,
)
from napari_webipred.catalogue.member import MAX_SIDE_BYTES
from napari_webipred.errors import ModelError, TooLargeError
from napari_webipred.names import visible

CARD_FILE = "webipred.json"
LABEL_FILES = ("metadata.json", "class_names.json", "labels.txt")
SIDE_FILES = (CARD_FILE, *LABEL_FILES)

_MAX_TOPOLOGIES = 16
_MAX_LABELS = 100_000
_MAX_LABEL = 200


def card_of_path(path: Path) -> ModelCard:
    """Make a card for the user's own file, with nothing in it but a name."""
    path = path.resolve()
    stem = path.parent.name if path.name == "saved_model.pb" else path.stem
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:128] or "model"
    return ModelCard(id=slug, name=visible(stem) or "model", weights=(_LOCAL,))


_LOCAL = Weights(format="tfjs-layers", source=WeightSource(type="local"))


def is_local(card: ModelCard) -> bool:
    """Tell whether this is the card of a user's own file."""
    return any(weights.source.type == "local" for weights in card.weights)


def entries(names: Sequence[str]) -> tuple[ClassEntry, ...]:
    """Make classes of names in output order."""
    return tuple(ClassEntry(index=i, name=name) for i, name in enumerate(names))


def numbered(count: int) -> tuple[ClassEntry, ...]:
    """Make so many classes that nobody has named."""
    return tuple(map(unnamed, range(count)))


def fill(card: ModelCard, files: Mapping[str, bytes]) -> ModelCard:
    """Complete a card by what lies beside the model.

    Read are, the first that says something counts: ``webipred.json`` (a whole card; its name and identifier count
    for a user's own model), ``metadata.json`` of Teachable Machine, ``class_names.json``, ``labels.txt`` (a name a
    line), and ``userDefinedMetadata`` of a topology. Never does a file overrule what the card says already.

    Parameters
    ----------
    card : ModelCard
    files : mapping of str to bytes
        Files of the model by their names; those nearest to the top count.

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
    if own := _find(files, CARD_FILE):
        card = _merge(card, _read_card(own, files[own]))
    for base in LABEL_FILES:
        if (name := _find(files, base)) is None:
            continue
        try:
            document = _lines_of(files[name]) if base == "labels.txt" else outside_json.parse(files[name])
        except TooLargeError as error:
            card = assume(card, f"{name} is not read: {error.message}")
            continue
        except ValueError as error:
            card = assume(card, f"{name} is not read: {error}.")
            continue
        if base == "metadata.json" and _is_teachable_machine(document):
            card = _with_teachable_machine(card)
        if base != "metadata.json" or isinstance(document, dict):
            card = _with_labels(card, name, _labels_of(document))
    if not card.classes:
        others = (n for n in files if n.lower().endswith(".json") and PurePosixPath(n).name not in SIDE_FILES)
        for name in islice(others, _MAX_TOPOLOGIES):
            with suppress(TooLargeError):  # whatever it is, it is no topology
                card = _with_labels(card, name, _labels_of(_published(files[name])))
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
        if (text := properties.get(key)) and len(text) <= MAX_SIDE_BYTES:
            card = _with_labels(card, f"the property {key} of the model", _labels_of(_parse_property(text)))
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


def _find(files: Mapping[str, bytes], base: str) -> str | None:
    """Find a file by the last part of its name, nearest to the top."""
    names = [name for name in files if PurePosixPath(name).name == base]
    return min(names, key=lambda name: (name.count("/"), name), default=None)


def _read_card(name: str, content: bytes) -> ModelCard:
    try:
        return ModelCard.model_validate({"id": "model", "name": "model", **outside_json.parse(content)})
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        raise ModelError(f"The model card {name} is not valid: {places}.", "Correct the file or remove it.") from error
    except (ValueError, TypeError) as error:
        raise ModelError(f"The model card {name} is not a JSON object.", "Correct the file or remove it.") from error


def _merge(card: ModelCard, own: ModelCard) -> ModelCard:
    """Take what the model's own card says where the card at hand says nothing."""
    names = {"id", "name"} & own.model_fields_set if is_local(card) else set()
    lacking = {key for key in own.model_fields_set if not getattr(card, key, None) or key not in card.model_fields_set}
    wanted = (names | lacking) - {"weights", "schema_version"}
    if is_local(card) and own.name == "model":
        wanted.discard("name")
    if is_local(card) and own.id == "model":
        wanted.discard("id")
    return card.model_copy(update={key: getattr(own, key) for key in wanted})


def _is_teachable_machine(document: Any) -> bool:
    if not isinstance(document, dict):
        return False
    return "tmVersion" in document and document.get("packageName", "@teachablemachine/image") in (
        "@teachablemachine/image",
        "",
    )


def _with_teachable_machine(card: ModelCard) -> ModelCard:
    """Say how Teachable Machine prepares pictures and what comes out of its image models, wherever they are used."""
    update: dict[str, Any] = {}
    if card.preprocessing is None:
        update["preprocessing"] = Preprocessing.model_validate({"profile": "teachable-machine"})
    if "output" not in card.model_fields_set:
        update["output"] = Output(activation="in-model")
    return card.model_copy(update=update)


def _with_labels(card: ModelCard, source: str, labels: list[str] | str) -> ModelCard:
    """Give a card without classes these ones, or note why they are not used."""
    if card.classes or not labels:
        return card
    if isinstance(labels, str):
        return assume(card, f"{source} {labels}")
    provenance = {**card.provenance, "labels": source}
    return card.model_copy(update={"classes": entries(_distinct(labels)), "provenance": provenance})


def assume(card: ModelCard, sentence: str) -> ModelCard:
    """Note in a card what could only be assumed."""
    assumed = [*card.provenance.get("assumed", []), sentence]
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


def _labels_of(document: Any) -> list[str] | str:
    """Take names out of a JSON value: a list, names by index, indices by name, or one of these under a known key."""
    if isinstance(document, dict):
        for key in ("labels", "classes", "class_names", "classNames", "names"):
            if isinstance(document.get(key), (list, dict)):
                return _labels_of(document[key])
        pairs = list(document.items())
        if pairs and all(str(key).isdecimal() and len(str(key)) < 8 and isinstance(v, str) for key, v in pairs):
            document = _in_order([(int(key), value) for key, value in pairs])
        elif pairs and all(type(value) is int for _, value in pairs):
            document = _in_order([(value, str(key)) for key, value in pairs])
        else:
            return []
    if not isinstance(document, list) or not document:
        return []
    return _checked(document)


def label_names(document: Any) -> list[str]:
    """Return the class names that a JSON value holds, clean and each only once; none if they cannot be used."""
    names = _labels_of(document)
    return [] if isinstance(names, str) else _distinct(names)


def _in_order(pairs: list[tuple[int, str]]) -> list[str] | None:
    pairs.sort()
    return [name for _, name in pairs] if [index for index, _ in pairs] == list(range(len(pairs))) else None


def _checked(labels: Sequence[Any]) -> list[str] | str:
    """Return the labels as clean text, or words that say why they are not used."""
    if len(labels) > _MAX_LABELS:
        return f"names more than {_MAX_LABELS} classes, which cannot be."
    if not all(isinstance(label, (str, int)) for label in labels):
        return "holds class names that are no text."
    names = [" ".join(str(label).split()) for label in labels]
    if not all(0 < len(name) <= _MAX_LABEL and name.isprintable() for name in names):
        return "holds class names that are empty, too long or not printable."
    return names


def _distinct(names: list[str]) -> list[str]:
    """Tell equal names apart by their index; ImageNet calls a bird and a machine crane."""
    counts = Counter(names)
    return [f"{name} ({i})" if counts[name] > 1 else name for i, name in enumerate(names)]


def _lines_of(content: bytes) -> list[str]:
    """Read a name a line; numbers before them, as in exports of Teachable Machine, are left out if they count up."""
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        lines = [line.strip() for line in content.decode(encoding).splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error
    while lines and not lines[-1]:
        lines.pop()
    numbered = [re.fullmatch(r"(\d{1,6})[ \t:,]+(.+)", line) for line in lines]
    if all(match and int(match[1]) == i for i, match in enumerate(numbered)):
        lines = [match[2] for match in numbered if match]
    return lines


def _parse_property(text: str) -> Any:
    """Parse JSON or what Python prints; anything else is a list of parts."""
    if outside_json.excess(text):
        return None
    for parse in (outside_json.parse, ast.literal_eval):
        with suppress(ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return parse(text)
    return [part for part in re.split(r"[,;\n]", text) if part.strip()]


def _published(content: bytes) -> Any:
    """Return what the publisher of a TensorFlow.js model has added to its topology."""
    if b'"userDefinedMetadata"' not in content:
        return None
    try:
        document = outside_json.parse(content)
    except ValueError:  # whoever reads the model says so
        return None
    metadata = document.get("userDefinedMetadata") if isinstance(document, dict) else None
    return metadata if isinstance(metadata, dict) else None
