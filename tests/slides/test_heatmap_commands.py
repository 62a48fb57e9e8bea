"""The command and the Python function: the same map, and what is said beside it."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred.cli import main
from pictures import levels_of, spotted, write_ome_zarr, write_tiff


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slide")
    return write_ome_zarr(folder / "slide.zarr", levels_of(spotted((700, 900), at=(300, 400)), 2))


def test_the_command_writes_what_the_function_returns(
    slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = [tmp_path / "map.zarr", tmp_path / "map.csv"]
    given = ["heatmap", str(slide), "--model", "demo", "--tile", "200", "--stride", "100", "--level", "0"]
    assert main([*given, "-o", str(outputs[0]), "-o", str(outputs[1]), "--region", "100,100,650,900"]) == 0
    said = capsys.readouterr().err
    assert "Off-label" in said
    assert "level 0 of 0 to 1" in said
    assert "skipped, which show nothing" in said
    import zarr

    found = wp.heatmap(slide, "demo", tile=200, stride=100, level=0, region=[(100, 100, 650, 900)])
    np.testing.assert_array_equal(zarr.open_group(outputs[0], mode="r")["0"][...], found.values)
    record = json.loads(Path(f"{outputs[1]}.json").read_text())
    assert record["heat_map"] == found.facts["heat_map"]
    assert record["complete"]


def test_tiles_that_cannot_be_read_end_in_status_1_and_the_others_are_written(
    slide: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_ome_zarr(tmp_path / "cut.zarr", [spotted((512, 512), at=(256, 256), radius=300)])
    (path / "0/c/0/0/0").write_bytes(b"cut")
    output = tmp_path / "map.csv"
    assert main(["heatmap", str(path), "--model", "demo", "--tile", "256", "--stride", "256", "-o", str(output)]) == 1
    assert "1 of the tiles: cut.zarr is damaged" in capsys.readouterr().err
    with output.open(newline="") as file:
        states = [row["state"] for row in csv.DictReader(file)]
    assert states == ["failed", "classified", "classified", "classified"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["-o", "map.png"], "map.png cannot be written"),
        (["-o", "map.csv", "--region", "1,2,3"], "is no region"),
        (["-o", "map.csv", "--region", "x"], "is no region"),
        (["-o", "map.csv", "--plane", "z"], "--plane z cannot be understood"),
        (["-o", "map.csv", "--plane", "z=a"], "is no place"),
        (["-o", "map.csv", "--plane", "z=1", "--plane", "z=0"], "--plane names the axis z twice."),
        (["-o", "map.csv", "--plane", "z=1,z=0"], "--plane names the axis z twice."),
        (["-o", "map.csv", "--level", "7"], "no level 7"),
        (["-o", "map.csv", "--tile", "0"], "at least 1"),
        ([], "output"),
    ],
)
def test_wrong_use_ends_in_status_2(
    slide: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    try:
        status = main(["heatmap", str(slide), "--model", "demo", *more])
    except SystemExit as ended:
        status = ended.code  # type: ignore[assignment]
    assert status == 2
    assert words in capsys.readouterr().err
    assert not list(tmp_path.glob("map*"))


def test_a_polygon_and_boxes_can_be_written_in_a_shell(slide: Path, tmp_path: Path) -> None:
    regions = ["--region", "0,0,100,100", "--region", "600,0 600,900 690,0"]
    given = ["heatmap", str(slide), "--model", "demo", "--tile", "50", "--stride", "50", "--background", "keep"]
    assert main([*given, "--level", "0", "-o", str(tmp_path / "map.csv"), *regions]) == 0
    found = wp.heatmap(
        slide,
        "demo",
        tile=50,
        stride=50,
        level=0,
        background="keep",
        region=[(0, 0, 100, 100), [(600, 0), (600, 900), (690, 0)]],
    )
    with (tmp_path / "map.csv").open() as file:
        assert len(list(csv.DictReader(file))) == found.started.total == np.count_nonzero(found.states)


def test_classify_takes_slides_and_says_which_level_it_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels = levels_of(spotted((600, 600), at=(300, 300), radius=280), 3)
    zarr, tiff = write_ome_zarr(tmp_path / "x.zarr", levels), write_tiff(tmp_path / "x.tif", levels)
    monkeypatch.setattr("napari_webipred.limits.LEVEL_PIXELS", 300 * 300)
    table = wp.classify([zarr, tiff, levels[1]], "demo")
    classes = wp.open_model("demo").classes
    assert table["error"].tolist() == ["", "", ""]
    np.testing.assert_array_equal(table[classes].to_numpy()[0], table[classes].to_numpy()[2])
    np.testing.assert_array_equal(table[classes].to_numpy()[1], table[classes].to_numpy()[2])
    assert main(["classify", str(zarr), "--model", "demo", "-o", str(tmp_path / "out.csv")]) == 0
    record = json.loads((tmp_path / "out.csv.json").read_text())
    assert record["inputs"][0]["reading"] == "level 1 of 0 to 2, 2 times smaller than the full size"


def test_the_place_of_a_plane_can_be_given_axis_by_axis(tmp_path: Path) -> None:
    import tifffile

    stack = np.random.default_rng(0).integers(0, 256, (2, 3, 60, 70), np.uint8)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack", metadata={"axes": "TZYX"})
    given = ["heatmap", str(tmp_path / "stack.tif"), "--model", "demo", "--tile", "30"]
    assert main([*given, "-o", str(tmp_path / "one.csv"), "--plane", "t=1", "--plane", "z=2"]) == 0
    assert main([*given, "-o", str(tmp_path / "both.csv"), "--plane", "t=1, z = 2"]) == 0
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "both.csv").read_bytes()


def test_a_folder_of_images_is_no_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.png").touch()
    assert main(["heatmap", str(tmp_path / "scans"), "--model", "demo", "-o", str(tmp_path / "map.csv")]) == 2
    assert "scans is a folder, not an image. Give an image in it." in capsys.readouterr().err


def test_a_zarr_in_a_folder_is_one_image(slide: Path) -> None:
    table = wp.classify(slide.parent, "demo")
    assert table["image"].tolist() == [str(slide)]


def test_other_images_and_arrays_have_maps_as_well(tmp_path: Path) -> None:
    import dask.array as da
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    given = [pixels, str(tmp_path / "x.png"), Image.fromarray(pixels), da.from_array(pixels, chunks=(70, 130, 3))]
    maps = [wp.heatmap(each, "demo", tile=100, stride=80).values for each in given]
    for each in maps[1:]:
        np.testing.assert_array_equal(each, maps[0])


def test_a_file_that_is_read_as_a_whole_has_the_range_that_was_asked_for(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.random.default_rng(0).integers(100, 3000, (200, 300)).astype(np.uint16)
    Image.fromarray(pixels).save(tmp_path / "x.png")
    low, high = (float(each) for each in np.percentile(pixels, (1, 99)))
    for asked, expected in (("percentiles", (low, high)), ((5, 900), (5, 900)), ("plane", (100, 2999))):
        found = wp.heatmap(tmp_path / "x.png", "demo", tile=100, stride=100, intensity=asked)  # type: ignore[arg-type]
        assert found.started.intensity_range == pytest.approx(expected)


WITHOUT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"zarr", "imagecodecs", "numcodecs"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Blocked())
import napari_webipred as wp
for path in sys.argv[1:]:
    try:
        print(wp.heatmap(path, "demo").values.shape)
    except wp.WebIPredError as error:
        print(error)
"""


def test_without_the_extra_it_is_said_what_to_install(slide: Path, tmp_path: Path) -> None:
    levels = levels_of(spotted((600, 600), at=(300, 300)), 2)
    webp = write_tiff(tmp_path / "x.tif", levels, compression="webp")
    plain = write_tiff(tmp_path / "y.tif", levels, compression="zlib")
    given = [sys.executable, "-c", WITHOUT, *map(str, (slide, webp, plain))]
    done = subprocess.run(given, capture_output=True, text=True, timeout=120, check=True)
    of_zarr, of_webp, of_plain = done.stdout.splitlines()
    assert "OME-Zarr is not installed" in of_zarr
    assert "WEBP is not installed" in of_webp
    assert 'pip install "napari-webipred[slides]"' in of_zarr
    assert 'pip install "napari-webipred[slides]"' in of_webp
    assert of_plain == "(5, 3, 3)"


def test_what_is_done_is_written_when_the_run_is_interrupted(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_webipred.cli.interruption import Interrupted
    from napari_webipred.slides.tile_map import TileMap

    add, tiles = TileMap.add, iter(range(5))

    def interrupted(self: TileMap, tile: object) -> object:
        if next(tiles, None) is None:
            raise Interrupted(signal.SIGINT)
        return add(self, tile)  # type: ignore[arg-type]

    monkeypatch.setattr(TileMap, "add", interrupted)
    given = ["heatmap", str(slide), "--model", "demo", "--tile", "100", "--stride", "100", "--level", "0"]
    assert main([*given, "--background", "keep", "-o", str(tmp_path / "map.csv")]) == 130
    record = json.loads((tmp_path / "map.csv.json").read_text())
    assert not record["complete"]
    assert record["tiles"]["classified"] == 5
    assert len((tmp_path / "map.csv").read_text().splitlines()) == 6


@pytest.mark.parametrize("suffix", [".zarr", ".csv"])
def test_a_run_that_ends_before_its_first_tile_leaves_the_map_of_another_one(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    from napari_webipred.cli.interruption import Interrupted
    from napari_webipred.slides.tile_map import TileMap

    def interrupted(self: TileMap, tile: object) -> object:
        raise Interrupted(signal.SIGINT)

    def there() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "cache" not in path.parts}

    given = ["heatmap", str(slide), "--model", "demo", "--tile", "300", "--stride", "300", "--level", "0"]
    assert main([*given, "-o", str(tmp_path / f"map{suffix}")]) == 0
    before = there()
    monkeypatch.setattr(TileMap, "add", interrupted)
    assert main([*given, "-o", str(tmp_path / f"map{suffix}")]) == 130
    assert there() == before


def test_an_output_that_cannot_be_written_costs_no_other(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_webipred.slides import saving

    def refused(*_: object) -> None:
        raise PermissionError(13, "open in another program")

    monkeypatch.setattr(saving, "_write_tiff", refused)
    given = ["heatmap", str(slide), "--model", "demo", "--tile", "300", "--stride", "300", "--level", "0"]
    assert main([*given, "-o", str(tmp_path / "map.tif"), "-o", str(tmp_path / "map.csv")]) == 2
    assert sorted(path.name for path in tmp_path.glob("map*")) == ["map.csv", "map.csv.json"]


def test_a_card_says_whether_a_model_may_be_used_on_tiles(tmp_path: Path) -> None:
    from test_card_fields import write

    for said, remarked in ((None, True), (False, True), (True, False)):
        model = wp.open_model(write(tmp_path / str(said), **({} if said is None else {"tile_ok": said})))
        found = wp.heatmap(np.zeros((20, 20, 3), np.uint8), model, tile=10, stride=10, background="keep")
        assert bool(found.remark) is remarked
