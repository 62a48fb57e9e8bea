"""Which model of the catalogue a file is that was downloaded by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Literal, get_args

from msgspec import Struct

from napari_webipred import file_errors
from napari_webipred.cache import index
from napari_webipred.cache.entry import find_entries
from napari_webipred.cache.importer import is_folder
from napari_webipred.cache.store import Download
from napari_webipred.card import ModelCard, Weights
from napari_webipred.download.remote_file import wanted
from napari_webipred.errors import ArchiveError

# What a file and a model have in common, the surest first.
Likeness = Literal["checksum", "size", "name", "nothing"]
_CHUNK = 2**20


class Proposal(Struct, frozen=True):
    """A model that a file may be.

    Attributes
    ----------
    card : ModelCard
    same : Likeness
        What the file and the model have in common.
    """

    card: ModelCard
    same: Likeness


def proposals(path: Path) -> Generator[Download, None, list[Proposal]]:
    """Return the models that have one file to fetch, first those that a file is by its checksum, size or name.

    A generator that tells how far it is with reading the file. No network is used: what is compared stands on the cards
    and beside the models that have been fetched.

    Raises
    ------
    ArchiveError
        The file cannot be read.
    """
    cards = [card for card in index.cards() if wanted(card) is not None and _is_one_file(card)]
    found = yield from _compared(path, cards)
    order = get_args(Likeness)
    return sorted((Proposal(card, found[card.id]) for card in cards), key=lambda proposal: order.index(proposal.same))


def known_model(path: Path) -> Generator[Download, None, ModelCard | None]:
    """Return the card of the model that a file is by its checksum, which is only computed for files of its size."""
    if not path.is_file():
        return None
    cards = [card for card in index.cards() if _is_one_file(card)]
    found = yield from _compared(path, cards)
    return next((card for card in cards if found[card.id] == "checksum"), None)


class _Facts(Struct, frozen=True):
    """What is known of the file of a model: its name, and sizes with checksums, either of which may not be known."""

    name: str
    files: frozenset[tuple[int | None, str | None]]


def _weights(card: ModelCard) -> Weights | None:
    return wanted(card) or next(iter(card.weights), None)


def _is_one_file(card: ModelCard) -> bool:
    weights = _weights(card)
    return weights is not None and not is_folder(weights)


def _facts(card: ModelCard) -> _Facts:
    weights = _weights(card)
    assert weights is not None
    fetched = [entry.files[0] for entry in find_entries(card.id, weights) if len(entry.files) == 1]
    files = {(weights.size, weights.checksum), *((file.size, f"sha256:{file.sha256}") for file in fetched)}
    return _Facts(weights.source.file_key or "", frozenset(files))


def _compared(path: Path, cards: Sequence[ModelCard]) -> Generator[Download, None, dict[str, Likeness]]:
    """Compare a file with those of models, by identifier; it is read only if its size is that of one of them."""
    facts = {card.id: _facts(card) for card in cards}
    try:
        size = path.stat().st_size
        wanted_sums = {
            checksum
            for fact in facts.values()
            for other, checksum in fact.files
            if checksum is not None and other in {None, size}
        }
        sums = yield from _checksums(path, size, {checksum.partition(":")[0] for checksum in wanted_sums})
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise ArchiveError(f"{path.name} cannot be read: {reason}.", remedy) from error
    return {id: _likeness(path, size, sums, fact) for id, fact in facts.items()}  # noqa: A001


def _likeness(path: Path, size: int, sums: set[str], fact: _Facts) -> Likeness:
    of_this_size = {checksum for other, checksum in fact.files if other in {None, size}}
    if of_this_size & sums:
        return "checksum"
    if of_this_size - {None}:
        return "nothing"  # its checksum is known, and another
    if any(other == size for other, _ in fact.files):
        return "size"
    unknown = all(other is None for other, _ in fact.files)
    return "name" if unknown and fact.name == path.name else "nothing"


def _checksums(path: Path, size: int, algorithms: set[str]) -> Generator[Download, None, set[str]]:
    """Return the checksums of a file, as ``algorithm:hex``."""
    sums = [hashlib.new(algorithm, usedforsecurity=False) for algorithm in algorithms]
    done = 0
    with path.open("rb") as file:
        while sums and (chunk := file.read(_CHUNK)):
            for running in sums:
                running.update(chunk)
            done += len(chunk)
            yield Download(done, size)
    return {f"{running.name}:{running.hexdigest()}" for running in sums}
