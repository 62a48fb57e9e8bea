"""Images are asked for as they are stored: some archives crash when they convert JPEG 2000."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynetdicom", reason="LEFT OUT: retrieving from archives, because pynetdicom is not installed")
pytest.importorskip("dicomweb_client", reason="LEFT OUT: retrieving from archives, because dicomweb-client is missing")

import servers

import orthanc
from dicom_maker import content, ct_slice
from napari_webipred.imaging.dicom.syntax import SYNTAXES
from napari_webipred.pacs import access, transfer
from napari_webipred.pacs.archive import Retrieved
from napari_webipred.pacs.connection import Connection
from napari_webipred.pacs.found import Instance

CT = "1.2.840.10008.5.1.4.1.1.2"


def slice_called(uid: str) -> bytes:
    made = ct_slice(0.0, 1, np.zeros((8, 8), np.int16))
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = uid
    return content(made)


def test_dicomweb_is_asked_for_whole_instances_in_whatever_syntax_they_are_stored() -> None:
    files = {uid: slice_called(uid) for uid in ("1.4.1", "1.4.2")}
    asked: list[tuple[str, str]] = []

    def answer(request: servers.Handler) -> None:
        asked.append((request.place, request.headers["Accept"]))
        if request.place.endswith("/series/1.3"):
            request.send_parts([files["1.4.1"]])  # the other one is asked for by itself
        else:
            request.send_parts([files[request.place.rpartition("/")[2]]])

    came: list[Retrieved] = []
    with servers.web(answer) as server:
        archive = access.opened(Connection("web", address=f"http://127.0.0.1:{server.server_port}/rs"))
        archive.retrieve([Instance("1.2", "1.3", uid, CT) for uid in files], came.append)
        archive.close()
    assert {each.instance.uid: each.content for each in came} == files
    assert [place for place, _ in asked] == ["/rs/studies/1.2/series/1.3", "/rs/studies/1.2/series/1.3/instances/1.4.2"]
    assert {accept for _, accept in asked} == {'multipart/related; type="application/dicom"; transfer-syntax=*'}


def test_by_dimse_each_syntax_has_a_context_of_its_own_so_that_nothing_has_to_be_converted() -> None:
    offered: list[Any] = []

    class Associations:
        connection = Connection("pacs", "dimse", "127.0.0.1:104", title="PACS")

        @contextmanager
        def opened(self, contexts: list[Any], *more: Any) -> Iterator[Any]:
            offered.extend(contexts)
            raise InterruptedError
            yield

    with pytest.raises(InterruptedError):
        transfer.getting(Associations(), [Instance("1.2", "1.3", "1.4", CT)], lambda uid, file: None)  # type: ignore[arg-type]
    of_images = [context for context in offered if context.abstract_syntax == CT]
    assert [list(map(str, context.transfer_syntax)) for context in of_images] == [[syntax] for syntax in SYNTAXES]
    assert "1.2.840.10008.1.2.4.90" in SYNTAXES


def test_the_archive_of_the_tests_has_neither_https_nor_a_converter_and_a_database_of_its_own(tmp_path: Path) -> None:
    one, other = (orthanc.settings(tmp_path / name) for name in "ab")
    for made in (one, other):
        assert not made.get("SslEnabled")  # the first request by HTTPS would end it
        assert made["Plugins"] == ["/usr/share/orthanc/plugins/libOrthancDicomWeb.so"]  # without a list, all are loaded
    assert one["IndexDirectory"] != other["IndexDirectory"]
    assert one["StorageDirectory"] != other["StorageDirectory"]
