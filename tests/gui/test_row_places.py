"""Rows are found by the layer and plane that they are about."""

from __future__ import annotations

import gc
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

pytest.importorskip("napari")

from tests.gui.conftest import BRIGHTNESS

from napari_webipred._napari.images.place import Target
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred.results.row import Row
from napari_webipred.results.row_list import RowList
from napari_webipred.results.session_table import Entry, RunDetails


class Layer:
    def __init__(self, path: str | None, name: str = "scan") -> None:
        self.name = name
        self.source = SimpleNamespace(path=path)


def entry(run: int, row: Row) -> Entry:
    return Entry(RunDetails(run, datetime.now(UTC), BRIGHTNESS, "", {}, (), ("z",), 1), row)


def test_rows_of_several_runs_and_regions_are_found_by_layer_and_plane():
    stack, other = Layer(None), Layer(None)
    places = RowPlaces()
    places.begin(1, [Target([other]), Target([stack], (1,))])
    places.add(1, RowList([Row(1, "stack", {"z": i // 2}, region=f"r{i}") for i in range(4)]), 0)
    places.begin(2, [Target([stack], (0,))])
    places.add(2, RowList([Row(0, "stack", {"t": 5})]), 4)
    assert places.rows_at(stack, (9, 1)) == [2, 3]
    assert places.rows_at(stack, (5, 0)) == [0, 1, 4]
    assert places.rows_at(other, ()) == []
    assert places.knows(other)
    assert not places.knows(Layer(None))


def test_a_file_that_is_opened_again_takes_the_place_of_its_layer_that_is_gone():
    gone, places, row = Layer("scan.tif"), RowPlaces(), Row(0, "scan", {"z": 3})
    places.begin(1, [Target([gone], (0,))])
    places.add(1, RowList([row]), 0)
    again = Layer("scan.tif")
    assert places.rows_at(again, (3,)) == []  # the first one is still there
    del gone
    gc.collect()
    for stranger in (Layer("other.tif"), Layer(None), Layer("scan.tif", "another name")):
        assert places.rows_at(stranger, (3,)) == []
    opened = Layer("scan.tif")
    assert places.target(entry(1, row), [opened]).layers == [opened]
    assert places.rows_at(opened, (3,)) == [0]
    assert places.layers() == [opened]


def test_a_layer_without_a_file_is_not_mistaken_for_another():
    gone, places, row = Layer(None), RowPlaces(), Row(0, "scan", {})
    places.begin(1, [Target([gone])])
    places.add(1, RowList([row]), 0)
    del gone
    gc.collect()
    assert places.target(entry(1, row), [Layer(None)]).layers == []
