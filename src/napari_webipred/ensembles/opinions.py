"""What several models say of the same images, side by side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from napari_webipred.errors import OptionError
from napari_webipred.names import listed
from napari_webipred.results.columns import MODEL, RUN
from napari_webipred.results.prediction import READ_AS_NOTHING, classes_in
from napari_webipred.results.probabilities import ADDING_UP, ROUNDING

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    DataFrame = Any  # pandas takes long to import

_SHOWN = 20
_NEEDED = "Give the table that classify() returns for several models, or the CSV file that classify writes for them."


class Opinions(Struct, frozen=True, eq=False):
    """What several models say of the same images.

    Attributes
    ----------
    models, classes : tuple of str
    places : pandas.DataFrame
        A row for each image, plane or region: the columns of the table that name it.
    probabilities : ndarray of float64, shape (models, images, classes)
        NaN where an image failed.
    assigned : ndarray of bool, shape (models, images, classes)
    errors : list of str
        For each image, why a model could not classify it; mostly empty.
    exclusive : bool
        Whether an image has exactly one class.
    """

    models: tuple[str, ...]
    classes: tuple[str, ...]
    places: DataFrame
    probabilities: NDArray[np.float64]
    assigned: NDArray[np.bool_]
    errors: list[str]
    exclusive: bool

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Which images all models have classified."""
        return np.asarray(~np.isnan(self.probabilities).any((0, 2)), np.bool_)


def opinions_in(table: DataFrame, mapping: Mapping[str, str] | None = None) -> Opinions:
    """Put the rows of a table with a column ``model`` side by side.

    Parameters
    ----------
    table : pandas.DataFrame
        As `napari_webipred.classify` returns it for several models, or read from its CSV file.
    mapping : mapping of str to str, optional
        Names of classes that stand for others: ``{"PNEUMONIA": "pneumonia"}``. If several classes of a model get one
        name, their probabilities are added, which needs classes that exclude each other.

    Raises
    ------
    OptionError
        The table is not of several models, they give no probabilities, or their classes differ.
    """
    names = [str(name) for name in table.columns]
    if MODEL not in names or "prediction" not in names[names.index(MODEL) :]:
        raise OptionError("The table has no rows of several models.", _NEEDED)
    models = tuple(dict.fromkeys(map(str, table[MODEL])))
    if len(models) < 2:
        raise OptionError(f"The table has rows of {models[0] if models else 'no model'} only.", _NEEDED)
    keys = [name for name in names[: names.index(MODEL)] if name not in RUN]
    columns = names[names.index(MODEL) + 1 : names.index("prediction")]
    order, of_model = _side_by_side(table, models, keys)
    numbers = table[columns].to_numpy(np.float64, na_value=np.nan)
    own = _own(numbers, columns, list(map(str, table[MODEL])))
    exclusive = _is_exclusive(numbers, {name: [columns.index(each) for each in own[name]] for name in models}, table)
    shared = shared_classes(own, mapping or {}, exclusive)
    classes = tuple(dict.fromkeys(shared[models[0]].values()))
    probabilities = np.full((len(models), len(order), len(classes)), np.nan)
    assigned = np.zeros(probabilities.shape, np.bool_)
    errors = [""] * len(order)
    texts = {name: table[name].fillna("").astype(str).tolist() for name in ("prediction", "error") if name in names}
    for m, model in enumerate(models):
        into = np.zeros((len(columns), len(classes)))
        for name, common in shared[model].items():
            into[columns.index(name), classes.index(common)] = 1
        used = [columns.index(name) for name in own[model]]
        added = exclusive and len(classes) < len(own[model])  # the most probable class may be another one then
        rows = of_model[model]
        for i, row in enumerate(rows):
            if row is None or np.isnan(numbers[row, used]).any():
                said = texts.get("error", {})[row] if row is not None and "error" in texts else ""
                errors[i] = errors[i] or f"{model} has not classified the image. {said}".strip()
                continue
            probabilities[m, i] = numbers[row, used] @ into[used]
            named = None if added else _named(texts["prediction"][row], own[model], exclusive)
            if named is None:
                assigned[m, i, probabilities[m, i].argmax()] = True
            else:
                assigned[m, i, [classes.index(shared[model][name]) for name in named]] = True
    places = table[keys].iloc[order].reset_index(drop=True)
    return Opinions(models, classes, places, probabilities, assigned, errors, exclusive)


def _side_by_side(
    table: DataFrame, models: Sequence[str], keys: Sequence[str]
) -> tuple[list[int], dict[str, list[int | None]]]:
    """Find the rows about the same image: a row for each, and for each model which row that is."""
    counts: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    columns = [[None if empty else v for v, empty in zip(table[k], table[k].isna(), strict=True)] for k in keys]
    for row, (model, *key) in enumerate(zip(map(str, table[MODEL]), *columns, strict=True)):
        counts[(model, *key)] += 1  # the same image may have been given twice
        found.setdefault((*key, counts[(model, *key)]), {})[model] = row
    first = [next(iter(rows.values())) for rows in found.values()]
    return first, {model: [rows.get(model) for rows in found.values()] for model in models}


def _own(numbers: NDArray[np.float64], columns: Sequence[str], models: Sequence[str]) -> dict[str, list[str]]:
    """Return the classes of each model: the columns in which its rows have numbers.

    One of which every row failed gets those of another model.
    """
    filled, of_row = ~np.isnan(numbers), np.array(models, object)
    own = {
        name: [columns[i] for i in np.flatnonzero(filled[of_row == name].any(0)).tolist()]
        for name in dict.fromkeys(models)
    }
    some = next((classes for classes in own.values() if classes), list(columns))
    return {name: classes or some for name, classes in own.items()}


def _is_exclusive(numbers: NDArray[np.float64], own: Mapping[str, Sequence[int]], table: DataFrame) -> bool:
    """Tell whether the classes of each model exclude each other: their probabilities then add up to 1."""
    exclusive = True
    for model, columns in own.items():
        mine = numbers[(table[MODEL] == model).to_numpy()][:, columns]
        mine = mine[~np.isnan(mine).any(1)]
        if len(mine) and (mine.min() < -ROUNDING or mine.max() > 1 + ROUNDING):
            raise OptionError(
                f"{model} gives values, not probabilities.", "Choose models that give the probabilities of classes."
            )
        exclusive &= len(columns) > 1 and not (len(mine) and np.abs(mine.sum(1) - 1).max() > ADDING_UP)
    return exclusive


def shared_classes(
    own: Mapping[str, Sequence[str]], mapping: Mapping[str, str], exclusive: bool
) -> dict[str, dict[str, str]]:
    """Return the common name of each class of each model.

    Parameters
    ----------
    own : mapping of str to sequence of str
        The classes of each model.
    mapping : mapping of str to str
        Names of classes that stand for others.
    exclusive : bool
        Whether an image has exactly one class.

    Raises
    ------
    OptionError
        The models have different classes, or the mapping names a class that none has.
    """
    known = {name for classes in own.values() for name in classes}
    for name in mapping:
        if name not in known:
            raise OptionError(f"No model has a class {name!r}.", f"Their classes are {listed(sorted(known), _SHOWN)}.")
    shared = {model: {name: mapping.get(name, name) for name in classes} for model, classes in own.items()}
    first, *others = shared
    for other in others:
        if {*shared[other].values()} != {*shared[first].values()}:
            one, two = (listed(list(dict.fromkeys(shared[name].values())), _SHOWN) for name in (first, other))
            raise OptionError(
                f"The models have different classes: {first} has {one}; {other} has {two}.",
                "Say which of them are the same.",
                "map classes",
            )
    if not exclusive:
        for model, names in shared.items():
            if len({*names.values()}) < len(names):
                raise OptionError(
                    f"Several classes of {model} get the same name, but an image can have several of them.",
                    "Give each class a name of its own.",
                )
    return shared


def _named(text: str, classes: Sequence[str], exclusive: bool) -> list[str] | None:
    """Return the classes that a prediction names; None if the most probable one has to do.

    Of classes that exclude each other, thresholds may have chosen another one, several or none. The most probable one
    has to do where pandas has read the name of a class as missing, or the class has a column of another name.
    """
    found = classes_in(text, classes)
    if exclusive:
        return None if not found and (found is None or READ_AS_NOTHING & {*classes}) else found
    if found is None:
        raise OptionError(f"The prediction {text} names no class of the model.", _NEEDED)
    return found
