"""What can be done with an archive, whichever way it is spoken to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from napari_webipred.errors import PacsError
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.found import Instance, Series, Study
from napari_webipred.pacs.query import Query

PAGE = 100  # studies that are shown at a time
# Studies that are looked through for one search: more than a person reads, and some archives count them slowly.
LOOKED_THROUGH = 10_000
INSTANCES = 50_000  # of a series


class Retrieved(Struct, frozen=True):
    """An instance that has come, as a file of DICOM has it, or the reason why it has not."""

    instance: Instance
    content: bytes = b""
    error: PacsError | None = None


def by_series(wanted: Iterable[Instance]) -> Mapping[tuple[str, str], dict[str, Instance]]:
    """Return the instances of each study and series, by their identifiers."""
    found: dict[tuple[str, str], dict[str, Instance]] = defaultdict(dict)
    for each in wanted:
        found[each.study, each.series][each.uid] = each
    return found


class Archive(Protocol):
    """An archive. Every function waits for it; `close` may be called by another thread and ends that.

    Raises
    ------
    PacsError
        Each may raise it: the archive cannot be reached, refuses, or answers in an unknown way.
    """

    connection: Connection

    def check(self) -> None:
        """Make sure that the archive answers and lets this program search."""

    def studies(self, query: Query, limit: int = PAGE, offset: int = 0) -> list[Study]:
        """Search for studies; of those that match, leave `offset` out and return at most `limit`."""

    def series(self, study: str) -> list[Series]:
        """List the series of a study."""

    def instances(self, study: str, series: str) -> list[Instance]:
        """List the instances of a series, each identifier once."""

    def retrieve(self, wanted: Sequence[Instance], take: Callable[[Retrieved], None]) -> None:
        """Hand over each of these instances once, in any order, stored as they are; or why one has not come."""

    def store(self, datasets: Iterable[bytes]) -> None:
        """Store instances, such as reports, each as the content of a DICOM file.

        Raises
        ------
        PacsError
            Not all were accepted; it names those that were not, and why.
        """

    def close(self) -> None:
        """End all connections."""
