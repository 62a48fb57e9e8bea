"""The head that is fitted again after each few labels, and how good it is; both beside the window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred._napari.latest import Latest
from napari_webipred._napari.own_classes.picture_features import PictureFeatures
from napari_webipred.fitting.project import Answer, Project
from napari_webipred.results.reading import NONE

if TYPE_CHECKING:
    from napari_webipred.fitting.head import Head
    from napari_webipred.fitting.honest import Honest
    from napari_webipred.fitting.labels import Labels
else:
    Head = Honest = Labels = Any  # imported when first needed, and `help` asks for the types of fields

SUGGESTED = 24  # pictures at a time
QUIET = 700  # milliseconds without a label, after which the figures are computed again
SEED = 0
THRESHOLD = 0.5  # from which on a picture that can have several classes has one
DRAWS = 400  # of the resampling: intervals are shown with two digits


class Given(Struct, frozen=True, eq=False):
    """What a head is fitted to: the labelled pictures whose features are known.

    Attributes
    ----------
    rows : tuple of int
    answers : tuple of tuple of str
        The classes of each.
    classes : tuple of str
        Those that have pictures, in the user's order.
    several : bool
    groups : tuple of str, or None
    """

    rows: tuple[int, ...]
    answers: tuple[Answer, ...]
    classes: tuple[str, ...]
    several: bool
    groups: tuple[str, ...] | None

    @property
    def task(self) -> Literal["single", "multi"]:
        """What the head has to do."""
        return "multi" if self.several else "single"

    @property
    def key(self) -> tuple[Any, ...]:
        """What is compared to see whether a head was fitted to the same."""
        return self.rows, self.answers, self.classes, self.several, self.groups

    @property
    def fault(self) -> str:
        """Why no head can be fitted yet, as what to do next; empty if one can."""
        if self.several:
            always = [name for name in self.classes if all(name in answer for answer in self.answers)]
            if not self.classes:
                return "Label some images."
            return f"Label images without {always[0]}, too." if always else ""
        if not self.classes:
            return "Label some images of two classes."
        return f"Label images of a class other than {self.classes[0]}, too." if len(self.classes) < 2 else ""


class Learned(Struct, frozen=True, eq=False):
    """What is known of all pictures after the latest labels.

    Attributes
    ----------
    given : Given
    head : Head or None
        None while none can be fitted.
    probabilities : ndarray of float32, shape (pictures, classes)
        NaN where the features are not known; the classes are those of the head.
    suggested : tuple of int
        The rows to label next, the most useful one first.
    """

    given: Given
    head: Head | None
    probabilities: NDArray[np.float32]
    suggested: tuple[int, ...]


class Learning(QObject):
    """Fits the head to what is labelled, and judges it when the user pauses.

    Attributes
    ----------
    learned : Learned or None
    judged : Honest or None
        How good the head is; that of the labels before, while new figures are computed.

    Signals
    -------
    changed
        There is another head, or it says something of more pictures.
    judged_changed
        There are other figures, or they are being computed.
    failed : Exception
    """

    changed = Signal()
    judged_changed = Signal()
    failed = Signal(object)

    def __init__(self, features: PictureFeatures, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._features = features
        self._given: Given | None = None
        self._waits = False
        self.learned: Learned | None = None
        self.judged: Honest | None = None
        self.fault: Exception | None = None
        self._judged_key: Any = None
        self._fits, self._judges = Latest(self), Latest(self)
        self._fits.done.connect(self._on_learned)
        self._fits.failed.connect(self._on_failed)
        self._judges.done.connect(self._on_judged)
        self._judges.failed.connect(self._on_not_judged)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(QUIET)
        self._timer.timeout.connect(self._judge)

    @property
    def busy(self) -> bool:
        """Whether a head is being fitted."""
        return self._fits.busy

    @property
    def judging(self) -> bool:
        """Whether figures are being computed, or will be as soon as the user pauses."""
        return self._timer.isActive() or self._judges.busy

    @property
    def is_judged(self) -> bool:
        """Whether the figures are those of the latest head."""
        latest = self.learned is not None and self.learned.given.key == self._judged_key
        return latest and self.judged is not None and not self.judging

    def rest(self) -> None:
        """End what is computed."""
        self._fits.stop()
        self._judges.stop()
        self._timer.stop()
        self._waits = False

    def forget(self) -> None:
        """Forget all: the pictures are others."""
        self.rest()
        self.learned = self.judged = self.fault = self._judged_key = self._given = None
        self.changed.emit()
        self.judged_changed.emit()

    def learn(self, given: Given) -> None:
        """Fit a head to this, unless it is the same as before, and see what it says of all pictures.

        A fit that has begun goes on to its end: while somebody labels faster than heads are fitted, there is news all
        the same.
        """
        self._given = given
        if self._fits.busy:
            self._waits = True
            return
        features, known = self._features.values, np.flatnonzero(self._features.known)
        before = self.learned
        self._fits.ask(lambda: _learning(given, features, known, len(self._features.known), before))

    def _on_learned(self, learned: Learned) -> None:
        self.learned = learned
        self.changed.emit()
        if self._waits:
            self._waits = False
            assert self._given is not None
            self.learn(self._given)
        if learned.head is None:
            self._judges.stop()
            self._timer.stop()
            self.judged = self.fault = self._judged_key = None
            self.judged_changed.emit()
        elif learned.given.key != self._judged_key:
            self._timer.start()
            self.judged_changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._waits = False
        self.failed.emit(error)

    def _judge(self) -> None:
        if self.learned is None or self.learned.head is None:
            return
        if self._judges.busy:  # figures that have begun are shown: who labels without a pause would never see any
            self._timer.start()
            return
        given, values = self.learned.given, self._features.values
        self._judged_key = given.key
        self._judges.ask(lambda: judging_of(given, values))
        self.judged_changed.emit()

    def _on_judged(self, found: Honest) -> None:
        self.judged, self.fault = found, None
        self.judged_changed.emit()

    def _on_not_judged(self, error: Exception) -> None:
        self.judged, self.fault = None, error
        self.judged_changed.emit()


def assigned(numbers: NDArray[np.float32], several: bool) -> tuple[int, ...]:
    """Return which classes a picture has by its probabilities, none of which is NaN."""
    return tuple(np.flatnonzero(numbers >= THRESHOLD).tolist()) if several else (int(numbers.argmax()),)


def given_of(project: Project, pictures: Sequence[Any], known: NDArray[np.bool_]) -> Given:
    """Collect what a head is fitted to. Pictures of the same image without another group are a group.

    Parameters
    ----------
    project : Project
    pictures : sequence of Picture
        In the order of the rows.
    known : ndarray of bool
        Whose features are known.
    """
    rows, answers = [], []
    for row in np.flatnonzero(known).tolist():
        answer = project.labels.get(pictures[row])
        if answer:
            rows.append(row)
            answers.append(() if answer == (NONE,) else answer)
    used = {name for answer in answers for name in answer}
    of_image = Counter(pictures[row].image for row in rows)  # planes and regions of an image are alike
    alone = (pictures[row].image if of_image[pictures[row].image] > 1 else "" for row in rows)
    found = [project.groups.get(pictures[row]) or image for row, image in zip(rows, alone, strict=True)]
    groups = tuple(found) if any(found) else None
    classes = tuple(name for name in project.classes if name in used)
    return Given(tuple(rows), tuple(answers), classes, project.several, groups)


def _learning(
    given: Given,
    features: NDArray[np.float32],
    known: NDArray[np.intp],
    count: int,
    before: Learned | None,
) -> Generator[None, None, Learned]:
    from napari_webipred.fitting.head import fit
    from napari_webipred.fitting.suggestion import suggest

    yield
    head = None
    if before is not None and before.given.key == given.key:
        head = before.head
    elif not given.fault:
        rows = list(given.rows)
        head = fit(features[rows], _labels(given), given.classes, task=given.task, groups=given.groups, seed=SEED)
    yield
    seen = features[known]
    probabilities = np.full((count, 0 if head is None else len(head.classes)), np.nan, np.float32)
    if head is not None:
        probabilities[known] = head.probabilities(seen)
    yield
    suggested: tuple[int, ...] = ()
    if len(known):
        labelled = np.isin(known, given.rows)
        said = probabilities[known] if head is not None else None
        suggested = tuple(known[suggest(said, seen, labelled, SUGGESTED)].tolist())
    return Learned(given, head, probabilities, suggested)


def judging_of(given: Given, features: NDArray[np.float32]) -> Generator[tuple[int, int], None, Honest]:
    """Compute how good a head is, step by step; yields how many steps are done, and how many there are."""
    from napari_webipred.fitting.honest import judging

    yield 0, 0
    return (yield from judging(features[list(given.rows)], labels_of_given(given), SEED, DRAWS))


def labels_of_given(given: Given) -> Labels:
    """Return labels as a head is fitted to them."""
    from napari_webipred.fitting.labels import labels_of

    return labels_of(_labels(given), given.classes, task=given.task, groups=given.groups)


def _labels(given: Given) -> list[Any]:
    return list(given.answers) if given.several else [answer[0] for answer in given.answers]
