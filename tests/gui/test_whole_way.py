"""From an archive to the record through the panel, with a real archive and a real FHIR server: `real.py`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import orthanc

sys.path.append(str(Path(__file__).parents[1] / "reports"))
import fhir_server


def test_the_whole_way_through_the_panel_with_real_servers(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("highdicom", "pynetdicom", "dicomweb_client"):
        pytest.importorskip(name, reason=f"LEFT OUT: the panel with real servers, because {name} is missing")
    if why := orthanc.missing() or fhir_server.missing():
        pytest.skip(why)
    done = orthanc.run_inside(["-p", "pytestqt.plugin", str(Path(__file__).with_name("real.py"))])
    with capsys.disabled():
        print(done.stdout[-300:])
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
