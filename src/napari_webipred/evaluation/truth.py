"""The classes that images are known to have: from a table, a mapping, a CSV file or the names of folders."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from napari_webipred import file_errors
from napari_webipred.errors import OptionError
from napari_webipred.evaluation.cohort import Label
from napari_webipred.names import listed, plain
from napari_webipred.results.columns import READER
from napari_webipred.results.reading import parsed
from napari_webipred.results.table_cells import cells_in, is_converted
from napari_webipred.table_header import image_column, separator

if TYPE_CHECKING:
    import pandas as pd

LABEL_COLUMNS = ("label", "labels", "class", "truth", "true", "target", "diagnosis", "ground_truth")
MOST_BYTES = 2**28
FOLDERS = "folders"
_YES, _NO = {"1", "1.0", "true", "yes"}, {"0", "0.0", "false", "no", ""}
_SHOWN = 12


def of(
    given: pd.DataFrame | Mapping[str, Any] | str | Path,
    classes: Sequence[str],
    axes: Sequence[str] = (),
    group: str | None = None,
    multi_label: bool = False,
) -> tuple[list[Label], tuple[str, ...]]:
    """Make labels of whatever the user has.

    Parameters
    ----------
    given : DataFrame, mapping or path
        A table with a column for the image and one for the label, or one with 0 and 1 for each class; a mapping of
        images to a label or several; or a CSV file with such a table. A table of results with the answers of a reader
        gives these.
    classes : sequence of str
        Those of the model. Without them, the labels are empty if no column has a name that says that it holds them.
    axes : sequence of str
        Columns that tell rows of the same image apart; those that the table also has count.
    group : str, optional
        Name of the column that says which images belong together.
    multi_label : bool
        Whether ``;`` stands between several labels of an image, and an empty cell is none of the classes.

    Returns
    -------
    list of Label, and the axes that count

    Raises
    ------
    OptionError
        The file cannot be read, or it is not clear which column is which.
    """
    if isinstance(given, (str, Path)):
        header, rows = _file(Path(given))
    elif isinstance(given, Mapping):
        return [Label(str(image), _several(label, multi_label)) for image, label in given.items()], ()
    elif not hasattr(given, "columns"):
        what = type(given).__name__
        raise OptionError(
            f"Labels cannot be given as a {what}.", "Give a table, a file, or a mapping of images to labels."
        )
    else:
        header = [str(name) for name in given.columns]
        rows = [[as_text(cell) for cell in row] for row in given.itertuples(index=False)]
    return _labels(header, rows, classes, axes, group, multi_label)


def from_folders(images: Sequence[str]) -> list[Label]:
    """Take the name of the folder that an image lies in for its class."""
    folders = {image: PurePosixPath(image.replace("\\", "/")).parent.name for image in dict.fromkeys(images)}
    return [Label(image, (folder,)) for image, folder in folders.items() if folder]


def groups_from(path: Path, column: str) -> dict[str, str]:
    """Read from a table in a file what each image belongs to.

    Raises
    ------
    OptionError
        It cannot be read, or an image has several groups.
    """
    header, rows = _file(path)
    image, group = image_column(header) or 0, _group(header, column)
    if group is None:
        raise OptionError(f"{path.name} has no column {column}.", f"It has {listed(header, _SHOWN)}.")
    found: dict[str, str] = {}
    for cells in rows:
        of = cells[group].strip()
        if found.setdefault(cells[image], of) != of:
            raise _in_several(path.name, cells[image], found[cells[image]], of)
    return found


def _in_several(what: str, image: str, *groups: str) -> OptionError:
    shown = " and ".join(group or "none" for group in groups)
    return OptionError(f"{what} has several groups of {image}: {shown}.", "Give each image one group.")


def _labels(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    classes: Sequence[str],
    axes: Sequence[str],
    group: str | None,
    multi_label: bool,
) -> tuple[list[Label], tuple[str, ...]]:
    image = image_column(header)
    if image is not None and {*READER} <= {*header}:
        return _answers(header, rows, classes, axes, group, image=image, multi_label=multi_label)
    label = _label_column(header)
    if label is None and {"prediction", "error"} <= {*header}:
        raise OptionError(
            "The labels are a table of results, but no reader has answered in it.",
            "Give a table with the columns image and label, or review the results in napari and save them.",
        )
    flags = {name: header.index(name) for name in classes if name in header}
    groups = _group(header, group)
    shared = tuple(axis for axis in axes if axis in header)
    if image is None:
        image = 0
    if label is None and len(flags) < len(classes):
        rest = {*range(len(header))} - {image, *(header.index(axis) for axis in shared)} - {groups}
        label = rest.pop() if len(rest) == 1 else None
        if label is None:
            raise OptionError(
                f"It is not clear which column holds the labels; there are {listed(header, _SHOWN)}.",
                "Call it label, or have a column with 0 and 1 for each class of the model.",
            )
    found = []
    for cells in rows:
        if label is None:
            shown = tuple(name for name, column in flags.items() if _is_set(cells[column], name))
        else:
            shown = _several(cells[label], multi_label)
        found.append(Label(cells[image], shown, _place(header, cells, shared), _group_in(cells, groups)))
    _check_groups(found)
    return found, shared


def _label_column(header: Sequence[str]) -> int | None:
    """Return which column holds the labels; None if none is called so.

    Raises
    ------
    OptionError
        Several are, and none of them alone is called label.
    """
    names = [plain(name).replace(" ", "_") for name in header]
    found = [column for column, name in enumerate(names) if name in LABEL_COLUMNS]
    first = [column for column in found if names[column] == LABEL_COLUMNS[0]]
    if len(first) == 1 or len(found) == 1:
        return (first or found)[0]
    if found:
        raise OptionError(
            f"Several columns can be the labels: {listed([header[column] for column in found], _SHOWN)}.",
            "Call the one that counts label, and the others otherwise.",
        )
    return None


def _place(header: Sequence[str], cells: Sequence[str], axes: Sequence[str]) -> tuple[str, ...]:
    return tuple(cells[header.index(axis)] for axis in axes)


def _group_in(cells: Sequence[str], column: int | None) -> str:
    return "" if column is None else cells[column].strip()


def _check_groups(labels: Sequence[Label]) -> None:
    """Refuse labels that say of the same image that it belongs to several groups."""
    known: dict[tuple[str, tuple[str, ...]], str] = {}
    for label in labels:
        before = known.setdefault((label.image, label.place), label.group)
        if before != label.group:
            raise _in_several("The table of labels", label.image, before, label.group)


def _answers(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    classes: Sequence[str],
    axes: Sequence[str],
    group: str | None,
    *,
    image: int,
    multi_label: bool,
) -> tuple[list[Label], tuple[str, ...]]:
    """Take the answers of a reader out of a table of results; a reader who is unsure gives no label.

    Unless an image can have none of the classes, those without an answer have an empty label: else another image of the
    same name could be taken for them.
    """
    groups, shared = _group(header, group), tuple(axis for axis in axes if axis in header)
    found = []
    for cells in rows:
        said, comment, time = (cells[header.index(name)] for name in READER)
        answer = parsed(said, comment, time, classes)
        shown = None if answer is None else answer.labels(classes)
        if shown is None and not multi_label:
            shown = ()
        if shown is not None:
            found.append(Label(cells[image], shown, _place(header, cells, shared), _group_in(cells, groups)))
    _check_groups(found)
    return found, shared


def _group(header: Sequence[str], group: str | None) -> int | None:
    return header.index(group) if group in header and group is not None else None


def _is_set(cell: str, name: str) -> bool:
    text = cell.strip().casefold()
    if text in _YES or text in _NO:
        return text in _YES
    raise OptionError(f"The column {name} of the labels has the value {cell!r}.", "Write 1 for yes and 0 for no.")


def _several(label: Any, multi_label: bool) -> tuple[str, ...]:
    """Return the labels of one image."""
    if isinstance(label, (list, tuple, set, frozenset)):
        return tuple(map(as_text, label))
    text = as_text(label).strip()
    parts = text.split(";") if multi_label else [text]
    return tuple(part.strip() for part in parts if part.strip())


def as_text(cell: Any) -> str:
    """Write a cell as text; whole numbers without a point, and what is missing as nothing."""
    if cell is None or type(cell).__name__ in {"NAType", "NaTType"} or cell != cell:  # NaN
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _file(path: Path) -> tuple[list[str], list[list[str]]]:
    """Read a table from a file: of text, with commas, semicolons or tabs between its cells, or as results are saved."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise OptionError(f"{path.name} is too large for a table of labels.", "Give a smaller file.")
        lines = [*cells_in(path)] if is_converted(path) else _lines(path)
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The labels {path.name} cannot be read: {reason}.", remedy) from error
    except UnicodeDecodeError as error:
        raise OptionError(f"The labels {path.name} are not UTF-8 text.", "Save the table as CSV UTF-8.") from error
    except csv.Error as error:
        raise OptionError(f"The labels {path.name} are no CSV table: {error}.", "Save the table as CSV.") from error
    except ValueError as error:
        raise OptionError(f"The labels {path.name} are no table: {error}.", "Save the table as CSV.") from error
    if len(lines) < 2 or len(lines[0]) < 2:
        raise OptionError(
            f"{path.name} has no labels.", "Its first line names the columns: image and label; a line for each follows."
        )
    header = [name.strip() for name in lines[0]]
    if short := next((number for number, cells in enumerate(lines, 1) if len(cells) != len(header)), None):
        raise OptionError(
            f"Line {short} of {path.name} has {len(lines[short - 1])} cells, not {len(header)}.", "Correct this line."
        )
    return header, [cells for cells in lines[1:] if any(map(str.strip, cells))]  # a spreadsheet leaves empty ones


def _lines(path: Path) -> list[list[str]]:
    text = path.read_bytes().decode("utf-8-sig")
    between = separator(text.partition("\n")[0], path.name)
    return [cells for cells in csv.reader(io.StringIO(text, newline=""), delimiter=between) if cells]
