"""A model that can be chosen."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_webipred._napari.origin import origin_of
from napari_webipred.catalogue.card import ModelCard


@dataclass(eq=False)
class Entry:
    """A line of the model list.

    Attributes
    ----------
    card : ModelCard
        What is known of the model.
    reference : str or Path
        What `opening` takes to open it.
    here : bool
        Whether it is on this machine, so that no network is needed.
    told : dict
        What the user told of the model: ``output``, ``classes``, ``standardize``, ``size``, ``activation``.
    """

    card: ModelCard
    reference: str | Path
    here: bool
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Discipline and procedure in one line."""
        return " · ".join(part for part in (self.card.discipline, self.card.procedure) if part) or origin_of(self.card)

    @property
    def curated(self) -> bool:
        """Whether its card was written by people who looked at it, so that the user need not correct it."""
        return bool(self.card.discipline)

    @property
    def size(self) -> int | None:
        """Bytes to download; None when the card does not say."""
        return self.card.weights[0].size if self.card.weights else None


def built_in() -> Generator[None, None, list[Entry]]:
    """List the catalogue; a generator, so that it can run beside the window."""
    from napari_webipred.catalogue import index, store

    entries = [Entry(card, card.id, store.path_of(card) is not None) for card in index.cards()]
    yield
    return entries


def megabytes(size: int | None) -> str:
    """Write a number of bytes for people; empty when it is not known."""
    if size is None:
        return ""
    return f"{size / 1e6:.0f} MB" if size >= 9.5e6 else f"{size / 1e6:.1f} MB"
