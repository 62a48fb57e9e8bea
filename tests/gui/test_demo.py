from __future__ import annotations

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt


def test_the_demonstration_model_judges_the_sample_images(viewer, open_panel, choose, qtbot):
    """The main job with nothing put in its place."""
    layers = viewer.open_sample("napari-webipred", "image-quality")
    panel = open_panel()
    choose(panel, "Image quality of microscopy and medical images")
    qtbot.waitUntil(panel.classify.button.isEnabled, timeout=60_000)
    qtbot.mouseClick(panel.classify.button, Qt.MouseButton.LeftButton)
    run = panel._session.run
    qtbot.waitUntil(lambda: not run.running, timeout=60_000)
    assert [row.image for row in run.rows] == [layer.name for layer in layers]
    for row in run.rows:
        assert row.image.endswith(row.prediction)
