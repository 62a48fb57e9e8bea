"""A run is repeated from its record, and every difference is told."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dicom_maker import ct_slice
from dicom_maker import written as write_dicom
from napari_webipred import cli
from napari_webipred.results.record import record_path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 4000, (60, 70)).astype(np.uint16)
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    monkeypatch.chdir(tmp_path)
    return folder


def first_run(*told: str) -> Path:
    cli.main(["classify", "scans", "-m", "demo", "-o", "out.csv", *told])
    return record_path(Path("out.csv"))


@pytest.mark.parametrize(
    "told",
    [
        [],
        ["--range", "0:3000", "--views", "symmetries", "--profile", "aucmedi", "--threshold", "0.3"],
        ["-m", "demo", "--ensemble", "weighted", "--weights", "2,1"],
    ],
)
def test_the_same_run_gives_the_same_bits(folder: Path, told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    record = first_run(*told)
    capsys.readouterr()
    assert cli.main(["rerun", str(record)]) == 0
    out, said = capsys.readouterr()
    assert out == ""
    assert f"All {6 if '-m' in told else 3} rows are the same, bit for bit." in said
    assert cli.main(["rerun", "out.csv", "-o", "again.csv"]) == 0
    assert Path("again.csv").read_bytes() == Path("out.csv").read_bytes()
    assert cli.main(["rerun", "again.csv.json"]) == 0  # its record is as good as the first


def test_stacks_are_read_again_as_they_were_and_label_images_too(folder: Path, capsys) -> None:
    import tifffile

    stack = np.random.default_rng(0).integers(0, 255, (4, 50, 60), np.uint8)
    tifffile.imwrite("stack.tif", stack, photometric="minisblack", metadata={"axes": "ZYX"})
    labels = np.zeros((50, 60), np.uint8)
    labels[5:45, 5:30] = 1
    labels[5:45, 32:58] = 2
    Image.fromarray(labels).save("labels.png")
    told = ["-m", "demo", "--axes", "t", "--planes", "t=0:4:2", "--regions", "labels.png", "--blank"]
    assert cli.main(["classify", "stack.tif", *told, "-o", "out.csv"]) == 0
    capsys.readouterr()
    assert cli.main(["rerun", "out.csv.json"]) == 0
    assert "All 4 rows are the same" in capsys.readouterr().err


def test_a_hyphen_in_place_of_the_output_is_no_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = first_run()
    before = {*Path().iterdir()}
    assert cli.main(["rerun", str(record), "-o", "-"]) == 0
    assert {*Path().iterdir()} == before


def test_an_image_that_was_changed_or_is_gone_is_named_and_its_cells_listed(folder: Path, capsys) -> None:
    record = first_run()
    entries = json.loads(record.read_text(encoding="utf-8"))["inputs"]
    assert [entry["bytes"] for entry in entries] == [Path(entry["image"]).stat().st_size for entry in entries]
    Image.fromarray(np.zeros((60, 70), np.uint8)).save(folder / "1.png")
    (folder / "2.png").unlink()
    capsys.readouterr()
    assert cli.main(["rerun", str(record)]) == 1
    out, said = capsys.readouterr()
    assert "1.png was changed since the first run." in said
    assert "2.png is not there any more." in said
    assert "2 of 3 rows differ" in said
    header, *lines = csv.reader(out.splitlines())
    assert header == ["row", "image", "column", "before", "now"]
    assert {line[0] for line in lines} == {"2", "3"}
    assert {line[2] for line in lines} >= {"sharp", "error"}
    old = list(csv.reader(Path("out.csv").read_text(encoding="utf-8").splitlines()))
    assert all(line[3] == old[int(line[0])][old[0].index(line[2])] for line in lines)


def test_another_model_other_versions_and_a_changed_table_are_told(folder: Path, capsys) -> None:
    record = first_run()
    content = json.loads(record.read_text(encoding="utf-8"))
    content["versions"]["numpy"] = "0.1"
    content["model"]["checksum"] = "sha256:" + "0" * 64
    content["preprocessing"]["standardize_mode"] = "torch"
    record.write_text(json.dumps(content))
    table = Path("out.csv")
    table.write_text(table.read_text(encoding="utf-8").replace("0.png,0.", "0.png,1."), encoding="utf-8")
    capsys.readouterr()
    assert cli.main(["rerun", str(record)]) == 1
    out, said = capsys.readouterr()
    assert "numpy was 0.1, and is " in said
    assert f"The checksum of the model has changed: sha256:{'0' * 64} before, sha256:53a5" in said
    assert "The preprocessing has changed" in said
    assert "out.csv was changed after it was written." in said
    assert len(out.splitlines()) == 2


def test_a_label_or_model_in_another_place_is_found_by_its_new_name(folder: Path, tmp_path: Path, capsys) -> None:
    from napari_webipred import open_model
    from napari_webipred.catalogue.built_in import __file__ as place

    demo = next(Path(place).parents[1].rglob("demo.zip"))
    shutil.copy(demo, tmp_path / "mine.zip")
    named = ["--classes", ",".join(open_model("demo").classes), "--standardize", "tf"]
    assert cli.main(["classify", "scans", "-m", "mine.zip", *named, "-o", "out.csv"]) == 0
    (tmp_path / "mine.zip").rename(tmp_path / "moved.zip")
    capsys.readouterr()
    assert cli.main(["rerun", "out.csv.json"]) == 2
    assert cli.main(["rerun", "out.csv.json", "--model", "moved.zip"]) == 0


def test_thresholds_are_those_of_the_first_run_even_if_they_were_forgotten(folder: Path, capsys) -> None:
    from napari_webipred import open_model
    from napari_webipred.cache import overrides
    from napari_webipred.cache.eviction import wipe
    from napari_webipred.model_overrides import Thresholds

    overrides.keep_thresholds(open_model("demo").checksum, Thresholds("mine", {"noisy": 0.9}))
    assert cli.main(["classify", "scans", "-m", "demo", "--threshold", "mine", "-o", "out.csv"]) == 0
    wipe()
    assert cli.main(["rerun", "out.csv.json"]) == 0


def test_what_is_no_record_of_a_run_on_files_is_refused_in_words(folder: Path, capsys) -> None:
    record = first_run()
    content = json.loads(record.read_text(encoding="utf-8"))
    (folder / "x.json").write_text("[]")
    without = {**content, "model": {k: v for k, v in content["model"].items() if k != "reference"}}
    (folder / "y.csv.json").write_text(json.dumps(without))
    Path("z.csv.json").write_text(json.dumps(content))
    for name, damaged in (("v", {"options": []}), ("w", {"model": {**content["model"], "settings": {"size": "x"}}})):
        Path(f"{name}.csv").write_text("image\n")
        Path(f"{name}.csv.json").write_text(json.dumps({**content, **damaged}))
    for wrong, message in (
        ("missing.json", "There is no record missing.json."),
        (str(folder / "x.json"), "is no record of a run"),
        (str(folder / "y.csv.json"), "does not say how its model is opened"),
        ("z.csv.json", "There is no table z.csv"),
        ("v.csv.json", "v.csv.json is damaged"),
        ("w.csv.json", "w.csv.json is damaged"),
    ):
        assert cli.main(["rerun", wrong]) == 2
        assert message in capsys.readouterr().err
    shutil.rmtree(folder)
    assert cli.main(["rerun", str(record)]) == 2
    assert "None of the 3 images of this run is here" in capsys.readouterr().err


@pytest.mark.parametrize(
    "damaged",
    [{"model": {"classes": classes}} for classes in ([1], [{"name": 5}], None)] + [{"planes": {"done": "all"}}],
    ids=str,
)
def test_a_record_without_what_the_end_needs_is_refused_before_the_run(
    folder: Path, damaged: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    record = first_run()
    content = json.loads(record.read_text(encoding="utf-8"))
    for name, part in damaged.items():
        content[name] |= part
    record.write_text(json.dumps(content), encoding="utf-8")
    assert cli.main(["rerun", str(record), "-o", "again.csv"]) == 2
    assert "out.csv.json is damaged: " in capsys.readouterr().err
    assert not Path("again.csv").exists()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("out.csv", lambda content: content.replace(b"0.", b"\xff.", 1)),
        ("out.jsonl", lambda content: content[:-20]),
        ("out.jsonl", lambda content: content + b"[]\n"),
        ("out.parquet", lambda content: content[:-20]),
    ],
)
def test_a_damaged_table_is_refused_before_the_run(
    folder: Path, name: str, damage: Callable[[bytes], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    cli.main(["classify", "scans", "-m", "demo", "-o", name])
    Path(name).write_bytes(damage(Path(name).read_bytes()))
    capsys.readouterr()
    assert cli.main(["rerun", f"{name}.json", "-o", "again.csv"]) == 2
    assert f"napari-webipred: {name} is no table of results any more" in capsys.readouterr().err
    assert not Path("again.csv").exists()


def test_a_mark_that_an_editor_has_put_before_lines_of_json_is_no_difference(folder: Path, capsys) -> None:
    cli.main(["classify", "scans", "-m", "demo", "-o", "out.jsonl"])
    Path("out.jsonl").write_bytes(b"\xef\xbb\xbf" + Path("out.jsonl").read_bytes())
    capsys.readouterr()
    assert cli.main(["rerun", "out.jsonl.json"]) == 1
    out, said = capsys.readouterr()
    assert out == ""
    assert "out.jsonl was changed after it was written." in said
    assert "bit for bit" in said


def test_the_same_number_in_another_notation_is_no_difference_but_a_text_is(folder: Path, capsys) -> None:
    first_run()
    names, first, *others = csv.reader(Path("out.csv").read_text(encoding="utf-8").splitlines())
    number = names.index("sharp")

    def rerun_with(changed: list[str]) -> list[list[str]]:
        with Path("out.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([names, changed, *others])
        capsys.readouterr()
        cli.main(["rerun", "out.csv.json"])
        return list(csv.reader(capsys.readouterr().out.splitlines()))[1:]

    assert rerun_with([f"{Decimal(cell):e}" if place == number else cell for place, cell in enumerate(first)]) == []
    for place, cell in ((number, f"-{first[number]}"), (number, "none"), (names.index("prediction"), "none")):
        ((row, _, column, before, now),) = rerun_with([*first[:place], cell, *first[place + 1 :]])
        assert (row, column, before, now) == ("1", names[place], cell, first[place])


def written(path: str, rows: list[list[str]]) -> None:
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def differing_columns(capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    cli.main(["rerun", "out.csv.json"])
    return [line[2] for line in csv.reader(capsys.readouterr().out.splitlines())][1:]


def test_the_numbers_of_a_class_are_numbers_whatever_it_is_called(folder: Path, capsys) -> None:
    first_run("--classes", "model,run,region,series,comment")
    names, *rows = csv.reader(Path("out.csv").read_text(encoding="utf-8").splitlines())
    classes = [names.index(name) for name in ("model", "run", "region", "series", "comment")]
    rewritten = [[f"{Decimal(cell):e}" if place in classes else cell for place, cell in enumerate(row)] for row in rows]
    written("out.csv", [names, *rewritten])
    assert rewritten != rows
    assert differing_columns(capsys) == []


def test_cells_are_compared_with_those_below_the_same_name_in_whatever_order_columns_stand(
    folder: Path, capsys
) -> None:
    import tifffile

    stack = np.random.default_rng(0).integers(0, 255, (2, 3, 50, 60), np.uint8)
    tifffile.imwrite("scans/stack.tif", stack, photometric="minisblack", metadata={"axes": "TZYX"})
    first_run()
    rows = [*csv.reader(Path("out.csv").read_text(encoding="utf-8").splitlines())]
    assert rows[0][:3] == ["image", "t", "z"]
    turned = [[image, z, t, *others] for image, t, z, *others in rows]
    written("out.csv", turned)
    assert differing_columns(capsys) == []
    turned[4][2] = "7"
    written("out.csv", turned)
    assert differing_columns(capsys) == ["t"]
    turned[4][2] = rows[4][1]
    turned[0][-3] = "of old"  # a class that is called differently now stands in the same place
    written("out.csv", turned)
    assert differing_columns(capsys) == ["names of the columns"]


def test_series_are_found_in_their_folders_again(folder: Path, capsys) -> None:
    for uid, patient in (("1.2.4", "a"), ("1.2.5", "b")):
        (folder / patient).mkdir()
        for number in range(3):
            of_series = {"SeriesInstanceUID": uid, "InstanceNumber": number + 1}
            write_dicom(folder / patient / f"{number}.dcm", ct_slice(2 * number, **of_series))
    first_run("--planes", "z=1:3", "--identify")
    table = Path("out.csv").read_text(encoding="utf-8")
    assert f"{Path('scans/a/CT series 3')},1," in table
    capsys.readouterr()
    assert cli.main(["rerun", "out.csv.json"]) == 0
    out, said = capsys.readouterr()
    assert out == ""
    assert "bit for bit" in said
    (folder / "b" / "1.dcm").write_bytes((folder / "b" / "1.dcm").read_bytes()[:-40])
    assert cli.main(["rerun", "out.csv.json"]) == 1
    assert "The slice is 1.dcm." in capsys.readouterr().out


def test_a_series_of_which_a_part_lies_elsewhere_is_told(folder: Path, capsys) -> None:
    for number, place in enumerate("aabb"):
        (folder / place).mkdir(exist_ok=True)
        write_dicom(folder / place / f"{number}.dcm", ct_slice(2 * number, InstanceNumber=number + 1))
    first_run()
    capsys.readouterr()
    assert cli.main(["rerun", "out.csv.json"]) == 1
    said = capsys.readouterr().err
    assert f"{Path('scans/a/CT series 3')} had 4 rows, and has 2 now." in said
    assert f"put the files of it that lie elsewhere into {Path('scans/a')}." in said
