"""The dock in which somebody names classes, labels a few pictures, and gets a model for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSize, QTimer
from qtpy.QtWidgets import QCheckBox, QFormLayout, QVBoxLayout, QWidget

from napari_webipred._napari.images.file_drop import FileDrop
from napari_webipred._napari.own_classes.class_editor import ClassEditor
from napari_webipred._napari.own_classes.items import Item
from napari_webipred._napari.own_classes.judged_view import JudgedView
from napari_webipred._napari.own_classes.label_files import LabelFiles
from napari_webipred._napari.own_classes.label_taking import Taken, words_of
from napari_webipred._napari.own_classes.label_view import LabelView
from napari_webipred._napari.own_classes.listed_view import ListedView
from napari_webipred._napari.own_classes.model_box import ModelBox
from napari_webipred._napari.own_classes.picture_image import PictureImage
from napari_webipred._napari.own_classes.picture_table import PictureTable
from napari_webipred._napari.viewer_session import session_of
from napari_webipred._napari.widgets.appearance import appearance
from napari_webipred._napari.widgets.choice import choice
from napari_webipred._napari.widgets.dock import InDock, set_connected
from napari_webipred._napari.widgets.focus import focus_sheet
from napari_webipred._napari.widgets.message import Message
from napari_webipred._napari.widgets.scrolling_column import scrolling_column
from napari_webipred._napari.widgets.section import Section
from napari_webipred._napari.widgets.theme import Theme
from napari_webipred._napari.widgets.wheel import WheelGuard
from napari_webipred._napari.widgets.wrapped_text import WrappedText
from napari_webipred._napari.widgets.wrapping_row import WrappingRow
from napari_webipred.names import readable

WIDTH, HEIGHT = 380, 560
SHARE = 0.62  # of the height of the window
NO_PANEL = "Images are chosen in the panel."
OPEN_PANEL = "Open the panel"
BETWEEN = 60  # milliseconds between two refreshes of all that is shown


class OwnClassesWidget(QWidget):
    """Names classes, labels pictures, shows how good the head is, and makes a model of it.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer whose images are labelled. Labels and features are kept when the dock is closed.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = napari_viewer
        self._session = session = session_of(napari_viewer)
        self.own = own = session.own_classes
        self._theme = theme = Theme(napari_viewer)
        self.base = choice("Model whose features are used")
        self.base.setToolTip("What this network sees in images tells your classes apart; the network stays as it is")
        self.message = Message(theme)
        self.classes = ClassEditor(own)
        self.several = QCheckBox("An image can have several classes")
        WrappedText(self.several)
        self.listed = ListedView(own, theme)
        self.labels = LabelView(own, theme)
        self.table = PictureTable(own)
        self.files = LabelFiles(napari_viewer, own, theme)
        self.judged = JudgedView(own, theme)
        self.model = ModelBox(session, theme)
        self.image = PictureImage(napari_viewer, self)
        self._lay_out()
        self._folded = bool(own.project.labels)
        self._fresh = QTimer(self)
        self._fresh.setSingleShot(True)
        self._fresh.setInterval(BETWEEN)
        self._fresh.timeout.connect(self._refresh)
        self._connect()
        InDock(self, self._listen, SHARE).listen(True)
        self._on_pictures()

    def _lay_out(self) -> None:
        self.scroll, layout = scrolling_column(self, "My own classes", 8)
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.addRow("Features of", self.base)
        below = WrappingRow([self.classes.remove])
        theme = self._theme
        self.sections = [
            Section("1", "Classes", _column(form, self.classes, below, self.several), theme),
            Section("2", "Labels", _column(self.listed, self.labels, self.table), theme),
            Section("", "Labels in files, groups", self.files, theme),
            Section("3", "Model", _column(self.judged, self.model), theme),
        ]
        self.sections[2].header.setChecked(False)
        for widget in (self.message, *self.sections):
            layout.addWidget(widget)
        layout.addStretch(1)
        self._wheel = WheelGuard(self.scroll.widget())

    def _connect(self) -> None:
        own = self.own
        self.base.activated.connect(lambda _: own.base.choose(self.base.currentData()))
        self.several.clicked.connect(self._on_several)
        self.message.accepted.connect(self._open_panel)
        self.labels.shown.connect(self._show)
        self.table.chosen.connect(self._on_chosen)
        self.image.failed.connect(self.labels.form.message.show_error)
        self._drop = FileDrop(self, self._theme)
        self._drop.dropped.connect(self._on_dropped)
        self._drop.refused.connect(lambda message, hint: self.message.show_note(message, hint))

    def sizeHint(self) -> QSize:
        return QSize(WIDTH, HEIGHT)

    def _listen(self, listening: bool) -> None:
        own, layers = self.own, self._viewer.layers.events
        pairs: list[tuple[Any, Any]] = [
            (own.labels_changed, self._on_labels),
            (own.pictures_changed, self._on_pictures),
            (own.moved, self._on_moved),
            (own.taken, self._on_taken),
            (own.failed, self._on_failed),
            (own.features.changed, self._fresh.start),
            (own.learning.changed, self._fresh.start),
            (own.learning.judged_changed, self._fresh.start),
            (own.keeping.changed, self._on_keeping),
            (self._session.catalogue.listed, self._list_bases),
            (self._session.catalogue.added, self._list_bases),
            (self._viewer.events.theme, self._on_theme),
            (appearance().events.font_size, self._on_theme),
            (layers.inserted, self._on_layers),
            (layers.removed, self._on_layers),
        ]
        set_connected(pairs, listening)
        self.labels.listen(listening)
        if listening:
            self._on_theme()
        else:
            self._fresh.stop()
            own.keeping.finish()
            self.model.cancel()
            self.image.show(None, [])

    def _on_theme(self, event: Any = None) -> None:
        self.setStyleSheet(focus_sheet(self._theme))
        self.table.fit()

    def _on_layers(self, event: Any = None) -> None:
        self.files.list_layers()

    def _on_pictures(self) -> None:
        """Show other pictures, or another model."""
        self._list_bases()
        self.table.pictures.arrange()
        self.table.fit()
        self._on_labels()

    def _on_labels(self) -> None:
        self.message.clear()
        self.several.setChecked(self.own.project.several)
        self.classes.refresh()
        self.files.refresh()
        self._fold()
        self._refresh()

    def _fold(self) -> None:
        """Fold the classes once, with the first label: their header says what there is, and labels need the space."""
        if self.own.project.labels and not self._folded:
            self._folded = True
            self.sections[0].header.setChecked(False)

    def _on_keeping(self) -> None:
        self.files.refresh()
        self._summarise()

    def _on_moved(self) -> None:
        self.labels.refresh()
        self.table.show_current()

    def _refresh(self) -> None:
        """Show what is known now."""
        self._say_fault()
        self.listed.refresh()
        self.labels.refresh()
        self.table.setVisible(bool(self.own.project.classes and self.own.items))
        self.table.pictures.refresh()
        self.table.show_current()
        self.judged.refresh()
        self.model.refresh()
        self._summarise()

    def _say_fault(self) -> None:
        own, fault = self.own, self.own.base.fault or self.own.fault or self.own.features.error
        if fault is not None:
            self.message.show_error(fault)
        elif self._session.form is None and not own.items:
            self.message.show_note(NO_PANEL, "Choose them there, and come back.", OPEN_PANEL)

    def _summarise(self) -> None:
        own = self.own
        classes, labels, files, model = (section.header for section in self.sections)
        count, decided = len(own.project.classes), own.decided
        classes.summarise(f"{count} class{'es' * (count != 1)}" if count else "", count > 1)
        learned = own.learning.learned
        ready = learned is not None and learned.head is not None
        labels.summarise(f"{decided:,} of {len(own.items):,} labelled" if own.items else "", ready)
        path = own.keeping.path
        files.summarise(readable(path.name) if path is not None else "not saved" if own.project.labels else "", False)
        figure = "" if own.learning.judged is None else self.judged.figure.text().partition(" (")[0]
        model.summarise(figure, self.model.made)

    def _list_bases(self, _: object = None) -> None:
        base, entry = self.own.base, self.own.base.entry
        self.base.blockSignals(True)
        self.base.clear()
        for each in base.entries:
            self.base.addItem(readable(each.name), each)
        self.base.setCurrentIndex(next((i for i, each in enumerate(base.entries) if each is entry), -1))
        self.base.blockSignals(False)

    def _show(self, item: Item | None) -> None:
        """Show a picture in the viewer."""
        self.image.show(item, self.own.items)

    def _on_chosen(self, picture: Any) -> None:
        self.own.go_to(picture)
        self.labels.setFocus()

    def _on_several(self, several: bool) -> None:
        if not self.own.change(lambda: self.own.project.allow_several(several)):
            self.several.setChecked(self.own.project.several)

    def _on_taken(self, taken: Taken) -> None:
        self.message.show_note(f"{words_of(taken)}.", f"{taken.left_out}." if taken.left_out else "")

    def _on_failed(self, error: Exception) -> None:
        self.message.show_error(error)
        self.scroll.ensureWidgetVisible(self.message)

    def _on_dropped(self, paths: list[Path]) -> None:
        self._session.images.add(paths)
        if self._session.form is None:
            self._open_panel()

    def _open_panel(self) -> None:
        self._viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")


def _column(*parts: Any) -> QWidget:
    widget = QWidget()
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(5)
    for part in parts:
        (layout.addWidget if isinstance(part, QWidget) else layout.addLayout)(part)
    return widget
