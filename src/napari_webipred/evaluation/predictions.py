"""Predictions out of a table of results: a data frame of `classify`, or a CSV file with the record beside it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from napari_webipred import file_errors
from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Predictions, Task
from napari_webipred.results.columns import COMMENT, READER, REGION, RUN, class_places
from napari_webipred.results.export import dialect_of
from napari_webipred.results.prediction import READ_AS_NOTHING, classes_in
from napari_webipred.results.probabilities import ADDING_UP, ROUNDING
from napari_webipred.results.recorded import recorded
from napari_webipred.results.table_cells import is_ours, text_of
from napari_webipred.results.table_path import refuse_record

if TYPE_CHECKING:
    import pandas as pd

_TEXTS = {"image", REGION, "model", "prediction", "error", COMMENT, *READER}
_SHOWN = 12
_NEEDED = "Give a table that napari-webipred has written or classify() has returned."


def of_file(path: Path, group: str | None = None) -> tuple[Predictions, dict[str, Any]]:
    """Read a table of results.

    Returns
    -------
    Predictions, and the record beside the table
        The record is empty if there is none.

    Raises
    ------
    OptionError
        The file cannot be read, or is no such table.
    """
    import pandas as pd

    refuse_record(path)
    record = recorded(path) or {}
    model = record.get("model") or {}
    classes = [entry["name"] for entry in model.get("classes") or ()]
    try:
        table = None if is_ours(path) else text_of(path)
        separator = "," if table else dialect_of(path).delimiter
        with path.open(encoding="utf-8-sig", newline="") if table is None else nullcontext(table) as file:
            header = next(csv.reader(file, delimiter=separator), [])
        others = {*header} - {header[place] for place in class_places(header, classes)}
        texts: Mapping[str, type[str]] = dict.fromkeys({*_TEXTS, *([group] if group else [])} & others, str)
        frame = pd.read_csv(
            path if table is None else io.StringIO(table.getvalue()),
            sep=separator,
            encoding="utf-8-sig",
            dtype=texts,
            keep_default_na=False,
            na_values=[""],
        )
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The results {path.name} cannot be read: {reason}.", remedy) from error
    except UnicodeDecodeError as error:
        raise OptionError(f"The results {path.name} are not UTF-8 text.", "Save the table as CSV UTF-8.") from error
    except (ValueError, csv.Error) as error:  # of which those of pandas are
        raise OptionError(f"{path.name} is no table of results: {error}.", _NEEDED) from error
    if "runs" in record:
        raise OptionError(f"{path.name} has the rows of several runs.", "Evaluate the rows of one run or model only.")
    return of_frame(frame, group, classes or None, model.get("task")), record


def of_frame(
    frame: pd.DataFrame, group: str | None = None, classes: Sequence[str] | None = None, task: str | None = None
) -> Predictions:
    """Take predictions out of a table.

    Parameters
    ----------
    frame : pandas.DataFrame
        ``image``, columns that tell rows of the same image apart, a column per class, and ``prediction``.
    group : str, optional
        Name of the column that says which images belong together, if it is in this table.
    classes : sequence of str, optional
        Names of the model's classes; by default the columns of numbers that lie between 0 and 1.
    task : str, optional
        What the numbers mean; by default classes exclude each other if the numbers of each row add up to 1.

    Raises
    ------
    OptionError
        There are no such columns, or the model gives values and not classes.
    """
    names = [str(name) for name in frame.columns]
    classes, task = classes or frame.attrs.get("classes"), task or frame.attrs.get("task")
    if "image" not in names:
        raise OptionError(f"The table has no column image; it has {', '.join(names[:_SHOWN])}.", _NEEDED)
    placed = [names[place] for place in class_places(names, classes or ())]
    if "model" in names and "model" not in placed and frame["model"].nunique() > 1:
        raise OptionError("The table has the rows of several models.", "Evaluate the rows of each model by themselves.")
    if task == "regression":
        raise OptionError("The model gives values, not classes.", "Evaluate the results of a model with classes.")
    own = placed or _columns(frame, names, classes, group)
    probabilities = np.stack([_numbers(frame, name) for name in own], axis=1)
    known = cast("Task", task) if task in {"multi-class", "multi-label", "binary"} else _task(probabilities)
    axes = tuple(name for name in names[1 : names.index(own[0])] if name not in {*RUN, group})
    return Predictions(
        _words(frame, "image"),
        probabilities,
        _assigned(frame, own, classes or own, probabilities, exclusive=known != "multi-label"),
        tuple(map(str, classes or own)),
        known,
        axes,
        list(zip(*(_words(frame, axis) for axis in axes), strict=True)) if axes else (),
        [each.strip() for each in _words(frame, group)] if group is not None and group in names else (),
    )


def _columns(frame: pd.DataFrame, names: list[str], classes: Sequence[str] | None, group: str | None) -> list[str]:
    """Return the names of the columns of the classes where they do not stand in their place."""
    if classes and {*classes} <= {*names}:
        return list(classes)
    given = "prediction" in names
    before = names[: names.index("prediction")] if given else names
    kinds = "fiu" if given else "f"
    found = [name for name in before if name not in {*_TEXTS, *RUN, group} and _is_probability(frame[name], kinds)]
    assigned = {*_words(frame, "prediction")} if given else set()
    places = [name not in assigned and _is_place(frame[name]) for name in found]  # they stand before the probabilities
    own = found[places.index(False) :] if False in places else [n for n in found if frame[n].dtype.kind == "f"]
    if not own or (classes and len(own) != len(classes)):
        raise OptionError("The table has no column with the probabilities of a class.", _NEEDED)
    return own


def _is_probability(column: pd.Series[Any], kinds: str) -> bool:
    if column.dtype.kind not in kinds:
        return False
    values = column.dropna().to_numpy()
    return bool(len(values)) and values.min() >= -ROUNDING and values.max() <= 1 + ROUNDING


def _is_place(column: pd.Series[Any]) -> bool:
    """Say if numbers can be places along an axis: whole ones, which pandas reads as floats if some are missing."""
    values = column.dropna()
    return bool((values == values.astype(int)).all()) and (column.dtype.kind != "f" or len(values) < len(column))


def _numbers(frame: pd.DataFrame, name: str) -> NDArray[np.float32]:
    try:
        return np.asarray(frame[name].to_numpy(np.float32, na_value=np.nan), np.float32)
    except (ValueError, TypeError) as error:
        raise OptionError(f"The column {name} has something else than numbers.", _NEEDED) from error


def _words(frame: pd.DataFrame, name: str) -> list[str]:
    """Return a column as text; whole numbers without a point, and what is missing as nothing."""
    column = frame[name]
    if column.dtype.kind == "f":
        return [_number(value) for value in column.tolist()]
    return ["" if empty else str(value) for value, empty in zip(column.tolist(), column.isna().tolist(), strict=True)]


def _number(value: float) -> str:
    if value != value:  # NaN
        return ""
    return str(int(value)) if value.is_integer() else str(value)


def _task(probabilities: NDArray[np.float32]) -> Task:
    known = probabilities[~np.isnan(probabilities).any(1)]
    adds_up = len(known) and probabilities.shape[1] > 1 and np.abs(known.sum(1) - 1).max() < ADDING_UP
    return "multi-class" if adds_up else "multi-label"


def _assigned(
    frame: pd.DataFrame,
    own: Sequence[str],
    classes: Sequence[str],
    probabilities: NDArray[np.float32],
    *,
    exclusive: bool,
) -> NDArray[np.bool_]:
    """Return which classes were assigned, as the column ``prediction`` says; without it the most probable ones."""
    found = np.zeros(probabilities.shape, np.bool_)
    done = np.flatnonzero(~np.isnan(probabilities).any(1))
    if "prediction" not in frame.columns:
        if exclusive:
            found[done, probabilities[done].argmax(1)] = True
        else:
            found[done] = probabilities[done] >= 0.5
        return found
    lost = sorted(READ_AS_NOTHING & {*classes})
    if lost and frame["prediction"].isna().to_numpy()[done].any():
        raise OptionError(
            f"Predictions are missing, and pandas reads the name of the class {lost[0]} as missing.",
            'Give the path of the file, or read it with pandas.read_csv(path, keep_default_na=False, na_values=[""]).',
        )
    indices = {name: index for names in (own, classes) for index, name in enumerate(names)}
    texts, which = np.unique(np.array(_words(frame, "prediction"), object).astype(str), return_inverse=True)
    rows = [_chosen(str(text), indices) for text in texts]
    for row in done:
        found[row, rows[which[row]]] = True
    return found


def _chosen(text: str, indices: Mapping[str, int]) -> list[int]:
    """Return the indices of the classes that a prediction names."""
    found = classes_in(text, indices)
    if found is None:
        raise OptionError(f"The prediction {text} names no class of the model.", _NEEDED)
    return [indices[name] for name in found]
