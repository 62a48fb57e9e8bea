"""From an archive to the record with a real archive and a real FHIR server: `real.py`; and the page in a browser."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import orthanc
from napari_webipred import cli

sys.path.append(str(Path(__file__).parent))
import fhir_server

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)


def test_the_whole_way_with_real_servers(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("highdicom", "pynetdicom", "dicomweb_client"):
        pytest.importorskip(name, reason=f"LEFT OUT: the tests with real servers, because {name} is missing")
    if why := orthanc.missing() or fhir_server.missing():
        pytest.skip(why)
    done = orthanc.run_inside([str(Path(__file__).with_name("real.py"))])
    with capsys.disabled():
        print(done.stdout[-300:])
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]


@pytest.mark.skipif(BROWSER is None, reason="LEFT OUT: the page in a browser, because none is installed")
def test_a_browser_shows_and_prints_the_page_and_refuses_nothing_of_it(study, tmp_path) -> None:
    page = tmp_path / "page.html"
    arguments = ["--to", "html", "--pictures", "--reader", "Rita Reader", "--organisation", "Clinic", "-o", str(page)]
    assert cli.main(["report", str(study.read({0: ("noisy", "<b>grain</b>")})), *arguments]) == 0

    def shown(*options: str) -> subprocess.CompletedProcess[str]:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", profile]
        return subprocess.run([*command, *options, page.as_uri()], capture_output=True, text=True, check=True)

    light, dark, pdf = tmp_path / "light.png", tmp_path / "dark.png", tmp_path / "page.pdf"
    size = "--window-size=1000,2000"
    said = shown(size, f"--screenshot={light}").stderr
    assert "Refused" not in said
    assert "violates" not in said
    shown(size, f"--screenshot={dark}", "--blink-settings=preferredColorScheme=0")
    shown(f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    assert np.median(np.asarray(Image.open(light).convert("L"))) > 230
    assert np.median(np.asarray(Image.open(dark).convert("L"))) < 50
    assert pdf.read_bytes().startswith(b"%PDF")
    assert "&lt;b&gt;grain" in shown("--dump-dom").stdout
