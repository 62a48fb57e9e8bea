"""Walk through the panel as a new user with models of their own, and save screenshots of what is asked and said.

    python tools/make_walk_models.py MODELS
    xvfb-run -a python tools/walk.py MODELS SCREENSHOTS

Every folder in MODELS holds one model. It is added with the mouse and the keyboard, what is asked is answered, and the
sample images are classified. What the panel says is printed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from screenshots import PANEL, grid, opened, settle, wait

NAMES = ("normal", "parasite", "third", "fourth")


def main(models: Path, screenshots: Path) -> None:
    screenshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        os.environ["NAPARI_WEBIPRED_CACHE"] = str(Path(folder) / "cache")
        for number, path in enumerate(sorted(models.iterdir())):
            walk(path, screenshots, ("dark", "light")[number % 2])


def walk(folder: Path, screenshots: Path, theme: str) -> None:
    files = [file for file in folder.iterdir() if file.suffix in (".keras", ".zip", ".onnx")]
    viewer, panel = opened(theme)
    viewer.open_sample("napari-webipred", "image-quality")
    grid(viewer).enabled = True
    viewer.reset_view()
    dock = viewer.window._qt_window.findChildren(type(panel.parent()))[-1]
    dock.setFixedWidth(PANEL)
    step, loading = panel.model, panel._session.loading
    print(f"\n== {folder.name}")
    add(step, files[0] if files else folder)
    form, opening = step.settings, step.opening
    wait(lambda: loading.model is not None or not form.native.isHidden() or opening.message.text != "")
    take(panel, screenshots / f"{folder.name}, opened.png")
    said(step)
    for number in range(3):
        if form.native.isHidden():
            break
        answer(form)
        take(panel, screenshots / f"{folder.name}, answered {number + 1}.png")
        press(form.use)
        wait(lambda: not opening.progress.isVisible())
        said(step)
    if panel.classify.button.isEnabled():
        press(panel.classify.button)
        wait(lambda: bool(panel._session.run) and not panel._session.run.running)
        print(f"classified: {panel.classify.message.text}")
        take(panel, screenshots / f"{folder.name}, classified.png")
        press(panel.model.more)
        take(panel, screenshots / f"{folder.name}, about.png")
    viewer.close()


def add(step, path: Path) -> None:
    """Press *Add model…*, type the path, and press Enter."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    from napari_webipred._napari.models.add_model import AddModel

    press(step.choice.add)
    asking = step.findChild(AddModel)
    QTest.keyClicks(asking.field, str(path))
    QTest.keyClick(asking.field, Qt.Key.Key_Return)
    settle()


def answer(form) -> None:
    """Choose an output, type names, and choose a scaling and an activation, with the keyboard."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    if form.output.native.isVisible() and form.output.value is None:
        QTest.keyClick(form.output.native, Qt.Key.Key_Down)
    if form.others.isVisible():
        if form.activation.native.isVisible() and form.activation.value is None:
            QTest.keyClick(form.activation.native, Qt.Key.Key_Down)
        if not form.classes.value and form._wanted <= len(NAMES):
            QTest.keyClicks(form.classes.native, ", ".join(NAMES[: form._wanted]))
        if form.standardize.value is None:  # the first letter of a choice, here of "none"
            QTest.keyClicks(form.standardize.native, "none")
    settle()


def said(step) -> None:
    form = step.settings
    print(f"said: {step.opening.message.text!r}")
    if form.native.isVisible():
        print(f"asked: {form.heading.text()} | {form.looks_like.text()} | {form.counted.text()}")
        print(f"  output: {form.output_row.isVisible()}, scaling: {form.standardize.native.currentText()!r}")


def press(button) -> None:
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest

    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    settle()


def take(panel, path: Path) -> None:
    settle()
    panel.grab().save(str(path))
    print(f"screenshot: {path.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
