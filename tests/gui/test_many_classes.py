"""Of very many classes the panel shows some, and files have all."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import QFileDialog
from tests.gui.conftest import MeanModel, card, flat

from napari_webipred import limits
from napari_webipred._napari.charts.bars import FIRST
from napari_webipred._napari.models.about import MOST_CLASSES as MOST_LISTED
from napari_webipred._napari.models.about import about
from napari_webipred._napari.results.result_columns import MOST_CLASSES

COUNT = limits.CLASSES
WIDE = card("wide", "Wide", {f"class {i}": None for i in range(COUNT)}, task="multi-label")


class WideModel(MeanModel):
    """Gives greater probabilities for later classes, from 0 to 1."""

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return np.stack([np.linspace(0, 1, COUNT, dtype=np.float32)] * len(batch))


@pytest.fixture
def panel(fake_catalogue, open_panel, viewer, classify):
    fake_catalogue.cards, fake_catalogue.here, fake_catalogue.models = [WIDE], {"wide"}, {"wide": WideModel(WIDE)}
    viewer.add_image(flat(9), name="grey")
    panel = open_panel()
    classify(panel, "Wide")
    return panel


def test_the_table_shows_classes_that_are_assigned_and_the_chart_those_with_the_greatest_numbers(panel, qtbot):
    shown = limits.SHOWN_CLASSES
    assert panel.results.model.headings()[:4] == ["Image", "Class", "Probability", f"class {COUNT // 2}"]
    assert panel.results.model.columnCount() == 3 + MOST_CLASSES
    chart = panel.results.detail.chart
    assert [bar.name for bar in chart.bars] == [f"class {i}" for i in range(COUNT - FIRST, COUNT)]
    while panel.results.detail.view.more.isEnabled():
        qtbot.mouseClick(panel.results.detail.view.more, Qt.MouseButton.LeftButton)
    assert [bar.name for bar in chart.bars] == [f"class {i}" for i in range(COUNT - shown, COUNT)]
    assert all(bar.assigned for bar in panel.results.detail.chart.bars)
    assert f"{MOST_CLASSES} of {COUNT:,} classes" in panel.results.filter.summary.text()


def test_the_file_and_the_clipboard_have_all_classes(panel, qtbot, monkeypatch, tmp_path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "out.csv"), ""))
    panel.results.buttons.menu.all.trigger()
    qtbot.waitUntil(lambda: not panel._session.table.unsaved, timeout=30_000)
    header, row = (tmp_path / "out.csv").read_text().splitlines()
    assert header.count(",") == row.count(",") == COUNT + 2
    QGuiApplication.clipboard().clear()
    qtbot.mouseClick(panel.results.buttons.copy, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: bool(QGuiApplication.clipboard().text()))
    assert QGuiApplication.clipboard().text().replace("\t", ",").splitlines() == [header, row]


def test_the_description_says_how_many_classes_more_there_are():
    html = about(WIDE)
    assert f"class {MOST_LISTED - 1}<br>… and {COUNT - MOST_LISTED:,} more" in html
    assert f"class {MOST_LISTED}<" not in html


def test_a_model_of_few_classes_shows_all_without_a_remark(viewer, fake_catalogue, open_panel, classify):
    viewer.add_image(flat(9))
    panel = open_panel()
    classify(panel)
    assert "classes" not in panel.results.filter.summary.text()
