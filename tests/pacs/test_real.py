"""Tests with a real archive, Orthanc, in a network namespace that has nothing but loopback: `real.py`."""

from __future__ import annotations

from pathlib import Path

import pytest

import orthanc


def test_the_whole_way_with_a_real_archive(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pynetdicom", reason="LEFT OUT: the tests with a real archive, because pynetdicom is missing")
    pytest.importorskip("dicomweb_client", reason=f"{orthanc.MISSING}, because dicomweb-client is missing")
    if why := orthanc.missing():
        pytest.skip(why)
    done = orthanc.run_inside([str(Path(__file__).with_name("real.py"))])
    with capsys.disabled():
        print(done.stdout[-300:])
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
