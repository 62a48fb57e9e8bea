"""Use all of the panel as a demanding user would, and save screenshots of it in light and dark, narrow and wide.

    xvfb-run -a -s "-screen 0 1600x1200x24" python tools/walk_panel.py SCREENSHOTS [SCENE ...]

Clicks and keys are real events; only the dialogs of the system that ask for files are answered by the script. The
models are small networks with random weights, which the script makes. Each screenshot shows all of the panel's column,
and what the panel says is printed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from screenshots import choose_demo, grid, opened, settle, wait  # noqa: E402
from walk import add, answer, press  # noqa: E402

WIDTHS = (300, 380, 900)
WINDOW = (1560, 1160)
THEMES = ("dark", "light")
PLANES = 60
MANY = 1000  # classes
FINDINGS = ("drusen", "haemorrhage", "exudate", "scar")


@dataclass
class Stage:
    """A viewer with the panel, and where its screenshots go."""

    theme: str
    shots: Path
    folder: Path
    viewer: Any = None
    panel: Any = None

    def open(self) -> None:
        """Open a viewer with the panel."""
        self.viewer, self.panel = opened(self.theme)
        self.viewer.window.resize(*WINDOW)

    @property
    def dock(self) -> Any:
        """What holds the panel."""
        return self.panel.parent()

    def look(self, name: str, widths: tuple[int, ...] = WIDTHS) -> None:
        """Save the column of the panel in each width."""
        for width in widths:
            self.dock.setFixedWidth(width)
            settle()
            self.panel.scroll.widget().grab().save(str(self.shots / f"{name}-{self.theme}-{width}.png"))
        print(f"{name}-{self.theme}")
        for step in (self.panel.classify.message, self.panel.images.choice.message, self.panel.results.buttons.message):
            if step.isVisible() and step.text:
                print(f"  says: {step.text}")

    def window(self, name: str) -> None:
        """Save all of napari's window."""
        self.dock.setFixedWidth(380)
        settle()
        self.viewer.window._qt_window.grab().save(str(self.shots / f"{name}-{self.theme}-window.png"))
        print(f"{name}-{self.theme}-window")

    def popup(self, name: str, widget: Any) -> None:
        """Save a menu."""
        settle()
        widget.grab().save(str(self.shots / f"{name}-{self.theme}-popup.png"))

    def fold(self, *shown: int) -> None:
        """Fold all sections but these, with the mouse."""
        for place, section in enumerate(self.panel.sections):
            if section.isVisible() and section.header.isChecked() != (place in shown):
                press(section.header)

    def classify(self) -> None:
        """Click *Classify*, and wait for the end."""
        wait(self.panel.classify.button.isEnabled)
        press(self.panel.classify.button)
        wait(lambda: self.panel._session.run is not None and not self.panel._session.run.running)
        settle()


def first_use(stage: Stage) -> None:
    stage.open()
    wait(stage.panel.first_use.button.isVisible)
    stage.look("first use")
    stage.window("first use")
    press(stage.panel.first_use.button)
    wait(lambda: stage.panel._session.run is not None and not stage.panel._session.run.running)
    stage.look("first use, samples classified")
    stage.window("first use, samples classified")


def stack(stage: Stage) -> None:
    """Let the plot of 60 planes follow the slider, and the slider the plot."""
    stage.open()
    series = focus_series(stage)
    stage.fold(1, 2)
    stage.look("stack, before")
    stage.classify()
    drawing = stage.panel.results.detail.drawing
    key(drawing, "Key_Down")
    drawing.activated.emit(drawing.currentIndex())  # no popup was open
    click(stage.viewer.window._qt_viewer.dims.slider_widgets[0].slider, 0.2, 0.5)
    chosen = stage.panel.results.chosen_entry.row.position
    print(f"  the slider at {stage.viewer.dims.current_step[0]} chooses {chosen}")
    stage.fold(1, 3)
    stage.look("stack, plot")
    plot = stage.panel.results.detail.plot
    click(plot, 0.7, 0.4)
    print(f"  a click in the plot goes to {stage.viewer.dims.current_step[0]} of {len(series.data)}")
    stage.window("stack, clicked in the plot")


def channels(stage: Stage) -> None:
    """Make one image of two channels of a time series that are layers of their own."""
    stage.open()
    ramp = np.linspace(0, 1, 96, dtype=np.float32)
    for name, colour, pixels in (("nuclei", "magenta", ramp[:, None]), ("membrane", "green", ramp[None, :])):
        data = np.stack([np.roll(np.broadcast_to(pixels, (96, 96)), 8 * t, 0) for t in range(6)])
        stage.viewer.add_image(data, name=name, colormap=colour, blending="additive", axis_labels=("t", "y", "x"))
    choose_model(stage)
    stage.fold(1, 2)
    images = stage.panel.images.choice
    select(images.list, 0)
    select(images.list, 1, "ControlModifier")
    stage.look("channels, both selected")
    press(images.merge)
    stage.look("channels, merged")
    stage.classify()
    stage.fold(1, 3)
    stage.look("channels, classified")
    key(images.list, "Key_F2")
    stage.look("channels, edit")


def regions(stage: Stage) -> None:
    """Classify shapes, which get text and colours, and labels."""
    stage.open()
    stage.viewer.open_sample("napari-webipred", "image-quality")
    grid(stage.viewer).enabled = False
    stage.viewer.reset_view()
    for layer in list(stage.viewer.layers)[1:]:
        stage.viewer.layers.remove(layer)
    image = stage.viewer.layers[0]
    rows, columns = image.data.shape[:2]
    shapes = [
        (np.array([[0.1, 0.1], [0.1, 0.45], [0.45, 0.45], [0.45, 0.1]]), "rectangle"),
        (np.array([[0.1, 0.55], [0.1, 0.9], [0.45, 0.9], [0.45, 0.55]]), "ellipse"),
        (np.array([[0.6, 0.15], [0.9, 0.1], [0.85, 0.5]]), "polygon"),
        (np.array([[0.6, 0.6], [0.6, 0.95], [0.9, 0.95], [0.9, 0.6]]), "rectangle"),
    ]
    data = [(points * (rows, columns), kind) for points, kind in shapes]
    stage.viewer.add_shapes(data, name="cells", edge_width=3)
    choose_model(stage)
    stage.fold(1, 2)
    stage.look("regions, offered")
    choose_box(stage.panel.form.regions.native.box, 1)
    wait(lambda: not stage.panel.form.finder.searching)
    stage.look("regions, shapes chosen")
    stage.classify()
    wait(lambda: not stage.panel._session.regions.busy)
    stage.fold(1, 3)
    select(stage.panel.results.table, 2)
    stage.look("regions, shapes classified")
    stage.window("regions, shapes")
    grid(stage.viewer).enabled = True
    stage.window("regions, shapes in grid")
    grid(stage.viewer).enabled = False
    labels = np.zeros((rows, columns), int)
    for number, (points, _) in enumerate(data, 1):
        low, high = points.min(0).astype(int), points.max(0).astype(int)
        labels[low[0] : high[0], low[1] : high[1]] = number
    stage.viewer.layers["cells"].visible = False
    stage.viewer.add_labels(labels, name="nuclei", opacity=0.5)
    choose_box(stage.panel.form.regions.native.box, 2)
    wait(lambda: not stage.panel.form.finder.searching)
    press(stage.panel.images.regions.classes)
    stage.fold(1, 2)
    stage.classify()
    wait(lambda: not stage.panel._session.regions.busy)
    stage.fold(1, 3)
    stage.look("regions, labels classified")
    stage.window("regions, labels")


def preview(stage: Stage) -> None:
    stage.open()
    focus_series(stage)
    press(stage.panel.images.preview)
    from napari_webipred._napari.images.preview import PreviewWidget

    (widget,) = stage.viewer.window._qt_window.findChildren(PreviewWidget)
    wait(lambda: widget.shown is not None)
    stage.window("preview")
    for width in WIDTHS:
        widget.parent().setFixedWidth(width)
        stage.dock.setFixedWidth(width)
        settle()
        widget.scroll.widget().grab().save(str(stage.shots / f"preview-{stage.theme}-{width}.png"))


def many_classes(stage: Stage) -> None:
    stage.open()
    own_model(stage, "thousand.onnx", [f"class {number:04d}" for number in range(MANY)], "Softmax")
    stage.viewer.open_sample("napari-webipred", "image-quality")
    stage.classify()
    stage.look("many classes")
    stage.fold(0)
    press(stage.panel.model.more)
    stage.look("many classes, about")


def work_with_rows(stage: Stage) -> None:
    """Filter, select several rows, delete, undo, comment."""
    stage.open()
    choose_demo(stage.viewer, stage.panel)
    stage.classify()
    results = stage.panel.results
    stage.fold(3)
    select(results.table, 1)
    select(results.table, 3, "ShiftModifier")
    stage.look("rows, three selected")
    key(results.table, "Key_F2")
    typed(results.table.findChild(editor_type()), "blurred at the edge, take it again")
    stage.look("rows, comment")
    press_menu(stage, "rows, save menu", results.buttons.save, results.buttons.menu.menu)
    press_menu(stage, "rows, filter menu", results.filter.button, results.filter.menu)
    select(results.table, 1)
    select(results.table, 3, "ShiftModifier")
    key(results.table, "Key_Delete")
    stage.look("rows, deleted")
    press(results.deleted.undo)
    typed(results.filter.search, "tissue")
    stage.look("rows, searched")
    results.filter.search.clear()
    press(results.buttons.clear)
    stage.look("rows, cleared")
    press(results.deleted.undo)
    stage.look("rows, undone")


def threshold(stage: Stage) -> None:
    stage.open()
    own_model(stage, "retina.onnx", list(FINDINGS), "Sigmoid")
    stage.viewer.open_sample("napari-webipred", "image-quality")
    stage.fold(1, 2)
    stage.look("threshold, before")
    stage.classify()
    for _ in range(3):
        key(stage.panel.results.detail.threshold.slider, "Key_PageUp")
    wait_a_moment()
    stage.look("threshold, moved")


def session(stage: Stage) -> None:
    """Save a session, close the viewer, and open it on an empty one; copy the run as Python; autosave."""
    from qtpy.QtWidgets import QFileDialog

    stage.open()
    choose_demo(stage.viewer, stage.panel)
    stage.classify()
    buttons = stage.panel.results.buttons
    path = stage.folder / f"study-{stage.theme}.webipred.json"
    QFileDialog.getSaveFileName = lambda *_: (str(path), "")
    QFileDialog.getOpenFileName = lambda *_: (str(path), "")
    buttons.menu.save_session.trigger()
    wait(path.exists)
    wait(lambda: "Saved" in buttons.message.text)
    stage.look("session, saved")
    for action in (buttons.menu.python_layers, buttons.menu.python_files, buttons.menu.shell_files):
        action.trigger()
        wait_a_moment()
        print(clipboard())
        stage.look(f"session, {action.text()}", (300,))
    stage.viewer.close()
    stage.open()
    press(stage.panel.images.open_session)
    wait(lambda: len(stage.panel._session.table.numbers) > 0)
    wait_a_moment()
    stage.look("session, opened")
    path = stage.folder / f"autosave-{stage.theme}.csv"
    stage.viewer.open_sample("napari-webipred", "image-quality")
    if stage.panel._session.loading.model is None:
        choose_model(stage)
    stage.fold(2, 3)
    press(stage.panel.classify.more)
    press(stage.panel.classify.autosave)
    stage.look("autosave, on")
    stage.classify()
    wait(lambda: "Autosaved" in stage.panel.results.buttons.message.text)
    stage.look("autosave, saved")


def files(stage: Stage) -> None:
    """Drop files and a folder on the panel; one of them cannot be read."""
    stage.open()
    folder = stage.folder / "holiday"
    folder.mkdir(exist_ok=True)
    from PIL import Image

    for number in range(3):
        pixels = np.random.default_rng(number).normal(120, 30, (300, 300)).clip(0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"slide {number}.png")
    broken = stage.folder / "damaged.png"
    broken.write_bytes((folder / "slide 1.png").read_bytes()[:1000])
    choose_model(stage)
    drop(stage.panel, [folder, folder / "slide 2.png", broken], stage)
    wait(lambda: not any(entry.finding for entry in stage.panel._session.images.files))
    wait_a_moment()
    stage.fold(1, 2)
    stage.look("files, dropped")
    stage.classify()
    stage.look("files, classified")
    table = stage.panel.results.table
    for place, entry in enumerate(stage.panel.results.visible_entries()):
        if entry.row.failed:
            select(table, place)
    stage.look("files, the unreadable one")


SCENES = (first_use, stack, channels, regions, preview, many_classes, work_with_rows, threshold, session, files)


def focus_series(stage: Stage) -> Any:
    (series,) = stage.viewer.open_sample("napari-webipred", "focus-series")
    times = -(-PLANES // len(series.data))
    series.data = np.repeat(series.data, times, axis=0)[:PLANES]
    choose_model(stage)
    return series


def choose_model(stage: Stage) -> None:
    """Search for the demonstration model and click on it."""
    choice = stage.panel.model.choice
    if not stage.panel.sections[0].header.isChecked():
        press(stage.panel.sections[0].header)
    typed(choice.search, "demo")
    select(choice.list, 0)
    wait(lambda: stage.panel._session.loading.model is not None)


def own_model(stage: Stage, name: str, classes: list[str], last: str) -> None:
    """Add a small network with random weights, and fill in what is asked."""
    from onnx import helper

    from heads import body, write

    path = stage.folder / name.removesuffix(".onnx") / name
    path.parent.mkdir(exist_ok=True)
    random = np.random.default_rng(1)
    nodes, weights = body(random)
    nodes += [
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["z"]),
        helper.make_node(last, ["z"], ["y"]),
    ]
    write(path, nodes, {**weights, "w": random.normal(size=(6, len(classes))).astype(np.float32)}, len(classes))
    (path.parent / "labels.txt").write_text("\n".join(classes))
    panel = stage.panel
    add(panel.model, path)
    form, loading = panel.model.settings, panel._session.loading
    wait(lambda: loading.model is not None or not form.native.isHidden() or panel.model.opening.message.text != "")
    stage.look(f"{path.stem}, added")
    if not form.native.isHidden():
        answer(form)
        press(form.use)
    wait(lambda: loading.model is not None and not loading.needs_settings)


def press_menu(stage: Stage, name: str, button: Any, menu: Any) -> None:
    """Photograph a menu; a click on a button with a menu would wait for the menu."""
    from qtpy.QtCore import QTimer

    def photograph() -> None:
        stage.popup(name, menu)
        menu.close()

    QTimer.singleShot(300, photograph)
    press(button)
    wait(lambda: not menu.isVisible())


def drop(panel: Any, paths: list[Path], stage: Stage) -> None:
    from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
    from qtpy.QtGui import QDragEnterEvent, QDropEvent
    from qtpy.QtWidgets import QApplication

    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(panel, QDragEnterEvent(QPoint(50, 50), copy, data, left, none))
    settle()
    panel.grab().save(str(stage.shots / f"files, over the panel-{stage.theme}-380.png"))
    QApplication.sendEvent(panel, QDropEvent(QPointF(50, 50), copy, data, left, none))
    settle()


def click(widget: Any, across: float, down: float) -> None:
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    at = QPoint(int(widget.width() * across), int(widget.height() * down))
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
    wait_a_moment()


def select(view: Any, row: int, modifier: str = "NoModifier") -> None:
    """Click on a row of a list or table."""
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest

    index = view.model().index(row, 0)
    view.scrollTo(index)
    area = view.visualRect(index)
    at = QPoint(min(area.center().x(), view.viewport().width() // 2), area.center().y())
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, getattr(Qt.KeyboardModifier, modifier), at)
    settle()


def choose_box(box: Any, place: int) -> None:
    """Choose with the arrow keys."""
    while box.currentIndex() != place:
        key(box, "Key_Down" if box.currentIndex() < place else "Key_Up")


def key(widget: Any, name: str) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    widget.setFocus()
    QTest.keyClick(widget, getattr(Qt.Key, name))
    settle()


def typed(field: Any, text: str) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    field.setFocus()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)
    wait_a_moment()


def editor_type() -> Any:
    from qtpy.QtWidgets import QLineEdit

    return QLineEdit


def clipboard() -> str:
    from qtpy.QtGui import QGuiApplication

    return str(QGuiApplication.clipboard().text())


def wait_a_moment() -> None:
    """Let timers of a few hundred milliseconds run out."""
    from qtpy.QtTest import QTest

    QTest.qWait(400)
    settle()


def main(shots: Path, names: list[str]) -> None:
    shots.mkdir(parents=True, exist_ok=True)
    scenes: list[Callable[[Stage], None]] = [scene for scene in SCENES if not names or scene.__name__ in names]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        for theme in THEMES:
            os.environ["NAPARI_WEBIPRED_CACHE"] = str(Path(folder) / theme / "cache")
            for scene in scenes:
                print(f"\n== {scene.__name__}, {theme}", flush=True)
                stage = Stage(theme, shots, Path(folder))
                scene(stage)
                stage.viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
