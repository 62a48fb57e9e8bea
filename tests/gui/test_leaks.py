from __future__ import annotations

import gc
import os
import threading
from collections import Counter

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.settings import get_settings
from napari.utils.theme import _themes
from qtpy.QtCore import QCoreApplication, QEvent, Qt, QThreadPool
from qtpy.QtWidgets import QApplication

import napari_webipred.engine
import napari_webipred.imaging.readers  # noqa: F401  # what modules hold once they are imported is not left behind
from napari_webipred._napari import task
from napari_webipred._napari.viewer_session import unwrapped

# What is left behind once shows, and one object for each plane shows as thousands. `LEAKS=all` does it as often as
# users may in a day, to find what is left behind now and then.
OPENINGS, PLANES = (100, 10_000) if os.environ.get("LEAKS") == "all" else (5, 2_000)
# Rows are there to stay, and so is where they come from.
RESULTS = (
    "napari_webipred.results.",
    "napari_webipred._napari.images.place",
    "napari_webipred._napari.results.row_places",
)
# napari keeps its note of every worker, and with it the worker, which must then hold nothing of what it has done.
KEPT_BY_NAPARI = ("_ClosingWorker", "Cancellation")


def close(panel) -> None:
    panel.parent().destroyOnClose()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def census(viewer) -> Counter[str]:
    """Count what could be left behind: widgets, objects of this package (event filters, too), callbacks, threads."""
    QApplication.processEvents()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
    counts = Counter(f"widget {type(widget).__name__}" for widget in QApplication.allWidgets())
    counts.update(
        f"object {module}.{kind.__qualname__}"
        for module, kind in ((str(kind.__module__), kind) for kind in map(type, gc.get_objects()))
        if module.startswith("napari_webipred.")
        and not module.startswith(RESULTS)
        and kind.__name__ not in KEPT_BY_NAPARI
    )
    viewer = unwrapped(viewer)
    groups = {
        "viewer": viewer.events,
        "dims": viewer.dims.events,
        "layers": viewer.layers.events,
        "selection": viewer.layers.selection.events,
        "themes": _themes.events,
        "appearance": get_settings().appearance.events,
        **{f"layer {layer.name}": layer.events for layer in viewer.layers},
    }
    for name, group in groups.items():
        for emitter in (group, *group.emitters.values()):
            counts[f"callbacks of {name}"] += sum(
                not isinstance(callback, tuple) or callback[0]() is not None for callback in emitter.callbacks
            )
    workers = [each for each in gc.get_objects() if type(each) is task._ClosingWorker]
    counts["workers at work"] = sum(worker._work.gi_frame is not None for worker in workers)
    counts["threads"] = sum(thread.name.startswith("napari-webipred") for thread in threading.enumerate())
    counts["workers"] = QThreadPool.globalInstance().activeThreadCount()
    counts["tasks"] = len(task._under_way)
    return counts


@pytest.fixture
def idle(qtbot):
    """Wait until nothing is done in threads."""

    def wait() -> None:
        qtbot.waitUntil(lambda: not task._under_way and not QThreadPool.globalInstance().activeThreadCount())

    return wait


def test_a_panel_that_is_closed_leaves_nothing_behind(viewer, panel, open_panel, idle):
    viewer.add_image(np.zeros((3, 8, 8), np.uint8), name="stack")
    close(panel)
    del panel
    idle()
    before = census(viewer)
    for _ in range(OPENINGS):
        close(open_panel())
    idle()
    assert census(viewer) - before == Counter()


def test_a_long_run_leaves_nothing_behind_but_its_rows(viewer, panel, classify, qtbot, idle):
    layer = viewer.add_image(np.zeros((2, 8, 8), np.uint8), name="stack")
    classify(panel)
    idle()
    before = census(viewer)
    layer.data = np.zeros((PLANES, 8, 8), np.uint8)
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not panel._session.running, timeout=600_000)
    assert len(panel._session.run.rows) == PLANES
    idle()
    assert census(viewer) - before == Counter()
