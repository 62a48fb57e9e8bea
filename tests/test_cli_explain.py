"""The command `explain`, and the option of `classify`."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from onnx import helper
from PIL import Image

import napari_webipred as wp
from heads import bright, write
from napari_webipred import cli
from napari_webipred.cli.interruption import Interrupted

OPTIONS = ["--classes", "a,b,c", "--standardize", "0-1"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Two folders with images of the same name, a stack, and a file that is broken."""
    random = np.random.default_rng(1)
    folder = tmp_path / "in"
    for name in ("p1", "p2"):
        (folder / name).mkdir(parents=True)
        pixels = random.integers(0, 60, (48, 64, 3), dtype=np.uint8)
        pixels[8:20, 40:56, 0 if name == "p1" else 1] = 255
        Image.fromarray(pixels).save(folder / name / "scan.png")
    tifffile.imwrite(folder / "z.tif", random.integers(0, 255, (2, 40, 40), dtype=np.uint8), photometric="minisblack")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    bright(tmp_path)
    return tmp_path / "net.onnx"


def run(*arguments: object) -> int:
    return cli.main([*map(str, arguments), *OPTIONS])


def record(folder: Path) -> dict:
    return json.loads((folder / "explanations.json").read_text(encoding="utf-8"))


def test_maps_are_tiff_files_that_say_all_about_themselves(images, model, tmp_path, capsys):
    out = tmp_path / "maps"
    assert run("explain", images, "-m", model, "-o", out, "--format", "tiff", "--class", "all") == 1
    said = capsys.readouterr().err
    assert "broken.png" in said
    assert "4 of 5 images explained. 12 maps written to" in said
    planes = ("p1_scan", "p2_scan", "z_page0", "z_page1")
    expected = {"explanations.json", *(f"{plane}.{name}.tif" for plane in planes for name in "abc")}
    assert {path.name for path in out.iterdir()} == expected
    found = record(out)
    assert found["complete"]
    assert found["planes"] == {"asked": 5, "done": 5, "failed": 1}
    opened = wp.open_model(model, classes=list("abc"), standardize="0-1")
    assert found["model"]["checksum"] == opened.checksum
    assert len(found["explanations"]) == 12
    for entry in found["explanations"]:
        with tifffile.TiffFile(out / entry["file"]) as file:
            values = file.asarray()
            about = json.loads(file.pages[0].description)
        assert values.dtype == np.float32
        assert {name: about[name] for name in entry} == entry
        assert about["model"]["checksum"] == opened.checksum
        assert "no localisation" in about["caption"]
        plane = {"plane": entry["page"]} if "page" in entry else {}
        (expected,) = wp.explain(entry["image"], opened, classes=[entry["class"]], **plane)
        np.testing.assert_array_equal(values, expected.map)
        assert entry["method"] == "cam"
        assert entry["target"] == "logit"
        assert entry["completeness"] < 1e-6
        assert entry["probability"] == expected.probability


def test_figures_share_a_scale_and_show_the_bright_square_in_colour(images, model, tmp_path):
    out = tmp_path / "maps"
    assert run("explain", images / "p1", images / "p2", "-m", model, "-o", out, "--class", "a") == 0
    entries = record(out)["explanations"]
    assert [entry["file"] for entry in entries] == ["p1_scan.a.png", "p2_scan.a.png"]
    assert len({entry["scale"] for entry in entries}) == 1
    colourful = []
    for entry in entries:
        with Image.open(out / entry["file"]) as figure:
            about = json.loads(figure.text["napari-webipred"])
            pixels = np.asarray(figure.convert("RGB"), np.float32)
        assert {name: about[name] for name in entry} == entry
        right = pixels[90:470, 570:1070]  # where the map lies on the image
        spread = right.max(axis=2) - right.min(axis=2)
        row, column = np.unravel_index(spread.argmax(), spread.shape)
        colourful.append((float(spread.max()), row / 390, column / 520))
    assert colourful[0][0] > 2 * colourful[1][0]  # the second image has its square in another colour
    assert 8 / 48 < colourful[0][1] < 20 / 48
    assert 40 / 64 < colourful[0][2] < 56 / 64


def test_scales_of_single_images_and_of_the_user_are_taken(images, model, tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    assert run("explain", images / "p1", images / "p2", "-m", model, "-o", one, "--class", "a", "--scale", "image") == 0
    assert len({entry["scale"] for entry in record(one)["explanations"]}) == 2
    assert run("explain", images / "p1", "-m", model, "-o", other, "--scale", "7.5", "--signed") == 0
    assert [entry["scale"] for entry in record(other)["explanations"]] == [7.5]


def test_classify_explains_in_the_same_pass_and_its_table_stays_the_same(images, model, tmp_path, capsys):
    plain, with_maps, out = tmp_path / "plain.csv", tmp_path / "maps.csv", tmp_path / "maps"
    assert run("classify", images, "-m", model, "-o", plain) == 1
    assert run("classify", images, "-m", model, "-o", with_maps, "--explain", out, "--format", "tiff") == 1
    assert plain.read_bytes() == with_maps.read_bytes()
    assert "4 maps written to" in capsys.readouterr().err
    with plain.open(encoding="utf-8", newline="") as file:
        table = {row["image"] + row["page"]: row for row in csv.DictReader(file)}
    for entry in record(out)["explanations"]:
        row = table[entry["image"] + str(entry.get("page", ""))]
        assert np.float32(row[entry["class"]]) == np.float32(entry["probability"])


def test_only_maps_of_ours_are_replaced(images, model, tmp_path):
    out = tmp_path / "maps"
    call = ("explain", images / "p1", "-m", model, "-o", out, "--class", "a")
    assert run(*call) == 0
    first = out / "scan.a.png"
    assert run(*call) == 0
    assert sorted(path.name for path in out.iterdir()) == ["explanations.json", "scan.a.png"]
    first.write_bytes(b"mine now")
    assert run(*call) == 0
    assert first.read_bytes() == b"mine now"
    assert [entry["file"] for entry in record(out)["explanations"]] == ["scan-2.a.png"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--class", "none"], "has no class 'none'. Its classes are a, b, c."),
        (["--class", "top", "--class", "a"], "cannot be combined"),
        (["--scale", "wide"], "Give run, image, or a number above 0"),
        (["--scale", "-3"], "Give run, image, or a number above 0"),
        (["--method", "gradcam"], "gradcam"),
    ],
)
def test_wrong_use_says_what_is_wrong_and_leaves_no_folder(images, model, tmp_path, capsys, given, said):
    out = tmp_path / "maps"
    try:
        status = run("explain", images, "-m", model, "-o", out, *given)
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_folder_among_the_inputs_and_options_without_a_folder_are_refused(images, model, tmp_path, capsys):
    assert run("explain", images, "-m", model, "-o", images / "maps") == 2
    assert "lies in the input" in capsys.readouterr().err
    assert not (images / "maps").exists()
    assert run("explain", images, "-m", model, "-o", model) == 2
    assert "is a file. Give the name of a folder." in capsys.readouterr().err
    assert run("classify", images, "-m", model, "-o", tmp_path / "t.csv", "--method", "cam") == 2
    assert "Add --explain FOLDER" in capsys.readouterr().err


def test_a_method_that_does_not_fit_ends_the_program_with_the_next_step(images, tmp_path, capsys):
    nodes = [
        helper.make_node("MaxPool", ["image"], ["maps"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("GlobalMaxPool", ["maps"], ["p"]),
        helper.make_node("Flatten", ["p"], ["z"]),
        helper.make_node("Sigmoid", ["z"], ["y"]),
    ]
    net = write(tmp_path / "most.onnx", nodes, {}, 3)
    out = tmp_path / "maps"
    assert run("explain", images, "-m", net, "-o", out, "--method", "cam") == 2
    assert "not affine after pooling. Choose auto or occlusion." in capsys.readouterr().err
    assert run("explain", images / "p1", "-m", net, "-o", out, "--check") == 0
    (entry,) = record(out)["explanations"]
    assert entry["method"] == "hirescam"
    assert -1 <= entry["agreement"] <= 1


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_after_an_interrupt_the_maps_of_finished_images_are_there(images, model, tmp_path, monkeypatch, capsys, kind):
    from napari_webipred.cli.maps import Maps

    add, out = Maps.add, tmp_path / "maps"

    def interrupted(self, row):
        add(self, row)
        if row.image.endswith("scan.png"):
            raise Interrupted(2)

    monkeypatch.setattr(Maps, "add", interrupted)
    assert run("explain", images / "p1", images / "p2", "-m", model, "-o", out, "--format", kind) == 130
    found = record(out)
    assert [entry["image"] for entry in found["explanations"]] == [str(images / "p1" / "scan.png")]
    assert not found["complete"]
    assert "Ctrl-C" in found["stopped"]
    assert (out / found["explanations"][0]["file"]).exists()


@pytest.mark.skipif(os.name == "nt", reason="names that Windows does not have")
def test_names_that_are_not_safe_become_names_that_are(model, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "maps"
    folder.mkdir()
    pixels = np.zeros((40, 40), np.uint8)
    for name in ("CON.png", "a:b.png", "a?b.png", "Größe \u202e.png", "x" * 200 + ".png"):
        Image.fromarray(pixels).save(folder / name)
    assert run("explain", folder, "-m", model, "-o", out, "--format", "tiff", "--class", "a") == 0
    names = {entry["file"] for entry in record(out)["explanations"]}
    assert {"_CON.a.tif", "a_b.a.tif", "a_b-2.a.tif", "x" * 120 + ".a.tif"} < names
    assert len(names) == 5
    assert all((out / name).exists() for name in names)
