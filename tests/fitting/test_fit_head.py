"""From images and labels, however they are given, to a model for own classes."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import napari_webipred as wp
from labelled_images import folder, image, images
from napari_webipred import engine
from napari_webipred.errors import OptionError
from napari_webipred.fitting import fitting, learning
from napari_webipred.fitting.fitting import OwnFit, Step, own_fitting
from napari_webipred.fitting.given import labelled, named_images
from napari_webipred.fitting.honest import judging
from napari_webipred.steps import result_of

TWO = ("flat", "noise")


@pytest.fixture(scope="module")
def demo() -> wp.Model:
    return wp.open_model("demo")


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw few samples for intervals, and fit to no shares of the images: nothing here is about that."""
    monkeypatch.setattr(learning, "SHARES", (1.0,))
    monkeypatch.setattr(fitting, "judging", lambda features, labels, seed: judging(features, labels, seed, 20))


def steps_noting(steps: Generator[Step, None, OwnFit], told: list[Step]) -> Generator[Step, None, OwnFit]:
    while True:
        try:
            told.append(next(steps))
        except StopIteration as finished:
            found: OwnFit = finished.value
            return found
        yield told[-1]


def given(model: wp.Model, shown: Any, labels: Any, **options: Any) -> Any:
    return labelled(engine.ready_sources(model, shown, engine.DEFAULTS), labels, **options)


def test_arrays_and_a_list_of_labels_make_a_model(demo: wp.Model) -> None:
    pixels, labels = images(5, TWO)
    own = wp.fit_head(pixels, labels, demo, name="Noise in flat images")
    assert own.classes == ["flat", "noise"]
    assert own.card.name == "Noise in flat images"
    assert own.card.id == "noise-in-flat-images"
    assert own.card.performance["images"] == 10
    assert (wp.classify(pixels, own)["prediction"] == labels).all()
    assert own.remarks == []


def test_the_same_images_and_seed_give_the_same_model(demo: wp.Model) -> None:
    pixels, labels = images(5, TWO)
    one, other = (wp.fit_head(pixels, labels, demo, seed=4) for _ in range(2))
    assert one.checksum == other.checksum
    assert one.card.fitted_to is not None
    assert one.card.fitted_to.seed == 4


def test_folders_tables_and_mappings_give_the_same_labels(demo: wp.Model, tmp_path: Path) -> None:
    place = folder(tmp_path, 3, TWO)
    table = pd.read_csv(place / "labels.csv")
    mapping = dict(zip(table["image"], table["label"], strict=True))
    expected = None
    for labels in (None, place / "labels.csv", str(place / "labels.csv"), table, mapping):
        found = given(demo, place, labels)
        named = {Path(plane.source.name).name: label for plane, label in zip(found.planes, found.labels, strict=True)}
        assert len(named) == 6
        expected = expected or named
        assert named == expected
        assert found.groups is None


def test_groups_are_a_column_of_the_table_or_a_list(demo: wp.Model, tmp_path: Path) -> None:
    place = folder(tmp_path, 4, TWO)
    found = given(demo, place, place / "labels.csv", groups="day")
    assert set(found.groups) == {"day 0", "day 1", "day 2", "day 3"}
    assert given(demo, images(2, TWO)[0], list("abab"), groups=[1, 1, 2, 2]).groups == ("1", "1", "2", "2")
    with pytest.raises(OptionError, match="no column patient"):
        given(demo, place, place / "labels.csv", groups="patient")
    with pytest.raises(OptionError, match="no column day"):
        given(demo, images(2, TWO)[0], list("abab"), groups="day")
    with pytest.raises(OptionError, match="4 images, but 3 groups"):
        given(demo, images(2, TWO)[0], list("abab"), groups=[1, 2, 3])


def test_images_without_a_group_are_not_one_group(demo: wp.Model) -> None:
    missing = [None, float("nan"), pd.NA, ""]
    found = given(demo, images(3, TWO)[0], list("ababab"), groups=["p", "p", *missing])
    assert found.groups == ("p", "p", "", "", "", "")


def test_images_without_a_label_are_left_out_and_labels_without_an_image_are_told(
    demo: wp.Model, tmp_path: Path
) -> None:
    place = folder(tmp_path, 3, TWO)
    lines = pd.read_csv(place / "labels.csv").to_numpy().tolist()
    assert given(demo, place, {line[0]: line[1] for line in lines[:4]}).without == 2
    with pytest.raises(OptionError, match=r"2 of the labels have no image: lost\.png, other/lost\.png\.") as caught:
        given(demo, place, {line[0]: line[1] for line in lines} | {"lost.png": "flat", "other/lost.png": "flat"})
    assert "remove these labels" in caught.value.hint
    with pytest.raises(OptionError, match="6 images, but 2 labels"):
        given(demo, place, ["a", "b"])
    with pytest.raises(OptionError, match="No image has a label"):
        given(demo, place, {})


@pytest.mark.parametrize("missing", ["", None, float("nan"), pd.NA])
def test_an_image_with_an_empty_label_has_none(demo: wp.Model, tmp_path: Path, missing: object) -> None:
    place = folder(tmp_path, 3, TWO)
    table = pd.read_csv(place / "labels.csv").astype({"label": object})
    table.loc[1, "label"] = missing
    table.loc[6] = ["lost.png", missing, "day 1"]
    for labels in (table, dict(zip(table["image"], table["label"], strict=True))):
        found = given(demo, place, labels)
        assert (len(found.planes), found.without) == (5, 1)
        assert {*found.labels} == {("flat",), ("noise",)}
    table.to_csv(place / "labels.csv", index=False)
    assert sorted(Path(name).name for name in named_images(place / "labels.csv")) == [
        f"{i}.png" for i in (0, 2, 3, 4, 5)
    ]
    in_order = given(demo, images(3, TWO)[0], table["label"].tolist()[:6])
    assert (in_order.labels, in_order.without) == (tuple((kind,) for kind in ("flat", *TWO, *TWO)), 1)


def test_a_plane_with_an_empty_label_does_not_get_that_of_its_stack(demo: wp.Model) -> None:
    stack = wp.select(np.stack([image("flat", each) for each in range(3)]), axes="z")
    table = pd.DataFrame({"image": ["array 0"] * 2, "z": [None, 1], "label": ["a", ""]}, dtype=object)
    found = given(demo, [stack], table)
    assert [plane.index for plane in found.planes] == [(0,), (2,)]


def test_an_image_with_an_empty_label_can_have_none_of_several(demo: wp.Model, tmp_path: Path) -> None:
    place = folder(tmp_path, 2, TWO)
    (place / "labels.csv").write_text("image,label\nflat/0.png,a;b\nnoise/1.png,\n")
    assert given(demo, place, place / "labels.csv", task="multi").labels == (("a", "b"), ())
    assert len(named_images(place / "labels.csv", "multi")) == 2


def test_a_table_that_names_no_class_is_refused(demo: wp.Model, tmp_path: Path) -> None:
    place = folder(tmp_path, 1, TWO)
    table = pd.DataFrame({"image": ["flat/0.png", "noise/1.png"], "Sorte": ["a", "b"], "day": ["1", "2"]})
    with pytest.raises(OptionError, match="The labels name no class") as caught:
        given(demo, place, table)
    assert "Call the column with the classes label" in caught.value.hint
    with pytest.raises(OptionError, match="The labels name no class"):  # rather than take the days for classes
        given(demo, place, table[["image", "day"]])


@pytest.mark.skipif(os.name == "nt", reason="paths of Windows are right there")
def test_paths_of_windows_in_labels_are_told_unless_the_images_are_given(demo: wp.Model, tmp_path: Path) -> None:
    place = folder(tmp_path, 1, TWO)
    table = place / "labels.csv"
    table.write_text(table.read_text().replace("/", "\\"))
    with pytest.raises(OptionError, match="2 of the labels have no image") as caught:
        named_images(table)
    assert "These are paths of Windows: give the images or their folder" in caught.value.hint
    assert given(demo, place, table).labels == (("flat",), ("noise",))


def test_an_image_with_two_different_labels_is_told(demo: wp.Model, tmp_path: Path) -> None:
    place = folder(tmp_path, 1, TWO)
    table = pd.DataFrame({"image": ["flat/0.png", "flat/0.png", "noise/1.png"], "label": ["a", "b", "a"]})
    with pytest.raises(OptionError, match=r"flat/0\.png has the labels a and b"):
        given(demo, place, table)


def test_all_planes_of_a_stack_have_its_label_and_are_one_group(demo: wp.Model) -> None:
    stacks = [np.stack([image(kind, 10 * row + each) for each in range(3)]) for row, kind in enumerate(TWO * 3)]
    found = given(demo, [*stacks, image("flat", 99)], [*(TWO * 3), "flat"])
    assert len(found.planes) == 19
    assert found.labels[:3] == (("flat",),) * 3
    assert len(set(found.groups[:18])) == 6
    own = wp.fit_head(stacks, list(TWO * 3), demo)
    assert own.card.fitted_to is not None
    assert (own.card.fitted_to.images, own.card.fitted_to.groups) == (18, 6)


def test_an_image_that_is_given_twice_is_one_group(
    demo: wp.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = folder(tmp_path, 2, TWO)
    monkeypatch.chdir(place)
    once = sorted(path.relative_to(place) for path in place.rglob("*.png"))
    assert given(demo, once, list("abab")).groups is None
    found = given(demo, [*once, once[1], place / once[1]], list("ababbb"))
    groups = dict.fromkeys(found.groups)
    assert [found.groups[number] for number in (0, 2, 3)] == ["", "", ""]
    assert len(groups) == 2
    assert found.groups[1] == found.groups[4] == found.groups[5] != ""


def test_a_table_may_give_a_label_for_each_plane(demo: wp.Model, tmp_path: Path) -> None:
    Image.fromarray(image("flat", 0)).save(
        tmp_path / "stack.tif", save_all=True, append_images=[Image.fromarray(image("noise", each)) for each in (1, 2)]
    )
    (source,) = engine.ready_sources(demo, tmp_path / "stack.tif", engine.DEFAULTS)
    (axis,) = source.axes
    table = pd.DataFrame({"image": ["stack.tif"] * 2, axis: [0, 2], "label": ["flat", "noise"]})
    found = labelled([source], table)
    assert [plane.index for plane in found.planes] == [(0,), (2,)]
    assert found.labels == (("flat",), ("noise",))


def test_a_plane_has_its_own_label_before_that_of_its_image_in_whatever_order_they_stand(
    demo: wp.Model, tmp_path: Path
) -> None:
    Image.fromarray(image("flat", 0)).save(
        tmp_path / "stack.tif", save_all=True, append_images=[Image.fromarray(image("noise", each)) for each in (1, 2)]
    )
    (source,) = engine.ready_sources(demo, tmp_path / "stack.tif", engine.DEFAULTS)
    (axis,) = source.axes
    table = pd.DataFrame({"image": ["stack.tif"] * 2, axis: ["", "1"], "label": ["flat", "noise"]})
    for rows in (table, table[::-1]):
        assert labelled([source], rows).labels == (("flat",), ("noise",), ("flat",))
    table.loc[1, axis] = "3"
    with pytest.raises(OptionError, match=r"1 of the labels have no image: stack\.tif 3"):
        labelled([source], table)


def test_groups_in_the_order_of_the_images_count_also_if_a_table_names_the_labels(
    demo: wp.Model, tmp_path: Path
) -> None:
    place = folder(tmp_path, 2, TWO)
    paths = sorted(place.rglob("*.png"))
    for labels in (None, place / "labels.csv"):
        assert given(demo, paths, labels, groups=["p", "q", "q", "p"]).groups == ("p", "q", "q", "p")
        with pytest.raises(OptionError, match="4 images, but 3 groups"):
            given(demo, paths, labels, groups=["p", "q", "q"])
    with pytest.raises(OptionError, match="no column day"):
        given(demo, paths, None, groups="day")


def test_images_may_have_several_classes_or_none(demo: wp.Model) -> None:
    pixels, labels = images(6)
    several = [{"flat": [], "noise": ["grain"], "stripes": ["lines", "regular"]}[label] for label in labels]
    own = wp.fit_head(pixels, several, demo, task="multi")
    assert own.classes == ["grain", "lines", "regular"]
    assert own.card.task == "multi-label"
    row = wp.classify(pixels[2], own).iloc[0]
    assert "lines" in row["prediction"]
    assert "regular" in row["prediction"]


def test_images_that_cannot_be_read_are_left_out_and_named_but_not_in_the_model(demo: wp.Model, tmp_path: Path) -> None:
    place = folder(tmp_path / "secret-patient", 5, TWO)
    (place / "flat" / "0.png").write_bytes(b"\x89PNG\r\n\x1a\n damaged")
    with pytest.warns(UserWarning, match=r"1 image could not be read and is left out: .*0\.png"):
        own = wp.fit_head(place, place / "labels.csv", demo, groups="day")
    assert own.remarks[0] == "1 image could not be read, and was left out of the fit."
    assert own.card.fitted_to is not None
    assert own.card.fitted_to.images == 9
    assert own.archive is not None
    for name in (b"secret-patient", b"0.png", b"day 1", str(tmp_path).encode()):
        assert name not in own.archive


def test_too_few_readable_images_are_told_with_the_first_reason(demo: wp.Model, tmp_path: Path) -> None:
    place = folder(tmp_path, 2, TWO)
    for path in (place / "flat").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(OptionError, match=r"2 of the 4 images cannot be read, and too few of flat are left") as caught:
        wp.fit_head(place, place / "labels.csv", demo)
    assert "Repair" in caught.value.hint
    for path in (place / "noise").iterdir():
        path.write_bytes(b"no image")
    with pytest.raises(OptionError, match="None of the 4 images can be read"):
        wp.fit_head(place, place / "labels.csv", demo)


def test_what_is_wrong_with_labels_is_said_before_an_image_is_read(demo: wp.Model) -> None:
    class Unread:
        shape, ndim, dtype = (48, 48), 2, np.dtype(np.uint8)

        def __array__(self, *_: object, **__: object) -> np.ndarray:
            raise AssertionError("nobody has to read this")

        def __getitem__(self, _: object) -> Unread:
            return self

    with pytest.raises(OptionError, match="one class only, a"):
        wp.fit_head([Unread(), Unread()], ["a", "a"], demo)


def test_labels_of_one_group_make_a_model_without_figures(demo: wp.Model) -> None:
    pixels, labels = images(5, TWO)
    own = wp.fit_head(pixels, labels, demo, groups=["p"] * 10)
    assert own.card.performance == {}
    assert any("one group" in remark for remark in own.remarks)


def test_the_range_that_images_were_read_with_is_told(demo: wp.Model) -> None:
    pixels, labels = images(5, TWO)
    own = wp.fit_head(pixels, labels, demo, intensity=(0, 128))
    assert any("intensity range" in remark and "128" in remark for remark in own.remarks)


def test_a_profile_that_was_chosen_becomes_that_of_the_model(demo: wp.Model) -> None:
    pixels, labels = images(5, TWO)
    own = wp.fit_head(pixels, labels, demo, profile="teachable-machine")
    assert own.card.preprocessing is not None
    assert own.card.preprocessing.profile == "teachable-machine"


def test_the_work_tells_how_far_it_is_and_ends_when_it_is_closed(demo: wp.Model) -> None:
    pixels, labels = images(5, TWO)
    steps = own_fitting(demo, given(demo, pixels, labels), engine.DEFAULTS)
    told: list[Step] = []
    assert isinstance(result_of(steps_noting(steps, told)), OwnFit)
    stages = list(dict.fromkeys(step.stage for step in told))
    assert stages == ["features", "fit", "judge", "write"]
    assert [step.done for step in told if step.stage == "features"] == list(range(1, 11))
    again = own_fitting(demo, given(demo, pixels, labels), engine.DEFAULTS)
    next(again)
    again.close()
    with pytest.raises(StopIteration):
        next(again)


def test_a_model_can_be_the_base_by_its_path(demo: wp.Model, tmp_path: Path) -> None:
    pixels, labels = images(4, TWO)
    first = result_of(own_fitting(demo, given(demo, pixels, labels), engine.DEFAULTS)).model
    path = first.save(tmp_path / "first.zip")
    again = wp.fit_head(pixels, ["x", "y"] * 4, path)
    assert again.classes == ["x", "y"]
    assert again.card.base == first.card.base
