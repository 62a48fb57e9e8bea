"""Maps lie over what they explain, in the coordinates of napari's world."""

from __future__ import annotations

import copy

import numpy as np
import pytest

pytest.importorskip("napari")

from msgspec.structs import replace
from napari.layers import Image

from napari_webipred._napari.explanations.map_array import MOST_PIXELS, MapArray
from napari_webipred._napari.explanations.map_layer import Look, MapLayer, map_array
from napari_webipred._napari.explanations.row_map import row_map
from napari_webipred._napari.images.layer_input import image_input, source_again
from napari_webipred._napari.images.layers import row_axes, source_of
from napari_webipred._napari.images.merged_layers import MergedLayers
from napari_webipred._napari.images.place import Target
from napari_webipred._napari.images.understanding import AxisChoice, Understanding
from napari_webipred.execution.plane import Plane
from napari_webipred.explanations.explaining import Explainer
from napari_webipred.imaging.readers import read
from napari_webipred.imaging.region import Region
from napari_webipred.options import Options
from napari_webipred.results.inputs import Parts, RegionInput
from square_model import square_model

SQUARE = 1
LAYOUTS = {
    "plain": {},
    "scaled": {"scale": (0.3, 2.5)},
    "translated": {"translate": (-40, 12)},
    "rotated": {"rotate": 33},
    "sheared": {"shear": [0.7]},
    "turned over": {"scale": (-1, 1.5), "rotate": 100},
    "affine": {"affine": [[0.5, -2, 9], [1.5, 0.3, -7], [0, 0, 1]]},
    "all": {
        "scale": (0.3, 2.5),
        "translate": (-40, 12),
        "rotate": 33,
        "shear": [0.7],
        "affine": [[0.5, -2, 9], [1.5, 0.3, -7], [0, 0, 1]],
    },
}


@pytest.fixture(scope="module")
def explainer(tmp_path_factory):
    return Explainer(square_model(tmp_path_factory.mktemp("model")))


def picture(shape, top, left, size):
    """An image that is dark but for a square."""
    image = np.full(shape, 10, np.uint8)
    image[top : top + size, left : left + size] = 250
    return image


def explained(explainer, layer, index=(), region=None):
    """Explain a plane of a layer as the panel does, without a panel."""
    target = Target([layer], row_axes(layer))
    plane = Plane(0, source_of(layer), index, region)
    found = explainer.explain(plane, Options(), ["dark", "square"])
    return target, row_map(index, found, checked=False)


def over(layer, target, maps, class_index=SQUARE):
    array = map_array(layer, target, maps, class_index)
    look = Look((1, 0), class_index, "square", 1.0, signed=False, bright=False)
    return MapLayer(layer, array, look, lambda _: None)


def highest(map_layer: Image, place=()) -> np.ndarray:
    """Where in napari's world the map of a plane is highest."""
    plane = np.asarray(map_layer.data[(*place, slice(None), slice(None))])
    assert plane.max() > 0
    middle = np.argwhere(plane == plane.max()).mean(axis=0)
    return np.asarray(map_layer.data_to_world((*place, *middle)))


def in_square(layer, world, top, left, size):
    row, column = np.asarray(layer.world_to_data(world))[-2:]
    return top - 0.5 <= row <= top + size - 0.5 and left - 0.5 <= column <= left + size - 0.5


@pytest.mark.parametrize(("layout", "rgb"), [*((layout, False) for layout in LAYOUTS), ("all", True)])
def test_the_map_is_highest_in_the_bright_square_however_the_layer_lies(explainer, layout, rgb):
    top, left, size = 60, 30, 24
    image = picture((96, 160, 3) if rgb else (96, 160), top, left, size)
    layer = Image(image, rgb=rgb, **LAYOUTS[layout])
    target, found = explained(explainer, layer)
    assert in_square(layer, highest(over(layer, target, [found]).layer), top, left, size)


def test_the_map_follows_a_layer_that_is_moved_turned_and_renamed(explainer):
    layer = Image(picture((96, 160), 60, 30, 24), name="before")
    target, found = explained(explainer, layer)
    shown = over(layer, target, [found])
    layer.scale, layer.translate, layer.rotate, layer.name = (2, 0.7), (5, 6), 70, "after"
    layer.affine = LAYOUTS["affine"]["affine"]
    assert in_square(layer, highest(shown.layer), 60, 30, 24)
    assert shown.layer.name == "square · after"
    shown.release()
    layer.scale = (1, 1)
    assert tuple(shown.layer.scale) == (2, 0.7)


@pytest.mark.parametrize(("mode", "left"), [("stretch", 100), ("center-crop", 70), ("pad", 100)])
def test_the_map_is_right_for_every_way_to_resize(tmp_path, mode, left):
    model = square_model(tmp_path)
    assert model.card.preprocessing is not None
    how = model.card.preprocessing.model_copy(update={"resize_mode": mode})
    model.card = model.card.model_copy(update={"preprocessing": how})
    layer = Image(picture((96, 160), 30, left, 24), scale=(2, 3), rotate=20)
    target, found = explained(Explainer(model), layer)
    shown = over(layer, target, [found]).layer
    assert in_square(layer, highest(shown), 30, left, 24)
    unseen = np.asarray(shown.data[:, :10])
    assert (unseen == 0).all() if mode == "center-crop" else shown.data.shape == (96, 160)


def test_each_plane_of_a_stack_has_its_own_map_and_planes_without_one_are_empty(explainer):
    squares = {(0, 1): (10, 20), (1, 2): (60, 100)}
    stack = np.full((2, 3, 96, 160), 10, np.uint8)
    for place, (top, left) in squares.items():
        stack[place] = picture((96, 160), top, left, 24)
    layer = Image(stack, scale=(5, 4, 2, 3), translate=(1, 2, 3, 4), rotate=30)
    maps = []
    for place in squares:
        target, found = explained(explainer, layer, place)
        maps.append(found)
    shown = over(layer, target, maps).layer
    assert shown.data.shape == stack.shape
    for place, (top, left) in squares.items():
        world = highest(shown, place)
        assert in_square(layer, world, top, left, 24)
        assert tuple(np.round(layer.world_to_data(world)[:2])) == place
    assert not np.asarray(shown.data[0, 0]).any()


def test_regions_have_their_maps_where_they_are_and_only_there(explainer):
    image = picture((200, 300), 130, 210, 20)
    image[20:40, 30:50] = 250
    layer = Image(image, scale=(2, 3), rotate=20)
    boxes = {(120, 200, 180, 280): (130, 210), (10, 20, 60, 70): (20, 30)}
    found = [explained(explainer, layer, region=Region(str(box), box)) for box in boxes]
    for (target, each), square in zip(found, boxes.values(), strict=True):
        assert in_square(layer, highest(over(layer, target, [each]).layer), *square, 20)
    shown = over(layer, found[0][0], [each for _, each in found]).layer
    plane = np.asarray(shown.data[:, :])
    for top, left in boxes.values():
        assert plane[top : top + 20, left : left + 20].max() > 0
    inside = np.zeros(plane.shape, bool)
    for top, left, bottom, right in boxes:
        inside[top:bottom, left:right] = True
    assert not plane[~inside].any()


def test_merged_and_projected_layers_have_their_map_at_every_place_of_the_axis_that_is_gone(explainer):
    stack = np.stack([picture((96, 160), 60, 30, 24)] * 3)
    grey = [Image(stack[0], colormap=colour, contrast_limits=(0, 255), scale=(2, 3)) for colour in ("red", "green")]
    grey.append(Image(stack[0], colormap="blue", contrast_limits=(0, 255), scale=(2, 3)))
    merged = MergedLayers(grey)
    projected = Image(stack, rotate=20)
    use = Understanding((AxisChoice(use="max"),))
    cases = [
        (grey[-1], Target(merged.layers), merged.source(Understanding(), "all"), ()),
        (projected, Target([projected], row_axes(projected, use)), source_of(projected, use), (1,)),
    ]
    for layer, target, source, place in cases:
        found = explainer.explain(Plane(0, source, ()), Options(), ["dark", "square"])
        shown = over(layer, target, [row_map((), found, checked=False)]).layer
        assert in_square(layer, highest(shown, place), 60, 30, 24)


def test_a_large_multiscale_image_has_a_small_map_in_the_right_place(explainer):
    image = picture((1500, 2000), 900, 1200, 300)
    layer = Image([image, image[::2, ::2]], multiscale=True, scale=(0.5, 0.5), rotate=45)
    target, found = explained(explainer, layer)
    shown = over(layer, target, [found]).layer
    assert shown.data.shape == (MOST_PIXELS, MOST_PIXELS)
    assert in_square(layer, highest(shown), 900, 1200, 300)
    corners = [np.asarray(layer.data_to_world(each)) for each in ((-0.5, -0.5), (1499.5, 1999.5))]
    own = [np.asarray(shown.data_to_world(each)) for each in ((-0.5, -0.5), (MOST_PIXELS - 0.5, MOST_PIXELS - 0.5))]
    np.testing.assert_allclose(own, corners, atol=1e-6)


def test_the_array_answers_to_what_napari_asks_for(explainer):
    stack = np.stack([picture((40, 60), 4 * place, 5 * place, 12) for place in range(4)])
    layer = Image(stack)
    pairs = [explained(explainer, layer, (place,)) for place in range(4)]
    array = map_array(layer, pairs[0][0], [found for _, found in pairs], SQUARE)
    whole = np.asarray(array)
    assert whole.shape == array.shape == (4, 40, 60)
    for place, (_, found) in enumerate(pairs):
        np.testing.assert_array_equal(whole[place], found.placing.enlarged(found.grids[SQUARE]))
    keys = [2, (1, slice(3, 9)), (slice(1, 3), slice(None), 5), (..., 7), slice(None, None, -1), (slice(2, 2),), -1]
    for key in keys:
        np.testing.assert_array_equal(array[key], whole[key])
    twin = copy.deepcopy(array)
    assert twin.same(array)
    assert not MapArray((4,), (40, 60), (0,), {}, SQUARE).same(array)


@pytest.mark.parametrize(
    ("axes", "shape", "use"),
    [
        (("t", "z"), (2, 3, 8, 9), Understanding()),
        (("t", "z"), (2, 3, 8, 9), Understanding((AxisChoice(use="max"), AxisChoice()))),
        (("t", "z"), (2, 5, 8, 9), Understanding((AxisChoice(), AxisChoice(use="mean", start=1, stop=4)))),
        (("t", "c"), (2, 3, 8, 9), Understanding()),
        ((), (8, 9, 3), Understanding()),
    ],
)
def test_a_layer_that_is_opened_again_is_read_as_before(axes, shape, use):
    data = np.random.default_rng(3).integers(0, 255, shape, dtype=np.uint8)
    labels = (*axes, "y", "x") if axes else None
    layer, again = (Image(data.copy(), rgb=not axes, axis_labels=labels) for _ in range(2))
    before = source_of(layer, use)
    after = source_again(image_input(Target([layer]), before), [again])
    assert (after.axes, after.shape, after.reading) == (before.axes, before.shape, before.reading)
    for index in before.indices():
        np.testing.assert_array_equal(read(after, index), read(before, index))
    assert source_again(image_input(Target([layer]), before), [Image(data[..., 1:], rgb=False)]) is None


@pytest.mark.parametrize(
    "said",
    [
        {"steps": (("project", "axis_0", "max", (0, 2**52, 1)),)},
        {"steps": (("channel", "axis_0", 3),)},
        {"steps": (("channel", "t", 0),)},
        {"axes": ()},
        {"colours": 0},
        {"parts": Parts((), regions=(RegionInput("r", (0, 0, 4, 4), (1, 1)),))},
    ],
    ids=str,
)
def test_a_layer_is_not_read_in_steps_that_do_not_go_with_it(said):
    layer = Image(np.zeros((3, 8, 8), np.uint8), rgb=False)
    image = image_input(Target([layer]), source_of(layer, planes="all"))
    assert source_again(image, [layer]) is not None
    assert source_again(replace(image, **said), [layer]) is None
