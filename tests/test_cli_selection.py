"""What of each image the command line classifies."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import napari_webipred as wp
from napari_webipred import cli
from napari_webipred.cli import arguments
from napari_webipred.engine import Started
from napari_webipred.imaging import path_list
from napari_webipred.imaging.path_list import BLOCK, PathList


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(folder / "plain.png")
    return folder


def test_planes_channels_and_projections_are_those_of_python_and_recorded(tmp_path):
    import tifffile

    data = np.random.default_rng(3).integers(0, 4000, (2, 3, 4, 60, 50), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", data, imagej=True, metadata={"axes": "TZCYX"})
    image, output = str(tmp_path / "stack.tif"), tmp_path / "out.csv"
    options = [
        "--planes",
        "t=1",
        "--planes",
        "z=::2",
        "--channels",
        "0,3",
        "--colours",
        "red,#00FF00",
        "--range",
        "stack",
    ]
    assert cli.main(["classify", image, "-m", "demo", "-o", str(output), *options]) == 0
    part = wp.select(image, planes={"t": 1, "z": slice(None, None, 2)}, channels=[0, 3], colours=["red", (0, 1, 0)])
    expected = wp.classify(part, "demo", intensity="stack")
    found = pd.read_csv(output, keep_default_na=False)
    assert found["z"].tolist() == [0, 2]
    np.testing.assert_array_equal(found["sharp"].to_numpy(np.float32), expected["sharp"])
    record = json.loads((tmp_path / "out.csv.json").read_text())
    assert record["options"]["channels"] == [0, 3]
    assert record["options"]["planes"] == {"t": "1", "z": "::2"}
    assert record["inputs"][0]["reading"] == "merged: c 0 as red, c 3 as green"
    assert cli.main(["classify", image, "-m", "demo", "-o", str(output), "--axes", "abc", "--project", "b=max"]) == 0
    assert pd.read_csv(output).columns[:3].tolist() == ["image", "a", "c"]


def test_an_image_without_the_chosen_axis_costs_the_others_nothing(folder, tmp_path, capsys):
    assert cli.main(["classify", str(folder), "-m", "demo", "-o", str(tmp_path / "out.csv"), "--planes", "z=3"]) == 1
    assert "has no axis z. It is a single image." in capsys.readouterr().err
    assert cli.main(["classify", str(folder), "-m", "demo", "--axes", "z"]) == 1
    assert "has no leading axes to name. It is a single image." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--planes", "z"], "Write it like --planes z=10:20."),
        (["--planes", "z=a:b"], "a:b does not say which planes."),
        (["--planes", "z=0:9:0"], "0:9:0 does not say which planes."),
        (["--planes", "z=1", "--planes", "z=4"], "--planes names the axis z twice."),
        (["--project", "z=sum"], "sum is no projection. Choose one of max, mean."),
        (["--blank"], "Add --regions FILE."),
        (["--colours", "red"], "Add --channels, such as"),
        (["--channels", "a"], "--channels a are no numbers."),
        (["--channels", "0", "--colours", "mauve"], "'mauve' is not a colour."),
        (["--range", "limits"], "as one of auto, dtype, plane, stack, percentiles, full,"),
    ],
)
def test_a_wrong_choice_of_planes_says_how_to_write_it(folder, capsys, options, said):
    assert cli.main(["classify", str(folder), "-m", "demo", *options]) == 2
    assert said in capsys.readouterr().err


def test_labels_of_a_file_have_rows_of_their_own(folder, tmp_path):
    labels = np.zeros((40, 40), np.uint8)
    labels[5:20, 5:30], labels[25:, 25:] = 3, 9
    Image.fromarray(labels).save(tmp_path / "labels.png")
    options = ["--regions", str(tmp_path / "labels.png"), "--blank", "-o", str(tmp_path / "out.csv")]
    assert cli.main(["classify", str(folder), "-m", "demo", *options]) == 0
    found = pd.read_csv(tmp_path / "out.csv", dtype={"region": str})
    expected = wp.classify(folder, "demo", regions=labels, outside="blank")
    assert found["region"].tolist() == expected["region"].tolist() == ["3", "9"]
    np.testing.assert_array_equal(found["noisy"].to_numpy(np.float32), expected["noisy"])


def test_a_region_that_fails_is_named(folder, tmp_path, capsys):
    labels = np.zeros((90, 90), np.uint8)
    labels[5:20, 5:30], labels[60:, 60:] = 3, 9  # the image ends before the second one
    Image.fromarray(labels).save(tmp_path / "labels.png")
    assert cli.main(["classify", str(folder), "-m", "demo", "--regions", str(tmp_path / "labels.png")]) == 1
    assert "plain.png region=" in capsys.readouterr().err


def test_a_label_image_without_labels_is_refused_before_any_image(folder, tmp_path, capsys):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "labels.png")
    assert cli.main(["classify", str(folder), "-m", "demo", "--regions", str(tmp_path / "labels.png")]) == 2
    assert "labels.png has no labels." in capsys.readouterr().err


def test_links_to_folders_are_not_followed_but_named(folder, tmp_path, capsys):
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    (cohort / "patient").symlink_to(folder, target_is_directory=True)
    (cohort / "notes.txt").write_text("none")
    assert cli.main(["classify", str(cohort), str(folder), "-m", "demo"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert f"Links to folders are not followed: {cohort / 'patient'}. " in err
    assert f"Skipped, because they are not images: {cohort / 'notes.txt'}\n" in err
    assert cli.main(["classify", f"{cohort}/*", "-m", "demo"]) == 1  # a pattern takes all, also what is no image
    assert str(cohort / "patient" / "plain.png") in capsys.readouterr().out


def test_who_explains_is_told_of_files_and_links_that_are_left_out(folder, tmp_path, capsys):
    (folder / "patient").symlink_to(tmp_path, target_is_directory=True)
    (folder / "notes.txt").write_text("none")
    assert cli.main(["explain", str(folder), "-m", "demo", "-o", str(tmp_path / "maps")]) == 0
    err = capsys.readouterr().err
    assert f"Links to folders are not followed: {folder / 'patient'}. " in err
    assert f"Skipped, because they are not images: {folder / 'notes.txt'}\n" in err


def test_of_very_many_files_that_are_left_out_only_the_first_are_unpacked(monkeypatch, capsys):
    names, unpack, unpacked = PathList(f"{number}.txt" for number in range(4 * BLOCK)), path_list._unpacked, []
    monkeypatch.setattr(path_list, "_unpacked", lambda packed: unpacked.append(packed) or unpack(packed))
    arguments.started(Started(1, (), (), names, names))
    assert capsys.readouterr().err.count(f"0.txt, 1.txt, 2.txt, 3.txt, 4.txt and {4 * BLOCK - 5:,} more") == 2
    assert len(unpacked) == 1


def test_a_dash_as_the_output_is_standard_output(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["classify", str(folder), "-m", "demo", "-o", "-"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
