"""A run that ended within a stack goes on with the same stack only, and leaves no plane out."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_webipred import cli, engine

TABLE = "out.csv"
GIVEN = ["classify", "scans", "--model", "demo", "--output", TABLE]


def write_stack(path: Path, planes: int = 5, seed: int = 0) -> None:
    stack = np.random.default_rng(seed).integers(0, 900, (planes, 20, 24), np.uint16)
    tifffile.imwrite(path, stack, photometric="minisblack", metadata={"axes": "ZYX"})


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only image of a run, in a working folder."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "scans" / "a.tif"
    path.parent.mkdir()
    write_stack(path)
    return path


def ended_after(rows: int, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    """Leave what a run leaves that is ended by Ctrl-C after some rows."""
    original = engine.classify

    def few(*arguments: object) -> Iterator[object]:
        for number, event in enumerate(original(*arguments)):  # type: ignore[arg-type]
            if number > rows:
                raise KeyboardInterrupt
            yield event

    with monkeypatch.context() as patched:
        patched.setattr(engine, "classify", few)
        assert cli.main([*GIVEN, *options]) == 130


def places() -> list[str]:
    with Path(TABLE).open(newline="") as file:
        return [row.get("z", "") for row in csv.DictReader(file)]


def test_a_run_goes_on_within_a_stack_that_is_the_same(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended_after(3, monkeypatch)
    assert cli.main([*GIVEN, "--resume"]) == 0
    assert places() == ["0", "1", "2", "3", "4"]


def test_a_run_of_merged_channels_goes_on_within_a_stack(stack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(4).integers(0, 900, (4, 2, 20, 24), np.uint16)
    tifffile.imwrite(stack, pixels, photometric="minisblack", metadata={"axes": "ZCYX"}, ome=True)
    ended_after(2, monkeypatch, "--channels", "0,1")
    assert cli.main([*GIVEN, "--channels", "0,1", "--resume"]) == 0
    assert places() == ["0", "1", "2", "3"]


def test_planes_of_a_stack_that_cannot_be_read_any_more_are_not_left_out(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody knows how many planes are missing."""
    ended_after(3, monkeypatch)
    before = stack.read_bytes()
    stack.write_bytes(b"nonsense")
    assert cli.main([*GIVEN, "--resume"]) == 2
    said = capsys.readouterr().err
    assert "a.tif, of which 3 rows are there, cannot be read" in said
    assert "Run it without --resume to begin anew." in said
    stack.write_bytes(before)
    assert cli.main([*GIVEN, "--resume"]) == 0
    assert places() == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("planes", [2, 3, 5, 8])
def test_planes_of_two_files_never_stand_as_one_stack(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], planes: int
) -> None:
    ended_after(3, monkeypatch)
    write_stack(stack, planes, seed=1)
    assert cli.main([*GIVEN, "--resume"]) == 2
    assert "a.tif, of which 3 rows are there, has changed since" in capsys.readouterr().err


@pytest.mark.parametrize("retry", [False, True])
def test_a_file_that_failed_and_is_a_stack_now_is_tried_again_as_a_whole_or_not_at_all(
    stack: Path, monkeypatch: pytest.MonkeyPatch, retry: bool
) -> None:
    stack.write_bytes(b"nonsense")
    write_stack(stack.with_name("b.tif"), 2, seed=2)
    ended_after(1, monkeypatch)
    write_stack(stack)
    assert cli.main([*GIVEN, "--resume", *(["--retry-failed"] if retry else [])]) == (0 if retry else 1)
    assert places() == [*("01234" if retry else [""]), "0", "1"]


@pytest.mark.parametrize("gone", [False, True])
def test_after_a_plain_image_the_run_goes_on_with_the_next_one(
    stack: Path, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    plain = stack.with_name("0.tif")
    tifffile.imwrite(plain, np.random.default_rng(1).integers(0, 900, (20, 24), np.uint16))
    ended_after(1, monkeypatch)
    if gone:
        plain.write_bytes(b"nonsense")
    else:
        write_stack(plain)
    assert cli.main([*GIVEN, "--resume"]) == 0
    assert places() == ["", "0", "1", "2", "3", "4"]
