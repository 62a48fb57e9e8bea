"""Make the pictures in docs/images from the real panel; on a display, or with ``xvfb-run -a``."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WINDOW = (1400, 900)
SECONDS = 60
SERIES = 40  # how often the focus series is repeated, so that its run can be seen running


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        # Neither the user's preferences nor the user's models may show.
        os.environ["NAPARI_CONFIG"] = str(Path(folder) / "settings.yaml")
        os.environ["NAPARI_WEBIPRED_CACHE"] = str(Path(folder) / "cache")
        IMAGES.mkdir(parents=True, exist_ok=True)
        for theme in ("dark", "light"):
            empty_to_results(theme)
            running(theme)


def empty_to_results(theme: str) -> None:
    viewer, panel = opened(theme)
    take(viewer, panel, f"panel-empty-{theme}")
    choose_demo(viewer, panel)
    take(viewer, panel, f"panel-model-{theme}")
    panel.model.more.click()
    take(viewer, panel, f"panel-about-{theme}")
    panel.model.more.click()
    panel.classify.button.click()
    wait(lambda: not panel._bench.run.running)
    for row in panel._bench.run.rows:
        if row.prediction != panel._bench.run.rows[0].prediction:
            panel.results.point_at(row)
            panel.results.chosen.emit(row)
            break
    take(viewer, panel, f"panel-results-{theme}")
    viewer.close()


def running(theme: str) -> None:
    import numpy as np

    viewer, panel = opened(theme)
    choose_demo(viewer, panel)
    grid(viewer).enabled = False
    viewer.layers.clear()
    (series,) = viewer.open_sample("napari-webipred", "focus-series")
    series.data = np.tile(series.data, (SERIES, 1, 1))
    viewer.dims.set_point(0, len(series.data) // (2 * SERIES))
    viewer.reset_view()
    panel.classify.button.click()
    wait(lambda: len(panel._bench.run.rows) > panel._bench.run.total // 3)
    take(viewer, panel, f"panel-running-{theme}")
    panel.classify.progress.cancel.click()
    wait(lambda: not panel._bench.run.running)
    viewer.close()


def opened(theme: str):
    """Open napari with the panel."""
    import napari

    viewer = napari.Viewer(show=False, show_welcome_screen=False)
    viewer.theme = theme
    viewer.window.show()
    viewer.window.resize(*WINDOW)
    _, panel = viewer.window.add_plugin_dock_widget("napari-webipred", "Classify images")
    wait(lambda: panel.model.models.rowCount() > 0)
    return viewer, panel


def choose_demo(viewer, panel) -> None:
    """Open the sample pictures and choose the demonstration model."""
    viewer.open_sample("napari-webipred", "image-quality")
    grid(viewer).enabled = True
    viewer.reset_view()
    names = [entry.card.id for entry in panel.model.models.entries]
    panel.model.list.setCurrentIndex(panel.model.filter.index(names.index("demo"), 0))
    wait(lambda: panel._bench.loading.model is not None)


def grid(viewer):
    """Pictures side by side; napari 0.9 keeps it at the canvas."""
    return viewer.canvas.grid if hasattr(viewer, "canvas") else viewer.grid


def wait(condition: Callable[[], bool]) -> None:
    """Let the window live until something is so."""
    from qtpy.QtCore import QElapsedTimer, QThread
    from qtpy.QtWidgets import QApplication

    clock = QElapsedTimer()
    clock.start()
    while not condition():
        QApplication.processEvents()
        QThread.msleep(5)
        if clock.elapsed() > 1000 * SECONDS:
            raise TimeoutError("The panel did not come so far.")


def take(viewer, panel, name: str) -> None:
    """Save a picture of the window, and one of the panel alone."""
    from qtpy.QtWidgets import QApplication

    for _ in range(20):
        QApplication.processEvents()
    viewer.screenshot(str(IMAGES / f"{name}.png"), canvas_only=False, flash=False)
    panel.grab().save(str(IMAGES / f"{name}-detail.png"))
    print(f"docs/images/{name}.png")


if __name__ == "__main__":
    main()
