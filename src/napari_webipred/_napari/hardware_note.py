"""What else than the processor can compute the model, and how far its numbers are from the usual ones."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_webipred._napari.form import DEVICES, PRECISIONS, ClassifyForm
from napari_webipred._napari.task import Task
from napari_webipred._napari.viewer_session import ViewerSession
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.value_widget import offer
from napari_webipred.hardware import USUAL, Hardware
from napari_webipred.preferences import Preferences

if TYPE_CHECKING:
    from napari_webipred.difference import Difference
    from napari_webipred.model import Model


class HardwareNote(QWidget):
    """Offers in the form what can be used here, and says how far the numbers will be from the usual ones.

    Signals
    -------
    changed
        It is being measured, or has been.
    """

    changed = Signal()

    def __init__(self, session: ViewerSession, form: ClassifyForm, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._form = form
        self._task: Task | None = None
        self._measured: tuple[Model, Hardware] | None = None
        self.message = Message(theme)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.message)
        session.model_changed.connect(self.refresh)
        form.device.changed.connect(self.refresh)
        form.precision.changed.connect(self.refresh)
        self.refresh()

    @property
    def measuring(self) -> bool:
        """Whether it is being measured how far the numbers will be from the usual ones."""
        return self._task is not None

    def offers(self, choice: ComboBox) -> bool:
        """Tell whether there is something to choose: that is known once a model is open."""
        return self._session.loading.model is not None and len(choice.choices) > 1

    def prefer(self, before: Preferences | None, now: Preferences) -> None:
        """Choose what is preferred, unless something else was chosen."""
        for name, choice, words in self._choices():
            wanted = getattr(now, name)
            if before is None or choice.value == getattr(before, name):
                offer(choice, {each: words[each] for each in words if each in (*choice.choices, wanted)}, wanted)
        self.refresh()

    def _choices(self) -> list[tuple[str, ComboBox, dict[Any, str]]]:
        return [("device", self._form.device, DEVICES), ("precision", self._form.precision, PRECISIONS)]

    def refresh(self) -> None:
        """Offer what can be used, once a model is open, and measure what is chosen."""
        model = self._session.loading.model
        if model is not None:
            self._offer()
        hardware = Hardware(self._form.precision.value, self._form.device.value)
        usual = model is None or hardware == USUAL or self._session.loading.needs_settings
        wanted = None if usual or model is None else (model, hardware)
        if wanted != self._measured:
            self._measured = wanted
            self._measure()

    def _offer(self) -> None:
        """Offer what ONNX Runtime can use here; it was imported with the model."""
        from napari_webipred.difference import offered

        there = offered()
        for name, choice, words in self._choices():
            wanted = [each for each in words if each in there[name] or each == choice.value]
            if list(choice.choices) != wanted:
                offer(choice, {each: words[each] for each in wanted}, choice.value)

    def _measure(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self.message.clear()
        if self._measured is not None:
            self._task = Task(_measuring(*self._measured))
            self._task.done.connect(self._on_done)
            self._task.failed.connect(self._on_failed)
            self._task.start()
        self.changed.emit()

    def _on_done(self, found: Difference | None) -> None:
        self._task = None
        if found is not None and self._measured is not None:
            self.message.show_note(found.sentence(self._measured[0].card.name))
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self.message.show_error(error)
        self.changed.emit()


def _measuring(model: Model, hardware: Hardware) -> Generator[None, None, Difference | None]:
    from napari_webipred.difference import difference

    yield
    return difference(model, hardware)
