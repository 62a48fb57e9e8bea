"""What the panel shows is as it is now, also where something else was changed than what is shown."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from tests.gui.conftest import flat

from napari_webipred._napari.form_settings import apply
from napari_webipred.cache import overrides
from napari_webipred.errors import OptionError
from napari_webipred.model_overrides import Thresholds


def test_a_range_that_begins_beyond_the_end_is_shown_and_is_the_reason_why_nothing_can_be_classified(
    viewer, panel, choose, qtbot
):
    viewer.add_image(np.stack([flat(9)] * 60), name="long")
    choose(panel, "Brightness")
    panel.form.planes.value = slice(20, 30)
    qtbot.waitUntil(panel.classify.button.isEnabled)
    panel.form.images.value = [viewer.add_image(np.stack([flat(9)] * 10), name="short")]
    fields = panel.form.planes.native.fields
    assert (fields.first.value(), fields.last.value()) == (20, 9)
    assert panel.classify.why.text() == "No plane of the selected images is in the range."
    fields.first.setValue(5)
    assert panel.form.planes.value == slice(5, None)
    assert panel.classify.button.text() == "Classify 1 image (5 planes)"
    assert panel.classify.button.isEnabled()


def test_it_is_said_at_once_whether_the_image_of_the_chosen_row_is_open(viewer, panel, classify):
    layer = viewer.add_image(flat(200), name="cells")
    classify(panel)
    assert panel.results.detail.name.text() == "cells"
    viewer.layers.remove("cells")
    assert panel.results.detail.name.text() == "cells · image not open"
    viewer.layers.append(layer)
    assert panel.results.detail.name.text() == "cells"


def test_thresholds_that_a_session_wants_and_that_are_not_here_are_not_chosen_when_others_get_their_name(
    panel, choose, qtbot
):
    form, session = panel.form, panel._session
    apply(form, session, {"model": "brightness", "model_is_path": False, "thresholds": "screening"})
    qtbot.waitUntil(lambda: session.loading.model is not None and not session.kept._latest.busy)
    overrides.keep_thresholds(session.loading.model.checksum, Thresholds("screening", {"dark": 0.3, "bright": 0.7}, {}))
    session.kept.look()
    qtbot.waitUntil(lambda: form.thresholds.choices == (None, "screening"))
    assert form.thresholds.value is None
    choose(panel, "Eye")
    qtbot.waitUntil(lambda: form.thresholds.choices == (None,))
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: form.thresholds.choices == (None, "screening"))
    assert form.thresholds.value is None


def test_regions_of_the_current_plane_are_counted_when_the_slider_moves(viewer, panel, choose, qtbot):
    viewer.add_image(np.stack([flat(9)] * 3), name="stack")
    square = [(1, 2, 2), (1, 2, 9), (1, 9, 9), (1, 9, 2)]
    panel.form.regions.value = viewer.add_shapes([np.array(square)], shape_type="polygon")
    panel.form.planes.value = "current"
    viewer.dims.set_current_step(0, 0)
    choose(panel, "Brightness")
    qtbot.waitUntil(lambda: panel.classify.why.text() == "No region lies in the selected images.")
    viewer.dims.set_current_step(0, 1)
    assert panel.classify.button.text() == "Classify 1 region"
    assert panel.classify.button.isEnabled()
    assert panel.images.regions.count.text() == "1 shape = 1 row."
    viewer.dims.set_current_step(0, 2)
    assert not panel.classify.button.isEnabled()
    with pytest.raises(OptionError, match="No region lies in the selected images"):
        panel.form()


def test_search_and_filters_of_models_stay_when_the_list_is_read_again(panel, fake_catalogue, qtbot):
    choice = panel.model.choice
    choice.discipline.setCurrentText("Optics")
    choice.search.setText("brightness")
    catalogue = panel._session.catalogue
    with qtbot.waitSignal(catalogue.listed):
        panel.form.model.reset_choices()
    assert (choice.discipline.currentText(), choice.filter.rowCount()) == ("Optics", 1)
    fake_catalogue.cards = [each for each in fake_catalogue.cards if each.id != "brightness"]
    with qtbot.waitSignal(catalogue.listed):
        panel.form.model.reset_choices()
    assert choice.discipline.currentText() == "All disciplines"  # there is no other one for optics
    assert not choice.no_match.isHidden()
    assert choice.list.isHidden()


def test_the_same_row_is_chosen_after_a_search_that_found_nothing(viewer, panel, classify):
    for value in (10, 120, 240):
        viewer.add_image(flat(value), name=f"image {value}")
    classify(panel)
    panel.results.table.selectRow(1)
    panel.results.filter.search.setText("nothing like this")
    assert panel.results.chosen_entry is None
    panel.results.filter.search.setText("image")
    assert panel.results.chosen_entry.row.image == "image 120"
    assert panel.results.table.selected_numbers().tolist() == [1]
    panel._session.delete([0, 1, 2])
    panel._session.undo()
    assert panel.results.chosen_entry.row.image == "image 120"
