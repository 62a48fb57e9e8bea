from __future__ import annotations

import pytest

pytest.importorskip("napari")

from qtpy.QtCore import Qt

from napari_webipred._napari.chart import Bar, ordered
from napari_webipred._napari.theme import SHAPE_CONTRAST


def bars(*probabilities: float) -> list[Bar]:
    return [Bar(str(i), "", p, False) for i, p in enumerate(probabilities)]


@pytest.mark.parametrize(("order", "names"), [("model", "0123"), ("descending", "1023"), ("ascending", "3021")])
def test_bars_are_ordered_and_equal_ones_keep_the_order_of_the_model(order, names):
    assert "".join(bar.name for bar in ordered(bars(0.2, 0.5, 0.2, 0.1), order)) == names


def test_a_label_stands_beside_a_code():
    assert Bar("MEL", "melanoma", 0.1, False).words == "MEL · melanoma"
    assert Bar("normal", "Normal", 0.1, False).words == "normal"
    assert Bar("noisy", "Noisy: grain covers all", 0.1, False).words == "noisy"
    assert Bar("noisy", "Noisy: grain covers all", 0.1, False).explained == "Noisy: grain covers all: 0.1"


def test_the_chart_is_as_high_as_its_classes_and_scrolls_when_there_are_many(viewer, panel, classify):
    import numpy as np

    viewer.add_image(np.zeros((40, 40), np.uint8))
    classify(panel)
    few = panel.results.detail.chart.sizeHint().height()
    panel.results.detail.chart.show_bars(bars(*[0.5] * 29))
    assert panel.results.detail.chart.sizeHint().height() == 10 * few
    assert panel.results.detail.chart_area.height() < panel.results.detail.chart.sizeHint().height()


def test_the_order_of_the_chart_leaves_the_table_alone(viewer, panel, classify):
    import numpy as np

    viewer.add_image(np.full((40, 40), 250, np.uint8))
    classify(panel)
    assert [bar.name for bar in panel.results.detail.chart.bars] == ["dark", "bright"]
    panel.results.detail.order.setCurrentIndex(1)
    assert [bar.name for bar in panel.results.detail.chart.bars] == ["bright", "dark"]
    header = panel.results.sorted.headerData(2, Qt.Orientation.Horizontal)
    assert header == "dark"


def test_a_value_is_written_with_its_unit_and_has_no_bar(viewer, panel):
    value = Bar("age", "", 0.9, False, "0.9 years")
    assert value.shown == "0.9 years"
    assert value.explained == "age: 0.9 years"
    chart = panel.results.detail.chart
    chart.resize(240, 60)
    drawn = []
    for bar in (value, Bar("age", "", 0.9, False)):
        chart.show_bars([bar])
        image = chart.grab().toImage()
        colour = chart._theme.readable("secondary", "background", ratio=SHAPE_CONTRAST).rgb()
        drawn.append(sum(image.pixel(x, y) == colour for x in range(240) for y in range(30)))
    assert drawn[0] == 0
    assert drawn[1] > 100
