"""The numbers of a heat map are those of `classify` on the cut tiles, at every level and wherever they are computed."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import napari_webipred as wp
from elsewhere import in_another_process
from napari_webipred.engine import Options
from napari_webipred.errors import ImageError, OptionError
from napari_webipred.slides.mapping import GAPS, OFF_LABEL, Finished, Started, TileDone, mapping
from napari_webipred.slides.picture import picture_of
from napari_webipred.slides.request import Request
from napari_webipred.slides.tile_map import DONE, FAILED, SKIPPED, TileMap
from pictures import BACKGROUND, levels_of, spotted, stored, write_ome_zarr


@pytest.fixture(scope="module")
def model() -> wp.Model:
    return wp.open_model("demo")


def mapped(model: wp.Model, image: Any, *, options: Options | None = None, **request: Any) -> TileMap:
    picture, plane = picture_of(image)
    events = mapping(model, picture, Request(**request), options or Options(), plane=plane)
    started = next(events)
    assert isinstance(started, Started)
    found = TileMap(started)
    for event in events:
        if isinstance(event, TileDone):
            found.add(event)
    assert found.is_finished
    return found


def numbers(model: wp.Model, image: np.ndarray, **options: Any) -> np.ndarray:
    return wp.classify(image, model, **options)[model.classes].to_numpy(np.float32)[0]


def spotted_levels() -> list[np.ndarray]:
    return levels_of(spotted((700, 900), at=(300, 400)), 3)


@pytest.fixture(scope="module")
def of_cut_tile(model: wp.Model) -> Callable[..., np.ndarray]:
    """The numbers of `classify` on a cut tile, once for all ways to store the levels."""
    levels = spotted_levels()

    @cache
    def classified(level: int, top: int, left: int, bottom: int, right: int) -> np.ndarray:
        return numbers(model, levels[level][top:bottom, left:right])

    return classified


@pytest.mark.parametrize("level", [0, 1, 2])
@pytest.mark.parametrize("kind", ["arrays", "zarr", "tiff"])
def test_each_tile_has_the_numbers_of_classify_on_the_cut_tile(
    model: wp.Model, of_cut_tile: Callable[..., np.ndarray], tmp_path: Path, kind: str, level: int
) -> None:
    image = stored(kind, tmp_path, spotted_levels())
    found = mapped(model, image, tile=160, stride=100, level=level, background="keep")
    assert found.level == level
    assert (found.states == DONE).all()
    for index, probabilities in found.classified():
        np.testing.assert_array_equal(probabilities, of_cut_tile(level, *found.started.tiling.box(index)))


def test_cells_are_means_of_the_tiles_that_cover_them(model: wp.Model) -> None:
    image = np.random.default_rng(0).integers(0, 256, (330, 410, 3), dtype=np.uint8)
    found = mapped(model, image, tile=100, stride=60, level=0)
    sums, counts = np.zeros((len(model.classes), 330, 410)), np.zeros((330, 410))
    for index, probabilities in found.classified():
        top, left, bottom, right = found.started.tiling.box(index)
        sums[:, top:bottom, left:right] += probabilities[:, None, None]
        counts[top:bottom, left:right] += 1
    assert counts.min() == 1  # tiles reach every pixel
    for row in range(found.values.shape[1]):
        for column in range(found.values.shape[2]):
            cell = np.s_[row * 60 : row * 60 + 60, column * 60 : column * 60 + 60]
            expected = sums[:, cell[0], cell[1]].sum(axis=(1, 2)) / counts[cell].sum()
            np.testing.assert_allclose(found.values[:, row, column], expected, rtol=1e-6)


def test_cells_of_tiles_that_do_not_overlap_are_their_very_numbers(model: wp.Model) -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    found = mapped(model, image, tile=100, stride=100, level=0)
    np.testing.assert_array_equal(found.values, np.moveaxis(found.tiles, -1, 0))


def test_blank_tiles_are_skipped_by_a_look_at_a_coarse_level(model: wp.Model) -> None:
    levels = levels_of(spotted((1024, 1024), at=(100, 900)), 4)
    found = mapped(model, levels, tile=128, stride=128, level=0)
    assert (found.states == SKIPPED).sum() > 50
    assert found.states[0, 7] == DONE
    assert np.isnan(found.values[:, 7, 0]).all()
    blank = np.full((1024, 1024, 3), BACKGROUND, np.uint8)
    assert (mapped(model, blank, tile=256, stride=256).states == SKIPPED).all()
    assert (mapped(model, blank, tile=256, stride=256, background="keep").states == DONE).all()


def test_black_and_white_are_those_of_the_whole_picture(model: wp.Model) -> None:
    """A dark corner of a 12-bit picture stays dark, and a mean over it is not stretched."""
    image = np.random.default_rng(0).integers(0, 400, (512, 512), dtype=np.uint16)
    image[256:, 256:] *= 10
    found = mapped(model, image, tile=256, stride=256, background="keep")
    low, high = found.started.intensity_range
    assert (low, high) == (0, image.max())
    for index, probabilities in found.classified():
        top, left, bottom, right = found.started.tiling.box(index)
        cut = image[top:bottom, left:right]
        np.testing.assert_array_equal(probabilities, numbers(model, cut, intensity=(low, high)))
    assert not np.array_equal(found.tiles[0, 0], numbers(model, image[:256, :256]))


def test_the_range_of_a_picture_without_small_levels_is_taken_all_over_it(model: wp.Model) -> None:
    import dask.array as da

    image = da.zeros((4096, 4096), dtype=np.uint16, chunks=512)
    image = da.concatenate([image, da.full((4096, 512), 1000, dtype=np.uint16, chunks=512)], axis=1)
    events = mapping(model, picture_of(image)[0], Request(tile=512, stride=512))
    started = next(events)
    events.close()
    assert isinstance(started, Started)
    assert started.intensity_range == (0, 1000)


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize(("narrow", "bright"), [(257, 256), (500, 499), (700, 350)])
def test_the_range_of_a_narrow_picture_is_that_of_its_whole_width(
    model: wp.Model, narrow: int, bright: int, upright: bool
) -> None:
    image = np.zeros((narrow, 2**23 // narrow), np.uint16)
    image[bright] = 1000
    events = mapping(model, picture_of(image.T if upright else image)[0], Request(tile=256, stride=256))
    started = next(events)
    events.close()
    assert isinstance(started, Started)
    assert started.intensity_range == (0, 1000)


def test_a_run_that_is_cancelled_goes_on_where_it_was(model: wp.Model) -> None:
    levels = levels_of(spotted((900, 900), at=(450, 450)), 2)
    picture, _ = picture_of(levels)
    request = Request(tile=128, stride=64)
    whole = mapped(model, levels, tile=128, stride=64)
    first = mapping(model, picture, request)
    started = next(first)
    assert isinstance(started, Started)
    found = TileMap(started)
    for event in islice(first, 40):
        assert isinstance(event, TileDone)
        found.add(event)
    first.close()
    assert len(found.done) == 40
    assert not found.is_finished
    again = list(mapping(model, picture, request, done=found.done))
    rest = [event for event in again if isinstance(event, TileDone)]
    assert not {event.index for event in rest} & found.done
    assert rest[0].done == 41
    for event in rest:
        found.add(event)
    assert isinstance(again[-1], Finished)
    assert again[-1].done == len(rest)
    np.testing.assert_array_equal(found.values, whole.values)


def test_tiles_of_a_file_are_classified_in_another_process(model: wp.Model, tmp_path: Path) -> None:
    levels = levels_of(spotted((400, 600), at=(200, 300)), 2)
    path = write_ome_zarr(tmp_path / "x.zarr", levels)
    picture, plane = picture_of(path)
    sizes = []

    def executor(model: wp.Model, planes: Iterator[Any], count: int, options: Options) -> Iterator[Any]:
        given = list(planes)
        sizes.extend(len(pickle.dumps(each)) for each in given)
        yield from in_another_process(model, given, len(given), options)

    events = [*mapping(model, picture, Request(tile=200, stride=200), plane=plane, executor=executor)]  # type: ignore[arg-type]
    here = [*mapping(model, picture, Request(tile=200, stride=200), plane=plane)]
    assert max(sizes) < 2000
    assert len(events) == len(here)
    for there, mine in zip(events, here, strict=True):
        if isinstance(there, TileDone):
            assert isinstance(mine, TileDone)
            assert there.index == mine.index
            np.testing.assert_array_equal(there.probabilities, mine.probabilities)


def test_a_tile_that_cannot_be_read_has_an_error_and_the_others_go_on(model: wp.Model, tmp_path: Path) -> None:
    path = write_ome_zarr(tmp_path / "x.zarr", [spotted((512, 512), at=(256, 256), radius=500)])
    (chunk,) = (path / "0" / "c").glob("0/0/1")
    chunk.write_bytes(b"no chunk")
    found = mapped(model, path, tile=256, stride=256, background="keep")
    assert found.states.tolist() == [[DONE, FAILED], [DONE, DONE]]
    assert "x.zarr" in found.errors[0, 1]
    assert (0, 1) not in found.done


def test_a_whole_image_classifier_on_tiles_is_off_label_unless_its_card_says_so(model: wp.Model) -> None:
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    assert mapped(model, image, tile=256, stride=256).remark == OFF_LABEL
    other = wp.open_model("demo")
    other.card = model.card.model_copy(update={"tile_ok": True})
    assert mapped(other, image, tile=256, stride=256).remark == ""


def test_a_map_with_gaps_between_its_tiles_says_so(model: wp.Model) -> None:
    image = spotted((300, 60), at=(30, 30))
    assert mapped(model, image, tile=100, stride=120).remark == f"{OFF_LABEL} {GAPS}"
    assert mapped(model, image, tile=100, stride=100).remark == OFF_LABEL  # though tiles are 60 pixels wide
    assert mapped(model, image[:80], tile=100, stride=120).remark == OFF_LABEL  # of one tile


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"tile": 0}, "at least 1"),
        ({"stride": 0.5}, "at least 1"),
        ({"background": "blur"}, "skip or keep"),
        ({"level": 3}, "no level 3"),
        ({"microns_per_pixel": 0.5}, "how large its pixels are"),
        ({"microns_per_pixel": 0.5, "level": 0}, "Give one of them"),
        ({"tile": 1, "stride": 1, "level": 0}, "larger stride"),
        ({"region": (900, 900, 950, 950)}, "no pixel of the picture"),
        ({"region": np.ones((4, 4), int)}, "label image"),
    ],
)
def test_what_cannot_be_is_refused(model: wp.Model, request_: dict[str, Any], words: str) -> None:
    picture, plane = picture_of(
        [np.zeros((n, n), np.uint8) for n in (20_000, 100)][:1]
        if "tile" in request_
        else np.zeros((800, 800), np.uint8)
    )
    with pytest.raises((OptionError, ImageError), match=words):
        next(mapping(model, picture, Request(**request_), plane=plane))


def test_tiles_of_files_travel_as_places_and_those_of_arrays_with_their_pixels(
    model: wp.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the workers of a cluster get them, which may work in another folder."""
    from napari_webipred.imaging.readers import read
    from napari_webipred.imaging.transport import portable

    monkeypatch.chdir(tmp_path)
    level = spotted((400, 600), at=(200, 300), radius=200)
    write_ome_zarr(tmp_path / "x.zarr", [level])
    for image, travels in (("x.zarr", False), ([level], True)):
        planes: list[Any] = []

        def taken(model: wp.Model, given: Iterator[Any], count: int, options: Options, to: Any = planes) -> Any:
            to.extend(given)
            yield from ()

        picture, plane = picture_of(image)
        list(mapping(model, picture, Request(200, 200), plane=plane, executor=taken))
        sources = portable((each.source, each.index) for each in planes)
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "elsewhere")
        for each, source in zip(planes, sources, strict=True):
            sent = pickle.dumps(source)
            assert (len(sent) > 100_000) is travels
            top, left, bottom, right = each.source.details.tiling.box(each.index)
            np.testing.assert_array_equal(read(pickle.loads(sent), each.index), level[top:bottom, left:right])
        monkeypatch.chdir(tmp_path)


def test_each_stored_block_of_a_strip_is_decoded_once(model: wp.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where tiles overlap and do not lie on the blocks."""
    counts: dict[Any, int] = {}

    class Lazy:
        shape, dtype, chunks = (1000, 1000), np.dtype(np.uint8), (128, 128)

        def __getitem__(self, index: Any) -> np.ndarray:
            counts[str(index)] = counts.get(str(index), 0) + 1
            rows, columns = (range(1000)[each] for each in index)
            return (np.add.outer(np.array(rows), np.array(columns)) % 251).astype(np.uint8)

    found = mapped(model, Lazy(), tile=150, stride=70, level=0)
    assert (found.states == DONE).all()
    assert set(counts.values()) == {1}
    assert len(counts) == 64


def test_strips_are_narrow_where_blocks_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from napari_webipred.slides import plan

    monkeypatch.setattr(plan, "KEPT_BLOCKS", 2**20)
    for width, strip in ((1000, 9), (100_000, 16)):
        lazy = SimpleNamespace(shape=(100_000, width), dtype=np.dtype(np.uint8), chunks=(256, 256))
        made = plan.plan_of(picture_of(lazy)[0], Request(200, 100, level=0), (224, 224))
        assert made.strip == strip  # 512 rows of blocks, 2048 columns
        assert made.budget <= 2**20
