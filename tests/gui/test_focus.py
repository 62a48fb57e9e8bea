"""Which control the keyboard works on can be seen: each is painted with the focus and without it."""

from __future__ import annotations

import pytest

pytest.importorskip("napari")

from qtpy.QtGui import QColor, QImage
from qtpy.QtWidgets import QApplication, QDialogButtonBox, QWidget
from tests.gui.conftest import flat

from napari_webipred._napari.models.add_model import AddModel
from napari_webipred._napari.widgets.theme import SHAPE_CONTRAST, contrast

CONTROLS = {
    "line edit": lambda panel: panel.model.choice.search,
    "button": lambda panel: panel.model.choice.add,
    "main button": lambda panel: panel.classify.button,
    "combo box": lambda panel: panel.form.intensity.native.mode,
    "list": lambda panel: panel.model.choice.list,
    "list with check boxes": lambda panel: panel.images.choice.list,
    "check box": lambda panel: panel.images.choice.all,
    "spin box": lambda panel: panel.form.intensity.native.low,
    "table": lambda panel: panel.results.table,
    "chart": lambda panel: panel.results.detail.chart,
    "header": lambda panel: panel.sections[1].header,
}


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """Only a window that is shown can have the keyboard."""
    return make_napari_viewer_proxy(show=True)


@pytest.fixture
def full_panel(viewer, panel, qtbot, classify):
    """A panel in which every control is shown."""
    viewer.add_image(flat(10), name="a")
    classify(panel)
    panel.sections[0].header.setChecked(True)
    panel.form.intensity.native.choice.value = "fixed"
    panel.window().activateWindow()
    qtbot.waitUntil(lambda: QApplication.activeWindow() is not None)
    return panel


def painted(panel: QWidget, control: QWidget) -> QImage:
    """Paint all of the panel, and cut out a control with what is around it."""
    column = panel.scroll.widget()
    area = control.rect().adjusted(-2, -2, 2, 2)
    area.moveTopLeft(control.mapTo(column, area.topLeft()))
    return column.grab().copy(area).toImage()


def changed(before: QImage, after: QImage) -> list[tuple[QColor, QColor]]:
    assert before.size() == after.size()
    points = [(x, y) for x in range(before.width()) for y in range(before.height())]
    pairs = [(before.pixelColor(x, y), after.pixelColor(x, y)) for x, y in points]
    return [(old, new) for old, new in pairs if old != new]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_each_control_shows_that_it_has_the_keyboard_and_stays_where_it_is(viewer, full_panel, qtbot, theme):
    panel = full_panel
    viewer.theme = theme
    for name, find in CONTROLS.items():
        control = find(panel)
        other = panel.model.stored if control is not panel.model.stored else panel.model.choice.add
        other.setFocus()
        place, before = control.geometry(), painted(panel, control)
        control.setFocus()
        qtbot.waitUntil(control.hasFocus)
        pixels = changed(before, painted(panel, control))
        seen = [new for old, new in pixels if contrast(old, new) >= SHAPE_CONTRAST - 0.3]
        frame = 2 * (control.width() + control.height())
        assert len(seen) >= 0.8 * frame, f"the focus of the {name} cannot be seen"
        assert control.geometry() == place, f"the {name} moves"


def test_the_controls_of_a_dialog_show_it_too(full_panel, qtbot):
    full_panel.model.choice.add.click()
    dialog = full_panel.model.findChild(AddModel)
    qtbot.waitUntil(dialog.isActiveWindow)
    dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel).setFocus()
    assert not dialog.field.hasFocus()
    before = dialog.field.grab().toImage()
    dialog.field.setFocus()
    qtbot.waitUntil(dialog.field.hasFocus)
    assert len(changed(before, dialog.field.grab().toImage())) >= dialog.field.width()
