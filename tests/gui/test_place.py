"""Going to a plane, and back from what is shown to the plane, wherever a layer lies; compared with napari's slices."""

from __future__ import annotations

import random

import numpy as np
import pytest

pytest.importorskip("napari")

from napari.components import ViewerModel

from napari_webipred._napari.images.place import Target, place_shown, show
from napari_webipred._napari.results.row_places import RowPlaces
from napari_webipred.results.row import Row
from napari_webipred.results.row_list import RowList

LENGTHS = (6, 5)


def numbered(*lengths: int) -> np.ndarray:
    """Return a stack in which each plane has the number of its place."""
    stack = np.zeros((*lengths, 4, 4), np.int32)
    for number, index in enumerate(np.ndindex(*lengths)):
        stack[index] = number
    return stack


def number_shown(layer) -> int | None:
    """Return the number of the plane that napari has cut out for the canvas; None if it is outside."""
    layer.refresh(thumbnail=False, extent=False)
    pixels = np.asarray(layer._slice.image.raw)
    return int(pixels.flat[0]) if np.all(pixels == pixels.flat[0]) else None


def placed(seed: int, ndim: int) -> dict[str, object]:
    """Return a random scale, translation, shear, rotation within the plane, and an affine on top."""
    chance = random.Random(seed)
    affine = np.eye(ndim + 1)
    for axis in range(ndim - 2):
        affine[axis, axis] = chance.uniform(0.3, 3)
        affine[axis, -1] = chance.uniform(-20, 20)
    shear = [chance.uniform(-0.8, 0.8) if chance.random() < 0.5 else 0 for _ in range(ndim * (ndim - 1) // 2)]
    rotation = np.eye(ndim)
    angle = chance.uniform(-3, 3)
    rotation[-2:, -2:] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return {
        "scale": [chance.uniform(0.2, 5) * chance.choice((1, 1, -1)) for _ in range(ndim)],
        "translate": [chance.uniform(-30, 30) for _ in range(ndim)],
        **({"shear": shear} if chance.random() < 0.5 else {}),
        **({"rotate": rotation} if chance.random() < 0.5 else {}),
        **({"affine": affine} if chance.random() < 0.5 else {}),
    }


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
@pytest.mark.parametrize("seed", range(16))
def test_the_plane_of_a_row_is_the_one_that_napari_shows(seed):
    chance = random.Random(seed)
    viewer = ViewerModel()
    if chance.random() < 0.6:  # with another layer, the sliders have other steps and perhaps one more axis
        if chance.random() < 0.5:
            viewer.add_image(numbered(3, *LENGTHS))
        else:
            viewer.add_image(numbered(9), scale=(2.5, 1, 1))
    place = placed(seed, 4)
    layer = viewer.add_image(numbered(*LENGTHS), **place)
    target = Target([layer], (0, 1))
    for _ in range(4):
        index = tuple(chance.randrange(length) for length in LENGTHS)
        show(viewer, target, dict(zip("tz", index, strict=True)))
        assert viewer.layers.selection.active is layer
        at_an_end = [
            np.isclose(value, (low, high)).any()
            for value, (low, high, _) in zip(viewer.dims.point[-4:-2], viewer.dims.range[-4:-2], strict=True)
        ]
        if "shear" in place and any(at_an_end):
            continue  # no slider reaches every plane of a layer that is sheared in z
        assert place_shown(layer, viewer.dims) == index
        assert number_shown(layer) == np.ravel_multi_index(index, LENGTHS)


@pytest.mark.parametrize("ndisplay", [2, 3])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_a_plane_is_found_with_transposed_axes_and_in_3d(order, ndisplay):
    viewer = ViewerModel()
    layer = viewer.add_image(numbered(6), scale=(3, 1, 1), translate=(7, 0, 0))
    viewer.dims.order = order
    viewer.dims.ndisplay = ndisplay
    show(viewer, Target([layer], (0,)), {"z": 4})
    assert place_shown(layer, viewer.dims) == (4,)
    viewer.dims.ndisplay = 2
    viewer.dims.order = (0, 1, 2)
    assert number_shown(layer) == 4


def test_a_layer_with_fewer_axes_than_the_viewer_moves_only_its_own_sliders():
    viewer = ViewerModel()
    viewer.add_image(numbered(5, 6))
    layer = viewer.add_image(numbered(6), name="flat in time")
    viewer.dims.set_point(0, 3)
    show(viewer, Target([layer], (0,)), {"z": 2})
    assert viewer.dims.point[:2] == (3, 2)
    assert number_shown(layer) == 2


def test_units_of_layers_count():
    viewer = ViewerModel()
    if not hasattr(viewer.dims, "units"):
        pytest.skip("this napari has no units of sliders")
    viewer.add_image(numbered(9), units=("um", "um", "um"))
    layer = viewer.add_image(numbered(6), units=("mm", "um", "um"), scale=(0.002, 1, 1))
    show(viewer, Target([layer], (0,)), {"z": 4})
    assert viewer.dims.point[0] == pytest.approx(8)
    assert place_shown(layer, viewer.dims) == (4,)
    assert number_shown(layer) == 4


def test_only_the_axes_of_the_rows_move():
    viewer = ViewerModel()
    layer = viewer.add_image(numbered(*LENGTHS))
    viewer.dims.set_point(0, 5)
    show(viewer, Target([layer], (1,)), {"z": 3})
    assert viewer.dims.point[:2] == (5, 3)


def test_a_row_of_a_layer_that_has_got_other_data_does_no_harm():
    viewer = ViewerModel()
    layer = viewer.add_image(numbered(*LENGTHS))
    target = Target([layer], (0, 1))
    layer.data = numbered(2)[0]
    show(viewer, target, {"t": 5, "z": 4})
    assert viewer.layers.selection.active is layer
    places = RowPlaces()
    places.begin(1, [target])
    places.add(1, RowList([Row(0, "stack", {"t": 5, "z": 4})]), 0)
    assert places.rows_at(layer, (5, 4)) == [0]
    assert places.rows_at(layer, place_shown(layer, viewer.dims)) == []


def test_a_layer_that_is_gone_is_not_shown():
    viewer = ViewerModel()
    kept = viewer.add_image(numbered(6))
    gone = viewer.add_image(numbered(6))
    target = Target([gone], (0,))
    viewer.layers.remove(gone)
    viewer.layers.selection.active = kept
    before = viewer.dims.point
    show(viewer, target, {"z": 1})
    assert (viewer.layers.selection.active, viewer.dims.point) == (kept, before)


def test_all_layers_of_a_merged_image_are_shown_and_those_over_it_hidden():
    viewer = ViewerModel()
    low = viewer.add_image(numbered(6), visible=False)
    between = viewer.add_image(numbered(6))
    top = viewer.add_image(numbered(6))
    over = viewer.add_image(numbered(6))
    not_in_the_run = viewer.add_image(numbered(6))
    show(viewer, Target([low, top], (0,)), {"z": 1}, [low, top, between, over])
    assert [layer.visible for layer in (low, between, top, over, not_in_the_run)] == [True, False, True, False, True]
    assert viewer.layers.selection.active is top
