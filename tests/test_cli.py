from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_webipred as wp
from napari_webipred import cli
from napari_webipred.results.export import CsvWriter
from napari_webipred.samples import sample_pictures
from test_model import write_tfjs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as people have them: pictures of several kinds, one broken, and a file that is none."""
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels).save(folder / "b.jpg")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 100).save(folder / "c.tif")
    Image.fromarray(pixels[..., 0]).save(folder / "deeper" / "d.bmp")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "notes.txt").write_text("not a picture")
    return folder


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_a_folder_with_a_broken_picture_gives_all_others_and_exit_status_1(folder, tmp_path, capsys):
    out = tmp_path / "out.csv"
    assert cli.main(["classify", str(folder), "--model", "demo", "-o", str(out)]) == 1
    header, *lines = read(out)
    assert header == ["image", *wp.open_model("demo").classes, "prediction", "error"]
    failed = {Path(line[0]).name: line[-1] for line in lines if line[-1]}
    assert list(failed) == ["broken.png"]
    assert {Path(line[0]).name for line in lines} == {"a.png", "b.jpg", "c.tif", "d.bmp", "broken.png"}
    message = capsys.readouterr().err
    assert "broken.png" in message
    assert "notes.txt" in message
    record = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    assert record["model"]["id"] == "demo"
    assert next(entry for entry in record["inputs"] if entry.get("failed"))["image"].endswith("broken.png")
    assert next(entry for entry in record["inputs"] if "intensity_ranges" in entry)["image"].endswith("c.tif")


def test_the_command_line_and_python_give_the_very_same_numbers(folder, tmp_path):
    out = tmp_path / "out.csv"
    cli.main(["classify", str(folder), "--model", "demo", "-o", str(out)])
    table = wp.classify([folder], "demo")
    classes = wp.open_model("demo").classes
    from_file = np.array([[cell or "nan" for cell in line[1:-2]] for line in read(out)[1:]], np.float32)
    np.testing.assert_array_equal(from_file, table[classes].to_numpy())


def test_without_an_output_the_table_goes_to_standard_output(folder, capsys):
    assert cli.main(["classify", str(folder / "a.png"), "--model", "demo"]) == 0
    header, line = csv.reader(capsys.readouterr().out.splitlines())
    assert header[0] == "image"
    assert line[0] == str(folder / "a.png")
    assert sum(map(float, line[1:-2])) == pytest.approx(1, abs=1e-5)


def test_the_demo_needs_nothing_and_writes_its_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo"]) == 0
    names = [path.name for path in sample_pictures()]
    assert [row[0] for row in read(tmp_path / "demo.csv")] == ["image", *names]
    shown = capsys.readouterr().out.splitlines()
    assert set(names) <= set(shown)
    assert (tmp_path / "demo.csv.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "no-such-model"], "no-such-model"),
        (["--model", "dmo"], "demo"),
        (["--model", "demo", "--range", "5"], "LOW:HIGH"),
        (["--model", "demo", "--range", "9:2"], "9"),
        (["--model", "demo", "--resize", "224"], "WIDTHxHEIGHT"),
        (["--model", "demo", "--resize", "17x17"], "17x17"),
        (["--model", "demo", "--classes", "A,B"], "2 class names"),
        (["--model", "demo", "--threshold", "2"], "threshold"),
        (["--model", "demo", "--standardize", "magic"], "magic"),
        (["--model", "demo", "--profile", "magic"], "aucmedi"),
        (["--model", "demo", "-o", "/no/such/folder/out.csv"], "cannot be written"),
    ],
)
def test_wrong_use_says_what_is_wrong_and_ends_with_2(folder, capsys, arguments, said):
    assert cli.main(["classify", str(folder / "a.png"), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_disk_that_fills_up_is_told_with_the_file(folder, tmp_path, capsys, monkeypatch):
    def full(writer, row):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(CsvWriter, "write", full)
    assert cli.main(["classify", str(folder), "--model", "demo", "-o", str(tmp_path / "out.csv")]) == 2
    assert f"{tmp_path / 'out.csv'} cannot be written: No space left on device." in capsys.readouterr().err
    assert cli.main(["classify", str(folder), "--model", "demo"]) == 2
    assert capsys.readouterr().err.endswith("napari-webipred: No space left on device\n")


def test_a_folder_without_pictures_is_wrong_use(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert cli.main(["classify", str(tmp_path / "empty"), "--model", "demo"]) == 2
    assert "no pictures" in capsys.readouterr().err


def test_all_pictures_failing_is_told_by_the_exit_status(tmp_path, capsys):
    assert cli.main(["classify", str(tmp_path / "gone.png"), "--model", "demo"]) == 1
    assert "gone.png" in capsys.readouterr().err


def test_an_explicit_range_changes_the_numbers_and_is_recorded(folder, tmp_path):
    out = tmp_path / "out.csv"
    arguments = ["classify", str(folder / "c.tif"), "--model", "demo", "-o", str(out)]
    cli.main(arguments)
    automatic = read(out)[1]
    cli.main([*arguments, "--range", "0:65535"])
    assert read(out)[1] != automatic
    assert json.loads(Path(f"{out}.json").read_text())["options"]["intensity"] == [0, 65535]


def test_a_profile_changes_the_numbers_is_recorded_and_is_that_of_python(folder, tmp_path):
    out = tmp_path / "out.csv"
    arguments = ["classify", str(folder / "a.png"), "--model", "demo", "-o", str(out)]
    cli.main(arguments)
    browser = read(out)[1]
    record = json.loads(Path(f"{out}.json").read_text())
    assert (record["preprocessing"]["profile"], record["options"]["profile"]) == ("webipred", None)
    for profile in ("aucmedi", "teachable-machine"):
        cli.main([*arguments, "--profile", profile])
        assert read(out)[1] != browser
        assert json.loads(Path(f"{out}.json").read_text())["preprocessing"]["profile"] == profile
        table = wp.classify(folder / "a.png", "demo", profile=profile)
        assert [np.float32(cell) for cell in read(out)[1][1:-2]] == list(table.iloc[0, 1:-2])


def test_the_catalogue_is_listed_and_searched(capsys):
    assert cli.main(["models"]) == 0
    listed = capsys.readouterr().out
    assert "demo" in listed
    assert "webipred-16" in listed
    assert cli.main(["models", "--search", "x-ray pneumonia", "--json"]) == 0
    assert [card["id"] for card in json.loads(capsys.readouterr().out)] == ["webipred-16"]


def test_models_can_be_removed_and_the_cache_wiped(folder, capsys, tmp_path):
    cli.main(["classify", str(folder / "a.png"), "--model", "demo"])
    assert list((tmp_path / "cache").rglob("*.onnx"))
    assert cli.main(["cache"]) == 0
    assert str(tmp_path / "cache") in capsys.readouterr().out
    assert cli.main(["cache", "--wipe"]) == 0
    assert not list((tmp_path / "cache").rglob("*.onnx"))
    assert cli.main(["remove", "never-fetched"]) == 2


def test_the_installed_program_prints_on_a_terminal_without_unicode(folder):
    """Windows consoles know neither blocks nor every letter."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "napari_webipred.cli", "demo"]
    done = subprocess.run(command, capture_output=True, env=environment, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr.decode()
    assert b"###" in done.stdout


def test_control_characters_in_names_do_not_reach_the_terminal(folder, tmp_path, capsys):
    evil = folder / "a\x1b[2J.png"
    evil.write_bytes(b"nothing")
    cli.main(["classify", str(evil), "--model", "demo", "-o", str(tmp_path / "out.csv")])
    assert "\x1b" not in capsys.readouterr().err


def test_what_should_be_known_of_a_model_is_said_and_recorded(folder, tmp_path, capsys):
    model = write_tfjs(tmp_path / "m", activation="sigmoid", version="3.4.1")
    out = tmp_path / "out.csv"
    cli.main(["classify", str(folder / "a.png"), "-m", str(model), "--standardize", "tf", "-o", str(out)])
    said = capsys.readouterr().err
    assert "sigmoid of its own" in said
    assert "WebIPred cannot load this model" in said
    remarks = json.loads((tmp_path / "out.csv.json").read_text())["model"]["remarks"]
    assert "sigmoid of its own" in remarks["assumed"][0]
    assert "Keras 3.4.1" in remarks["notes"][0]


def test_a_network_of_a_known_family_is_told_when_the_scaling_is_asked_for(folder, tmp_path, capsys):
    model = write_tfjs(tmp_path / "m", activation="softmax", name="block_16_project")
    assert cli.main(["classify", str(folder / "a.png"), "-m", str(model)]) == 2
    assert "looks like MobileNetV2, which is usually trained with tf" in capsys.readouterr().err
