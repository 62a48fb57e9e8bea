"""The models whose cards come with the program; the files of the demonstration model come with it, too."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from napari_webipred.card import ModelCard, read_card
from napari_webipred.download.remote_file import wanted

_FOLDER = Path(__file__).parent / "cards"


@cache
def cards() -> tuple[ModelCard, ...]:
    """Return the built-in cards; the demonstration model comes first, because it is there without a network."""
    paths = sorted(_FOLDER.glob("*.json"), key=lambda path: (path.stem != "demo", path.stem))
    return tuple(read_card(path) for path in paths)


def path_of(card: ModelCard) -> Path | None:
    """Return where the file of a built-in model lies; None for a model that is not part of the program."""
    for weights in card.weights:
        if weights.source.type == "builtin":
            return _FOLDER / Path(weights.source.file_key or "").name
    return None


def pinned(id: str) -> str | None:  # noqa: A002
    """Return the checksum that a built-in card has for the model of this identifier; None for all others.

    What a card from elsewhere says of its own files proves nothing.
    """
    weights = next((wanted(card) for card in cards() if card.id == id), None)
    return weights.checksum if weights else None
