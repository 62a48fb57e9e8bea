"""A study in a real archive, beside a real FHIR server: for tests in a namespace without other networks."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import orthanc
from dicom_maker import content, ct_slice
from napari_webipred.pacs import access, secret
from napari_webipred.pacs.connection import Connection

sys.path.append(str(Path(__file__).parent / "reports"))
import fhir_server

WEB = Connection("web", "dicomweb", f"http://127.0.0.1:{orthanc.HTTP_PORT}/dicom-web", user=orthanc.USER)
DIMSE = Connection("dimse", "dimse", f"127.0.0.1:{orthanc.DICOM_PORT}", title="ORTHANC", own_port=orthanc.OWN_PORT)
STUDY, SERIES = "1.2.826.0.1.3680043.8.498.1", "1.2.826.0.1.3680043.8.498.2"


@contextmanager
def servers() -> Iterator[None]:
    """Run both servers, with a CT of four slices in the archive."""
    orthanc.loopback_up()
    random = np.random.default_rng(5)
    about = {"PatientName": "Müller^Jörg", "PatientID": "P2", "StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES}
    about |= {"SpecificCharacterSet": "ISO_IR 192", "StudyDate": "20260201", "StudyID": "S", "AccessionNumber": "A2"}
    made = [
        ct_slice(place, place + 1, random.normal(0, 90 + 40 * place, (40, 40)).astype(np.int16), **about)
        for place in range(4)
    ]
    for number, each in enumerate(made):
        each.SOPInstanceUID = each.file_meta.MediaStorageSOPInstanceUID = f"{SERIES}.{number}"
    with orthanc.archive(), fhir_server.server():
        secret.remember(WEB, orthanc.PASSWORD)
        store = access.opened(WEB)
        store.store(map(content, made))
        store.close()
        yield


def reports() -> dict[str, bytes]:
    """The structured reports in the archive, by their identifiers."""
    opened = access.opened(WEB)
    found: dict[str, bytes] = {}
    for series in opened.series(STUDY):
        if series.modality == "SR":
            instances = opened.instances(STUDY, series.uid)
            opened.retrieve(instances, lambda each: found.setdefault(each.instance.uid, each.content))
    opened.close()
    return found


def faults_of(report: bytes, folder: Path) -> str:
    """What dicom3tools says against a DICOM file; nothing where it is not installed."""
    if not shutil.which("dciodvfy"):
        return ""
    path = folder / "report.dcm"
    path.write_bytes(report)
    done = subprocess.run(["dciodvfy", path], capture_output=True, encoding="latin-1", check=False)
    return "\n".join(line for line in (done.stdout + done.stderr).splitlines() if "Error" in line)
