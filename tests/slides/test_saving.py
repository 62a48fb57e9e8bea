"""A heat map as a file: what other programs read of it, and that nothing is lost."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred.class_colours import rgb
from napari_webipred.errors import OptionError
from napari_webipred.slides.saving import SUFFIXES, claimed_output
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
        best = int(values.argmax())
        assert properties["classification"] == {"name": heat.classes[best], "color": [*rgb(best)]}
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


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def annotate(folder: Path) -> None:
    (folder / "labels").mkdir()
    (folder / "labels" / "zarr.json").write_text("{}")


def test_what_the_user_has_put_into_the_folder_of_a_map_stays(heat: Any, tmp_path: Path) -> None:
    path = tmp_path / "map.zarr"
    heat.save(path)
    annotate(path)
    before = content_of(path)
    with pytest.raises(OptionError, match="is not replaced"):
        heat.save(path)
    assert content_of(path) == before
    heat.save(path, overwrite=True)
    assert not (path / "labels").exists()


@pytest.mark.parametrize("there", [False, True])
def test_what_the_user_puts_there_during_a_run_stays_and_the_map_lies_beside_it(
    heat: Any, tmp_path: Path, there: bool
) -> None:
    path = tmp_path / "map.zarr"
    if there:
        heat.save(path)
    with claimed_output(path, lambda _: False) as write:
        path.mkdir(exist_ok=True)
        annotate(path)
        before = content_of(path)
        for name in ("map (2).zarr", "map (3).zarr"):
            with pytest.raises(OptionError, match=re.escape(name)):
                write(heat, heat.facts)
    assert content_of(path) == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["map (2).zarr", "map (3).zarr", "map.zarr"]
    assert (tmp_path / "map (3).zarr" / "tiles").is_dir()


def test_two_runs_never_write_the_same_folder(heat: Any, tmp_path: Path) -> None:
    with claimed_output(tmp_path / "map.zarr", lambda _: True) as write:
        with pytest.raises(OptionError, match="written by another run"):
            heat.save(tmp_path / "map.zarr", overwrite=True)
        write(heat, heat.facts)
    heat.save(tmp_path / "map.zarr")
    assert [each.name for each in tmp_path.iterdir()] == ["map.zarr"]


@pytest.mark.parametrize("fails", ["to move the old one away", "to move the new one there"])
def test_a_map_that_cannot_be_replaced_stays(
    heat: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path, rename = tmp_path / "map.zarr", Path.rename
    heat.save(path)
    before = content_of(path)

    def refused(self: Path, target: Path) -> Path:
        if self == path if fails == "to move the old one away" else (target == path and self.suffix == ".tmp"):
            raise PermissionError(13, "open in another program")
        return rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", refused)
        with pytest.raises(OptionError, match="cannot be written"):
            heat.save(path)
    assert content_of(path) == before
    assert [each.name for each in tmp_path.iterdir()] == ["map.zarr"]


def test_a_map_that_a_killed_run_had_moved_away_comes_back(heat: Any, tmp_path: Path) -> None:
    path = tmp_path / "map.zarr"
    heat.save(path)
    annotate(path)
    before = content_of(path)
    path.rename(tmp_path / ".map.zarr.napari-webipred.old")
    with pytest.raises(OptionError, match="is not replaced"):
        heat.save(path)
    assert content_of(path) == before


def test_a_link_to_a_folder_stays_a_link(heat: Any, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link = tmp_path / "map.zarr"
    try:
        link.symlink_to(tmp_path / "disk" / "map.zarr", target_is_directory=True)
    except OSError:
        pytest.skip("links need a permission here")
    for _ in range(2):
        heat.save(link)
        assert link.is_symlink()
        assert [each.name for each in (tmp_path / "disk").iterdir()] == ["map.zarr"]


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
