"""What stays when the panel is closed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from napari_webipred._napari.entry import Entry
from napari_webipred._napari.loading import Loading
from napari_webipred._napari.outcome import Outcomes
from napari_webipred._napari.run import Run


@dataclass(eq=False)
class Workbench:
    """The work in one viewer.

    Attributes
    ----------
    entries : list of Entry
        The models of the catalogue and those the user added; empty until they were read.
    loading : Loading
        The chosen model.
    outcomes : Outcomes
        What is noted about the models that were chosen.
    run : Run or None
        The latest run with its rows.
    """

    entries: list[Entry] = field(default_factory=list)
    loading: Loading = field(default_factory=Loading)
    run: Run | None = None
    outcomes: Outcomes = field(init=False)

    def __post_init__(self) -> None:
        self.outcomes = Outcomes(self.loading)


_benches: WeakKeyDictionary[Any, Workbench] = WeakKeyDictionary()


def workbench(viewer: Any) -> Workbench:
    """Return the workbench of a viewer; it lives as long as the viewer."""
    viewer = bare(viewer)
    if viewer not in _benches:
        _benches[viewer] = Workbench()
    return _benches[viewer]


def bare(wrapped: Any) -> Any:
    """Take off the proxy in which napari hands its objects to plugins: identity needs the object itself."""
    return getattr(wrapped, "__wrapped__", wrapped)
