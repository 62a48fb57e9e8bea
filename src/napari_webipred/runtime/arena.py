"""The memory arena of ONNX Runtime: one with a limit, shared by all sessions of this process."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

from napari_webipred import limits
from napari_webipred.runtime.providers import PROVIDER

# An ONNX model that returns its input of one number.
_IDENTITY = bytes.fromhex(
    "08083a370a100a017812017922084964656e74697479120167"
    "5a0f0a0178120a0a0808011204"
    "0a020801620f0a0179120a0a08080112040a0208014204"
    "0a001011"
)


def use_limited_memory(options: Any) -> None:
    """Let a session use the shared arena, but not for its weights.

    Parameters
    ----------
    options : onnxruntime.SessionOptions
    """
    # Memory patterns, planned in the first run, need a second buffer beside the first: twice the memory for no
    # measurable gain.
    options.enable_mem_pattern = False
    if _limited():
        options.add_session_config_entry("session.use_env_allocators", "1")
        # So the limit is for computed tensors; the size of the weights is known.
        options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")


@cache
def _limited() -> bool:
    """Create the shared arena once; False if that fails: then each session has its own, without a limit."""
    import onnxruntime

    where = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    with suppress(Exception):  # ONNX Runtime has no common class for its errors
        onnxruntime.create_and_register_allocator(
            where, onnxruntime.OrtArenaCfg({"max_mem": limits.memory_budget(), **_DEFAULTS})
        )
        return True
    return False


# -1: the default of ONNX Runtime.
_DEFAULTS = dict.fromkeys(("arena_extend_strategy", "initial_chunk_size_bytes", "max_dead_bytes_per_chunk"), -1)


def give_back() -> None:
    """Return unused memory of the arena to the system."""
    if not _limited.cache_info().currsize:
        return
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    use_limited_memory(options)
    session = onnxruntime.InferenceSession(_IDENTITY, options, providers=[PROVIDER])
    shrink = onnxruntime.RunOptions()
    shrink.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    session.run(None, {"x": np.zeros(1, np.float32)}, shrink)


def trim() -> None:
    """Return memory that was needed only to open a model; on Linux the C library would keep it."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # a C library without it, such as musl
            ctypes.CDLL(None).malloc_trim(0)


def is_exhausted(error: Exception) -> bool:
    """Tell whether an error of ONNX Runtime means that the limit is reached or the system is out of memory."""
    return "bfc_arena" in str(error) or "Failed to allocate memory" in str(error) or "bad_alloc" in str(error)
