"""The columns of a file with labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator
from pathlib import Path

from napari_webipred import file_errors
from napari_webipred.errors import OptionError
from napari_webipred.table_header import separator

MOST_BYTES = 2**20  # of the line that names the columns
MOST_COLUMNS = 200


def header_of(path: Path) -> Generator[None, None, list[str]]:
    """Return the names of the columns of a table in a file.

    Raises
    ------
    OptionError
        It cannot be read.
    """
    yield
    try:
        with path.open("rb") as file:
            line = file.readline(MOST_BYTES).decode("utf-8-sig")
    except OSError as error:
        reason, remedy = file_errors.reading(error)
        raise OptionError(f"The labels {path.name} cannot be read: {reason}.", remedy) from error
    except UnicodeDecodeError as error:
        raise OptionError(f"The labels {path.name} are not UTF-8 text.", "Save the table as CSV UTF-8.") from error
    between = separator(line, path.name)
    return [name.strip() for name in next(csv.reader(io.StringIO(line), delimiter=between), [])][:MOST_COLUMNS]
