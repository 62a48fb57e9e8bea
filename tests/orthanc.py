"""A real archive for tests: Orthanc in a network namespace of its own, where nobody else can reach it.

Orthanc 1.10 listens at all addresses of a computer and cannot be told otherwise. So the tests of this archive run in a
process of their own, in a namespace that has the loopback interface alone; which also proves that they contact nobody
else.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PROGRAM = Path("/usr/sbin/Orthanc")
HTTP_PORT, DICOM_PORT, OWN_PORT = 18042, 14242, 11113
USER, PASSWORD = "webipred", "s3cret"
INSIDE = "NAPARI_WEBIPRED_TEST_NAMESPACE"  # set in the namespace
MISSING = "LEFT OUT: the tests with a real archive"


def namespace() -> list[str] | None:
    """The command that runs another one without any network but loopback; None where that is not possible."""
    for command in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        if (
            shutil.which("unshare")
            and subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0
        ):
            return command
    return None


def missing() -> str:
    """Why there can be no archive here; empty if there can."""
    if not (PROGRAM.is_file() and PLUGIN.is_file()):
        return f"{MISSING}, because Orthanc is not installed (packages orthanc and orthanc-dicomweb)"
    if namespace() is None:
        return f"{MISSING}, because no network namespace can be made here"
    return ""


def run_inside(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run pytest in the namespace, where `loopback_up` and `archive` work."""
    found = namespace()
    assert found is not None
    command = [*found, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    environment = {**os.environ, INSIDE: "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # those of napari cost seconds
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def loopback_up() -> None:
    """Switch the loopback interface on, without the program `ip`."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        name = struct.pack("16sh", b"lo", 1 | 64)  # IFF_UP, IFF_RUNNING
        fcntl.ioctl(made, 0x8914, name)  # SIOCSIFFLAGS


def settings(folder: Path, **more: Any) -> dict[str, Any]:
    allowed = {"AllowEcho": True, "AllowFind": True, "AllowGet": True, "AllowMove": True, "AllowStore": True}
    return {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "TemporaryDirectory": str(folder / "scratch"),
        "Plugins": [str(PLUGIN)],
        "HttpPort": HTTP_PORT,
        "RemoteAccessAllowed": False,
        "WebDavEnabled": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomServerEnabled": True,
        "DicomAet": "ORTHANC",
        "DicomPort": DICOM_PORT,
        "DicomCheckCalledAet": True,
        "DicomCheckModalityHost": False,
        "DicomAlwaysAllowEcho": True,
        "DicomAlwaysAllowStore": False,
        "DicomAlwaysAllowFind": False,
        "DicomAlwaysAllowGet": False,
        "DicomAlwaysAllowMove": False,
        "DicomModalities": {"webipred": {"AET": "WEBIPRED", "Host": "127.0.0.1", "Port": OWN_PORT, **allowed}},
        "UnknownSopClassAccepted": True,
        "OverwriteInstances": True,
        "SyncStorageArea": False,
        "DefaultEncoding": "Utf8",
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full", "SeriesMetadata": "Full"},
        **more,
    }


@contextmanager
def archive(**more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run Orthanc, in the namespace."""
    folder = Path(tempfile.mkdtemp(prefix="orthanc-"))
    (folder / "db").mkdir()
    (folder / "scratch").mkdir()
    (folder / "orthanc.json").write_text(json.dumps(settings(folder, **more)))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, folder / "orthanc.json"], stdout=log, stderr=log, env={**os.environ, "TCP_NODELAY": "1"}
        )
    try:
        for _ in range(400):
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text(errors="replace")[-1000:])
            if _answers():
                break
            time.sleep(0.05)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)  # it takes seconds to end by itself, and its data go anyway
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _answers() -> bool:
    """Whether Orthanc takes connections at both ports."""
    try:
        for port in (HTTP_PORT, DICOM_PORT):
            socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
