"""One table serves for classifying, evaluating and fitting: the same columns name images, the same marks separate."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_webipred.evaluation import truth
from napari_webipred.imaging.lists import listed
from napari_webipred.table_header import IMAGE_COLUMNS, image_column, names_images

HEADERS = [*IMAGE_COLUMNS, "File Path", " IMAGE", "file-name"]


@pytest.mark.parametrize("title", HEADERS)
def test_a_column_that_names_images_does_so_everywhere(tmp_path: Path, title: str) -> None:
    path = tmp_path / "cohort.csv"
    path.write_text(f"age,{title},label\n40,a.png,x\n50,b.png,y\n")
    assert list(listed(path)) == ["a.png", "b.png"]
    labels, _ = truth.of(path, ["x", "y"])
    assert [(label.image, label.classes) for label in labels] == [("a.png", ("x",)), ("b.png", ("y",))]
    assert truth.groups_from(path, "age") == {"a.png": "40", "b.png": "50"}


@pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".csv", ";"), (".csv", "\t"), (".tsv", "\t")])
def test_the_cells_of_a_table_are_told_apart_in_the_same_way_everywhere(tmp_path: Path, suffix: str, mark: str) -> None:
    path = tmp_path / f"cohort{suffix}"
    path.write_text(f'label{mark}path{mark}"size; of, it"\nx{mark}a.png{mark}1\n')
    assert list(listed(path)) == ["a.png"]
    labels, _ = truth.of(path, ["x"])
    assert [label.image for label in labels] == ["a.png"]


def test_a_path_says_more_than_a_name() -> None:
    assert image_column(["name", "sample", "Path", "label"]) == 2
    assert image_column(["label", "age"]) is None
    assert not names_images("label")
