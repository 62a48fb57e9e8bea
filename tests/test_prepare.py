"""What a model sees, and which part of a stack it sees, from Python."""

from __future__ import annotations

import numpy as np
import pytest

import napari_webipred as wp
from napari_webipred import engine
from napari_webipred.errors import ImageError, OptionError
from napari_webipred.imaging.planes import array_source
from napari_webipred.imaging.region import Region, polygon
from napari_webipred.imaging.source import Source

STACK = np.random.default_rng(1).integers(100, 4000, (3, 2, 5, 90, 70), dtype=np.uint16)


class Watched:
    """The demo model, and all that it was asked to predict."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.model = wp.open_model("demo")
        self.seen: list[np.ndarray] = []
        session = self.model.session(1)
        predict = session.predict

        def watched(batch, *more, **named):
            self.seen.append(np.array(batch[0]))
            return predict(batch, *more, **named)

        monkeypatch.setattr(type(self.model), "session", lambda model, threads: session)
        monkeypatch.setattr(session, "predict", watched, raising=False)


@pytest.fixture
def watched(monkeypatch) -> Watched:
    return Watched(monkeypatch)


@pytest.mark.parametrize("intensity", ["auto", "dtype", "plane", "stack", "percentiles", (200.0, 3000.0)])
@pytest.mark.parametrize("profile", [None, "aucmedi"])
def test_what_is_prepared_is_what_is_predicted(watched, intensity, profile):
    image = wp.select(STACK, axes="tcz", planes={"t": 1, "c": 1, "z": 4})
    wp.classify(image, watched.model, intensity=intensity, profile=profile)
    tensor = wp.prepare(STACK, watched.model, (1, 1, 4), intensity, profile=profile)
    assert tensor.dtype == np.float32
    assert tensor.shape == (224, 224, 3)
    np.testing.assert_array_equal(tensor, watched.seen[0])


def test_a_plane_can_be_named_by_its_axes():
    stack = wp.select(STACK, axes="tcz")
    expected = wp.prepare(STACK[2, 0, 3], "demo")
    for plane in ({"t": 2, "c": 0, "z": 3}, (2, 0, 3), {"t": -1, "c": 0, "z": 3}):
        np.testing.assert_array_equal(wp.prepare(stack, "demo", plane), expected)
    np.testing.assert_array_equal(wp.prepare(STACK[2, 0], "demo", np.int64(3)), expected)


@pytest.mark.parametrize(
    ("plane", "message"),
    [(None, "30 planes"), (3, "3 leading axes"), ({"y": 1}, "no axis y"), ((0, 0, 9), "has no axis_2 9")],
)
def test_a_plane_that_is_none_is_refused(plane, message):
    with pytest.raises(OptionError, match=message):
        wp.prepare(STACK, "demo", plane)


def test_several_images_are_not_one():
    with pytest.raises(OptionError, match="0 images"):
        wp.prepare("/usr/include", "demo")


def test_the_range_of_the_whole_stack_is_the_same_for_all_its_planes():
    table = wp.classify(STACK[0, 0], "demo", intensity="stack")
    by_hand = wp.classify(STACK[0, 0], "demo", intensity=(float(STACK[0, 0].min()), float(STACK[0, 0].max())))
    np.testing.assert_array_equal(table[table.columns[2:7]].to_numpy(), by_hand[by_hand.columns[2:7]].to_numpy())


def test_planes_that_are_left_out_count_for_the_range_of_the_stack():
    one = wp.classify(wp.select(STACK[0, 0], axes="z", planes={"z": 2}), "demo", intensity="stack")
    every = wp.classify(STACK[0, 0], "demo", intensity="stack")
    assert one["sharp"].item() == every["sharp"][2]


def test_a_plane_that_cannot_be_read_costs_the_others_neither_range_nor_result():
    stack = STACK[0, 0].astype(np.float32)
    stack[1, 5, 5] = np.nan
    table = wp.classify(stack, "demo", intensity="stack")
    assert [bool(error) for error in table["error"]] == [False, True, False, False, False]
    kept = stack[[0, 2, 3, 4]]
    by_hand = wp.classify(kept, "demo", intensity=(float(kept.min()), float(kept.max())))
    np.testing.assert_array_equal(table["sharp"].dropna(), by_hand["sharp"])


def test_contrast_limits_are_asked_of_the_image():
    table = wp.classify(STACK[0, 0, 0], "demo", intensity="limits")
    assert "no contrast limits" in table["error"].item()
    source = Source(
        "x", "array", STACK[0, 0, 0], intensity_range=(0.0, 5000.0), details=array_source(STACK[0, 0, 0], "x").details
    )
    by_hand = wp.classify(STACK[0, 0, 0], "demo", intensity=(0.0, 5000.0))
    assert wp.classify(source, "demo", intensity="limits")["sharp"].item() == by_hand["sharp"].item()


def test_selected_channels_are_merged_and_planes_projected():
    part = wp.select(STACK, axes="tcz", channels=[0, 1], colours=["red", "#00FF00"], projection={"z": "max"})
    assert (part.axes, len(part)) == (("t",), 3)
    planes = STACK[1].max(axis=1).astype(np.float64)
    low, high = planes.min(axis=(1, 2)), planes.max(axis=(1, 2))
    scaled = ((planes - low[:, None, None]) / (high - low)[:, None, None]).astype(np.float32)
    image = np.stack([scaled[0], scaled[1], np.zeros_like(scaled[0])], axis=-1)
    np.testing.assert_allclose(wp.prepare(part, "demo", 1), wp.prepare(image, "demo"), atol=1e-4)


def test_a_choice_of_intensities_does_not_touch_merged_channels():
    part = wp.select(STACK, axes="tcz", channels=[0, 1], planes={"t": 0, "z": 0})
    expected = wp.prepare(part, "demo")
    for intensity in ("dtype", "stack", (500.0, 900.0)):
        np.testing.assert_array_equal(wp.prepare(part, "demo", intensity=intensity), expected)


def test_images_are_merged():
    parts = [STACK[0, number, 0] for number in range(2)]
    ranges = [(0.0, 4095.0), (100.0, 2000.0)]
    merged = wp.merge_channels(parts, ["green", "magenta"], ranges=ranges, name="both")
    table = wp.classify(merged, "demo")
    assert table["image"].item() == "both"
    assert not table["error"].item()


@pytest.mark.parametrize(
    "wrong",
    [
        {"channels": 2},
        {"channels": [0, 5]},
        {"colours": ["red"]},
        {"channels": [0], "colours": ["red", "blue"]},
        {"channels": [0, 1], "colours": ["red", "purpleish"]},
        {"channels": [0, 1], "colours": [(0, 0, 2), "red"]},
        {"projection": {"y": "max"}},
        {"projection": {"z": "min"}},
        {"axes": "tz"},
        {"axes": "ttz"},
    ],
)
def test_a_selection_that_is_not_there_is_refused(wrong):
    with pytest.raises(OptionError):
        wp.select(STACK, **{"axes": "tcz", **wrong})


def test_three_channels_can_be_chosen_from_although_they_would_be_rgb():
    stack = STACK[:, 0, :, :, :]  # (3, 5, height, width)
    source = wp.select(stack, axes="cz", channels=1)
    assert (source.axes, len(source)) == (("z",), 5)


class TestRegions:
    image = STACK[0, 0, 0]

    def rows(self, source, **options):
        model = wp.open_model("demo")
        found = engine.classify(model, [source], engine.Options(**options))
        return [event.row for event in found if isinstance(event, engine.RowDone)]

    def source(self, *regions, data=None):
        data = self.image if data is None else data
        whole = array_source(data, "x")
        return Source("x", "array", data, whole.axes, whole.shape, regions=regions, details=whole.details)

    def test_python_takes_boxes_polygons_and_label_images(self):
        boxes = wp.classify(self.image, "demo", regions=[(0, 0, 40, 40), (40, 10, 90, 70)])
        assert boxes.columns[:2].tolist() == ["image", "region"]
        assert boxes["region"].tolist() == ["1", "2"]
        named = wp.classify(self.image, "demo", regions={"left": [(0, 0), (0, 40), (40, 40), (40, 0)]})
        assert named["region"].tolist() == ["left"]
        assert named["sharp"][0] == boxes["sharp"][0]
        labels = np.zeros(self.image.shape, np.uint8)
        labels[:40, :40] = 7
        for outside in ("keep", "blank"):
            found = wp.classify(self.image, "demo", regions=labels, outside=outside)
            assert found["region"].tolist() == ["7"]
            assert found["sharp"][0] == boxes["sharp"][0]

    def test_labels_that_do_not_fit_an_image_cost_the_others_nothing(self):
        labels = np.ones((2, 90, 70), np.uint8)
        table = wp.classify([self.image, STACK[0, :, 0]], "demo", regions=labels)
        assert [bool(error) for error in table["error"]] == [True, False, False]

    def test_regions_that_are_none_are_refused_in_words(self):
        table = wp.classify(self.image, "demo", regions=[(5, 5, 2, 9)])
        assert "ends before it begins" in table["error"].item()

    def test_each_region_has_a_row_of_its_own(self):
        rows = self.rows(
            self.source(Region("1", (0, 0, 40, 40)), Region("2", (40, 10, 90, 70))), intensity=(0.0, 4095.0)
        )
        assert [row.region for row in rows] == ["1", "2"]
        alone = wp.classify(self.image[40:90, 10:70], "demo", intensity=(0.0, 4095.0))
        np.testing.assert_array_equal(rows[1].probabilities, alone.iloc[0, 1:6].to_numpy(np.float32))

    def test_black_and_white_are_those_of_the_whole_plane(self):
        (row,) = self.rows(self.source(Region("1", (0, 0, 40, 40))))
        assert row.intensity_range == (self.image.min(), self.image.max())

    def test_pixels_outside_an_outline_are_black(self):
        outline = polygon("1", [(0, 0), (0, 40), (40, 0)], blank=True)
        (row,) = self.rows(self.source(outline), intensity=(0.0, 4095.0))
        blank = self.image[:40, :40].copy()
        blank[np.add.outer(np.arange(40), np.arange(40)) >= 40] = 0
        alone = wp.classify(blank, "demo", intensity=(0.0, 4095.0))
        np.testing.assert_array_equal(row.probabilities, alone.iloc[0, 1:6].to_numpy(np.float32))

    def test_a_region_may_lie_in_one_plane_or_in_all(self):
        everywhere, there = Region("all", (0, 0, 40, 40)), Region("one", (0, 0, 50, 50), index=(3,))
        source = self.source(everywhere, there, data=STACK[0, 0])
        rows = self.rows(source)
        assert len(source) == len(rows) == 6
        assert [(row.region, row.position["axis_0"]) for row in rows if row.position["axis_0"] == 3] == [
            ("all", 3),
            ("one", 3),
        ]

    def test_a_region_outside_the_image_costs_the_others_nothing(self):
        rows = self.rows(self.source(Region("1", (900, 900, 950, 950)), Region("2", (0, 0, 40, 40))))
        assert [row.failed for row in rows] == [True, False]
        assert "region 1 contains no pixel" in rows[0].error

    def test_a_plane_is_read_once_for_its_regions(self):
        reads = []

        class Lazy:
            shape, dtype, ndim = STACK[0, 0].shape, STACK.dtype, 3

            def __getitem__(self, index):
                reads.append(index)
                return STACK[0, 0][index]

        regions = [Region(str(i), (i, 0, i + 40, 40)) for i in range(9)]
        self.rows(self.source(*regions, data=Lazy()), workers=1)
        assert len(reads) == 5


def test_an_image_error_says_what_to_do():
    with pytest.raises(ImageError):
        wp.prepare("missing.png", "demo")
