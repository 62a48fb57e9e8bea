"""Descriptions of models for the BioImage Model Zoo (bioimage.io), of the formats 0.4 and 0.5."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from napari_webipred.archive.label_files import usable_names_in
from napari_webipred.card import (
    Author,
    Citation,
    Input,
    Output,
    PartialCard,
    Preprocessing,
    Provenance,
    WeightFormat,
    named,
)
from napari_webipred.catalogue.plain_text import plain_text
from napari_webipred.errors import CatalogueError
from napari_webipred.formats import FORMATS

FILES = ("rdf.yaml", "bioimageio.yaml")
MAX_BYTES = 2**18  # those of the zoo have some ten thousand

_SPACE = {"x", "y", "z", "t", "time", "space", "index"}
_MAX_ITEMS = 1000


class ZooWeights(Struct, frozen=True):
    """A file with weights that can be used here: its format, its name, where it lies (relative or URL), its SHA-256."""

    format: WeightFormat
    name: str
    source: str
    checksum: str | None


def parse(name: str, content: bytes) -> dict[str, Any]:
    """Read the description of a model.

    Raises
    ------
    CatalogueError
        It is too long, is no YAML, or does not describe a model that classifies images.
    """
    document = _load(name, content)
    if document.get("type", "model") != "model":
        raise CatalogueError(
            f"{name} describes a {str(document.get('type'))[:40]}, not a model.",
            "Choose another model from the BioImage Model Zoo.",
        )
    inputs, outputs = _tensors(document, "inputs"), _tensors(document, "outputs")
    if len(inputs) != 1 or len(outputs) != 1:
        raise CatalogueError(
            f"The model that {name} describes has {len(inputs)} inputs and {len(outputs)} outputs, not one of each.",
            "Choose a model that classifies images.",
        )
    if {kind for kind, _ in _axes(outputs[0])} & _SPACE:
        raise CatalogueError(
            f"The model that {name} describes returns an image, not class scores.",
            "Choose a model that classifies images.",
        )
    return document


def _load(name: str, content: bytes) -> dict[str, Any]:
    import yaml  # type: ignore[import-untyped, unused-ignore]

    class Loader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
        """Plain data only; merge keys are refused, because merging what has been merged doubles its size each time."""

        def flatten_mapping(self, node: Any) -> None:
            if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
                raise yaml.YAMLError("merge keys are not read")

    try:
        if len(content) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES} bytes")
        document = yaml.load(content, Loader)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as error:
        why = re.sub(r"\s+", " ", str(error))[:200]
        raise CatalogueError(f"{name} cannot be read: {why}.", "Choose another model.") from error
    if not isinstance(document, dict):
        raise CatalogueError(f"{name} does not describe a model.", "Choose another model.")
    return document


def weights(document: dict[str, Any]) -> list[ZooWeights]:
    """Return the files with weights that can be used here, the best first."""
    described = document.get("weights")
    found = []
    # The last of the table first: ONNX is what most of the zoo's models have, as one file.
    for key, form in [(each.zoo, each.id) for each in reversed(FORMATS) if each.zoo]:
        entry = described.get(key) if isinstance(described, dict) else None
        source = entry.get("source") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(source, dict):  # format 0.5 allows a file with its own checksum
            entry, source = source, source.get("source")
        if not isinstance(entry, dict) or not isinstance(source, str) or not source.strip():
            continue
        digest = str(entry.get("sha256"))
        checksum = f"sha256:{digest}" if re.fullmatch(r"[0-9a-f]{64}", digest) else None
        path = unquote(urlsplit(source).path) if "://" in source else source
        found.append(ZooWeights(form, PurePosixPath(path.removesuffix("/content")).name, source, checksum))
    return found


def describe_package(files: Mapping[str, bytes]) -> Iterator[PartialCard]:
    """Read the description that lies at the top of a model's files or in its only folder, if any does."""
    named_so = [name for name in files if PurePosixPath(name).name in FILES and name.count("/") <= 1]
    if named_so:
        name = min(named_so, key=lambda name: (name.count("/"), FILES.index(PurePosixPath(name).name)))
        yield describe(parse(name, files[name]))


def title(document: dict[str, Any]) -> str | None:
    """Return what the model is called."""
    return _text(document.get("name"))


def describe(document: dict[str, Any]) -> PartialCard:
    """Put the description of a model into the words of a card, except its name, which a file has for itself.

    Steps of preprocessing are taken over only where the result is exactly the same here; else
    ``provenance.assumed`` says what they are, and the user is asked.
    """
    (image,), (scores,) = _tensors(document, "inputs"), _tensors(document, "outputs")
    notes: list[str] = []
    said: dict[str, Any] = {"classes": named(usable_names_in(_class_names(scores)))}
    if size := _size(image):
        said["input"] = Input(width=size[0], height=size[1])
        notes.append("The description does not say how images are resized, so they are stretched.")
    steps = _preprocessing(image, notes)
    if steps is not None:
        said["preprocessing"] = Preprocessing.model_validate(steps)
    said["output"] = _output(scores, notes)
    return PartialCard(
        **said,
        description=_text(document.get("description")) or "",
        license=_text(document.get("license")),
        version=_text(document.get("version")),
        authors=tuple(Author(name=name) for entry in _list(document, "authors") if (name := _name(entry))),
        citations=tuple(_citation(entry) for entry in _list(document, "cite") if isinstance(entry, dict)),
        provenance=Provenance(description="bioimage.io", assumed=tuple(notes)),
    )


def _tensors(document: dict[str, Any], key: str) -> list[dict[str, Any]]:
    return [tensor for tensor in _list(document, key) if isinstance(tensor, dict)]


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    return value[:_MAX_ITEMS] if isinstance(value, list) else []


def _axes(tensor: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the kind of each axis and what is said about it; format 0.4 has one letter for each."""
    axes = tensor.get("axes")
    if isinstance(axes, str):
        shape = tensor.get("shape")
        sizes = shape if isinstance(shape, list) and len(shape) == len(axes) else [None] * len(axes)
        return [(letter, {"size": size}) for letter, size in zip(axes, sizes, strict=True)][:10]
    found: list[tuple[str, dict[str, Any]]] = []
    for axis in _list(tensor, "axes")[:10]:
        if isinstance(axis, str):
            found.append((axis, {}))
        elif isinstance(axis, dict):
            kind = str(axis.get("type"))
            found.append((str(axis.get("id", kind)) if kind == "space" else kind, axis))
    return found


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    """Return (width, height) of the input where both are fixed."""
    sizes = {kind: axis.get("size") for kind, axis in _axes(image)}
    width, height = sizes.get("x"), sizes.get("y")
    if type(width) is int and type(height) is int and 0 < width <= 8192 and 0 < height <= 8192:
        return width, height
    return None


def _class_names(scores: dict[str, Any]) -> list[Any]:
    for kind, axis in _axes(scores):
        if kind in {"channel", "c"} and (names := _list(axis, "channel_names")):
            # Numbered names say nothing that the numbers do not.
            return [] if all(re.fullmatch(r"channel_?\d+", str(name)) for name in names) else names
    data = scores.get("data")
    return _list(data, "values") if isinstance(data, dict) else []


def _output(scores: dict[str, Any], notes: list[str]) -> Output:
    steps = [_step(entry)[0] for entry in _list(scores, "postprocessing")]
    if steps in (["softmax"], ["sigmoid"]):
        return Output.model_validate({"activation": steps[0]})
    if [step for step in steps if step not in {"ensure_dtype"}]:
        notes.append(f"The description asks for postprocessing ({', '.join(steps)}), which is not done.")
    return Output()


def _step(entry: Any) -> tuple[str, dict[str, Any]]:
    """Return the name of a step of processing and its parameters."""
    if not isinstance(entry, dict):
        return "?", {}
    parameters = entry.get("kwargs")
    return str(entry.get("id") or entry.get("name"))[:60], parameters if isinstance(parameters, dict) else {}


def _preprocessing(image: dict[str, Any], notes: list[str]) -> dict[str, Any] | None:
    """Express the steps before the model as (x * rescale - mean) / std of pixels from 0 to 255; None if that fails."""
    steps = [_step(entry) for entry in _list(image, "preprocessing")]
    listed = ", ".join(name for name, _ in steps) or "none"
    scale = _pixel_scale(image)
    if scale is None:
        notes.append(
            "The description does not give the range of pixel values "
            f"(steps of preprocessing: {listed}). Choose the scaling."
        )
        return None
    result: dict[str, Any] = {}
    for name, parameters in steps:
        step = _expressed(name, parameters)
        if step is None or ("mean" in result and step) or ("rescale" in result and "rescale" in step):
            notes.append(
                f"The preprocessing in the description ({listed}) is not supported exactly. Choose the closest scaling."
            )
            return None
        result |= step
    if scale != 1:
        result["rescale"] = scale * result.get("rescale", 1.0)
    return {"standardize_mode": "custom", **result} if result else {"standardize_mode": "none"}


def _pixel_scale(image: dict[str, Any]) -> float | None:
    """Return what pixels from 0 to 255 have to be multiplied with before the first step; None if it is not said."""
    data = image.get("data") if isinstance(image.get("data"), dict) else {}
    assert isinstance(data, dict)
    kind = data.get("type", image.get("data_type"))
    limits = data.get("range", image.get("data_range"))
    if isinstance(limits, list) and [_number(limit) for limit in limits] in ([0.0, 255.0], [0.0, 1.0]):
        return 1.0 if _number(limits[1]) == 255 else 1 / 255
    return 1.0 if kind == "uint8" else None


def _expressed(name: str, parameters: dict[str, Any]) -> dict[str, Any] | None:
    """Return a step as numbers of the mode ``custom``, nothing if it changes nothing, None if it cannot be said so."""
    if name == "ensure_dtype":
        return {} if parameters.get("dtype") in {"float32", "float64"} else None
    if name == "scale_linear":
        gain, offset = _numbers(parameters.get("gain", 1.0)), _numbers(parameters.get("offset", 0.0))
        if gain is None or offset is None or len(set(gain)) != 1:
            return None
        return {"rescale": gain[0]} | ({"mean": [-value for value in offset]} if any(offset) else {})
    if name in {"fixed_zero_mean_unit_variance", "zero_mean_unit_variance"}:
        if name == "zero_mean_unit_variance" and parameters.get("mode") != "fixed":
            return None
        mean, std = _numbers(parameters.get("mean")), _numbers(parameters.get("std"))
        return {"mean": mean, "std": std} if mean and std and min(std) > 0 else None
    return None


def _numbers(value: Any) -> list[float] | None:
    values = value if isinstance(value, list) else [value]
    numbers = [_number(item) for item in values[:5]]
    return (
        [number for number in numbers if number is not None] if len(values) in {1, 3} and None not in numbers else None
    )


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None


def _text(value: Any) -> str | None:
    return plain_text(value) or None if isinstance(value, str) else None


def _name(entry: Any) -> str | None:
    return _text(entry.get("name") if isinstance(entry, dict) else entry)


def _citation(entry: dict[str, Any]) -> Citation:
    return Citation(
        text=_text(entry.get("text")) or "Unnamed", doi=_text(entry.get("doi")), url=_text(entry.get("url"))
    )
