"""Make reports on results."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from napari_webipred import engine
from napari_webipred.api.models import model_of
from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.errors import OptionError
from napari_webipred.model import Model
from napari_webipred.reports.capture import Explain
from napari_webipred.reports.report import Report, ReportKind
from napari_webipred.reports.results import Results
from napari_webipred.results.record import Record, plain
from napari_webipred.steps import result_of


def report(  # noqa: PLR0913 - each is given by its name
    rows: pd.DataFrame | str | Path,
    kind: ReportKind,
    *,
    model: Model | str | Path | None = None,
    images: str | Path | Iterable[str | Path] = (),
    reader: str = "",
    organisation: str = "",
    name: bool = False,
    pictures: bool = False,
    heat_maps: bool = False,
    patient_system: str = "",
    corrects: str | Path | Iterable[str | Path] = (),
) -> Report:
    """Make a report on results, for a patient's record or for people. Nothing is written or sent before you say so.

    Parameters
    ----------
    rows : DataFrame or path
        A table that was saved, with its record beside it; or what `classify` returns. Answers of a reader are in the
        columns ``reader_class``, ``reader_comment`` and ``reader_time``.
    kind : "sr", "fhir" or "html"
        DICOM structured reports, one for each image or series; a FHIR R4 transaction; or a page.
    model : Model, or anything that `open_model` takes, optional
        What has classified the images, if the rows are a data frame.
    images : path, or an iterable of paths
        The files or folders of the images; by default where they were classified.
    reader, organisation : str
        Who has answered, and where; needed where somebody has.
    name : bool
        Write the patient's name, date of birth and sex, too.
    pictures : bool
        Show the images on the page.
    heat_maps : bool
        Add an image of what speaks for the assigned class, of the kind ``"sr"``. Needs `model`.
    patient_system : str
        The address of the system that has given the numbers of patients, for FHIR, where the images do not say so.
    corrects : path, or an iterable of paths
        Earlier structured reports, or folders with such, that are corrected.

    Returns
    -------
    Report
        ``attributes`` names what in it tells of the patient; ``save(path)`` writes it.

    Raises
    ------
    OptionError
        Rows or images are not found, are not DICOM, or the reader has no name.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_webipred as wp
    >>> table = wp.classify(np.zeros((64, 64), np.uint8), "demo")
    >>> page = wp.report(table, "html", model="demo")
    >>> page.documents[0][:15]
    b'<!DOCTYPE html>'
    """
    from napari_webipred.reports import results
    from napari_webipred.reports.making import Wishes, making
    from napari_webipred.reports.pictures import pictures as making_pictures

    with remedies_in_notes():
        if kind not in ("sr", "fhir", "html"):
            raise OptionError(f"There is no report of the kind {kind}.", "Choose sr, fhir or html.")
        if isinstance(rows, (str, Path)):
            found = results.of_file(Path(rows))
        else:
            found = results.of_frame(rows, _record(rows, model))
        folders = _paths(images)
        shown = result_of(making_pictures(found, folders)) if pictures else {}
        wishes = Wishes(
            folders,
            reader=reader,
            organisation=organisation,
            name=name,
            patient_system=patient_system,
            corrects=_paths(corrects),
            pictures=shown,
            explain=_explain(found, model) if heat_maps else None,
        )
        return result_of(making(found, kind, wishes))


def _explain(found: Results, model: Model | str | Path | None) -> Explain:
    from napari_webipred.explanations.overlay import laying

    if model is None:
        raise OptionError("Heat maps need the model.", "Give the `model`, too.")
    opened, said = model_of(model), found.record["options"]
    if opened.checksum != found.record["model"]["checksum"]:
        raise OptionError(f"The table was not made by {opened.card.name}.", "Give the model that has made it.")
    intensity = said.get("intensity", "auto")
    chosen = tuple(intensity) if isinstance(intensity, list) else intensity
    return laying(opened, engine.Options(intensity=chosen, profile=said.get("profile"), views=said.get("views")))


def _paths(given: str | Path | Iterable[str | Path]) -> tuple[Path, ...]:
    return (Path(given),) if isinstance(given, (str, Path)) else tuple(map(Path, given))


def _record(rows: pd.DataFrame, model: Model | str | Path | None) -> dict[str, Any]:
    """Return how a data frame was made."""
    if model is None:
        raise OptionError("A data frame does not say which model it is of.", "Give the `model`, too.")
    opened = model_of(model)
    if rows.attrs.get("checksum", opened.checksum) != opened.checksum:
        raise OptionError(f"The table was not made by {opened.card.name}.", "Give the model that has made it.")
    record = Record(opened.card, opened.checksum, rows.attrs.get("options", {}), len(rows))
    record.done = len(rows)
    found: dict[str, Any] = plain(record.as_dict())
    return found
