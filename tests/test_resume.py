"""A run that was ended at any moment goes on, and gives the very file of a run that nobody disturbed."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from full_disk import file_size_limit
from napari_webipred import cli
from napari_webipred.evaluation import predictions
from napari_webipred.imaging.finding import FIRST
from napari_webipred.reports import results
from napari_webipred.results import journal, resuming
from napari_webipred.results.journal import inputs_of, journal_path
from napari_webipred.results.record import record_path

COUNT = FIRST + 20
# The program, which is killed by itself when it has written to files so many times.
KILLED = """
import os, signal, sys
from napari_webipred import cli
left, write = int(sys.argv[1]), os.write
def counted(descriptor, content):
    global left
    left -= 1
    if left < 0:
        write(descriptor, bytes(content)[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(descriptor, content)
os.write = counted
raise SystemExit(cli.main(sys.argv[2:]))
"""
SUFFIXES = ["csv", "tsv", "jsonl", "parquet"]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many small images, late among them a stack and a damaged file."""
    folder = tmp_path_factory.mktemp("cohort") / "scans"
    folder.mkdir()
    random = np.random.default_rng(3)
    for number in range(COUNT):
        path = folder / f"{number}.png"
        if number == FIRST + 3:
            stack = random.integers(0, 900, (6, 20, 24), np.uint16)
            tifffile.imwrite(path.with_suffix(".tif"), stack, photometric="minisblack", metadata={"axes": "ZYX"})
        elif number == FIRST + 7:
            path.write_bytes(b"nonsense")
        else:
            Image.fromarray(random.integers(0, 256, (20, 24), np.uint8)).save(path)
    return folder


@pytest.fixture
def here(cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(cohort.parent)
    folder = tmp_path / "results"  # beside it lies the cache
    folder.mkdir()
    return folder


def classify(*told: str) -> list[str]:
    return ["classify", "scans", "--model", "demo", *told]


def killed(after: int, *arguments: str) -> None:
    """Run the program until it has written so many times."""
    found = subprocess.run(
        [sys.executable, "-c", KILLED, str(after), *arguments], capture_output=True, text=True, check=False
    )
    assert found.returncode == -9, found.stderr


def record_of(table: Path) -> dict[str, object]:
    found = json.loads(record_path(table).read_bytes())
    return {name: value for name, value in found.items() if name != "made"}


@pytest.mark.skipif(sys.platform == "win32", reason="nobody is killed in this way on Windows")
@pytest.mark.parametrize("suffix", ["csv"])  # the others: test_resume_formats
def test_a_run_that_is_killed_again_and_again_gives_the_file_of_an_undisturbed_one(here: Path, suffix: str) -> None:
    whole, parts = here / f"whole.{suffix}", here / f"parts.{suffix}"
    assert cli.main(classify("-o", str(whole))) == 1
    # Within a line of the table, within the stack, and within a line of the journal.
    for after in (9, 72, 12):
        killed(after, *classify("-o", str(parts), "--resume"))
    assert cli.main(classify("-o", str(parts), "--resume")) == 1
    assert parts.read_bytes() == whole.read_bytes()
    assert record_of(parts) == record_of(whole)
    assert journal_path(parts).read_bytes() == journal_path(whole).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
@pytest.mark.parametrize("suffix", ["csv"])
def test_a_full_disk_ends_a_run_that_goes_on_when_there_is_space(here: Path, suffix: str, capsys) -> None:
    whole, parts = here / f"whole.{suffix}", here / f"parts.{suffix}"
    assert cli.main(classify("-o", str(whole))) == 1
    for most in (3_000, 5_000):
        with file_size_limit(most):
            assert cli.main(classify("-o", str(parts), "--resume")) == 2
        assert "cannot be written" in capsys.readouterr().err
    assert cli.main(classify("-o", str(parts), "--resume")) == 1
    assert parts.read_bytes() == whole.read_bytes()


def ended_early(table: Path, monkeypatch: pytest.MonkeyPatch, rows: int = 10) -> None:
    """Leave what a run leaves that is ended by Ctrl-C after some rows."""
    from napari_webipred import engine

    original = engine.classify

    def few(*arguments: object) -> Iterator[object]:
        for number, event in enumerate(original(*arguments)):
            if number > rows:
                raise KeyboardInterrupt
            yield event

    with monkeypatch.context() as patched:
        patched.setattr(engine, "classify", few)
        assert cli.main(classify("-o", str(table))) == 130


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (["--threshold", "0.4"], "threshold (options) was 0.5, and is 0.4"),
        (["--standardize", "torch"], "preprocessing"),
        (["--planes", "z=1"], "planes (options) was not given"),
        (["scans/1.png"], f"the images were {COUNT}, and are {COUNT + 1}"),
    ],
)
def test_another_run_is_refused_with_the_reason(here: Path, monkeypatch, capsys, change: list[str], said: str) -> None:
    table = here / "out.csv"
    ended_early(table, monkeypatch)
    before = {path.name: path.read_bytes() for path in here.iterdir()}
    capsys.readouterr()
    images = [each for each in change if each.startswith("scans")]
    options = [each for each in change if each not in images]
    assert cli.main(["classify", "scans", *images, "-m", "demo", "-o", str(table), "--resume", *options]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Run it without --resume to begin anew." in told
    assert {path.name: path.read_bytes() for path in here.iterdir()} == before


def test_other_images_of_the_same_number_another_model_or_version_are_refused(here: Path, monkeypatch, capsys) -> None:
    table = here / "out.csv"
    ended_early(table, monkeypatch)
    path = journal_path(table)
    head, *rows = path.read_text().splitlines(keepends=True)

    def refused(change: Callable[[dict], None]) -> str:
        found = json.loads(head)
        change(found["run"])
        path.write_text("".join([json.dumps(found) + "\n", *rows]))
        capsys.readouterr()
        assert cli.main(classify("-o", str(table), "--resume")) == 2
        return capsys.readouterr().err

    assert "the images are others, or in another order" in refused(lambda run: run["images"].update(sha256="0"))
    assert "the checksum of the model was sha256:0, and is" in refused(
        lambda run: run["model"].update(checksum="sha256:0")
    )
    assert "the version of numpy was 1.0, and is" in refused(lambda run: run["versions"].update(numpy="1.0"))
    path.write_text("".join([head, *rows]))
    assert cli.main(classify("-o", str(table), "--resume")) == 1


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_table_that_was_changed_is_not_gone_on_with(here: Path, monkeypatch, capsys, suffix: str) -> None:
    table = here / f"out.{suffix}"
    ended_early(table, monkeypatch)
    lines = table.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"0.", b"1.", 1)
    table.write_bytes(b"".join(lines))
    record = json.loads(record_path(table).read_bytes())
    record_path(table).write_text(json.dumps({**record, "table_checksum": None}))
    capsys.readouterr()
    assert cli.main(classify("-o", str(table), "--resume")) == 2
    assert "was changed after it was written" in capsys.readouterr().err
    assert table.read_bytes() == b"".join(lines)


@pytest.mark.parametrize(("suffix", "ended"), [("csv", "early")])
def test_images_that_failed_are_tried_again(here: Path, cohort: Path, monkeypatch, suffix: str, ended: str) -> None:
    """One was missing and is a stack now, one is repaired, one is not."""
    folder = here.parent / "scans"
    shutil.copytree(cohort, folder)
    monkeypatch.chdir(here.parent)
    for name in ("2.png", "4.png"):
        (folder / name).write_bytes(b"nonsense")
    table, whole = here / f"out.{suffix}", here / f"whole.{suffix}"
    given = ["classify", "scans", "--model", "demo", "-o"]
    if ended == "early":
        ended_early(table, monkeypatch)
    else:
        assert cli.main([*given, str(table)]) == 1
    shutil.copy(folder / "1.png", folder / "4.png")
    stack = np.random.default_rng(1).integers(0, 900, (3, 2, 20, 24), np.uint16)
    tifffile.imwrite(folder / "2.png", stack, photometric="minisblack", metadata={"axes": "TZYX"}, ome=True)
    assert cli.main([*given, str(table), "--resume"]) == 1
    assert cli.main([*given, str(whole)]) == 1
    assert table.read_bytes() != whole.read_bytes()
    assert cli.main([*given, str(table), "--resume", "--retry-failed"]) == 1
    assert table.read_bytes() == whole.read_bytes()
    assert record_of(table) == record_of(whole)
    assert {path.name for path in here.iterdir() if path.name.startswith(".")} == set()
    (folder / f"{FIRST + 7}.png").unlink()
    shutil.copy(folder / "1.png", folder / f"{FIRST + 7}.png")
    assert cli.main([*given, str(table), "--resume", "--retry-failed"]) == 0
    assert cli.main([*given, str(whole)]) == 0
    assert table.read_bytes() == whole.read_bytes()
    assert {path.name for path in here.iterdir()} == {
        table.name,
        f"{table.name}.json",
        whole.name,
        f"{whole.name}.json",
    }


def test_trying_again_needs_an_earlier_run(here: Path, capsys) -> None:
    assert cli.main(classify("-o", str(here / "out.csv"), "--retry-failed")) == 2
    assert "Add --resume." in capsys.readouterr().err


def test_a_run_that_is_complete_is_not_repeated(here: Path, monkeypatch, capsys) -> None:
    table = here / "out.csv"
    assert cli.main(["classify", "scans/1.png", "scans/2.png", "--model", "demo", "-o", str(table)]) == 0
    assert {path.name for path in here.iterdir()} == {"out.csv", "out.csv.json"}
    before = table.stat().st_mtime_ns, record_path(table).read_bytes()
    assert cli.main(["classify", "scans/1.png", "scans/2.png", "--model", "demo", "-o", str(table), "--resume"]) == 0
    assert "All images were classified before" in capsys.readouterr().err
    assert (table.stat().st_mtime_ns, record_path(table).read_bytes()) == before
    assert cli.main(["classify", "scans/2.png", "scans/1.png", "--model", "demo", "-o", str(table), "--resume"]) == 2
    assert "in another order" in capsys.readouterr().err


def test_resume_begins_where_there_is_nothing_yet(here: Path, capsys) -> None:
    assert cli.main(["classify", "scans/1.png", "--model", "demo", "-o", str(here / "a.csv"), "--resume"]) == 0
    assert "the run begins with the first image" in capsys.readouterr().err


@pytest.mark.parametrize("told", [["--explain", "maps", "-o", "out.csv"], ["--model", "demo", "-o", "out.csv"], []])
def test_what_cannot_go_on_is_refused(here: Path, monkeypatch, capsys, told: list[str]) -> None:
    shutil.copytree("scans", here / "scans")
    monkeypatch.chdir(here)
    assert cli.main(classify("--resume", *told)) == 2
    assert "can go on" in capsys.readouterr().err


def test_many_images_are_listed_beside_the_record_and_can_be_classified_again(here: Path, monkeypatch, capsys) -> None:
    few, many = here / "few.csv", here / "many.csv"
    assert cli.main(classify("-o", str(few))) == 1
    monkeypatch.setattr(journal, "LISTED_AT_MOST", 10)
    assert cli.main(classify("-o", str(many))) == 1
    assert many.read_bytes() == few.read_bytes()
    record = json.loads(record_path(many).read_bytes())
    assert (record["inputs"], record["inputs_file"]["file"]) == ([], "many.csv.inputs.jsonl")
    assert list(inputs_of(record, here)) == json.loads(record_path(few).read_bytes())["inputs"]
    for suffix in ("jsonl", "parquet"):
        assert cli.main(classify("-o", str(here / f"out.{suffix}"))) == 1
    for table in (few, many, here / "out.jsonl", here / "out.parquet"):
        capsys.readouterr()
        assert cli.main(["rerun", str(table)]) == 0
        assert f"All {COUNT + 5} rows are the same, bit for bit." in capsys.readouterr().err


def test_parquet_says_what_to_install(here: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert cli.main(classify("-o", str(here / "out.parquet"))) == 2
    assert 'pip install "napari-webipred[parquet]"' in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_parquet_file_that_cannot_be_put_in_its_place_is_made_later(here: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(here)
    (here / "scans").mkdir()
    for number in range(3):  # none of them fails: of failed ones the journal stays in any case
        Image.fromarray(np.full((20, 24), 50 * number, np.uint8)).save(here / "scans" / f"{number}.png")
    whole, late = here / "whole.parquet", here / "late.parquet"
    assert cli.main(classify("-o", str(whole))) == 0
    replace = Path.replace

    def refused(self: Path, target: Path) -> Path:
        if target == late:
            raise PermissionError(13, "open in another program")
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", refused)
        assert cli.main(classify("-o", str(late), "--resume")) == 2
    assert not late.exists()
    assert cli.main(classify("-o", str(late), "--resume")) == 0, capsys.readouterr().err
    assert late.read_bytes() == whole.read_bytes()
    assert record_of(late) == record_of(whole)
    assert sorted(path.name for path in here.glob("late*")) == ["late.parquet", "late.parquet.json"]


@pytest.mark.parametrize("ended", ["early", "when it was about to replace the file"])
def test_a_run_goes_on_that_was_to_replace_another_parquet_file(here: Path, monkeypatch, ended: str) -> None:
    whole, table = here / "whole.parquet", here / "out.parquet"
    assert cli.main(classify("-o", str(whole))) == 1
    assert cli.main(["classify", "scans/1.png", "--model", "demo", "-o", str(table)]) == 0
    if ended == "early":
        ended_early(table, monkeypatch)
    else:
        replace = Path.replace

        def killed_then(self: Path, target: Path) -> Path:
            if target == table:
                raise KeyboardInterrupt
            return replace(self, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", killed_then)
            assert cli.main(classify("-o", str(table))) == 130
    assert cli.main(classify("-o", str(table), "--resume", "--overwrite")) == 1
    assert table.read_bytes() == whole.read_bytes()
    assert record_of(table) == record_of(whole)


def test_all_formats_have_the_same_cells(here: Path) -> None:
    import pyarrow.parquet as pq

    tables = {suffix: here / f"out.{suffix}" for suffix in SUFFIXES}
    for table in tables.values():
        assert cli.main(classify("-o", str(table))) == 1
    with tables["csv"].open(newline="") as file:
        names, *rows = csv.reader(file)
    lines = [json.loads(line) for line in tables["jsonl"].read_text().splitlines()]
    columns = pq.read_table(tables["parquet"])
    assert columns.column_names == names
    assert {name: str(columns.schema.field(name).type) for name in ("image", "z", names[2])} == {
        "image": "string",
        "z": "int64",
        names[2]: "float",
    }
    for row, line, cells in zip(rows, lines, columns.to_pylist(), strict=True):
        for name, cell in zip(names, row, strict=True):
            for value in (line.get(name), cells[name]):
                if isinstance(value, float):
                    assert str(np.float32(value)) == cell
                else:
                    assert ("" if value is None else str(value)) == cell
    assert sum("z" in line for line in lines) == 6
    read = [predictions.of_file(table)[0] for table in tables.values()]
    reported = [results.of_file(table).rows for table in tables.values()]
    for found, of_report in zip(read, reported, strict=True):
        assert found.images == read[0].images
        np.testing.assert_array_equal(found.probabilities, read[0].probabilities)
        assert [row.image for row in of_report] == [row.image for row in reported[0]]
        assert [row.assigned for row in of_report] == [row.assigned for row in reported[0]]
    assert resuming.growing_path(tables["parquet"]).exists()  # a row has failed, and can be tried again
    assert os.listdir(here).count("out.csv.inputs.jsonl") == 1  # noqa: PTH208
