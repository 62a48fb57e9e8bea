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
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from napari_webipred.hardware import Device, Precision

FILE = "napari-webipred.yaml"
MODELS, RESULTS = "models", "results"  # the sections of the page and of the file
FORGET, ASK = "forget without asking", "ask"
Order = Literal["model", "descending", "ascending"]  # of the bars of a chart

_MOST_BYTES = 2**16
_LONGEST = 4096  # characters of a text
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Preferences:
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

    cache_folder: str = field(default="", metadata={"section": MODELS, "folder": True})
    cache_limit: float = field(default=0.0, metadata={"section": MODELS, "least": 0, "most": 100_000})
    offline: bool = field(default=False, metadata={"section": MODELS})
    private_session: bool = field(default=False, metadata={"section": MODELS})
    intensity: str = field(default="auto", metadata={"section": RESULTS})
    workers: int = field(default=0, metadata={"section": RESULTS, "least": 0, "most": 256})
    memory: float = field(default=0.0, metadata={"section": RESULTS, "least": 0, "most": 100_000})
    device: Device = field(default="cpu", metadata={"section": RESULTS, "choices": get_args(Device)})
    precision: Precision = field(default="float32", metadata={"section": RESULTS, "choices": get_args(Precision)})
    decimals: int = field(default=3, metadata={"section": RESULTS, "least": 1, "most": 8})
    chart_order: Order = field(default="model", metadata={"section": RESULTS, "choices": get_args(Order)})
    closing: str = field(default=FORGET, metadata={"section": RESULTS, "choices": (FORGET, ASK)})

    @classmethod
    def of(cls, document: Any, place: str = "the preferences") -> Preferences:
        """Take from a document that may hold anything what is understood; the rest has its default, with a warning."""
        chosen: dict[str, Any] = {}
        for each in fields(cls):
            default: Any = each.default
            section = document.get(each.metadata["section"]) if isinstance(document, Mapping) else None
            if isinstance(section, Mapping) and each.name in section:
                if why := _fault(section[each.name], default, each.metadata):
                    _log.warning("%s in %s is not used: %s.", each.name, place, why)
                else:
                    chosen[each.name] = type(default)(section[each.name])
        return cls(**chosen)


DEFAULTS = Preferences()


def _fault(value: Any, default: Any, bounds: Mapping[str, Any]) -> str:
    """Tell why this is no value of a preference with such a default; empty if it is one."""
    fits = type(value) in (int, float) if type(default) is float else type(value) is type(default)
    if not fits:
        return f"it is no {type(default).__name__}"
    if isinstance(value, str) and (len(value) > _LONGEST or not value.isprintable()):
        return "the text is too long or has control characters"
    if value and "folder" in bounds and not (value.startswith("~") or Path(value).is_absolute()):
        return "it is no absolute path"
    if "choices" in bounds and value not in bounds["choices"]:
        return f"it is none of {', '.join(bounds['choices'])}"
    if "least" in bounds and not bounds["least"] <= value <= bounds["most"]:
        return f"it is not from {bounds['least']} to {bounds['most']}"
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
