from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from full_disk import file_size_limit
from napari_webipred.card import ModelCard
from napari_webipred.download import remote_file
from napari_webipred.errors import OptionError
from napari_webipred.imaging.files import image_suffixes
from napari_webipred.names import visible
from napari_webipred.results.journal import is_journal, journal_path
from napari_webipred.results.record import RUNNING, Record, read_record, record_path
from napari_webipred.results.result_file import ResultFile
from napari_webipred.results.row import Row
from napari_webipred.results.table_path import COHORT, TABLE, claimed_table

CARD = ModelCard(id="test", name="Test", classes=[{"index": 0, "name": "A"}, {"index": 1, "name": "B"}])
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="a matter of POSIX")
MODELS = [".zip", ".onnx", ".h5", ".hdf5", ".keras", ".json", ".pb"]


def row(name: str = "a.png") -> Row:
    return Row(0, name, probabilities=np.array([0.25, 0.75], np.float32), prediction="B")


def never(path: Path) -> bool:
    raise AssertionError(f"asked about {path}")


@contextmanager
def opened(path: Path, total: int, may_replace=never, inputs=(), card: ModelCard = CARD) -> Iterator[ResultFile]:
    record = Record(card, "sha256:abc", {}, total)
    with claimed_table(path, may_replace, inputs) as target, ResultFile(target, record, card.class_names) as table:
        yield table


def write(path: Path, names: Sequence[str] = "ab", total: int | None = None, **settings) -> None:
    """Write a table of one row per name."""
    with opened(path, len(names) if total is None else total, **settings) as table:
        for name in names:
            table.write(row(name))


def names_in(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [cells[0] for cells in csv.reader(stream)][1:]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    return folder / "out.csv"


def test_a_table_and_its_record_are_written_and_nothing_else_is_left(out: Path) -> None:
    write(out, "abc")
    assert names_in(out) == ["a", "b", "c"]
    record = read_record(record_path(out))
    assert record is not None
    assert (record["complete"], record["stopped"]) == (True, None)
    assert set(files(out.parent)) == {"out.csv", "out.csv.json"}


# What must not be written


def test_an_output_that_is_an_input_is_refused_however_it_is_spelled(out: Path) -> None:
    out.write_text("an image without the suffix of one")
    (out.parent / "deeper").mkdir()
    for spelled in (out, out.parent / "deeper" / ".." / "out.csv"):
        with pytest.raises(OptionError, match="is one of the inputs"):
            write(spelled, inputs=["demo", str(out)], may_replace=lambda there: True)
    assert out.read_text() == "an image without the suffix of one"


@POSIX
def test_an_output_that_is_a_link_to_an_input_or_to_an_image_is_refused(out: Path) -> None:
    scan, image, soft, hard = (out.with_name(name) for name in ("scan", "scan.png", "soft.csv", "hard.csv"))
    for path in (scan, image):
        path.write_text("pixels")
    soft.symlink_to(scan)
    hard.hardlink_to(scan)
    for link in (soft, hard):
        with pytest.raises(OptionError, match="is one of the inputs"):
            write(link, inputs=[scan], may_replace=lambda there: True)
    soft.unlink()
    soft.symlink_to(image)
    with pytest.raises(OptionError, match="CSV"):  # its folder may be an input
        write(soft, inputs=[out.parent], may_replace=lambda there: True)
    assert (scan.read_text(), image.read_text()) == ("pixels", "pixels")


def test_a_record_that_would_replace_an_input_is_refused(out: Path) -> None:
    model = record_path(out)
    model.write_text("{}")
    with pytest.raises(OptionError, match=r"out\.csv\.json is one of the inputs"):
        write(out, inputs=[model], may_replace=lambda there: True)


def test_an_output_spelled_in_another_case_is_an_input_where_the_disk_does_not_tell_them_apart(out: Path) -> None:
    out.write_text("pixels")
    if not out.with_name("OUT.csv").exists():
        pytest.skip("this file system tells them apart")
    with pytest.raises(OptionError, match="is one of the inputs"):
        write(out.with_name("OUT.csv"), inputs=[out])


def test_no_reader_takes_the_name_of_a_table_for_an_image_or_a_model() -> None:
    """The readers keep the truth about their suffixes."""
    assert not set(TABLE.suffixes) & image_suffixes()
    assert [remote_file.format_of(f"results{suffix}") for suffix in TABLE.suffixes] == [None] * len(TABLE.suffixes)
    assert None not in [remote_file.format_of(f"model{suffix}") for suffix in MODELS[:-1]]


@pytest.mark.parametrize("suffix", [*sorted(image_suffixes()), *MODELS, ".PNG", ".H5", ".xlsx", ".parquet"])
def test_a_table_is_never_written_under_the_name_of_an_image_a_model_or_a_spreadsheet(out: Path, suffix: str) -> None:
    path = out.with_suffix(suffix)
    with pytest.raises(OptionError, match=r"Choose a name that ends in \.csv"):
        write(path, may_replace=lambda there: True)
    assert files(out.parent) == {}


@pytest.mark.parametrize("name", ["out.csv", "out.CSV", "out.txt", "out"])
def test_names_that_csv_text_may_have_are_taken(out: Path, name: str) -> None:
    write(out.with_name(name))
    assert names_in(out.with_name(name)) == ["a", "b"]


def test_a_folder_is_no_output(out: Path) -> None:
    with pytest.raises(OptionError, match=r"is a folder\. Give a file name") as caught:
        write(out.parent)
    assert f"{out.parent / 'output'}.csv" in caught.value.hint


@POSIX
def test_a_pipe_is_no_output(out: Path) -> None:
    os.mkfifo(out)
    with pytest.raises(OptionError, match="is not a file"):
        write(out)


def test_an_output_in_a_folder_that_does_not_exist_says_so(out: Path) -> None:
    with pytest.raises(OptionError, match="its folder does not exist") as caught:
        write(out.parent / "gone" / "out.csv")
    assert "Create the folder" in caught.value.hint
    assert "space" not in str(caught.value)


def test_an_output_in_a_read_only_folder_says_so(out: Path) -> None:
    out.parent.chmod(0o500)
    try:
        if os.access(out.parent, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(OptionError, match="you do not have permission to write there"):
            write(out)
    finally:
        out.parent.chmod(0o700)


# What is replaced


def test_a_result_of_ours_is_replaced_without_a_question(out: Path) -> None:
    write(out, "abc")
    write(out, "de")
    assert names_in(out) == ["d", "e"]


def test_an_unfinished_result_of_ours_is_replaced_without_a_question(out: Path) -> None:
    write(out, "abc", total=5)
    write(out, "de")
    assert names_in(out) == ["d", "e"]


def test_an_empty_file_is_replaced_without_a_question(out: Path) -> None:
    out.touch()
    write(out)
    assert names_in(out) == ["a", "b"]


def foreign_file(out: Path) -> Path:
    out.write_text("image,my notes\na.png,looks ill\n")
    return out


def table_of_another_program(out: Path) -> Path:
    write(out)
    record_path(out).unlink()
    return out


def edited_result(out: Path) -> Path:
    write(out)
    out.write_bytes(out.read_bytes().replace(b"0.25", b"0.26"))
    return out


def result_with_a_column_more(out: Path) -> Path:
    write(out, total=5)
    text = out.read_text(encoding="utf-8").replace("prediction", "my diagnosis")
    out.write_text(text, encoding="utf-8")
    return out


def foreign_record(out: Path) -> Path:
    path = record_path(out)
    path.write_text('{"versions": {"numpy": "2"}}')
    return path


FOREIGN = [foreign_file, table_of_another_program, edited_result, result_with_a_column_more, foreign_record]


@pytest.mark.parametrize("make", FOREIGN)
def test_what_is_not_a_result_of_ours_is_replaced_only_when_the_user_says_so(out: Path, make) -> None:
    foreign = make(out)
    before, asked = files(out.parent), []

    def no(path: Path) -> bool:
        asked.append(path)
        return False

    with pytest.raises(OptionError, match="is not replaced: it was not written by napari-webipred"):
        write(out, may_replace=no)
    assert asked == [foreign]
    assert files(out.parent) == before
    write(out, "xyz", may_replace=lambda path: True)
    assert names_in(out) == ["x", "y", "z"]


@pytest.mark.parametrize("content", ["", "[]", '{"versions": 1}', "\x00", "[" * 100_000, '{"a": "\\ud800"}'])
def test_a_record_that_cannot_be_understood_is_not_ours(out: Path, content: str) -> None:
    record_path(out).write_text(content)
    assert read_record(record_path(out)) is None


def test_what_is_nested_too_deeply_is_not_ours(out: Path) -> None:
    write(out)
    table = out.with_suffix(".jsonl")
    shutil.copy(record_path(out), record_path(table))
    for path in (table, journal_path(out)):
        path.write_bytes(b"[" * 200_000 + b"\n")
        with pytest.raises(OptionError, match="is not replaced"), claimed_table(path, lambda _: False, kind=COHORT):
            pass
    assert not is_journal(journal_path(out))


def test_a_write_protected_result_is_not_replaced(out: Path) -> None:
    write(out)
    out.chmod(0o400)
    if os.access(out, os.W_OK):
        pytest.skip("this user may write everything")
    with pytest.raises(OptionError, match="is write-protected"):
        write(out)


@POSIX
def test_a_replaced_result_keeps_its_permissions(out: Path) -> None:
    write(out)
    out.chmod(0o600)
    write(out, "x")
    assert out.stat().st_mode & 0o777 == 0o600


@POSIX
def test_an_output_that_is_a_link_is_written_where_it_leads(out: Path, tmp_path: Path) -> None:
    out.symlink_to(tmp_path / "real.csv")
    for names in ("ab", "c"):
        write(out, names)
        assert names_in(tmp_path / "real.csv") == list(names)
    assert out.is_symlink()
    assert record_path(tmp_path / "real.csv").is_file()


# What is lost when something goes wrong


def test_the_old_result_stays_until_the_first_row_is_safe(out: Path) -> None:
    write(out, "abc")
    before = files(out.parent)
    with opened(out, 1) as table:
        assert {name: files(out.parent)[name] for name in before} == before
        table.write(row("x"))
        assert names_in(out) == ["x"]


def test_a_run_that_ends_before_its_first_row_leaves_the_old_result(out: Path) -> None:
    def end() -> None:
        with opened(out, 1):
            raise KeyboardInterrupt

    for before in ({}, None):
        if before is None:
            write(out, "abc")
            before = files(out.parent)
        with pytest.raises(KeyboardInterrupt):
            end()
        assert files(out.parent) == before


@pytest.mark.parametrize("fails", ["fsync", "replace the record", "replace the table", "write"])
def test_a_failed_start_leaves_the_old_result_and_nothing_beside_it(out: Path, monkeypatch, fails: str) -> None:
    """A full disk, or a table that a spreadsheet has open on Windows, which lets nobody replace it."""
    write(out, "abc")
    before = files(out.parent)

    replace = Path.replace

    def refuse(*paths: object) -> Path:
        if fails == "replace the table" and paths[1] != out:
            return replace(*paths)
        raise PermissionError(errno.EACCES, "Access is denied")

    with monkeypatch.context() as patched:
        if fails.startswith("replace"):
            patched.setattr(Path, "replace", refuse)
        else:
            patched.setattr(os, fails, refuse)
        with pytest.raises(OptionError, match=r"out\.csv cannot be written: "):
            write(out, "xyz")
    assert files(out.parent) == before


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can make a small disk")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this machine does not let us make a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@POSIX
@pytest.mark.parametrize("full", ["the file", "the disk"])
def test_a_full_disk_leaves_whole_lines_and_a_record_that_says_so(out: Path, full: str) -> None:
    names = [f"{i:05}" * 20 for i in range(2000)]
    with small_disk(out.parent) if full == "the disk" else file_size_limit(30_000):
        with pytest.raises(OptionError, match=r"out\.csv cannot be written: ") as caught:
            write(out, names)
        if full == "the disk":
            assert "Free up space" in caught.value.hint
        assert out.read_bytes().endswith(b"\r\n")
        written = names_in(out)
        assert 100 < len(written) < 1000
        assert written == names[: len(written)]
        record = read_record(record_path(out))
        assert record is not None
        assert not record["complete"]
        assert "cannot be written" in record["stopped"]
        assert record["planes"]["done"] == len(written)
        assert set(files(out.parent)) == {"out.csv", "out.csv.json"}
        before = files(out.parent)
        if full == "the disk":  # a run that cannot begin leaves what is there
            with pytest.raises(OptionError, match="the disk is full"):
                write(out, "x")
            assert files(out.parent) == before
    if full == "the file":
        write(out, "x")  # without a question: it is recognised


def test_a_stream_that_takes_half_a_row_and_then_fails_leaves_whole_lines(out: Path, monkeypatch) -> None:
    original, rows = os.write, []

    def half(descriptor: int, content: memoryview) -> int:
        rows.append(bytes(content))
        if len(rows) > 4:  # the table with its first row, the record, one more row, a half
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(descriptor, content[: len(content) // 2] if len(rows) == 4 else content)

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(OptionError, match="the disk is full"):
        write(out, "abcd")
    assert names_in(out) == ["a", "b"]
    assert out.read_bytes().endswith(b"\r\n")


@POSIX
def test_a_folder_that_vanishes_is_told(out: Path) -> None:
    def lose() -> None:
        with opened(out, 2) as table:
            table.write(row())
            shutil.rmtree(out.parent)
            table.write(row())

    with pytest.raises(OptionError, match="its folder does not exist"):
        lose()


@POSIX
def test_a_table_that_another_program_replaces_meanwhile_is_told(out: Path) -> None:
    def replace() -> None:
        with opened(out, 1) as table:
            table.write(row())
            out.unlink()
            out.write_text("something else")

    with pytest.raises(OptionError, match="was changed while it was being written"):
        replace()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (KeyboardInterrupt("stopped by SIGTERM"), "stopped by SIGTERM"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (OptionError("The model is broken.", "Try another."), "The model is broken."),
        (ValueError("x" * 10_000), "x" * 500),
    ],
)
def test_the_record_says_why_a_run_did_not_come_to_its_end(out: Path, error: BaseException, said: str) -> None:
    def record() -> tuple[object, ...]:
        found = read_record(record_path(out))
        assert found is not None
        return found["complete"], found["stopped"], found["planes"]["done"]

    def stop() -> None:
        with opened(out, 2) as table:
            table.write(row())
            assert record() == (False, RUNNING, 0)
            raise error

    with pytest.raises(type(error)):
        stop()
    assert record() == (False, said, 1)


def test_a_second_run_is_refused_while_the_first_lives(out: Path) -> None:
    with opened(out, 2) as table:
        for _ in range(2):  # before the first row and after
            with pytest.raises(OptionError, match="is being written by another run"):
                write(out.parent / "." / "out.csv", "xyz")
            table.write(row())
    assert names_in(out) == ["a.png", "a.png"]
    write(out, "x")


@pytest.mark.parametrize("name", ["caf\udce9\x1b[2J\u202e.png", "a\nb.png"])
def test_names_that_cannot_be_seen_are_escaped_in_table_and_record(out: Path, name: str) -> None:
    card = ModelCard(
        id="t", name="Model\x1b[31m", classes=[{"index": 0, "name": "A\ud800"}, {"index": 1, "name": "\x85"}]
    )
    with opened(out, 1, card=card) as table:
        table.write(row(name))
    for path in (out, record_path(out)):
        text = path.read_bytes().decode("utf-8").replace("\r\n", "").replace("\n", "")
        assert text == visible(text)
    assert names_in(out) == [visible(name)]
    record = json.loads(record_path(out).read_bytes())
    assert [entry["image"] for entry in record["inputs"]] == names_in(out)
    assert [entry["name"] for entry in record["model"]["classes"]] == [r"A\ud800", r"\u0085"]
