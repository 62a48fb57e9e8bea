"""A compiled model that predicts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_webipred.errors import ModelError
from napari_webipred.runtime.graph import INPUT, OUTPUT

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_BROKEN = "Open the model again; if that does not help, it cannot be used."
_FATAL_ONLY = 4


class Session:
    """A compiled model, ready to predict on this machine's processor.

    Parameters
    ----------
    graph : Path or bytes
        What `napari_webipred.runtime.compiler.compile_model` returns, or a file with it.
    threads : int
        How many threads work on one call of `predict`.

    Attributes
    ----------
    input_shape : tuple
        (height, width, channels) of a picture in pixels; height or width None if the model takes any.
    output_size : int
        How many numbers come out for each picture.
    properties : dict of str to str
        What the file says about itself beside the network; empty for most.

    Raises
    ------
    ModelError
        The graph cannot be read or is not one of ours.
    """

    input_shape: tuple[int | None, int | None, int]
    output_size: int
    properties: dict[str, str]

    def __init__(self, graph: Path | bytes, threads: int) -> None:
        self._session = _open(graph, threads)
        self.input_shape, self.output_size = _signature(self._session)
        self.properties = dict(self._session.get_modelmeta().custom_metadata_map)
        self._singly = self._session.get_inputs()[0].shape[:1] == [1]

    def predict(self, batch: ArrayLike) -> NDArray[np.float32]:
        """Run the model. Several threads may do so at the same time.

        Parameters
        ----------
        batch : array_like, shape (n, height, width, channels)
            Pictures, resized and standardised; taken as float32.

        Returns
        -------
        ndarray of float32, shape (n, output_size)

        Raises
        ------
        ModelError
            The batch is not numeric or has another shape, or the computation fails.
        """
        try:
            pictures = np.ascontiguousarray(batch, np.float32)
        except (TypeError, ValueError) as error:
            raise ModelError(f"The batch cannot be taken as numbers: {error}.", "Give an array of numbers.") from error
        fits = pictures.ndim == 4 and all(
            wanted in (None, size) for wanted, size in zip(self.input_shape, pictures.shape[1:], strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if size is None else str(size) for size in self.input_shape)
            raise ModelError(
                f"The batch has the shape {pictures.shape}; the model takes (n, {wanted}).",
                "Give a batch of pictures as (n, height, width, channels), each resized to the model's input.",
            )
        if self._singly and len(pictures) > 1:
            return np.concatenate([self.predict(picture[None]) for picture in pictures])
        try:
            (classes,) = self._session.run([OUTPUT], {INPUT: pictures})
        except Exception as error:  # ONNX Runtime has no common class for what it raises
            raise ModelError(f"The model cannot be computed: {_first_line(error)}", _BROKEN) from error
        result: NDArray[np.float32] = classes
        if result.shape != (len(pictures), self.output_size):
            raise ModelError(
                f"The model gives numbers of the shape {result.shape} for {len(pictures)} images.",
                "Choose a model that gives one list of numbers for each image.",
            )
        return result


def _open(graph: Path | bytes, threads: int) -> Any:
    import onnxruntime

    # The variable in the environment, which the package sets, is what counts; this is for processes that imported
    # ONNX Runtime earlier.
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    try:
        return onnxruntime.InferenceSession(
            graph if isinstance(graph, bytes) else str(graph),
            options,
            providers=["CPUExecutionProvider"],
            # It turns zeros around a picture into minus infinity when a MaxPool follows, which changes the result.
            disabled_optimizers=["Pad_Fusion"],
            # Trying again with the same provider changes nothing, and is announced on standard output.
            enable_fallback=0,
        )
    except Exception as error:  # ONNX Runtime has no common class for what it raises
        # Where the graph lies in the cache says nothing to the user.
        reason = re.sub(r"Load model from .* failed: ?", "", _first_line(error))
        raise ModelError(f"The compiled model cannot be opened: {reason}", _BROKEN) from error


def _signature(session: Any) -> tuple[tuple[int | None, int | None, int], int]:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [value.name for value in (*inputs, *outputs)] == [INPUT, OUTPUT]:
        picture, classes = inputs[0].shape, outputs[0].shape
        if len(picture) == 4 and len(classes) == 2 and isinstance(picture[3], int) and isinstance(classes[1], int):
            height, width = (size if isinstance(size, int) else None for size in picture[1:3])
            return (height, width, picture[3]), classes[1]
    raise ModelError("The compiled model does not take a picture and return classes.", _BROKEN)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
