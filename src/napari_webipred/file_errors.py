"""Why the operating system does not read or write a file, in plain words, and what the user can do then."""

from __future__ import annotations

import errno
import os

_CONNECTION = {"EIO", "ESTALE", "ETIMEDOUT", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN", "ENODEV", "ENXIO", "EREMOTEIO"}
_LOST = {getattr(errno, name) for name in _CONNECTION if hasattr(errno, name)}

OF_WINDOWS = "This is a path of Windows: write it as it is on this computer, with / in place of \\."


def out_of_space(error: OSError) -> bool:
    """Tell whether there is no space left: on the disk, within a quota, or within the largest size of a file."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def reading(error: OSError) -> tuple[str, str]:
    """Explain why a file cannot be read.

    Returns
    -------
    reason : str
        The end of a sentence, such as "you do not have permission to read it".
    remedy : str
        A sentence that says what to do next.
    """
    match error.errno:
        case errno.ENOENT:
            is_of_windows = os.name != "nt" and "\\" in str(error.filename or "")
            return "there is no such file", OF_WINDOWS if is_of_windows else "Check the name and the folder."
        case errno.EACCES | errno.EPERM if os.name == "nt":  # which says the same of a file that is open elsewhere
            return (
                "another program is using it, or you do not have permission to read it",
                "Close programs that use it, or change its permissions.",
            )
        case errno.EACCES | errno.EPERM:
            return "you do not have permission to read it", "Change the permissions of the file or of its folder."
        case errno.EISDIR:
            return "it is a folder", "Choose a file."
    return _either(error) or (_system(error), "Check the file and the disk that it is on.")


def writing(error: OSError) -> tuple[str, str]:  # noqa: PLR0911 - a table of error numbers
    """Explain why a file cannot be written; returns the same as `reading`."""
    match error.errno:
        case errno.ENOENT:
            return "its folder does not exist", "Create the folder, or choose another one."
        case errno.EACCES | errno.EPERM if os.name == "nt":
            return (
                "another program is using it, or you do not have permission to write there",
                "Close programs that use it, or choose a folder where you may write.",
            )
        case errno.EACCES | errno.EPERM:
            return "you do not have permission to write there", "Choose a folder where you may write."
        case errno.EROFS:
            return "the disk is read-only", "Choose a folder on another disk."
        case errno.ENOSPC:
            return "the disk is full", "Free up space, or choose a folder on another disk."
        case errno.EDQUOT:
            return "your disk quota is used up", "Free up space, or choose a folder on another disk."
        case errno.EFBIG:
            return "it would be larger than a file may be there", "Choose a folder on another disk."
        case errno.EISDIR:
            return "it is a folder", "Choose the name of a file."
        case errno.EEXIST:
            return "there is a file of this name", "Choose another name."
    return _either(error) or (_system(error), "Choose another folder.")


def _either(error: OSError) -> tuple[str, str] | None:
    """Explain what reading and writing have in common."""
    match error.errno:
        case errno.ENOTDIR:
            return "a part of its path is not a folder", "Check the path."
        case errno.ENAMETOOLONG:
            return "its name is too long", "Choose a shorter name."
        case errno.ELOOP:
            return "its path leads in a circle of links", "Choose the file itself."
        case errno.EMFILE | errno.ENFILE:
            return "too many files are open", "Close other programs and try again."
        case code if code in _LOST:
            return "the disk or network drive does not answer", "Check that it is connected, and try again."
    return None


def _system(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
