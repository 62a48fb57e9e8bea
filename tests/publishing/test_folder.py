"""The folder of a deposit appears whole or not at all, and loses nothing that was there."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from napari_webipred import cli
from napari_webipred.errors import OptionError
from napari_webipred.publishing import folder as folders
from napari_webipred.publishing.deposit import SUMS
from napari_webipred.results.lock import locked


def files(text: str = "new") -> dict[str, bytes]:
    made = {"README.md": text.encode(), ".zenodo.json": b"{}"}
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in made.items())
    return {**made, SUMS: sums.encode()}


def there(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_new_and_an_empty_folder_are_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "new", "deep/inside"):
        folders.write(tmp_path / name, files())
        assert there(tmp_path / name) == files()
    assert {path.name for path in tmp_path.iterdir()} == {"empty", "new", "deep"}


def test_an_earlier_deposit_is_replaced_only_if_that_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "deposit"
    folders.write(folder, {**files("old"), "chart.png": b"x", SUMS: files()[SUMS] + b"0" * 64 + b"  chart.png\n"})
    with pytest.raises(OptionError, match="holds a deposit already"):
        folders.write(folder, files())
    assert there(folder)["README.md"] == b"old"
    folders.write(folder, files(), overwrite=True)
    assert there(folder) == files()
    assert [path.name for path in tmp_path.iterdir()] == ["deposit"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_that_are_not_of_a_deposit_are_never_touched(tmp_path: Path, overwrite: bool) -> None:
    folder = tmp_path / "deposit"
    folders.write(folder, files("old"))
    (folder / "thesis.docx").write_bytes(b"years of work")
    with pytest.raises(OptionError, match=r"other files: thesis\.docx"):
        folders.write(folder, files(), overwrite=overwrite)
    assert there(folder)["thesis.docx"] == b"years of work"
    assert there(folder)["README.md"] == b"old"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "deposit").write_bytes(b"x")
    with pytest.raises(OptionError, match="is a file"):
        folders.write(tmp_path / "deposit", files(), overwrite=True)


def test_a_full_disk_leaves_the_earlier_deposit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "deposit"
    folders.write(folder, files("old"))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folders, "to_disk", full)
    with pytest.raises(OptionError, match="cannot be written"):
        folders.write(folder, files(), overwrite=True)
    assert there(folder) == files("old")
    assert [path.name for path in tmp_path.iterdir()] == ["deposit"]


def test_a_folder_that_cannot_be_put_into_place_leaves_the_earlier_deposit(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "deposit"
    folders.write(folder, files("old"))
    rename = Path.rename

    def failing(path: Path, target: Path) -> Path:
        if path.suffix == ".tmp":
            raise PermissionError(13, "Permission denied")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OptionError, match="cannot be written"):
        folders.write(folder, files(), overwrite=True)
    assert there(folder) == files("old")


def test_what_a_killed_run_has_left_is_put_in_order(tmp_path: Path) -> None:
    folders.write(tmp_path / ".deposit.napari-webipred.old", files("old"))
    folders.write(tmp_path / ".deposit.napari-webipred.tmp", {"README.md": b"half"})
    with pytest.raises(OptionError, match="holds a deposit already"):  # it came back
        folders.write(tmp_path / "deposit", files())
    assert there(tmp_path / "deposit") == files("old")
    folders.write(tmp_path / "deposit", files(), overwrite=True)
    assert there(tmp_path / "deposit") == files()
    assert [path.name for path in tmp_path.iterdir()] == ["deposit"]


def test_two_runs_do_not_write_the_same_folder(tmp_path: Path) -> None:
    with locked(tmp_path / ".deposit.napari-webipred.lock") as ours:
        assert ours
        with pytest.raises(OptionError, match="being written by another run"):
            folders.write(tmp_path / "deposit", files())


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "deposit").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    folders.write(tmp_path / "deposit", files())
    assert (tmp_path / "deposit").is_symlink()
    assert there(tmp_path / "elsewhere") == files()


def test_the_command_says_how_to_replace_a_deposit(tmp_path: Path, capsys) -> None:
    folder = tmp_path / "deposit"
    folders.write(folder, files("old"))
    assert cli.main(["pack", "demo", "-o", str(folder), "--no-verify"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert there(folder) == files("old")
    assert cli.main(["pack", "demo", "-o", str(folder), "--no-verify", "--overwrite"]) == 0
    assert b"Image quality" in there(folder)["README.md"]
