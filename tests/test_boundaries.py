"""The rules of the house: which module may import which, and what opening the package costs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = "napari_webipred"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

# What each room may import, besides itself and what all may know. A dotted name opens one module of a room.
GROUND = {
    *{
        "atomic_file",
        "cancellation",
        "card",
        "checksums",
        "class_colours",
        "errors",
        "field_values",
        "file_errors",
        "formats",
        "hardware",
        "installed",
        "licences",
        "limits",
        "merge",
    },
    *{
        "model_overrides",
        "names",
        "preferences",
        "safe_json",
        "field_values",
        "schema",
        "settings",
        "steps",
        "table_header",
    },
}
DATA = {
    "references.reference",
    "imaging.region",
    "imaging.source",
    "results.row",
    "runtime.outputs",
    "workers",
}  # plain data and threads
FILES = {"archive", "download", "catalogue", "cache"}  # how the files of a model are found, brought here and read
ALLOWED = {
    "__init__": {"_version", "api", "model", "card", "errors"},
    "_version": set(),
    "names": set(),
    "table_header": {"names"},
    "file_errors": set(),
    "formats": set(),
    "installed": set(),
    "licences": set(),
    "safe_json": set(),
    "checksums": set(),
    "class_colours": set(),
    "preferences": {"hardware"},
    "hardware": {"errors"},
    "difference": GROUND | DATA | {"imaging", "model", "results", "runtime"},
    "settings": {"preferences"},
    "workers": set(),
    "steps": set(),
    "errors": {"names"},
    "atomic_file": {"safe_json"},
    "limits": {"errors", "settings"},
    "cancellation": {"errors"},
    "field_values": set(),
    "schema": {"field_values"},
    "card": {"errors", "field_values", "file_errors", "formats", "names", "schema"},
    "merge": {"card", "names"},
    "model_overrides": {"card", "errors", "merge"},
    "samples": set(),
    "archive": GROUND,
    "download": GROUND | {"archive"},
    "catalogue": GROUND | {"archive", "download"},
    "cache": GROUND | {"references.reference", "archive", "download", "catalogue"},
    "imaging": GROUND | DATA,
    "runtime": GROUND | DATA,
    "results": GROUND | DATA,
    "pacs": GROUND | DATA | {"imaging", "cache.lock"},
    "card_check": {"card", "errors", "runtime"},
    "completion": GROUND | DATA | {"catalogue", "runtime"},
    "self_test": GROUND | DATA | {"imaging", "results"},
    "optimising": {"optimiser"},
    "optimiser": GROUND | {"cache", "runtime"},
    "model": GROUND | DATA | {"cache", "optimiser", "optimising", "runtime", "results"},
    "opening": GROUND | DATA | FILES | {"model", "runtime", "card_check", "completion", "self_test"},
    "options": GROUND | {"imaging"},
    "execution": GROUND | DATA | {"cache.graphs", "options", "model", "imaging", "results", "runtime"},
    "references": GROUND | DATA | {"options", "model", "execution", "imaging", "results", "runtime"},
    "engine": GROUND | DATA | {"difference", "options", "model", "execution", "references", "imaging", "results"},
    "explanations": GROUND | DATA | {"options", "model", "execution", "imaging", "results", "runtime"},
    "ensembles": GROUND | DATA | {"results"},
    "reports": GROUND | DATA | {"execution", "imaging", "pacs", "results"},
    "evaluation": GROUND | {"cache", "results"},
    "slides": GROUND | DATA | {"difference", "options", "model", "execution", "imaging", "results", "runtime"},
    "fitting": GROUND
    | DATA
    | {"archive", "cache", "catalogue", "engine", "evaluation", "execution", "imaging", "model", "opening", "options"}
    | {"results", "runtime", "self_test"},
    "publishing": GROUND
    | DATA
    | FILES
    | {"evaluation", "imaging", "model", "opening", "options", "results", "runtime"},
    "api": GROUND
    | DATA
    | {
        "pacs",
        "engine",
        "ensembles",
        "evaluation",
        "execution",
        "references",
        "reports",
        "explanations",
        "fitting",
        "publishing",
        "slides",
        "model",
        "opening",
        "cache",
        "imaging",
        "results",
    },
    "cli": GROUND
    | DATA
    | FILES
    | {
        "difference",
        "pacs",
        "engine",
        "ensembles",
        "evaluation",
        "execution",
        "references",
        "reports",
        "explanations",
        "fitting",
        "publishing",
        "slides",
        "model",
        "opening",
        "optimising",
        "imaging",
        "results",
        "samples",
    },
    "_napari": GROUND
    | DATA
    | FILES
    | {"difference", "engine", "ensembles", "evaluation", "execution", "explanations", "model", "opening", "options"}
    | {"fitting", "imaging", "pacs", "publishing", "references", "reports", "results", "samples", "slides"},
}
GUI = {"napari", "qtpy", "superqt", "magicgui", "vispy", "PyQt5", "PyQt6", "PySide2", "PySide6"}
TENSORFLOW = {"tensorflow", "keras", "tf_keras", "tensorflowjs"}
HEAVY = {
    *{"onnxruntime", "onnx", "pandas", "matplotlib", "scipy", "skimage", "sklearn", "pydicom"},
    *{
        "tifffile",
        "dask",
        "distributed",
        "imagecodecs",
        "pyarrow",
        "xarray",
        "zarr",
        "requests",
        "openpyxl",
        "highdicom",
        "pynetdicom",
        "dicomweb_client",
        "keyring",
    },
    *TENSORFLOW,
}


def name_of(path: Path) -> str:
    """Dotted name of a module below the package: ``runtime.layers.pooling``, ``runtime`` for its ``__init__``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}
OUTSIDE = [name for name in MODULES if name.split(".")[0] != "_napari"]
ROOMS = sorted({name.split(".")[0] for name in MODULES})


@cache
def imports(name: str) -> list[str]:
    """Every absolute name that a module imports anywhere, inside functions and ``if TYPE_CHECKING`` too."""
    found = []
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports name the whole path"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def own_imports(name: str) -> set[str]:
    """Modules of the package that a module imports, as names below the package."""
    found = set()
    for other in imports(name):
        if other == PACKAGE or other.startswith(f"{PACKAGE}."):
            below = other.removeprefix(PACKAGE).lstrip(".")
            while below and below not in MODULES:  # the end of the name is something inside a module
                below = below.rpartition(".")[0]
            found.add(below or "__init__")
    return found


def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def in_a_new_process(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=kept | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def report_of(code: str, **environment: str) -> list[str]:
    done = in_a_new_process(f"{code}\nimport json; print('\\n' + json.dumps(sorted(report)))", **environment)
    assert done.returncode == 0, done.stderr
    report: list[str] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    assert room in ALLOWED, f"{room} is new: say in ALLOWED what it may import"
    wrong = [
        f"{name} imports {other}"
        for name in MODULES
        if name.split(".")[0] == room
        for other in own_imports(name)
        if other.split(".")[0] != room
        and other.split(".")[0] not in ALLOWED[room]
        and other not in ALLOWED[room]
        and other != "__init__"  # for the version, which needs no other module
    ]
    assert not wrong


def test_the_package_itself_is_imported_for_its_version_only() -> None:
    allowed = {f"{PACKAGE}.{name}" for name in ("__version__", *ROOMS)}
    assert not [
        f"{name} imports {other}"
        for name in MODULES
        for other in imports(name)
        if other.rpartition(".")[0] == PACKAGE and other not in allowed
    ]


def test_no_module_imports_itself_on_a_detour() -> None:
    below = {name: own_imports(name) - {name, "__init__"} for name in MODULES if name != "__init__"}
    done: set[str] = set()

    def walk(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way[way.index(name) :], name))
        if name not in done:
            for other in below[name]:
                walk(other, (*way, name))
            done.add(name)

    for name in below:
        walk(name, ())


def test_only_the_napari_room_knows_napari_and_qt() -> None:
    assert not [f"{name} imports {other}" for name in OUTSIDE for other in imports(name) if other.split(".")[0] in GUI]


def test_no_module_knows_tensorflow() -> None:
    """But the one that runs in a process of its own, where TensorFlow is compared with this program."""
    knowing = {name for name in MODULES for other in imports(name) if other.split(".")[0] in TENSORFLOW}
    assert knowing == {"publishing.tensorflow_child"}
    beside = "publishing.tensorflow_child"
    assert not [name for name in MODULES for other in own_imports(name) if other == beside != name]


BLOCK = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"{{name}} is blocked here", name=name)
sys.meta_path.insert(0, Blocked())
"""


def test_a_control_of_the_panel_knows_nothing_of_models_and_images() -> None:
    rooms = {path.name for path in (SOURCE / "_napari").iterdir() if path.is_dir()} - {"widgets", "__pycache__"}
    texts = [path.read_text() for path in (SOURCE / "_napari" / "widgets").glob("*.py")]
    assert rooms
    assert not [room for room in rooms for text in texts if f"{PACKAGE}._napari.{room}" in text]


def test_everything_outside_the_napari_room_imports_without_napari_qt_and_tensorflow() -> None:
    names = [PACKAGE if name == "__init__" else f"{PACKAGE}.{name}" for name in OUTSIDE]
    code = BLOCK.format(blocked=GUI | TENSORFLOW) + "".join(f"import {name}\n" for name in names)
    done = in_a_new_process(code)
    assert done.returncode == 0, done.stderr


LISTEN = """
import sys
report = set()
def hear(event, arguments):
    if event.startswith("socket.") and event not in {"socket.__new__", "socket.gethostname"}:
        report.add(event)
sys.addaudithook(hear)
"""
LOADED = f"report |= {{name.split('.')[0] for name in sys.modules}} & {HEAVY!r}\n"


def test_importing_the_package_loads_nothing_heavy_and_touches_no_network() -> None:
    assert report_of(f"{LISTEN}import {PACKAGE}\n{LOADED}") == []


def test_importing_the_command_line_loads_nothing_heavy_and_touches_no_network() -> None:
    assert report_of(f"{LISTEN}import {PACKAGE}.cli\n{LOADED}") == []


def test_listing_the_catalogue_touches_no_network_and_opens_no_runtime(tmp_path: Path) -> None:
    code = f"{LISTEN}import {PACKAGE}\nassert {PACKAGE}.list_models()\n{LOADED}"
    assert report_of(code, NAPARI_WEBIPRED_CACHE=str(tmp_path)) == []


@cache
def loaded_by_the_panel() -> list[str]:
    """What all its modules together load and do. What napari itself has loaded by then does not count."""
    pytest.importorskip("napari")
    names = [f"{PACKAGE}.{name}" for name in MODULES if name.split(".")[0] == "_napari"]
    return report_of(
        "import sys, napari, napari.viewer, napari.layers, napari.qt.threading, napari.utils.notifications\n"
        f"before = set(sys.modules)\n{LISTEN}"
        + "".join(f"import {name}\n" for name in names)
        + "report |= set(sys.modules) - before\n"
    )


def test_importing_the_panel_loads_nothing_heavy_and_touches_no_network() -> None:
    loaded = loaded_by_the_panel()
    assert f"{PACKAGE}._napari.panel" in loaded
    assert not [name for name in loaded if name.split(".")[0] in HEAVY or name.startswith("socket.")]


def test_importing_the_panel_leaves_the_engine_for_the_first_run() -> None:
    later = {f"{PACKAGE}.{name}" for name in ("engine", "execution", "opening", "model", "runtime.session")}
    assert not later.intersection(loaded_by_the_panel())


@pytest.mark.parametrize("module", [PACKAGE, f"{PACKAGE}.cli", f"{PACKAGE}.runtime.session", f"{PACKAGE}.engine"])
def test_telemetry_of_the_runtime_is_off_before_it_is_imported(module: str) -> None:
    code = f"""
import os, sys
report = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            report.append(os.environ.get("ORT_DISABLE_TELEMETRY"))
sys.meta_path.insert(0, Watch())
import {module}
import onnxruntime
"""
    assert report_of(code) == ["1"]


def test_every_way_into_the_program_leads_through_the_package() -> None:
    """So the variable that keeps the runtime silent is always set first."""
    project = (SOURCE.parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'napari-webipred = "{PACKAGE}.cli.main:program"' in project
    assert f'napari-webipred = "{PACKAGE}:napari.yaml"' in project
    first = next(node for node in ast.walk(tree_of("__init__")) if isinstance(node, ast.Assign))
    assert ast.unparse(first) == "os.environ['ORT_DISABLE_TELEMETRY'] = '1'"


def test_every_screenshot_of_the_readme_is_there() -> None:
    """The hub shows absolute addresses only; each must lead to a file of this repository."""
    root = SOURCE.parents[1]
    readme = (root / "README.md").read_text(encoding="utf-8")
    raw = "https://raw.githubusercontent.com/napari-webipred/napari-webipred/main/"
    screenshots = [part.split(")")[0] for part in readme.split("](")[1:] if part.startswith(raw)]
    assert [path for path in screenshots if not (root / path.removeprefix(raw)).is_file()] == []
