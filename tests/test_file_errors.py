from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest

from napari_webipred.file_errors import out_of_space, reading, writing


@pytest.mark.parametrize(
    ("number", "reason", "remedy"),
    [
        (errno.ENOENT, "folder does not exist", "Create the folder"),
        (errno.EACCES, "permission", "where you may write"),
        (errno.EROFS, "read-only", "another disk"),
        (errno.EEXIST, "there is a file of this name", "another name"),
        (errno.ENOSPC, "the disk is full", "Free up space"),
        (errno.EDQUOT, "quota", "Free up space"),
        (errno.ENAMETOOLONG, "too long", "shorter name"),
        (errno.EIO, "does not answer", "connected"),
    ],
)
def test_each_reason_why_a_file_cannot_be_written_has_its_own_remedy(number: int, reason: str, remedy: str) -> None:
    said, advice = writing(OSError(number, os.strerror(number)))
    assert reason in said
    assert remedy in advice
    assert ("Free up space" in advice) == (number in {errno.ENOSPC, errno.EDQUOT})


@pytest.mark.parametrize(
    ("number", "reason", "remedy"),
    [
        (errno.ENOENT, "no such file", "the name and the folder"),
        (errno.EACCES, "permission", "permissions"),
        (errno.EISDIR, "folder", "Choose a file"),
        (errno.EIO, "does not answer", "connected"),
        (errno.EMFILE, "too many files are open", "Close other programs"),
    ],
)
def test_each_reason_why_a_file_cannot_be_read_has_its_own_remedy(number: int, reason: str, remedy: str) -> None:
    said, advice = reading(OSError(number, os.strerror(number)))
    assert reason in said
    assert remedy in advice


def test_windows_says_no_permission_also_of_a_file_that_another_program_has_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    denied = PermissionError(errno.EACCES, "Permission denied")
    assert "Close" not in writing(denied)[1]
    monkeypatch.setattr("napari_webipred.file_errors.os", SimpleNamespace(name="nt"))
    assert "Close programs that use it" in writing(denied)[1]
    assert "Close programs that use it" in reading(denied)[1]


@pytest.mark.parametrize("explain", [reading, writing])
def test_what_is_not_foreseen_is_said_in_the_words_of_the_system(explain) -> None:
    assert explain(OSError(errno.EPIPE, "Broken pipe"))[0] == "Broken pipe"
    assert explain(OSError("odd"))[0] == "odd"
    assert explain(OSError())[0] == "OSError"


def test_a_file_that_grew_too_large_is_out_of_space_like_a_full_disk() -> None:
    numbers = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES)
    assert [out_of_space(OSError(number, "")) for number in numbers] == [True, True, True, False]


@pytest.mark.skipif(os.name == "nt", reason="paths of Windows are right there")
def test_a_path_of_windows_is_told_on_another_system() -> None:
    _, advice = reading(OSError(errno.ENOENT, os.strerror(errno.ENOENT), r"scans\a.png"))
    assert advice == "This is a path of Windows: write it as it is on this computer, with / in place of \\."
