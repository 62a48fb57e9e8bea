"""Convolution and pooling of one image, and their derivatives, as sums over the places of the window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class Window(Struct, frozen=True):
    """How a window moves over rows and columns, each a pair of numbers; pads are (top, left, bottom, right)."""

    size: tuple[int, int]
    strides: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilations: tuple[int, int]

    def padded(self, x: Array, value: float = 0.0) -> Array:
        """Return images with their padding, shape (n, channels, rows, columns)."""
        top, left, bottom, right = self.pads
        return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)

    def inner(self, padded: Array) -> Array:
        """Return images without their padding."""
        top, left, bottom, right = self.pads
        return padded[:, :, top : padded.shape[2] - bottom, left : padded.shape[3] - right]

    def places(self, rows: int, columns: int) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
        """Yield each place in the window, and what it meets of the padded image when the window moves."""
        for row in range(self.size[0]):
            for column in range(self.size[1]):
                y, x = row * self.dilations[0], column * self.dilations[1]
                down = slice(y, y + (rows - 1) * self.strides[0] + 1, self.strides[0])
                across = slice(x, x + (columns - 1) * self.strides[1] + 1, self.strides[1])
                yield row, column, (down, across)

    def counts(self, x: Array) -> tuple[int, int]:
        """Count the positions of the window over images, down and across."""
        top, left, bottom, right = self.pads
        reach = [dilation * (size - 1) + 1 for dilation, size in zip(self.dilations, self.size, strict=True)]
        rows = (x.shape[2] + top + bottom - reach[0]) // self.strides[0] + 1
        columns = (x.shape[3] + left + right - reach[1]) // self.strides[1] + 1
        return rows, columns


def window_of(attributes: Mapping[str, Any], size: tuple[int, int]) -> Window | None:
    """Read the window of an operation; None if it does not move over two axes, or pads in a way that is not told."""
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    pads = attributes.get("pads", [0, 0, 0, 0])
    if len(pads) != 4 or attributes.get("auto_pad", "NOTSET") != "NOTSET" or attributes.get("ceil_mode", 0):
        return None
    return Window(size, tuple(strides), tuple(pads), tuple(dilations))


def convolved(x: Array, weights: Array, window: Window, groups: int) -> Array:
    """Convolve images of shape (n, channels, rows, columns) with weights of shape (outputs, channels / groups, ...)."""
    rows, columns = window.counts(x)
    padded = window.padded(x)
    total = np.zeros((len(x), len(weights), rows, columns))
    for row, column, (down, across) in window.places(rows, columns):
        met = padded[:, :, down, across].reshape(len(x), groups, -1, rows * columns)
        part = weights[:, :, row, column].reshape(groups, -1, weights.shape[1])
        total += (part @ met).reshape(total.shape)
    return total


def convolved_back(g: Array, shape: tuple[int, ...], weights: Array, window: Window, groups: int) -> Array:
    """Return the product of `g` with the derivative of `convolved`, for inputs of this shape."""
    padded = window.padded(np.zeros((len(g), *shape[1:])))
    rows, columns = g.shape[2:]
    parts = g.reshape(len(g), groups, -1, rows * columns)
    for row, column, (down, across) in window.places(rows, columns):
        part = weights[:, :, row, column].reshape(groups, -1, weights.shape[1])
        padded[:, :, down, across] += (part.transpose(0, 2, 1) @ parts).reshape(len(g), -1, rows, columns)
    return window.inner(padded)


def largest(x: Array, window: Window) -> Array:
    """Pool images by the largest value."""
    rows, columns = window.counts(x)
    padded = window.padded(x, -np.inf)
    parts: Array = np.stack([padded[:, :, down, across] for _, _, (down, across) in window.places(rows, columns)])
    most: Array = parts.max(axis=0)
    return most


def largest_back(g: Array, x: Array, value: Array, window: Window) -> Array:
    """Give `g` to the first of the largest values in each window."""
    padded, given = window.padded(x, -np.inf), window.padded(np.zeros((len(g), *x.shape[1:])))
    open_places = np.ones(value.shape, np.bool_)
    for _, _, (down, across) in window.places(*value.shape[2:]):
        chosen = open_places & (padded[:, :, down, across] == value)
        given[:, :, down, across] += g * chosen
        open_places &= ~chosen
    return window.inner(given)


def average_weights(x: Array, window: Window, with_pads: bool) -> Array:
    """Return one over the number of values that each window averages, shape (rows, columns)."""
    rows, columns = window.counts(x)
    counted = window.padded(np.ones((1, 1, *x.shape[2:])), float(with_pads))
    counts = np.sum([counted[0, 0, down, across] for _, _, (down, across) in window.places(rows, columns)], axis=0)
    weights: Array = 1 / counts
    return weights


def average(x: Array, window: Window, with_pads: bool) -> Array:
    """Pool images by the mean."""
    rows, columns = window.counts(x)
    padded = window.padded(x)
    total = np.sum([padded[:, :, down, across] for _, _, (down, across) in window.places(rows, columns)], axis=0)
    mean: Array = total * average_weights(x, window, with_pads)
    return mean


def average_back(g: Array, x: Array, window: Window, with_pads: bool) -> Array:
    """Return the product of `g` with the derivative of `average`."""
    given = window.padded(np.zeros((len(g), *x.shape[1:])))
    shared = g * average_weights(x, window, with_pads)
    for _, _, (down, across) in window.places(*g.shape[2:]):
        given[:, :, down, across] += shared
    return window.inner(given)
