"""Explains rows one after the other, in a background thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from napari_webipred._napari.explanations.row_map import RowMap, row_map
from napari_webipred._napari.explanations.run_sources import why_unknown
from napari_webipred._napari.images.layer_input import file_again
from napari_webipred.errors import CancelledError, ImageError, ModelError, OptionError, WebIPredError
from napari_webipred.results.inputs import ImageInput

if TYPE_CHECKING:
    from napari_webipred.explanations.explaining import Explainer
    from napari_webipred.imaging.region import Region
    from napari_webipred.imaging.source import Index, Source
    from napari_webipred.model import Model
    from napari_webipred.options import Options
    from napari_webipred.results.session_table import Entry, RunDetails, SessionTable
else:
    Model = Source = Any  # imported when first needed, and `help` asks for the types of fields

_NOTED = {"difference", "reference"}  # what a run notes beside its options, and maps have no use for
SAME = 1e-3  # by how much numbers of the same image may differ that were computed on other numbers of threads


class Wanted(Struct, frozen=True, eq=False):
    """Rows that are to be explained.

    Attributes
    ----------
    numbers : sequence of int
        Their numbers in the table.
    sources : mapping of int to list of Source, ImageInput or None
        What each run, by its number, was given; see `RunSources.sources`.
    models : mapping of int to Model
        The models of the runs that are in memory.
    method : "auto" or "occlusion"
    check : bool
        Whether the maps are compared with occlusion.
    """

    numbers: Sequence[int]
    sources: Mapping[int, list[Source | ImageInput | None]]
    models: Mapping[int, Model]
    method: Literal["auto", "occlusion"] = "auto"
    check: bool = False


class Opened(Struct, frozen=True, eq=False):
    """The model of a run was opened again."""

    run: int
    model: Model


class Explained(Struct, frozen=True, eq=False):
    """A row has maps, or an error says why not."""

    number: int
    result: RowMap | Exception


class Progress(Struct):
    """How far rows are explained; `part` of `parts` is about the occlusion of the row that is worked on."""

    done: int
    total: int
    part: int = 0
    parts: int = 0
    begun: float = 0.0

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return (self.done + (self.part / self.parts if self.parts else 0)) / max(self.total, 1)

    @property
    def seconds_left(self) -> float | None:
        """Roughly how long the rest takes; None at the beginning."""
        return (time.monotonic() - self.begun) * (1 / self.share - 1) if self.share else None


Report = Callable[[int, int, int], None]  # how many rows are done; how many parts of an occlusion, of how many


def explained(table: SessionTable, wanted: Wanted, report: Report) -> Generator[Any, None, None]:
    """Explain rows. The error of one row costs no other.

    Yields
    ------
    Opened or Explained

    Raises
    ------
    WebIPredError
        A model cannot be opened, or there is no memory to explain it.
    """
    done = 0
    for run, numbers in groupby(wanted.numbers, key=lambda number: int(table.run_numbers[number])):
        explainer: Explainer | None = None
        regions: dict[int, dict[tuple[Index, str], Region]] = {}
        sources = list(wanted.sources[run])
        for number in numbers:
            entry = table.entry(number)
            given = _given(entry, sources)
            if isinstance(given, WebIPredError):
                result: RowMap | Exception = given
            else:
                explainer = explainer or (yield from _explainer(entry.run, wanted.models.get(run)))
                if entry.row.source not in regions:
                    regions[entry.row.source] = _regions(given, entry.row.region)
                progress = partial(report, done)
                result = _result(explainer, given, regions[entry.row.source], entry, wanted, progress)
            done += 1
            report(done, 0, 0)
            yield Explained(number, result)


def _explainer(run: RunDetails, model: Model | None) -> Generator[Any, None, Explainer]:
    from napari_webipred.explanations.explaining import explainer_of

    if model is None:
        model = yield from _opened_again(run)
        yield Opened(run.number, model)
    return explainer_of(model)


def _opened_again(run: RunDetails) -> Generator[Any, None, Model]:
    from napari_webipred.cache import store
    from napari_webipred.opening import opening

    if run.ensemble:
        raise OptionError(
            "The rows of an ensemble join several models, whose maps differ.", "Explain the rows of one of its runs."
        )
    if run.inputs is None or not (run.inputs.model.is_path or store.path_of(run.card)):
        raise OptionError(f"The model {run.card.name} is not on this machine any more.", "Choose it and download it.")
    given = run.inputs.model
    model = yield from opening(Path(given.reference) if given.is_path else given.reference, **given.settings)
    if model.checksum != run.checksum:
        raise ModelError(f"The model {run.card.name} has changed since the run.", "Classify the images again.")
    return model


def _given(entry: Entry, sources: list[Source | ImageInput | None]) -> Source | WebIPredError:
    """Return what a row was made of, or why it cannot be explained, as far as that is known without reading pixels."""
    if entry.row.probabilities is None:
        return OptionError("The image could not be classified, so there is nothing to explain.", entry.row.error)
    number = entry.row.source
    source = sources[number] if number < len(sources) else None
    if isinstance(source, ImageInput):
        try:
            source = sources[number] = file_again(source)
        except WebIPredError as error:
            return error
    return source or why_unknown(entry, "explain")


def _result(
    explainer: Explainer,
    source: Source,
    regions: Mapping[tuple[Index, str], Region],
    entry: Entry,
    wanted: Wanted,
    progress: Callable[[int, int], None],
) -> RowMap | Exception:
    try:
        return _map_of(explainer, source, regions, entry, wanted, progress)
    except CancelledError:
        raise
    except WebIPredError as error:
        return error
    except MemoryError:
        return ImageError("The image does not fit into memory.", "Close other images, then explain it again.")
    except Exception as error:  # arrays may compute themselves when read, and fail in any way
        return ImageError(f"The image cannot be read ({type(error).__name__}: {error}).")


def _map_of(
    explainer: Explainer,
    source: Source,
    regions: Mapping[tuple[Index, str], Region],
    entry: Entry,
    wanted: Wanted,
    progress: Callable[[int, int], None],
) -> RowMap:
    from napari_webipred.execution.plane import Plane

    row, options = entry.row, _options(entry.run)
    index = tuple(row.position.values())
    if options.intensity == "stack" and row.intensity_range is not None and not source.scaled:
        source = replace(source, intensity_range=row.intensity_range)  # all planes were read for it
    plane = Plane(row.source, source, index, regions[index, row.region] if row.region else None)
    names = entry.run.card.class_names
    found = explainer.explain(plane, options, names, wanted.method, check=wanted.check, progress=progress)
    now = np.array([each.probability for each in found])
    assert row.probabilities is not None
    if options.views is None and not np.allclose(now, row.probabilities, rtol=SAME, atol=SAME):
        raise ImageError(
            f"{row.image} was changed after it was classified.", "Classify it again, then explain the new row."
        )
    return row_map(index, found, checked=wanted.check, asked=wanted.method)


def _options(run: RunDetails) -> Options:
    from napari_webipred.options import Options

    chosen = {name: value for name, value in run.options.items() if name not in _NOTED}
    if isinstance(chosen["intensity"], list):
        chosen["intensity"] = tuple(chosen["intensity"])
    return Options(**chosen)


def _regions(source: Source, region: str) -> dict[tuple[Index, str], Region]:
    """Return the regions of a source by plane and name; none if the row is about a whole plane."""
    if not region:
        return {}
    return {(index, part.name): part for index, part in source.parts() if part is not None}
