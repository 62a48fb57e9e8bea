"""A program that runs beside this one, is fed once, and answers once."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from napari_webipred.errors import ModelError, OptionError

_PAUSE = 0.2  # seconds between two looks whether somebody has cancelled
_SHOWN = 400  # characters of what a program that failed has said
_MOST = 64 * 2**20  # bytes of an answer


def answering(
    name: str, command: Sequence[str], content: bytes, environment: Mapping[str, str], folder: Path
) -> Generator[None, None, bytes]:
    """Run a program until it has answered; closing the generator ends it.

    Parameters
    ----------
    name : str
        What it is called in messages.
    command : sequence of str
    content : bytes
        What it reads from its standard input.
    environment : mapping of str to str
        The whole environment.
    folder : Path
        Where it runs.

    Returns
    -------
    bytes
        What it has written to its standard output.

    Raises
    ------
    OptionError
        It cannot be started.
    ModelError
        It ended before it had answered, or the answer is absurdly long.
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as said:
        asked.write(content)
        asked.seek(0)
        try:
            process = subprocess.Popen(
                list(command), stdin=asked, stdout=answer, stderr=said, env=dict(environment), cwd=folder
            )
        except OSError as error:
            raise OptionError(
                f"{name} cannot be started: {error.strerror or error}.", "Check that it is installed."
            ) from error
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_PAUSE)
                    break
                yield
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            said.seek(0)
            lines = said.read(2**20).decode("utf-8", "replace").strip().splitlines()
            last = lines[-1][:_SHOWN] if lines else "it said nothing"
            raise ModelError(
                f"{name} ended with status {process.returncode} before it had answered: {last}.",
                "The model may need more memory than there is. Close other programs and try again.",
            )
        answer.seek(0)
        found = answer.read(_MOST + 1)
    if len(found) > _MOST:
        raise ModelError(f"The answer of {name} has more than {_MOST} bytes.", "Choose another model.")
    return found
