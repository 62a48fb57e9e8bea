"""Layers, options and sizes that TensorFlow.js cannot compute, against their formulas."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_webipred.errors import ModelError
from napari_webipred.runtime.session import Session

Array = NDArray[Any]
Opener = Callable[..., Session]
Writer = Callable[..., dict[str, bytes]]

RANDOM = np.random.default_rng(7)


def numbers(*shape: int, low: float = -2, high: float = 2) -> Array:
    return RANDOM.uniform(low, high, shape).astype(np.float32)


def layer(class_name: str, **config: Any) -> dict[str, Any]:
    return {"class_name": class_name, "config": {"name": "it", **config}}


X = numbers(2, 4, 6, 3)
ERF = np.vectorize(math.erf)


def leaky(x: Array, slope: float) -> Array:
    return np.where(x < 0, slope * x, x)


FORMULAS: dict[str, tuple[dict[str, Any], Callable[[Array], Array]]] = {
    "relu with slope": (layer("ReLU", negative_slope=0.2, max_value=1), lambda x: np.minimum(leaky(x, 0.2), 1)),
    "relu with threshold": (
        layer("ReLU", negative_slope=0.5, threshold=0.75, max_value=1.25),
        lambda x: np.where(x >= 1.25, 1.25, np.where(x >= 0.75, x, 0.5 * (x - 0.75))),
    ),
    "relu with max 0": (layer("ReLU", max_value=0), np.zeros_like),
    "leaky relu of Keras 2": (layer("LeakyReLU", alpha=0.1), lambda x: leaky(x, 0.1)),
    "leaky relu of Keras 3": (layer("LeakyReLU", negative_slope=0.1), lambda x: leaky(x, 0.1)),
    "leaky relu by default": (layer("LeakyReLU"), lambda x: leaky(x, 0.3)),
    "leaky relu by name": (layer("Activation", activation="leaky_relu"), lambda x: leaky(x, 0.2)),
    "elu with alpha": (layer("ELU", alpha=0.5), lambda x: np.where(x < 0, 0.5 * np.expm1(x), x)),
    "silu": (layer("Activation", activation="silu"), lambda x: x / (1 + np.exp(-x))),
    "exponential": (layer("Activation", activation="exponential"), np.exp),
    "gelu": (layer("Activation", activation="gelu"), lambda x: x / 2 * (1 + ERF(x / np.sqrt(2)))),
    "gelu_new": (
        layer("Activation", activation="gelu_new"),
        lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "log softmax": (
        layer("Activation", activation="log_softmax"),
        lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    ),
    "activation as a function": (
        layer("Activation", activation={"class_name": "function", "config": "relu6"}),
        lambda x: np.clip(x, 0, 6),
    ),
    "activation as a layer": (
        layer("Activation", activation={"class_name": "ReLU", "config": {"max_value": 0.5}}),
        lambda x: np.clip(x, 0, 0.5),
    ),
    "softmax of TensorFlow 2.0": (
        layer("Activation", activation="softmax_v2"),
        lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    ),
    "log softmax of TensorFlow 2.12": (
        layer("Activation", activation="log_softmax_v2"),
        lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True)),
    ),
    "softmax by default": (layer("Softmax"), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    "softmax along the height": (layer("Softmax", axis=1), lambda x: np.exp(x) / np.exp(x).sum(1, keepdims=True)),
    "softmax along a list of one axis": (
        layer("Softmax", axis=[2]),
        lambda x: np.exp(x) / np.exp(x).sum(2, keepdims=True),
    ),
    "rescaling by lists": (
        layer("Rescaling", scale=[1, 2, 3], offset={"type": "ndarray", "value": [0.5, 0, 0]}),
        lambda x: x * [1, 2, 3] + [0.5, 0, 0],
    ),
    "normalization in the config": (
        layer("Normalization", axis=[-1], mean=[1, 2, 3], variance=[[4, 0, 1]]),
        lambda x: (x - [1, 2, 3]) / [2, 1e-7, 1],
    ),
    "normalization back": (
        layer("Normalization", axis=-1, mean=[1, 2, 3], variance=[4, 9, 1], invert=True),
        lambda x: [1, 2, 3] + x * [2, 3, 1],
    ),
    "global pooling that keeps axes": (
        layer("GlobalAveragePooling2D", keepdims=True),
        lambda x: x.mean((1, 2), keepdims=True),
    ),
    "global max pooling that keeps axes": (
        layer("GlobalMaxPooling2D", keepdims=True),
        lambda x: x.max((1, 2), keepdims=True),
    ),
    "center crop": (layer("CenterCrop", height=1, width=3), lambda x: x[:, 1:2, 1:4]),
    "resizing to half, nearest": (
        layer("Resizing", height=2, width=3, interpolation="nearest"),
        lambda x: x[:, 1::2, 1::2],
    ),
    "resizing to half": (
        layer("Resizing", height=2, width=3),
        lambda x: x.reshape(2, 2, 2, 3, 2, 3).mean((2, 4)),
    ),
    "random layers do nothing": (layer("RandomFlip", mode="horizontal"), lambda x: x),
    "no padding": (layer("ZeroPadding2D", padding=0), lambda x: x),
    "no cropping": (layer("Cropping2D", cropping=[[0, 0], [0, 0]]), lambda x: x),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_layer_follows_its_formula(name: str, layer_files: Writer, open_session: Opener) -> None:
    described, formula = FORMULAS[name]
    made = open_session(layer_files([described], (4, 6, 3))).predict(X)
    np.testing.assert_allclose(made, formula(X.astype(np.float64)).reshape(2, -1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("version", "slope"), [("2.8.0", 5), ("tfjs-layers 1.3.1", 5), ("3.4.1", 6)])
def test_hard_sigmoid_is_that_of_the_keras_that_wrote_the_file(
    version: str, slope: int, layer_files: Writer, open_session: Opener
) -> None:
    files = layer_files([layer("Activation", activation="hard_sigmoid")], (4, 6, 3))
    document = json.loads(files["model.json"])
    document["modelTopology"]["keras_version"] = version
    files["model.json"] = json.dumps(document).encode()
    np.testing.assert_allclose(open_session(files).predict(X), np.clip(X / slope + 0.5, 0, 1).reshape(2, -1), atol=1e-6)


def test_softmax_after_a_convolution_acts_on_the_channels(layer_files: Writer, open_session: Opener) -> None:
    mix = numbers(1, 1, 3, 3)
    conv = {"class_name": "Conv2D", "config": {"name": "conv", "filters": 3, "kernel_size": 1, "use_bias": False}}
    for axis, place in ((-1, 3), (3, 3), (2, 2)):
        files = layer_files([conv, layer("Softmax", axis=axis)], (4, 6, 3), {"conv/kernel": mix})
        raised = np.exp(X @ mix[0, 0])
        expected = raised / raised.sum(place, keepdims=True)
        np.testing.assert_allclose(open_session(files).predict(X), expected.reshape(2, -1), atol=1e-6)


@pytest.mark.parametrize("axis", [1, 2])
def test_batch_normalisation_on_another_axis(axis: int, layer_files: Writer, open_session: Opener) -> None:
    size = X.shape[axis]
    weights = {
        "it/gamma": numbers(size),
        "it/beta": numbers(size),
        "it/moving_mean": numbers(size),
        "it/moving_variance": numbers(size, low=0.5),
    }
    gamma, beta, mean, variance = (
        value.reshape([size if i == axis else 1 for i in range(4)]) for value in weights.values()
    )
    made = open_session(layer_files([layer("BatchNormalization", axis=axis)], (4, 6, 3), weights)).predict(X)
    expected = gamma * (X - mean) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(made, expected.reshape(2, -1), rtol=1e-5, atol=1e-5)


def test_layer_normalisation_over_several_axes(layer_files: Writer, open_session: Opener) -> None:
    weights = {"it/gamma": numbers(4, 6, 3), "it/beta": numbers(4, 6, 3)}
    described = layer("LayerNormalization", axis=[1, 2, 3], epsilon=1e-6)
    made = open_session(layer_files([described], (4, 6, 3), weights)).predict(X)
    mean, variance = X.mean((1, 2, 3), keepdims=True), X.var((1, 2, 3), keepdims=True)
    expected = (X - mean) / np.sqrt(variance + 1e-6) * weights["it/gamma"] + weights["it/beta"]
    np.testing.assert_allclose(made, expected.reshape(2, -1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axes", [[3, 1], [3, 2], [2, 1], [-1, 1, 2]])
@pytest.mark.parametrize("center", [True, False])
def test_weights_of_layer_normalisation_have_the_axes_of_the_file(
    axes: list[int], center: bool, layer_files: Writer, open_session: Opener
) -> None:
    # In TensorFlow.js 4.22 and Keras 2 and 3, the weights are reshaped to the axes of the image, not transposed.
    normalised = tuple(axis % 4 for axis in axes)
    shape = tuple(X.shape[axis] for axis in normalised)
    weights = {"it/gamma": numbers(*shape)} | ({"it/beta": numbers(*shape)} if center else {})
    described = layer("LayerNormalization", axis=axes, center=center)
    made = open_session(layer_files([described], (4, 6, 3), weights)).predict(X)
    gamma, beta = (
        weights.get(name, np.zeros(shape)).reshape([X.shape[axis] if axis in normalised else 1 for axis in range(4)])
        for name in ("it/gamma", "it/beta")
    )
    mean, variance = X.mean(normalised, keepdims=True), X.var(normalised, keepdims=True)
    expected = (X - mean) / np.sqrt(variance + 1e-3) * gamma + beta
    np.testing.assert_allclose(made, expected.reshape(2, -1), rtol=1e-5, atol=1e-5)


def test_flattening_moves_the_first_axis_to_the_end_for_channels_first_whatever_it_holds(
    layer_files: Writer, open_session: Opener
) -> None:
    layers = [
        {"class_name": "Reshape", "config": {"name": "points", "target_shape": [2, 3]}},
        layer("Flatten", data_format="channels_first"),
    ]
    made = open_session(layer_files(layers, (1, 6, 1))).predict(np.arange(6, dtype=np.float32).reshape(1, 1, 6, 1))
    # The order of TensorFlow.js 4.22, and of Keras 2 and 3.
    assert made.tolist() == [[0, 3, 1, 4, 2, 5]]


@pytest.mark.parametrize("counted", [True, False])
def test_normalisation_by_adapted_statistics(counted: bool, layer_files: Writer, open_session: Opener) -> None:
    weights = {"it/mean": numbers(3), "it/variance": numbers(3, low=0.5)}
    files = layer_files(
        [layer("Normalization", mean=None)], (4, 6, 3), weights | ({"it/count": numbers()} if counted else {})
    )
    expected = (X - weights["it/mean"]) / np.sqrt(weights["it/variance"])
    np.testing.assert_allclose(open_session(files).predict(X), expected.reshape(2, -1), rtol=1e-5, atol=1e-5)


def test_layer_scale_multiplies_each_channel(layer_files: Writer, open_session: Opener) -> None:
    gamma = numbers(3)
    made = open_session(layer_files([layer("Custom>LayerScale", projection_dim=3)], (4, 6, 3), {"it/gamma": gamma}))
    np.testing.assert_allclose(made.predict(X), (X * gamma).reshape(2, -1), rtol=1e-6)


def test_grouped_convolution_keeps_the_groups_apart(layer_files: Writer, open_session: Opener) -> None:
    x, kernel = numbers(2, 3, 3, 4), numbers(1, 1, 2, 6)
    described = layer("Conv2D", filters=6, kernel_size=[1, 1], groups=2, use_bias=False)
    made = open_session(layer_files([described], (3, 3, 4), {"it/kernel": kernel})).predict(x)
    expected = np.concatenate([x[..., :2] @ kernel[0, 0, :, :3], x[..., 2:] @ kernel[0, 0, :, 3:]], -1)
    np.testing.assert_allclose(made, expected.reshape(2, -1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_depthwise_convolution_honours_dilation(padding: str, layer_files: Writer, open_session: Opener) -> None:
    kernel = numbers(3, 2, 3, 2)
    described = layer("DepthwiseConv2D", kernel_size=[3, 2], dilation_rate=2, depth_multiplier=2, padding=padding)
    files = layer_files([described], (7, 6, 3), {"it/depthwise_kernel": kernel, "it/bias": np.zeros(6, np.float32)})
    x = numbers(1, 7, 6, 3)
    padded = np.pad(x, ((0, 0), (2, 2), (1, 1), (0, 0))) if padding == "same" else x
    rows, columns = padded.shape[1] - 4, padded.shape[2] - 2
    expected = sum(
        padded[:, 2 * i : 2 * i + rows, 2 * j : 2 * j + columns, :, None] * kernel[i, j]
        for i in range(3)
        for j in range(2)
    )
    np.testing.assert_allclose(open_session(files).predict(x), np.ravel(expected)[None], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kernel_size", [1, 2])
def test_transposed_convolution_leaves_room_for_every_stride(
    kernel_size: int, layer_files: Writer, open_session: Opener
) -> None:
    kernel = numbers(kernel_size, kernel_size, 2, 3)
    described = layer("Conv2DTranspose", filters=2, kernel_size=kernel_size, strides=3, use_bias=False)
    session = open_session(layer_files([described], (4, 6, 3), {"it/kernel": kernel}))
    expected = np.zeros((2, 12, 18, 2), np.float32)
    for i in range(kernel_size):
        for j in range(kernel_size):
            expected[:, i::3, j::3] = X @ kernel[i, j].T
    np.testing.assert_allclose(session.predict(X), expected.reshape(2, -1), rtol=1e-5, atol=1e-5)


def test_bilinear_upsampling_is_that_of_keras(layer_files: Writer, open_session: Opener) -> None:
    files = layer_files([layer("UpSampling2D", size=[1, 2], interpolation="bilinear")], (1, 2, 1))
    made = open_session(files).predict(np.float32([[[[0], [1]]]]))
    np.testing.assert_allclose(made, [[0, 0.25, 0.75, 1]], atol=1e-6)


def test_resizing_takes_the_nearest_pixel_also_where_rounding_would_take_the_one_before(
    layer_files: Writer, open_session: Opener
) -> None:
    described = layer("Resizing", height=1, width=4, interpolation="nearest")
    x = np.arange(56 * 4, dtype=np.float32).reshape(1, 56, 4, 1)
    made = open_session(layer_files([described], (56, 4, 1))).predict(x)
    np.testing.assert_array_equal(made, x[:, 28].reshape(1, -1))  # floor((0 + 1/2) * 56), as in Keras
    with pytest.raises(ModelError, match="needs an input of fixed size"):
        open_session(layer_files([described], (None, None, 1)))


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_an_image_of_any_size_is_padded_like_one_of_known_size(
    strides: int, size: tuple[int, int], layer_files: Writer, open_session: Opener
) -> None:
    weights = {"conv/kernel": numbers(3, 2, 3, 2), "conv/bias": numbers(2)}
    config = {"name": "conv", "filters": 2, "kernel_size": [3, 2], "strides": strides, "padding": "same"}
    layers = [
        {"class_name": "Conv2D", "config": config},
        {"class_name": "MaxPooling2D", "config": {"name": "pool", "padding": "same", "strides": strides}},
        {"class_name": "GlobalMaxPooling2D", "config": {"name": "max"}},
    ]
    x = numbers(2, *size, 3)
    known = open_session(layer_files(layers, (*size, 3), weights))
    free = open_session(layer_files(layers, (None, None, 3), weights))
    assert free.input_shape == (None, None, 3)
    np.testing.assert_allclose(free.predict(x), known.predict(x), rtol=1e-6)


@pytest.mark.parametrize("class_name", ["MaxPooling2D", "AveragePooling2D"])
@pytest.mark.parametrize(("size", "strides"), [((4, 6), [2, 3]), ((5, 7), 2), ((5, 6), [4, 1])])
def test_a_pooling_of_single_pixels_takes_images_of_any_size(
    class_name: str, size: tuple[int, int], strides: Any, layer_files: Writer, open_session: Opener
) -> None:
    layers = [
        layer(class_name, pool_size=1, padding="same", strides=strides),
        {"class_name": "GlobalMaxPooling2D", "config": {"name": "max"}},
    ]
    x = numbers(2, *size, 3)
    down, across = [strides, strides] if isinstance(strides, int) else strides
    made = open_session(layer_files(layers, (None, None, 3))).predict(x)
    np.testing.assert_array_equal(made, x[:, ::down, ::across].max((1, 2)))


def test_a_pooling_with_gaps_between_its_windows_needs_a_known_size(layer_files: Writer, open_session: Opener) -> None:
    layers = [
        layer("MaxPooling2D", pool_size=2, padding="same", strides=3),
        {"class_name": "GlobalMaxPooling2D", "config": {"name": "max"}},
    ]
    with pytest.raises(ModelError, match=r"it \(MaxPooling2D\) needs an image of fixed size"):
        open_session(layer_files(layers, (None, None, 3)))
    made = open_session(layer_files(layers, (4, 6, 3))).predict(X)
    windows = [X[:, i : i + 2, j : j + 2].max((1, 2)) for i in (0, 3) for j in (0, 3)]
    np.testing.assert_array_equal(made, np.max(windows, 0))


@pytest.mark.parametrize(
    ("described", "words"),
    [
        (layer("Resizing", height=2, width=2, antialias=True), "antialias=True"),
        (layer("Resizing", height=2, width=2, pad_to_aspect_ratio=True), "pad_to_aspect_ratio=True"),
        (layer("Average", axis=1), "at least two inputs"),
        (layer("Clip", x_min=0, x_max=None), "x_max, not None"),
        (layer("UpSampling2D", interpolation="lanczos3"), "interpolation='lanczos3'"),
        (layer("Conv2D", filters=1, kernel_size=1, padding="causal"), "padding='causal'"),
        (layer("Activation", activation="sparsemax"), "sparsemax"),
        (layer("Conv2D", filters=0, kernel_size=1), "filters=0"),
        (layer("Conv2D", filters=2, kernel_size=[1, 2, 3]), "kernel_size=[1, 2, 3]"),
        (layer("MaxPooling2D", pool_size=[2, 0]), "pool_size=[2, 0]"),
        (layer("Reshape", target_shape=[5, 5]), "[5, 5]"),
        (layer("Concatenate", axis=0), "axis 0"),
        (layer("Permute", dims=[1, 1, 2]), "dims=[1, 1, 2]"),
        (layer("LayerNormalization", axis=0), "axis 0"),
        (layer("CenterCrop", height=9, width=9), "9"),
        (layer("ZeroPadding2D", padding=[[1, 2], 3, 4]), "padding"),
        (layer("ZeroPadding2D", padding=60000), "too large"),
        (layer("Conv2D", filters=1, kernel_size=9), "too small"),
        (layer("Conv2D", filters=1, kernel_size=[5, 1]), "too small: the output would have the shape (0, 6, 1)"),
        (layer("MaxPooling2D", pool_size=[1, 7]), "too small: the output would have the shape (4, 0, 3)"),
        (layer("Cropping2D", cropping=[2, 0]), "too small: the output would have the shape (0, 6, 3)"),
        (layer("Softmax", axis=[2, 3]), "axis=[2, 3]"),
        # TensorFlow.js 4.22 reads these.
        (layer("Conv2D", filters=1, kernel_size=1, dilationRate=[2, 2]), "dilationRate=[2, 2]"),
        (layer("ReLU", maxValue=6), "maxValue=6"),
        (layer("TFOpLambda", function="math.cumsum"), "math.cumsum"),
    ],
)
def test_an_option_that_cannot_be_honoured_is_named(
    described: dict[str, Any], words: str, layer_files: Writer, open_session: Opener
) -> None:
    with pytest.raises(ModelError) as refusal:
        open_session(layer_files([described], (4, 6, 3)))
    assert "it" in refusal.value.message
    assert described["class_name"] in refusal.value.message
    assert words in refusal.value.message


def test_scales_that_keras_writes_as_arrays_of_numpy_are_read(layer_files: Writer, open_session: Opener) -> None:
    scale = {"class_name": "__numpy__", "config": {"value": [0.5, 1.0, 2.0], "dtype": "float64"}}
    made = open_session(layer_files([layer("Rescaling", scale=scale, offset=0.5)], (4, 6, 3))).predict(X)
    np.testing.assert_allclose(made, (X * np.float32([0.5, 1, 2]) + 0.5).reshape(2, -1), rtol=1e-6)


@pytest.mark.parametrize("axis", [-1, None, [1, 3]])
def test_one_mean_and_one_variance_stand_for_all(axis: Any, layer_files: Writer, open_session: Opener) -> None:
    made = open_session(layer_files([layer("Normalization", axis=axis or [], mean=0.5, variance=4)], (4, 6, 3)))
    np.testing.assert_allclose(made.predict(X), ((X - 0.5) / 2).reshape(2, -1), rtol=1e-6)
