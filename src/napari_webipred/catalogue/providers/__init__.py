"""Where models are published: a module for each provider, and what they have in common."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from napari_webipred.card import ModelCard, Weights, WeightSource
from napari_webipred.download.remote_file import RemoteFile as RemoteFile
from napari_webipred.download.remote_file import wanted
from napari_webipred.errors import CatalogueError


class Provider(Protocol):
    """What a module of a provider offers. Only `resolve` and `files` use the network."""

    def parse(self, reference: str, /) -> WeightSource | None:
        """Return what a reference says about where a model lies; None if it means something else."""

    def matches(self, source: WeightSource, card: ModelCard, weights: Weights, /) -> bool:
        """Tell whether a parsed reference leads to these weights, which are those of the card that are fetched."""

    def resolve(self, source: WeightSource, /) -> ModelCard:
        """Ask for the model that a parsed reference leads to, and make a card of what is said there."""

    def files(self, card: ModelCard, weights: Weights, /) -> tuple[RemoteFile, ...]:
        """Return what has to be fetched to have these weights; nothing if they do not say where they lie."""


# The types of sources on cards whose files can be fetched. A reference is tried in this order: every address is one of
# the last.
TYPES = ("zenodo", "huggingface", "teachable-machine", "url")


def provider(type_: str) -> Provider:
    """Return the provider of a type of source; its module is imported only now."""
    return cast(Provider, import_module(f"{__name__}.{type_.replace('-', '_')}"))


def parse(reference: str) -> WeightSource | None:
    """Return what a reference says about where a model lies; None if it has the form of no such thing.

    Understood are a Zenodo record (number, DOI, address), ``hf:owner/name`` or the address of a repository on Hugging
    Face, the address of a model of Teachable Machine, and any other address. The network is not used.

    Raises
    ------
    CatalogueError
        It begins as an address does, but is none.
    """
    return next((source for each in map(provider, TYPES) if (source := each.parse(reference))), None)


def matches(source: WeightSource, card: ModelCard) -> bool:
    """Tell whether a parsed reference leads to the model of a card. The network is not used.

    A reference that names no version or file means whichever the card is about: what has been fetched stays what it is
    until somebody asks for another.
    """
    weights = wanted(card)
    return weights is not None and provider(source.type).matches(source, card, weights)


def resolve(source: WeightSource) -> ModelCard:
    """Return the card of the model that a parsed reference leads to.

    Raises
    ------
    CatalogueError
        The server does not have it, cannot be asked or must not be asked.
    """
    return provider(source.type).resolve(source)


def remote_files(card: ModelCard) -> tuple[RemoteFile, ...]:
    """Return what has to be fetched to have a model: one archive or file, or the files of its folder.

    The server is asked where the card does not say it.

    Raises
    ------
    CatalogueError
        The card names nothing that could be fetched, or the server does not have it or cannot be asked.
    """
    weights = wanted(card)
    files = provider(weights.source.type).files(card, weights) if weights and weights.source.type in TYPES else ()
    if not files:
        where = f" (the type of its source is {weights.source.type})" if weights else ""
        raise CatalogueError(
            f"The card of {card.id} names no file to download{where}.",
            "Download the model in a browser and open it from disk.",
        )
    return files
