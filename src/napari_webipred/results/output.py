"""A file that is written where the user says: it replaces nothing that the user may still need."""

from __future__ import annotations

import errno
import io
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from napari_webipred import file_errors
from napari_webipred.errors import OptionError
from napari_webipred.results.lock import locked

OURS = "napari-webipred"


class Kind(Struct, frozen=True):
    """A kind of file that this program writes.

    Attributes
    ----------
    content : str
        What it holds, in a sentence.
    suffixes : tuple of str
        Those that its name may have, in small letters, the usual one first. None of them is that of an image or model.
    is_ours : callable, or None
        Tells whether a file was written by this program, and was not changed since; None if no file of this kind can
        be told from another one.
    """

    content: str
    suffixes: tuple[str, ...]
    is_ours: Callable[[Path], bool] | None


@contextmanager
def claimed(
    path: Path, kind: Kind, may_replace: Callable[[Path], bool], inputs: Iterable[str | Path] = ()
) -> Iterator[Path]:
    """Make sure that a file may be written, and keep other runs from writing it until the block ends.

    Parameters
    ----------
    path : Path
        As the user gave it.
    kind : Kind
        What is going to be written.
    may_replace : callable
        Asked about a file that is there already, holds something and is not ours; it may also raise.
    inputs : iterable of path
        Files that the same run reads, and that must not be written.

    Yields
    ------
    Path
        The file to write: `path`, or what it is a link to.

    Raises
    ------
    OptionError
        The file must not or cannot be written.
    """
    with ExitStack() as stack:
        try:
            target = Path(os.path.realpath(path)) if path.is_symlink() else path
            if path.is_dir():
                raise OptionError(
                    f"{path} is a folder.", f"Give a file name, such as {path / 'output'}{kind.suffixes[0]}."
                )
            check_input(path, inputs)
            if any(each.suffix.lower() not in kind.suffixes for each in (path, target)):
                raise OptionError(
                    f"{path} cannot be written: {kind.content}.", f"Choose a name that ends in {kind.suffixes[0]}."
                )
            check_replaced(path, kind.is_ours, may_replace)
            if not stack.enter_context(locked(target.with_name(f".{target.name}.{OURS}.lock"))):
                raise OptionError(
                    f"{path} is being written by another run of napari-webipred.",
                    "Wait until it ends, or choose another name.",
                )
        except OSError as error:
            raise unwritable(path, error) from error
        yield target


def unwritable(path: Path, error: OSError) -> OptionError:
    """Say in words why a file cannot be written."""
    reason, remedy = file_errors.writing(error)
    return OptionError(f"{path} cannot be written: {reason}.", remedy)


def check_input(path: Path, inputs: Iterable[str | Path]) -> None:
    """Raise OptionError if a file that is to be written is also read, under whatever name."""
    for each in inputs:
        with suppress(OSError):  # one of them is not there, or is the identifier of a model
            if path.samefile(each):
                raise OptionError(f"{path} is one of the inputs.", "Choose another name for the output.")


def check_replaced(path: Path, is_ours: Callable[[Path], bool] | None, may_replace: Callable[[Path], bool]) -> None:
    """Raise OptionError if there is a file that must not be replaced; an empty one holds nothing that could be lost.

    For the parameters see `claimed`.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise OptionError(f"{path} is not a file.", "Choose another name.")
    if not os.access(path, os.W_OK):
        raise OptionError(f"{path} is write-protected.", "Choose another name, or change its permissions.")
    known = is_ours is not None and is_ours(path.resolve())
    if path.stat().st_size and not known and not may_replace(path):
        why = "is there already" if is_ours is None else "was not written by napari-webipred, or was changed since"
        raise OptionError(f"{path} is not replaced: it {why}.", "Choose another name.")


@contextmanager
def being_replaced(path: Path) -> Iterator[io.BufferedRandom]:
    """Give a new file beside another one, to be filled, and put it in the other's place when the block has ended well.

    Raises
    ------
    OSError
        It cannot be written. The file is as it was, and nothing is left beside it.
    """
    temporary = path.with_name(f".{path.name}.{OURS}.tmp")
    temporary.unlink(missing_ok=True)  # what a run has left that was killed
    try:
        with temporary.open("x+b") as file:
            yield file
            file.flush()
            to_disk(file.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(path, temporary)
        temporary.replace(path)  # It is closed by now: Windows renames no open file.
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing(path: Path, content: bytes) -> Iterator[None]:
    """Write content to the disk beside a file, and put it in the file's place when the block has ended well.

    Raises
    ------
    OSError
        As `being_replaced`.
    """
    with being_replaced(path) as file:
        write_all(file.fileno(), content)
        to_disk(file.fileno())
        yield


def write_all(descriptor: int, content: bytes) -> None:
    """Write content at the current place of a file. A disk that fills up takes a part before it raises OSError."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def to_disk(descriptor: int) -> None:
    """Wait until the content of a file is on the disk, as far as its file system knows how to."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS}:
            raise
