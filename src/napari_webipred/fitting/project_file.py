"""A project in files of the user: a table of labels, and beside it what a table cannot say.

``labels.csv`` has the columns image, the axes of stacks, region, label and group, as `napari_webipred.evaluation.truth`
reads them. ``labels.csv.labels.json`` has the order of the classes, the model, and the pictures of which nobody knew.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_webipred import file_errors, safe_json
from napari_webipred.atomic_file import read_small, write_whole
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import truth
from napari_webipred.evaluation.cohort import Label
from napari_webipred.fitting.project import SEPARATOR, UNSURE, Answer, Contents, Picture, place_of
from napari_webipred.names import harmless, readable, without_apostrophe
from napari_webipred.results.columns import REGION
from napari_webipred.results.reading import NONE

VERSION = 1
IMAGE, LABEL, GROUP = "image", "label", "group"


def write(path: Path, contents: Contents) -> None:
    """Write both files, each whole or not at all.

    Raises
    ------
    OptionError
        The system does not let us; says why.
    """
    decided = {picture: answer for picture, answer in contents.labels.items() if answer}
    axes = _axes(decided)
    regions = any(picture.region for picture in decided)
    text = io.StringIO(newline="")
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow([IMAGE, *axes, *([REGION] if regions else []), LABEL, *([GROUP] if contents.groups else [])])
    for picture, answer in decided.items():
        place = dict(picture.place)
        said = "" if answer == (NONE,) else f"{SEPARATOR} ".join(answer)
        cells = [picture.image, *(str(place.get(axis, "")) for axis in axes), *([picture.region] if regions else [])]
        cells += [said, *([contents.groups.get(picture, "")] if contents.groups else [])]
        lines.writerow(map(harmless, cells))
    unsure = [_plain(picture) for picture, answer in contents.labels.items() if answer == UNSURE]
    beside = {
        "version": VERSION,
        "classes": list(contents.classes),
        "several": contents.several,
        "base": contents.base,
        "axes": list(axes),
        "unsure": unsure,
    }
    try:
        write_whole(path, text.getvalue().encode())
        write_whole(_beside(path), json.dumps(beside, indent=1, ensure_ascii=False).encode())
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise OptionError(f"The labels cannot be saved as {readable(path.name)}: {reason}.", remedy) from error


def read(path: Path) -> Contents | None:
    """Read a project; None if a table is not one of ours.

    Raises
    ------
    OptionError
        It cannot be read, or makes no sense.
    """
    said = _said(_beside(path))
    if said is None:
        return None
    classes, axes = tuple(said["classes"]), tuple(said["axes"])
    labels: dict[Picture, Answer] = {_picture(each): UNSURE for each in said["unsure"]}
    groups: dict[Picture, str] = {}
    if _has_lines(path):
        found, shared = truth.of(path, classes, (*axes, REGION), GROUP, said["several"])
        for label in found:
            picture = picture_of(label, shared)
            labels[picture] = tuple(map(without_apostrophe, label.classes)) or (NONE,)
            if label.group:
                groups[picture] = without_apostrophe(label.group)
    known = {*classes, NONE}  # the end of the program between the two files leaves classes that only the table has
    further = dict.fromkeys(name for answer in labels.values() for name in answer if name not in known)
    return Contents((*classes, *further), said["several"], labels, groups, said["base"])


def picture_of(label: Label, axes: Sequence[str]) -> Picture:
    """Return the picture that a label names, whether or not it is there."""
    place = dict(zip(axes, label.place, strict=True))
    region = without_apostrophe(place.pop(REGION, ""))
    numbers = {axis: int(text) for axis, text in place.items() if text.isdecimal()}
    return Picture(without_apostrophe(label.image), place_of(numbers), region)


def _axes(labels: Mapping[Picture, Answer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(axis for picture in labels for axis, _ in picture.place))


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.labels.json")  # NAME.json is the record of a table of results


def _has_lines(path: Path) -> bool:
    """Tell whether there is more than the names of the columns: before the first label there is not."""
    try:
        with path.open("rb") as file:
            file.readline()
            return bool(file.readline().strip())
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The labels {readable(path.name)} cannot be read: {reason}.", remedy) from error


def _said(path: Path) -> dict[str, Any] | None:
    try:
        said = safe_json.parse(read_small(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"{readable(path.name)} cannot be read: {reason}.", remedy) from error
    except ValueError as error:
        raise _damaged(path) from error
    if not isinstance(said, dict) or not {"classes", "unsure"} & said.keys():
        return None  # it is about something else
    texts = all(
        isinstance(said.get(name), list) and all(isinstance(each, str) for each in said[name])
        for name in ("classes", "axes")
    )
    if not texts or said.get("version") != VERSION:
        raise _damaged(path)
    if not (isinstance(said.get("several"), bool) and isinstance(said.get("base"), str) and _are_pictures(said)):
        raise _damaged(path)
    return dict(said)


def _are_pictures(said: Mapping[str, Any]) -> bool:
    return isinstance(said.get("unsure"), list) and all(
        isinstance(each, list)
        and len(each) == 3
        and isinstance(each[0], str)
        and isinstance(each[1], dict)
        and all(isinstance(place, int) for place in each[1].values())
        and isinstance(each[2], str)
        for each in said["unsure"]
    )


def _plain(picture: Picture) -> list[Any]:
    return [picture.image, dict(picture.place), picture.region]


def _picture(plain: Sequence[Any]) -> Picture:
    return Picture(plain[0], place_of(plain[1]), plain[2])


def _damaged(path: Path) -> OptionError:
    return OptionError(
        f"{readable(path.name)} does not say how these labels were given.",
        "Remove this file to open the table of labels by itself.",
    )
