"""The user's own classes, and which pictures have which of them: plain data, with a way back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from napari_webipred.errors import OptionError
from napari_webipred.names import plain, readable
from napari_webipred.results.reading import NONE

LONGEST = 100  # characters of the name of a class, or of a model for own classes
MOST = 200  # classes
SEPARATOR = ";"  # between the classes of one picture, in a file
MOST_CHANGES = 2000  # that can be taken back

Answer: TypeAlias = tuple[str, ...]  # as in `napari_webipred.results.reading.Reading`: empty if nobody knows
UNSURE: Answer = ()

Said = TypeVar("Said")


class Picture(Struct, frozen=True):
    """An image, a plane of a stack, or a region: what gets a label.

    Attributes
    ----------
    image : str
        The path of its file, or the name of its layer.
    place : tuple of (str, int)
        The plane of a stack; see `place_of`.
    region : str
        The name of the region; empty for the whole plane.
    """

    image: str
    place: tuple[tuple[str, int], ...] = ()
    region: str = ""


class Contents(Struct, frozen=True):
    """All that a project says at one moment, to be written by another thread.

    Attributes
    ----------
    classes : tuple of str
    several : bool
        Whether a picture can have several classes, or none.
    labels : mapping of Picture to tuple of str
        See `Project`.
    groups : mapping of Picture to str
        What pictures have in common, such as a patient.
    base : str
        What opens the model whose features are used.
    """

    classes: tuple[str, ...] = ()
    several: bool = False
    labels: Mapping[Picture, Answer] = field(default_factory=dict)
    groups: Mapping[Picture, str] = field(default_factory=dict)
    base: str = ""


class _Change(Struct, frozen=True):
    """What was there before a change."""

    classes: tuple[str, ...]
    several: bool
    labels: Mapping[Picture, Answer | None]


class Project:
    """Classes and labels, which change one step at a time and can be taken back.

    Attributes
    ----------
    classes : tuple of str
        In the order in which the user has named them.
    several : bool
        Whether a picture can have several classes, or none.
    labels : dict of Picture to tuple of str
        The classes of each picture that somebody has looked at; ``("none",)`` if it has none of them, empty if nobody
        could say.
    groups : dict of Picture to str
        What pictures have in common, such as a patient.
    base : str
        What opens the model whose features are used; empty while none is chosen.
    """

    def __init__(self) -> None:
        self.classes: tuple[str, ...] = ()
        self.several = False
        self.labels: dict[Picture, Answer] = {}
        self.groups: dict[Picture, str] = {}
        self.base = ""
        self._changes: list[_Change] = []

    def contents(self) -> Contents:
        """Return what there is now."""
        return Contents(self.classes, self.several, dict(self.labels), dict(self.groups), self.base)

    def open(self, contents: Contents) -> None:
        """Take over what a file says, in place of what there is."""
        self.classes, self.several, self.base = contents.classes, contents.several, contents.base
        self.labels, self.groups = dict(contents.labels), dict(contents.groups)
        self._changes.clear()

    def add_class(self, name: str) -> None:
        """Name a new class.

        Raises
        ------
        OptionError
            It cannot have this name, or there are too many.
        """
        name = checked(name, self.classes)
        self._note({})
        self.classes = (*self.classes, name)

    def rename(self, before: str, name: str) -> None:
        """Call a class otherwise; its pictures keep it.

        Raises
        ------
        OptionError
            It cannot have this name.
        """
        if name.strip() == before:
            return
        place = self.classes.index(before)
        others = self.classes[:place] + self.classes[place + 1 :]
        name = checked(name, others)
        changed = {picture: answer for picture, answer in self.labels.items() if before in answer}
        self._note(changed)
        self.classes = (*self.classes[:place], name, *self.classes[place + 1 :])
        for picture, answer in changed.items():
            self.labels[picture] = tuple(name if each == before else each for each in answer)

    def remove_class(self, name: str) -> None:
        """Remove a class, and the labels that name it alone."""
        changed = {picture: answer for picture, answer in self.labels.items() if name in answer}
        self._note(changed)
        self.classes = tuple(each for each in self.classes if each != name)
        for picture, answer in changed.items():
            rest = tuple(each for each in answer if each != name)
            if rest:
                self.labels[picture] = rest
            else:
                del self.labels[picture]

    def allow_several(self, several: bool) -> None:
        """Say whether a picture can have several classes, or none.

        Raises
        ------
        OptionError
            Some have several, or none, already.
        """
        if several == self.several:
            return
        wrong = sum(len(answer) > 1 or answer == (NONE,) for answer in self.labels.values())
        if wrong and not several:
            raise OptionError(
                f"{_pictures(wrong)} {'has' if wrong == 1 else 'have'} several classes, or none.",
                "Give each of them one class first, or leave it as it is.",
            )
        self._note({})
        self.several = several

    def label(self, picture: Picture, answer: Answer | None) -> None:
        """Say which classes a picture has; None takes the label away.

        Raises
        ------
        OptionError
            There is no such class, or it cannot have so many.
        """
        self.take({picture: answer})

    def take(self, labels: Mapping[Picture, Answer | None]) -> None:
        """Give labels to many pictures in one step; classes that are not known yet are added.

        Raises
        ------
        OptionError
            A picture has several classes where it can have one, or a class cannot have its name. Nothing is changed.
        """
        classes = self.classes
        for answer in labels.values():
            if answer is not None and not self.several and (len(answer) > 1 or answer == (NONE,)):
                said = ", ".join(readable(name, LONGEST) for name in answer)
                raise OptionError(
                    f"An image has the label {said}.", "Let images have several classes, or give each of them one."
                )
            for name in answer or ():
                if name not in classes and name != NONE:
                    classes = (*classes, checked(name, classes))
        self._note({picture: self.labels.get(picture) for picture in labels})
        self.classes = classes
        for picture, answer in labels.items():
            self._set(picture, answer)

    def move(self, names: Mapping[Picture, Picture]) -> None:
        """Let labels go with pictures that are called otherwise now, also those that can be brought back.

        Parameters
        ----------
        names : mapping of Picture to Picture
            The new name of each; no two may get the same.
        """
        self.labels = _moved(self.labels, names)
        self.groups = _moved(self.groups, names)
        self._changes = [replace(change, labels=_moved(change.labels, names)) for change in self._changes]

    @property
    def named(self) -> set[Picture]:
        """The pictures of which there are labels or groups, also those that can be brought back."""
        return set().union(self.labels, self.groups, *(change.labels for change in self._changes))

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._changes)

    def undo(self) -> list[Picture]:
        """Take the last change back, and return the pictures that it was about."""
        if not self._changes:
            return []
        change = self._changes.pop()
        self.classes, self.several = change.classes, change.several
        for picture, answer in change.labels.items():
            self._set(picture, answer)
        return list(change.labels)

    def counts(self, pictures: Iterable[Picture] | None = None) -> dict[str, int]:
        """Count the pictures of each class, of these or of all that have a label."""
        found = Counter(name for answer in self._of(pictures) for name in answer)
        return {name: found[name] for name in self.classes}

    def decided(self, pictures: Iterable[Picture] | None = None) -> int:
        """Count the pictures that somebody has given classes, or none of them; those of which nobody knows are not."""
        return sum(bool(answer) for answer in self._of(pictures))

    def _of(self, pictures: Iterable[Picture] | None) -> Iterable[Answer]:
        if pictures is None:
            return self.labels.values()
        return (answer for picture in pictures if (answer := self.labels.get(picture)) is not None)

    def _set(self, picture: Picture, answer: Answer | None) -> None:
        if answer is None:
            self.labels.pop(picture, None)
        else:
            self.labels[picture] = answer

    def _note(self, labels: Mapping[Picture, Answer | None]) -> None:
        self._changes.append(_Change(self.classes, self.several, labels))
        del self._changes[:-MOST_CHANGES]


def _moved(said: Mapping[Picture, Said], names: Mapping[Picture, Picture]) -> dict[Picture, Said]:
    return {names.get(picture, picture): each for picture, each in said.items()}


def place_of(position: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Return a plane of a stack, given by the names of the axes, as a `Picture` has it: in the order of the names."""
    return tuple(sorted(position.items()))


def checked(name: str, others: Iterable[str]) -> str:
    """Return the name of a class as it is kept.

    Raises
    ------
    OptionError
        A class cannot be called so beside these others.
    """
    name, others = name.strip(), list(others)
    shown = readable(name, LONGEST)
    if not name or not name.isprintable():
        raise OptionError("A class needs a name.", "Type what the images show, such as nucleus.")
    if len(name) > LONGEST:
        raise OptionError(f"The name {shown} is too long.", f"Use {LONGEST} characters at most.")
    if SEPARATOR in name or plain(name) == NONE:
        raise OptionError(
            f"A class cannot be called {shown}.", f"“{SEPARATOR}” and “{NONE}” mean something in tables. Choose others."
        )
    if plain(name) in map(plain, others):
        raise OptionError(f"There is a class {shown} already.", "Choose another name.")
    if len(others) >= MOST:
        raise OptionError(f"There are {MOST} classes already.", "Remove one first.")
    return name


def _pictures(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"
