from __future__ import annotations

import csv
import errno
import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import napari_webipred as wp
from napari_webipred import cli
from napari_webipred.names import escape, unescape, visible
from napari_webipred.results.export import CsvWriter
from napari_webipred.samples import sample_images
from test_model import write_heads, write_strange, write_tfjs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as people have them: images of several kinds, one broken, and a file that is none."""
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    folder = tmp_path / "images"
    (folder / "deeper").mkdir(parents=True)
    Image.fromarray(pixels).save(folder / "a.png")
    Image.fromarray(pixels).save(folder / "b.jpg")
    Image.fromarray(pixels[..., 0].astype(np.uint16) * 100).save(folder / "c.tif")
    Image.fromarray(pixels[..., 0]).save(folder / "deeper" / "d.bmp")
    (folder / "broken.png").write_bytes((folder / "a.png").read_bytes()[:200])
    (folder / "notes.txt").write_text("not an image")
    return folder


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_a_folder_with_a_broken_image_gives_all_others_and_exit_status_1(folder, tmp_path, capsys):
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


@pytest.mark.parametrize("choice", [None, "stack"])
def test_it_is_said_at_the_end_that_planes_had_different_ranges(choice, tmp_path, capsys):
    planes = [Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40) + 100 * z) for z in range(3)]
    planes[0].save(tmp_path / "stack.tif", save_all=True, append_images=planes[1:])
    out, more = tmp_path / "out.csv", ["--range", choice] if choice else []
    assert cli.main(["classify", str(tmp_path / "stack.tif"), "--model", "demo", "-o", str(out), *more]) == 0
    last = capsys.readouterr().err.strip().splitlines()[-1]
    notes = json.loads(Path(f"{out}.json").read_bytes())["notes"]
    if choice:
        assert "differs" not in last
        assert notes == []
    else:
        assert "stack.tif (black 0 to 200, white 1599 to 1799)" in last
        assert last.endswith("choose the range of the whole stack: --range stack.")
        assert notes[0] in last


def test_the_command_line_and_python_give_the_very_same_numbers(folder, tmp_path):
    out = tmp_path / "out.csv"
    cli.main(["classify", str(folder), "--model", "demo", "-o", str(out)])
    table = wp.classify([folder], "demo")
    classes = wp.open_model("demo").classes
    from_file = np.array([[cell or "nan" for cell in line[1:-2]] for line in read(out)[1:]], np.float32)
    np.testing.assert_array_equal(from_file, table[classes].to_numpy())


def test_remarks_are_said_and_recorded_and_the_columns_stay(folder, tmp_path, capsys):
    pages = [Image.fromarray(np.full((300, 300), value, np.uint8)) for value in (7, 9)]
    pages[0].save(folder / "blank.tif", save_all=True, append_images=pages[1:])
    out = tmp_path / "out.csv"
    cli.main(["classify", str(folder / "blank.tif"), str(folder / "a.png"), "--model", "demo", "-o", str(out)])
    header, *lines = read(out)
    assert header == ["image", "page", *wp.open_model("demo").classes, "prediction", "error"]
    assert [line[-1] for line in lines] == [""] * 3
    messages = capsys.readouterr().err
    for page in (0, 1):
        assert f"blank.tif page={page}: The image is blank: all its pixels are the same.\n" in messages
    record = json.loads(Path(f"{out}.json").read_text(encoding="utf-8"))
    blank, small = record["inputs"]
    assert [entry[0] for entry in blank["remarks"]] == [0, 1]
    assert small["remarks"] == [["The image has only 60x40 pixels, far fewer than the 224x224 that the model sees."]]
    assert wp.classify([folder / "a.png"], "demo").attrs["remarks"] == [(0, small["remarks"][0][0])]


def test_on_a_terminal_a_remark_stands_below_the_bars(folder, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    cli.main(["classify", str(folder / "a.png"), "--model", "demo"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == "  remark: The image has only 60x40 pixels, far fewer than the 224x224 that the model sees."


def test_without_an_output_the_table_goes_to_standard_output(folder, capsys):
    assert cli.main(["classify", str(folder / "a.png"), "--model", "demo"]) == 0
    header, line = csv.reader(capsys.readouterr().out.splitlines())
    assert header[0] == "image"
    assert line[0] == str(folder / "a.png")
    assert sum(map(float, line[1:-2])) == pytest.approx(1, abs=1e-5)


def test_the_demo_needs_nothing_and_writes_its_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo"]) == 0
    names = [path.name for path in sample_images()]
    assert [row[0] for row in read(tmp_path / "demo.csv")] == ["image", *names]
    shown = capsys.readouterr().out.splitlines()
    assert set(names) <= set(shown)
    assert (tmp_path / "demo.csv.json").is_file()


def test_the_table_of_the_demo_is_refused_on_standard_output_which_has_its_text(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo", "-o", "-"]) == 2
    out, said = capsys.readouterr()
    assert out == ""
    assert "demo uses standard output for what it shows. Give a file, such as demo.csv." in said
    assert not [*tmp_path.iterdir()]


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
        (["--model", "demo", "--range", "0:inf"], "LOW:HIGH"),
        (["--model", "demo", "-o", "/no/such/folder/out.csv"], "its folder does not exist. Create the folder"),
        (["--model", "demo", "-o", "."], "is a folder. Give a file name"),
        (["--model", "demo", "-o", "new/"], "new/ is a folder. Give a file name, such as new/output.csv."),
        (
            ["--model", "gone/model.h5"],
            "There is no model called 'gone/model.h5', and no such file or folder. Check the name",
        ),
        (["--model", "./gone"], "no such file or folder"),
        (["--model", r"C:\models\gone.h5"], r"There is no model called 'C:\models\gone.h5', and no such file"),
        (["--model", "a" * 300], "There is no model called"),
    ],
)
def test_wrong_use_says_what_is_wrong_and_ends_with_2(folder, capsys, arguments, said):
    assert cli.main(["classify", str(folder / "a.png"), *arguments]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["clasify"], "There is no command 'clasify'. Did you mean classify?"),
        (["--verison"], "There is no option --verison. Did you mean --version?"),
        (["classify", "a.png", "--modle", "demo"], "There is no option --modle. Did you mean --model"),
        (["classify", "a.png", "-m", "demo", "--ouput=x.csv"], "There is no option --ouput. Did you mean --output"),
        (["classify", "a.png"], "Missing: -m/--model. See `napari-webipred classify --help`."),
        (["classify", "a.png", "-m"], "-m/--model needs a value."),
        (
            ["classify", "a.png", "-m", "demo", "-x"],
            "-x is not an argument of this command. See `napari-webipred classify --help`",
        ),
        (["evaluate", "r.csv", "--truth", "t.csv", "--draws", "many"], "--draws: many is not a whole number."),
        (["models", "--page", "one"], "--page: one is not a whole number."),
        (["a\x1b[2J\u202e"], r"There is no command 'a\x1b[2J\u202e'."),
    ],
)
def test_a_mistake_on_the_command_line_is_answered_in_one_line(capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    line, rest = capsys.readouterr().err.split("\n", 1)
    assert line.startswith(f"napari-webipred: {said}")
    assert rest == ""


def test_an_option_may_be_shortened_and_names_may_begin_with_hyphens(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "a.png").rename(folder / "--a.png")
    out = tmp_path / "out.csv"
    assert cli.main(["classify", "--mod", "demo", "-o", str(out), "--", "--a.png"]) == 0
    assert [line[0] for line in read(out)[1:]] == ["'--a.png"]
    assert [each["image"] for each in json.loads((tmp_path / "out.csv.json").read_bytes())["inputs"]] == ["--a.png"]


def test_nothing_at_all_is_answered_with_the_commands(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([])
    assert ended.value.code == 2
    assert "classify" in capsys.readouterr().err


def test_the_demo_model_cannot_be_removed_and_says_why(capsys):
    assert cli.main(["remove", "Demo"]) == 2
    assert "The demo model is part of napari-webipred and cannot be removed." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["scan.png", "scan.PNG", "net.onnx", "model.json", "table.xlsx"])
@pytest.mark.parametrize("command", [["classify", "scan.png", "-m", "demo"], ["demo"]])
def test_an_image_or_a_model_is_never_replaced_by_a_table(folder, capsys, monkeypatch, command, name):
    monkeypatch.chdir(folder)
    (folder / "a.png").rename(folder / "scan.png")
    path = folder / name
    if not path.exists():
        path.write_text("precious")
    before = {each: each.read_bytes() for each in folder.iterdir() if each.is_file()}
    assert cli.main([*command, "-o", name, "--overwrite"]) == 2
    assert f"{name} cannot be written" in capsys.readouterr().err or command[0] == "classify"
    assert {each: each.read_bytes() for each in folder.iterdir() if each.is_file()} == before


def test_an_output_that_is_an_input_is_refused_even_when_it_may_be_overwritten(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "a.png").rename(folder / "scan")
    (folder / "model.txt").write_text("a model")
    for given in (["./scan", "-m", "demo", "-o", "scan"], ["scan", "-m", "model.txt", "-o", "model.txt"]):
        assert cli.main(["classify", *given, "--overwrite"]) == 2
        assert f"{given[-1]} is one of the inputs" in capsys.readouterr().err
    assert (folder / "scan").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["out.csv", "out.csv.json"])
def test_a_file_that_is_no_result_of_ours_is_replaced_only_on_demand(folder, tmp_path, capsys, name):
    out = tmp_path / "out.csv"
    (tmp_path / name).write_bytes(b"a,table\r\nof,mine\r\n")
    command = ["classify", str(folder / "a.png"), "-m", "demo", "-o", str(out)]
    assert cli.main(command) == 2
    assert f"{tmp_path / name} exists and was not written by napari-webipred" in capsys.readouterr().err
    assert (tmp_path / name).read_bytes() == b"a,table\r\nof,mine\r\n"
    assert cli.main([*command, "--overwrite"]) == 0
    assert cli.main(command) == 0  # now it is ours
    assert len(read(out)) == 2


def test_a_bundle_replaces_no_image_and_no_file_of_others(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "mine.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    for name, said in (("a.png", "a bundle is a zip archive"), ("mine.zip", "was not written by napari-webipred")):
        before = (folder / name).read_bytes()
        assert cli.main(["bundle", "webipred-16", "-o", name]) == 2
        assert said in capsys.readouterr().err
        assert (folder / name).read_bytes() == before


def test_a_disk_that_fills_up_is_told_with_the_file(folder, tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        assert cli.main(["classify", str(folder), "--model", "demo", "-o", str(tmp_path / "out.csv")]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'out.csv'} cannot be written: the disk is full. Free up space" in said
    assert not list(tmp_path.glob("*out.csv*"))
    monkeypatch.setattr(CsvWriter, "write", full)
    assert cli.main(["classify", str(folder), "--model", "demo"]) == 2
    assert "The output cannot be written: the disk is full. Free up space" in capsys.readouterr().err


def test_a_name_that_ends_in_tsv_gives_the_same_cells_separated_by_tabs(folder, tmp_path):
    for name in ("out.csv", "out.tsv"):
        assert cli.main(["classify", str(folder / "a.png"), "--model", "demo", "-o", str(tmp_path / name)]) == 0
    lines = (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t") for line in lines] == read(tmp_path / "out.csv")
    assert json.loads((tmp_path / "out.tsv.json").read_text())["complete"]
    assert cli.main(["classify", str(folder / "a.png"), "--model", "demo", "-o", str(tmp_path / "out.tsv")]) == 0


def test_excel_is_refused_because_it_cannot_grow_row_by_row(folder, tmp_path, capsys):
    assert cli.main(["classify", str(folder), "--model", "demo", "-o", str(tmp_path / "out.xlsx")]) == 2
    said = capsys.readouterr().err
    assert "the results are written as CSV, TSV, JSON lines or Parquet. Choose a name that ends in .csv." in said


def test_a_folder_without_images_is_wrong_use(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert cli.main(["classify", str(tmp_path / "empty"), "--model", "demo"]) == 2
    assert "No images" in capsys.readouterr().err


def test_all_images_failing_is_told_by_the_exit_status(tmp_path, capsys):
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


@pytest.mark.parametrize(("name", "status"), [("a.png", 0), ("no such file.png", 1)])
def test_the_process_ends_with_the_status_after_all_that_is_registered_for_its_end(folder, name, status):
    code = (
        "import atexit, sys; from napari_webipred.cli.main import program; "
        "atexit.register(print, 'the end'); sys.argv[1:] = ['classify', *sys.argv[1:], '--model', 'demo']; program()"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder / name)], capture_output=True, text=True)
    assert done.returncode == status
    header, row, end = done.stdout.splitlines()
    assert (header.split(",")[0], row.split(",")[0], end) == ("image", str(folder / name), "the end")


@pytest.mark.skipif(sys.platform == "win32", reason="names are as long as paths there")
def test_a_single_name_that_no_file_can_have_gives_a_row_with_an_error(capsys):
    name = f"{'x' * 300}.png"
    assert cli.main(["classify", name, "--model", "demo"]) == 1
    assert "its name is too long" in capsys.readouterr().out
    assert wp.classify(name, "demo")["error"].item()


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


NOT_UTF8 = pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="only Linux has names that are no UTF-8")
PROGRAM = [sys.executable, "-m", "napari_webipred.cli"]


@pytest.fixture
def strange(tmp_path) -> Path:
    """A folder of images with names as attackers and old archives make them."""
    folder = tmp_path / "strange\udcff"
    try:
        folder.mkdir()
        for name in ("caf\udce9.png", r"caf\xe9.png", "a\x1b[2J\n.png", "b\u202egnp.png"):
            Image.new("L", (20, 20), 128).save(folder / name)
    except (OSError, UnicodeError):
        pytest.skip("this file system does not take such names")
    (folder / "broken\udce9\x1b[2J.png").write_bytes(b"nothing")
    (folder / "notes\udce9\x1b[2J.txt").touch()
    return folder


def is_plain(text: str) -> bool:
    return all(visible(line) == line for line in text.splitlines()) and not set(text) & set("\v\f\x85\u2028\u2029")


@NOT_UTF8
@pytest.mark.parametrize(("encoding", "output"), [("utf-8", "out.csv"), ("utf-8", None), ("ascii", None)])
def test_names_that_are_no_utf8_end_nothing_and_are_found_again(strange, tmp_path, encoding, output):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    command = [*PROGRAM, "classify", strange, strange / "gone\udce9", "-m", "demo", *(["-o", output] if output else [])]
    done = subprocess.run(command, capture_output=True, env=environment, check=False, cwd=tmp_path)
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert "Traceback" not in said
    assert is_plain(said)
    table = (tmp_path / output).read_bytes() if output else done.stdout
    assert is_plain(table.decode("utf-8"))
    _, *rows = csv.reader(table.decode("utf-8").splitlines())
    paths = [Path(unescape(row[0])) for row in rows]
    assert set(paths) == {*strange.glob("*.png"), strange / "gone\udce9"}
    assert [path.exists() for path in paths] == [not row[0].endswith(r"gone\xe9") for row in rows]
    assert sum(not row[-1] for row in rows) == 4
    assert len({row[0] for row in rows}) == 6
    if output:
        record = (tmp_path / "out.csv.json").read_bytes().decode("utf-8")
        assert is_plain(record)
        assert [entry["image"] for entry in json.loads(record)["inputs"]] == [row[0] for row in rows]


@NOT_UTF8
def test_python_takes_such_names_and_writes_them_in_the_same_way(strange):
    table = wp.classify([strange, str(strange / "caf\udce9.png")], "demo")
    table.to_csv().encode("utf-8")
    assert {Path(unescape(name)) for name in table["image"]} == set(strange.glob("*.png"))
    failed = table[table["error"] != ""]
    assert list(failed["image"]) == [escape(str(strange / "broken\udce9\x1b[2J.png"))]
    assert r"broken\xe9\x1b[2J.png" in failed["error"].iloc[0]


@NOT_UTF8
def test_such_names_of_models_and_outputs_end_nothing(strange, tmp_path):
    (strange / "net\udce9\x1b[2J.onnx").write_bytes(b"nothing")
    for model in (strange / "net\udce9\x1b[2J.onnx", strange / "gone\udce9\x1b[2J.onnx", "gone\udce9\x1b[2J"):
        done = subprocess.run([*PROGRAM, "classify", strange, "-m", model], capture_output=True, check=False)
        assert done.returncode == 2
        assert is_plain(done.stderr.decode())
        assert b"Traceback" not in done.stderr
    model = write_tfjs(strange / "m\udce9\x1b[2J", activation="softmax")
    (model / "extra\udce9\n.txt").touch()
    for path in (model, (model / "model.json").rename(model / "net\udce9.json")):
        table = wp.classify(sample_images()[0], wp.open_model(path, standardize="tf"))
        assert list(table["error"]) == [""]
    done = subprocess.run([*PROGRAM, "demo", "-o", strange / "out\udce9\x1b[2J.csv"], capture_output=True, check=False)
    assert done.returncode == 0
    assert is_plain(done.stdout.decode() + done.stderr.decode())
    assert len(read(strange / "out\udce9\x1b[2J.csv")) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="the shell of Windows closes no streams")
@pytest.mark.parametrize(
    ("command", "closed"),
    [
        *((["models"], closed) for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-")),
        (["demo"], ">&-"),
        (["demo"], "<&- >&- 2>&-"),
        (["classify", str(sample_images()[0]), "-m", "demo"], "2>&-"),
        (["classify", str(sample_images()[0]), "-m", "demo"], "<&- >&- 2>&-"),
    ],
)
def test_a_stream_that_is_closed_ends_nothing(tmp_path, command, closed):
    line = ["sh", "-c", f'exec "$@" {closed}', "sh", *PROGRAM, *command]
    done = subprocess.run(line, capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    if command == ["demo"]:
        assert len(read(tmp_path / "demo.csv")) == 6


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
@pytest.mark.parametrize("command", ["demo", "models", "classify"])
def test_a_reader_that_has_seen_enough_ends_the_program_quietly(tmp_path, command):
    arguments = [str(sample_images()[0]), "-m", "demo"] if command == "classify" else []
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, command, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False, cwd=tmp_path
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("command", ["demo", "models", "classify"])
def test_standard_output_on_a_full_disk_says_so(tmp_path, command):
    arguments = [str(sample_images()[0]), "-m", "demo"] if command == "classify" else []
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, command, *arguments], stdout=full, stderr=subprocess.PIPE, check=False, cwd=tmp_path
        )
    assert done.returncode == 2
    assert done.stderr.decode().startswith("napari-webipred: The output cannot be written: the disk is full. Free up")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 2), ("", 2)])
def test_on_a_terminal_the_user_is_asked_before_a_file_is_replaced(folder, tmp_path, answer, status):
    (tmp_path / "out.csv").write_text("mine")
    ours, terminal = os.openpty()
    command = [*PROGRAM, "classify", folder / "a.png", "-m", "demo", "-o", "out.csv"]
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=tmp_path) as process:
        os.close(terminal)
        said = b""
        while b"Replace it? [y/N]" not in said:
            said += os.read(ours, 1000)
        os.write(ours, answer.encode() + b"\n")
        with suppress(OSError):  # so Linux says that the other end is closed
            while more := os.read(ours, 1000):
                said += more
    os.close(ours)
    assert process.returncode == status, said
    assert ((tmp_path / "out.csv").read_text() == "mine") == (status == 2)


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


def test_classes_without_names_are_told_and_how_to_name_them(folder, tmp_path, capsys):
    model = write_tfjs(tmp_path / "m", outputs=1, activation="sigmoid")
    arguments = ["classify", str(folder / "a.png"), "-m", str(model), "--standardize", "tf"]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("image,0,1,prediction,error")
    assert "Class 0 is the one with outputs near 0." in shown.err
    assert "--classes" in shown.err
    assert cli.main([*arguments, "--classes", "ill,healthy"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("image,ill,healthy,prediction,error")
    assert "--classes" not in shown.err


def test_the_output_of_several_is_asked_for_chosen_and_recorded(folder, tmp_path, capsys):
    model = write_heads(tmp_path / "m", low=("Max", 1), mid=("Average", 1))
    out = tmp_path / "out.csv"
    arguments = ["classify", str(folder / "a.png"), "-m", str(model), "--standardize", "none", "-o", str(out)]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert "low (1 number); mid (1 number)" in said
    assert "--output-name" in said
    assert not out.exists()
    assert cli.main([*arguments, "--output-name", "mid"]) == 0
    record = json.loads((tmp_path / "out.csv.json").read_text())["model"]
    assert record["output"]["tensor_name"] == "mid"
    assert record["task"] == "regression"


def test_a_value_is_shown_with_its_unit_and_without_a_bar(folder, tmp_path, capsys, monkeypatch):
    model = write_tfjs(tmp_path / "m", outputs=1)
    classes = [{"index": 0, "name": "age", "unit": "years"}]
    (model / "webipred.json").write_text(json.dumps({"task": "regression", "classes": classes}))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert cli.main(["classify", str(folder / "a.png"), "-m", str(model), "--standardize", "0-1"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"    age \d[\d.e-]* years$", shown, re.MULTILINE)
    assert "█" not in shown
    assert "*" not in shown


def test_numbers_that_are_no_probabilities_end_the_program_with_one_message(folder, tmp_path, capsys):
    model = write_strange(tmp_path / "m.onnx", 9)
    out = tmp_path / "out.csv"
    arguments = ["classify", str(folder), str(folder), "-m", str(model), "--standardize", "none", "-o", str(out)]
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err.count("are not probabilities") == 1
    assert cli.main([*arguments, "--activation", "none"]) in {0, 1}


def test_that_a_network_gives_no_probabilities_is_said_once_and_nothing_is_written(folder, tmp_path, capsys):
    model, out = write_tfjs(tmp_path / "m"), tmp_path / "out.csv"
    arguments = ["classify", str(folder), "-m", str(model), "--standardize", "none", "-o", str(out)]
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err.count("not probabilities") == 1
    assert not out.exists()
