"""Labels that are there already, in a file, in the names of folders or in the features of a layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from napari_webipred._napari.own_classes.items import Item
from napari_webipred.errors import OptionError
from napari_webipred.evaluation import truth
from napari_webipred.evaluation.cohort import Label, Predictions, Reason
from napari_webipred.evaluation.joining import joined
from napari_webipred.evaluation.matching import paired
from napari_webipred.fitting import project_file
from napari_webipred.fitting.project import UNSURE, Answer, Contents, Picture
from napari_webipred.names import plain
from napari_webipred.results.columns import REGION
from napari_webipred.results.reading import NONE

WORDS: dict[Reason, tuple[str, str]] = {
    "no row": ("label is of an image that is not listed", "labels are of images that are not listed"),
    "unknown class": ("label names several classes", "labels name several classes"),
    "ambiguous": ("name fits several images", "names fit several images"),
    "conflict": ("image has different labels", "images have different labels"),
}


class Taken(Struct, frozen=True, eq=False):
    """Labels for pictures.

    Attributes
    ----------
    labels : mapping of Picture to tuple of str
    groups : mapping of Picture to str
    left_out : str
        What could not be used, in words; empty if all could.
    project : Contents or None
        Everything that the file says, if it is one of ours.
    """

    labels: Mapping[Picture, Answer]
    groups: Mapping[Picture, str] = field(default_factory=dict)
    left_out: str = ""
    project: Contents | None = None


class Listed(Struct, frozen=True, eq=False):
    """The pictures that labels are looked for.

    Attributes
    ----------
    items : sequence of Item
    classes : tuple of str
        Those that are known.
    several : bool
        Whether a picture can have several.
    """

    items: Sequence[Item]
    classes: tuple[str, ...]
    several: bool

    @property
    def axes(self) -> tuple[str, ...]:
        """What tells pictures of the same image apart."""
        axes = dict.fromkeys(axis for item in self.items for axis, _ in item.picture.place)
        return (*axes, *((REGION,) if any(item.picture.region for item in self.items) else ()))

    def predictions(self, classes: Sequence[str], several: bool) -> Predictions:
        """Return the pictures as evaluations have them; nobody has said anything about them yet."""
        axes, shape = self.axes, (len(self.items), len(classes))
        places = [
            tuple(str({**dict(item.picture.place), REGION: item.picture.region}.get(axis, "")) for axis in axes)
            for item in self.items
        ]
        return Predictions(
            [item.picture.image for item in self.items],
            np.zeros(shape, np.float32),
            np.zeros(shape, np.bool_),
            tuple(classes),
            "multi-label" if several else "multi-class",
            axes,
            places if axes else (),
        )


def from_file(path: Path, listed: Listed) -> Generator[None, None, Taken]:
    """Take the labels of a table in a file; of one of ours also those of pictures that are not listed.

    Raises
    ------
    OptionError
        It cannot be read, or no label fits.
    """
    yield
    own = project_file.read(path)
    yield
    if own is not None:
        return _of_project(own, listed)
    labels, axes = truth.of(path, listed.classes, listed.axes, "group", listed.several)
    yield
    return _fitting(labels, axes, listed)


def from_folders(listed: Listed) -> Generator[None, None, Taken]:
    """Take the names of the folders of files for labels.

    Raises
    ------
    OptionError
        No picture is a file.
    """
    yield
    paths = [item.picture.image for item in listed.items if item.target.path is not None]
    if not paths:
        raise OptionError("No image is a file in a folder.", "Add a folder of images in step 2 of the panel.")
    return _fitting(truth.from_folders(paths), (), listed)


def from_layer(
    labels: Callable[[Predictions], tuple[list[Label], tuple[str, ...]]], listed: Listed
) -> Generator[None, None, Taken]:
    """Take what the features of a layer say."""
    yield
    found, axes = labels(listed.predictions(listed.classes, listed.several))
    yield
    return _fitting(found, axes, listed)


def _fitting(labels: Sequence[Label], axes: Sequence[str], listed: Listed) -> Taken:
    """Give each picture its label."""
    names: dict[str, str] = {plain(name): name for name in listed.classes}
    for label in labels:
        for name in label.classes:
            names.setdefault(plain(name), name)
    if not (listed.several or any(label.classes for label in labels)) or not labels or not listed.items:
        raise OptionError(
            "There are no labels." if listed.items else "There are no images.",
            "Choose another source of labels." if listed.items else "Choose images in step 2 of the panel.",
        )
    cohort = joined(listed.predictions([*names.values()], listed.several), labels, axes, grouped_by="group")
    pictures = [listed.items[row].picture for row in cohort.rows.tolist()]
    answers = [
        tuple(name for name, has in zip(cohort.classes, row, strict=True) if has) or (NONE,) for row in cohort.truth
    ]
    counts = Counter(each.reason for each in cohort.unmatched)
    said = [f"{counts[reason]:,} {words[counts[reason] != 1]}" for reason, words in WORDS.items() if counts[reason]]
    return Taken(dict(zip(pictures, answers, strict=True)), _groups(labels, axes, listed), ", ".join(said))


def _groups(labels: Sequence[Label], axes: Sequence[str], listed: Listed) -> dict[Picture, str]:
    """Give each picture the group of its label, which is found as labels are."""
    given = [Label(label.image, (label.group,) if label.group else (), label.place) for label in labels]
    names = list(dict.fromkeys(label.group for label in labels if label.group))
    if not names:
        return {}
    cohort = joined(listed.predictions(names, several=False), given, axes)
    numbers = cohort.truth.argmax(axis=1).tolist()
    return {listed.items[row].picture: names[number] for row, number in zip(cohort.rows.tolist(), numbers, strict=True)}


def _of_project(own: Contents, listed: Listed) -> Taken:
    """Take a file of ours; where it names images by other paths, those that end alike are meant."""
    here = {item.picture for item in listed.items}
    labels, groups = dict(own.labels), dict(own.groups)
    images, named = ([*dict.fromkeys(picture.image for picture in each)] for each in (here, own.labels))
    before = paired(images, named).found
    for now in here - own.labels.keys():
        then = replace(now, image=before.get(now.image, now.image))
        if then in labels and then not in here:
            labels[now] = labels.pop(then)
            if then in groups:
                groups[now] = groups.pop(then)
    return Taken(labels, groups, project=own)


def words_of(taken: Taken) -> str:
    """Say how many labels there are."""
    count = sum(answer != UNSURE for answer in taken.labels.values())
    return f"{count:,} label{'s' * (count != 1)} taken"
