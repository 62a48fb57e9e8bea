"""Charts as files and in the clipboard."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

pytest.importorskip("napari")

from qtpy.QtCore import QSize
from qtpy.QtGui import QGuiApplication, QImage
from qtpy.QtWidgets import QFileDialog
from tests.gui.conftest import flat

from napari_webipred._napari.charts import figure as figures
from napari_webipred._napari.charts.figure import Figure, png, write_figure
from napari_webipred.errors import OptionError

CONTENT = b"of the user"


@pytest.fixture
def detail(viewer, panel, classify):
    viewer.add_image(flat(250), name="white <b>image</b>")
    classify(panel)
    return panel.results.detail


def save(monkeypatch, qtbot, detail, kind, path):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    detail.menu.saves[kind].trigger()
    qtbot.waitUntil(lambda: detail.message.text != "")


def test_a_chart_is_saved_as_png_with_three_pixels_for_each_on_white(detail, monkeypatch, qtbot, tmp_path):
    folder = tmp_path / "charts"
    folder.mkdir()
    save(monkeypatch, qtbot, detail, "PNG", folder / "chart.png")
    assert "Saved chart.png" in detail.message.text
    image = QImage(str(folder / "chart.png"))
    size = detail.chart.figure().size
    assert image.width() == figures.SCALE * (size.width() + 2 * figures.MARGIN)
    assert image.pixelColor(0, 0).name() == "#ffffff"
    assert image.dotsPerMeterX() == pytest.approx(288 / 0.0254, rel=0.01)
    colours = {image.pixel(x, y) for x in range(0, image.width(), 5) for y in range(0, image.height(), 5)}
    assert len(colours) > 2
    assert [path.name for path in folder.iterdir()] == ["chart.png"]


def test_a_chart_is_saved_as_svg_whose_texts_are_texts(detail, monkeypatch, qtbot, tmp_path):
    save(monkeypatch, qtbot, detail, "SVG", tmp_path / "chart")
    tree = ET.parse(tmp_path / "chart.svg")
    texts = {"".join(node.itertext()).strip() for node in tree.iter() if node.tag.endswith("text")}
    assert {"dark", "bright", "0", "0.5", "1"} <= texts
    assert "white" not in (tmp_path / "chart.svg").read_text().replace("#ffffff", "")  # no name of the image


def test_names_are_whole_in_a_figure_although_the_panel_cuts_them_off(detail, monkeypatch, qtbot, tmp_path):
    from napari_webipred._napari.charts.bars import Bar

    name = "a name of a class that is much longer than its place in the panel"
    for vertical in (False, True):
        detail.chart.set_vertical(vertical)
        detail.chart.show_bars([Bar(name, "", 0.5, True)])
        assert name in figures.svg_bytes(detail.chart.figure()).decode()


@pytest.mark.parametrize("kind", ["PNG", "SVG"])
def test_a_file_that_the_dialog_has_not_asked_about_is_not_replaced(detail, monkeypatch, qtbot, tmp_path, kind):
    there = tmp_path / f"chart.{kind.lower()}"
    there.write_bytes(CONTENT)
    save(monkeypatch, qtbot, detail, kind, tmp_path / "chart")
    assert "already exists" in detail.message.text
    assert there.read_bytes() == CONTENT


def test_the_file_of_an_open_image_is_never_replaced(tmp_path):
    image = tmp_path / "scan.png"
    image.write_bytes(CONTENT)
    work = write_figure(image, "PNG", Figure(QSize(10, 10), lambda _: None), [str(image)])
    with pytest.raises(OptionError, match="one of the inputs"):
        list(work)
    assert image.read_bytes() == CONTENT


def test_a_wrong_suffix_and_a_folder_that_is_not_there_are_told_by_the_name_alone(tmp_path):
    for path, message in ((tmp_path / "a.csv", "a.csv cannot be"), (tmp_path / "no" / "a.png", "a.png cannot be")):
        with pytest.raises(OptionError, match=message) as caught:
            list(write_figure(path, "PNG", Figure(QSize(10, 10), lambda _: None), []))
        assert str(tmp_path) not in caught.value.message


def test_a_chart_that_is_too_large_for_png_is_refused():
    with pytest.raises(OptionError, match="too large") as caught:
        png(Figure(QSize(1000, 20_000), lambda _: None))
    assert "SVG" in caught.value.hint


def test_a_chart_is_copied_as_image_and_as_svg(detail, qtbot):
    clipboard = QGuiApplication.clipboard()
    clipboard.clear()
    detail.menu.copies["PNG"].trigger()
    qtbot.waitUntil(lambda: clipboard.mimeData().hasImage())
    assert clipboard.image().width() > 2 * detail.chart.figure().size.width()
    detail.menu.copies["SVG"].trigger()
    qtbot.waitUntil(lambda: clipboard.mimeData().hasFormat("image/svg+xml"))
    assert ET.fromstring(clipboard.text()).tag.endswith("svg")


def test_the_menu_turns_the_bars(detail, qtbot):
    detail.menu.open_at(detail.menu.mapToGlobal(detail.menu.rect().center()))
    assert detail.menu.horizontal.isChecked()
    assert not detail.menu.unpin.isVisible()
    detail.menu.vertical.trigger()
    detail.menu.actions_menu.close()
    assert detail.chart.vertical
    assert np.isclose(detail.view.area.height(), detail.chart.minimumSizeHint().height() + 4)
