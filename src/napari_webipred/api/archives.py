"""Find images in an archive (PACS), and get them from there."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from napari_webipred.api.remedies import remedies_in_notes
from napari_webipred.imaging.source import Source
from napari_webipred.pacs import access, archive, connection_file, folder, secret
from napari_webipred.pacs.found import Series, Study
from napari_webipred.pacs.query import Query
from napari_webipred.pacs.retrieval import listing, retrieving
from napari_webipred.pacs.stream import awaited
from napari_webipred.steps import result_of

Result = TypeVar("Result")


class Archive:
    """An archive of medical images (PACS), by DICOMweb or DIMSE.

    Nothing is sent before a function is called. Images that were retrieved lie in a folder that only you can read until
    the archive is closed, at the latest until Python ends. Use it in a ``with`` statement.

    Parameters
    ----------
    name : str
        An archive that you have described, in the panel or with ``napari-webipred pacs add``.
    password : str, optional
        Its password or token, if it needs one that is not in the keyring. It is kept in memory.

    Raises
    ------
    PacsError
        There is no such archive. Every function raises it if the archive cannot be reached or refuses.

    Examples
    --------
    ::

        with wp.Archive("hospital", password=...) as archive:
            studies = archive.find(patient_name="Doe^J*", modality="CT")
            table = wp.classify(archive.retrieve(studies), "webipred-16")
    """

    def __init__(self, name: str, password: str | None = None) -> None:
        with remedies_in_notes():
            connection = connection_file.connection(name)
            if password is not None:
                secret.remember(connection, password)
            self._archive = access.opened(connection)
        self._folders: list[Path] = []

    def find(
        self,
        *,
        patient_id: str = "",
        patient_name: str = "",
        date: str = "",
        modality: str = "",
        accession_number: str = "",
        limit: int = archive.PAGE,
        offset: int = 0,
    ) -> list[Study]:
        """Search for studies; what is empty does not matter.

        Parameters
        ----------
        patient_id, patient_name, accession_number : str
            ``*`` stands for any characters, ``?`` for one. A name without these matches names that begin so.
        date : str
            ``"2026-01-31"``, or a range such as ``"2026-01-01..2026-01-31"``, of which an end may be missing.
        modality : str
            Of a series of the study, such as ``"CT"``.
        limit, offset : int
            How many studies to return at most, and how many to leave out before.

        Returns
        -------
        list of Study
            With ``uid``, ``patient_id``, ``patient_name``, ``date``, ``modalities``, ``description``,
            ``accession_number``, and ``series`` and ``instances``: how many there are.
        """
        query = Query(patient_id, patient_name, date, modality, accession_number)
        return self._done(awaited(lambda: self._archive.studies(query, limit, offset), self._archive.close))

    def series(self, study: Study | str) -> list[Series]:
        """List the series of a study, or of one with this identifier."""
        uid = study if isinstance(study, str) else study.uid
        return self._done(awaited(lambda: self._archive.series(uid), self._archive.close))

    def retrieve(self, found: Study | Series | Iterable[Study | Series], modality: str = "") -> list[Source]:
        """Get the images of studies or series, as the archive has stored them; `classify` and `prepare` take them.

        Parameters
        ----------
        found : Study or Series, or an iterable of them
            What `find` and `series` have returned.
        modality : str
            Of a study only series of this modality.

        Returns
        -------
        list of Source
            Named neutrally, such as ``study 1/CT series 3``, with the slices of a series as a stack. An image that has
            not come says so in its row. They can be read until the archive is closed.
        """
        chosen = [found] if isinstance(found, (Study, Series)) else list(found)
        with remedies_in_notes():
            made = folder.make()
            self._folders.append(made)
            wanted = result_of(listing(self._archive, chosen, modality))
            return result_of(retrieving(self._archive, wanted, made))

    def store(self, datasets: Iterable[bytes | Path]) -> None:
        """Store instances, such as reports: each a DICOM file, or the content of one.

        Raises
        ------
        PacsError
            The archive has not stored all of them.
        """
        contents = [each.read_bytes() if isinstance(each, Path) else each for each in datasets]
        self._done(awaited(lambda: self._archive.store(contents), self._archive.close))

    def close(self) -> None:
        """End the connections, and delete the images that were retrieved."""
        self._archive.close()
        while self._folders:
            folder.delete(self._folders.pop())

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _done(self, steps: Generator[None, None, Result]) -> Result:
        with remedies_in_notes():
            return result_of(steps)
