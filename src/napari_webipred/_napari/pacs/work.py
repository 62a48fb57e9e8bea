"""What the dialog asks of an archive: each a generator for a background thread, which ends within a second."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from napari_webipred.imaging.source import Source
    from napari_webipred.pacs.archive import Archive
    from napari_webipred.pacs.connection import Connection
    from napari_webipred.pacs.found import Instance, Series, Study
    from napari_webipred.pacs.query import Query
    from napari_webipred.pacs.retrieval import Progress, Wanted
else:
    Source = Any  # imported when first needed, and `help` asks for the types of fields

Result = TypeVar("Result")

Chosen = tuple["Series", tuple["Instance", ...]]  # a series, and which of its images; none of them means all


class Taken(Struct, frozen=True):
    """Images that were retrieved into a folder: the folder in it of each study, with the images there."""

    made: Path
    folders: tuple[tuple[Path, tuple[Source, ...]], ...]
    failed: tuple[str, ...]


def connections() -> Generator[None, None, dict[str, Connection]]:
    """Read which archives are known."""
    from napari_webipred.pacs import connection_file, folder

    yield
    folder.delete_leftovers()
    return connection_file.connections()


def adding(made: Connection, before: str) -> Generator[None, None, dict[str, Connection]]:
    """Keep an archive, in place of one that was called otherwise."""
    from napari_webipred.pacs import connection_file

    yield
    connection_file.add(made)
    if before and before != made.name:
        connection_file.remove(before)
    return connection_file.connections()


def removing(name: str) -> Generator[None, None, dict[str, Connection]]:
    """Forget an archive."""
    from napari_webipred.pacs import connection_file

    yield
    connection_file.remove(name)
    return connection_file.connections()


def finding(connection: Connection, password: str, query: Query, page: int) -> Generator[None, None, list[Study]]:
    """Search for a page of studies."""
    from napari_webipred.pacs.archive import PAGE

    query.filters()
    return (yield from _asked(connection, password, lambda archive: archive.studies(query, PAGE, page * PAGE)))


def listing_series(connection: Connection, study: Study) -> Generator[None, None, list[Series]]:
    """List the series of a study, in the order of their numbers."""
    found = yield from _asked(connection, "", lambda archive: archive.series(study.uid))
    return sorted(found, key=lambda each: (each.number is None, each.number or 0, each.uid))


def listing_instances(connection: Connection, series: Series) -> Generator[None, None, list[Instance]]:
    """List the images of a series, in the order of their numbers."""
    from napari_webipred.pacs.retrieval import instances_of

    return (yield from _asked(connection, "", lambda archive: instances_of(archive, series)))


def previewing(connection: Connection, series: Series, instance: Instance | None) -> Generator[Any, None, Any]:
    """Retrieve one image, that in the middle of a series if none is chosen, and display it as its header says."""
    from napari_webipred.pacs import folder

    instances = [instance] if instance else (yield from listing_instances(connection, series))
    made = folder.make()
    try:
        wanted = _named(series, instances[len(instances) // 2 :][:1], 1)
        with opened(connection, "") as archive:
            sources = yield from _retrieved(archive, wanted, made)
        return _displayed(sources)
    finally:
        folder.delete(made)


def _displayed(sources: Sequence[Source]) -> NDArray[np.uint8]:
    import numpy as np

    from napari_webipred.errors import PacsError
    from napari_webipred.imaging.display import displayed
    from napari_webipred.imaging.readers import header_of, read

    if not sources:
        raise PacsError("The series has no images.", "Choose another one.")
    source = sources[0]
    index = tuple(length // 2 for length in source.shape)
    pixels, header = read(source, index), header_of(source, index)
    if header is not None and header.display is not None:
        pixels = displayed(pixels, header.display, "auto").pixels
    grey = pixels if pixels.ndim == 3 else np.repeat(pixels[..., np.newaxis], 3, axis=2)
    return np.ascontiguousarray(grey[..., :3], np.uint8)


def taking(
    connection: Connection, studies: Sequence[Study], chosen: Sequence[Chosen], first: int
) -> Generator[Progress, None, Taken]:
    """Retrieve images; what was retrieved is deleted if that is cancelled."""
    from napari_webipred.pacs import folder
    from napari_webipred.pacs.retrieval import listing

    made = folder.make()
    try:
        with opened(connection, "") as archive:
            whole: list[Study | Series] = [*studies, *(series for series, instances in chosen if not instances)]
            wanted = yield from listing(archive, whole, first=first)
            for series, instances in chosen:
                wanted += _named(series, instances, first + len({each.instance.study for each in wanted}))
            sources = yield from _retrieved(archive, wanted, made)
    except BaseException:
        folder.delete(made)
        raise
    return _by_study(sources, made)


def _by_study(sources: Sequence[Source], made: Path) -> Taken:
    folders: dict[Path, list[Source]] = {}
    for source in sources:
        folders.setdefault(made / source.name.partition("/")[0], []).append(source)
    failed = tuple(source.details[1] for source in sources if source.reader == "unreadable")
    return Taken(made, tuple((path, tuple(found)) for path, found in folders.items()), failed)


def _named(series: Series, instances: Sequence[Instance], number: int) -> list[Wanted]:
    from napari_webipred.pacs.retrieval import named

    return named(instances, series, f"study {number}")


def _retrieved(archive: Archive, wanted: Sequence[Wanted], made: Path) -> Generator[Progress, None, list[Source]]:
    from napari_webipred.pacs.retrieval import retrieving

    return (yield from retrieving(archive, wanted, made))


def _asked(connection: Connection, password: str, ask: Callable[[Archive], Result]) -> Generator[None, None, Result]:
    from napari_webipred.pacs.stream import awaited

    yield
    with opened(connection, password) as archive:
        return (yield from awaited(lambda: ask(archive), archive.close))


@contextmanager
def opened(connection: Connection, password: str) -> Iterator[Archive]:
    """Open an archive, with a password or token if one was entered."""
    from napari_webipred.pacs import access, secret

    if password:
        secret.remember(connection, password)
    archive = access.opened(connection)
    try:
        yield archive
    finally:
        archive.close()
