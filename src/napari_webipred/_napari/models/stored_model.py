"""A model on this machine."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from napari_webipred._napari.models.entry import megabytes
from napari_webipred._napari.widgets.two_line_list import Lines


class StoredModel(Struct, frozen=True):
    """A model in the cache, or one of the user's own models.

    Attributes
    ----------
    reference : str or Path
        Its identifier in the cache, or the path of the user's own file.
    name : str
        Its name.
    origin : str
        Its origin.
    used : str
        Day of the last use, ISO 8601.
    size : int or None
        Bytes that it takes in the cache; None for the user's own models.
    fetched : str
        Day of the download or import; empty for the user's own models.
    shared : bool
        Whether it is in the shared cache of all users.
    kept : bool
        Whether it was there before the private session, which does not change it.
    refused : str
        Why it cannot be used; empty as far as is known.
    gone : bool
        Whether the user's own file was not found.
    """

    reference: str | Path
    name: str
    origin: str
    used: str
    size: int | None = None
    fetched: str = ""
    shared: bool = False
    kept: bool = False
    refused: str = ""
    gone: bool = False

    @property
    def facts(self) -> str:
        """Source and last use in one line."""
        stays = " · for all users" if self.shared else " · stays after the private session" if self.kept else ""
        return f"{self.origin} · used {self.used}{stays}"

    @property
    def state(self) -> str:
        """What is wrong with it, else its size."""
        return "file not found" if self.gone else "cannot be used" if self.refused else megabytes(self.size)

    @property
    def explained(self) -> str:
        """The tool tip."""
        where = str(self.reference.parent) if isinstance(self.reference, Path) else f"added {self.fetched}"
        state = f"{self.state}: {self.refused}" if self.refused and not self.gone else self.state
        return " – ".join(part for part in (self.name, self.facts, where, state) if part)


def stored_lines(stored: StoredModel) -> Lines:
    """Show a model with its origin, last use and size."""
    return Lines(stored.name, stored.facts, stored.state, stored.explained)
