"""Archives that speak DIMSE: C-FIND to search, C-GET or else C-MOVE to retrieve, C-STORE to store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any

from napari_webipred.errors import PacsError
from napari_webipred.pacs.archive import INSTANCES, LOOKED_THROUGH, PAGE, Retrieved, by_series
from napari_webipred.pacs.association import Associations, failure
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.found import INSTANCE, SERIES, STUDY, Hit, Instance, Series, Study, from_dataset
from napari_webipred.pacs.query import Query
from napari_webipred.pacs.stored import refused
from napari_webipred.pacs.transfer import Take, getting, moving

FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PENDING = (0xFF00, 0xFF01)


class Dimse:
    """An archive that speaks DIMSE; see `napari_webipred.pacs.archive.Archive`."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._associations = Associations(connection)

    def check(self) -> None:
        """Search for one study: an archive may answer an echo of somebody whom it lets search nothing."""
        next(self._find("STUDY", {}, STUDY), None)

    def studies(self, query: Query, limit: int = PAGE, offset: int = 0) -> list[Study]:
        """Search for studies until enough of them match; DIMSE has no pages."""
        matching: dict[str, Study] = {}
        for looked, hit in enumerate(self._find("STUDY", query.filters(), STUDY), start=1):
            study = Study.of(hit)
            if study is not None and query.matches(study):
                matching.setdefault(study.uid, study)
            if len(matching) >= offset + limit or looked >= LOOKED_THROUGH:
                break
        return list(matching.values())[offset : offset + limit]

    def series(self, study: str) -> list[Series]:
        """List the series of a study."""
        hits = self._find("SERIES", {"StudyInstanceUID": study}, SERIES)
        made = [Series.of(hit, study) for hit in hits]
        return list({each.uid: each for each in made if each}.values())

    def instances(self, study: str, series: str) -> list[Instance]:
        """List the instances of a series."""
        found: dict[str, Instance] = {}
        for hit in self._find("IMAGE", {"StudyInstanceUID": study, "SeriesInstanceUID": series}, INSTANCE):
            if (each := Instance.of(hit, study, series)) is not None:
                found.setdefault(each.uid, each)
            if len(found) >= INSTANCES:
                break
        return list(found.values())

    def retrieve(self, wanted: Sequence[Instance], take: Callable[[Retrieved], None]) -> None:
        """Retrieve series by series, by C-GET or, where the archive has none, by C-MOVE."""
        for missing in by_series(wanted).values():
            error = PacsError("The archive has not sent this image.", "Try again, or ask its administrator.")

            def arrived(uid: str, content: bytes, missing: dict[str, Instance] = missing) -> None:
                if (instance := missing.pop(uid, None)) is not None:
                    take(Retrieved(instance, content))

            try:
                self._transfer(list(missing.values()), arrived)
            except PacsError as failed:
                error = failed
            for instance in list(missing.values()):
                take(Retrieved(instance, error=error))

    def _transfer(self, wanted: Sequence[Instance], take: Take) -> None:
        try:
            getting(self._associations, wanted, take)
        except NotImplementedError:
            moving(self._associations, wanted, take)

    def store(self, datasets: Iterable[bytes]) -> None:
        """Store instances by C-STORE."""
        from pydicom import dcmread
        from pynetdicom import build_context

        read = [dcmread(BytesIO(each)) for each in datasets]
        kinds = {(str(each.SOPClassUID), str(each.file_meta.TransferSyntaxUID)) for each in read}
        reasons = []
        with self._associations.opened([build_context(kind, syntax) for kind, syntax in sorted(kinds)]) as association:
            for each in read:
                try:
                    status = association.send_c_store(each)
                except ValueError:  # the archive takes no such class, or it cannot be encoded
                    reasons.append(0x0122)
                    continue
                if "Status" not in status:
                    raise failure(self.connection, begun=True)
                if status.Status not in (0, 0xB000, 0xB006, 0xB007):
                    reasons.append(status.Status)
        if reasons:
            raise refused(self.connection.name, len(read), reasons)

    def close(self) -> None:
        """End all connections."""
        self._associations.close()

    def _find(self, level: str, filters: Mapping[str, str], wanted: Sequence[str]) -> Iterator[Hit]:
        """Yield what matches; the association is aborted if nobody wants more."""
        from pydicom.dataset import Dataset
        from pynetdicom import build_context

        asked: Any = Dataset()
        asked.QueryRetrieveLevel = level
        for keyword in wanted:
            setattr(asked, keyword, filters.get(keyword, ""))
        for keyword, text in filters.items():
            setattr(asked, keyword, text)
        with self._associations.opened([build_context(FIND)]) as association:
            for number, (status, hit) in enumerate(association.send_c_find(asked, FIND)):
                if "Status" not in status:
                    raise failure(self.connection, begun=number > 0)
                if status.Status in PENDING:
                    if hit is not None:
                        yield from_dataset(hit)
                elif status.Status:
                    raise refused_search(self.connection, status.Status)


def refused_search(connection: Connection, status: int) -> PacsError:
    """Say that the archive does not search."""
    return PacsError(
        f"The archive {connection.name} refuses to search (code {status:#06x}).",
        f"Ask its administrator to allow queries of {connection.own_title}.",
    )
