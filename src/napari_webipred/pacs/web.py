"""Archives that speak DICOMweb: QIDO-RS to search, WADO-RS to retrieve, STOW-RS to store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Any

from napari_webipred import limits
from napari_webipred.errors import PacsError
from napari_webipred.pacs.archive import INSTANCES, LOOKED_THROUGH, PAGE, Retrieved, by_series
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.found import INSTANCE, SERIES, STUDY, Hit, Instance, Series, Study, from_json
from napari_webipred.pacs.http import CHUNK, Http, bounded
from napari_webipred.pacs.identity import identifier_of
from napari_webipred.pacs.multipart import boundary_of, parts
from napari_webipred.pacs.query import Query
from napari_webipred.pacs.silence import silence
from napari_webipred.pacs.stored import refused

JSON = "application/dicom+json"
# Stored syntax, whatever it is: what an archive converts is slower, and some crash or lose pixels over it.
AS_STORED = 'multipart/related; type="application/dicom"; transfer-syntax=*'
AT_ONCE = 500  # entries of a list that are asked for at a time
LEAST_PAGE = 50  # an archive that sends fewer has no more


class Web:
    """An archive that speaks DICOMweb; see `napari_webipred.pacs.archive.Archive`."""

    def __init__(self, connection: Connection, password: str) -> None:
        from dicomweb_client import DICOMwebClient

        self.connection = connection
        self._url = connection.address.rstrip("/")
        self._http = Http(connection, password)
        with silence():
            self._client = DICOMwebClient(self._url, self._http)
            self._client.set_http_retry_params(retry=False)

    def check(self) -> None:
        """Search for one study."""
        self._studies({}, 1, 0)

    def studies(self, query: Query, limit: int = PAGE, offset: int = 0) -> list[Study]:
        """Search for studies, page by page until enough of them match."""
        filters, matching = query.filters(), dict[str, Study]()
        seen: set[str] = set()
        while True:
            hits = [Study.of(hit) for hit in self._studies(filters, AT_ONCE, len(seen))]
            studies = [study for study in hits if study is not None]
            if len(studies) < len(hits):
                raise self._no_dicomweb()
            new = {study.uid: study for study in studies if study.uid not in seen}
            seen |= new.keys()
            matching |= {uid: study for uid, study in new.items() if query.matches(study)}
            is_enough = len(matching) >= offset + limit or len(seen) >= LOOKED_THROUGH
            if is_enough or not new or len(hits) < LEAST_PAGE:  # one without pages sends the same again
                break
        return list(matching.values())[offset : offset + limit]

    def series(self, study: str) -> list[Series]:
        """List the series of a study."""
        hits = self._asked(lambda: self._client.search_for_series(study, fields=list(SERIES), limit=INSTANCES))
        made = [Series.of(hit, study) for hit in hits]
        return list({each.uid: each for each in made if each}.values())

    def instances(self, study: str, series: str) -> list[Instance]:
        """List the instances of a series."""
        found: dict[str, Instance] = {}
        ask = partial(self._client.search_for_instances, study, series, fields=list(INSTANCE), limit=AT_ONCE)
        while len(found) < INSTANCES:
            looked = len(found)
            hits = self._asked(partial(ask, offset=looked))
            for each in (Instance.of(hit, study, series) for hit in hits):
                if each:
                    found.setdefault(each.uid, each)
            if len(hits) < LEAST_PAGE or len(found) == looked:
                break
        return list(found.values())

    def retrieve(self, wanted: Sequence[Instance], take: Callable[[Retrieved], None]) -> None:
        """Retrieve series at once, and what has not come then one by one."""
        for (study, series), missing in by_series(wanted).items():
            path = f"studies/{study}/series/{series}"
            if len(missing) > 1:
                with suppress(PacsError):  # which is said of each image that does not come by itself either
                    for content in self._parts(path):
                        if (instance := missing.pop(identifier_of(content), None)) is not None:
                            take(Retrieved(instance, content))
            for uid, instance in missing.items():
                take(self._retrieved(instance, f"{path}/instances/{uid}"))

    def _retrieved(self, instance: Instance, path: str) -> Retrieved:
        try:
            for content in self._parts(path):
                if content:
                    return Retrieved(instance, content)
        except PacsError as error:
            return Retrieved(instance, error=error)
        return Retrieved(instance, error=PacsError("The archive has sent nothing for this image.", "Try again."))

    def store(self, datasets: Iterable[bytes]) -> None:
        """Store instances by STOW-RS."""
        from pydicom import dcmread

        read = [dcmread(BytesIO(each)) for each in datasets]
        with self._http.explained():
            answer = self._client.store_instances(read)
        accepted = {str(each.get("ReferencedSOPInstanceUID")) for each in answer.get("ReferencedSOPSequence", [])}
        failed = {
            str(each.get("ReferencedSOPInstanceUID")): int(each.get("FailureReason", 0))
            for each in answer.get("FailedSOPSequence", [])
        }
        uids = [str(each.SOPInstanceUID) for each in read]
        if reasons := {uid: failed.get(uid, 0) for uid in uids if uid in failed or uid not in accepted}:
            raise refused(self.connection.name, len(uids), reasons.values())

    def close(self) -> None:
        """End all connections."""
        self._http.close()

    def _studies(self, filters: Mapping[str, str], limit: int, offset: int) -> list[Hit]:
        """Ask for studies with an address of our own: the library writes names in a way that archives misread."""
        asked = [*filters.items(), ("limit", limit), ("offset", offset), *(("includefield", each) for each in STUDY)]
        address = f"{self._url}/studies?{'&'.join(f'{key}={value}' for key, value in asked)}"
        response = self._http.request("GET", address, headers={"Accept": JSON})
        if response.status_code == 204 or not response.content:
            return []
        try:
            return self._hits(response.json())
        except ValueError:
            raise self._no_dicomweb() from None

    def _asked(self, ask: Callable[[], Any]) -> list[Hit]:
        with silence():
            try:
                return self._hits(ask())
            except PacsError:
                raise
            except Exception:  # what an answer is that the library does not understand
                raise self._no_dicomweb() from None

    def _hits(self, answers: Any) -> list[Hit]:
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            raise self._no_dicomweb()
        return list(map(from_json, answers))

    def _no_dicomweb(self) -> PacsError:
        return PacsError(
            f"{self.connection.host} answers at this address, but not as DICOMweb does.",
            "Check the address: it often ends in /dicom-web or /rs.",
        )

    def _parts(self, path: str) -> Iterator[bytes]:
        """Yield the files of an answer as they come."""
        response = self._http.request("GET", f"{self._url}/{path}", headers={"Accept": AS_STORED}, stream=True)
        with response, self._http.explained():
            content_type = response.headers.get("Content-Type", "")
            if boundary := boundary_of(content_type):
                pieces = response.iter_content(CHUNK)
                yield from parts(pieces, boundary, limits.INSTANCE_BYTES)
                next(pieces, b"")  # to its end, so that the connection can be used again
            else:
                yield b"".join(bounded(response, limits.INSTANCE_BYTES))
