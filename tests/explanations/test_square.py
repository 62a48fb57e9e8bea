"""A network whose right map is known: it answers to brightness, so the map is the model's input, cell by cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

import napari_webipred as wp
from heads import SIZE, bright
from napari_webipred import engine
from napari_webipred.execution.plane import Plane
from napari_webipred.explanations.explaining import Explainer
from napari_webipred.imaging.region import Region

TALL, WIDE = (200, 120), (120, 200)


def image(shape: tuple[int, int], square: tuple[slice, slice]) -> np.ndarray:
    made = np.full((*shape, 3), 20, np.uint8)
    made[square] = 255
    return made


def with_mode(model: wp.Model, mode: str) -> wp.Model:
    assert model.card.preprocessing is not None
    changed = model.card.preprocessing.model_copy(update={"resize_mode": mode})
    model.card = model.card.model_copy(update={"preprocessing": changed})
    return model


def brightest(found: Any) -> tuple[float, float]:
    """Return the (row, column) of the image where a map is largest."""
    place = np.unravel_index(np.nanargmax(found.map), found.map.shape)
    row, column, _ = found.affine @ [*place, 1]
    return row, column


def check(found: Any, square: tuple[slice, slice]) -> None:
    row, column = brightest(found)
    assert square[0].start <= row < square[0].stop
    assert square[1].start <= column < square[1].stop


@pytest.mark.parametrize("method", ["cam", "hirescam"])
@pytest.mark.parametrize("mode", ["stretch", "center-crop", "pad"])
@pytest.mark.parametrize("shape", [TALL, WIDE, (SIZE, SIZE), (20, 30)])
def test_the_grid_is_the_input_of_the_model_and_the_map_lies_on_the_square(tmp_path, method, mode, shape):
    model = with_mode(bright(tmp_path), mode)
    height, width = shape
    square = (slice(height // 2, height // 2 + height // 4), slice(width // 2, width // 2 + width // 4))
    given = image(shape, square)
    (found,) = wp.explain(given, model, classes=["b"], method=method)
    seen = wp.prepare(given, model)[..., 1]
    cells = found.grid.shape[0]
    expected = seen.reshape(cells, SIZE // cells, cells, SIZE // cells).mean(axis=(1, 3))
    np.testing.assert_allclose(found.grid, expected, atol=1e-6)
    assert found.bias == pytest.approx(0, abs=1e-6)
    check(found, square)
    assert np.isnan(found.map).any() == (mode == "center-crop" and height != width)


@pytest.mark.parametrize("mode", ["stretch", "center-crop", "pad"])
def test_occlusion_finds_the_square_too(tmp_path, mode):
    square = (slice(90, 130), slice(50, 80))
    (found,) = wp.explain(image(TALL, square), with_mode(bright(tmp_path), mode), classes=["a"], method="occlusion")
    check(found, square)


def test_planes_channels_and_projections_have_maps_of_their_own(tmp_path):
    model, square = bright(tmp_path), (slice(60, 90), slice(140, 180))
    stack = np.zeros((2, 3, 2, *WIDE), np.uint16)  # t, z, c
    stack[1, 2, 1][square] = 900
    chosen = wp.select(stack, axes="tzc", channels=[0, 1], colours=["red", "green"])
    found = {each.class_name: each for each in wp.explain(chosen, model, plane={"t": 1, "z": 2})}
    check(found["b"], square)
    assert not found["a"].map.any()
    assert not any(each.map.any() for each in wp.explain(chosen, model, plane={"t": 1, "z": 0}))
    projected = wp.select(stack, axes="tzc", channels=1, projection={"z": "max"})
    check(wp.explain(projected, model, plane={"t": 1})[0], square)


def test_a_file_that_is_turned_when_it_is_read_has_a_map_that_is_turned(tmp_path):
    square = (slice(20, 60), slice(150, 190))
    pixels = Image.fromarray(image(WIDE, square))
    tags = Image.Exif()
    tags[0x0112] = 6  # to be turned by a quarter, clockwise
    pixels.save(tmp_path / "turned.jpg", exif=tags, quality=95)
    (found,) = wp.explain(tmp_path / "turned.jpg", bright(tmp_path), classes=["a"])
    assert found.map.shape == TALL
    check(found, (slice(150, 190), slice(60, 100)))


@pytest.mark.parametrize("mode", ["stretch", "center-crop", "pad"])
@pytest.mark.parametrize("outside", ["keep", "blank"])
def test_a_region_has_its_map_on_the_image(tmp_path, mode, outside):
    square = (slice(60, 75), slice(120, 135))
    given, other = image(WIDE, square), (slice(40, 50), slice(95, 105))
    given[other] = 255  # in the box of the region, but outside of its outline
    outline = np.array([[50, 110], [50, 150], [90, 150], [90, 110]], float) if outside == "blank" else None
    model = with_mode(bright(tmp_path), mode)
    plane = engine.chosen_plane(model, given, None)
    region = Region("1", (40, 95, 100, 165), outline=outline)
    (found,) = Explainer(model).explain(
        Plane(0, plane.source, plane.index, region), engine.Options(), classes=["a"], method="cam"
    )
    assert found.map.shape == (60, 70)
    if outside == "blank":
        check(found, square)
    else:
        row, column = brightest(found)
        assert any(
            each[0].start <= row < each[0].stop and each[1].start <= column < each[1].stop for each in (square, other)
        )
