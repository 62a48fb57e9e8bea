"""How ONNX Runtime opens a network, with the same options everywhere."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Any

from msgspec import Struct

from napari_webipred import limits
from napari_webipred.errors import LimitError, ModelError
from napari_webipred.hardware import USUAL, WORDS, Hardware
from napari_webipred.runtime import arena
from napari_webipred.runtime.graph import INPUT, OUTPUT
from napari_webipred.runtime.providers import BF16, providers

BROKEN = "Open the model again; if that does not help, it cannot be used."
_FATAL_ONLY = 4


class Signature(Struct, frozen=True):
    """What goes into a network and what comes out.

    Attributes
    ----------
    input_shape : tuple
        (height, width, channels) of an image in pixels; height or width None if the network takes any.
    output_size : int
        How many numbers come out for each image.
    outputs : tuple of str
        Names of all outputs.
    single : bool
        Whether it takes one image at a time.
    """

    input_shape: tuple[int | None, int | None, int]
    output_size: int
    outputs: tuple[str, ...]
    single: bool


def disabled_optimizers(folds: bool) -> tuple[str, ...]:
    """Name the optimizers of ONNX Runtime that are not used.

    ``Pad_Fusion`` turns zeros around an image into minus infinity when a MaxPool follows, which changes the result;
    ``ConstantFolding`` computes what depends on no image, however large it becomes.
    """
    return ("Pad_Fusion",) if folds else ("Pad_Fusion", "ConstantFolding")


def mapped(file: Path) -> memoryview:
    """Look at a file without making a copy of it.

    Raises
    ------
    ModelError
        It cannot be read, or is empty.
    """
    try:
        with file.open("rb") as opened:
            return memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise ModelError("The compiled model cannot be read.", BROKEN) from error


def open_graph(
    graph: Path | bytes, threads: int, folds: bool, *, save_as: Path | None = None, hardware: Hardware = USUAL
) -> Any:
    """Open a compiled graph, which ONNX Runtime optimises for this processor.

    Parameters
    ----------
    graph : Path or bytes
    threads : int
        How many compute one image.
    folds : bool
        Whether constants may be computed.
    save_as : Path, optional
        Where the optimised graph is written; its weights go into the file beside it, see `weights_of`.
    hardware : Hardware
        What computes it; see `napari_webipred.runtime.providers.chosen`.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    ModelError
        It cannot be opened.
    """
    import onnxruntime

    options = options_for(threads)
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    if save_as is not None:
        options.optimized_model_filepath = str(save_as)
        for key, value in {"file_name": weights_of(save_as).name, "min_size_in_bytes": "1024"}.items():
            options.add_session_config_entry(f"session.optimized_model_external_initializers_{key}", value)
    return opened_with(graph if isinstance(graph, bytes) else str(graph), options, folds, hardware)


def weights_of(graph: Path) -> Path:
    """Return the file with the weights of an optimised graph that `open_graph` writes."""
    return graph.with_name(f"{graph.name}.weights.tmp")


def options_for(threads: int) -> Any:
    """Return options of ONNX Runtime for a session that computes an image on this many threads."""
    import onnxruntime

    # The variable in the environment, which the package sets, is what counts; this is for processes that imported
    # ONNX Runtime earlier.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    return options


def opened_with(graph: str | bytes, options: Any, folds: bool, hardware: Hardware = USUAL) -> Any:
    """Let ONNX Runtime open a network.

    Raises
    ------
    ModelError
        It does not.
    """
    import onnxruntime

    wanted = providers(hardware)
    for key, value in BF16.items() if hardware.precision == "bf16" else ():
        options.add_session_config_entry(key, value)
    try:
        arena.give_back()
        arena.use_limited_memory(options)
        session = onnxruntime.InferenceSession(
            graph,
            options,
            providers=wanted,
            disabled_optimizers=[*disabled_optimizers(folds)],
            # Trying again with the same provider changes nothing, and is announced on standard output.
            enable_fallback=0,
        )
    except Exception as error:  # ONNX Runtime has no common class for what it raises
        # Where the graph lies in the cache says nothing to the user.
        reason = re.sub(r"Load model from .* failed: ?", "", _first_line(error))
        raise ModelError(f"The compiled model cannot be opened: {reason}", BROKEN) from error
    if session.get_providers()[:1] != [wanted[0][0]]:
        raise ModelError(
            f"ONNX Runtime cannot use {WORDS[hardware.device]}, although it has been made for it.",
            "Install the libraries of the device that ONNX Runtime needs, or choose the device cpu.",
        )
    arena.trim()
    return session


def signature(session: Any) -> Signature:
    """Return what goes into a network and what comes out.

    Raises
    ------
    ModelError
        The network takes no image, or does not return classes.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [value.name for value in (*inputs, *outputs[:1])] == [INPUT, OUTPUT]:
        image, classes = inputs[0].shape, outputs[0].shape
        if len(image) == 4 and len(classes) == 2 and isinstance(image[3], int) and isinstance(classes[1], int):
            height, width = (size if isinstance(size, int) else None for size in image[1:3])
            if classes[1] > limits.CLASSES:
                raise LimitError(
                    f"The network gives {classes[1]} numbers for each image; {limits.CLASSES} classes are the most.",
                    "Choose a model that classifies images.",
                )
            names = tuple(value.name for value in outputs)
            return Signature((height, width, image[3]), classes[1], names, image[0] == 1)
    raise ModelError("The compiled model does not take an image and return classes.", BROKEN)


def explained(error: Exception) -> ModelError:
    """Say in words why a network cannot be computed."""
    if arena.is_exhausted(error):
        return LimitError(
            f"The network needs more memory than the {limits.amount(limits.memory_budget())} that are allowed.",
            f"Set {limits.MEMORY_SETTING} to more, such as 8GB, before the program starts; or choose a smaller model.",
        )
    return ModelError(f"The model cannot be computed: {_first_line(error)}", BROKEN)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
