"""What a run of the session says of its images, ready to be compared with labels."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from napari_webipred.errors import OptionError
from napari_webipred.evaluation import performance, truth
from napari_webipred.evaluation.cohort import Label, Predictions
from napari_webipred.evaluation.evaluation import Evaluation, evaluating
from napari_webipred.evaluation.given import described
from napari_webipred.evaluation.joining import joined
from napari_webipred.evaluation.matching import paired
from napari_webipred.evaluation.published import Published
from napari_webipred.model_overrides import conditions
from napari_webipred.results.columns import REGION
from napari_webipred.results.probabilities import reached
from napari_webipred.results.session_table import Numbers, RunDetails, SessionTable
from napari_webipred.steps import result_of
from napari_webipred.table_header import IMAGE_COLUMNS

Known = tuple[list[Label], tuple[str, ...], Mapping[str, Any]]


class RunPredictions(Struct, frozen=True, eq=False):
    """Rows of a run that are not deleted.

    Attributes
    ----------
    run : RunDetails
    numbers : ndarray of intp
        The numbers of the rows in the session's table.
    predictions : Predictions
        A row for each of these, named as in the table.
    paths : tuple of str
        The file of each row; its name in the table if there is none.
    """

    run: RunDetails
    numbers: Numbers
    predictions: Predictions
    paths: tuple[str, ...]


class Outcome(Struct, frozen=True, eq=False):
    """An evaluation of a run, and what was published about its model.

    Attributes
    ----------
    run : RunDetails
    evaluation : Evaluation
    numbers : ndarray of intp
        The number in the session's table of each row of the predictions.
    published : list of Published
    """

    run: RunDetails
    evaluation: Evaluation
    numbers: Numbers
    published: list[Published]


def predictions_of(table: SessionTable, run: RunDetails) -> RunPredictions:
    """Collect what a run says.

    Raises
    ------
    OptionError
        It has no rows, or its model gives values and not classes.
    """
    run = table.runs[run.number - 1]
    if run.card.task == "regression":
        raise OptionError("The model gives values, not classes.", "Choose a run of a model with classes.")
    kept = table.numbers
    numbers = kept[table.run_numbers[kept] == run.number]
    if not len(numbers):
        raise OptionError("This run has no rows.", "Choose another run.")
    rows = [table.rows[number] for number in numbers.tolist()]
    given = np.full((len(rows), len(run.classes)), np.nan, np.float32)
    chosen = np.zeros(given.shape, np.bool_)
    for place, row in enumerate(rows):
        if row.probabilities is not None:
            given[place] = row.probabilities
            chosen[place, list(row.assigned)] = True
    if table.has_changed_threshold(run):
        chosen = reached(given, run.card, run.options["threshold"])
    regions = any(row.region for row in rows)
    axes = (*run.axes, *((REGION,) if regions else ()))
    places = [
        (*(str(row.position.get(axis, "")) for axis in run.axes), *((row.region,) if regions else ())) for row in rows
    ]
    files = [image.path for image in run.inputs.images] if run.inputs else []
    paths = tuple((files[row.source] if row.source < len(files) else None) or row.image for row in rows)
    found = Predictions(
        [row.image for row in rows],
        given,
        chosen,
        run.classes,
        run.card.task,
        axes,
        places if axes else (),
    )
    return RunPredictions(run, numbers, found, paths)


def from_file(path: Path, group: str) -> Callable[[RunPredictions], Known]:
    """Take the labels from a table in a file."""

    def known(given: RunPredictions) -> Known:
        own = given.predictions
        labels, axes = truth.of(path, own.classes, own.axes, group or None, own.task == "multi-label")
        return labels, axes, {"truth": described(path)}

    return known


def from_folders(given: RunPredictions) -> Known:
    """Take the names of the folders for labels."""
    return truth.from_folders(given.paths), (), {"truth": "names of the folders"}


def from_features(
    columns: Mapping[str, Sequence[Any]],
    regions: Sequence[str] | None,
    label: str,
    group: str,
    layer: str,
    then: Generator[None, None, Mapping[str, str]] | None = None,
) -> Callable[[RunPredictions], Known]:
    """Take the labels from the features of a layer; see `labels_in_features`.

    ``then`` finds out what the regions were called in the run, by their names now; those that it lacks were changed.
    """

    def known(given: RunPredictions) -> Known:
        own = regions
        if own is not None and then is not None and REGION in given.predictions.axes:
            names = result_of(then)
            own = [names.get(name, "") for name in own]
        labels, axes = labels_in_features(given.predictions, columns, own, label, group, layer)
        return labels, axes, {"truth": f"features of the layer {layer}: {label}"}

    return known


def labels_in_features(
    own: Predictions,
    columns: Mapping[str, Sequence[Any]],
    regions: Sequence[str] | None,
    label: str,
    group: str,
    layer: str,
) -> tuple[list[Label], tuple[str, ...]]:
    """Return the labels in the features of a layer, and what their places are.

    Parameters
    ----------
    own : Predictions
        The rows that labels are looked for.
    columns : mapping of str to sequence
        The features.
    regions : sequence of str, optional
        The region that each line of the features is about. None: a column names the image.
    label, group : str
        Names of the columns with the labels and with what groups belong together; no groups if empty.
    layer : str
        Name of the layer.

    Raises
    ------
    OptionError
        The features do not say which images they are about.
    """
    texts = list(map(truth.as_text, columns[label]))
    groups = list(map(truth.as_text, columns[group])) if group else [""] * len(texts)
    several = own.task == "multi-label"
    shown = [_classes(text, several) for text in texts]
    if regions is not None and REGION in own.axes:
        images = list(dict.fromkeys(own.images))
        lines = list(zip(regions, shown, groups, strict=True))
        labels = [
            Label(image, classes, (region,), of)
            for image in images
            for region, classes, of in lines
            if classes or several
        ]
        return labels, (REGION,)
    name = next((name for name in IMAGE_COLUMNS if name in columns), None)
    if name is None:
        raise OptionError(
            f"The features of {layer} do not say which images they are about.",
            "Choose the layer with the regions of this run, or add a column image.",
        )
    images = list(map(truth.as_text, columns[name]))
    found = zip(images, shown, groups, strict=True)
    return [Label(image, classes, (), of) for image, classes, of in found], ()  # an empty label is no other image's


def from_answers(answers: Mapping[int, tuple[str, ...]]) -> Callable[[RunPredictions], Known]:
    """Take the classes that a reader has given to rows of the session's table, by the numbers of the rows."""

    def known(given: RunPredictions) -> Known:
        own = given.predictions
        labels = [
            Label(own.images[place], answers[number], own.places[place] if own.axes else ())
            for place, number in enumerate(given.numbers.tolist())
            if number in answers
        ]
        return labels, own.axes, {"truth": "answers of a reader in napari"}

    return known


def _classes(text: str, several: bool) -> tuple[str, ...]:
    parts = text.split(";") if several else [text]
    return tuple(part.strip() for part in parts if part.strip())


def named_like(given: RunPredictions, labels: Sequence[Label]) -> Predictions:
    """Name the rows as the labels do: by their names in the table, or by their files."""
    names = list(dict.fromkeys(label.image for label in labels))
    by_file = replace(given.predictions, images=list(given.paths))
    found = [len(paired(list(dict.fromkeys(each.images)), names).found) for each in (given.predictions, by_file)]
    return by_file if found[1] > found[0] else given.predictions


def evaluating_run(
    table: SessionTable,
    run: RunDetails,
    known: Callable[[RunPredictions], Known],
    grouped_by: str = "",
    ordinal: bool = False,
    *,
    rule: str | None = None,
    calibrate: bool = False,
) -> Generator[tuple[int, int], None, Outcome]:
    """Compare a run with labels, step by step; yields how many steps are done, and how many there are.

    Parameters
    ----------
    table : SessionTable
    run : RunDetails
    known : callable
        Returns the labels, what their places are, and what to record of them.
    grouped_by : str
        What the groups of the labels are.
    ordinal : bool
        Whether the classes have an order.
    rule : str, optional
        How thresholds are chosen; see `napari_webipred.evaluation.thresholds.rule_of`.
    calibrate : bool
        Whether probabilities are calibrated.

    Raises
    ------
    OptionError
        No row has a label, or the labels cannot be read.
    """
    yield 0, 0
    given = predictions_of(table, run)
    yield 0, 0
    labels, axes, made = known(given)
    yield 0, 0
    cohort = joined(named_like(given, labels), labels, axes, grouped_by=grouped_by, ordinal=ordinal)
    record = {
        "results": f"run {run.number} in napari",
        "model": {"checksum": given.run.checksum},
        "conditions": conditions(given.run.card, given.run.options),
        **made,
    }
    found = yield from evaluating(cohort, made=record, rule=rule, calibrate=calibrate)
    return Outcome(given.run, found, given.numbers, performance.of_card(given.run.card))
