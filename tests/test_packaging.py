"""The wheel and the sdist hold all that is needed, what is imported is declared, and all files agree on the project."""

from __future__ import annotations

import ast
import csv
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "napari_webipred"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PROJECT, HATCH = SETTINGS["project"], SETTINGS["tool"]["hatch"]
EXTRAS = PROJECT["optional-dependencies"]


def build(folder: Path, target: str, out: Path) -> Path:
    """Build the wheel or the sdist of a source tree, without isolation and so without a network."""
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(out)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (made,) = out.iterdir()
    return made


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="the group test-core has no build backend")
    return build(ROOT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist, as pip does where there is no wheel."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    (folder,) = unpacked.iterdir()
    return build(folder, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of an environment that has the wheel, and for all else the packages of this one."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder)
    python = next(path for name in ("bin/python", "Scripts/python.exe") if (path := folder / name).exists())
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    # A folder named here is searched, but its own .pth files are not read: that of the checkout stays out.
    paths = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (own / "dependencies.pth").write_text("\n".join(sorted(paths)))
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--force-reinstall", str(wheel)], check=True)
    return python.parent


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "COVERAGE_PROCESS_START"}}
    environment = kept | {"NAPARI_WEBIPRED_CACHE": str(folder / "cache"), "NAPARI_WEBIPRED_OFFLINE": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_installed_wheel_runs_the_demo_without_the_checkout(installed: Path, tmp_path: Path) -> None:
    where = run([installed / "python", "-c", "import napari_webipred; print(napari_webipred.__file__)"], tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(installed.parent)
    done = run([installed / "napari-webipred", "demo"], tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "demo.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    samples = {path.name for path in PACKAGE.glob("samples/*") if path.suffix != ".py" and path.is_file()}
    assert {row["image"] for row in rows if row["prediction"]} == samples


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    files = {path.relative_to(ROOT / "src").as_posix() for path in PACKAGE.rglob("*") if path.is_file()}
    files = {name for name in files if "__pycache__" not in name}
    assert {Path(name).suffix for name in files} >= {".py", ".json", ".zip", ".yaml", ".typed", ".tif", ".png", ".jpg"}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert archive.read("napari_webipred/napari.yaml") == (PACKAGE / "napari.yaml").read_bytes()
    assert {name for name in names if ".dist-info/" not in name} == files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_sdist_holds_what_is_needed_to_build_and_to_test(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {member.name.partition("/")[2] for member in archive}
    wanted = {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "src/napari_webipred/napari.yaml"}
    assert wanted | {"tests/test_packaging.py", "tests/goldens/layers.json", "docs/index.md"} <= names


def test_the_citation_says_what_the_project_says() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["title"] == PROJECT["name"]
    assert citation["license"] == PROJECT["license"]
    assert citation["url"] == PROJECT["urls"]["Homepage"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]
    released = re.search(r"^## (\d[\w.]*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert citation["version"] == (released[1] if released else HATCH["version"]["fallback-version"])


# --- dependencies ----------------------------------------------------------------------------------------------------

# What the panel needs and the command line does not: a user of napari has it.
BROUGHT_BY_THE_USER = {"napari"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported() -> set[str]:
    """Names of the modules that the package imports anywhere, without those of Python and its own."""
    nodes = [node for path in PACKAGE.rglob("*.py") for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"napari_webipred"}


def declared(requirements: list[str]) -> set[str]:
    return {plain(re.match(r"[\w.-]+", each)[0]) for each in requirements}  # type: ignore[index]


def test_every_package_that_is_imported_is_declared() -> None:
    """Or belongs to an extra: then it is imported where it is needed, with a message that says what to install."""
    known = declared([*PROJECT["dependencies"], *(each for extra in EXTRAS.values() for each in extra)])
    brought_by = packages_distributions()
    missing = {
        name
        for name in imported() - BROUGHT_BY_THE_USER
        if not known & {plain(distribution) for distribution in brought_by.get(name, [name])}
    }
    assert missing == set()
