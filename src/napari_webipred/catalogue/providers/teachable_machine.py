"""Teachable Machine: image models that people have published there."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from napari_webipred import settings
from napari_webipred.card import Input, ModelCard, Provenance, Weights, WeightSource
from napari_webipred.catalogue import side_files
from napari_webipred.catalogue.plain_text import day, plain_text
from napari_webipred.download.remote_file import RemoteFile, layers_files, read_json_file
from napari_webipred.errors import CatalogueError

_PACKAGE = "@teachablemachine/image"
_PATH = re.compile(r"/models/([A-Za-z0-9_-]{1,64})(?:/(?:model\.json|metadata\.json)?)?")


def parse(reference: str) -> WeightSource | None:
    """Return the address of the model that a reference means, without what may stand behind it; None if it is none."""
    text = reference.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        hosts = {urlsplit(url).netloc for url in (settings.TEACHABLE_MACHINE_URL, _server())}
    except ValueError:
        return None
    match = _PATH.fullmatch(parts.path) if parts.netloc in hosts else None
    if match is None:
        return None
    return WeightSource(type="teachable-machine", url=f"{settings.TEACHABLE_MACHINE_URL}/models/{match[1]}/")


def matches(source: WeightSource, card: ModelCard, weights: Weights) -> bool:
    """Tell whether a parsed reference leads to weights; older cards call their source a URL."""
    return weights.source.type in {"teachable-machine", "url"} and source.url == weights.source.url


def resolve(source: WeightSource) -> ModelCard:
    """Ask Teachable Machine for what it says about a model: its classes, and what it is for.

    Raises
    ------
    CatalogueError
        There is no such model, it is for sounds or poses, or the server cannot be asked.
    """
    document = read_json_file(RemoteFile(_file(source, "metadata.json"), "metadata.json"))
    # Those for sounds name no package and call their labels otherwise.
    package = document.get("packageName") or ("of images" if "labels" in document else "of sounds")
    if package not in (_PACKAGE, "of images"):
        raise CatalogueError(
            f"The model is not for images ({plain_text(str(package))[:80]}).",
            "Choose an image model of Teachable Machine.",
        )
    name = document.get("modelName")
    number = str(source.url).rstrip("/").rpartition("/")[2]
    card = ModelCard(
        id=f"teachable-machine-{number}",
        name=plain_text(name)[:200] or number if isinstance(name, str) else number,
        input=_input(document),
        weights=(Weights(format="tfjs-layers", source=source, entry_point="model.json"),),
        provenance=Provenance(source="Teachable Machine", published=day(document.get("timeStamp"))),
    )
    return side_files.completed(card, {"metadata.json": json.dumps(document).encode()})


def files(card: ModelCard, weights: Weights) -> tuple[RemoteFile, ...]:
    """Ask for the files of a model: ``model.json`` and its weights."""
    if parse(weights.source.url or "") is None:
        return ()
    return layers_files(RemoteFile(_file(weights.source, "model.json"), "model.json"))


def _input(document: dict[str, object]) -> Input | None:
    size = document.get("imageSize")
    if type(size) is not int or not 1 <= size <= 8192:
        return None
    grey = document.get("grayscale") is True
    return Input(width=size, height=size, channels=1 if grey else 3, channel_order="L" if grey else "RGB")


def _file(source: WeightSource, name: str) -> str:
    return f"{_server()}{urlsplit(source.url or '').path}{name}"


def _server() -> str:
    return settings.current().teachable_machine_url
