"""Images given as lists, tables, patterns and standard input."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_webipred import cli
from napari_webipred.errors import OptionError
from napari_webipred.imaging.lists import LONGEST_LINE, lines, listed
from napari_webipred.imaging.pattern import matching

POSIX = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a matter of POSIX")


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scans"
    for name in ("10.png", "9.png", "a/2.jpg", "a/b/1.png", "a/.hidden.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), len(name), np.uint8)).save(folder / name)
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def classified(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, str]]:
    def classify(*given: str, expected: int = 0) -> dict[str, str]:
        """Return the error of each image, in order."""
        status = cli.main(["classify", *given, "--model", "demo"])
        out, said = capsys.readouterr()
        assert status == expected, said
        return {row["image"]: row["error"] for row in csv.DictReader(io.StringIO(out))} if out else {"said": said}

    return classify


def test_a_list_names_files_and_folders_and_a_missing_one_is_a_failed_row(scans: Path, classified) -> None:
    Path("list.txt").write_bytes("\ufeffscans/9.png\r\n\r\nscans/gone.png\nscans/a\nscans/10.png".encode())
    found = classified("@list.txt", expected=1)
    assert list(found) == ["scans/9.png", "scans/gone.png", "scans/a/2.jpg", "scans/a/b/1.png", "scans/10.png"]
    assert [name for name, error in found.items() if error] == ["scans/gone.png"]
    assert "There is no file gone.png" in found["scans/gone.png"]


@pytest.mark.parametrize(
    ("name", "text", "column"),
    [
        ("t.csv", "patient,Path,label\n1,scans/9.png,a\n2,,b\n3,scans/10.png,c\n", None),
        ("t.csv", "patient;path\n1;scans/9.png\n3;scans/10.png\n", None),
        ("t.tsv", "patient\timage\n1\tscans/9.png\n3\tscans/10.png\n", None),
        ("t.csv", "where,path\nscans/9.png,1\nscans/10.png,2\n", "where"),
        ("t.csv", "whatever\nscans/9.png\nscans/10.png\n", None),
    ],
)
def test_a_table_names_files_in_a_column(scans: Path, classified, name: str, text: str, column: str | None) -> None:
    Path(name).write_text(text)
    more = ["--column", column] if column else []
    for given in (name, f"@{name}"):
        assert list(classified(given, *more)) == ["scans/9.png", "scans/10.png"]


def test_results_are_a_list_of_their_images_each_once(scans: Path, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    path.write_text("image,z,A,prediction,error\n'=a.png,0,1,A,\n'=a.png,1,1,A,\nx\\x0ay.png,,1,A,\n'=a.png,0,1,A,\n")
    assert list(listed(path)) == ["=a.png", "x\ny.png", "=a.png"]


def test_paths_come_from_standard_input_also_as_find_prints_them(scans: Path, classified, monkeypatch) -> None:
    strange = scans / "new\nline.png"
    if sys.platform != "win32":
        (scans / "9.png").rename(strange)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(f"{strange}\0scans/10.png\0".encode())))
        assert list(classified("-")) == [str(strange).replace("\n", "\\x0a"), "scans/10.png"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"scans/10.png\n")))
    assert list(classified("-", "scans/a")) == ["scans/10.png", "scans/a/2.jpg", "scans/a/b/1.png"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("scans/*.png", ["scans/9.png", "scans/10.png"]),
        ("scans/**/*.png", ["scans/9.png", "scans/10.png", "scans/a/b/1.png"]),
        ("scans/?/[12].jpg", ["scans/a/2.jpg"]),
        ("scans/[a]", ["scans/a/2.jpg", "scans/a/b/1.png"]),
        ("sc*/a/b/1.png", ["scans/a/b/1.png"]),
    ],
)
def test_patterns_match_as_in_a_shell_but_in_natural_order(scans: Path, classified, pattern, expected) -> None:
    assert list(classified(pattern)) == [name.replace("/", os.sep) for name in expected]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(scans: Path, classified) -> None:
    (scans / "9.png").rename(scans / "[1].png")
    assert list(classified("scans/[1].png")) == ["scans/[1].png"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("@none.txt", "The list none.txt cannot be read: "),
        ("@scans", "The list scans cannot be read: "),
        ("none.csv", "The list none.csv cannot be read: "),
        ("scans/*.tif", "Nothing matches scans/*.tif."),
        ("**/a/**/*.png", "more than once"),
        ("@wide.txt", "no list of images: a line has more than"),
        ("@utf16.txt", "UTF-16"),
        ("two.csv", "which column of two.csv has the images; it has a, b."),
        ("empty.csv", "it has none"),
        ("@empty.txt", "No images found."),
        ("quoted.csv", "no images found|no table"),
    ],
)
def test_what_is_no_list_says_so(scans: Path, classified, given: str, said: str) -> None:
    import re

    Path("wide.txt").write_bytes(b"x" * 2 * LONGEST_LINE)
    Path("utf16.txt").write_bytes("scans/9.png\n".encode("utf-16"))
    Path("two.csv").write_text("a,b\n1,2\n")
    Path("empty.csv").write_text("")
    Path("empty.txt").write_text("\n\n")
    Path("quoted.csv").write_text('path\n"' + "x\n" * 2 * LONGEST_LINE)
    found = classified(given, expected=2)["said"]
    assert said in found or re.search(said, found, re.IGNORECASE)


def test_a_column_that_there_is_not_says_which_there_are(scans: Path, classified) -> None:
    Path("t.csv").write_text("a,b\n1,2\n")
    assert "has no column 'c'; it has a, b." in classified("t.csv", "--column", "c", expected=2)["said"]


@POSIX
def test_a_list_may_be_a_pipe_of_a_shell_and_one_without_a_writer_is_not_waited_for(scans: Path, classified) -> None:
    os.mkfifo("pipe")
    assert "No images found" in classified("@pipe", expected=2)["said"]
    reading, writing = os.pipe()
    os.write(writing, b"scans/9.png\n")
    os.close(writing)
    assert list(classified(f"@/dev/fd/{reading}")) == ["scans/9.png"]
    os.close(reading)


def test_a_list_is_not_written_over(scans: Path, classified) -> None:
    Path("t.csv").write_text("path\nscans/9.png\n")
    assert "t.csv is one of the inputs" in classified("t.csv", "-o", "t.csv", "--overwrite", expected=2)["said"]
    assert Path("t.csv").read_text() == "path\nscans/9.png\n"


def test_endless_lists_without_lines_are_refused_at_once() -> None:
    class Endless(io.RawIOBase):
        begin = b"a\0"

        def read1(self, size: int = -1, /) -> bytes:
            begin, self.begin = self.begin, b""
            return begin + b"x" * (size - len(begin))

    found = lines(Endless(), "list")  # type: ignore[arg-type]
    assert next(found) == "a"
    with pytest.raises(OptionError, match="no list of images"):
        list(islice(found, 9))


def test_a_pattern_is_matched_without_listing_what_cannot_match(scans: Path, monkeypatch) -> None:
    listed_folders: list[str] = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed_folders.append(path) or scan(path))
    assert [path for path, _ in matching("scans/a/b/*.png")] == [os.path.join("scans", "a", "b", "1.png")]  # noqa: PTH118
    assert listed_folders == [os.path.join("scans", "a", "b")]  # noqa: PTH118
