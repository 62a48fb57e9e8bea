"""From what was found in an archive to images: listed, retrieved one by one, and described as files are."""

from __future__ import annotations

import re
import shutil
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from napari_webipred import file_errors, limits
from napari_webipred.errors import PacsError
from napari_webipred.imaging.series import collected
from napari_webipred.imaging.source import Source
from napari_webipred.imaging.unreadable import unreadable
from napari_webipred.pacs.archive import Archive, Retrieved
from napari_webipred.pacs.found import Instance, Series, Study
from napari_webipred.pacs.stream import awaited, streamed

# What has no pixels: reports, presentation states, plans, waveforms, documents.
NO_IMAGES = {"SR", "PR", "KO", "DOC", "AU", "ECG", "PLAN", "RTPLAN", "RTSTRUCT", "RTRECORD", "REG", "FID", "SEG"}
_ODD = re.compile(r"[^A-Z0-9]")


class Progress(Struct, frozen=True):
    """How far a retrieval is: ``done`` of ``total`` images; total is 0 while they are being listed."""

    done: int = 0
    total: int = 0


class Wanted(Struct, frozen=True):
    """An instance, and what its row is called: a name without anything of the patient."""

    instance: Instance
    name: str


def listing(
    archive: Archive, found: Iterable[Study | Series], modality: str = "", first: int = 1
) -> Generator[Progress, None, list[Wanted]]:
    """List the images of studies and series.

    Parameters
    ----------
    archive : Archive
    found : iterable of Study and Series
    modality : str
        Of a study only series of this modality; empty for all that have images.
    first : int
        What the first study is called.
    """
    wanted: list[Wanted] = []
    numbers: dict[str, int] = {}
    for each in found:
        number = numbers.setdefault(each.uid if isinstance(each, Study) else each.study, len(numbers) + first)
        of_study = [each] if isinstance(each, Series) else (yield from _series(archive, each, modality))
        for series in of_study:
            instances = yield from _progressing(awaited(lambda one=series: instances_of(archive, one), archive.close))  # type: ignore[misc]
            wanted += named(instances, series, f"study {number}")
    return list({each.instance.uid: each for each in wanted}.values())


def _series(archive: Archive, study: Study, modality: str) -> Generator[Progress, None, list[Series]]:
    series = yield from _progressing(awaited(lambda: archive.series(study.uid), archive.close))
    chosen = modality.strip().upper()
    images = [each for each in series if (each.modality == chosen if chosen else each.modality not in NO_IMAGES)]
    return sorted(images, key=lambda each: (each.number is None, each.number or 0, each.uid))


def instances_of(archive: Archive, series: Series) -> list[Instance]:
    """List the images of a series, in the order of their numbers."""
    found = archive.instances(series.study, series.uid)
    return sorted(found, key=lambda each: (each.number is None, each.number or 0))


def _progressing(steps: Generator[None, None, list]) -> Generator[Progress, None, list]:  # type: ignore[type-arg]
    """Say nothing but that something is under way."""
    try:
        while True:
            next(steps)
            yield Progress()
    except StopIteration as finished:
        return finished.value  # type: ignore[no-any-return]
    finally:
        steps.close()


def named(instances: Sequence[Instance], series: Series, study: str) -> list[Wanted]:
    """Name instances of a series by what is neutral: modality, number of the series, and their place."""
    modality = _ODD.sub("", series.modality.upper())[:16] or "DICOM"
    start = f"{study}/{modality} series {series.number or 0}"
    return [Wanted(each, f"{start} image {place}") for place, each in enumerate(instances, start=1)]


def retrieving(archive: Archive, wanted: Sequence[Wanted], folder: Path) -> Generator[Progress, None, list[Source]]:
    """Retrieve images into a folder, one by one; closing the generator ends it within a second.

    Returns
    -------
    list of Source
        Slices of a series as one stack. What has not come is a source that says so when it is read.

    Raises
    ------
    PacsError
        The disk is full.
    """
    names = _unique(wanted)
    come: list[str] = []
    failed: list[Source] = []
    arriving = streamed(
        lambda take: archive.retrieve([each.instance for each in wanted], take),  # type: ignore[arg-type]
        archive.close,
    )
    try:
        yield Progress(0, len(wanted))
        for each in arriving:
            if each is not None:
                name = names[each.instance.uid]
                if each.error is None:
                    come.append(_written(each, folder / name))
                else:
                    failed.append(unreadable(name, each.error))
            yield Progress(len(come) + len(failed), len(wanted))
    finally:
        arriving.close()
    order = {str(folder / name): place for place, name in enumerate(names.values())}
    steps = collected(sorted(come, key=order.__getitem__), lambda path: path.relative_to(folder).as_posix())
    try:
        while True:
            next(steps)
            yield Progress(len(wanted), len(wanted))
    except StopIteration as finished:
        return [*(source for _, source in finished.value.sources), *failed]


def _unique(wanted: Sequence[Wanted]) -> dict[str, str]:
    """Give each instance a name of its own, also where an archive gives two series the same number."""
    names: dict[str, str] = {}
    taken: dict[str, int] = {}
    for each in wanted:
        taken[each.name] = times = taken.get(each.name, 0) + 1
        names[each.instance.uid] = each.name if times == 1 else f"{each.name} ({times})"
    return names


def _written(each: Retrieved, path: Path) -> str:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if shutil.disk_usage(path.parent).free < len(each.content) + limits.DISK_LEFT:
            raise PacsError("The disk has no room for more images.", "Free up space, or choose fewer images.")
        path.write_bytes(each.content)
    except OSError as error:
        reason, remedy = file_errors.writing(error)
        raise PacsError(f"An image of the archive cannot be kept: {reason}.", remedy) from error
    return str(path)
