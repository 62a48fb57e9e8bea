"""The user's own classes in a viewer: what stays when the dock is closed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from qtpy.QtCore import QObject, QTimer, Signal

from napari_webipred._napari.evaluation.grouping import group_of
from napari_webipred._napari.own_classes.base import Base
from napari_webipred._napari.own_classes.items import Item, items_of, unchanged
from napari_webipred._napari.own_classes.keeping import Keeping
from napari_webipred._napari.own_classes.label_taking import Listed, Taken
from napari_webipred._napari.own_classes.learning import Learning, given_of
from napari_webipred._napari.own_classes.model_making import Wanted
from napari_webipred._napari.own_classes.picture_features import PictureFeatures
from napari_webipred._napari.own_classes.subjects import Subjects
from napari_webipred._napari.own_classes.walk import Walk
from napari_webipred._napari.task import Task
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.fitting.project import Answer, Picture, Project

if TYPE_CHECKING:
    from napari_webipred.options import Options

PATIENCE = 80  # milliseconds; much changes at once when images are added
MODEL_NAME = "My own classes"


class OwnClasses(QObject):
    """Classes, labels, features and head of one viewer; the dock shows them and listens to the signals.

    Parameters
    ----------
    session : ViewerSession

    Attributes
    ----------
    project : Project
        Classes and labels. Whoever changes it does so through this object, which tells everybody.
    base : Base
        The model whose features are used.
    items : list of Item
        The pictures that are chosen in the panel; they stay when the panel is closed.
    more : bool
        Whether there are more than can be labelled.
    decided : int
        To how many items somebody has given classes, or none of them.
    fault : Exception or None
        Why there are no pictures.
    features : PictureFeatures
    learning : Learning
    walk : Walk
    keeping : Keeping
    grouped_by : str
        How pictures are grouped by their paths; a key of `GROUPINGS`, or empty.
    name : str
        What the model is to be called.

    Signals
    -------
    labels_changed
        There are other classes or labels.
    pictures_changed
        There are other pictures.
    moved
        Another picture gets its label now.
    taken : Taken
        Labels from elsewhere were taken.
    failed : Exception
        Something that the user has asked for cannot be done.
    """

    labels_changed = Signal()
    pictures_changed = Signal()
    moved = Signal()
    taken = Signal(object)
    failed = Signal(object)

    def __init__(self, session: Any) -> None:
        super().__init__()
        self._session = session
        self.project = Project()
        self.base = Base(session, self)
        self.features = PictureFeatures(self)
        self.learning = Learning(self.features, self)
        self.walk = Walk(self.project)
        self._subjects = Subjects()
        self.keeping = Keeping(self.project.contents, self)
        self.items: list[Item] = []
        self.rows: dict[Picture, int] = {}
        self.more = False
        self.fault: Exception | None = None
        self.grouped_by = ""
        self.name = MODEL_NAME
        self._options: Options | None = None
        self._pictures: list[Picture] = []
        self.decided = 0
        self._model: object = None
        self._task: Task | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE)
        self._timer.timeout.connect(self.look)
        self._form: Any | None = None
        session.form_changed.connect(self._follow_form)
        self._following = True
        for signal in self._news():
            signal.connect(self._timer.start)
        self.features.changed.connect(self._on_features)
        self.features.failed.connect(self.pictures_changed)
        self.learning.failed.connect(self.failed)
        self._follow_form()
        self.look()

    @property
    def pictures(self) -> list[Picture]:
        """The pictures in the order of their rows."""
        return self._pictures

    @property
    def item(self) -> Item | None:
        """The picture that gets its label now."""
        picture = self.walk.picture
        return None if picture is None else self.items[self.rows[picture]]

    @property
    def elsewhere(self) -> int:
        """How many labels are of pictures that are not listed now."""
        return sum(picture not in self.rows for picture in self.project.labels)

    @property
    def taking(self) -> bool:
        """Whether labels from elsewhere are being read."""
        return self._task is not None

    def look(self) -> None:
        """See which pictures are chosen in the panel, how they are read, and which model there is."""
        form, model = self._form, self.base.model
        if form is not None and form.finder.searching:  # it tells when the regions are found
            return
        items, options, fault = self.items, self._options, self.fault
        if form is not None:
            options = form.options()
            try:
                items, self.more = items_of(form)
                fault = form.finder.error if form.regions.value is not None else None
            except WebIPredError as error:
                items, fault = [], error
        others = not unchanged(self.items, items)
        if not others and model is self._model and options == self._options and fault is self.fault:
            return
        again = others or model is not self._model or options != self._options
        self._options, self._model, self.fault = options, model, fault
        if others:
            if items or fault is None:
                self._follow(items)
            self.items = items
            self._pictures = [item.picture for item in items]
            self.rows = {picture: row for row, picture in enumerate(self._pictures)}
            self.decided = self.project.decided(self._pictures)
            self._group()
        if again:
            self.learning.forget()
            if options is not None:
                self.features.look(model, options, self.items)
        self.pictures_changed.emit()

    def _follow(self, items: Sequence[Item]) -> None:
        """Let labels go with layers and shapes that have other names now, and not with what has their names."""
        names = self._subjects.look(items, self.project.named)
        if names:
            self.project.move(names)
            self.keeping.write()

    def _news(self) -> tuple[Any, ...]:
        """Return what tells that there may be other pictures, or another model."""
        return self._session.form_changed, self._session.images.changed, self.base.changed

    def _follow_form(self) -> None:
        """Take the form of the panel; when a window closes, it goes without a word."""
        if self._session.form is self._form:
            return
        # Python may be collecting a closed panel when Qt deletes it, and a call of a function that is gone would crash.
        if self._form is not None:
            self._form.native.destroyed.disconnect(self._on_form_gone)
        self._form = self._session.form
        if self._form is not None:
            self._form.native.destroyed.connect(self._on_form_gone)

    def _on_form_gone(self, _: object = None) -> None:
        """Rest: the panel was not closed, but the whole window goes."""
        self._form = None
        self.rest()

    def try_again(self) -> None:
        """Read those pictures again that could not be read."""
        if self.base.model is not None and self._options is not None:
            self.features.again(self.base.model, self._options)

    def change(self, do: Callable[[], None]) -> bool:
        """Change classes or labels; returns whether that was possible. The user is told why not."""
        try:
            do()
        except WebIPredError as error:
            self.failed.emit(error)
            return False
        self._on_labels()
        return True

    def label(self, answer: Answer) -> None:
        """Label the picture that is shown, and go to the next one."""
        picture = self.walk.picture
        if picture is not None and self.change(lambda: self.project.label(picture, answer)):
            self.base.hold()
            self.go_on()

    def undo(self) -> None:
        """Take the last change back, and go to its picture."""
        pictures = self.project.undo()
        self._on_labels()
        if len(pictures) == 1 and pictures[0] in self.rows:
            self.walk.go_to(pictures[0])
        self.moved.emit()

    def go_on(self) -> None:
        """Go to the picture that teaches most."""
        self.walk.go_on(self._suggested())
        self.moved.emit()

    def skip(self) -> None:
        """Go to the next picture without a label for this one."""
        self.walk.skip(self._suggested())
        self.moved.emit()

    def back(self) -> None:
        """Go to the picture before."""
        self.walk.back()
        self.moved.emit()

    def go_to_skipped(self) -> None:
        """Go to what was skipped."""
        self.walk.go_to_skipped()
        self.moved.emit()

    def go_to(self, picture: Picture) -> None:
        """Go to a picture."""
        self.walk.go_to(picture)
        self.moved.emit()

    def group_by(self, kind: str) -> None:
        """Say by their paths which pictures belong together; empty if each stands for itself."""
        self.grouped_by, self.project.groups = kind, {}
        self._group()
        self._on_labels()

    def wanted(self) -> Wanted | None:
        """Return what a model would be made of now; None while there is no head."""
        learned, model, options = self.learning.learned, self.base.model, self._options
        if learned is None or learned.head is None or model is None or options is None:
            return None
        judged = self.learning.judged if self.learning.is_judged else None
        unread = sum(bool(self.project.labels.get(self._pictures[row])) for row in self.features.faults)
        name = self.name.strip() or MODEL_NAME
        return Wanted(model, learned, self.features.values, judged, options, name, unread)

    def take(self, make: Callable[[Listed], Generator[None, None, Taken]], file: Path | None = None) -> None:
        """Take labels from elsewhere, beside the window; from a file, further labels may be written to it."""
        if self._task is not None:
            self._task.cancel()
        listed = Listed(self.items, self.project.classes, self.project.several)
        self._task = Task(make(listed))
        self._task.done.connect(lambda taken: self._on_taken(taken, file, listed.items))
        self._task.failed.connect(self._on_not_taken)
        self._task.start()

    def rest(self) -> None:
        """End all work for good, and write what is not written yet: the window is gone.

        A timer that ran when another thread collects this object as garbage would end the program.
        """
        for end in (self._look_no_more, self.learning.rest, self.features.rest):
            with suppress(RuntimeError):  # when a process ends, Qt may have deleted timers and signals already
                end()
        self.keeping.finish()

    def _look_no_more(self) -> None:
        self._timer.stop()
        for signal in self._news() if self._following else ():
            signal.disconnect(self._timer.start)
        self._following = False

    def _on_taken(self, taken: Taken, file: Path | None, items: Sequence[Item]) -> None:
        self._task = None
        if self._subjects.are_others(items, taken.labels):
            self.failed.emit(OptionError("The images have changed while labels were read.", "Take the labels again."))
            return
        by_path, groups = self.grouped_by, self.project.groups
        self._subjects.forget(taken.labels)
        if taken.groups:
            self.grouped_by, self.project.groups = "", {**groups, **taken.groups}
        if taken.project is not None and not self.project.labels and not self.project.classes:
            self.project.open(replace(taken.project, labels=taken.labels, groups=taken.groups))
            self.base.choose_named(taken.project.base)
            if file is not None:
                self.keeping.choose(file, written=True)
            self._on_labels()
        elif not self.change(lambda: self.project.take(taken.labels)):
            self.grouped_by, self.project.groups = by_path, groups
            return
        self.taken.emit(taken)
        self.go_on()

    def _on_not_taken(self, error: Exception) -> None:
        self._task = None
        self.failed.emit(error)

    def _on_labels(self) -> None:
        self.decided = self.project.decided(self._pictures)
        self.project.base = "" if self.base.entry is None else str(self.base.entry.key)
        self.keeping.write()
        self._learn()
        self.labels_changed.emit()

    def _on_features(self) -> None:
        self.walk.offer(self._pictures, (self._pictures[row] for row in self.features.faults))
        if self.walk.picture is None:
            self.walk.go_on(self._suggested())
            if self.walk.picture is not None:
                self.moved.emit()
        self._learn()

    def _learn(self) -> None:
        if len(self.features.known) == len(self._pictures) and self.features.known.any():
            self.learning.learn(given_of(self.project, self._pictures, self.features.known))

    def _suggested(self) -> Sequence[Picture]:
        learned = self.learning.learned
        return () if learned is None else [self._pictures[row] for row in learned.suggested]

    def _group(self) -> None:
        if self.grouped_by:
            self.project.groups = {
                item.picture: group_of(item.picture.image, self.grouped_by)
                for item in self.items
                if item.target.path is not None
            }
