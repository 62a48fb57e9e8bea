"""The archives that the user has described, in a small file beside napari's own settings; never with a password."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from napari_webipred import file_errors, preferences
from napari_webipred.atomic_file import write_whole
from napari_webipred.errors import PacsError
from napari_webipred.pacs import secret
from napari_webipred.pacs.connection import Connection

FILE = "napari-webipred-archives.toml"
MOST_BYTES = 2**18
_HEAD = "# Archives (PACS) of napari-webipred. Passwords and tokens are never kept here.\n"


def path() -> Path:
    """Return where the archives are described.

    Raises
    ------
    PacsError
        napari is told to keep no settings.
    """
    beside = preferences.path()
    if beside is None:
        raise PacsError("There is no folder for settings.", "Unset the environment variable NAPARI_CONFIG.")
    return beside.with_name(FILE)


def connections() -> dict[str, Connection]:
    """Return the archives by their names.

    Raises
    ------
    PacsError
        The file cannot be read, or says something that is not understood.
    """
    place = path()
    try:
        with place.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise PacsError(f"{place} cannot be read: {reason}.", remedy) from error
    try:
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has more than {MOST_BYTES} bytes")
        document = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise PacsError(
            f"{place} is damaged: {error}.", "Correct it, or delete it and add the archives again."
        ) from None
    return {name: Connection.of(name, settings) for name, settings in document.items()}


def connection(name: str) -> Connection:
    """Return an archive by its name.

    Raises
    ------
    PacsError
        There is none with this name.
    """
    known = connections()
    if name not in known:
        there = f"These are known: {', '.join(known)}." if known else "No archive is known yet."
        raise PacsError(f"There is no archive {name!r}. {there}", "Add it first.", "add archive")
    return known[name]


def add(made: Connection) -> None:
    """Keep an archive, in place of another one with its name."""
    made.check()
    _write({**connections(), made.name: made})


def remove(name: str) -> None:
    """Forget an archive, and its password in the keyring."""
    known = connections()
    secret.forget(connection(name))
    del known[name]
    _write(known)


def _write(known: dict[str, Connection]) -> None:
    place = path()
    text = _HEAD + "".join(f"\n[{json.dumps(name)}]\n{_settings(each)}" for name, each in known.items())
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, text.encode())
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise PacsError(f"{place} cannot be written: {reason}.", remedy) from error


def _settings(made: Connection) -> str:
    """Write what differs from the defaults; strings of JSON are strings of TOML, too."""
    defaults = Connection("").settings
    kept = {key: value for key, value in made.settings.items() if key == "kind" or value != defaults[key]}
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in kept.items())
