"""The origin of a model as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from napari_webipred import settings
from napari_webipred.card import ModelCard
from napari_webipred.formats import BY_ID

if TYPE_CHECKING:
    from napari_webipred.cache.entry import Entry as CacheEntry

OWN = "your file"
FROM_BUNDLE = "own model, from a bundle"


def origin(source: dict[str, Any]) -> str:
    """Name the origin that the source of some weights (the fields of `WeightSource`) describes."""
    kind = source.get("type")
    if kind == "zenodo":
        return f"Zenodo record {source.get('record_id')}"
    if kind == "huggingface":
        return f"Hugging Face {source.get('repo')}"
    if kind == "builtin":
        return "part of this plugin"
    if kind == "local":
        return OWN
    if kind == "bundle":
        return FROM_BUNDLE
    return host(str(source.get("url") or "")) or str(kind)


def origin_in_cache(entry: CacheEntry) -> str:
    """Name the origin of a model in the cache, as far as it is known."""
    known = entry.origin == "source" or entry.is_unpublished
    return origin(entry.source) if known else f"from a {entry.origin}, not verified"


def origin_of(card: ModelCard) -> str:
    """Name the origin of a model; a card without weights is one of the user's own models."""
    return origin(card.weights[0].source.model_dump() if card.weights else {"type": "local"})


def page_of(card: ModelCard) -> str:
    """Return the address of the page on which a model is published; empty if it is not known."""
    source = card.weights[0].source if card.weights else None
    now = settings.current()
    if source is not None and source.type == "zenodo" and source.record_id:
        return f"{now.zenodo_url}/records/{quote(source.record_id, safe='')}"
    if source is not None and source.type == "huggingface" and source.repo:
        return f"{now.huggingface_url}/{quote(source.repo)}"
    return ""


def server_of(card: ModelCard) -> str:
    """Name the server that the files of a model are downloaded from."""
    source = card.weights[0].source if card.weights else None
    now = settings.current()
    known = {"zenodo": now.zenodo_url, "huggingface": now.huggingface_url}
    return host(known.get(source.type, source.url or "")) if source else ""


def host(url: str) -> str:
    """Return the host of a URL."""
    return urlsplit(url).hostname or ""


def format_of(card: ModelCard, short: bool = False) -> str:
    """Name the format of a model's file, or the program it is for; empty when its card does not say."""
    if not card.weights:
        return ""
    known = BY_ID[card.weights[0].format]
    return known.short if short else known.label
