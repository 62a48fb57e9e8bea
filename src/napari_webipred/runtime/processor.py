"""Which processor this is, and what it can: what ONNX Runtime has optimised for one may be wrong for another."""

from __future__ import annotations

import os
import platform
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

# Of /proc/cpuinfo, on x86 and on ARM. The rest of its lines, such as the speed, changes while one works.
_NAMES = ("vendor_id", "cpu family", "model", "model name", "CPU implementer", "CPU variant", "CPU part")
_FLAGS = ("flags", "Features")
# Of one core; there may be hundreds.
_MOST_BYTES = 2**14


@cache
def processor() -> str:
    """Describe the processor: its architecture, its model and the instruction sets that this process may use.

    A hypervisor may hide instruction sets of the same model, so its name alone does not tell.
    """
    lines = _linux() if sys.platform == "linux" else {}
    known = [f"{name}={lines[name]}" for name in (*_NAMES, *_FLAGS) if name in lines]
    return "; ".join([sys.platform, platform.machine(), *(known or [_name(), *_features()])])


def flags() -> frozenset[str]:
    """Return the instruction sets that Linux names, such as ``"avx2"``; empty on other systems."""
    lines = _linux() if sys.platform == "linux" else {}
    return frozenset(flag for name in _FLAGS for flag in lines.get(name, "").split())


def _linux(file: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Read what Linux says of the first core."""
    with suppress(OSError), file.open("rb") as opened:
        first = opened.read(_MOST_BYTES).decode("utf-8", "replace").partition("\n\n")[0]
        return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}
    return {}


def _name() -> str:
    """Name the model of the processor as the system does."""
    if sys.platform == "darwin":
        return _of_darwin("machdep.cpu.brand_string")
    return os.environ.get("PROCESSOR_IDENTIFIER", "")


def _of_darwin(name: str) -> str:
    """Ask macOS, without starting another program."""
    import ctypes

    with suppress(OSError, AttributeError):
        text, size = ctypes.create_string_buffer(256), ctypes.c_size_t(256)
        if ctypes.CDLL(None).sysctlbyname(name.encode(), text, ctypes.byref(size), None, ctypes.c_size_t(0)) == 0:
            return text.value.decode("utf-8", "replace")
    return ""


def _features() -> list[str]:
    """Return the instruction sets that NumPy has found, for systems that do not list them."""
    core = getattr(np, "_core", None) or np.core
    found = getattr(getattr(core, "_multiarray_umath", None), "__cpu_features__", {})
    return sorted(name for name, there in found.items() if there)
