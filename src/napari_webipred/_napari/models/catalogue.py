"""The models that can be chosen in a viewer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from qtpy.QtCore import QObject, Signal

from napari_webipred._napari.models import cache_tasks
from napari_webipred._napari.models.adding import Added, look_up
from napari_webipred._napari.models.entry import Entry, entry_lines, is_there, listed, merged, missing
from napari_webipred._napari.models.loading import Loading
from napari_webipred._napari.models.outcome import Outcomes
from napari_webipred._napari.task import Task
from napari_webipred._napari.widgets.two_line_list import TwoLineList
from napari_webipred.errors import OptionError

if TYPE_CHECKING:
    from napari_webipred.cache.store import Download

Reference = str | Path


class LookUp(Struct, eq=False):
    """A model that is being looked up, and how many bytes of its file are read."""

    reference: Reference
    done: int = 0
    total: int | None = None


class Catalogue(QObject):
    """Lists, adds and removes models, and opens the chosen one; disk and network are used in background threads.

    Attributes
    ----------
    models : TwoLineList of Entry
        The user's own models and those of the catalogue; empty until they are read.

    Signals
    -------
    listed
        The models were read, for the first time or again.
    changed
        Something else is being looked up, or the network was switched.
    added : Added
        Models that the user asked for were added to the list.
    failed : Exception, callable or None
        An error, and a function that does it anyway, if possible.
    noticed : str, str
        What the user should know, and a hint.
    """

    listed = Signal()
    changed = Signal()
    added = Signal(object)
    failed = Signal(object, object)
    noticed = Signal(str, str)

    def __init__(self, loading: Loading) -> None:
        super().__init__()
        self.models: TwoLineList[Entry] = TwoLineList(entry_lines, self)
        self._loading = loading
        self._wanted: Reference | None = None
        self._look_ups: dict[LookUp, Task] = {}
        self._reading = False
        self._outcomes = Outcomes(loading, self)
        self._outcomes.recorded.connect(self._on_recorded)
        loading.changed.connect(self._on_loading)

    @property
    def look_up(self) -> LookUp | None:
        """What is being looked up, to be chosen then: the latest, if there are several."""
        return next(reversed(self._look_ups), None)

    @property
    def chosen(self) -> Reference | None:
        """The chosen model: its identifier, or the path of the user's own file; None without one."""
        if self._wanted is not None:
            return self._wanted
        return self._loading.entry.key if self._loading.entry else None

    def choose(self, reference: Reference | None) -> None:
        """Choose a model, and open it if it is on this machine; one that is not in the list is looked up.

        Raises
        ------
        OptionError
            The reference is neither text nor a path.
        CatalogueError
            There is no such model, and it is not a URL, file or folder.
        """
        if not isinstance(reference, (str, Path, type(None))):
            raise OptionError(
                f"{reference!r} is not a model.", "Give the identifier of a model, a DOI, a URL or a path."
            )
        if reference == self._wanted and self.resolving:
            return
        entry = self._find(reference)
        if reference is None or entry is not None:
            self.choose_entry(entry)
            return
        reference = existing(reference)
        self.cancel()
        self._wanted = reference
        self._loading.choose(None)  # so that nothing is classified with the model chosen before
        if self.models.items:  # else it is looked up when they are listed
            self._look_up(reference)

    def choose_entry(self, entry: Entry | None) -> None:
        """Choose a model of the list."""
        if self.resolving:
            self.cancel()
        if entry is None or entry is not self._loading.entry:
            self._loading.choose(entry)

    def _find(self, reference: Reference | None) -> Entry | None:
        name = reference.strip().casefold() if isinstance(reference, str) else reference
        names = ((entry, entry.key) for entry in self.models.items)
        return next((e for e, key in names if (key.casefold() if isinstance(key, str) else key) == name), None)

    def read(self) -> None:
        """Read the models, once for each viewer."""
        if not self._reading and not self.models.items:
            self._reading = True
            self._run(listed(), self._on_listed, self._on_not_listed)

    def read_again(self) -> None:
        """Read the models again: some came or went, or the network was switched."""
        self._run(listed(), self._on_listed_again)

    def add(self, reference: Reference, *, replace: bool = False) -> None:
        """Put a model from elsewhere into the list and choose it; a server is asked about it first.

        All models of a bundle are put on this machine and into the list; the user is asked before they take the place
        of others.
        """
        self._look_up(reference, replace)

    def _look_up(self, reference: Reference, replace: bool = False) -> None:
        new = LookUp(reference)
        task = self._run(
            look_up(reference, replace=replace), partial(self._on_found, new), partial(self._on_not_found, new)
        )
        task.events.connect(partial(self._on_progress, new))
        self._look_ups[new] = task
        self.changed.emit()

    def download(self, entry: Entry) -> None:
        """Put a model that was found elsewhere into the list, and download it."""
        self._insert(Added((entry,)))
        if self._loading.entry is not None and not self._loading.entry.here:
            self._loading.start()

    def remove(self, entry: Entry) -> None:
        """Remove a model, and read the list again."""
        entry.listed = True  # so that it goes even if the list on the disk could not be written
        self._run(cache_tasks.remove([entry.key]), self._on_removed)

    def rename(self, entry: Entry, title: str) -> None:
        """Call one of the user's own models something else; an empty title means its own name again."""
        entry.title = title.strip() if title.strip() != entry.card.name else ""
        if entry.is_local:
            self._run(cache_tasks.rename(Path(entry.key), entry.title), lambda _: self.models.repaint(entry))
            self._loading.changed.emit()  # the header shows the name

    @property
    def resolving(self) -> bool:
        """Whether the chosen model is still being looked up."""
        return self._wanted is not None

    def cancel(self) -> None:
        """Cancel all look-ups."""
        if not self._look_ups and not self.resolving:
            return
        for task in self._look_ups.values():
            task.cancel()
        self._look_ups.clear()
        self._wanted = None
        self.changed.emit()

    def _run(
        self,
        work: Generator[Any, None, Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> Task:
        task = Task(work)
        task.done.connect(then)
        task.failed.connect(failed or (lambda error: self.failed.emit(error, None)))
        task.start()
        return task

    def _on_loading(self) -> None:
        if self._loading.entry is not None:
            self.models.repaint(self._loading.entry)

    def _on_progress(self, look_up: LookUp, steps: list[Download]) -> None:
        look_up.done, look_up.total = steps[-1].done, steps[-1].total
        self.changed.emit()

    def _on_found(self, look_up: LookUp, added: Added) -> None:
        self._end(look_up)
        self._insert(added)

    def _on_not_found(self, look_up: LookUp, error: Exception) -> None:
        self._end(look_up)
        self.changed.emit()
        self.failed.emit(error, partial(self.add, look_up.reference, replace=True))

    def _end(self, look_up: LookUp) -> None:
        del self._look_ups[look_up]
        if look_up.reference == self._wanted:
            self._wanted = None

    def _on_not_listed(self, error: Exception) -> None:
        self._reading = False
        self.cancel()
        self.failed.emit(error, None)

    def _on_listed(self, entries: list[Entry]) -> None:
        self._reading = False
        self.models.fill(entries)
        self.listed.emit()
        task = Task(missing(entries))
        task.events.connect(self._on_missing)
        task.start()
        wanted, entry = self._wanted, self._find(self._wanted)
        if entry is not None:
            self._wanted = None
            self._loading.choose(entry)
        elif wanted is not None:
            self._look_up(wanted)

    def _on_missing(self, entries: list[Entry]) -> None:
        for entry in entries:
            entry.gone = True
        self.models.repaint(*entries)

    def _on_listed_again(self, entries: list[Entry]) -> None:
        chosen, used = self._loading.entry, self._loading.model or self._loading.error
        self.models.fill(merged(self.models.items, entries))
        self.listed.emit()
        if chosen is not None and chosen not in self.models.items:
            self._loading.choose(None)
        elif chosen is not None and used is not None and not chosen.here:
            self._loading.choose(chosen)
        else:
            self.changed.emit()

    def _insert(self, added: Added) -> None:
        known: list[Entry] = []
        for entry in added.entries:
            there = next((other for other in self.models.items if other.key == entry.key), None)
            if there is None:
                self.models.add(entry)
                there = entry
            there.here = there.here or entry.here
            there.listed, there.gone = there.listed or entry.listed, False
            known.append(there)
        if known[-1] is not self._loading.entry or self._loading.error is not None:  # the file may be another one now
            self._loading.choose(known[-1])
        self.changed.emit()
        self.added.emit(added)

    def _on_removed(self, words: str) -> None:
        self.read_again()
        self.noticed.emit(words, "")

    def _on_recorded(self, entry: Entry) -> None:
        self.models.repaint(entry)
        if entry.gone and entry is self._loading.entry:
            folder = entry.reference.parent if isinstance(entry.reference, Path) else ""
            self.noticed.emit(
                f"{entry.card.name} was not found in {folder}.",
                "Connect its drive, or remove the model from the list with the Delete key.",
            )


def existing(reference: Reference) -> Reference:
    """Return a path if there is such a file or folder, else an identifier or URL.

    Raises
    ------
    CatalogueError
        There is no such model, file or folder.
    """
    from napari_webipred.cache import index  # the panel opens sooner without them
    from napari_webipred.catalogue import providers

    path = Path(reference).expanduser()
    if is_there(path):
        return path
    named = isinstance(reference, str) and (providers.parse(reference) is not None or index.find(reference) is not None)
    if not named:
        raise index.unknown(str(reference))
    return reference
