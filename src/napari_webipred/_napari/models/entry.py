"""A model that can be chosen."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from napari_webipred._napari.models.origin import format_of, origin_of
from napari_webipred._napari.widgets.two_line_list import Lines
from napari_webipred.card import ModelCard


class Entry(Struct, eq=False):
    """A line of the model list.

    Attributes
    ----------
    card : ModelCard
        What is known of the model.
    reference : str or Path
        What `opening` takes to open it; a Path is one of the user's own models.
    here : bool
        Whether it is on this machine, so that no network is needed.
    overrides : dict
        The settings that the user made: ``output``, ``classes``, ``standardize``, ``size``, ``activation``.
    listed : bool
        Whether it is in the stored list of the user's own models.
    gone : bool
        Whether the user's own file was not found.
    refused : str
        Why it cannot be used; empty as far as is known.
    title : str
        What the user calls their own model; empty if that is its own name.
    """

    card: ModelCard
    reference: str | Path
    here: bool
    overrides: dict[str, Any] = field(default_factory=dict)
    listed: bool = False
    gone: bool = False
    refused: str = ""
    title: str = ""

    @property
    def name(self) -> str:
        """What the user calls it, else its own name."""
        return self.title or self.card.name

    @property
    def key(self) -> str | Path:
        """What identifies it: the path of the user's own model, else the identifier."""
        return self.reference if self.is_local else self.card.id

    @property
    def is_local(self) -> bool:
        """Whether it is one of the user's own models."""
        return isinstance(self.reference, Path)

    @property
    def subtitle(self) -> str:
        """Origin of the user's own model, discipline and procedure in one line."""
        own = origin_of(self.card) if self.is_local else ""
        parts = (own, self.card.discipline, self.card.procedure)
        return " · ".join(part for part in parts if part) or origin_of(self.card)

    @property
    def state(self) -> str:
        """Whether it can be used, in a few words."""
        if self.gone:
            return "file not found"
        if self.refused and self.here:
            return "cannot be used"
        return "on this machine" if self.here else f"download {megabytes(self.size)}".strip()

    @property
    def explained(self) -> str:
        """The tool tip: name, subtitle, folder of the user's own file, and why it cannot be used."""
        folder = str(self.reference.parent) if isinstance(self.reference, Path) else ""
        reason = f"{self.state}: {self.refused}" if self.refused and self.here and not self.gone else self.state
        return " – ".join(part for part in (self.name, self.subtitle, folder, reason) if part)

    @property
    def curated(self) -> bool:
        """Whether its model card was written by hand for the catalogue, so that the user need not correct it."""
        return bool(self.card.discipline)

    @property
    def size(self) -> int | None:
        """Bytes to download; None when the card does not say."""
        return self.card.weights[0].size if self.card.weights else None


def listed() -> Generator[None, None, list[Entry]]:
    """List the user's own models and the catalogue; a generator, so that it can run in a background thread."""
    from napari_webipred.cache import index, local_models, private_session, refused_models, store

    yield
    private_session.follow()
    reasons = refused_models.reasons()
    own = [
        local_entry(model.path, model.name, reasons.get(str(model.path), ""), title=model.title)
        for model in local_models.own_models()
    ]
    known = [
        Entry(card, card.id, store.path_of(card) is not None, refused=reasons.get(card.id, ""))
        for card in index.cards()
    ]
    return [*own, *known]


def local_entry(path: Path, name: str, refused: str = "", listed: bool = True, title: str = "") -> Entry:
    """Make an entry with only a name; the model's own card replaces it once the model is open."""
    return Entry(ModelCard(id="own", name=name), path, here=True, listed=listed, refused=refused, title=title)


def missing(entries: Sequence[Entry]) -> Generator[Entry, None, None]:
    """Yield the user's own models whose files are missing; a network drive can take long to answer."""
    for entry in entries:
        if isinstance(entry.reference, Path) and not is_there(entry.reference):
            yield entry


def is_there(path: Path) -> bool:
    """Whether there is such a file or folder, as far as can be seen."""
    try:
        return path.exists()
    except OSError:
        return False


def merged(before: Sequence[Entry], now: Sequence[Entry]) -> list[Entry]:
    """Return the entries that there are now, those that were there before as the same objects.

    The user's own models that were never in the stored list are kept, and so are models still to be downloaded.
    """
    known = {entry.key: entry for entry in before}
    for entry in now:
        if (old := known.get(entry.key)) is not None:
            old.here, old.refused, old.title = entry.here, entry.refused, entry.title
    keys = {entry.key for entry in now}
    others = [e for e in before if e.key not in keys and not (e.listed if e.is_local else e.here)]
    return [*others, *(known.get(entry.key, entry) for entry in now)]


def megabytes(size: int | None) -> str:
    """Format a number of bytes; empty when it is not known."""
    if size is None:
        return ""
    return f"{size / 1e6:.0f} MB" if size >= 9.5e6 else f"{size / 1e6:.1f} MB"


def entry_lines(entry: Entry) -> Lines:
    """Show a model with its subtitle and whether it can be used."""
    return Lines(entry.name, entry.subtitle, entry.state, entry.explained)


def found_lines(entry: Entry) -> Lines:
    """Show a model that was found: author, licence, date, format and size."""
    authors = [author.name for author in entry.card.authors]
    by = authors[0].partition(",")[0] + (" et al." if len(authors) > 1 else "") if authors else ""
    published = entry.card.provenance.published or ""
    facts = " · ".join(part for part in (by, entry.card.license or "no licence", published) if part)
    size = " ".join(part for part in (format_of(entry.card, short=True), megabytes(entry.size)) if part)
    return Lines(entry.card.name, facts, entry.state if entry.here else size, f"{entry.card.name} – {facts} – {size}")
