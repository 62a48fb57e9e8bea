"""Find, retrieve and classify a CT series of 200 slices from a real archive, and only transfer it without this program.

    unshare --net python benchmarks/archive.py

Needs Orthanc, DCMTK and the extra `pacs`. The share that is ours is what the whole takes beyond the transfer alone and
the classification of the same files from a folder. Times are those of the clock; the server runs on the same cores.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import numpy as np

import napari_webipred as wp
import orthanc
from dicom_maker import content, ct_slice
from napari_webipred.pacs import access, connection_file, secret
from napari_webipred.pacs.connection import Connection

SLICES = 200
ROUNDS = 3
ADDRESS = f"http://127.0.0.1:{orthanc.HTTP_PORT}/dicom-web"


def main() -> None:
    orthanc.loopback_up()
    with tempfile.TemporaryDirectory() as name, orthanc.archive():
        folder = Path(name)
        os.environ["NAPARI_CONFIG"] = str(folder / "settings.yaml")
        web = Connection("web", "dicomweb", ADDRESS, user=orthanc.USER)
        dimse = Connection("dimse", "dimse", f"127.0.0.1:{orthanc.DICOM_PORT}", title="ORTHANC")
        secret.remember(web, orthanc.PASSWORD)
        for each in (web, dimse):
            connection_file.add(each)
        archive = access.opened(web)
        files = series()
        archive.store(files)
        archive.close()
        model = wp.open_model("demo")
        (folder / "files").mkdir()
        for number, each in enumerate(files):
            (folder / "files" / f"{number:03}.dcm").write_bytes(each)

        def by_library() -> None:
            from dicomweb_client import DICOMwebClient
            from requests import Session

            session = Session()
            session.auth = (orthanc.USER, orthanc.PASSWORD)
            client = DICOMwebClient(ADDRESS, session)
            media = (("application/dicom", "*"),)
            assert len(client.retrieve_series("1.2.3", "1.2.3.4", media_types=media)) == SLICES

        def by_getscu() -> None:
            out = tempfile.mkdtemp(dir=folder)
            keys = [
                "-k",
                "QueryRetrieveLevel=SERIES",
                "-k",
                "StudyInstanceUID=1.2.3",
                "-k",
                "SeriesInstanceUID=1.2.3.4",
            ]
            command = ["getscu", "-S", "-aet", "WEBIPRED", "-aec", "ORTHANC", "-od", out, *keys]
            subprocess.run([*command, "127.0.0.1", str(orthanc.DICOM_PORT)], check=True, capture_output=True)
            assert len(list(Path(out).iterdir())) == SLICES

        def ours(name: str) -> Callable[[], None]:
            def run() -> None:
                with wp.Archive(name) as opened:
                    table = wp.classify(opened.retrieve(opened.find()), model)
                    assert len(table) == SLICES

            return run

        def transfer(name: str) -> Callable[[], None]:
            def run() -> None:
                with wp.Archive(name) as opened:
                    opened.retrieve(opened.find())

            return run

        ways: dict[str, Callable[[], object]] = {
            "classify the files in a folder": lambda: wp.classify(str(folder / "files"), model),
            "dicomweb-client alone": by_library,
            "find and retrieve by DICOMweb": transfer("web"),
            "find, retrieve and classify by DICOMweb": ours("web"),
            "getscu alone": by_getscu,
            "find and retrieve by C-GET": transfer("dimse"),
            "find, retrieve and classify by C-GET": ours("dimse"),
        }
        for what, way in ways.items():
            seconds = []
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                way()
                seconds.append(time.perf_counter() - begin)
            print(f"{what:42} {min(seconds):6.2f} s", flush=True)


def series() -> list[bytes]:
    noise = (np.random.default_rng(0).normal(size=(512, 512)) * 200).astype(np.int16)
    return [content(ct_slice(number * 2.0, number + 1, np.roll(noise, number, 0))) for number in range(SLICES)]


if __name__ == "__main__":
    main()
