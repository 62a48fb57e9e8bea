"""What the user has chosen in napari's preferences, read from the file that napari writes; napari is not needed for it.

napari 0.9 and later show the page that the manifest describes and write what differs from the defaults into
``napari-webipred.yaml``, beside napari's own settings. Names, defaults and bounds are here and in the manifest; a test
compares them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from msgspec import Struct
from msgspec.structs import asdict

from napari_webipred.hardware import Device, Precision

FILE = "napari-webipred.yaml"
MODELS, RESULTS = "models", "results"  # the sections of the page and of the file
FORGET, ASK = "forget without asking", "ask"
Order = Literal["model", "descending", "ascending"]  # of the bars of a chart

_MOST_BYTES = 2**16
_LONGEST = 4096  # characters of a text
_log = logging.getLogger(__name__)


class Preferences(Struct, frozen=True):
    """The page of preferences.

    Attributes
    ----------
    cache_folder : str
        Absolute path of the folder of downloaded models, which may begin with ``~``; empty for the usual one of the
        operating system.
    cache_limit : float
        How large the cache may become, in gigabytes (10^9 bytes); 0 for any size.
    offline : bool
        True forbids every use of the network.
    private_session : bool
        Whether what is kept of models from now on is deleted when the program ends.
    intensity : str
        Which intensities become black and white, if nothing else is chosen: one of the names of
        `napari_webipred.imaging.intensity.Intensity`.
    workers : int
        How many images are worked on at the same time; 0 for one per core.
    memory : float
        How much memory images may take, and how much models, in gigabytes (10^9 bytes); 0 for a quarter of what the
        computer has.
    precision : "float32" or "bf16"
    device : "cpu", "cuda", "directml", "coreml" or "auto"
        What computes a network, if nothing else is chosen; see `napari_webipred.hardware.Hardware`.
    decimals : int
        How many decimals of a probability the panel shows, 1 to 8.
    chart_order : "model", "descending" or "ascending"
        The order of the bars with which the panel begins.
    closing : "forget without asking" or "ask"
        What happens to rows that are not saved when napari's window is closed.
    """

    cache_folder: str = ""
    cache_limit: float = 0.0
    offline: bool = False
    private_session: bool = False
    intensity: str = "auto"
    workers: int = 0
    memory: float = 0.0
    device: Device = "cpu"
    precision: Precision = "float32"
    decimals: int = 3
    chart_order: Order = "model"
    closing: str = FORGET

    @classmethod
    def of(cls, document: Any, place: str = "the preferences") -> Preferences:
        """Take from a document that may hold anything what is understood; the rest has its default, with a warning."""
        chosen: dict[str, Any] = {}
        for name, default in asdict(DEFAULTS).items():
            section = document.get(section_of(name)) if isinstance(document, Mapping) else None
            if isinstance(section, Mapping) and name in section:
                if why := _fault(name, section[name], default):
                    _log.warning("%s in %s is not used: %s.", name, place, why)
                else:
                    chosen[name] = type(default)(section[name])
        return cls(**chosen)


DEFAULTS = Preferences()

# What may be chosen; the other preferences are texts, or yes and no.
CHOICES: dict[str, tuple[str, ...]] = {
    "device": get_args(Device),
    "precision": get_args(Precision),
    "chart_order": get_args(Order),
    "closing": (FORGET, ASK),
}
RANGES = {"cache_limit": (0, 100_000), "workers": (0, 256), "memory": (0, 100_000), "decimals": (1, 8)}
_OF_MODELS = {"cache_folder", "cache_limit", "offline", "private_session"}


def section_of(name: str) -> str:
    """Return the section of the page and of the file that a preference stands in."""
    return MODELS if name in _OF_MODELS else RESULTS


def _fault(name: str, value: Any, default: Any) -> str:
    """Tell why this is no value of a preference with such a default; empty if it is one."""
    fits = type(value) in (int, float) if type(default) is float else type(value) is type(default)
    if not fits:
        return f"it is no {type(default).__name__}"
    if isinstance(value, str) and (len(value) > _LONGEST or not value.isprintable()):
        return "the text is too long or has control characters"
    if value and name == "cache_folder" and not (value.startswith("~") or Path(value).is_absolute()):
        return "it is no absolute path"
    if name in CHOICES and value not in CHOICES[name]:
        return f"it is none of {', '.join(CHOICES[name])}"
    if name in RANGES and not RANGES[name][0] <= value <= RANGES[name][1]:
        return f"it is not from {RANGES[name][0]} to {RANGES[name][1]}"
    return ""


def folder_of(text: str) -> Path | None:
    """Return the folder that a text names, or None: it may be empty, or begin with the home of an unknown user."""
    try:
        return Path(text).expanduser() if text else None
    except RuntimeError:
        return None


_last: tuple[tuple[Any, ...], Preferences] = ((), DEFAULTS)


def read() -> Preferences:
    """Read the file that napari writes; it is read again only if it has changed.

    A file that is damaged counts as none, with a warning.
    """
    global _last
    place = path()
    try:
        stat = place.stat() if place is not None else None
    except (OSError, ValueError):  # there is none, or there can be none
        stat = None
    if place is None or stat is None:
        return DEFAULTS
    state = (place, stat.st_mtime_ns, stat.st_size, stat.st_ino)
    if state != _last[0]:
        _last = (state, Preferences.of(_parsed(place), str(place)))
    return _last[1]


def _parsed(place: Path) -> Any:
    """Parse the file; None if that is not possible."""
    import yaml  # type: ignore[import-untyped, unused-ignore]

    try:
        with place.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES} bytes")
        document = yaml.safe_load(content)
        if not isinstance(document, Mapping | None):
            raise ValueError("it is no list of settings")
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        _log.warning("The preferences in %s are not used: %s. The defaults count.", place, why)
        return None
    return document


def path() -> Path | None:
    """Return where napari writes the preferences of this plugin; None if napari is told to write none.

    napari has settings of its own for each environment of Python, whose name is made of the folder of the environment.
    """
    config = os.environ.get("NAPARI_CONFIG")
    if config is not None:
        folder = folder_of(str(Path(config).parent)) if config else None
        return folder / FILE if folder is not None else None
    import platformdirs

    return Path(platformdirs.user_config_dir("napari", False, _environment())) / FILE


@cache
def _environment() -> str:
    """Name the environment of Python as napari does (``napari/utils/_platformdirs.py``)."""
    import platformdirs

    prefix = os.path.realpath(sys.prefix)
    if prefix.startswith(platformdirs.user_cache_dir("uv")):
        return str(Path("uvx") / _version_of_napari())
    return f"{Path(prefix).name}_{hashlib.sha1(prefix.encode(), usedforsecurity=False).hexdigest()}"


def _version_of_napari() -> str:
    from importlib import metadata

    try:
        release = re.match(r"\d+(\.\d+)*", metadata.version("napari"))
    except metadata.PackageNotFoundError:
        release = None
    return release[0] if release else ""
