"""What the model sees: the input that it gets for the plane that the viewer shows."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_webipred._napari.images.picture import Picture
from napari_webipred._napari.images.shown_plane import Shown, ShownPlane, Stack
from napari_webipred._napari.images.value_table import ValueTable
from napari_webipred._napari.latest import Latest
from napari_webipred._napari.viewer_session import ViewerSession, session_of
from napari_webipred._napari.widgets.dock import InDock
from napari_webipred._napari.widgets.focus import focus_sheet
from napari_webipred._napari.widgets.label import ElidedLabel, MutedLabel
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.scrolling_column import scrolling_column
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred.errors import OptionError, WebIPredError
from napari_webipred.names import readable

if TYPE_CHECKING:
    from napari_webipred.card import ModelCard
    from napari_webipred.execution.preview import Preview

    Range = tuple[float, float]

WIDTH = 380
SHARE = 0.45  # of the height of the window
COMPUTING = "Computing…"


class PreviewWidget(QWidget):
    """Shows what a model sees of the shown plane: the image before and after, the steps, and the numbers.

    It needs no panel: the model is the one that was chosen last, and the options are those of the panel where it is
    open.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose active layer is shown.

    Attributes
    ----------
    shown : Preview or None
        What is shown now.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._session = session_of(napari_viewer)
        self._theme = theme = Theme(napari_viewer)
        self._ranged: tuple[Stack, Range | None] | None = None  # the stack whose range was found last
        self.shown: Preview | None = None
        self.plane = ShownPlane(napari_viewer, self._session, self)
        self.latest = Latest(self)
        self.name = ElidedLabel()
        self.original = Picture("Original", theme)
        self.seen = Picture("Model input", theme)
        self._sides = [_titled(self.original), _titled(self.seen)]
        self.range = ElidedLabel()
        self.steps = MutedLabel()
        self.values = ValueTable()
        self.state = MutedLabel()
        self.message = Message(theme)
        self._lay_out()
        self.plane.changed.connect(self.look)
        self.latest.done.connect(self._on_done)
        self.latest.failed.connect(self._on_failed)
        for picture in (self.original, self.seen):
            picture.setToolTip("Click to enlarge, and again to see both")
            picture.clicked.connect(self._enlarge)
        InDock(self, self._listen, SHARE).listen(True)

    def _lay_out(self) -> None:
        pictures = QHBoxLayout()
        for side in self._sides:
            pictures.addWidget(side, 1)
        self.scroll, layout = scrolling_column(self, "What the model sees", 6)
        layout.addWidget(self.name)
        layout.addLayout(pictures)
        for widget in (self.state, self.message, self.range, self.steps, self.values):
            layout.addWidget(widget)
        layout.addStretch(1)

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, 420)

    def _enlarge(self) -> None:
        """Show only the picture that was clicked, or both again."""
        for side, other in (self._sides, self._sides[::-1]):
            if side.isAncestorOf(self.sender()):
                other.setVisible(other.isHidden())

    def _listen(self, listening: bool) -> None:
        if listening:
            self._session.model_changed.connect(self.look)
            self._viewer.events.theme.connect(self._show_focus)
            self._show_focus()
            self.plane.follow()
        else:
            self._session.model_changed.disconnect(self.look)
            self._viewer.events.theme.disconnect(self._show_focus)
            self.plane.leave()
            self.latest.stop()

    def _show_focus(self, event: Any = None) -> None:
        self.setStyleSheet(focus_sheet(self._theme))

    def look(self) -> None:
        """Compute what the model sees now, or say why there is nothing to see."""
        try:
            card = ready_card(self._session)
            shown = self.plane.now()
            if shown is None:
                raise OptionError("No image is open.", "Drop an image file onto the viewer.")
            if shown.source.regions is not None and shown.region is None:
                raise OptionError("No region lies in this plane.", "Go to a plane with a region.")
        except WebIPredError as error:
            self.latest.stop()
            self._show(None)
            self.name.setText("")
            self.message.show_note(error.message, error.hint)
            return
        place = ", ".join(f"{axis} {i}" for axis, i in shown.source.position(shown.index).items())
        region = shown.region.name if shown.region is not None else ""
        self.name.setText(readable(" · ".join(part for part in (shown.source.name, place, region) if part)))
        self.message.clear()
        self.state.setText(COMPUTING)
        self.state.show()
        self.latest.ask(lambda: _look(shown, card, self._ranged))

    def _on_done(self, result: tuple[Preview, tuple[Stack, Range | None] | None]) -> None:
        preview, self._ranged = result
        self._show(preview)
        self.message.clear()
        if preview.remark:
            self.message.show_note(preview.remark)

    def _on_failed(self, error: Exception) -> None:
        self._show(None)
        self.message.show_error(error)

    def _show(self, preview: Preview | None) -> None:
        self.shown = preview
        self.state.hide()
        for widget in (self.range, self.steps, self.values):
            widget.setVisible(preview is not None)
        if preview is None:
            self.original.clear()
            self.seen.clear()
            return
        low, high = preview.intensity_range
        self.original.show_image(preview.original, preview.size, preview.frame)
        self.seen.show_image(preview.seen, preview.tensor.shape[:2])
        self.range.setText(f"Black {low:.6g}, white {high:.6g}")
        self.steps.setText("\n".join(f"{step}." for step in preview.steps))
        self.values.show_values(preview.channels)


def _titled(picture: Picture) -> QWidget:
    side = QWidget()
    layout = QVBoxLayout(side)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(4)
    layout.addWidget(ElidedLabel(picture.accessibleName()))
    layout.addWidget(picture)
    layout.addStretch(1)
    return side


def ready_card(session: ViewerSession) -> ModelCard:
    """Return the card of the chosen model, which says how images are prepared.

    Raises
    ------
    WebIPredError
        There is none yet; in words what to do.
    """
    loading = session.loading
    if loading.progress is not None:
        raise OptionError("The model is being opened.", "What it sees is shown here when it is ready.")
    if loading.fault is not None:
        raise loading.fault
    assert loading.model is not None
    return loading.model.card


def _look(
    shown: Shown, card: ModelCard, known: tuple[Stack, Range | None] | None
) -> Generator[None, None, tuple[Preview, tuple[Stack, Range | None] | None]]:
    from napari_webipred.execution.plane import Plane, ranged
    from napari_webipred.execution.preview import preview

    yield
    source = shown.source
    if shown.options.intensity == "stack":
        if known is None or not known[0].same(shown.stack):
            known = shown.stack, ranged(source).intensity_range
            yield
        source = replace(source, intensity_range=known[1])
    return preview(Plane(0, source, shown.index, shown.region), card, shown.options), known
