"""Regions of a run are known again by where they lie."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.layers import Image, Labels

from napari_webipred._napari.regions.names_then import names_then
from napari_webipred._napari.regions.region_layer import drawn, grid_of
from napari_webipred._napari.regions.region_search import search
from napari_webipred.results.inputs import RegionInput
from napari_webipred.steps import result_of

LABELS = np.array([[1, 2, 0, 3, 4], [2, 1, 0, 3, 0]])  # 1 and 2 lie in one box


@pytest.mark.parametrize(
    ("now", "names"),
    [
        ([0, 1, 2, 3, 4], {"1": "1", "2": "2", "3": "3", "4": "4"}),
        ([0, 1, 2, 7, 3], {"1": "1", "2": "2", "7": "3", "3": "4"}),
        ([0, 0, 2, 3, 4], {"2": "2", "3": "3", "4": "4"}),
        ([0, 5, 2, 3, 4], {"2": "2", "3": "3", "4": "4"}),
        ([0, 1, 1, 4, 4], {"1": "1"}),
    ],
)
def test_labels_are_known_by_their_boxes_and_in_one_box_by_their_names(now, names):
    grid = grid_of(Image(np.zeros(LABELS.shape)), ())
    regions = result_of(search(drawn(Labels(LABELS)), grid, False)).regions
    then = [RegionInput(each.name, each.box, each.index) for each in regions]
    assert result_of(names_then(drawn(Labels(np.array(now)[LABELS])), [(grid, then)])) == names
