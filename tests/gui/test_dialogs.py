"""Dialogs and docks by keyboard: each control has a name, and shows when it has the keyboard."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QMessageBox,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)
from tests.gui.conftest import CHEST, card, flat
from tests.gui.test_keyboard import contrasts, pixels, place_of, spoken

from napari_webipred._napari import keys
from napari_webipred._napari.evaluation.performance import Performance, published_of
from napari_webipred._napari.key_list import KeyList
from napari_webipred._napari.models.add_model import AddModel
from napari_webipred._napari.models.settings_form import SettingsForm
from napari_webipred._napari.models.stored_models import StoredModels
from napari_webipred._napari.models.which_model import WhichModel
from napari_webipred._napari.results.column_menu import ClassPicker
from napari_webipred._napari.widgets.question import Answer, ask, ask_for_text
from napari_webipred.cache.known_file import Proposal


def controls(window: QWidget) -> list[QWidget]:
    """Return what Tab should reach, in the order of Tab; of radio buttons, the arrow keys reach the others."""
    found, each = [], window.nextInFocusChain()
    while each is not window:
        if (
            window.isAncestorOf(each)
            and each.isVisible()
            and each.isEnabled()
            and each.focusPolicy() & Qt.FocusPolicy.TabFocus
            and each.focusProxy() is None
            and not isinstance(each.parent(), QAbstractSpinBox | QComboBox)
            and not (isinstance(each, QRadioButton) and not each.isChecked())
        ):
            found.append(each)
        each = each.nextInFocusChain()
    return found


def faults(window: QWidget, qtbot) -> list[str]:
    """Say what a user of keyboard or screen reader would miss in a dialog or dock."""
    found, stops = [], controls(window)
    assert stops
    for widget in stops:
        name = spoken(widget)
        if not re.fullmatch(r"[A-Z0-9⋯][^<>_]{1,90}", name):
            found.append(f"{type(widget).__name__} is called “{name}”")
        others = [each for each in stops if each is not widget]
        (others[0] if others else window).setFocus(Qt.FocusReason.TabFocusReason)
        QApplication.processEvents()
        before = pixels(window)
        widget.setFocus(Qt.FocusReason.TabFocusReason)
        qtbot.waitUntil(widget.hasFocus)
        QApplication.processEvents()
        area = place_of(widget, window).adjusted(-2, -2, 2, 2)
        part = slice(max(area.top(), 0), area.bottom() + 1), slice(max(area.left(), 0), area.right() + 1)
        clear = int((contrasts(before[part], pixels(window)[part]) >= 2.7).sum())
        if clear < 0.65 * 2 * (widget.width() + widget.height()):
            found.append(f"{type(widget).__name__} “{name}” does not show the focus: {clear} pixels")
    areas = [(spoken(widget), place_of(widget, window)) for widget in stops]
    for (name, area), (following_name, following) in pairwise(areas):
        below = following.center().y() > area.center().y() + 8
        beside = following.left() > area.left() and following.bottom() >= area.top()
        if not (below or beside):
            found.append(f"Tab goes from “{name}” up to “{following_name}”")
    return found


@pytest.fixture
def shown(qtbot):
    def show(window: QWidget) -> QWidget:
        window.show()
        window.activateWindow()
        qtbot.waitUntil(lambda: window.window().isActiveWindow())
        QApplication.processEvents()
        return window

    return show


def question(panel) -> QDialog:
    ask(panel, "Title", "Remove it?", "It is gone then.", [Answer("Remove", lambda: None, destroys=True)])
    return panel.findChild(QMessageBox)


def settings(panel) -> QDialog:
    """Put the form of the settings into a window of its own."""
    dialog = QDialog(panel)
    form = SettingsForm(lambda settings: None, panel.model._theme)
    dialog.form = form
    QVBoxLayout(dialog).addWidget(form.native)
    model = panel._session.loading.model
    form.show_settings(model)
    return dialog


DIALOGS = {
    "add a model": lambda panel: AddModel(panel.model),
    "stored models": lambda panel: StoredModels(panel.model._theme, panel),
    "which model": lambda panel: WhichModel("a.onnx", [Proposal(CHEST, "name")], panel.model._theme, panel),
    "keys": lambda panel: KeyList(keys.lines(panel), panel),
    "question": question,
    "classes": lambda panel: ClassPicker(panel.results.model, panel),
    "performance": lambda panel: Performance(PUBLISHED, published_of(PUBLISHED), panel.model._theme, panel),
    "settings": settings,
}
PUBLISHED = card("p", "Published", {"a": None, "b": None}, metrics={"accuracy": 0.9})


def test_dialogs_can_be_used_by_keyboard(viewer, panel, classify, qtbot, shown):
    viewer.add_image(flat(10), name="a")
    classify(panel)
    shown(panel.window())
    found = []
    for name, make in DIALOGS.items():
        dialog = shown(make(panel))
        if isinstance(dialog, StoredModels):
            qtbot.waitUntil(dialog.import_file.isEnabled)  # which is when its list is there
        found += [f"{name}: {fault}" for fault in faults(dialog, qtbot)]
        buttons = [each for each in dialog.findChildren(QPushButton) if each.isVisible()]
        if any(each.autoDefault() for each in buttons) and not any(each.isDefault() for each in buttons):
            found.append(f"{name}: Return presses the first button")
        qtbot.keyClick(dialog, Qt.Key.Key_Escape)
        if dialog.isVisible():
            found.append(f"{name}: Escape does not close it")
    assert not found, "\n".join(found)


def test_docks_can_be_used_by_keyboard(viewer, panel, classify, qtbot, shown):
    viewer.add_image(np.arange(1600, dtype=np.uint16).reshape(40, 40), name="a")
    classify(panel)
    preview = viewer.window.add_plugin_dock_widget("napari-webipred", "What the model sees")[1]
    found = []
    for name in ("What the model sees", "Evaluation", "What the model sees"):
        dock, widget = viewer.window.add_plugin_dock_widget("napari-webipred", name)
        dock.setFloating(True)
        dock.resize(420, 900)
        shown(dock)
        qtbot.waitUntil(lambda: (preview.shown is not None) == bool(viewer.layers))
        found += [f"{name}: {fault}" for fault in faults(widget, qtbot)]
        if name == "Evaluation":
            viewer.layers.clear()  # so that there is nothing to be seen
    assert not found, "\n".join(found)


def test_panel_and_evaluation_follow_the_font_size_of_napari(viewer, panel):
    evaluation = viewer.window.add_plugin_dock_widget("napari-webipred", "Evaluation")[1]
    get_settings().appearance.font_size = 19
    legend = panel.results.detail.explain.legend
    for widget in (panel.model.choice.search, panel.results.table, legend, evaluation.labels.typed.view):
        widget.ensurePolished()
        assert widget.font().pointSize() == 19, widget.accessibleName()


def test_buttons_of_dialogs_and_questions_have_no_icons(panel):
    KeyList(keys.lines(panel), panel)
    ask(panel, "Delete", "Delete it?", "It is gone then.", [Answer("Delete", panel.update, destroys=True)])
    ask_for_text(panel, "Rename", "Name:", panel.setWindowTitle)
    boxes = panel.findChildren(QDialogButtonBox)
    assert [len(box.buttons()) for box in boxes] == [1, 2, 2]
    assert all(button.icon().isNull() for box in boxes for button in box.buttons())
