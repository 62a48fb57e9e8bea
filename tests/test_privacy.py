"""The promise: no image leaves this machine, and nothing is kept of it. Watched from outside the program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from napari_webipred.settings import default_cache_folder

DEMO = [sys.executable, "-m", "napari_webipred.cli", "demo"]
CLASSIFY = [sys.executable, "-m", "napari_webipred.cli", "classify", "--model", "demo", "--output", "out.csv"]
PATIENT = "Doe_Jane_1970"


class Machine:
    """A home, a folder for temporary files and a folder to work in, all empty, and nothing else to write to."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.home, self.temporary, self.work = (folder / name for name in ("home", "temporary", "work"))
        for path in (self.home, self.temporary, self.work):
            path.mkdir()
        for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA"):
            monkeypatch.setenv(name, str(self.home))
        for name in ("TMPDIR", "TEMP", "TMP"):
            monkeypatch.setenv(name, str(self.temporary))
        for name in [name for name in os.environ if name.startswith(("XDG_", "NAPARI", "ORT_"))]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
        self.cache = default_cache_folder()

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command,
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done

    def outside_of_the_cache(self) -> set[Path]:
        """Every file and folder but the cache and the folders it lies in."""
        paths = {path for path in self.folder.rglob("*") if not path.is_relative_to(self.cache)}
        return paths - {*self.cache.parents, self.home, self.temporary, self.work}

    def cached(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.cache.rglob("*") if path.is_file()}

    def picture(self) -> Path:
        """Write a picture that is called after a patient."""
        from PIL import Image

        path = self.work / f"{PATIENT}.png"
        Image.effect_noise((64, 48), 60).save(path)
        return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    folder = tmp_path / "machine"
    folder.mkdir()
    return Machine(folder, monkeypatch)


def works(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


def strace(log: Path) -> list[str]:
    if not works("strace", "-f", "-o", os.devnull, "true"):
        pytest.skip("strace is not installed, or may not watch processes here")
    return ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=%network,open,openat,creat"]


def internet_sockets(log: Path) -> list[str]:
    return [line for line in log.read_text(errors="replace").splitlines() if re.search(r"\bAF_INET6?\b", line)]


def written(log: Path) -> set[Path]:
    """Every path that was opened for writing, successfully."""
    opened = re.compile(r'\b(?:open|openat|creat)\((?:[^"]*)"((?:[^"\\]|\\.)*)", ([A-Z_|]+).*\) = \d+')
    matches = (opened.search(line) for line in log.read_text(errors="replace").splitlines())
    return {Path(m[1]) for m in matches if m and re.search("O_WRONLY|O_RDWR|O_CREAT", m[2])}


def test_a_prediction_opens_no_internet_socket(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    machine.run([*strace(log), *DEMO])
    assert internet_sockets(log) == []
    machine.run([*strace(log), *CLASSIFY, str(machine.picture())])
    assert internet_sockets(log) == []


def test_the_python_functions_open_no_internet_socket(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    code = "import sys, napari_webipred as wp; wp.list_models(); print(wp.classify(sys.argv[1], 'demo').to_csv())"
    done = machine.run([*strace(log), sys.executable, "-c", code, str(machine.picture())])
    assert PATIENT in done.stdout
    assert internet_sockets(log) == []


def test_strace_would_have_seen_a_socket(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    code = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()"
    machine.run([*strace(log), sys.executable, "-c", code])
    assert internet_sockets(log)


def test_a_prediction_works_where_there_is_no_network_at_all(machine: Machine) -> None:
    ways = (["unshare", "--net"], ["unshare", "--map-root-user", "--net"])  # as root, or as anybody else
    way = next((way for way in ways if works(*way, "true")), None)
    if way is None:
        pytest.skip("unshare is not installed, or may not take the network away here")
    machine.run([*way, *DEMO])
    assert (machine.work / "demo.csv").is_file()


HOLD = """
import sys
def refuse(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg", "socket.bind"}:
        raise SystemExit(f"{event} {arguments}")
sys.addaudithook(refuse)
from napari_webipred.cli import main
raise SystemExit(main(sys.argv[1:]))
"""


def test_a_prediction_asks_python_for_no_connection(machine: Machine) -> None:
    """Works on every system, but sees Python's own sockets only."""
    machine.run([sys.executable, "-c", HOLD, *DEMO[3:]])


def test_only_the_cache_and_what_was_asked_for_is_written(machine: Machine) -> None:
    picture = machine.picture()
    machine.run([*CLASSIFY, str(picture)])
    asked_for = {picture, machine.work / "out.csv", machine.work / "out.csv.json"}
    assert machine.outside_of_the_cache() == asked_for


def test_nothing_is_opened_for_writing_elsewhere(machine: Machine, tmp_path: Path) -> None:
    log = tmp_path / "strace.log"
    machine.run([*strace(log), *CLASSIFY, str(machine.picture())])
    paths = {machine.work / path for path in written(log)}
    assert machine.work / "out.csv" in paths
    elsewhere = {path for path in paths if not path.is_relative_to(machine.cache) and path.parts[1] != "dev"}
    assert elsewhere == {machine.work / "out.csv", machine.work / "out.csv.json"}


def test_nothing_of_a_picture_is_kept(machine: Machine) -> None:
    """Neither its name nor its pixels: the cache is the same, byte for byte, whatever picture was classified."""
    machine.run(DEMO)
    before = machine.cached()
    machine.run([*CLASSIFY, str(machine.picture())])
    assert before
    assert machine.cached() == before
