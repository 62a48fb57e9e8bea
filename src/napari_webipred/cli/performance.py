"""What the command line shows of how good a model is said to be."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from napari_webipred.cli import terminal
from napari_webipred.errors import CatalogueError, OptionError

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard
    from napari_webipred.evaluation.metric import Metric
    from napari_webipred.evaluation.published import Published


def show(reference: str, folder: Path | None, overwrite: bool) -> None:
    """Print what was published about a model, and save it as tables and figures.

    Parameters
    ----------
    reference : str
        A name in the catalogue, or the path of a model.
    folder : Path, optional
        Where to save.
    overwrite : bool
        Whether the folder may hold other files.

    Raises
    ------
    WebIPredError
        There is no such model, its files cannot be read, or nothing was published.
    """
    from napari_webipred.evaluation import files, publication
    from napari_webipred.evaluation.performance import of
    from napari_webipred.evaluation.words import SENTENCES, TITLES

    card, beside = _model(reference)
    found = of(card, beside)
    if not found:
        raise OptionError(
            f"Nothing was published about how good {card.name} is.", "Evaluate it on images whose class you know."
        )
    terminal.show(card.name)
    for each in found:
        _show(each)
    terminal.show("")
    for name in dict.fromkeys(metric.name for each in found for metric in each.metrics):
        terminal.show(f"{TITLES[name]}: {SENTENCES[name]}")
    if folder is not None:
        files.claim(folder, lambda there: overwrite)
        written = files.write(folder, publication.contents(found, card.id))
        terminal.message(f"{len(written)} files written to {folder}.")


def _model(reference: str) -> tuple[ModelCard, dict[str, bytes]]:
    """Return the card of a model and the files beside it, if it is on this machine."""
    from napari_webipred.archive.model_files import exists, open_files
    from napari_webipred.cache import index, store
    from napari_webipred.catalogue import local_model, side_files
    from napari_webipred.formats import METRIC_FILES

    card, path = index.find(reference), Path(reference)
    if card is None:
        if not exists(path):
            raise CatalogueError(f"There is no model {reference} in the catalogue.", "", "list models")
        files = open_files(path)
        card = side_files.completed(local_model.card_of_path(path), files, files.entry)
    else:
        here = store.path_of(card)
        if here is None:
            return card, {}
        files = open_files(here)
    return card, {name: files[name] for name in files if Path(name).name in METRIC_FILES}


def _show(published: Published) -> None:
    from napari_webipred.evaluation.words import TITLES

    terminal.show("")
    terminal.show(f"Published performance: {published.source}")
    for remark in published.remarks:
        terminal.show(f"  {remark}")
    names = list(dict.fromkeys(metric.name for metric in published.metrics))
    classes = [name for name in published.classes if any(metric.class_name == name for metric in published.metrics)]
    known = {(metric.name, metric.class_name): metric for metric in published.metrics}
    header = ("", *(["ALL"] if any(not metric.class_name for metric in published.metrics) else []), *classes)
    columns = (*([""] if "ALL" in header else []), *classes)
    rows = [(TITLES[name], *(_cell(known.get((name, column))) for column in columns)) for name in names]
    terminal.show_table(header, rows, sys.stdout)
    if published.confusion is not None:
        terminal.show("")
        counts = published.confusion.tolist()
        lines = [(name, *map(str, row)) for name, row in zip(published.classes, counts, strict=True)]
        terminal.show_table(("TRUE \\ ASSIGNED", *published.classes), lines, sys.stdout)
    _say("Images", published.distribution)
    _say("Milliseconds for all images", published.milliseconds)


def _say(what: str, numbers: Mapping[str, float]) -> None:
    if numbers:
        terminal.show("")
        terminal.show(f"{what}: {', '.join(f'{name} {number:.0f}' for name, number in numbers.items())}")


def _cell(metric: Metric | None) -> str:
    return "" if metric is None else metric.words
