"""A heat map as a file: what other programs read of it, and that nothing is lost."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred.errors import OptionError
from napari_webipred.slides.saving import SUFFIXES
from pictures import levels_of, spotted, write_ome_zarr

PIXEL = 0.5


@pytest.fixture(scope="module")
def heat(tmp_path_factory: pytest.TempPathFactory) -> Any:
    levels = levels_of(spotted((700, 900), at=(300, 400)), 2)
    path = write_ome_zarr(tmp_path_factory.mktemp("slide") / "slide.zarr", levels, pixel_size=PIXEL)
    return wp.heatmap(path, "demo", tile=200, stride=100, level=0, region=(100, 100, 650, 900))


def test_an_ome_zarr_has_the_map_its_place_and_the_tiles(heat: Any, tmp_path: Path) -> None:
    import zarr

    heat.save(tmp_path / "map.zarr")
    group = zarr.open_group(tmp_path / "map.zarr", mode="r")
    np.testing.assert_array_equal(group["0"][...], heat.values)
    np.testing.assert_array_equal(group["tiles"][...], heat.tiles)
    np.testing.assert_array_equal(group["states"][...], heat.states)
    (multiscale,) = group.attrs["ome"]["multiscales"]
    scale, translation = multiscale["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [1, 100 * PIXEL, 100 * PIXEL]
    assert translation["translation"] == [0, (100 + 49.5) * PIXEL, (100 + 49.5) * PIXEL]
    assert [axis.get("unit") for axis in multiscale["axes"]] == [None, "micrometer", "micrometer"]
    assert [each["label"] for each in group.attrs["ome"]["omero"]["channels"]] == list(heat.classes)
    made = group.attrs["napari-webipred"]
    assert made["complete"]
    assert made["heat_map"]["region"] == [100, 100, 650, 900]
    assert made["model"]["id"] == "demo"
    assert made["notes"] == [heat.remark]


def test_the_saved_map_is_a_picture_itself(heat: Any, tmp_path: Path) -> None:
    from napari_webipred.imaging.readers import file_source, read

    heat.save(tmp_path / "map.zarr")
    source = file_source(tmp_path / "map.zarr")
    assert (source.axes, source.shape) == (("c",), (5,))
    np.testing.assert_array_equal(read(source, (1,)), heat.values[1])


def test_a_tiff_has_a_channel_for_each_class(heat: Any, tmp_path: Path) -> None:
    import tifffile

    heat.save(tmp_path / "map.tif")
    with tifffile.TiffFile(tmp_path / "map.tif") as file:
        assert file.series[0].axes == "CYX"
        np.testing.assert_array_equal(file.asarray(), heat.values)
        assert file.ome_metadata
        assert 'PhysicalSizeX="50.0"' in file.ome_metadata
        assert 'Name="blurred"' in file.ome_metadata


def test_a_table_has_a_row_for_each_tile_in_full_size_pixels(heat: Any, tmp_path: Path) -> None:
    heat.save(tmp_path / "map.csv")
    with (tmp_path / "map.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:5] == ["minx", "miny", "width", "height", "prob_sharp"]
    assert len(rows) == heat.started.total
    assert {row["state"] for row in rows} == {"classified", "skipped"}
    by_place = {(int(row["miny"]), int(row["minx"])): row for row in rows}
    for index, probabilities in heat.classified():
        top, left, _, _ = heat.box(index)
        row = by_place[int(top), int(left)]
        assert [np.float32(row[f"prob_{name}"]) for name in heat.classes] == probabilities.tolist()
    assert all(not row["prob_sharp"] for row in rows if row["state"] == "skipped")
    record = json.loads((tmp_path / "map.csv.json").read_text())
    assert record["tiles"]["classified"] + record["tiles"]["skipped"] == len(rows)
    assert record["inputs"][0]["image"].endswith("slide.zarr")


def test_outlines_for_qupath_are_closed_squares_that_do_not_overlap(heat: Any, tmp_path: Path) -> None:
    heat.save(tmp_path / "map.geojson")
    features = json.loads((tmp_path / "map.geojson").read_text())["features"]
    assert len(features) == np.count_nonzero(~np.isnan(heat.values[0]))
    seen = np.zeros((700, 900), int)
    for feature in features:
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        (left, top), (right, bottom) = ring[0], ring[2]
        seen[int(top) : int(bottom), int(left) : int(right)] += 1
        row, column = int((top - 100) // 100), int((left - 100) // 100)
        values = heat.values[:, row, column]
        properties = feature["properties"]
        assert properties["classification"]["name"] == heat.classes[int(values.argmax())]
        assert [np.float32(properties["measurements"][name]) for name in heat.classes] == values.tolist()
    assert seen.max() == 1
    assert not seen[650:].any()  # beyond the region


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_not_ours_is_not_replaced(heat: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"map{suffix}"
    if suffix == ".zarr":
        path.mkdir()
        (path / "notes.txt").write_text("mine")
    else:
        path.write_text("mine")
    with pytest.raises(OptionError, match="is not replaced"):
        heat.save(path)
    heat.save(path, overwrite=True)
    heat.save(path)  # now it is ours
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


@pytest.mark.parametrize("name", ["map.png", "map", "nowhere/map.zarr"])
def test_a_name_that_cannot_be_written_is_refused(heat: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match="cannot be written"):
        heat.save(tmp_path / name)


def test_names_of_classes_run_no_formula_in_a_spreadsheet(heat: Any, tmp_path: Path) -> None:
    model = wp.open_model("demo", classes=["=1+1", "b", "c", "d", "e"])
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    wp.heatmap(image, model, tile=100, stride=100).save(tmp_path / "map.csv")
    assert (tmp_path / "map.csv").read_text().splitlines()[0].split(",")[4] == "prob_=1+1"


def test_a_model_on_a_picture_without_a_size_is_placed_in_pixels(tmp_path: Path) -> None:
    import zarr

    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    found = wp.heatmap(image, "demo", tile=50, stride=50)
    assert found.world_scale is None
    found.save(tmp_path / "map.zarr")
    (multiscale,) = zarr.open_group(tmp_path / "map.zarr", mode="r").attrs["ome"]["multiscales"]
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [1, 50, 50]
    assert all("unit" not in axis for axis in multiscale["axes"])
